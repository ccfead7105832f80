package runtime

import (
	"encoding/json"
	"testing"

	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// TestPlain: everyday schemas are plain, and everyday arguments are accepted
// without the library; what may be wrong is left to it.
func TestPlain(t *testing.T) {
	const dated = `{"type":"object","properties":{"day":{"type":"string","format":"date"},"n":{"type":"integer","minimum":1,"maximum":9},"how":{"enum":["a","b"]},"tags":{"type":"array","items":{"type":"string","maxLength":3}},"at":{"type":["object","null"],"properties":{"x":{"type":"number"}}}},"required":["day"],"additionalProperties":false}`
	for _, c := range []struct {
		schema, arguments string
		want              bool
	}{
		{dated, `{"day":"2026-11-22"}`, true},
		{dated, `{ "n" : 9, "day":"x\u0041", "how":"b", "tags":["abc","äöü"], "at":null }`, true},
		{dated, `{"day":"x","at":{"x":-3}}`, true},
		{dated, `{"day":"x","at":{"x":-3.5}}`, false}, // the library's to decide
		{dated, `{"n":3}`, false},
		{dated, `{"day":"x","n":10}`, false},
		{dated, `{"day":"x","n":"3"}`, false},
		{dated, `{"day":"x","how":"c"}`, false},
		{dated, `{"day":"x","tags":["abcd"]}`, false},
		{dated, `{"day":"x","more":1}`, false},
		{dated, `[]`, false},
		{`{}`, `{"a":[1.5]}`, true},
		{`{"type":"object"}`, `{"a":1e5}`, true},
	} {
		s := newSchema(json.RawMessage(c.schema))
		if s.plain == nil {
			t.Fatalf("%s is not plain", c.schema)
		}
		if got := s.plain.accepts([]byte(c.arguments), jsonrpc.Range{End: len(c.arguments)}); got != c.want {
			t.Errorf("%s: %v", c.arguments, got)
		}
	}
	for _, schema := range []string{
		`{"type":"object","anyOf":[{}]}`, `{"type":"object","properties":{"a":{"$ref":"#"}}}`, `{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"format":"date"}}}`,
		`{"required":["a"]}`, `{"properties":{"a":{"enum":[1]}}}`, `{"properties":{"a":{"minimum":0.5}}}`, `{"properties":{"a":true}}`,
	} {
		if s := newSchema(json.RawMessage(schema)); s.plain != nil {
			t.Errorf("%s is plain", schema)
		}
	}
}

// FuzzPlain: what is accepted without the library, the library accepts.
func FuzzPlain(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"type":"integer","minimum":1,"maximum":9},"b":{"enum":["x"]}},"required":["a"]}`, `{"a":3,"b":"x"}`)
	f.Add(`{"properties":{"a":{"type":"array","items":{"type":["string","null"],"minLength":2}}},"additionalProperties":false}`, `{"a":["ab",null]}`)
	f.Add(`{"type":"number","maximum":-0}`, `-0`)
	f.Add(`{"properties":{"a\u0062":{"type":"boolean"}},"required":["ab"]}`, `{"\u0061b":true}`)
	f.Fuzz(func(t *testing.T, schema, arguments string) {
		s := newSchema(json.RawMessage(schema))
		if s.plain == nil || s.compiled == nil || !json.Valid([]byte(arguments)) {
			return
		}
		frame := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":` + arguments + `}}`
		var m jsonrpc.Message
		if jsonrpc.NewScanner(jsonrpc.Options{}).Scan([]byte(frame), &m) != nil || m.Arguments.IsZero() {
			return
		}
		if !s.plain.accepts(m.Bytes, m.Arguments) {
			return
		}
		v, err := decode(m.Arguments.In(m.Bytes))
		if err != nil {
			t.Fatal(err)
		}
		if fault := violation(s.compiled, v); fault != "" {
			t.Fatalf("%s accepts %s: %s", schema, arguments, fault)
		}
	})
}
