package dsc

import (
	_ "embed"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/said"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

//go:embed invisible_text.md
var invisibleTextPage string

// InvisibleText flags characters that a model reads and a person does not see.
var InvisibleText = rules.Rule{
	ID:         "invisible-text",
	Title:      "Text holds characters that are not drawn",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{1007, 451},
	Covers:     []string{"UNI-001", "UNI-002", "UNI-003", "UNI-004", "UNI-008"},
	Page:       invisibleTextPage,
	Messages:   true,
	Look:       rules.NothingOvert,
	Check:      checkInvisibleText,
}

func checkInvisibleText(pass *rules.Pass) {
	cache := text.CacheOf(pass.Shared)
	said.Each(pass.Catalog, func(t said.Text) {
		if cache.Plain(t.Head()) {
			return
		}
		for _, r := range invisible(t.Head()) {
			what := r.class.what
			if r.hidden != "" {
				what += fmt.Sprintf(" that spell %q", analyzers.Untrusted(r.hidden))
			}
			f := t.Finding(r.start, r.end, "%s holds %s. Remove them, and ask how they came there.", t.Where(), what)
			f.Severity = r.severity
			if t.Data() && r.hidden == "" {
				f.Severity = max(f.Severity-1, rules.Info) // web pages and terminals are full of them
			}
			pass.Report(f)
		}
	})
}

// class is a kind of character that is not drawn.
type class struct{ what string }

var (
	tags       = &class{"characters of the Unicode tag block, which only programs read,"}
	selectors  = &class{"a run of variation selectors, which can carry any bytes,"}
	direction  = &class{"characters that turn the direction of writing round"}
	zeroWidth  = &class{"zero-width characters"}
	blank      = &class{"letters that are drawn as nothing"}
	terminal   = &class{"control characters that a terminal obeys"}
	privateUse = &class{"characters of the private use area, which have no meaning,"}
)

func classOf(r rune) *class {
	switch {
	case r >= 0xe0000 && r <= 0xe007f:
		return tags
	case r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0100 && r <= 0xe01ef:
		return selectors
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return direction
	case r >= 0x200b && r <= 0x200d, r >= 0x2060 && r <= 0x2064, r >= 0x206a && r <= 0x206f, r == 0xfeff, r == 0x180e, r == 0xad, r == 0x034f:
		return zeroWidth
	case r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0:
		return blank
	case r == 0x1b, r == 0x9b, r == 0x08, r == 0x7f:
		return terminal
	case r >= 0xf0000 && r <= 0x10fffd:
		return privateUse
	}
	return nil
}

// run is a stretch of one class.
type run struct {
	class      *class
	start, end int
	severity   rules.Severity
	hidden     string // what it spells
}

// invisible finds the stretches that no script and no emoji explains, one of a
// class at most: the first, with the worst severity.
func invisible(text string) []run {
	var out []run
	counts := map[*class]int{}
	prev := rune(-1)
	for i := 0; i < len(text); {
		if b := text[i]; b >= ' ' && b < 0x7f || b == '\n' {
			prev, i = rune(b), i+1
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		c := classOf(r)
		if c == nil {
			prev, i = r, i+size
			continue
		}
		start, n := i, 0
		var runes []rune
		for i < len(text) {
			r, size := utf8.DecodeRuneInString(text[i:])
			if classOf(r) != c {
				break
			}
			if n < 4096 {
				runes = append(runes, r)
			}
			n, i = n+1, i+size
		}
		next, _ := utf8.DecodeRuneInString(text[i:])
		if !explained(c, runes, n, prev, next, start == 0) {
			counts[c] += n
			severity, hidden := weigh(c, runes, counts[c])
			out = add(out, run{c, start, i, severity, hidden})
		}
		if last := runes[len(runes)-1]; last != 0xfe0f {
			prev = last
		}
	}
	return out
}

func add(out []run, r run) []run {
	for i := range out {
		if out[i].class == r.class {
			if out[i].severity < r.severity {
				out[i].severity = r.severity
			}
			if len(r.hidden) > len(out[i].hidden) {
				out[i].hidden, out[i].start, out[i].end = r.hidden, r.start, r.end
			}
			return out
		}
	}
	return append(out, r)
}

// explained reports whether scripts and emoji need these characters where they
// stand.
func explained(c *class, runes []rune, n int, prev, next rune, first bool) bool {
	switch c {
	case selectors:
		// One behind a symbol or an ideograph chooses how it is drawn.
		return n == 1 && (pictured(prev) || unicode.Is(unicode.Han, prev) || unicode.Is(unicode.Mongolian, prev))
	case tags: // flags of regions: a black flag, letters, the end
		return prev == 0x1f3f4 && n <= 8 && runes[n-1] == 0xe007f
	case zeroWidth:
		switch {
		case n > 2:
			return false
		case runes[0] == 0xfeff:
			return first
		case runes[0] == 0xad:
			return n == 1 && unicode.IsLetter(prev) && unicode.IsLetter(next) // where a word may be divided
		case runes[0] == 0x200d && (pictured(prev) || prev >= 0x1f3fb && prev <= 0x1f3ff) && pictured(next):
			return true
		case runes[0] == 0x200b || runes[0] == 0x200c || runes[0] == 0x200d:
			return unicode.In(prev, joined...) || unicode.In(next, joined...)
		}
	case direction:
		// Marks of embedding belong in text that is written from the right.
		return false
	}
	return false
}

// joined are the scripts whose writing needs joiners or breaks without space.
var joined = []*unicode.RangeTable{unicode.Arabic, unicode.Syriac, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya,
	unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Thai, unicode.Lao, unicode.Myanmar, unicode.Mongolian, unicode.Tibetan}

func pictured(r rune) bool {
	return r >= 0x1f000 && r <= 0x1faff || r >= 0x2190 && r <= 0x2bff || r >= 0x3000 && r <= 0x303f || r >= 0x3297 && r <= 0x3299 ||
		r == 0xa9 || r == 0xae || r == 0x203c || r == 0x2049 || r == 0x2122 || r == 0x2139 || r >= '0' && r <= '9' || r == '#' || r == '*'
}

// weigh judges what was not explained: total counts the class in the text.
func weigh(c *class, runes []rune, total int) (rules.Severity, string) {
	switch c {
	case tags:
		return rules.High, spelt(runes, func(r rune) rune { return r - 0xe0000 })
	case selectors:
		if total < 4 {
			return rules.Low, ""
		}
		return rules.High, spelt(runes, func(r rune) rune {
			if r < 0xfe10 {
				return r - 0xfe00
			}
			return r - 0xe0100 + 16
		})
	case direction:
		for _, r := range runes {
			if r == 0x202d || r == 0x202e {
				return rules.High, ""
			}
		}
		return rules.Medium, ""
	case zeroWidth:
		switch {
		case len(runes) >= 8 || total >= 8:
			return rules.High, ""
		case len(runes) >= 2 || total >= 3:
			return rules.Medium, ""
		}
		return rules.Low, ""
	case blank, privateUse:
		if total >= 4 {
			return rules.High, ""
		}
		return rules.Medium, ""
	}
	return rules.Medium, ""
}

// spelt decodes hidden bytes when they are text, cut to what a message can show.
func spelt(runes []rune, decode func(rune) rune) string {
	const most = 120
	var b strings.Builder
	for _, r := range runes[:min(len(runes), most)] {
		d := decode(r)
		if d < ' ' || d > '~' {
			if d == '\n' || d == '\t' {
				d = ' '
			} else if d == 1 || d == 0x7f {
				continue // the tag that names a language, and the end
			} else {
				return ""
			}
		}
		b.WriteRune(d)
	}
	if len(runes) > most {
		b.WriteString("…")
	}
	return b.String()
}
