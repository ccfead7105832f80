package tree

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestRefused(t *testing.T) {
	deep := strings.Repeat
	laughs := func(join string) string {
		var b strings.Builder
		b.WriteString("a: &a [x,x,x,x,x,x,x,x,x]\n")
		for c := 'b'; c <= 'i'; c++ {
			fmt.Fprintf(&b, join, c, c, strings.TrimSuffix(deep(fmt.Sprintf("*%c,", c-1), 9), ","))
		}
		return b.String()
	}
	merges := "a: &a {k0: {x: 1, y: 2, z: 3}}\n"
	for c := 'b'; c <= 'z'; c++ {
		merges += fmt.Sprintf("%c: &%c {<<: *%c, k%c: *%c, l%c: *%c}\n", c, c, c-1, c, c-1, c, c-1)
	}
	indented := ""
	for i := range 1000 {
		indented += deep(" ", i) + "a:\n"
	}
	dotted := deep("a.", 100_000) + "a"
	tests := []struct {
		name   string
		format Format
		text   string
		kind   string
	}{
		{"empty", JSON, "", "malformed"},
		{"only space", JSONC, " // c\n", "malformed"},
		{"truncated", JSON, `{"a": [1, "x`, "malformed"},
		{"trailing data", JSONC, "{} {}", "malformed"},
		{"comment", JSON, "{} // c", "malformed"},
		{"trailing comma", JSON, "[1,]", "malformed"},
		{"only a comma", JSONC, "[,]", "malformed"},
		{"two commas", JSONC, "[1,,]", "malformed"},
		{"open comment", JSONC, "{} /* c", "malformed"},
		{"half a comment", JSONC, "{} /*/", "malformed"},
		{"control character", JSONC, "[\"\x1f\"]", "malformed"},
		{"line break", JSONC, "[\"a\nb\"]", "malformed"},
		{"single quotes", JSONC, "['a']", "malformed"},
		{"bare key", JSONC, "{a: 1}", "malformed"},
		{"hexadecimal", JSONC, "0x10", "malformed"},
		{"NaN", JSONC, "NaN", "malformed"},
		{"deep arrays", JSON, deep("[", 100_000), "depth"},
		{"deep objects", JSONC, deep(`{"a":`, 100_000), "depth"},
		{"many values", JSON, "[" + deep("1,", MaxNodes) + "1]", "limit"},

		{"TOML truncated", TOML, "a = [1,", "malformed"},
		{"TOML string", TOML, "a = \"x\ny\"", "malformed"},
		{"TOML key", TOML, "= 1", "malformed"},
		{"TOML arrays", TOML, "a = " + deep("[", 100_000), "depth"},
		{"TOML arrays behind a string", TOML, "a = '''\n'\"'''\nb = \"\\\"\" # '\nc = " + deep("[", 5_000_000), "depth"},
		{"TOML tables", TOML, "a = " + deep("{a=", 100_000), "depth"},
		{"TOML dotted", TOML, dotted + " = 1", "depth"},
		{"TOML header", TOML, "[" + dotted + "]", "depth"},
		{"TOML header by header", TOML, "[" + deep("a.", 250) + "a]\n" + deep("b.", 10) + "b = 1", "depth"},
		{"TOML tables in tables", TOML, "a = " + deep("{a.a.a.a=", 100) + "1" + deep("}", 100), "depth"},
		{"TOML values", TOML, "a = [" + deep("1,", MaxNodes+1) + "]", "limit"},

		{"YAML truncated", YAML, "a: [1, 2", "malformed"},
		{"YAML tab", YAML, "a:\n\t- b", "malformed"},
		{"YAML escape", YAML, `a: "\q"`, "malformed"},
		{"YAML alias", YAML, "a: *b", "malformed"},
		{"YAML control", YAML, "a: \x01", "malformed"},
		{"YAML flow", YAML, deep("[", 100_000), "depth"},
		{"YAML flow maps", YAML, deep("{a: ", 100_000), "depth"},
		{"YAML flow, closed", YAML, deep("[", 5_000) + deep("]", 5_000), "depth"},
		{"YAML block", YAML, deep("- ", 100_000) + "x", "depth"},
		{"YAML block maps", YAML, indented, "depth"},
		{"laughs", YAML, laughs("%c: &%c [%s]\n"), "limit"},
		{"laughs without spaces", YAML, laughs("%c: &%c [ %s ]\n"), "limit"},
		{"merge bomb", YAML, merges, "limit"},
		{"text bomb", YAML, "a: &a " + deep("x", 1<<19) + "\nb: [" + deep("*a,", 1000) + "]", "limit"},
		{"self", YAML, "a: &a [*a]", "limit"},
		{"self as key", YAML, "&a {*a : 1}", "limit"},
		{"self merged", YAML, "a: &a\n  <<: *a", "limit"},
		{"deep aliases", YAML, aliasLadder(), "depth"},
	}
	for _, bad := range []struct{ name, text string }{
		{"invalid", "a: \xff"},
		{"cut off", "\"\xe2\x82"},
		{"surrogate", "\xed\xa0\x80"},
		{"UTF-16 LE", "\xff\xfe{\x00}\x00"},
		{"UTF-16 BE", "\xfe\xff\x00{\x00}"},
		{"UTF-16 bare", "{\x00}\x00"},
		{"UTF-32 LE", "\xff\xfe\x00\x00{\x00\x00\x00"},
		{"UTF-32 BE", "\x00\x00\xfe\xff\x00\x00\x00{"},
		{"NUL", "{\"a\":\"\x00\"}"},
		{"two marks", bom + bom + "{}"},
	} {
		for format := JSON; format <= YAML; format++ {
			tests = append(tests, struct {
				name   string
				format Format
				text   string
				kind   string
			}{bad.name, format, bad.text, "encoding"})
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(source(tt.text), tt.format)
			var e *Error
			if !errors.As(err, &e) || e.Kind != tt.kind {
				t.Fatalf("error %v, want kind %s", err, tt.kind)
			}
			if e.Span.IsZero() || e.Reason == "" || !strings.HasSuffix(e.Error(), ": "+e.Reason) {
				t.Errorf("error %#v", e)
			}
		})
	}
}

// aliasLadder nests 40 levels in each of 10 anchors that hold one another.
func aliasLadder() string {
	text := "- &a0 x\n"
	for i := 1; i <= 10; i++ {
		text += fmt.Sprintf("- &a%d %s*a%d %s\n", i, strings.Repeat("[", 40), i-1, strings.Repeat("]", 40))
	}
	return text
}

func TestOversized(t *testing.T) {
	big := source("[" + strings.Repeat(" ", 32<<20) + "]")
	for format := JSON; format <= YAML; format++ {
		_, err := Parse(big, format)
		var e *Error
		if !errors.As(err, &e) || e.Kind != "oversized" {
			t.Errorf("format %d: %v", format, err)
		}
	}
}

// TestAllowed is the silent side of TestRefused.
func TestAllowed(t *testing.T) {
	deep := strings.Repeat
	for _, tt := range []struct {
		format Format
		text   string
	}{
		{JSON, deep("[", MaxDepth) + deep("]", MaxDepth)},
		{JSONC, "[/**/1,//\n]"},
		{TOML, "a = " + deep("[", MaxDepth-1) + deep("]", MaxDepth-1)},
		{TOML, deep("a.", MaxDepth-1) + "a = 1"},
		{TOML, "a = [" + deep("1.5,", 1000) + "]"},
		{TOML, "a = '[[['\nb = \"" + deep("[", 1000) + "\""},
		{YAML, deep("[", MaxDepth) + deep("]", MaxDepth)},
		{YAML, deep("- ", MaxDepth) + "x"},
		{YAML, "a: &a [1,2,3]\nb: [" + deep("*a, ", 100) + "]"},
	} {
		if _, err := parseChecked(t, tt.text, tt.format); err != nil {
			t.Errorf("%.40q: %v", tt.text, err)
		}
	}
}

func TestErrorPlace(t *testing.T) {
	for _, tt := range []struct {
		format     Format
		text, want string
	}{
		{JSON, "{\n \"é\": tru}", "2:7: a value is expected here, and this word is none"},
		{JSON, "[1,\n]", "1:3: a comma before the closing bracket; strict JSON has none"},
		{JSON, bom + "x", "1:2: a value is expected here"},
		{TOML, "a = 1\nb = x", "2:5: incomplete number"},
		{YAML, "a: *secret", "1:1: an alias whose anchor is not there"},
		{YAML, "a: &a [1]\nb: &b [*b]", "2:8: a YAML alias inside of what it stands for"},
	} {
		if _, err := Parse(source(tt.text), tt.format); err == nil || err.Error() != tt.want {
			t.Errorf("%q: %v, want %s", tt.text, err, tt.want)
		}
	}
}

// TestLongPaths would take gigabytes if paths grew with every level.
func TestLongPaths(t *testing.T) {
	key := strings.Repeat("é", 1<<18)
	text := strings.Repeat(`{"`+key+`":`, 10) + "[" + strings.Repeat("1,", 50_000) + "1]" + strings.Repeat("}", 10)
	longest := 0
	mustParse(t, text, JSON).Walk(func(path string, _ *Node) bool {
		longest = max(longest, len(path))
		return true
	})
	if longest == 0 || longest > maxPath+len("…") {
		t.Errorf("a path of %d bytes", longest)
	}
}

func BenchmarkJSON(b *testing.B) {
	var text bytes.Buffer
	text.WriteString("{\"mcpServers\":{")
	for i := 0; text.Len() < 1<<20; i++ {
		fmt.Fprintf(&text, "\n  \"server-%d\": {\"command\": \"run\", \"args\": [\"-y\", \"pkg-%d@1.2.3\", \"C:\\\\x\"], \"env\": {\"MODE\": \"a\"}},", i, i)
	}
	text.WriteString("\n  \"last\": {}}}")
	src := source(text.String())
	b.SetBytes(int64(len(src.Bytes)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(src, JSON); err != nil {
			b.Fatal(err)
		}
	}
}
