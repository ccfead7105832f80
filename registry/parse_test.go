package registry

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"go.yaml.in/yaml/v3"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

func full(t testing.TB) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestParse(t *testing.T) {
	r, problems, err := Load(&analyzers.Source{Path: "full.yaml", Bytes: full(t)}, today)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if p.Level != Note {
			t.Error(p)
		}
	}
	e := r.Doc.Entry("files")
	if e == nil || e.Evidence.Until != "2027-11-02" || *e.Evidence.Score != 87 || e.Limits.Seconds != 30 || len(e.Match.Argv) != 4 ||
		e.Evidence.Reason != "Read the code\nof this version.\n" || e.Zone != "internal" || len(r.Doc.Servers) != 4 || len(r.Doc.Units) != 3 {
		t.Errorf("%+v", e)
	}
	if encoded, err := json.Marshal(e); err != nil || !bytes.Contains(encoded, []byte(`"limits":{"callsPerMinute":60`)) {
		t.Errorf("%s %v", encoded, err)
	}
}

var hex64 = strings.Repeat("0a", 32)

// bad is documents that are refused, with where and why. The schema refuses
// those that are marked, too.
var bad = []struct {
	body   string
	want   string
	schema bool
}{
	{"servers: 1", `3:1: "servers" must be a list`, true},
	{"server: []", `3:1: unknown key "server" in the registry`, true},
	{"servers: []\nservers: []", `4:1: key "servers" stands twice`, false},
	{"servers: [x]", `3:11: a server is a map`, true},
	{"servers: [{id: a}]", `3:11: server "a" needs a match`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a@1.0.0}}]", `needs a status`, true},
	{"servers: [{match: {purl: pkg:npm/a@1.0.0}, status: denied}]", `3:11: a server needs an id`, true},
	{"servers: [{id: 'a b', match: {purl: pkg:npm/a}, status: denied}]", `3:12: "id" must be letters`, true},
	{"servers: [{id: a, match: {name: a}, status: denied}]", `3:27: unknown key "name" in match`, true},
	{"servers: [{id: a, match: {}, status: denied}]", `a name alone pins nothing`, true},
	{"servers: [{id: a, match: {env: [PATH]}, status: denied}]", `a name alone pins nothing`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: aproved}]", `3:45: "status" must be one of: approved, denied, quarantined`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: approved}]", `exact version`, false},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, colour: red}]", `unknown key "colour" in a server`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, tools: {alow: []}}]", `unknown key "alow" in tools`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, tools: {dispatch: [{tool: x}]}}]", `needs either the argument`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, tools: {dispatch: [{name: x}]}}]", `needs the tool`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, tools: {dispatch: [{tool: x, name: n, code: c}]}}]", `needs either the argument`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, tools: {dispatch: [{tool: x, code: c, arguments: a}]}}]", `belongs to a name`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, tools: {dispatch: [{tool: x, name: a.n, arguments: b.v}]}}]", `stand beside each other`, false},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, tools: {dispatch: [{tool: x, name: n}, {tool: x, name: m}]}}]", `stands twice under dispatch`, false},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, units: []}]", `"units" is empty`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, units: [x]}]", `names the unit "x", which is not declared under units`, false},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, zone: x}]", `names the zone "x"`, false},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, manifest: {digest: abc}}]", `must be "sha256:"`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, manifest: {path: x}}]", `a manifest needs its digest`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, limits: {seconds: -1}}]", `whole number`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, limits: {seconds: '3'}}]", `whole number`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, evidence: {until: 2026-02-30}}]", `must be a date`, false},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, evidence: {until: tomorrow}}]", `must be a date`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, evidence: {score: 101}}]", `0 to 100`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied, evidence: {findings: [bad]}}]", `SEVERITY RULE`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a}, status: denied}, {id: a, match: {purl: pkg:npm/b}, status: denied}]", `the id "a" stands twice`, false},
	{"units: [{id: a, parent: b}]", `has the parent "b", which is not declared`, false},
	{"units: [{id: a, parent: b}, {id: b, parent: a}]", `lead back`, false},
	{"units: [{id: a, parent: a}]", `lead back`, false},
	{"units: [{id: a}, {id: a}]", `id "a" stands twice`, false},
	{"projects: [{id: p, unit: u}]", `belongs to the unit "u"`, false},
	{"servers: [{id: a, match: {argv: [x], fileSha256: abc}, status: denied}]", `64 lower-case hexadecimal digits`, true},
	{"servers: [{id: a, match: {url: 'https://a.example/', fileSha256: " + hex64 + "}, status: denied}]", `write argv, too`, false},
	{"servers: [{id: a, match: {purl: pkg:npm/a@1.0.0, scriptSha256: " + hex64 + "}, status: denied}]", `write argv, too`, false},
	{"servers: [{id: a, match: {image: a, integrity: ['sha256:" + hex64 + "']}, status: quarantined}]", `write one of them, too`, false},
	{"servers: [{id: a, match: {purl: pkg:npm/a, integrity: ['sha256:" + hex64 + "']}, status: denied}]", `would come too late`, false},
	{"servers: [{id: a, match: {purl: pkg:npm/a, integrity: [sha1-abc]}, status: quarantined}]", `64 bytes in base64`, true},
	{"servers: [{id: a, match: {purl: pkg:npm/a, integrity: []}, status: quarantined}]", `"integrity" is empty`, true},
	{"name: &n Acme\nroles: [{id: r, description: *n}]", `aliases and merge keys are not read`, false},
	{"servers:\n  - &a {id: a, match: {purl: pkg:npm/a}, status: denied}\n  - {<<: *a, id: b}", `aliases and merge keys`, false},
	{"name: [", `malformed`, false},
	{"name: true", `must be text`, true},
}

func TestRefused(t *testing.T) {
	for _, test := range bad {
		_, err := Parse(document(test.body))
		if err == nil || !strings.HasPrefix(err.Error(), "r.yaml:") {
			t.Errorf("%s: %v", test.body, err)
		} else if test.want != "malformed" && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.body, err, test.want)
		}
	}
	for _, head := range []string{"", "apiVersion: sallyport/v1\n", "kind: Registry\n", "apiVersion: sallyport/v2\nkind: Registry\n", "- a\n", "x"} {
		if _, err := Parse(&analyzers.Source{Path: "r.yaml", Bytes: []byte(head)}); err == nil {
			t.Errorf("%q is a registry", head)
		}
	}
}

// TestSchema holds documents and schema together: what one refuses the other
// does, where a schema can say it.
func TestSchema(t *testing.T) {
	c := jsonschema.NewCompiler()
	c.Draft = jsonschema.Draft2020
	schema, err := c.Compile("../docs/schema/registry.v1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(content []byte) error {
		var doc yaml.Node
		if err := yaml.Unmarshal(content, &doc); err != nil {
			return err
		}
		untimed(&doc)
		var v any
		if err := doc.Decode(&v); err != nil {
			return err
		}
		encoded, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(encoded, &v); err != nil {
			return err
		}
		return schema.Validate(v)
	}
	if err := validate(full(t)); err != nil {
		t.Errorf("%#v", err)
	}
	for _, test := range bad {
		if err := validate(document(test.body).Bytes); test.schema && err == nil {
			t.Errorf("the schema accepts %s", test.body)
		}
	}
	d, err := Parse(New("r.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(d.Source.Bytes); err != nil {
		t.Error(err)
	}
	// Every key of the documentation's order is known to the schema.
	for _, e := range mustParse(t, full(t)).Servers {
		out, err := d.Apply(Edit{Added: []*Entry{{ID: e.ID, Name: e.Name, Description: e.Description, Transport: e.Transport, Match: e.Match, Status: e.Status,
			Manifest: e.Manifest, Tools: e.Tools, Limits: e.Limits, Redaction: e.Redaction, Evidence: e.Evidence}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(out); err != nil {
			t.Errorf("%#v\n%s", err, out)
		}
	}
}

// untimed makes dates texts, as our reader does.
func untimed(n *yaml.Node) {
	if n.Tag == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, c := range n.Content {
		untimed(c)
	}
}

func mustParse(t testing.TB, content []byte) *Document {
	t.Helper()
	d, err := Parse(&analyzers.Source{Path: "r.yaml", Bytes: content})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestValidDate(t *testing.T) {
	for _, good := range []string{"2026-11-22", "2024-02-29", "2000-02-29"} {
		if !ValidDate(good) {
			t.Error(good)
		}
	}
	for _, bad := range []string{"", "2026-13-01", "2026-00-01", "2026-04-31", "2026-02-29", "1900-02-29", "2026-1-1", "26-01-01", "2026-01-01T00:00:00Z"} {
		if ValidDate(bad) {
			t.Error(bad)
		}
	}
}
