package cfg

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed hidden_characters.md
var hiddenCharactersPage string

// HiddenCharacters flags text that is not what it looks like.
var HiddenCharacters = rules.Rule{
	ID:         "hidden-characters",
	Title:      "Configuration holds characters that are not seen",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{116, 1007, 451},
	Covers:     []string{"UNI-001", "UNI-002", "UNI-003", "UNI-005"},
	Page:       hiddenCharactersPage,
	Check:      checkHiddenCharacters,
}

func checkHiddenCharacters(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		report := func(t analyzers.Text, what string, shown, identifier bool) {
			if h, ok := hiddenIn(t.Raw(), identifier); ok {
				f := rules.OnServer(s, t.At(h.start, h.end), what, "%s of server %q %s. Type it anew.", what, s.Name, h.describe(shown))
				if shown {
					f.Message = fmt.Sprintf("%s %q of server %q %s. Type it anew.", what, cut(t.Raw(), h.start), s.Name, h.describe(true))
				}
				pass.Report(f)
			}
		}
		report(s.Name, "name", true, true)
		report(s.URL, "URL", false, true)
		if s.Launch != nil {
			for i, arg := range s.Launch.Argv {
				report(arg, "argument", i == 0, i == 0)
			}
		}
		for _, v := range slices.Concat(s.Env, s.Headers) {
			report(v.Name, "variable name", true, true)
			report(v.Value, "value of "+v.Name.String(), false, false)
		}
		for _, p := range s.Settings {
			report(p.Key, "key", true, true)
			report(p.Value, "value of "+analyzers.Untrusted(p.Path).String(), false, false)
		}
	}
	for _, client := range pass.Catalog.Clients {
		for _, h := range client.Hooks {
			reportSetting(pass, client, h.Command, "command of hook "+analyzers.Untrusted(h.Event).String(), false)
		}
		if strings.HasPrefix(client.Name, "vscode") || client.Name == "zed" || client.Name == "devcontainer" {
			continue // an editor's settings name such characters to show them
		}
		for _, s := range client.Settings {
			reportSetting(pass, client, s.Key, "key", true)
			reportSetting(pass, client, s.Value, "value of "+analyzers.Untrusted(s.Path).String(), false)
		}
	}
}

func reportSetting(pass *rules.Pass, client *analyzers.Client, t analyzers.Text, what string, identifier bool) {
	if h, ok := hiddenIn(t.Raw(), identifier); ok {
		pass.Report(rules.OnClient(client, t.At(h.start, h.end), what, "%s %s. Type it anew.", what, h.describe(false)))
	}
}

// cut is the text around a place, short enough for a message.
func cut(text string, at int) analyzers.Untrusted {
	const around = 40
	return analyzers.Untrusted(strings.ToValidUTF8(text[max(0, at-around):min(len(text), at+around)], ""))
}

// hidden is the first run of characters that deceive, in decoded bytes.
type hidden struct {
	start, end int
	kind       string
	tags       string // what tag characters spell
}

func (h hidden) describe(shown bool) string {
	if h.tags != "" && shown {
		return fmt.Sprintf("holds invisible tag characters that spell %q", analyzers.Untrusted(h.tags))
	}
	return "holds " + h.kind
}

// maxFlag is the number of tags in the flag of a region.
const maxFlag = 7

func hiddenIn(text string, identifier bool) (hidden, bool) {
	previous, flag := rune(0), 0
	for i, r := range text {
		switch {
		case r == 0x1f3f4: // a black flag, which tags make a region's
			flag = maxFlag
		case !tag(r):
			flag = 0
		default:
			flag--
		}
		if kind := deceives(r, previous, identifier); kind != "" && flag <= 0 {
			h := hidden{start: i, end: i + utf8.RuneLen(r), kind: kind}
			for j, next := range text[i:] {
				if j > 0 && (next < 0x80 || deceives(next, 0, identifier) == "") {
					break
				}
				h.end = i + j + utf8.RuneLen(next)
				if tag(next) && next != 0xe007f && len(h.tags) < 120 {
					h.tags += string(next - 0xe0000)
				}
			}
			return h, true
		}
		previous = r
	}
	if identifier {
		if start, end, ok := mixed(text); ok {
			odd := text[start+strings.IndexFunc(text[start:end], lookalike):]
			letter, _ := utf8.DecodeRuneInString(odd)
			return hidden{start: start, end: end, kind: fmt.Sprintf("letters of two scripts in one word, which look like one (%c is %U)", letter, letter)}, true
		}
	}
	return hidden{}, false
}

func tag(r rune) bool { return r >= 0xe0000 && r <= 0xe007f }

// deceives names the kind of a character that hides or reorders text. Joiners
// inside emoji and the scripts that need them are text.
func deceives(r, previous rune, identifier bool) string {
	switch {
	case r < 0x20 || r == 0x7f:
		if !identifier && (r == '\n' || r == '\r' || r == '\t') {
			return ""
		}
		return "a control character"
	case r < 0x80:
		return ""
	case r < 0xa0:
		return "a control character"
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return "a character that reverses the order in which text is shown"
	case tag(r):
		return "invisible tag characters"
	case r == 0x200c || r == 0x200d:
		if previous >= 0x0590 && (previous < 0x200b || previous > 0x2064) {
			return ""
		}
		return "an invisible character"
	case r == 0xad, r == 0x200b, r == 0x180e, r >= 0x2060 && r <= 0x2064, r == 0x206a, r == 0xfeff,
		r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0, r >= 0xe0100 && r <= 0xe01ef:
		return "an invisible character"
	}
	return ""
}

// mixed finds a word of Latin letters with letters of another script that look
// the same.
func mixed(text string) (start, end int, ok bool) {
	if len(text) > 1<<16 {
		text = text[:1<<16]
	}
	latin, other := false, false
	for i, r := range text + " " {
		if unicode.IsLetter(r) || unicode.IsMark(r) || r >= '0' && r <= '9' {
			if !latin && !other {
				start = i
			}
			latin = latin || r < 0x80 || unicode.Is(unicode.Latin, r) && r < 0xff00
			other = other || lookalike(r)
			continue
		}
		if latin && other {
			return start, i, true
		}
		latin, other = false, false
	}
	return 0, 0, false
}

func lookalike(r rune) bool {
	switch {
	case r < 0x370:
		return false
	case unicode.Is(unicode.Cyrillic, r), unicode.Is(unicode.Cherokee, r), unicode.Is(unicode.Armenian, r):
		return unicode.IsLetter(r)
	case unicode.Is(unicode.Greek, r):
		return strings.ContainsRune("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧανορτυχικ", r)
	}
	return r >= 0xff21 && r <= 0xff5a || r >= 0x1d400 && r <= 0x1d7ff
}
