package manifest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/manifest"
)

const base = `{"name":"find","description":"Finds é things.","inputSchema":{"type":"object","properties":{"n":{"type":"number","maximum":100},"s":{"type":"string"}}},"x-vendor":[1,2]}`

func item(kind, definition string) *analyzers.Item {
	return &analyzers.Item{Kind: kind, Definition: json.RawMessage(definition)}
}

func digest(t *testing.T, i *analyzers.Item) string {
	t.Helper()
	d, err := manifest.ItemDigest(i)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestHarmlessSpelling(t *testing.T) {
	want := digest(t, item("tool", base))
	for name, other := range map[string]string{
		"white space":   strings.NewReplacer(":", " :\n", ",", " ,\t").Replace(base),
		"member order":  `{"x-vendor":[1,2],"inputSchema":{"properties":{"s":{"type":"string"},"n":{"maximum":100,"type":"number"}},"type":"object"},"description":"Finds é things.","name":"find"}`,
		"escapes":       strings.Replace(base, "é", `\u00e9`, 1),
		"number's form": strings.Replace(base, "100", "1e2", 1),
		"a fraction":    strings.Replace(base, "100", "100.0", 1),
	} {
		if got := digest(t, item("tool", other)); got != want {
			t.Errorf("%s changes the digest", name)
		}
	}
}

func TestEveryChangeCounts(t *testing.T) {
	want := digest(t, item("tool", base))
	for _, edit := range [][2]string{
		{"Finds", "Find"}, {"find", "found"}, {"[1,2]", "[2,1]"}, {"[1,2]", `["1",2]`}, {"100", "101"}, {"é", "e"}, {`"x-vendor"`, `"x-vendor2"`},
		{"things.", "things. "}, {"things.", "things.\u200b"}, {`"type":"string"`, `"type":"string","x":null`},
	} {
		if got := digest(t, item("tool", strings.Replace(base, edit[0], edit[1], 1))); got == want {
			t.Errorf("%q for %q does not change the digest", edit[1], edit[0])
		}
	}
	if digest(t, item("prompt", base)) == want {
		t.Error("a prompt passes for a tool")
	}
}

func TestNoCanonicalForm(t *testing.T) {
	for _, bad := range []string{``, `{"a":1,"a":2}`, `{"a":1e400}`, `{"a"`, `{} {}`} {
		if d, err := manifest.ItemDigest(item("tool", bad)); err == nil {
			t.Errorf("%q has the digest %s", bad, d)
		}
	}
}

func TestSurface(t *testing.T) {
	surface := func(instructions string, definitions ...string) *analyzers.Surface {
		s := &analyzers.Surface{}
		if instructions != "" {
			s.Instructions = analyzers.Text{Value: analyzers.Untrusted(instructions)}
		}
		for _, d := range definitions {
			s.Tools = append(s.Tools, &analyzers.Tool{Item: *item("tool", d)})
		}
		return s
	}
	of := func(s *analyzers.Surface) string {
		d, err := manifest.SurfaceDigest(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	a, b := `{"name":"a"}`, `{"name":"b"}`
	if of(surface("", a, b)) != of(surface("", b, a)) {
		t.Error("the order of the list counts")
	}
	if of(surface("")) != "" {
		t.Error("an empty surface has a digest")
	}
	seen := map[string]string{}
	for _, s := range []*analyzers.Surface{surface("", a), surface("", b), surface("", a, b), surface("", a, a), surface("hello", a), surface("hello")} {
		d := of(s)
		if other, ok := seen[d]; ok {
			t.Errorf("two surfaces share a digest: %s", other)
		}
		seen[d] = fmt.Sprint(s.Instructions, len(s.Tools))
	}
	if _, err := manifest.SurfaceDigest(surface("", `{"a":1,"a":2}`)); err == nil {
		t.Error("a surface with an ambiguous tool has a digest")
	}
}
