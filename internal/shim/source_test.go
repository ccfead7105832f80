package shim

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	captures "github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/manifest"
)

// manifestOf is a manifest of the capture of one tool.
func manifestOf(t *testing.T, name, description string) (content []byte, digest string) {
	t.Helper()
	shown := fmt.Sprintf(`{"serverInfo":{"name":%q},"tools":[{"name":"tides","description":%q,"inputSchema":{"type":"object"}}]}`, name, description)
	var c analyzers.Catalog
	if err := captures.Analyzer().Analyze(analyzers.File{Source: &analyzers.Source{Path: "capture.json", Bytes: []byte(shown)}}, &c); err != nil {
		t.Fatal(err)
	}
	m, err := manifest.New(manifest.Options{
		Server: manifest.Server{Name: name}, Surface: &c.Servers[0].Surface, Serial: 1,
		Issued: time.Now().UTC().Format(time.RFC3339), Expires: time.Now().UTC().AddDate(1, 0, 0).Format(time.RFC3339),
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b, "sha256:" + m.Predicate.Surface
}

// TestSource: what all servers share is read and looked at once; a manifest of
// one brings a guard for that one alone.
func TestSource(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	doc := "apiVersion: sallyport/v1\nkind: Registry\nname: test\nservers:\n"
	servers := []string{}
	for _, name := range []string{"east", "west"} {
		content, digest := manifestOf(t, name, "Returns the tides in the "+name+".")
		write(t, at(name+".manifest.json"), string(content))
		doc += fmt.Sprintf("  - id: %s\n    status: approved\n    match: {argv: [%q, %s]}\n    manifest: {digest: %q}\n    evidence: {approvedBy: a, approvedAt: \"2026-01-01\", reason: read}\n", name, os.Args[0], name, digest)
		servers = append(servers, fmt.Sprintf("%q:{\"command\":%q,\"args\":[%q]}", name, os.Args[0], name))
	}
	write(t, at("registry.yaml"), doc)
	write(t, at(".mcp.json"), `{"mcpServers":{`+strings.Join(servers, ",")+`}}`)
	var log strings.Builder
	o, err := parse([]string{"--registry", at("registry.yaml"), "--servers", at(".mcp.json")}, World{Stderr: &log})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	src := newSource(o, World{}, say)
	if err := src.load(time.Now()); err != nil {
		t.Fatal(err)
	}
	found := manifests{}
	for _, each := range o.several {
		s, err := each.prepare(src, found, say)
		if err != nil {
			t.Fatal(err)
		}
		defer s.exe.Close()
		if s.guard.Fault != nil || s.guard.Manifest == nil {
			t.Fatal(s.guard.Fault)
		}
	}
	if len(found) != 2 {
		t.Errorf("%d manifests were read; want each once", len(found))
	}
	// looked is what comes of so many looks: for each server "", its manifest's
	// name, or the rule of a fault.
	looked := func(times int) string {
		for range times {
			src.look(time.Now())
		}
		var out []string
		for _, a := range src.servers {
			select {
			case g := <-a.guards:
				if g.Fault != nil {
					out = append(out, g.Fault.Rule)
				} else {
					out = append(out, g.Manifest.Predicate.Server.Name)
				}
			default:
				out = append(out, "-")
			}
		}
		return strings.Join(out, " ")
	}
	now := time.Now()
	touch := func(name string) {
		now = now.Add(time.Minute)
		if err := os.Chtimes(at(name), now, now); err != nil {
			t.Fatal(err)
		}
	}
	want := func(what string, times int, want string) {
		t.Helper()
		if got := looked(times); got != want {
			t.Errorf("%s: %s; want %s\n%s", what, got, want, strings.Join(said, "\n"))
		}
		said = nil
	}
	want("nothing", 1, "- -")
	touch("west.manifest.json")
	want("one manifest", 1, "- west")
	touch("registry.yaml")
	want("the registry", 1, "east west")

	content, _ := os.ReadFile(at("east.manifest.json"))
	write(t, at("east.manifest.json"), "half")
	want("in the middle of being written", patience, "- -")
	write(t, at("east.manifest.json"), string(content))
	want("written", 1, "east -")
	other, _ := manifestOf(t, "east", "Returns the weather.")
	write(t, at("east.manifest.json"), string(other))
	want("of another surface", patience+1, "untrusted-manifest -")

	write(t, at("registry.yaml"), "servers: ][")
	want("a broken registry", patience, "- -")
	want("a broken registry", 1, "shim/registry shim/registry")
	want("still", 3, "- -")
	write(t, at("registry.yaml"), doc)
	write(t, at("east.manifest.json"), string(content))
	src.look(now)
	if len(said) != 1 || !strings.Contains(said[0], "has changed, and counts") {
		t.Error(said)
	}
	want("mended", 0, "east west")
}

// TestRevocationOfSeveral: one look at the registry stops every server that runs.
func TestRevocationOfSeveral(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("capture.json"), capture)
	argv := []string{os.Args[0], at("capture.json")}
	write(t, at("registry.yaml"), document(argv, "approved"))
	write(t, at(".mcp.json"), fmt.Sprintf(`{"mcpServers":{"east":{"command":%[1]q,"args":[%[2]q]},"west":{"command":%[1]q,"args":[%[2]q]}}}`, argv[0], argv[1]))
	r := start(t, "--registry", at("registry.yaml"), "--servers", at(".mcp.json"), "--state", at("state"), "--quiet")
	refused := func(server string) bool {
		id := fmt.Sprintf(`"id":%d,`, r.id+1)
		line := r.call(fmt.Sprintf(`"tools/call","params":{"name":"%s__tides","arguments":{}}`, server))
		for !strings.Contains(line, id) { // news of what is gone
			var err error
			if line, err = r.out.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		return strings.Contains(line, "it leaks")
	}
	if refused("east") || refused("west") {
		t.Fatal("refused from the start")
	}
	write(t, at("registry.yaml"), document(argv, "denied"))
	for _, server := range []string{"east", "west"} {
		for end := time.Now().Add(20 * time.Second); !refused(server); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s still answers", server)
			}
		}
	}
}
