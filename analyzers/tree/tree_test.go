package tree

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

func show(s analyzers.Span) string {
	at := s.Begin()
	return fmt.Sprintf("%d:%d %s", at.Line, at.Column, s.Raw())
}

// at finds the last node with that path.
func at(root *Node, path string) (found *Node) {
	root.Walk(func(p string, n *Node) bool {
		if p == path {
			found = n
		}
		return true
	})
	return found
}

func mustParse(t testing.TB, text string, format Format) *Node {
	t.Helper()
	root, err := Parse(source(text), format)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return root
}

func TestPlaces(t *testing.T) {
	tests := []struct {
		name   string
		format Format
		text   string
		path   string
		value  string // decoded, "-" for collections
		key    string // line:column and raw bytes of the key with quotes
		place  string // of the value: of the text, or of the whole collection
	}{
		{"plain", JSON, `{"a": {"b": [1, "x"]}}`, "a.b[1]", "x", "", "1:18 x"},
		{"array", JSON, `{"a": {"b": [1, "x"]}}`, "a.b", "-", `1:8 "b"`, `1:13 [1, "x"]`},
		{"CJK and emoji", JSON, `{"日本": "é😀", "k": "v"}`, "k", "v", `1:15 "k"`, "1:21 v"},
		{"escaped key", JSON, `{"mcp\u0053": "\u0062c"}`, "mcpS", "bc", `1:2 "mcp\u0053"`, `1:16 \u0062c`},
		{"surrogates", JSON, `["\ud83d\ude00", -1.5e3]`, "[1]", "-1.5e3", "", "1:18 -1.5e3"},
		{"lone surrogates", JSON, `["\ud800x\ude00\ud800\u0041"]`, "[0]", "\ufffdx\ufffd\ufffdA", "", `1:3 \ud800x\ude00\ud800\u0041`},
		{"CRLF", JSON, "{\r\n\"a\":\r\n  null}", "a", "null", `2:1 "a"`, "3:3 null"},
		{"byte order mark", JSON, bom + `{"a":true}`, "a", "true", `1:3 "a"`, "1:7 true"},
		{"comments", JSONC, "// é\n{/* \"a\": 1 */ \"a\": [2, // ]\n3,],}", "a", "-", "2:15 \"a\"", "2:20 [2, // ]\n3,]"},
		{"slashes in a string", JSONC, `["http://x/*y*/"]`, "[0]", "http://x/*y*/", "", "1:3 http://x/*y*/"},

		{"table", TOML, "# c\n[mcp.\"f.s\"]\ncommand = 'n' # x\n", "mcp.f.s.command", "n", "3:1 command", "3:12 n"},
		{"header", TOML, "# c\n[mcp.\"f.s\"]\ncommand = 'n' # x\n", "mcp.f.s", "-", "2:6 \"f.s\"", "2:1 [mcp.\"f.s\"]\ncommand = 'n'"},
		{"dotted", TOML, "a.\"b\\u0043\".c = [1, 'é', {x.y = true}]", "a.bC.c[2].x.y", "true", "1:29 y", "1:33 true"},
		{"array of arrays", TOML, "a = [ # [\n [], [1,\n2], ]", "a[1]", "-", "", "2:6 [1,\n2]"},
		{"array's end", TOML, "a = [ # [\n [], [1,\n2], # ]\n ] # x", "a", "-", "1:1 a", "1:5 [ # [\n [], [1,\n2], # ]\n ]"},
		{"array of tables", TOML, "[[a]]\nb=1\n[[a]]\n[a.c]\nd=2020-01-02 03:04:05Z", "a[1].c.d", "2020-01-02 03:04:05Z", "5:1 d", "5:3 2020-01-02 03:04:05Z"},
		{"implied", TOML, "[a.b]\nc=1\n[a]\nd=0x1F", "a", "-", "3:2 a", "3:1 [a]\nd=0x1F"},
		{"multi-line", TOML, "a = \"\"\"\n  x\\\n   y\"\"\"\"", "a", "  xy\"", "1:1 a", "2:1   x\\\n   y\""},
		{"literal", TOML, "'日'=1\r\na = '''\r\n\\x'''", "a", "\\x", "2:1 a", "3:1 \\x"},
		{"TOML mark", TOML, bom + "a.b=1", "a.b", "1", "1:4 b", "1:6 1"},

		{"block", YAML, "# c\na:\n  - x\n  - 'it''s'  # c\n", "a[1]", "it's", "", "4:6 it''s"},
		{"block map", YAML, "a:\n  b: 1\n  c:\n    - 2\n\n# c\nd: 3", "a", "-", "1:1 a", "2:3 b: 1\n  c:\n    - 2"},
		{"flow", YAML, "日本: {é: [😀, \"b\\x41\"], c, ? d : e,} # x\n", "日本.é[1]", "bA", "", `1:15 b\x41`},
		{"flow map", YAML, "日本: {é: [😀, \"b\\x41\"], c, ? d : e,} # }\n", "日本", "-", "1:1 日本", `1:5 {é: [😀, "b\x41"], c, ? d : e,}`},
		{"pair", YAML, "[{a: b}: c, x: y]", "[0]", "-", "", "1:2 {a: b}: c"},
		{"complex key", YAML, "? [a, b]\n: c", "[a, b]", "c", "1:3 [a, b]", "2:3 c"},
		{"properties", YAML, "a: &x !!str  5\nb: !t &y\n  - z", "a", "5", "1:1 a", "1:14 5"},
		{"properties of a list", YAML, "a: &x !!str  5\nb: !t &y\n  - z", "b", "-", "2:1 b", "3:3 - z"},
		{"property of a key", YAML, "&k a: &m\n  &l b: c", "a", "-", "1:4 a", "2:3 &l b: c"},
		{"nothing", YAML, "a:\nb: !!null\n", "b", "", "2:1 b", "2:10 "},
		{"tab", YAML, "a:\t\"b\"\t# c", "a", "b", "1:1 a", "1:5 b"},
		{"YAML CRLF", YAML, "a: 1\r\nb:\r\n  \"c\r\n   d\"\r\n", "b", "c d", "2:1 b", "3:4 c\r\n   d"},
		{"plain lines", YAML, "a: x y\n   z # c\nb: 1", "a", "x y z", "1:1 a", "1:4 x y\n   z"},
		{"NEL is a line", YAML, "a: 1\u0085b: 2", "b", "2", "1:6 b", "1:9 2"},
		{"literal text", YAML, "a: |  # c\n  x\n   y\n\n  z\n\nb: 1", "a", "x\n y\n\nz\n", "1:1 a", "2:3 x\n   y\n\n  z\n"},
		{"stripped", YAML, "- |-\n x\n\n- 1", "[0]", "x", "", "2:2 x"},
		{"kept", YAML, "- |+\n x\n\n- 1", "[0]", "x\n\n", "", "2:2 x\n\n"},
		{"indicator", YAML, "a:\n  b: |1\n     x\n   y\n", "a.b", "  x\ny\n", "2:3 b", "3:4   x\n   y\n"},
		{"folded", YAML, "a: >\n x\n y\n\n z\n  w\n", "a", "x y\nz\n w\n", "1:1 a", "2:2 x\n y\n\n z\n  w\n"},
		{"YAML mark", YAML, bom + "é: 'x'", "é", "x", "1:2 é", "1:6 x"},
		{"directive", YAML, "%YAML 1.1\n---\n- 'a'\n...\n", "[0]", "a", "", "3:4 a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := at(mustParse(t, tt.text, tt.format), tt.path)
			if n == nil {
				t.Fatalf("no %q", tt.path)
			}
			place := n.Text.Span
			if tt.value == "-" {
				place = n.Span
			} else if n.Text.Raw() != tt.value {
				t.Errorf("value %q, want %q", n.Text.Raw(), tt.value)
			}
			if got := show(place); got != tt.place {
				t.Errorf("at %q, want %q", got, tt.place)
			}
			if got := show(n.KeySpan); tt.key != "" && got != tt.key {
				t.Errorf("key at %q, want %q", got, tt.key)
			}
			if _, err := parseChecked(t, tt.text, tt.format); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestInside looks for a piece of the decoded text in the file.
func TestInside(t *testing.T) {
	tests := []struct {
		format            Format
		text, part, place string
	}{
		{JSON, `["a\u0062\ud83d\ude00\nz"]`, "b", `1:4 \u0062`},
		{JSON, `["a\u0062\ud83d\ude00\nz"]`, "😀", `1:10 \ud83d\ude00`},
		{JSON, `["a\u0062\ud83d\ude00\nz"]`, "z", "1:24 z"},
		{JSON, `["é😀"]`, "😀", "1:4 😀"},
		{TOML, "a = \"\"\"\r\nx\\\n   y\\tz\"\"\"", "x", "2:1 x"},
		{TOML, "a = \"\"\"\r\nx\\\n   y\\tz\"\"\"", "y", "3:4 y"},
		{TOML, "a = \"\"\"\r\nx\\\n   y\\tz\"\"\"", "\t", `3:5 \t`},
		{TOML, "a = '''\nx\n\\t'''", "\\t", `3:1 \t`},
		{YAML, "a: |\n  line1\n  日本 x\n", "本 x", "3:4 本 x"},
		{YAML, "a: >-\n  line1\n  日本 x\n", "日", "3:3 日"},
		{YAML, "a: >-\n  line1\n  日本 x\n", " 日", "2:8 \n  日"},
		{YAML, "a: 'it''s\n   so'", "'", "1:7 ''"},
		{YAML, "a: 'it''s\n   so'", "so", "2:4 so"},
		{YAML, "a: \"\\x41b\\\n   so\"", "so", "2:4 so"},
		{YAML, "a: \"\\x41b\\\n   so\"", "A", `1:5 \x41`},
		{YAML, "a: one\n  two # c", "two", "2:3 two"},
	}
	for _, tt := range tests {
		root := mustParse(t, tt.text, tt.format)
		text := root.Children[0].Text
		i := strings.Index(text.Raw(), tt.part)
		if i < 0 {
			t.Errorf("%q is not in %q", tt.part, text.Raw())
			continue
		}
		if got := show(text.At(i, i+len(tt.part))); got != tt.place {
			t.Errorf("%q: %q is at %q, want %q", tt.text, tt.part, got, tt.place)
		}
	}
}

func TestFormatOf(t *testing.T) {
	for path, want := range map[string]Format{
		"a/mcp.json": JSONC, "x.jsonc": JSONC, "w.code-workspace": JSONC, "X.TOML": TOML, "a.yaml": YAML, "b.yml": YAML, "toml": JSONC, "": JSONC,
	} {
		if got := FormatOf(path); got != want {
			t.Errorf("FormatOf(%q) = %d, want %d", path, got, want)
		}
	}
}

func TestDuplicates(t *testing.T) {
	for _, tt := range []struct {
		format Format
		text   string
		want   string // keys, ! before a duplicate
	}{
		{JSON, `{"a":1,"b":2,"\u0061":3}`, "a b !a"},
		{JSON, `{"a":1,"A":2,"b":{"a":1}}`, "a A b"},
		{JSON, `{"a":1,"b":2,"c":3,"d":1,"e":2,"f":3,"g":1,"h":2,"i":3,"\u0061":4}`, "a b c d e f g h i !a"},
		{TOML, "a=1\n\"\\u0061\"=2\nb=3\n[b]\n[c]\n[c]\n[d.e]\n[d]\n[[f]]\n[[f]]", "a !a b !b c !c d f"},
		{YAML, "a: 1\n\"\\x61\": 2\nb: 3\n1: x\n\"1\": y", "a !a b 1 !1"},
	} {
		var got []string
		root := mustParse(t, tt.text, tt.format)
		for _, child := range root.Children {
			got = append(got, map[bool]string{true: "!"}[child.Dup]+child.Key.Raw())
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%q: %s, want %s", tt.text, s, tt.want)
		}
		if all := root.All("a"); len(all) == 2 && (root.Get("a") != all[1] || all[0].Dup || !all[1].Dup) {
			t.Errorf("%q: Get does not return the last", tt.text)
		}
	}
}

func TestAccessors(t *testing.T) {
	root := mustParse(t, `{"a":{"b":["x",1]}}`, JSON)
	if got := root.Get("a", "b").Index(0).Str(); got != "x" {
		t.Errorf("got %q", got)
	}
	if root.Get("a", "b").Index(1).Str() != "" || root.Get("a", "b").Index(1).Text.Raw() != "1" {
		t.Error("a number is no string")
	}
	for _, n := range []*Node{nil, root.Get("x"), root.Get("a", "b", "c"), root.Get("a").Index(0), root.Get("a", "b").Index(2), root.Get("a", "b").Index(-1)} {
		if n != nil || n.IsObject() || n.IsArray() || n.IsString() || n.Str() != "" || n.Get("a") != nil || n.All("a") != nil || n.Index(0) != nil {
			t.Error("nil is not safe")
		}
		n.Walk(func(string, *Node) bool { t.Error("visited nil"); return true })
	}
	var paths []string
	mustParse(t, `{"a":{"b":[[1],{"c":2}],"x":{"y":0}},"d":3}`, JSON).Walk(func(path string, n *Node) bool {
		paths = append(paths, path)
		return path != "a.x"
	})
	if got := strings.Join(paths, " "); got != " a a.b a.b[0] a.b[0][0] a.b[1] a.b[1].c a.x d" {
		t.Errorf("paths %q", got)
	}
}

func TestAliases(t *testing.T) {
	root := mustParse(t, "base: &b {k: 1, l: &s text}\nuse: *b\nm:\n  l: mine\n  <<: [*b, {k: 9, n: 2, n: 3}]\n  z: *s\nq: {\"<<\": *b}\ns: {<<: no}\n", YAML)
	use := root.Get("use")
	if !use.Alias || use.Get("k") != root.Get("base", "k") || show(use.Span) != "2:6 *b" || show(use.KeySpan) != "2:1 use" {
		t.Errorf("alias %+v", use)
	}
	if n := root.Get("base"); n.Alias || n.Get("l").Alias {
		t.Error("the anchor is no alias")
	}
	m := root.Get("m")
	var got []string
	for _, child := range m.Children {
		got = append(got, fmt.Sprint(child.Key.Raw(), "=", child.Text.Raw(), " ", child.Alias, child.Dup))
	}
	want := "l=mine false false|z=text true false|k=1 true false|n=3 true false"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("merged\n%s, want\n%s", s, want)
	}
	if show(m.Get("k").Text.Span) != "1:14 1" || show(m.Get("z").Text.Span) != "1:23 text" || show(m.Get("z").Span) != "6:6 *s" {
		t.Error("aliased text is not at the anchor")
	}
	if root.Get("q", "<<") == nil || root.Get("q", "k") != nil || root.Get("s", "<<").Str() != "no" {
		t.Error("a quoted << or one without a mapping is a plain member")
	}
}

func TestDocuments(t *testing.T) {
	docs, err := ParseDocs(source("# c\n---\na: 1\n---\n- é\n...\n---\n"), YAML)
	if err != nil || len(docs) != 3 || docs[0].Get("a") == nil || show(docs[1].Index(0).Span) != "5:3 é" || docs[2].Kind != Null {
		t.Errorf("%v %v", docs, err)
	}
	if _, err := Parse(source("a: 1\n---\nb: 2\n"), YAML); err == nil || err.Error() != "3:1: a second YAML document starts here, and only one is expected" {
		t.Errorf("error %v", err)
	}
	if root := mustParse(t, "---\na: 1\n---\n", YAML); root.Get("a") == nil {
		t.Error("an empty second document is harmless")
	}
	for _, text := range []string{"", "# c\n", bom} {
		if docs, err := ParseDocs(source(text), YAML); err != nil || len(docs) != 0 {
			t.Errorf("%q: %v %v", text, docs, err)
		}
		if root := mustParse(t, text, YAML); root.Kind != Null || root.Span.End != len(text) {
			t.Errorf("%q: %+v", text, root)
		}
	}
	if docs, err := ParseDocs(source("[1]"), JSON); err != nil || len(docs) != 1 {
		t.Errorf("%v %v", docs, err)
	}
}

func TestJSON(t *testing.T) {
	for _, tt := range []struct {
		format     Format
		text, want string
	}{
		{JSON, " {\"a\" : 1.0e+2, \"\\u0061\":\"\\ud800\"} ", "{\"a\" : 1.0e+2, \"\\u0061\":\"\\ud800\"}"},
		{JSONC, "// c\n{\"a\" : [1, 2]} // d", "{\"a\" : [1, 2]}"},
		{JSONC, "{\"a\\u0062\": [1, 2,], \"b\":{ \"c\":1 }, /**/ \"b\":\"\\ud800\"}", "{\"a\\u0062\":[1,2],\"b\":{ \"c\":1 },\"b\":\"\\ud800\"}"},
		{TOML, "a=1_000\nb=0xff\nc=+1.5\nd=inf\ne=1979-05-27\nf=['\\', true]\ng.h='é\"'\na=-0.0", `{"a":1000,"b":255,"c":1.5,"d":"inf","e":"1979-05-27","f":["\\",true],"g":{"h":"é\""},"a":-0.0}`},
		{TOML, "[[a]]\nb=1\n[[a]]\n", `{"a":[{"b":1},{}]}`},
		{YAML, "a: [yes, True, ~, 0o17, 010, .5, 5., 1e3, .inf, \"\\a\\e\", 12345678901234567890123]\n1: &x {b: 00.50}\nc: *x", `{"a":["yes",true,null,15,8,0.5,5,1e3,".inf","\u0007\u001b",12345678901234567890123],"1":{"b":0.50},"c":{"b":0.50}}`},
	} {
		got, err := mustParse(t, tt.text, tt.format).JSON()
		if err != nil || string(got) != tt.want {
			t.Errorf("%q:\n%s, want\n%s (%v)", tt.text, got, tt.want, err)
		}
	}
	if _, err := (*Node)(nil).JSON(); err == nil {
		t.Error("nil has no JSON")
	}
}
