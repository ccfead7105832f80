package manifest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gowebpki/jcs"
	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/manifest"
)

// harbour is a capture with everything that a definition can hold.
const harbour = `{"serverInfo":{"name":"harbour"},"instructions":"Ask for one line at a time.","tools":[
 {"name":"ferry","title":"Ferries","description":"Lists ferries.\nIn é.","inputSchema":{"type":"object","$comment":"v2","properties":{
   "line":{"type":"string","title":"Line","description":"Its name","default":"a","examples":["a","b"],"minLength":1,"maxLength":9007199254740991},
   "description":{"anyOf":[{"type":"string","description":"A text"},{"type":"null"}]},
   "n":{"type":"number","multipleOf":0.5,"enum":[1,2.5,1e3,-0.25]}},"required":["line"],"$defs":{"x":{"title":"X","not":{"description":"never","const":null}}},"additionalProperties":false},
  "outputSchema":{"type":"object","properties":{"at":{"type":"string","description":"When"}}},
  "annotations":{"title":"Ferry","readOnlyHint":true},"_meta":{"vendor":{"title":"T","n":[1,{"k":"v"}]}},"icons":[{"src":"https://x.test/i.png"}]},
 {"name":"empty","inputSchema":{"type":"object"}}],
 "prompts":[{"name":"trip","title":"Trip","description":"Plans.","arguments":[{"name":"where","title":"Where","description":"Island","required":true}]}],
 "resources":[{"uri":"https://x.test/map","name":"map","title":"Map","description":"A map","mimeType":"text/plain","annotations":{"audience":["user"],"priority":0.5}}],
 "resourceTemplates":[{"uriTemplate":"https://x.test/{l}","name":"line","description":"One line"}]}`

func read(t testing.TB, content string) *analyzers.Surface {
	t.Helper()
	c, err := analyzers.Load(context.Background(), analyzers.Tree{FS: fstest.MapFS{"c.json": {Data: []byte(content)}}, Exposure: analyzers.Active},
		[]analyzers.Analyzer{capture.Analyzer()}, analyzers.Limits{Jobs: 1})
	if err != nil || len(c.Servers) != 1 {
		t.Fatalf("%v, %d servers, %v", err, len(c.Servers), c.Gaps)
	}
	return &c.Servers[0].Surface
}

func options(s *analyzers.Surface) manifest.Options {
	return manifest.Options{Surface: s, Serial: 7, Issued: "2026-01-01T00:00:00Z", Expires: "2027-01-01T00:00:00Z", Server: manifest.Server{Name: "harbour",
		Launch: []string{"npx", "-y", "harbour@1.2.3"}, Packages: []manifest.Package{{PURL: "pkg:npm/harbour@1.2.3", Pin: "exact"}},
		Images: []manifest.Package{{PURL: "pkg:oci/harbour@sha256:" + strings.Repeat("ab", 32) + "?tag=1", Pin: "digest"}}}}
}

func document(t testing.TB, s *analyzers.Surface) []byte {
	t.Helper()
	m, err := manifest.New(options(s))
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDocument: what is written is canonical, fits its schema, can be read
// again and says the same.
func TestDocument(t *testing.T) {
	surface := read(t, harbour)
	b := document(t, surface)
	if c, err := jcs.Transform(b); err != nil || !bytes.Equal(c, b) {
		t.Errorf("not canonical: %v", err)
	}
	m, err := manifest.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := m.Bytes(); err != nil || !bytes.Equal(again, b) {
		t.Errorf("another document after reading: %v", err)
	}
	if !bytes.Equal(document(t, m.Surface()), b) {
		t.Error("the surface that was read makes another document")
	}
	if d, err := manifest.SurfaceDigest(surface); err != nil || d != m.Predicate.Surface || m.Subject[0].Digest["sha256"] != d {
		t.Errorf("surface %s, manifest %s, subject %v, %v", d, m.Predicate.Surface, m.Subject[0], err)
	}
	if got := m.Subject[2]; got.Digest["sha256"] != strings.Repeat("ab", 32) {
		t.Errorf("the image's subject is %v", got)
	}
	if len(manifest.Diff(surface, m.Surface())) != 0 {
		t.Error("a surface differs from its manifest")
	}
	if m.Expired("2026-12-31T23:59:59Z") || !m.Expired("2027-01-01T00:00:00Z") {
		t.Error("expiry")
	}
	for i, b := range [][]byte{b, document(t, &analyzers.Surface{})} {
		if err := schema(t).Validate(decoded(t, b)); err != nil {
			t.Errorf("document %d: %#v", i, err)
		}
		if _, err := manifest.Parse(b); err != nil {
			t.Errorf("document %d: %v", i, err)
		}
	}
}

func schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("../docs/schema/manifest.v1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := jsonschema.CompileString("manifest.json", string(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decoded(t testing.TB, b []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestRefused: a manifest that is not exactly one of ours, or that lies.
func TestRefused(t *testing.T) {
	good := string(document(t, read(t, harbour)))
	m, err := manifest.Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	whole := m.Predicate.Tools[1].Digest.Whole
	for name, c := range map[string]struct{ old, new, why string }{
		"another text":          {"Lists ferries.", "Lists boats.", "digest"},
		"another digest":        {whole, strings.Repeat("0", 64), "digest"},
		"another surface":       {`"surface":"` + m.Predicate.Surface, `"surface":"` + strings.Repeat("1", 64), "digest"},
		"other instructions":    {"one line at a time", "two lines at a time", "digest"},
		"another name":          {`"name":"ferry","unresolved"`, `"name":"ferrx","unresolved"`, "name"},
		"unknown member":        {`"predicateType"`, `"extra":1,"predicateType"`, "extra"},
		"unknown inside":        {`"serial":7`, `"serial":7,"note":""`, "note"},
		"another case":          {`"serial":7`, `"Serial":7`, "serial"},
		"a missing member":      {`"url":""`, `"urk":""`, "urk"},
		"null for a list":       {`"templates":[`, `"templates":null,"x":[`, ""},
		"a member twice":        {`"serial":7`, `"serial":7,"serial":8`, "twice"},
		"twice in a definition": {`"readOnlyHint":true`, `"readOnlyHint":true,"readOnlyHint":false`, "twice"},
		"serial 0":              {`"serial":7`, `"serial":0`, "serial"},
		"a broken serial":       {`"serial":7`, `"serial":7.5`, ""},
		"a huge serial":         {`"serial":7`, `"serial":9007199254740993`, ""},
		"no time":               {"2026-01-01T00:00:00Z", "yesterday", "issued"},
		"another zone":          {"2026-01-01T00:00:00Z", "2026-01-01T00:00:00+00:00", "issued"},
		"expires before":        {"2027-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "expires before"},
		"another type":          {"in-toto.io/Statement/v1", "in-toto.io/Statement/v0.1", "_type"},
		"another predicate":     {"dev/manifest/v1\"", "dev/manifest/v2\"", "predicateType"},
		"another subject":       {`{"digest":{"sha256":"` + m.Predicate.Surface + `"},"name":"harbour"}`, `{"digest":{"sha256":"` + m.Predicate.Surface + `"},"name":"other"}`, "subjects"},
		"a basis of its own":    {`"inputSchema":"captured"`, `"inputSchema":"believed"`, "basis"},
		"no basis":              {`"inputSchema":"captured",`, ``, "basis"},
		"something behind":      {`]}`, `]} {}`, ""},
		"cut":                   {`"subject"`, ``, ""},
	} {
		i := strings.LastIndex(good, c.old)
		if i < 0 {
			t.Fatalf("%s: %q is not there", name, c.old)
		}
		bad := good[:i] + c.new + good[i+len(c.old):]
		if name == "something behind" {
			bad = good + "{}"
		}
		if _, err := manifest.Parse([]byte(bad)); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// White space is nobody's lie.
	var spaced bytes.Buffer
	if err := json.Indent(&spaced, []byte(good), "", " "); err != nil {
		t.Fatal(err)
	}
	if _, err := manifest.Parse(spaced.Bytes()); err != nil {
		t.Errorf("indented: %v", err)
	}
	for _, bad := range []string{"", "{}", "[]", "null", strings.Repeat("[", 1000), "\xff", good[:len(good)/2]} {
		if _, err := manifest.Parse([]byte(bad)); err == nil {
			t.Errorf("%.20q is a manifest", bad)
		}
	}
	for name, o := range map[string]func(*manifest.Options){
		"no name":        func(o *manifest.Options) { o.Server.Name = "" },
		"no serial":      func(o *manifest.Options) { o.Serial = 0 },
		"no time":        func(o *manifest.Options) { o.Issued = "" },
		"expires before": func(o *manifest.Options) { o.Expires = "2025-01-01T00:00:00Z" },
		"one name twice": func(o *manifest.Options) { o.Surface = read(t, strings.Replace(harbour, `"empty"`, `"ferry"`, 1)) },
		"two meanings": func(o *manifest.Options) {
			o.Surface = read(t, strings.Replace(harbour, `{"name":"empty",`, `{"name":"empty","description":"a","description":"b",`, 1))
		},
	} {
		in := options(read(t, harbour))
		o(&in)
		if _, err := manifest.New(in); err == nil {
			t.Errorf("%s: a manifest was made", name)
		}
	}
}

// TestStatic: what was read from source says which fields nobody knows.
func TestStatic(t *testing.T) {
	surface := read(t, harbour)
	surface.Tools[0].Origin = analyzers.Static
	surface.Tools[0].Unresolved = []analyzers.Unresolved{{Field: "inputSchema", Reason: "built at run time"}}
	b := document(t, surface)
	m, err := manifest.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	got := m.Predicate.Tools[1]
	if got.Basis["inputSchema"] != manifest.NotResolved || got.Basis["description"] != manifest.Static || m.Predicate.Tools[0].Basis["name"] != manifest.Captured {
		t.Errorf("%v", got.Basis)
	}
	if again := document(t, m.Surface()); !bytes.Equal(again, b) {
		t.Error("the basis is lost in reading")
	}
	// What is not known is not compared, everything else is.
	if pairs := manifest.Diff(m.Surface(), read(t, strings.Replace(harbour, `"minLength":1`, `"minLength":2`, 1))); len(pairs) != 0 {
		t.Errorf("an unresolved schema is compared: %v", pairs)
	}
	if pairs := manifest.Diff(m.Surface(), read(t, strings.Replace(harbour, "Lists ferries", "Lists boats", 1))); len(pairs) != 1 {
		t.Errorf("a static description is not compared: %v", pairs)
	}
}

// TestOtherSpellings: however a capture is written down, the document is the
// same: members and lists in another order, escapes, numbers, white space.
func TestOtherSpellings(t *testing.T) {
	want := document(t, read(t, harbour))
	var v map[string]any
	dec := json.NewDecoder(strings.NewReader(harbour))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(v["tools"].([]any))
	sorted, err := json.MarshalIndent(v, "", "\t") // another order of members, < and > as escapes
	if err != nil {
		t.Fatal(err)
	}
	ascii := strings.ReplaceAll(string(sorted), "é", `\u00e9`)
	tools := v["tools"].([]any)
	pages := []any{}
	for _, tool := range tools {
		pages = append(pages, map[string]any{"serverInfo": v["serverInfo"], "tools": []any{tool}})
	}
	delete(v, "tools")
	paged, err := json.Marshal(append(pages, v))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"sorted": string(sorted), "ASCII": ascii, "paged": string(paged),
		"numbers": strings.NewReplacer("1e3", "1000.0", "0.5", "5e-1", "2.5", "25E-1", "9007199254740991", "9007199254740991.0").Replace(harbour),
		"escapes": strings.NewReplacer("Ferries", `\u0046erries`, "https://x", `https:\/\/x`).Replace(harbour)} {
		if got := document(t, read(t, content)); !bytes.Equal(got, want) {
			t.Errorf("%s: another document", name)
		}
	}
}

// TestEveryLeaf changes every leaf of every definition, one at a time, adds a
// member to every object and takes an element from every list: exactly the
// digests that cover the place change.
func TestEveryLeaf(t *testing.T) {
	var v map[string]any
	dec := json.NewDecoder(strings.NewReader(harbour))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	changes := 0
	for key, kind := range map[string]string{"tools": "tool", "prompts": "prompt", "resources": "resource", "resourceTemplates": "template"} {
		for _, def := range v[key].([]any) {
			digests := func() manifest.Digests {
				b, err := json.Marshal(def)
				if err != nil {
					t.Fatal(err)
				}
				d, err := manifest.ItemDigests(&analyzers.Item{Kind: kind, Definition: b})
				if err != nil {
					t.Fatal(err)
				}
				return d
			}
			want := digests()
			check := func(path []string, covered string) {
				t.Helper()
				changes++
				got := digests()
				changed := map[string]bool{"text": got.Text != want.Text, "schema": got.Schema != want.Schema, "annotations": got.Annotations != want.Annotations}
				for part, did := range changed {
					if did != (part == covered) {
						t.Errorf("%s %v: covered by %q, and the digest of %s changed: %v", kind, path, covered, part, did)
					}
				}
				if got.Whole == want.Whole {
					t.Errorf("%s %v: the whole keeps its digest", kind, path)
				}
			}
			mutate(def, kind, nil, check)
			if digests() != want {
				t.Fatalf("%s: the test has not undone its changes", kind)
			}
		}
	}
	if changes < 120 {
		t.Errorf("only %d changes", changes)
	}
}

// mutate makes every single change of v, calls check and undoes it: each leaf
// gets another value, another type, and is taken out; each object gets a member.
func mutate(v any, kind string, path []string, check func([]string, string)) {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			here := append(slices.Clone(path), key)
			if !leaf(child) {
				mutate(child, kind, here, check)
				continue
			}
			text, isString := child.(string)
			if isString {
				v[key] = text + "!"
				check(here, covers(kind, here, true))
			} else {
				v[key] = "other"
				check(here, covers(kind, here, false))
			}
			delete(v, key)
			check(here, covers(kind, here, isString))
			v[key] = child
		}
		here := append(slices.Clone(path), "new member")
		v["new member"] = json.Number("1")
		check(here, covers(kind, here, false))
		delete(v, "new member")
	case []any:
		for i, child := range v {
			here := append(slices.Clone(path), fmt.Sprint(i))
			if !leaf(child) {
				mutate(child, kind, here, check)
				continue
			}
			v[i] = "other"
			check(here, covers(kind, here, false))
			v[i] = child
		}
	}
}

func leaf(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

// covers says what Digests documents from the keys on the way alone, which is
// enough for this test's data.
func covers(kind string, path []string, isString bool) string {
	last := path[len(path)-1]
	text := isString && (last == "title" || last == "description" || last == "$comment")
	switch path[0] {
	case "title", "description":
		return "text"
	case "name":
		if kind == "resource" || kind == "template" {
			return "text"
		}
	case "inputSchema", "outputSchema", "arguments":
		if text {
			return "text"
		}
		return "schema"
	case "annotations":
		if text {
			return "text"
		}
		return "annotations"
	}
	return ""
}
