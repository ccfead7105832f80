package reg_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/all"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/reg"
)

var list = []*rules.Rule{&reg.ChangedServer, &reg.DeniedServer, &reg.DeniedTool, &reg.ExpiredApproval, &reg.QuarantinedServer, &reg.UnapprovedServer}

func catalog(t *testing.T, files map[string]string) *analyzers.Catalog {
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

func load(t *testing.T, servers string) *registry.Registry {
	t.Helper()
	content := "apiVersion: sallyport/v1\nkind: Registry\nunits: [{id: labs}]\nenvironments: [{id: dev}]\nservers:\n" + servers
	r, _, err := registry.Load(&analyzers.Source{Path: "r.yaml", Bytes: []byte(content)}, "2026-11-22")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func found(c *analyzers.Catalog, r *registry.Registry, who registry.Who) (out []string) {
	for _, f := range rules.Check(c, reg.Bind(list, r, who, "2026-11-22")) {
		out = append(out, fmt.Sprintf("%s %s %s", f.Severity, f.Rule.ID, f.Span.Path()))
	}
	return out
}

const capture = `{"serverInfo":{"name":"files"},"tools":[{"name":"read","description":"Reads a file.","inputSchema":{"type":"object"}}]}`

func TestUnbound(t *testing.T) {
	c := catalog(t, map[string]string{".mcp.json": `{"mcpServers": {"files": {"command": "npx", "args": ["a@1.0.0"]}}}`})
	if f := rules.Check(c, list); len(f) > 0 {
		t.Errorf("without a registry: %v", f)
	}
	if got := found(c, load(t, "  - {id: b, match: {purl: pkg:npm/b@1.0.0}, status: approved}\n"), registry.Who{}); len(got) != 1 {
		t.Error(got)
	}
	if f := rules.Check(c, list); len(f) > 0 {
		t.Errorf("binding changes the rules themselves: %v", f)
	}
}

func TestOnBehalfOf(t *testing.T) {
	c := catalog(t, map[string]string{".mcp.json": `{"mcpServers": {"a": {"command": "npx", "args": ["a@1.0.0"]}}}`})
	r := load(t, "  - {id: a, match: {purl: pkg:npm/a@1.0.0}, status: approved, units: [labs], environments: [dev]}\n")
	for _, test := range []struct {
		who  registry.Who
		want int
	}{{registry.Who{}, 1}, {registry.Who{Unit: "labs"}, 1}, {registry.Who{Unit: "labs", Environment: "dev"}, 0}} {
		if got := found(c, r, test.who); len(got) != test.want {
			t.Errorf("%s: %v", test.who, got)
		}
	}
}

func TestSurfaces(t *testing.T) {
	declared := `{"mcpServers": {"files": {"command": "npx", "args": ["a@1.0.0"]}}}`
	files := map[string]string{".mcp.json": declared, "files.json": capture}
	var digest string
	for _, o := range registry.Observe(catalog(t, files)) {
		digest = o.Identity.Surface
	}
	r := load(t, "  - {id: a, match: {purl: pkg:npm/a@1.0.0}, status: approved, manifest: {digest: \""+digest+"\"}}\n")
	changed := strings.Replace(capture, "Reads", "Sends", 1)
	for _, test := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"as reviewed", files, nil},
		{"without a capture", map[string]string{".mcp.json": declared}, nil},
		{"spelt otherwise", map[string]string{".mcp.json": declared, "files.json": strings.ReplaceAll(capture, ":", " : ")}, nil},
		{"changed", map[string]string{".mcp.json": declared, "files.json": changed}, []string{"high changed-server files.json"}},
		{"one of two captures changed", map[string]string{".mcp.json": declared, "files.json": capture, "new.json": changed}, []string{"high changed-server new.json"}},
		{"the capture alone, as reviewed", map[string]string{"files.json": capture}, nil},
		{"the capture alone, changed, under the entry's id", map[string]string{"a.json": strings.Replace(changed, `"files"`, `"a"`, 1)}, []string{"high changed-server a.json"}},
		{"the capture alone, of nobody", map[string]string{"files.json": changed}, []string{"medium unapproved-server files.json"}},
		{"no canonical form", map[string]string{".mcp.json": declared, "files.json": strings.Replace(capture, `"type":"object"`, `"type":"object","type":"array"`, 1)}, []string{"high changed-server files.json"}},
		{"in documentation", map[string]string{"docs/.mcp.json": strings.Replace(declared, "a@", "z@", 1)}, []string{"info unapproved-server docs/.mcp.json"}},
		{"denied or changed in documentation", map[string]string{"docs/.mcp.json": strings.Replace(declared, "1.0.0", "1.0.1", 1)}, []string{"medium changed-server docs/.mcp.json"}},
		{"the server's own server.json", map[string]string{"server.json": `{"name":"com.example/z","description":"z","version":"1.0.0","packages":[{"registryType":"npm","identifier":"z","version":"1.0.0","transport":{"type":"stdio"}}]}`}, nil},
	} {
		if got := found(catalog(t, test.files), r, registry.Who{}); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestDeniedTool(t *testing.T) {
	r := load(t, "  - {id: a, match: {purl: pkg:npm/a@1.0.0}, status: approved, tools: {allow: [read]}}\n")
	server := `{"mcpServers": {"a": {"command": "npx", "args": ["a@1.0.0"]%s}}}`
	for _, test := range []struct {
		files map[string]string
		want  int
	}{
		{map[string]string{".mcp.json": fmt.Sprintf(server, `, "alwaysAllow": ["read"]`)}, 0},
		{map[string]string{".mcp.json": fmt.Sprintf(server, `, "alwaysAllow": ["drop", "read", "wipe"]`)}, 2},
		{map[string]string{".mcp.json": fmt.Sprintf(server, `, "disabledTools": ["drop"]`)}, 0},
		{map[string]string{".mcp.json": fmt.Sprintf(server, ""), ".claude/settings.json": `{"permissions": {"allow": ["mcp__a__drop", "mcp__a__read", "mcp__b__drop", "Bash(ls:*)"], "deny": ["mcp__a__drop"]}}`}, 1},
		{map[string]string{".mcp.json": fmt.Sprintf(server, ""), ".claude/skills/x/SKILL.md": "---\nname: x\ndescription: Drops a table.\nallowed-tools: mcp__a__drop, Read\n---\nDrop it.\n"}, 1},
		// Two servers of one name: one of them may be meant.
		{map[string]string{".mcp.json": fmt.Sprintf(server, ""), ".cursor/mcp.json": `{"mcpServers": {"a": {"command": "npx", "args": ["z@1.0.0", "x"]}}}`, ".claude/settings.json": `{"permissions": {"allow": ["mcp__a__drop"]}}`}, 1},
	} {
		got := slices.DeleteFunc(found(catalog(t, test.files), r, registry.Who{}), func(f string) bool { return !strings.Contains(f, "denied-tool") })
		if len(got) != test.want {
			t.Errorf("%v: %q", test.files, got)
		}
	}
}
