package analyzers

import (
	"fmt"
	"testing"
)

// The raw string a\n\u00e9b decodes to five bytes: a, LF, é (two), b.
func escaped() Text {
	src := &Source{Path: "x", Bytes: []byte(`"a\n\u00e9b"`)}
	return Text{Value: "a\né" + "b", Span: src.Span(1, 11), Map: OffsetMap{{0, 0}, {1, 1}, {2, 3}, {4, 9}, {5, 10}}}
}

func TestAt(t *testing.T) {
	text := escaped()
	for _, c := range []struct {
		start, end int
		want       string
	}{
		{0, 1, `a`}, {1, 2, `\n`}, {2, 4, `\u00e9`}, {3, 4, `\u00e9`}, {2, 3, `\u00e9`}, {4, 5, `b`}, {0, 5, `a\n\u00e9b`}, {1, 4, `\n\u00e9`},
		{0, 0, ``}, {5, 5, ``}, {-3, 99, `a\n\u00e9b`},
	} {
		if got := string(text.At(c.start, c.end).Raw()); got != c.want {
			t.Errorf("At(%d, %d) = %q, want %q", c.start, c.end, got, c.want)
		}
	}
}

func TestSlice(t *testing.T) {
	text := escaped()
	for start := range 6 {
		for end := start; end <= 5; end++ {
			part := text.Slice(start, end)
			for from := range end - start + 1 {
				for to := from; to <= end-start; to++ {
					if got, want := part.At(from, to), text.At(start+from, start+to); from < to && got != want {
						t.Fatalf("Slice(%d,%d).At(%d,%d) = [%d,%d), want [%d,%d)", start, end, from, to, got.Start, got.End, want.Start, want.End)
					}
				}
			}
		}
	}
	if got := text.Slice(2, 4).Slice(0, 2).Span.Raw(); string(got) != `\u00e9` {
		t.Errorf("slice of a slice is %q", got)
	}
}

func TestPosition(t *testing.T) {
	src := &Source{Bytes: []byte("a\r\né漢😀x\rz\n")}
	for _, c := range []struct {
		offset int
		want   Position
	}{
		{0, Position{1, 1}}, {1, Position{1, 2}}, {3, Position{2, 1}}, {5, Position{2, 2}}, {8, Position{2, 3}}, {12, Position{2, 5}}, {13, Position{2, 6}},
		{14, Position{3, 1}}, {15, Position{3, 2}}, {16, Position{4, 1}},
	} {
		if got := src.Span(c.offset, c.offset).Begin(); got != c.want {
			t.Errorf("offset %d: %v, want %v", c.offset, got, c.want)
		}
	}
	if line, at := src.Line(2); string(line) != "é漢😀x" || at != 3 {
		t.Errorf("line 2 is %q at %d", line, at)
	}
}

func TestUntrusted(t *testing.T) {
	for in, want := range map[Untrusted]string{
		"plain 漢字 é 😀":       "plain 漢字 é 😀",
		"a\x1b[31mb\n":       `a\u{1b}[31mb\u{a}`,
		"x\u202ey\u200bz":    `x\u{202e}y\u{200b}z`,
		"t\U000e0041":        `t\u{e0041}`,
		"bad \xff byte":      `bad \u{fffd} byte`,
		"blank \u3164\u2800": `blank \u{3164}\u{2800}`,
	} {
		if got := in.String(); got != want {
			t.Errorf("%+q prints as %q, want %q", string(in), got, want)
		}
		for _, verb := range []string{"%s", "%v", "%+v", "%x"} {
			if got := fmt.Sprintf(verb, in); got != want {
				t.Errorf("%s prints %q", verb, got)
			}
		}
		if got := fmt.Sprintf("%q", Text{Value: in}); got != `"`+want+`"` {
			t.Errorf("%%q prints %q", got)
		}
	}
}

func TestExposureOf(t *testing.T) {
	for path, want := range map[string]Exposure{
		".mcp.json": Project, "docs/x/.mcp.json": Docs, "Examples/a.json": Docs, "src/tests/a.json": Test, "fixtures/a.json": Test,
		"templates/mcp.json": Template, "mcp.example.json": Template, "a/sample-config.yaml": Template, "contest/mcp.json": Project, "example.json": Template,
	} {
		if got := ExposureOf(path, Project); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if got := ExposureOf("docs/x.json", Active); got != Active {
		t.Errorf("a file named on the command line is %s", got)
	}
}
