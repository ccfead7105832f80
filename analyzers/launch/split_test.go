package launch

import (
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		line string
		want string // words joined by "|"
		ok   bool
	}{
		{"", "", true},
		{"  a   b\tc ", "a|b|c", true},
		{`a "b c" 'd e'`, "a|b c|d e", true},
		{`a b\ c d`, "a|b c|d", true},
		{`--x="a b"'c'd`, `--x=a bcd`, true},
		{`"" a ''`, "|a|", true},
		{`"a\"b\\c\d$e"`, `a"b\c\d$e`, true},
		{`'a\b'`, `a\b`, true},
		{"a # b", "a", true},
		{"a#b", "a#b", true},
		{"a \\\n b", "a|b", true},
		{`a\`, `a\`, true},
		{`${A} $B`, "${A}|$B", true},
		{"a | b", "a", false},
		{"a; b", "a", false},
		{"a && b", "a", false},
		{"a || b", "a", false},
		{"a & b", "a", false},
		{"a > f b", "a|b", false},
		{"a 2>&1 b", "a|b", false},
		{"a < f", "a", false},
		{"a `b`", "a|`b`", false},
		{"a $(b c)", "a|$(b|c", false},
		{`a "$(b)"`, "a|$(b)", false},
		{`a '$(b)' '|'`, "a|$(b)||", true},
		{"a\nb", "a", false},
		{`a "b`, "a|b", false},
		{`a 'b`, "a|b", false},
		{"; a", "a", false},
	} {
		got, ok := Split(source(c.line)[0])
		var parts []string
		for _, w := range got {
			parts = append(parts, w.Raw())
			placed(t, w)
		}
		if joined := strings.Join(parts, "|"); joined != c.want || ok != c.ok {
			t.Errorf("%q: %q %v, want %q %v", c.line, joined, ok, c.want, c.ok)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{`a "b c" 'd'`, "a\\ b|c", `"`, `'`, "\\", "a\\\nb", "$(`", "2>&1 a", `""''x`, "\xff\"\xfe"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, escaped bool) {
		text := source(s)[0]
		if escaped { // as in a file where every quote is written with a backslash
			var raw strings.Builder
			m := analyzers.OffsetMap{{}}
			for i := range len(s) {
				if s[i] == '"' {
					m = append(m, analyzers.Mark{Decoded: i, Raw: raw.Len()})
					raw.WriteByte('\\')
				}
				raw.WriteByte(s[i])
				if s[i] == '"' {
					m = append(m, analyzers.Mark{Decoded: i + 1, Raw: raw.Len()})
				}
			}
			src := &analyzers.Source{Path: "f", Bytes: []byte(raw.String())}
			text = analyzers.Text{Value: analyzers.Untrusted(s), Span: src.Span(0, raw.Len()), Map: append(m, analyzers.Mark{Decoded: len(s), Raw: raw.Len()})}
		}
		words, _ := Split(text)
		end := 0
		for _, w := range words {
			placed(t, w)
			if !w.Span.IsZero() && w.Span.Start < end {
				t.Errorf("%q: words overlap", s)
			}
			end = w.Span.End
			for i := range min(len(w.Value), 64) {
				placed(t, w.Slice(i, i+1))
			}
		}
	})
}
