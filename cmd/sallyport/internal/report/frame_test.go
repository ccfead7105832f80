package report

import (
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// drawn is a frame's line and, below it, its carets.
func drawn(f *frame) string {
	return f.text + "\n" + strings.Repeat(" ", f.start) + strings.Repeat("^", f.width)
}

func TestFrame(t *testing.T) {
	for _, c := range []struct {
		name string
		file string // the span is what « and » enclose
		want string
		line int
	}{
		{"plain", "one\ntwo «three» four\nfive", "two three four\n    ^^^^^", 2},
		{"CRLF", "one\r\ntwo «three»\r\n", "two three\n    ^^^^^", 2},
		{"lone CR", "one\rtwo «three»\rfour", "two three\n    ^^^^^", 2},
		{"empty span", "a«»b", "ab\n ^", 1},
		{"end of line", "ab«»\ncd", "ab\n  ^", 1},
		{"end of file", "ab\n«»", "\n^", 2},
		{"empty file", "«»", "\n^", 1},
		{"more than a line", "a «b\nc\nd» e", "a b\n  ^", 1},
		{"wide", `{"日本": "«東京» x"}`, `{"日本": "東京 x"}` + "\n          ^^^^", 1},
		{"emoji", "🦀 «🦀» x", "🦀 🦀 x\n   ^^", 1},
		{"skin tone", "👍🏽 «x»", "👍🏽 x\n   ^", 1},
		{"combining", "e\u0301e\u0301 «e\u0301x»", "e\u0301e\u0301 e\u0301x\n   ^^", 1},
		{"tab", "\ta\t«b\tc»", "    a    b    c\n         ^^^^^^", 1},
		{"hidden", "a\u200bb «c\u202ed»\x1b[31m", `a\u{200b}b c\u{202e}d\u{1b}[31m` + "\n           ^^^^^^^^^^", 1},
		{"no UTF-8", "a\xffb «c\xfe»", `a\u{fffd}b c\u{fffd}` + "\n           ^^^^^^^^^", 1},
		{"log command", "##[group]«##[x»###[", `#\u{23}[group]#\u{23}[x##\u{23}[` + "\n              ^^^^^^^^^", 1},
		{"cell limit", strings.Repeat("x", 90) + "«0123456789»", strings.Repeat("x", 90) + "0123456789\n" + strings.Repeat(" ", 90) + "^^^^^^^^^^", 1},
	} {
		file := strings.NewReplacer("«", "", "»", "").Replace(c.file)
		start := strings.Index(c.file, "«")
		end := strings.Index(c.file, "»") - len("«")
		src := &analyzers.Source{Bytes: []byte(file)}
		f := maskerOf().frame(src.Span(start, end))
		if got := drawn(f); got != c.want || f.line != c.line {
			t.Errorf("%s: line %d\n%s\nwant line %d\n%s", c.name, f.line, got, c.line, c.want)
		}
	}
	if f := maskerOf().frame(analyzers.Span{}); f != nil {
		t.Errorf("a frame of no file: %v", f)
	}
}

func TestFrameWindow(t *testing.T) {
	for _, c := range []struct {
		name        string
		before      int // characters
		span        string
		after       int
		left, right bool // is something cut off
		width       int  // of the carets
	}{
		{"at the start", 0, "SPAN", 500, false, true, 4},
		{"in the middle", 500, "SPAN", 500, true, true, 4},
		{"at the end", 500, "SPAN", 0, true, false, 4},
		{"empty, at the end", 500, "", 0, true, false, 1},
		{"megabytes away", 3 << 20, "SPAN", 3 << 20, true, true, 4},
		{"long span", 500, strings.Repeat("S", 300), 500, true, true, 79},
		{"wide", 500, strings.Repeat("東", 20), 500, true, true, 40},
		{"hidden", 500, strings.Repeat("\u200b", 100), 500, true, true, 72},
		{"combining without end", 500, "e" + strings.Repeat("\u0301", 100000), 500, true, true, 1},
	} {
		line := strings.Repeat("-", c.before) + c.span + strings.Repeat("+", c.after)
		src := &analyzers.Source{Bytes: []byte("first\n" + line + "\nlast")}
		f := maskerOf().frame(src.Span(6+c.before, 6+c.before+len(c.span)))
		if got := widths.StringWidth(f.text); got > frameCells || got < frameCells*4/5 {
			t.Errorf("%s: %d cells: %s", c.name, got, f.text)
		}
		if len(f.text) > 8*frameReach {
			t.Errorf("%s: %d bytes", c.name, len(f.text))
		}
		if left, right := strings.HasPrefix(f.text, "…"), strings.HasSuffix(f.text, "…"); left != c.left || right != c.right {
			t.Errorf("%s: cut left %v, right %v: %s", c.name, left, right, f.text)
		}
		if f.width != c.width || f.start+f.width > frameCells+1 {
			t.Errorf("%s: carets at %d, %d wide, want %d\n%s", c.name, f.start, f.width, c.width, drawn(f))
		}
		if c.span != "" && strings.TrimLeft(runewidth.TruncateLeft(f.text, f.start, ""), "-") != strings.TrimLeft(f.text, "…-") {
			t.Errorf("%s: carets beside the span\n%s", c.name, drawn(f))
		}
	}
}

func TestFrameMasks(t *testing.T) {
	long := strings.Repeat("-", 5000)
	file := `{"a": "short-987", "env": {"MODE": "production"}, "b": "hunter2x", "c": "` + plantedShape + `", "d": "987"}` +
		"\n\"wi\\u0074h escape\"\n" + long + plantedShape + long
	src, in := sourceOf("a.json", file)
	secret := in("short-987").Slice(6, 9)
	value := in("hunter2x")
	value.Span = analyzers.Span{} // known from elsewhere
	escaped := in(`wi\u0074h`)
	escaped.Value = "with"
	m := newMasker(&analyzers.Catalog{
		Secrets: []analyzers.Secret{{Text: secret}, {Text: value}, {Text: escaped}},
		Servers: []*analyzers.Server{{Env: []analyzers.Var{{Name: in("MODE"), Value: in("production")}}}},
	})
	for _, c := range []struct{ at, want string }{
		{`{"a"`, `{"a": "short-****", "env": {"MODE": "****"}, "b": "****", "c": "****", "d": "987"}` + "\n^^^^"},
		{`987`, `{"a": "short-****", "env": {"MODE": "****"}, "b": "****", "c": "****", "d": "987"}` + "\n             ^^^^"},
		{plantedShape[5:9], `{"a": "short-****", "env": {"MODE": "****"}, "b": "****", "c": "****", "d": "987"}` + "\n" + strings.Repeat(" ", 64) + "^^^^"},
		{`wi\u0074h escape`, `"**** escape"` + "\n ^^^^^^^^^^^"},
	} {
		if got := drawn(m.frame(in(c.at).Span)); got != c.want {
			t.Errorf("at %s\n%s\nwant\n%s", c.at, got, c.want)
		}
	}
	// A secret that the window shows in part is masked as a whole.
	at := strings.LastIndex(file, plantedShape)
	for offset := at - 2*frameReach; offset < at+2*frameReach; offset += 17 {
		f := m.frame(src.Span(offset, offset+1))
		for i := range len(plantedShape) - 4 {
			if strings.Contains(f.text, plantedShape[i:i+4]) {
				t.Fatalf("at %d: %s", offset, f.text)
			}
		}
	}
}

// Marks without width bring what is far away into the frame: a secret that
// the frame's reach cuts in two is still masked.
func TestFrameMasksAtItsReach(t *testing.T) {
	half := len(plantedShape) / 2
	before := plantedShape + " " + strings.Repeat("\u0301", (frameReach-half-1)/2)
	src := &analyzers.Source{Bytes: []byte(before + "x" + strings.Repeat("\u0301", (frameReach-half-2)/2) + " " + plantedShape)}
	f := maskerOf().frame(src.Span(len(before), len(before)+1))
	if !strings.HasPrefix(f.text, "…****") || !strings.HasSuffix(f.text, "****…") {
		t.Errorf("%q", f.text)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("one\ntwo three\r\n"), 4, 7)
	f.Add([]byte("日本\t\u200b🦀\xff\x00"), 0, 30)
	f.Add([]byte(strings.Repeat("e\u0301", 3000)), 2000, 2003)
	f.Fuzz(func(t *testing.T, file []byte, start, end int) {
		src := &analyzers.Source{Bytes: file}
		got := maskerOf().frame(src.Span(start, end))
		if got == nil {
			return // it spelt a secret
		}
		if got.text != analyzers.Untrusted(got.text).String() {
			t.Errorf("not printable: %q", got.text)
		}
		if w := widths.StringWidth(got.text); w > frameCells+10 || got.start < 0 || got.width < 1 || got.start+got.width > w+1 {
			t.Errorf("%d cells, carets at %d, %d wide: %q", w, got.start, got.width, got.text)
		}
	})
}
