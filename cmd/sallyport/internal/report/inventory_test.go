package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

func declared(path, name string, change func(*analyzers.Server)) *analyzers.Server {
	src := &analyzers.Source{Path: path, Bytes: []byte("{}")}
	s := &analyzers.Server{Name: analyzers.Text{Value: analyzers.Untrusted(name)}, Client: &analyzers.Client{Source: src}, Exposure: analyzers.Project, Span: src.Span(0, 2)}
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
			fmt.Fprintln(&b, len(g.Repositories), g.Identity, g.Names, g.Unapproved)
		}
		return b.String()
	}
	const plain = `3 https://mail.example/mcp [mail] false
2 pkg:npm/%40acme/files [files fs] false
1 image registry.example/box [box] false
1 node server.js [own] false
`
	if got := show(Inventory(organisationCatalog(), of, nil)); got != plain {
		t.Errorf("without a registry:\n%s\nwant\n%s", got, plain)
	}
	shadow := func(s *analyzers.Server) bool { return s.Name.Raw() == "own" || s.Name.Raw() == "fs" }
	const first = `2 pkg:npm/%40acme/files [files fs] true
1 node server.js [own] true
3 https://mail.example/mcp [mail] false
1 image registry.example/box [box] false
`
	if got := show(Inventory(organisationCatalog(), of, shadow)); got != first {
		t.Errorf("with a registry:\n%s\nwant\n%s", got, first)
	}
}

// The text says it when an organisation was scanned, and else nothing new.
func TestInventoryText(t *testing.T) {
	repositories := []Target{{"github:acme/api", "github", ""}, {"github:acme/ops", "github", ""}, {"github:acme/web", "github", ""}}
	write := func(targets []Target, shadow func(*analyzers.Server) bool) string {
		var b bytes.Buffer
		if err := writeText(&b, Build(Input{Targets: targets, Catalog: organisationCatalog(), Unapproved: shadow}), Options{}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	organisation := append([]Target{{"github-org:acme", "github-org", ""}}, repositories...)
	got := write(organisation, nil)
	if !strings.Contains(got, "servers by how many repositories declare them, of 3 read:\n     3  https://mail.example/mcp (mail)\n") || strings.Contains(got, "secret") {
		t.Error(got)
	}
	if got := write(organisation, func(*analyzers.Server) bool { return true }); !strings.Contains(got, "unapproved ones first") || !strings.Contains(got, "(mail) [not approved]\n") {
		t.Error(got)
	}
	for _, targets := range [][]Target{repositories, nil} {
		if got := write(targets, nil); strings.Contains(got, "repositories") {
			t.Error(got)
		}
	}
}
