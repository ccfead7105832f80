package report

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

func TestCellText(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"prose", "The server starts whatever is served. Pin it (or not), 100% sure?", "The server starts whatever is served. Pin it (or not), 100% sure?"},
		{"prose ends in a colon", "do this:", "do this:"},
		{"other scripts", "サーバー «files» naïve — ok", "サーバー «files» naïve — ok"},
		{"link", "see [a](http://x)", "see `[a](http://x)`"},
		{"image", "![i](b.png)", "`![i](b.png)`"},
		{"html", "<img src=x>", "`<img` `src=x>`"},
		{"mention", "ask @admin now", "ask `@admin` now"},
		{"issue", "#1 and GH-2 and o/r#3", "`#1` and `GH-2` and `o/r#3`"},
		{"no issue", "high-risk", "high-risk"},
		{"bare address", "www.example.com and https://example.com/", "`www.example.com` and `https://example.com/`"},
		{"commit", "1a2b3c4d", "`1a2b3c4d`"},
		{"emphasis", "*a* _b_ ~c~", "`*a*` `_b_` `~c~`"},
		{"entity", "&#64;team", "`&#64;team`"},
		{"pipe", "cat x | sh", "cat x `\\|` sh"},
		{"escaped pipe", `a\|b`, "`a\\\\u{7c}b`"},
		{"backticks", "a`b``c", "```a`b``c```"},
		{"backtick at the edge", "`a", "`` `a ``"},
		{"many backticks", strings.Repeat("`", 9), "`" + strings.Repeat(`\u{60}`, 9) + "`"},
		{"line break", "a\nb", "`a\\u{a}b`"},
		{"bidi", "a\u202eb", "`a\\u{202e}b`"},
		{"math", "$x$", "`$x$`"},
		{"empty", "", ""},
	} {
		if got := cellText(c.in, 200); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if got := cellText("one two three", 6); got != "one t…" {
		t.Errorf("cut: %q", got)
	}
}

func TestCellCode(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"a b", "`a b`"},
		{" a ", "`  a  `"},
		{"`", "`` ` ``"},
		{"a|b", "`a\\|b`"},
		{"…é", "`…é`"},
	} {
		if got := cellCode(c.in, 100); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"äöü", 3, "äöü"}, {"äöüß", 3, "äö…"}, {"", 1, ""}, {"ab", 1, "…"},
	} {
		if got := shorten(c.in, c.n); got != c.want {
			t.Errorf("shorten(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

func TestCommandEscapes(t *testing.T) {
	if got, want := commandData("100%\r\n::error::x"), `100%25\u{d}\u{a}::error::x`; got != want {
		t.Errorf("data: got %q, want %q", got, want)
	}
	if got, want := commandProperty("a:b,c%3A\n"), `a%3Ab%2Cc%253A\u{a}`; got != want {
		t.Errorf("property: got %q, want %q", got, want)
	}
}

func TestSARIFText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"[a](http://x)", "[a] (http://x)"},
		{"]](](", "]] (] ("},
		{"a[0] (b)", "a[0] (b)"},
		{"]\u200b(1)", `]\u{200b}(1)`},
	} {
		if got := sarifText(c.in); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
	if got, want := sarifLink("a [b](c).", 3), "[a (b)(c)](3)"; got != want {
		t.Errorf("link: got %q, want %q", got, want)
	}
}

// liveMarkdown takes the code spans out of a table row, as CommonMark reads
// them (6.1): a run of backticks up to the next run of the same length. It
// returns what a renderer would interpret, and the number of cells.
func liveMarkdown(row string) (live string, cells int) {
	for i := range len(row) {
		if row[i] == '|' && (i == 0 || row[i-1] != '\\') {
			cells++
		}
	}
	ticks := regexp.MustCompile("`+")
	for {
		open := ticks.FindStringIndex(row)
		if open == nil {
			return live + row, cells
		}
		live += row[:open[0]]
		fence, rest := row[open[0]:open[1]], row[open[1]:]
		end := -1
		for _, run := range ticks.FindAllStringIndex(rest, -1) {
			if run[1]-run[0] == len(fence) {
				end = run[1]
				break
			}
		}
		if end < 0 {
			return live + fence + rest, cells // literal backticks: not what we meant
		}
		row = rest[end:]
	}
}

func FuzzCell(f *testing.F) {
	for _, s := range []string{hostile, "`", "``` ```", `\`, `\|`, `\\|`, "a\\", "|", " ", "www.x", "<a>", "GH-1", "a\xff", "]\n("} {
		f.Add(s)
	}
	markup := regexp.MustCompile("(?i)[\\[\\]<>&@#*_~$^|`\\\\{}\n\r]|://|www\\.|gh-[0-9]")
	f.Fuzz(func(t *testing.T, s string) {
		for _, cell := range []string{cellText(s, 300), cellCode(s, 300)} {
			live, cells := liveMarkdown(cell)
			if cells != 0 || markup.MatchString(live) {
				t.Errorf("%q: %q is live, %d cell marks in %q", s, live, cells, cell)
			}
			if !utf8.ValidString(cell) {
				t.Errorf("%q: %q is no UTF-8", s, cell)
			}
		}
		for _, r := range commandProperty(s) {
			if analyzers.Hidden(r) || r == ':' || r == ',' {
				t.Errorf("%q: property holds %q", s, r)
			}
		}
		if text := sarifText(s); strings.Contains(text, "](") || strings.ContainsFunc(text, analyzers.Hidden) {
			t.Errorf("%q: %q", s, text)
		}
	})
}
