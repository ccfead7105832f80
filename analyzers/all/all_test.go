package all_test

import (
	"context"
	"testing"
	"testing/fstest"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/all"
)

// TestSharedFiles: a document of an agent keeps the readers that know it by
// its notation, and a credential that two of them see is one.
func TestSharedFiles(t *testing.T) {
	token := "ghp_" + "Zk3vQ9xT1bN7mW5rL8cJ2hF6dS4gA0pYeUiO"
	block := "# Set-up\n```json\n{\"mcpServers\": {\"acme\": {\"command\": \"npx\", \"env\": {\"TOKEN\": \"" + token + "\"}}}}\n```\n"
	tree := fstest.MapFS{
		"AGENTS.md":           {Data: []byte(block)},
		"README.md":           {Data: []byte(block)},
		".github/agents/a.md": {Data: []byte("---\nname: a\nmcp-servers:\n  beta:\n    type: http\n    url: https://beta.example/mcp\n---\nText")},
	}
	c, err := analyzers.Load(context.Background(), analyzers.Tree{FS: tree, Exposure: analyzers.Project}, all.Analyzers(), analyzers.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	servers, secrets := map[string]string{}, map[string]int{}
	for _, s := range c.Servers {
		servers[s.ID] = s.Format
	}
	for _, s := range c.Secrets {
		secrets[s.Text.Span.Path()]++
	}
	for id, format := range map[string]string{"AGENTS.md#acme": "markdown", "README.md#acme": "markdown", ".github/agents/a.md#beta": "copilot-agent"} {
		if servers[id] != format {
			t.Errorf("%s: read by %q, want %q", id, servers[id], format)
		}
	}
	if len(c.Servers) != 3 || len(c.Gaps) != 0 {
		t.Errorf("%d servers, gaps %v", len(c.Servers), c.Gaps)
	}
	if secrets["AGENTS.md"] != 1 || secrets["README.md"] != 1 {
		t.Errorf("secrets: %v", secrets)
	}
}
