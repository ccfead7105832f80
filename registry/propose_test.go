package registry

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/all"
	"github.com/sallyport-mcp/sallyport/rules"
)

func catalogOf(t *testing.T, files map[string]string) *analyzers.Catalog {
	t.Helper()
	tree := fstest.MapFS{}
	for name, content := range files {
		tree[name] = &fstest.MapFile{Data: []byte(content)}
	}
	c, err := analyzers.Load(context.Background(), analyzers.Tree{FS: tree, Exposure: analyzers.Project}, all.Analyzers(), analyzers.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const capture = `{"serverInfo":{"name":"files"},"tools":[{"name":"read","description":"Reads a file.","inputSchema":{"type":"object"}}]}`

func propose(t *testing.T, content []byte, c *analyzers.Catalog, found ...rules.Finding) ([]byte, *Proposal) {
	t.Helper()
	d := mustParse(t, content)
	p := d.Propose(c, found)
	out, err := d.Apply(p.Edit)
	if err != nil {
		t.Fatal(err)
	}
	return out, p
}

func TestPropose(t *testing.T) {
	c := catalogOf(t, map[string]string{
		".mcp.json": `{"mcpServers": {
			"files": {"command": "npx", "args": ["-y", "@acme/files@1.2.3"]},
			"loose": {"command": "npx", "args": ["-y", "acme-loose"]},
			"web": {"type": "http", "url": "https://mcp.example.com/mcp"},
			"keyed": {"command": "npx", "args": ["-y", "x@1.0.0", "--token", "ghp_` + "wJ8sVq2mXc4Rb7Tn9Ky1Zd5Lf3Hg6Pa0Qe" + `Ub"]},
			"vars": {"type": "http", "url": "https://${HOST}/mcp"},
			"steered": {"command": "node", "args": ["s.js"], "env": {"PATH": "/opt/bin", "TOKEN": "x"}}}}`,
		".cursor/mcp.json":     `{"mcpServers": {"the files": {"command": "npx", "args": ["-y", "@acme/files@1.2.3"]}, "web": {"url": "https://other.example.com/mcp"}}}`,
		"files.json":           capture,
		"stranger.json":        strings.Replace(capture, "files", "stranger", 1),
		"docs/.mcp.json":       `{"mcpServers": {"example": {"command": "npx", "args": ["-y", "e@1.0.0"]}}}`,
		"examples/a/.mcp.json": `{"mcpServers": {"example": {"command": "npx", "args": ["-y", "e@1.0.0"]}}}`,
	})
	server := func(name string) *analyzers.Server {
		for _, s := range c.Servers {
			if s.Name.Raw() == name && s.Client != nil {
				return s
			}
		}
		t.Fatal(name)
		return nil
	}
	high := rules.Finding{Rule: &rules.Rule{ID: "some-rule", Covers: []string{"CFG-001"}}, Severity: rules.High, Server: "steered", Span: server("steered").Span}
	own := rules.Finding{Rule: &rules.Rule{ID: "unapproved-server", Covers: []string{"REG-001"}}, Severity: rules.Medium, Server: "files", Span: server("files").Span}
	first, p := propose(t, New("r.yaml").Bytes, c, high, own)
	var got []string
	for _, e := range p.Added {
		if e.Status != Quarantined || e.Decided() {
			t.Errorf("%s is decided by a proposal", e.ID)
		}
		got = append(got, e.ID+" "+e.Evidence.Suggestion)
	}
	if want := "the-files approve, web approve, loose review, web-2 approve, steered deny"; strings.Join(sorted(got), ", ") != strings.Join(sorted(strings.Split(want, ", ")), ", ") {
		t.Errorf("%v\n%s", got, first)
	}
	remarks := strings.Join(p.Remarks, "\n")
	for _, want := range []string{`"keyed": its command line holds a credential`, `"vars": a URL with a variable`, `"stranger" belongs to no declared server`, `docs files (2)`, `proposed as "web-2"`} {
		if !strings.Contains(remarks, want) {
			t.Errorf("no remark %q in\n%s", want, remarks)
		}
	}
	if strings.Contains(string(first), "ghp_") {
		t.Errorf("a credential is in the registry:\n%s", first)
	}
	d := mustParse(t, first)
	if e := d.Entry("the-files"); !strings.HasPrefix(e.Manifest.Digest, "sha256:") || e.Match.PURL != "pkg:npm/%40acme/files@1.2.3" || len(e.Evidence.Findings) != 0 {
		t.Errorf("%+v", e)
	}
	if e := d.Entry("steered"); len(e.Match.Env) != 1 || e.Match.Env[0] != "PATH" || e.Evidence.Findings[0] != "high some-rule" {
		t.Errorf("%+v", e)
	}

	// The same again changes nothing; another finding renews the proposal.
	second, p := propose(t, first, c, high)
	if !p.IsZero() || string(second) != string(first) {
		t.Errorf("the same proposal changes\n%s", strings.Join(lines(string(first), string(second)), "\n"))
	}
	third, p := propose(t, first, c)
	if len(p.Changed) != 1 || p.Changed[0].ID != "steered" || len(p.Added) != 0 {
		t.Errorf("%+v", p.Edit)
	}
	if third, p = propose(t, third, c); !p.IsZero() {
		t.Errorf("renewing twice changes\n%s", third)
	}
}

func sorted(list []string) []string {
	out := append([]string{}, list...)
	for i := range out {
		for j := i; j > 0 && out[j] < out[j-1]; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}

// TestDecisionsStay: no proposal changes what a person decided.
func TestDecisionsStay(t *testing.T) {
	files := map[string]string{".mcp.json": `{"mcpServers": {"files": {"command": "npx", "args": ["-y", "@acme/files@1.2.3"]}}}`, "files.json": capture}
	proposed, _ := propose(t, New("r.yaml").Bytes, catalogOf(t, files))
	bad := rules.Finding{Rule: &rules.Rule{ID: "some-rule", Covers: []string{"CFG-001"}}, Severity: rules.Critical, Server: "files"}
	changed := map[string]string{".mcp.json": files[".mcp.json"], "files.json": strings.Replace(capture, "Reads", "Reads and sends", 1)}
	c := catalogOf(t, changed)
	bad.Span = c.Servers[0].Span
	for name, ruling := range map[string]Ruling{
		"approved":         {Status: Approved},
		"denied":           {Status: Denied},
		"approved, expiry": {Status: Approved, Until: "2026-12-31"},
	} {
		ruling.ID, ruling.Approver, ruling.Reason, ruling.Today = "files", "alice", "read", today
		decided := rule(t, proposed, ruling)
		after, p := propose(t, decided, c, bad)
		if string(after) != string(decided) {
			t.Errorf("%s: the proposal changes\n%s", name, strings.Join(lines(string(decided), string(after)), "\n"))
		}
		if ruling.Status == Approved && (len(p.Remarks) != 1 || !strings.Contains(p.Remarks[0], "--digest sha256:")) {
			t.Errorf("%s: %q", name, p.Remarks)
		}
	}
	// A quarantine that somebody ordered is a decision, too.
	ordered := strings.Replace(string(proposed), "suggestion: approve", "approvedBy: alice", 1)
	if after, _ := propose(t, []byte(ordered), c, bad); string(after) != ordered {
		t.Errorf("an ordered quarantine is renewed:\n%s", after)
	}
	// One that nobody ordered follows what is seen.
	if _, p := propose(t, proposed, c, bad); len(p.Changed) != 1 || p.Changed[0].Evidence.Suggestion != "deny" || p.Changed[0].Status != Quarantined {
		t.Errorf("%+v", p)
	}
	// Another command line is another entry.
	other := catalogOf(t, map[string]string{".mcp.json": `{"mcpServers": {"files": {"command": "npx", "args": ["-y", "@acme/files@1.2.4"]}}}`})
	if _, p := propose(t, proposed, other); len(p.Added) != 1 || p.Added[0].ID != "files-2" {
		t.Errorf("%+v", p)
	}
	// A denial of every version covers what comes.
	denied := document("servers:\n  - {id: x, match: {purl: \"pkg:npm/%40acme/files\"}, status: denied}\n").Bytes
	if _, p := propose(t, denied, other); !p.IsZero() {
		t.Errorf("%+v", p)
	}
}

func TestObserve(t *testing.T) {
	c := catalogOf(t, map[string]string{
		".mcp.json":        `{"mcpServers": {"a": {"command": "npx", "args": ["a@1.0.0"]}, "b": {"command": "npx", "args": ["b@1.0.0"]}}}`,
		".cursor/mcp.json": `{"mcpServers": {"b": {"command": "npx", "args": ["b@2.0.0"]}}}`,
		"a.json":           strings.Replace(capture, "files", "a", 1),
		"b.json":           strings.Replace(capture, "files", "b", 1),
	})
	for _, o := range Observe(c) {
		switch {
		case o.Server.Client == nil && o.Identity.Name == "a" && o.Named():
			t.Error("the capture of a is not tied to its declaration")
		case o.Server.Client == nil && o.Identity.Name == "b" && !o.Named():
			t.Error("the capture of b is tied to one of two servers of that name")
		case o.Identity.Surface == "":
			t.Errorf("%s has no surface", o.Server.ID)
		}
	}
}
