package registry

import (
	"slices"
	"strings"
	"testing"
)

// TestDispatch: what an entry says of tools that call others comes through
// editing and compiling, and is proposed where schemas say so.
func TestDispatch(t *testing.T) {
	want := []Dispatch{{Tool: "do", Name: "calls.tool", Arguments: "calls.args"}, {Tool: "run", Code: "js"}}
	d := mustParse(t, New("r.yaml").Bytes)
	out, err := d.Apply(Edit{Added: []*Entry{{ID: "a", Match: Match{PURL: "pkg:npm/a@1.0.0"}, Status: Denied, Tools: Tools{Deny: []string{"x"}, Dispatch: want}}}})
	if err != nil {
		t.Fatal(err)
	}
	d = mustParse(t, out)
	if got := d.Servers[0].Tools.Dispatch; !slices.Equal(got, want) {
		t.Errorf("%+v in %s", got, out)
	}
	if b, err := d.Servers[0].MarshalJSON(); err != nil || !strings.Contains(string(b), `"dispatch":[{"arguments":"calls.args","name":"calls.tool","tool":"do"},{"code":"js","tool":"run"}]`) {
		t.Errorf("%s, %v", b, err)
	}
	reg, _ := Compile(d, today)
	if got := mustLoadCompiled(t, compiled(t, reg, nil), Trust{Now: now}).Doc.Servers[0].Tools.Dispatch; !slices.Equal(got, want) {
		t.Errorf("compiled: %+v", got)
	}

	_, p := propose(t, New("r.yaml").Bytes, catalogOf(t, map[string]string{
		".mcp.json":  `{"mcpServers": {"files": {"command": "npx", "args": ["-y", "@acme/files@1.2.3"]}}}`,
		"files.json": `{"serverInfo":{"name":"files"},"tools":[{"name":"call_tool","description":"Calls a tool.","inputSchema":{"type":"object","properties":{"name":{"type":"string"},"arguments":{"type":"object"}}}},{"name":"read","description":"Reads a file.","inputSchema":{"type":"object"}}]}`,
	}))
	if len(p.Added) != 1 || !slices.Equal(p.Added[0].Tools.Dispatch, []Dispatch{{Tool: "call_tool", Name: "name", Arguments: "arguments"}}) {
		t.Errorf("%+v", p.Added)
	}
}
