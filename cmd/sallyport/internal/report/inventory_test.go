package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

func declared(path, name string, change func(*analyzers.Server)) *analyzers.Server {
	src := &analyzers.Source{Path: path, Bytes: []byte("{}")}
	s := &analyzers.Server{Name: analyzers.Text{Value: analyzers.Untrusted(name)}, Client: &analyzers.Client{Name: "cursor", Source: src}, Exposure: analyzers.Project, Span: src.Span(0, 2)}
	change(s)
	return s
}

func launches(purl string) func(*analyzers.Server) {
	return func(s *analyzers.Server) {
		s.Launch = &analyzers.Launch{Packages: []analyzers.PackageRef{{PURL: purl}}}
	}
}

func text(words ...string) (out []analyzers.Text) {
	for _, w := range words {
		out = append(out, analyzers.Text{Value: analyzers.Untrusted(w)})
	}
	return out
}

func organisationCatalog() *analyzers.Catalog {
	asks := func(u string) func(*analyzers.Server) {
		return func(s *analyzers.Server) { s.URL = text(u)[0] }
	}
	return &analyzers.Catalog{Servers: []*analyzers.Server{
		declared("acme/web/.mcp.json", "files", launches("pkg:npm/%40acme/files@1.0.0")),
		declared("acme/api/.mcp.json", "files", launches("pkg:npm/%40acme/files@1.2.0")),
		declared("acme/api/.cursor/mcp.json", "fs", launches("pkg:npm/%40acme/files")),
		declared("acme/ops/.mcp.json", "mail", asks("https://Mail.example/mcp?key=secret")),
		declared("acme/api@0123456789ab/.mcp.json", "mail", asks("https://user:pw@mail.example/mcp")),
		declared("acme/web/.mcp.json", "mail", asks("https://mail.example/mcp")),
		declared("acme/web/.mcp.json", "own", func(s *analyzers.Server) { s.Command, s.Args = text("node")[0], text("server.js") }),
		declared("acme/web/.mcp.json", "box", func(s *analyzers.Server) {
			s.Launch = &analyzers.Launch{Images: []analyzers.ImageRef{{Repository: "registry.example/box", Tag: "1"}}}
		}),
		declared("acme/web/docs/.mcp.json", "example", func(s *analyzers.Server) { s.Exposure = analyzers.Docs; s.Command = text("x")[0] }),
		declared("here/.mcp.json", "local", func(s *analyzers.Server) { s.Command = text("y")[0] }),
	}}
}

func TestInventory(t *testing.T) {
	of := func(path string) string {
		parts := strings.Split(path, "/")
		name, _, _ := strings.Cut(parts[1], "@")
		return map[bool]string{true: parts[0] + "/" + name}[parts[0] == "acme"]
	}
	show := func(groups []Group) string {
		var b strings.Builder
		for _, g := range groups {
			fmt.Fprintln(&b, len(g.Repositories), g.Identity, g.Names, g.Approval)
		}
		return b.String()
	}
	const plain = `3 https://mail.example/mcp [mail] 
2 pkg:npm/%40acme/files [files fs] 
1 image registry.example/box [box] 
1 node server.js [own] 
`
	if got := show(Inventory(organisationCatalog(), of, nil)); got != plain {
		t.Errorf("without a registry:\n%s\nwant\n%s", got, plain)
	}
	// With one, what is in no repository counts, too; a group stands as the
	// worst of its declarations.
	const first = `2 pkg:npm/%40acme/files [files fs] unapproved
1 node server.js [own] unapproved
1 image registry.example/box [box] denied
3 https://mail.example/mcp [mail] approved
0 y [local] approved
`
	if got := show(Inventory(organisationCatalog(), of, standing)); got != first {
		t.Errorf("with a registry:\n%s\nwant\n%s", got, first)
	}
}

func standing(s *analyzers.Server) string {
	switch s.Name.Raw() {
	case "own", "fs":
		return "unapproved"
	case "box":
		return "denied"
	}
	return "approved"
}

// The text says it when an organisation was scanned or a registry asked, and
// else nothing new; so do the other outputs for people.
func TestInventoryWritten(t *testing.T) {
	repositories := []Target{{"github:acme/api", "github", ""}, {"github:acme/ops", "github", ""}, {"github:acme/web", "github", ""}}
	write := func(format func(io.Writer, *Report, Options) error, targets []Target, standing func(*analyzers.Server) string) string {
		var b bytes.Buffer
		if err := format(&b, Build(Input{Targets: targets, Catalog: organisationCatalog(), Standing: standing}), Options{}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	organisation := append([]Target{{"github-org:acme", "github-org", ""}}, repositories...)
	got := write(writeText, organisation, nil)
	if !strings.Contains(got, "\nservers by how many repositories declare them, of 3 read:\n     3  https://mail.example/mcp (mail)\n") || strings.Contains(got, "secret") || strings.Contains(got, "approved") {
		t.Error(got)
	}
	const refused = `servers that nobody approved, with who uses them:
  unapproved   pkg:npm/%40acme/files (files, fs): cursor; acme/api, acme/web
  unapproved   node server.js (own): cursor; acme/web
  denied       image registry.example/box (box): cursor; acme/web
`
	if got := write(writeText, organisation, standing); !strings.Contains(got, refused+"the other servers by how many repositories declare them, of 3 read:\n     3  https://mail.example/mcp (mail)\n") {
		t.Error(got)
	}
	if got := write(writeText, repositories, standing); !strings.HasSuffix(got, refused) {
		t.Error(got)
	}
	if got := write(writeMarkdown, nil, standing); !strings.Contains(got, "### Servers that nobody approved\n\n| Registry | Server | Declared as | Used by |\n|---|---|---|---|\n| unapproved | `node server.js` | `own` | cursor |\n| unapproved | `pkg:npm/%40acme/files` | `files, fs` | cursor |\n") {
		t.Error(got)
	}
	page := write(writeHTML, nil, standing)
	if at, findings := strings.Index(page, `<tr><td>unapproved</td><th scope="row"><code>pkg:npm/%40acme/files</code></th><td><code>files, fs</code></td><td>cursor</td></tr>`), strings.Index(page, "<h2>Findings"); at < 0 || at > findings {
		t.Error(page)
	}
	r := Build(Input{Targets: organisation, Catalog: organisationCatalog(), Standing: standing})
	for _, want := range []Edge{{"acme/api", "pkg:npm/%40acme/files", "uses"}, {"acme/web", "pkg:npm/%40acme/files", "uses"}, {"cursor", "node server.js", "uses"}} {
		if !slices.Contains(r.Catalog.Edges, want) {
			t.Errorf("no edge %v among %v", want, r.Catalog.Edges)
		}
	}
	for _, targets := range [][]Target{repositories, nil} {
		if got := write(writeText, targets, nil); strings.Contains(got, "repositories") || strings.Contains(got, "approved") {
			t.Error(got)
		}
	}
}
