package cases

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"go.yaml.in/yaml/v3"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

const doc = `apiVersion: sallyport/v1
kind: Registry
units: [{id: cards}]
roles: [{id: lead}]
servers:
  - {id: files, match: {argv: [npx, "-y", files@1.0.0]}, status: approved, tools: {deny: [drop]}}
`

func load(t testing.TB) *registry.Registry {
	t.Helper()
	reg, _, err := registry.Load(&analyzers.Source{Path: "r.yaml", Bytes: []byte(doc)}, "2026-11-22")
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

const head = "apiVersion: sallyport/v1\nkind: PolicyTest\ntoday: 2026-11-22\ncases:\n"

func parse(t testing.TB, body string) ([]*Case, error) {
	t.Helper()
	return Parse(&analyzers.Source{Path: "c.yaml", Bytes: []byte(body)}, load(t).Doc, "2020-01-01")
}

func TestParse(t *testing.T) {
	got, err := parse(t, head+`- {server: files, expect: allow}
- name: drop
  who: unit=cards,role=lead
  user: alice
  server: [npx, "-y", files@1.0.0]
  tool: drop
  arguments: {path: /srv, n: 2, deep: {list: [a, true]}}
  expect: deny
  rule: registry/files
`)
	if err != nil || len(got) != 2 {
		t.Fatal(err, got)
	}
	if c := got[0]; c.Name != "case 1" || c.Request.Action != policy.Connect || c.Request.Today != "2026-11-22" || !c.Allow {
		t.Errorf("%+v", c)
	}
	if c := got[1]; c.Request.Action != policy.CallTool || c.Request.Who.Unit != "cards" || len(c.Argv) != 3 || string(c.Request.Arguments) != `{"path":"/srv","n":2,"deep":{"list":["a",true]}}` {
		t.Errorf("%+v %s", c, c.Request.Arguments)
	}
	if d := got[1].Check(policy.Decision{Rule: "registry/files"}); d != nil {
		t.Error(d)
	}
	if d := got[1].Check(policy.Decision{Allowed: true}); strings.Join(d, "; ") != "decision: want deny, got allow; rule: want registry/files, got none" {
		t.Error(d)
	}
	for body, want := range map[string]string{
		"":                        "c.yaml:1:1",
		"apiVersion: v1\nkind: x": "begins with",
		head:                      "no cases",
		head + "- {server: files, expect: maybe}":                              "must expect allow or deny",
		head + "- {expect: allow}":                                             "names no server",
		head + "- {server: files, expect: allow, who: unit=nowhere}":           `5:34: the registry declares no unit "nowhere"`,
		head + "- {server: files, expect: allow, tol: x}":                      `unknown key "tol"`,
		head + "- {server: files, expect: allow, action: tools/cal, tool: x}":  `no action "tools/cal"`,
		head + "- {server: files, expect: allow, tool: x, arguments: [1]}":     "must be a map",
		head + "- {server: files, expect: allow, tool: x, target: y}":          "use one",
		head + "- {server: files, expect: allow, expect: deny}":                "twice",
		strings.Replace(head, "2026-11-22", "tomorrow", 1) + "- {server: a}\n": "must be a date",
	} {
		if _, err := parse(t, body); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", body, err, want)
		}
	}
}

func TestReplay(t *testing.T) {
	var got []string
	unread, err := Read(strings.NewReader(`{"decision":"start","direction":"shim","server":{"argv":["npx","-y","files@1.0.0"]},"who":{}}
not JSON

{"decision":"deny","direction":"client-to-server","method":"tools/call","name":"drop","rule":"unapproved-server","server":{"url":"https://x.example"},"who":{"unit":"cards","roles":["lead"]},"more":[1]}
{"decision":"hide","direction":"server-to-client","method":"tools/list","name":"drop","rule":"text/x"}
{"kind":"decision","decision":"allow","direction":"client-to-server","method":"made/up"}
{"seq":1}
{"kind":"checkpoint","seq":7}
`), func(r *Record) {
		q, ok := r.Request("2026-11-22")
		allowed, by := r.Recorded()
		id := r.Identity()
		got = append(got, strings.Join([]string{string(q.Action), q.Name, q.Who.Unit, id.URL, strings.Join(id.Argv, "+")}, " "))
		if ok != (r.Method != "made/up") || allowed != (r.Decision == "start" || r.Decision == "allow") || by != (r.Decision != "hide") {
			t.Errorf("%+v: %v %v %v", r, ok, allowed, by)
		}
	})
	want := "connect    npx+-y+files@1.0.0|tools/call drop cards https://x.example |tools/list drop   |    "
	if err != nil || unread != 2 || strings.Join(got, "|") != want {
		t.Errorf("%d %v %q", unread, err, strings.Join(got, "|"))
	}
	if _, err := Read(strings.NewReader(strings.Repeat("x", 2*maxLine)), func(*Record) {}); err == nil {
		t.Error("an endless line is read")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(head + "- {server: files, who: everyone, tool: x, arguments: {a: 1}, expect: deny, redact: [secrets]}\n"))
	f.Add([]byte("apiVersion: sallyport/v1\nkind: PolicyTest\ncases: [{server: [a], expect: allow}]"))
	reg := load(f)
	set, _, err := policy.Compile(reg)
	if err != nil {
		f.Fatal(err)
	}
	server := set.Server(registry.Command([]string{"npx", "-y", "files@1.0.0"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := Parse(&analyzers.Source{Path: "c.yaml", Bytes: b}, reg.Doc, "2026-11-22")
		if err != nil {
			return
		}
		for _, c := range list {
			c.Check(server.Decide(&c.Request))
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"decision":"deny","direction":"client-to-server","method":"tools/call","name":"x","who":{"roles":[]},"server":{"argv":["a"]}}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = Read(strings.NewReader(string(b)), func(r *Record) {
			r.Request("2026-11-22")
			r.Identity()
			r.Recorded()
		})
	})
}

// TestDocumented: the example of docs/policy.md follows the schema and is read.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	example, _, _ := strings.Cut(rest, "```")
	compiler := jsonschema.NewCompiler()
	compiler.LoadURL = func(string) (io.ReadCloser, error) { return os.Open("../../../docs/schema/policy-test.v1.schema.json") }
	schema, err := compiler.Compile("https://sallyport.dev/schema/policy-test.v1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := yaml.Unmarshal([]byte(example), &value); err != nil {
		t.Fatal(err)
	}
	// YAML's dates are texts to us.
	b, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	b = []byte(strings.ReplaceAll(string(b), "T00:00:00Z", ""))
	if err := json.Unmarshal(b, &value); err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Error(err)
	}
	example = strings.ReplaceAll(strings.ReplaceAll(example, "unit=payments", "unit=cards"), "role=intern", "role=lead")
	if list, err := parse(t, example); err != nil || len(list) != 3 {
		t.Error(err, list)
	}
}
