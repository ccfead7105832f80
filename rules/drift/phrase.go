package drift

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

// judgeText classifies a text that has changed.
func judgeText(out *Change, p manifest.Pair, d manifest.Delta) {
	before, after := analyzers.Text{}, d.Text
	if d.Old.IsString() {
		before = analyzers.Text{Value: d.Old.Text.Value}
	}
	what := "the " + d.Key()
	if len(d.Path) > 1 {
		what = fmt.Sprintf("%s of %q", what, analyzers.Untrusted(strings.TrimSuffix(out.Field.Raw(), "."+d.Key())))
	}
	switch {
	case d.Op == manifest.Removed:
		out.Class, out.Severity, out.Reason = Text, rules.Low, what+" is gone"
		return
	case d.Op == manifest.Changed && cosmetic(before.Raw(), after.Raw()):
		out.Class, out.Severity, out.Reason = Cosmetic, rules.Info, what+" is spelt in another way and says the same"
	default:
		out.Class, out.Severity, out.Reason = Text, rules.Low, what+" says something else"
		if p.Kind == "instructions" || d.Key() == "description" && len(d.Path) == 1 {
			out.Severity = rules.Medium
		}
	}
	if hides(after.Raw()) && !hides(before.Raw()) {
		out.object(objection{severity: rules.High, reason: what + " now holds characters that a reader does not see"})
		return
	}
	if out.Class == Cosmetic {
		return
	}
	var names []string
	if p.New != nil {
		names = []string{p.New.Name.Raw()}
	}
	if o, ok := suspectText(names, before, after); ok {
		out.object(o)
	}
}

// hides reports whether a text has characters that are not seen, line ends and
// tabs aside.
func hides(s string) bool {
	for _, r := range s {
		if analyzers.Hidden(r) && r != '\n' && r != '\t' && r != '\r' && r != 0xfe0f { // the emoji variant of a sign
			return true
		}
	}
	return false
}

// cosmetic reports whether two texts say the same in the same words. Words
// that are more than letters (addresses, paths, names of tools, numbers) must
// be equal; of the others one may have a typing error.
func cosmetic(a, b string) bool {
	x, y := tokens(a), tokens(b)
	if len(x) != len(y) {
		return false
	}
	wrong := 0
	for i := range x {
		if x[i] == y[i] {
			continue
		}
		if !plainWord(x[i]) || !plainWord(y[i]) {
			return false
		}
		if p, q := strings.ToLower(x[i]), strings.ToLower(y[i]); p != q {
			if !typo(p, q) {
				return false
			}
			wrong++
		}
	}
	return wrong <= 1
}

// tokens are the words of a text without the signs around them.
func tokens(s string) []string {
	var out []string
	for f := range strings.FieldsSeq(s) {
		f = strings.TrimFunc(f, func(r rune) bool {
			return unicode.IsPunct(r) && r != '/' && r != '~' && r != '@' && r != '%' || r == '`' || r == '~'
		})
		if f != "" {
			out = append(out, f)
		}
	}
	return out
}

func plainWord(w string) bool {
	for _, r := range w {
		if !unicode.IsLetter(r) && r != '\'' && r != '-' && r != '’' {
			return false
		}
	}
	return true
}

// typo reports whether two words are one with an error in writing: a letter
// more, less or other, or two that have changed places, in a word of some
// length that begins and ends alike.
func typo(a, b string) bool {
	const shortest = 6
	if len(a) < shortest || len(b) < shortest || a[0] != b[0] || a[1] != b[1] {
		return false
	}
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	k := 0
	for k < len(a)-i && a[len(a)-1-k] == b[len(b)-1-k] {
		k++
	}
	switch rest := b[i : len(b)-k]; len(b) - len(a) {
	case 0:
		return len(rest) == 1 || len(rest) == 2 && a[i] == b[i+1] && a[i+1] == b[i]
	case 1:
		return len(rest) <= 1
	}
	return false
}

// wordsOf is a text as words in lower case, without disguise and signs; the
// parts of names count as words.
func wordsOf(s string) []string {
	s = text.Fold(s)
	return strings.FieldsFunc(s, func(r rune) bool {
		return r < utf8.RuneSelf && !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
	})
}

// named is a name as words: chatHistory, chat_history.
func named(name string) string {
	var b strings.Builder
	last := rune(0)
	for _, r := range name {
		if unicode.IsUpper(r) && unicode.IsLower(last) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		last = r
	}
	return b.String()
}
