package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/statement"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/rules/drift"
)

// manifestCommands is every sub-command of manifest, in the order of the help:
// generate and diff have a file each, what needs Sigstore is in seal.go.
var manifestCommands = []func(*program) *cli.Command{
	manifestGenerateCommand,
	manifestDiffCommand,
	manifestSignCommand,
	manifestVerifyCommand,
	manifestAttachCommand,
	manifestFetchCommand,
}

func manifestCommand(p *program) *cli.Command {
	c := &cli.Command{
		Name:  "manifest",
		Usage: "write down what a server shows, sign it, and say what has changed since",
		Description: `A manifest is an in-toto statement about everything that a server shows to a model, with digests of the whole and
of its parts. docs/schema/manifest.v1.schema.json describes it.`,
	}
	for _, command := range manifestCommands {
		c.Subcommands = append(c.Subcommands, command(p))
	}
	c.Action = func(ctx *cli.Context) error {
		var names []string
		for _, sub := range c.Subcommands {
			names = append(names, sub.Name)
		}
		hint := "use one of: " + strings.Join(names, ", ")
		if ctx.NArg() == 0 {
			return usage(hint, "manifest needs to be told what to do")
		}
		return usage(hint, "manifest does not know %q", ctx.Args().First())
	}
	return c
}

// observed is one server as a file or a target shows it.
type observed struct {
	server   *analyzers.Server
	catalog  *analyzers.Catalog
	manifest *manifest.Manifest // where the file is one
}

func (o observed) side() drift.Side {
	if o.manifest != nil {
		return drift.Of(o.manifest)
	}
	return drift.Now(o.server, o.catalog.Secrets)
}

// observe finds the one server of a target that shows a surface. A declaration
// of the same name elsewhere in the target says how it is started.
func observe(ctx context.Context, uri, name string) (observed, error) {
	_, c, err := load(ctx, []string{uri}, &settings{jobs: 2})
	if err != nil {
		return observed{}, err
	}
	for _, g := range c.Gaps {
		if g.Blocking {
			return observed{}, usage("sallyport scan "+quoteArg(uri)+" says more", "%s: %s", oneLine(g.Path), oneLine(g.Reason))
		}
	}
	var shown []*analyzers.Server
	for _, s := range c.Servers {
		if drift.Shown(s) && (name == "" || s.Name.Raw() == name) {
			shown = append(shown, s)
		}
	}
	switch {
	case len(shown) == 0 && name != "":
		return observed{}, usage("sallyport scan "+quoteArg(uri)+" lists the servers", "%s shows no surface of a server %q", oneLine(uri), oneLine(name))
	case len(shown) == 0:
		return observed{}, usage(`save the answers to tools/list as {"serverInfo": {"name": ""}, "tools": [...]} and name that file`,
			"%s shows no server's tools, prompts or resources", oneLine(uri))
	case len(shown) > 1:
		var names []string
		for _, s := range shown {
			names = append(names, fmt.Sprintf("%s (%s)", oneLine(s.Name.Raw()), oneLine(s.Span.Path())))
		}
		return observed{}, usage("name the file of one, or choose with --server NAME", "%s shows %d servers: %s", oneLine(uri), len(shown), strings.Join(names[:min(len(names), 8)], ", "))
	}
	s := *shown[0]
	if s.Command.IsZero() && s.URL.IsZero() {
		for _, other := range c.Servers {
			if other.Name.Value == s.Name.Value && !drift.Shown(other) && other.Exposure != analyzers.Docs && (!other.Command.IsZero() || !other.URL.IsZero() || len(other.Packages) > 0) {
				s.Command, s.Args, s.URL, s.Packages, s.Images, s.Launch = other.Command, other.Args, other.URL, other.Packages, other.Images, other.Launch
				break
			}
		}
	}
	for i := range c.Secrets { // of the joined declaration
		if c.Secrets[i].Server != nil && c.Secrets[i].Server.Name.Value == s.Name.Value {
			c.Secrets[i].Server = &s
		}
	}
	return observed{server: &s, catalog: c}, nil
}

// observeFile is observe for what may be a manifest, too.
func observeFile(ctx context.Context, name, server string) (observed, error) {
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		m, err := readManifest(name)
		if err != nil {
			return observed{}, err
		}
		if m != nil {
			read, err := manifest.ParseSource(m.Statement)
			if err != nil {
				return observed{}, usage("sallyport manifest generate writes one", "%s is no manifest to go by: %s", oneLine(name), oneLine(err.Error()))
			}
			return observed{manifest: read}, nil
		}
	}
	return observe(ctx, name, server)
}

// readManifest reads a manifest's file; nil where it is something else.
func readManifest(name string) (*analyzers.Manifest, error) {
	content, err := readFile(name)
	if err != nil {
		return nil, err
	}
	if !statement.Sniff(content) {
		return nil, nil
	}
	m, err := statement.Read(&analyzers.Source{Path: filepath.ToSlash(name), Bytes: content})
	if err != nil {
		return nil, usage("sallyport manifest generate writes one", "%s: %s", oneLine(name), oneLine(err.Error()))
	}
	return m, nil
}

// mostManifest bounds a manifest's file, bundle included.
const mostManifest = 32 << 20

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, usage("name a file that exists", "cannot read %q: %v", name, errors.Unwrap(err))
	}
	if !info.Mode().IsRegular() || info.Size() > mostManifest {
		return nil, usage(fmt.Sprintf("name a regular file of at most %d MiB", mostManifest>>20), "cannot read %q: it is too large, or no file", name)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, usage("name a file that can be read", "cannot read %q: %v", name, errors.Unwrap(err))
	}
	return content, nil
}

// stamp is a time as manifests spell it, "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// manifests adds those of --manifest, and those beside targets that are
// single files, to what a scan has found.
func (p *program) manifests(ctx *cli.Context, c *analyzers.Catalog) error {
	files, targets := ctx.StringSlice("manifest"), ctx.Args().Slice()
	for _, name := range files {
		if isImage(name) {
			list, err := p.imageManifests(ctx, name)
			if err != nil {
				return err
			}
			for _, m := range list {
				nameManifest(c, m)
			}
			continue
		}
		m, err := readManifest(name)
		if err != nil {
			return err
		}
		if m == nil {
			return usage("sallyport manifest generate writes one", "%s is no manifest", oneLine(name))
		}
		nameManifest(c, m)
	}
	for _, target := range targets {
		beside(c, target)
	}
	statement.Tie(c)
	return nil
}

// nameManifest adds a manifest that the user named. It speaks for the servers
// that have its name, or start its package or image, else for the only one
// that shows anything.
func nameManifest(c *analyzers.Catalog, m *analyzers.Manifest) {
	m.Named, m.Exposure = true, analyzers.Active
	known := statement.Speaks(c, m) || slices.ContainsFunc(c.Servers, func(s *analyzers.Server) bool { return s.Name.Value == m.Server.Value })
	if !known {
		m.For = onlyShown(c)
	}
	if known || m.For != nil {
		c.Manifests = append(c.Manifests, m)
		return
	}
	c.Gaps = append(c.Gaps, analyzers.Gap{Path: m.Source.Path, Kind: "unmatched", Blocking: true,
		Reason: fmt.Sprintf("the manifest is of server %q, and no target declares or shows one of this name", m.Server)})
}

// onlyShown is the one server that shows a surface, nil where there are more.
func onlyShown(c *analyzers.Catalog) *analyzers.Server {
	var only *analyzers.Server
	for _, s := range c.Servers {
		if drift.Shown(s) {
			if only != nil {
				return nil
			}
			only = s
		}
	}
	return only
}

// mostBeside bounds how many manifests of a folder are looked at for a target
// that is a single file.
const mostBeside = 64

// beside finds the manifests next to a target that is a single file: a walk
// finds those of a directory.
func beside(c *analyzers.Catalog, target string) {
	info, err := os.Stat(target)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	dir := filepath.Dir(target)
	var names []string
	for _, pattern := range []string{"*.manifest.sigstore.json", "*.manifest.json"} {
		found, err := filepath.Glob(filepath.Join(quoteGlob(dir), pattern))
		if err == nil {
			names = append(names, found...)
		}
	}
	for _, name := range names[:min(len(names), mostBeside)] {
		m, err := readManifest(name)
		if err != nil || m == nil { // nobody asked for it
			continue
		}
		for _, s := range c.Servers {
			if s.Name.Value == m.Server.Value && path.Base(s.Span.Path()) == filepath.Base(target) {
				m.Source.Path = path.Join(path.Dir(s.Span.Path()), filepath.Base(name))
				m.Statement.Path, m.Exposure = m.Source.Path, s.Exposure
				c.Manifests = append(c.Manifests, m)
				break
			}
		}
	}
}

// quoteGlob takes the meaning from the signs of a pattern.
func quoteGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}

// standing settles what a manifest is worth now, whoever signed it.
func standing(m *analyzers.Manifest, now time.Time) {
	read, err := manifest.ParseSource(m.Statement)
	switch {
	case err != nil:
		m.Status, m.Reason = analyzers.ManifestInvalid, err.Error()
	case read.Expired(stamp(now)) && m.Status != analyzers.ManifestInvalid:
		m.Status, m.Reason = analyzers.ManifestExpired, "it expired at "+read.Predicate.Expires
	}
}
