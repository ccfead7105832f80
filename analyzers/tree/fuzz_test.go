package tree

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// checkTree fails when a place in the tree is not where it must be.
func checkTree(t *testing.T, src *analyzers.Source, root *Node, format Format) {
	t.Helper()
	inside := func(what string, in, out analyzers.Span) {
		if in.Start < out.Start || in.End > out.End || in.Start > in.End {
			t.Fatalf("%s [%d,%d) outside of [%d,%d) in %q", what, in.Start, in.End, out.Start, out.End, src.Bytes)
		}
	}
	file := src.Span(0, len(src.Bytes))
	var visit func(n *Node, elsewhere bool)
	visit = func(n *Node, elsewhere bool) {
		inside("value", n.Span, file)
		elsewhere = elsewhere || n.Alias
		switch n.Kind {
		case Object, Array:
			if len(n.Text.Value) > 0 {
				t.Fatalf("text %q on a collection", n.Text.Value)
			}
		default:
			if len(n.Children) > 0 {
				t.Fatal("children below a scalar")
			}
			checkText(t, n.Text, format)
			if !elsewhere {
				inside("text", n.Text.Span, n.Span)
			}
		}
		for _, child := range n.Children {
			if n.Kind == Object {
				checkText(t, child.Key, format)
				inside("key", child.KeySpan, file)
				if format == JSON || format == JSONC {
					inside("key text", child.Key.Span, child.KeySpan)
				}
			}
			if format != TOML && !elsewhere && !child.Alias {
				inside("child", child.Span, n.Span)
			}
			visit(child, elsewhere)
		}
	}
	visit(root, false)
	out, err := root.JSON()
	if err != nil || !json.Valid(out) {
		t.Fatalf("JSON() = %s, %v", out, err)
	}
	root.Walk(func(path string, n *Node) bool {
		if len(path) > maxPath+len("…") || !utf8.ValidString(path) {
			t.Fatalf("path %q", path)
		}
		return true
	})
}

func checkText(t *testing.T, text analyzers.Text, format Format) {
	t.Helper()
	value, raw := text.Raw(), text.Span.Raw()
	if !utf8.ValidString(value) {
		t.Fatalf("value %q", value)
	}
	if text.Map == nil {
		if value != string(raw) {
			t.Fatalf("no map, but %q is not %q", value, raw)
		}
		return
	}
	first, last := text.Map[0], text.Map[len(text.Map)-1]
	if first.Decoded != 0 || last != (analyzers.Mark{Decoded: len(value), Raw: len(raw)}) {
		t.Fatalf("map %v of %q, raw %q", text.Map, value, raw)
	}
	for i, m := range text.Map[1:] {
		if prev := text.Map[i]; m.Decoded < prev.Decoded || m.Raw < prev.Raw || m == prev {
			t.Fatalf("map %v does not ascend", text.Map)
		}
	}
	if len(text.Map) == 2 && len(raw) > 0 && format == YAML || len(value) > 1000 {
		return // opaque, or too long to check
	}
	for i, r := range value {
		size := utf8.RuneLen(r)
		at := text.At(i, i+size).Raw()
		if string(at) == string(r) {
			continue
		}
		var decoded string
		n := 0
		switch format {
		case JSON, JSONC:
			var rr rune
			rr, n = unescapeJSON(at)
			decoded = string(rr)
		case TOML:
			decoded, n = unescapeTOML(at)
		case YAML:
			if unicode.IsSpace(r) && len(bytes.TrimSpace(at)) == 0 || string(at) == "''" {
				continue // folded
			}
			if r == '\n' || r == ' ' || r == '\u2028' || r == '\u2029' {
				continue // folded after a backslash
			}
			decoded, n = unescapeYAML(at)
		}
		if decoded != string(r) || n != len(at) {
			t.Fatalf("%q of %q is said to be at %q of %q", r, value, at, raw)
		}
	}
}

func source(text string) *analyzers.Source {
	return &analyzers.Source{Path: "f", Bytes: []byte(text)}
}

// parseChecked parses, checks whatever comes out, and returns it.
func parseChecked(t *testing.T, text string, format Format) ([]*Node, error) {
	t.Helper()
	src := source(text)
	docs, err := ParseDocs(src, format)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.Reason == "" || e.Span.IsZero() {
			t.Fatalf("error %#v", err)
		}
		if e.Reason == "the place of a YAML value cannot be told" || strings.HasSuffix(e.Reason, "parser failed on this file") {
			t.Fatalf("%v: %q", e, text)
		}
		return nil, err
	}
	for _, doc := range docs {
		checkTree(t, src, doc, format)
	}
	return docs, nil
}

func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"\u0061":[true,null,-0.5e+3,"x\ud83d\ude00\ud800\n"]}`,
		`{"a":"\ud800\ud83d\ude00","b":{},"c":[]}`,
		"{\n // c\n \"a\": 1, /*x*/ \"mcp\\u0053\": {\"x\":[true,null,\"s\"],}, \"a\": 2,\n}",
		bom + `"é😀\/\b\f\r\t\\\""`, `01`, `[1,]`, `1e`, `"\u12"`, "\"\t\"", `[`, `{"a"`, "1 2", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parseChecked(t, text, JSONC)
		docs, err := parseChecked(t, text, JSON)
		plain := strings.TrimPrefix(text, bom)
		if err != nil {
			var e *Error
			if errors.As(err, &e); e.Kind == "malformed" && json.Valid([]byte(plain)) {
				t.Fatalf("refused: %v", err)
			}
			return
		}
		if !json.Valid([]byte(plain)) {
			t.Fatal("accepted what encoding/json refuses")
		}
		got := tokens(docs[0], nil)
		if want := decoderTokens(t, plain); !slices.Equal(got, want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	})
}

// tokens is the tree flattened as json.Decoder does.
func tokens(n *Node, out []string) []string {
	switch n.Kind {
	case Object:
		out = append(out, "{")
		for _, child := range n.Children {
			out = tokens(child, append(out, "s"+child.Key.Raw()))
		}
		return append(out, "}")
	case Array:
		out = append(out, "[")
		for _, child := range n.Children {
			out = tokens(child, out)
		}
		return append(out, "]")
	case String:
		return append(out, "s"+n.Text.Raw())
	}
	return append(out, n.Text.Raw())
}

func decoderTokens(t *testing.T, text string) (out []string) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		switch v := token.(type) {
		case json.Delim:
			out = append(out, v.String())
		case string:
			out = append(out, "s"+v)
		case json.Number:
			out = append(out, v.String())
		case bool:
			out = append(out, map[bool]string{true: "true", false: "false"}[v])
		case nil:
			out = append(out, "null")
		}
	}
}

func FuzzTOML(f *testing.F) {
	for _, seed := range []string{
		"# c\n[mcp_servers.\"f.s\"]\ncommand = \"npx\" # x\nargs = [\"-y\", 'p', # c\n]\nenv = { A = \"1\", \"B\\u0043\" = 2 }\n[[arr]]\nx.y = 1\n",
		"a = \"\"\"\\\n  x\\U0001F600\n\\t \"\" \"\"\"\"\"\nb='''\r\nl'''''\r\n", "a=1\na=2\n[a]\n[b]\n[b]\n[[c]]\n[c.d]\n[[c]]\n[[c.d]]\n",
		"d = 1979-05-27 07:32:00Z\nf = +1_0.5e3\nh=0xF_f\ni=-inf\n[x . 'y'.\"z\"]\n", bom + "a.b.c = {x.y=[[],{}]}",
		"a = [", "a = {b = 1,}", "= 1", "[a", "a = \"\\q\"",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { parseChecked(t, text, TOML) })
}

func FuzzYAML(f *testing.F) {
	for _, seed := range []string{
		"mcpServers: &a\n  \"fs\":\n    command: npx # c\n    args: [-y, 'x''y', \"\\x41\\u00e9\\U0001F600\"]\n    text: |\n      line1\n\n       line2\n  é: \"q\\\n    z\"\nb: *a\nmcpServers: 2\n",
		"a: >-\n  x\n  y\n\n  z\n   w\nb: |+2\n    k\n\nc: 'p\n  q\n\n  r'\nd: plain\n  more # c\n  \ne: !!str 1\nf: &x !t\n- 1\n",
		"? [k, v]\n: - {a: b, c, ? d : e, \"f\":1,}\n  - [x: y, {z: w}: v, ]\n", "---\na\n...\n---\n- *b\n", "a: &a [*a]",
		"x: &x {k: 1, l: 2}\ny:\n  <<: [*x, {l: 3}]\n  k: 0\n", "- - a\n  - b\n-\n- &e\n- !!null\n", "a\u0085b: \"c\u2028 d\"\r\ne: \"\\\r\n f\"",
		bom + "\"a b\": '日本'  # ü\n日本: [ü, \"é\" ]", "{a: {b: [c", "a: \"\\q\"", "\t- x", "%YAML 1.1\n---\n!<tag:yaml.org,2002:str> x", "'a\n b': 1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { parseChecked(t, text, YAML) })
}
