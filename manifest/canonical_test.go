package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// same holds our way of writing the canonical form to the library's.
func same(t *testing.T, value []byte) {
	t.Helper()
	got, err := canonical(value)
	want, wantErr := jcs.Transform(value)
	if (err == nil) != (wantErr == nil) || !bytes.Equal(got, want) {
		t.Errorf("%q\ngot  %q, %v\nwant %q, %v", value, got, err, want, wantErr)
	}
	if err != nil || len(value) == 0 || got[0] != '{' {
		return
	}
	for _, kind := range []string{"tool", "prompt", "resource", "template"} {
		if d := digestsOf(kind, got); d.Whole != sum(kind, got) {
			t.Errorf("%q: digests %v", value, d)
		}
	}
}

var spellings = []string{
	``, `{}`, ` { } `, `[]`, `null`, `"a"`, `{"a":1}x`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"b":1,"a":2}`, `{"a":{"z":1,"y":[{"b":1,"a":2},[]]},"A":[1,2]}`,
	`{"a":1,"a":1}`, `{"b":1,"a":1,"b":1}`, `{"a":-0}`, `{"a":0}`, `{"a":00}`, `{"a":-1}`, `{"a":1.50}`, `{"a":1e3}`, `{"a":123456789012345678901}`, `{"a":9007199254740993}`, `{"a":1e999}`, `{"a":0.5}`, `{"a":-0.0}`, `{"a":0.}`, `{"a":.5}`, `{"a":1e}`, `{"a":1E+5}`, `{"a":1e-7}`, `{"a":--1}`, `{"a":1-1}`, `{"a":+1}`, `{"a":01.5}`, `{"a":1e21}`, `{"a":-}`, `{"a":-00}`, `{"a":4.35}`,
	`{"a":"\u0041"}`, `{"a":"\/"}`, `{"a":"\n\t\"\\"}`, `{"a":"\x"}`, `{"a":"` + "\n" + `"}`, "{\"a\":\"\xff\"}", `{"é":1,"e":2,"z":3}`, `{"\u20ac":1,"$":2}`, `{"a\"b":1,"a":2}`,
	`{"a":tru}`, `{"a":true,"b":false,"c":null}`, `{"a":"é😀` + "\u2028" + `"}`, `{"":{"":""}}`, `{"ab":1,"a":2,"a b":3,"a!":4}`, strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300), `{"a":"\ud800"}`,
	`{"inputSchema":true,"annotations":[],"arguments":{"a":[1]},"title":1,"name":{"x":"y"}}`, `{"inputSchema":{"properties":{"title":"x"},"items":[{"title":"t"}],"allOf":{"title":"q"}}}`,
}

func TestCanonical(t *testing.T) {
	for _, s := range spellings {
		same(t, []byte(s))
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range spellings {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) { same(t, value) })
}

func FuzzParse(f *testing.F) {
	m, err := New(Options{Server: Server{Name: "x"}, Serial: 1, Issued: "2026-01-01T00:00:00Z", Expires: "2027-01-01T00:00:00Z", Surface: &analyzers.Surface{
		Tools:   []*analyzers.Tool{{Item: analyzers.Item{Kind: "tool", Name: analyzers.Text{Value: "a"}, Definition: json.RawMessage(`{"name":"a","inputSchema":{"type":"object"}}`)}}},
		Prompts: []*analyzers.Item{{Kind: "prompt", Name: analyzers.Text{Value: "p"}, Definition: json.RawMessage(`{"name":"p"}`)}},
	}})
	if err != nil {
		f.Fatal(err)
	}
	b, err := m.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"predicateType":"https://sallyport.dev/manifest/v1"}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		m, err := Parse(document)
		if err != nil {
			return
		}
		again, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := Parse(again); err != nil || len(Diff(m.Surface(), n.Surface())) > 0 {
			t.Fatalf("what was read does not read again: %v", err)
		}
	})
}

// FuzzDiff: any two definitions can be compared, and equal ones do not differ.
func FuzzDiff(f *testing.F) {
	f.Add(`{"name":"a","inputSchema":{"type":"object","properties":{"a":{"enum":["x"]}}}}`, `{"name":"a","inputSchema":{"oneOf":[{"a":1},{"b":2}],"required":["a"]}}`)
	f.Add(`{"name":"a","annotations":{"x":1}}`, `{"name":"b","annotations":[]}`)
	f.Add(`{"name":"a","arguments":[{"name":"x"}]}`, `{"name":"a","arguments":[{"name":"y"},{"name":"x"}]}`)
	f.Fuzz(func(t *testing.T, a, b string) {
		surface := func(definition string) *analyzers.Surface {
			return &analyzers.Surface{Tools: []*analyzers.Tool{{Item: analyzers.Item{Kind: "tool", Name: analyzers.Text{Value: "a"}, Definition: json.RawMessage(definition)}}}}
		}
		x, y := surface(a), surface(b)
		dx, errX := SurfaceDigest(x)
		dy, errY := SurfaceDigest(y)
		pairs := Diff(x, y)
		if errX == nil && errY == nil && (dx == dy) != (len(pairs) == 0) {
			t.Fatalf("digests %s and %s, %d differences", dx, dy, len(pairs))
		}
	})
}

// ferry is a definition of about the size that servers have.
func ferry(i int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"name":"ferry_%d","description":%q,"inputSchema":{"type":"object","properties":{`, i, strings.Repeat("Lists the next departures of a line. ", 8))
	for k := range 10 {
		fmt.Fprintf(&b, `"param_%d":{"type":"string","description":%q,"maxLength":9007199254740991},`, 9-k, strings.Repeat("What it is for. ", 5))
	}
	b.WriteString(`"n":{"type":"integer","minimum":0}},"required":["n"],"additionalProperties":false,"$schema":"https://json-schema.org/draft/2020-12/schema"},"annotations":{"readOnlyHint":true}}`)
	return []byte(b.String())
}

// BenchmarkDigestAll is the canonical form and all digests of 100,000 tools.
func BenchmarkDigestAll(b *testing.B) {
	const tools = 100_000
	items := make([]*analyzers.Item, tools)
	bytes := 0
	for i := range items {
		items[i] = &analyzers.Item{Kind: "tool", Definition: ferry(i)}
		bytes += len(items[i].Definition)
	}
	b.SetBytes(int64(bytes))
	for b.Loop() {
		if _, err := DigestAll(items); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(bytes)/tools, "bytes/tool")
}

func BenchmarkLibrary(b *testing.B) {
	d := ferry(1)
	b.SetBytes(int64(len(d)))
	for b.Loop() {
		if _, err := jcs.Transform(d); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOurs(b *testing.B) {
	d := ferry(1)
	b.SetBytes(int64(len(d)))
	for b.Loop() {
		if _, err := canonical(d); err != nil {
			b.Fatal(err)
		}
	}
}
