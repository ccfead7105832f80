package jsonrpc_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

func scanned(t testing.TB, text string) *jsonrpc.Message {
	t.Helper()
	m := new(jsonrpc.Message)
	if err := jsonrpc.NewScanner(jsonrpc.Options{LoneSurrogates: true}).Scan([]byte(text), m); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return m
}

func TestWalk(t *testing.T) {
	m := scanned(t, `{"jsonrpc":"2.0","id":1,"result":{"a":{"\u0062":[ 1 , "x]\\" ,{"y":[]} , [ ] ,null]},"e":[],"o":{ }}}`)
	var got []string
	for i, r := range jsonrpc.Elements(m.Bytes, m.Find(m.Result, "a", "b")) {
		got = append(got, fmt.Sprintf("%d %s", i, r.In(m.Bytes)))
	}
	if want := []string{"0 1", `1 "x]\\"`, `2 {"y":[]}`, "3 [ ]", "4 null"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got = nil
	for k, v := range jsonrpc.Members(m.Bytes, m.Result) {
		got = append(got, string(k.In(m.Bytes)), string(v.In(m.Bytes)))
	}
	if want := []string{`"a"`, `{"\u0062":[ 1 , "x]\\" ,{"y":[]} , [ ] ,null]}`, `"e"`, "[]", `"o"`, "{ }"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, names := range [][]string{{"x"}, {"a", "c"}, {"a", "b", "y"}, {"e", "a"}, {"o", "a"}} {
		if r := m.Find(m.Result, names...); !r.IsZero() {
			t.Errorf("%q found at %v", names, r)
		}
	}
	for range jsonrpc.Elements(m.Bytes, m.Result) {
		t.Error("an object has elements")
	}
	for range jsonrpc.Elements(m.Bytes, jsonrpc.Range{}) {
		t.Error("what is not there has elements")
	}
	for range jsonrpc.Members(m.Bytes, jsonrpc.Range{Start: 5, End: 1 << 20}) {
		t.Error("what is elsewhere has members")
	}
}

func TestTexts(t *testing.T) {
	const text = `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"n","d/e~":"caf\u00e9 \"x\"\n\ud83d\ude00!","inputSchema":{"properties":{"p":{"enum":["a",1,"b"]}}}}],"cut":"\ud83d","empty":""}}`
	m := scanned(t, text)
	src := &analyzers.Source{Bytes: m.Bytes}
	var got []string
	for leaf := range jsonrpc.Texts(src, m.Result) {
		kind := "value"
		if leaf.Key {
			kind = "key"
		}
		got = append(got, kind+" "+string(leaf.Pointer)+" "+leaf.Text.Raw())
		var want string
		if err := json.Unmarshal([]byte(`"`+string(leaf.Text.Span.Raw())+`"`), &want); err != nil || want != leaf.Text.Raw() {
			t.Errorf("the place of %q is %q", leaf.Text.Raw(), leaf.Text.Span.Raw())
		}
	}
	want := []string{"key /tools tools", "key /tools/0/name name", "value /tools/0/name n", "key /tools/0/d~1e~0 d/e~",
		"value /tools/0/d~1e~0 café \"x\"\n😀!", "key /tools/0/inputSchema inputSchema",
		"key /tools/0/inputSchema/properties properties", "key /tools/0/inputSchema/properties/p p",
		"key /tools/0/inputSchema/properties/p/enum enum", "value /tools/0/inputSchema/properties/p/enum/0 a",
		"value /tools/0/inputSchema/properties/p/enum/2 b", "key /cut cut", "value /cut \ufffd", "key /empty empty", "value /empty "}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for leaf := range jsonrpc.Texts(src, m.Result) {
		if value := leaf.Text.Raw(); strings.HasPrefix(value, "café") {
			for _, c := range []struct{ part, raw string }{
				{"é", `\u00e9`}, {"x", "x"}, {`"x"`, `\"x\"`}, {"😀", `\ud83d\ude00`}, {"caf", "caf"}, {"\n", `\n`}, {"!", "!"}, {value, string(leaf.Text.Span.Raw())},
			} {
				i := strings.Index(value, c.part)
				if at := leaf.Text.At(i, i+len(c.part)); string(at.Raw()) != c.raw {
					t.Errorf("%q stands at %q, want %q", c.part, at.Raw(), c.raw)
				}
			}
			break
		}
	}
}

// TestDeepTexts: a text costs the same however deep it stands.
func TestDeepTexts(t *testing.T) {
	const depth = 900
	b := []byte(strings.Repeat(`{"k":[`, depth/2) + `"` + strings.Repeat("x", 1<<20) + `"` + strings.Repeat("]}", depth/2))
	n := 0
	for leaf := range jsonrpc.Texts(&analyzers.Source{Bytes: b}, jsonrpc.Range{End: len(b)}) {
		if n++; !leaf.Key && string(leaf.Pointer) != strings.Repeat("/k/0", depth/2) {
			t.Errorf("at %s", leaf.Pointer)
		}
	}
	if n != depth/2+1 {
		t.Errorf("%d texts", n)
	}
}

// TestManyEscapes: the map of a hostile text stays small, and its places right
// or too long.
func TestManyEscapes(t *testing.T) {
	m := scanned(t, `{"jsonrpc":"2.0","id":1,"result":{"text":"`+strings.Repeat(`\n-`, 200_000)+`end"}}`)
	src := &analyzers.Source{Bytes: m.Bytes}
	for leaf := range jsonrpc.Texts(src, m.Find(m.Result, "text")) {
		if len(leaf.Text.Map) > 1<<17 || cap(leaf.Text.Map) > 1<<17 {
			t.Errorf("%d marks", len(leaf.Text.Map))
		}
		if got := string(leaf.Text.At(20, 22).Raw()); got != `\n-` {
			t.Errorf("in front: %q", got)
		}
		n := len(leaf.Text.Raw())
		if at := leaf.Text.At(n-3, n); !strings.HasSuffix(string(at.Raw()), "-end") {
			t.Errorf("at the end: %d bytes", at.End-at.Start)
		}
	}
}

func TestAppend(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{string(jsonrpc.AppendError([]byte("x"), nil, -32700, "a", nil)), `x{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"a"}}`},
		{string(jsonrpc.AppendError(nil, []byte(`"i"`), 1, "", []byte(`{"r":1}`))), `{"jsonrpc":"2.0","id":"i","error":{"code":1,"message":"","data":{"r":1}}}`},
		{string(jsonrpc.AppendResult(nil, []byte("1"), []byte("{}"))), `{"jsonrpc":"2.0","id":1,"result":{}}`},
		{string(jsonrpc.AppendString(nil, "a\"\\\n\r\x00\x7f\u009b\u2028é😀\xff<&>")), `"a\"\\\n\u000d\u0000\u007f\u009b\u2028é😀` + "\ufffd" + `<&>"`},
		{string(jsonrpc.Replace([]byte("-"), []byte("abcd"), jsonrpc.Range{Start: 1, End: 3}, []byte("XYZ"))), "-aXYZd"},
		{string(jsonrpc.Replace(nil, []byte("abcd"), jsonrpc.Range{}, []byte("XYZ"))), "abcd"},
		{string(jsonrpc.Replace(nil, []byte("abcd"), jsonrpc.Range{Start: 2, End: 5}, []byte("XYZ"))), "abcd"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestRemove(t *testing.T) {
	for _, c := range []struct{ array, drop, want string }{
		{`[1,2,3]`, "", `[1,2,3]`},
		{`[1,2,3]`, "1", `[2,3]`},
		{`[1,2,3]`, "2", `[1,3]`},
		{`[1,2,3]`, "3", `[1,2]`},
		{`[1,2,3]`, "123", `[]`},
		{`[ 1 , 2,	3 ]`, "1", `[ 2,	3 ]`},
		{`[ 1 , 2,	3 ]`, "2", `[ 1,	3 ]`},
		{`[ 1 , 2,	3 ]`, "3", `[ 1 , 2 ]`},
		{`[ 1 , 2,	3 ]`, "13", `[ 2 ]`},
		{`[ 1 , 2,	3 ]`, "123", `[  ]`},
		{`[1]`, "1", `[]`},
		{`[ ]`, "1", `[ ]`},
		{`{"1":1}`, "1", `{"1":1}`},
	} {
		m := scanned(t, `{"jsonrpc":"2.0","id":1,"result":{"n":1.50,"tools":`+c.array+`,"z":"\u00e9"}}`)
		got, n := jsonrpc.Remove(nil, m.Bytes, m.Find(m.Result, "tools"), func(_ int, r jsonrpc.Range) bool {
			return strings.Contains(c.drop, string(r.In(m.Bytes)))
		})
		want := `{"jsonrpc":"2.0","id":1,"result":{"n":1.50,"tools":` + c.want + `,"z":"\u00e9"}}`
		if string(got) != want {
			t.Errorf("%s without %s: got %s, want %s", c.array, c.drop, got, want)
		}
		if c.array != `[ ]` && c.array[0] == '[' && n != len(c.drop) {
			t.Errorf("%s without %s: %d removed", c.array, c.drop, n)
		}
		scanned(t, string(got))
	}
}

// FuzzRewrite: whatever is removed, what is left is a message with exactly the
// other elements; and no walk over any bytes leaves them or fails to end.
func FuzzRewrite(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"result":{"tools":[ {"name":"a"} ,{"name":"b"}, 3 ] }}`), uint64(5))
	f.Add([]byte(`[1,"\"",{"a":}`), uint64(1))
	f.Add([]byte(`{"a":@}`), uint64(1))
	scanner := jsonrpc.NewScanner(jsonrpc.Options{LoneSurrogates: true})
	f.Fuzz(func(t *testing.T, b []byte, drop uint64) {
		var m jsonrpc.Message
		if scanner.Scan(b, &m) != nil {
			// Nothing is promised for such bytes but an end.
			whole := jsonrpc.Range{End: len(b)}
			for range jsonrpc.Texts(&analyzers.Source{Bytes: b}, whole) {
			}
			jsonrpc.Remove(nil, b, whole, func(i int, r jsonrpc.Range) bool { return r.In(b) == nil })
			jsonrpc.Salvage(b)
			return
		}
		for leaf := range jsonrpc.Texts(&analyzers.Source{Bytes: b}, m.Span) {
			var want string
			if err := json.Unmarshal([]byte(`"`+string(leaf.Text.Span.Raw())+`"`), &want); err != nil || want != leaf.Text.Raw() {
				t.Fatalf("%q is read as %q", leaf.Text.Span.Raw(), leaf.Text.Raw())
			}
		}
		list := m.Find(m.Result, "tools")
		var kept, left []string
		got, n := jsonrpc.Remove(nil, b, list, func(i int, r jsonrpc.Range) bool {
			if drop>>(i%64)&1 == 1 {
				return true
			}
			kept = append(kept, string(r.In(b)))
			return false
		})
		var again jsonrpc.Message
		if err := scanner.Scan(got, &again); err != nil {
			t.Fatalf("%v: %q", err, got)
		}
		for _, r := range jsonrpc.Elements(got, again.Find(again.Result, "tools")) {
			left = append(left, string(r.In(got)))
		}
		if !reflect.DeepEqual(kept, left) {
			t.Fatalf("%q instead of %q", left, kept)
		}
		if n == 0 && string(got) != string(b) {
			t.Fatalf("%q became %q", b, got)
		}
	})
}

func TestHasString(t *testing.T) {
	for value, want := range map[string]bool{
		`{"language":"en"}`: false, `{"a":"language"}`: true, `["language"]`: true, `{"language" : {"b":["1234567"]}}`: false,
		`"lang\u0061"`: true, `{"a":"\"","b":12345678,"c":[{"d":"12345678"}]}`: true, ``: false,
	} {
		if got := jsonrpc.HasString([]byte(value), jsonrpc.Range{End: len(value)}, 8); got != want {
			t.Errorf("%s: %v", value, got)
		}
	}
}
