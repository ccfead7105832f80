package clientconfig_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/all"
	"github.com/sallyport-mcp/sallyport/analyzers/clientconfig"
)

var update = flag.Bool("update", false, "rewrite the want section of each fixture")

// TestFormats reads the fixture of every row of the table and compares what was
// understood.
func TestFormats(t *testing.T) {
	for _, client := range clientconfig.Clients() {
		t.Run(client, func(t *testing.T) {
			path := filepath.Join("..", "..", "fixtures", "clients", client+".txtar")
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatalf("every row needs a fixture: %v", err)
			}
			last := len(archive.Files) - 1
			tree, err := txtar.FS(&txtar.Archive{Files: archive.Files[:last]})
			if err != nil {
				t.Fatal(err)
			}
			c, err := analyzers.Load(context.Background(), analyzers.Tree{FS: tree, Exposure: analyzers.Project}, all.Analyzers(), analyzers.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			got := describe(c)
			if !strings.Contains(got, "client "+client+" ") {
				t.Errorf("the fixture's files were not read by row %s", client)
			}
			if *update {
				archive.Files[last].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if want := string(archive.Files[last].Data); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// describe says in lines what a catalog holds, with places.
func describe(c *analyzers.Catalog) string {
	var b strings.Builder
	for _, client := range c.Clients {
		fmt.Fprintf(&b, "client %s %s %s\n", client.Name, client.Scope, client.Source.Path)
		for _, s := range client.Servers {
			fmt.Fprintf(&b, "  server %s %s%s\n", at(s.Name), s.Transport, map[bool]string{true: " disabled"}[s.Disabled])
			if s.Launch != nil {
				for _, a := range s.Launch.Argv {
					fmt.Fprintf(&b, "    argv %s\n", at(a))
				}
			}
			for _, p := range s.Packages {
				fmt.Fprintf(&b, "    starts %s %s\n", p.PURL, p.Pin)
			}
			for _, i := range s.Images {
				fmt.Fprintf(&b, "    starts %s %s\n", i.PURL, i.Pin)
			}
			for _, u := range s.Remotes {
				fmt.Fprintf(&b, "    connects %s\n", at(u))
			}
			for _, v := range s.Env {
				fmt.Fprintf(&b, "    env %s\n", at(v.Name))
			}
			for _, v := range s.Headers {
				fmt.Fprintf(&b, "    header %s\n", at(v.Name))
			}
			settings(&b, "    ", s.Settings)
		}
		settings(&b, "  ", client.Settings)
		for _, h := range client.Hooks {
			fmt.Fprintf(&b, "  hook %s %s\n", h.Event, at(h.Command))
		}
		for _, r := range client.Repeats {
			fmt.Fprintf(&b, "  repeats %s in %q\n", at(r.Key), r.Path)
		}
	}
	for _, s := range c.Secrets {
		p := s.Text.Span.Begin()
		fmt.Fprintf(&b, "secret %s in %s %s at %d:%d\n", s.Kind, s.Where, s.Key, p.Line, p.Column)
	}
	for _, g := range c.Gaps {
		fmt.Fprintf(&b, "gap %s %s: %s\n", g.Path, g.Kind, g.Reason)
	}
	return b.String()
}

func settings(b *strings.Builder, indent string, all []analyzers.Setting) {
	for _, s := range all {
		fmt.Fprintf(b, "%sset %s = %s\n", indent, s.Path, at(s.Value))
	}
}

func at(t analyzers.Text) string {
	p := t.Span.Begin()
	return fmt.Sprintf("%q at %d:%d", t, p.Line, p.Column)
}

// FuzzAnalyze: no configuration makes an analyzer panic, and every place that
// it reports lies inside the file.
func FuzzAnalyze(f *testing.F) {
	files, _ := filepath.Glob("../../fixtures/clients/*.txtar")
	for _, name := range files {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files[:len(archive.Files)-1] {
			f.Add(file.Name, file.Data)
		}
	}
	f.Add(".mcp.json", []byte(`{"mcpServers":{"a":{"command":"n\u0070x","args":["\u0062","--token=\ud83d\ude00abcdefgh1234"]}}}`))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		for _, a := range clientconfig.Analyzers() {
			if a.Match(name) == analyzers.Ignored {
				continue
			}
			src := &analyzers.Source{Path: name, Bytes: content}
			var c analyzers.Catalog
			if err := a.Analyze(analyzers.File{Source: src, Exposure: analyzers.Project}, &c); err != nil {
				continue
			}
			inside := func(texts ...analyzers.Text) {
				for _, x := range texts {
					if s := x.Span; !s.IsZero() && (s.Start < 0 || s.Start > s.End || s.End > len(content)) {
						t.Fatalf("%s: %q at [%d,%d) of %d bytes", a.Name, x, s.Start, s.End, len(content))
					}
				}
			}
			for _, s := range c.Servers {
				inside(s.Name, s.Command, s.URL, s.Cwd)
				inside(s.Args...)
				inside(s.Remotes...)
				for _, v := range append(s.Env, s.Headers...) {
					inside(v.Name, v.Value)
				}
				if s.Launch != nil {
					inside(s.Launch.Inner...)
				}
			}
			for _, s := range c.Secrets {
				inside(s.Text)
			}
		}
	})
}
