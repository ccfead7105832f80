package observed_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/all"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/runtime/observed"
)

func raw(list ...string) (out []json.RawMessage) {
	for _, s := range list {
		out = append(out, json.RawMessage(s))
	}
	return out
}

func seen(t *testing.T, dir string) (*analyzers.Catalog, []registry.Observed) {
	t.Helper()
	c, err := analyzers.Load(context.Background(), analyzers.Tree{FS: os.DirFS(dir), Exposure: analyzers.Project}, all.Analyzers(), analyzers.Limits{})
	if err != nil || len(c.Gaps) > 0 {
		t.Fatal(err, c.Gaps)
	}
	return c, registry.Observe(c)
}

const (
	readFile = `{"name":"read_file","description":"Reads a file.","inputSchema":{"type":"object","properties":{"n":{"maximum":1e2}}}}`
	list     = `{"name":"list","description":"Lists.","inputSchema":{"type":"object"}}`
)

// TestSave: what was saved is what a proposal is made of, name by name.
func TestSave(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "observed")
	instructions := "Ask before writing."
	s := observed.Server{
		Name: "test template", Argv: []string{"npx", "-y", "@acme/files@1.2.3"}, Env: []string{"B_TOKEN", "A"},
		Tools: raw(readFile, list), Instructions: &instructions, ServerInfo: json.RawMessage(`{"name":"other","version":"1"}`),
	}
	if err := observed.Save(dir, s); err != nil {
		t.Fatal(err)
	}
	other := observed.Server{Name: s.Name, Argv: []string{"npx", "-y", "@acme/files@1.2.4"}, Tools: raw(list)}
	remote := observed.Server{Name: "web", URL: "https://mcp.example.com/v1", Tools: raw(), Prompts: raw(`{"name":"p","description":"d"}`)}
	if err := errors.Join(observed.Save(dir, other), observed.Save(dir, remote)); err != nil {
		t.Fatal(err)
	}
	c, got := seen(t, dir)
	if len(got) != 3 || len(c.Clients) != 3 {
		t.Fatalf("%d servers, %d clients", len(got), len(c.Clients))
	}
	for _, o := range got {
		if o.Identity.Surface == "" || o.Problem != "" || o.Server.Exposure != analyzers.Project {
			t.Errorf("%s: %q %q %s", o.Server.Name, o.Identity.Surface, o.Problem, o.Server.Exposure)
		}
	}
	path := filepath.Join(dir, observed.FileName(s))
	before, err := os.Stat(path)
	if err != nil || before.Mode().Perm() != 0o600 {
		t.Fatal(before, err)
	}

	// Another order, other white space, a part that was not asked for: the
	// same file, not even written again.
	s.Tools, s.Instructions = raw(" "+list+"\n", readFile), nil
	if err := observed.Save(dir, s); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Error("the file was written again", err)
	}
	// A change replaces it, and a half one is written anew.
	s.Tools = raw(list)
	if err := observed.Save(dir, s); err != nil {
		t.Fatal(err)
	}
	if c, _ := seen(t, dir); len(c.Servers) != 3 {
		t.Error(len(c.Servers))
	}
	if err := os.WriteFile(path, []byte(`{"mcpServers":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := observed.Save(dir, s); err != nil {
		t.Fatal(err)
	}
	if _, got := seen(t, dir); len(got) != 3 {
		t.Error(len(got))
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

// TestDigest: the digest is that of the capture with the same definitions.
func TestDigest(t *testing.T) {
	saved, plain := t.TempDir(), t.TempDir()
	if err := observed.Save(saved, observed.Server{Name: "files", Argv: []string{"files"}, Tools: raw(readFile, list)}); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		".mcp.json":  `{"mcpServers":{"files":{"command":"files"}}}`,
		"files.json": `{"tools":[` + readFile + "," + list + `]}`,
	} {
		if err := os.WriteFile(filepath.Join(plain, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, a := seen(t, saved)
	_, b := seen(t, plain)
	if len(a) != 1 || len(b) != 2 || a[0].Identity.Surface != b[0].Identity.Surface || !a[0].Identity.Same(b[0].Identity) {
		t.Errorf("%+v\n%+v", a, b)
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	token := "ghp_" + "Zq3Rk8Vt1Xw6Yb2Nc7Md4Lf9Ks5Jh0Pg1T2u"
	for _, s := range []observed.Server{
		{Name: "a", Argv: []string{"x", "--token=" + token}},
		{Name: "a", URL: "https://user:" + token + "@example.com/"},
	} {
		if err := observed.Save(dir, s); !errors.Is(err, observed.ErrCredential) {
			t.Error(err)
		}
	}
	for _, s := range []observed.Server{{Name: "a"}, {Name: "a", Argv: []string{"x"}, Tools: raw("{")}} {
		if err := observed.Save(dir, s); err == nil {
			t.Error("saved", s)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Error(left)
	}
}
