package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/statement"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules/reg"
)

// judgement is the registry that a scan judges by, and for whom.
type judgement struct {
	*loaded
	who registry.Who
}

// uses is what the registry says of the servers of a catalog; nil without one.
func (j *judgement) uses(c *analyzers.Catalog) []reg.Use {
	if j == nil {
		return nil
	}
	return reg.Uses(c, j.Registry, j.who, today())
}

// standing is the status of each server; nil without a registry.
func (j *judgement) standing(uses []reg.Use) func(*analyzers.Server) string {
	if j == nil {
		return nil
	}
	says := map[*analyzers.Server]string{}
	for _, u := range uses {
		says[u.Server] = string(u.Status)
	}
	return func(s *analyzers.Server) string { return says[s] }
}

// approvedManifests adds to a catalog the manifests of what the registry
// approves of its servers: an entry's manifest.path, or whichever manifest in
// the targets or beside the registry describes the surface with the entry's
// digest. Whoever wrote it, the digest says that it is the one.
func (j *judgement) approvedManifests(c *analyzers.Catalog, uses []reg.Use) {
	if j == nil {
		return
	}
	finder := &manifestFinder{catalog: c, registry: j.loaded, found: map[string]*analyzers.Manifest{}, byDigest: map[registry.Manifest]*analyzers.Manifest{}}
	for _, u := range uses {
		if u.Entry == nil || u.Entry.Manifest.Digest == "" || !u.Allowed && u.Changed != "surface" {
			continue
		}
		if m := finder.of(u.Entry); m != nil {
			own := *m
			own.For, own.Entry, own.Exposure = u.Server, u.Entry.ID, u.Server.Exposure
			c.Manifests = append(c.Manifests, &own)
		}
	}
}

// manifestFinder finds the manifest of each entry once.
type manifestFinder struct {
	catalog  *analyzers.Catalog
	registry *loaded
	found    map[string]*analyzers.Manifest            // by entry; nil where there is none
	byDigest map[registry.Manifest]*analyzers.Manifest // without a path; with the capabilities and without
	listed   bool
}

func (f *manifestFinder) of(e *registry.Entry) *analyzers.Manifest {
	if m, known := f.found[e.ID]; known {
		return m
	}
	m, err := f.named(e)
	if err != nil {
		f.catalog.Gaps = append(f.catalog.Gaps, analyzers.Gap{Path: path.Join(filepath.ToSlash(filepath.Dir(f.registry.path)), e.Manifest.Path), Kind: "unmatched", Blocking: true,
			Reason: fmt.Sprintf("the manifest of the registry's entry %q is not there to compare with: %s", e.ID, oneLine(err.Error()))})
	}
	if m == nil {
		f.list()
		m = f.byDigest[registry.Manifest{Digest: e.Manifest.Digest, Capabilities: e.Manifest.Capabilities}]
	}
	f.found[e.ID] = m
	return m
}

// named reads an entry's manifest.path, which does not lead out of the
// registry's folder.
func (f *manifestFinder) named(e *registry.Entry) (*analyzers.Manifest, error) {
	if e.Manifest.Path == "" {
		return nil, nil
	}
	root, err := os.OpenRoot(filepath.Dir(f.registry.path))
	if err != nil {
		return nil, reason(err)
	}
	defer root.Close()
	m, err := readBelow(root, e.Manifest.Path)
	if err != nil {
		return nil, err
	}
	switch of, err := approvalOf(m); {
	case err != nil:
		return nil, err
	case of.Digest != e.Manifest.Digest:
		return nil, fmt.Errorf("it describes the surface %s, and the entry approves %s", of.Digest, e.Manifest.Digest)
	case e.Manifest.Capabilities != "" && of.Capabilities != e.Manifest.Capabilities:
		return nil, errors.New("it pins other capabilities than the entry approves")
	}
	return m, nil
}

// readBelow reads a manifest in a folder.
func readBelow(root *os.Root, name string) (*analyzers.Manifest, error) {
	file, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, reason(err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > mostManifest {
		return nil, errors.New("it is no regular file, or too large")
	}
	content, err := io.ReadAll(io.LimitReader(file, mostManifest))
	if err != nil {
		return nil, reason(err)
	}
	m, err := statement.Read(&analyzers.Source{Path: path.Join(filepath.ToSlash(root.Name()), name), Bytes: content})
	if err == nil && m == nil {
		err = errors.New("it is no manifest")
	}
	return m, err
}

// approvalOf is how an entry approves what a manifest describes, without a path.
func approvalOf(m *analyzers.Manifest) (registry.Manifest, error) {
	read, err := manifest.ParseSource(m.Statement)
	if err != nil {
		return registry.Manifest{}, err
	}
	return registry.Manifest{Digest: "sha256:" + read.Predicate.Surface, Capabilities: read.Predicate.Capabilities.Approval()}, nil
}

// list notes the manifests of the targets, and those in the registry's folder
// and in "manifests" below it.
func (f *manifestFinder) list() {
	if f.listed {
		return
	}
	f.listed = true
	all := slices.Clone(f.catalog.Manifests)
	if root, err := os.OpenRoot(filepath.Dir(f.registry.path)); err == nil {
		defer root.Close()
		for _, dir := range []string{".", "manifests"} {
			all = append(all, listManifests(root, dir)...)
		}
	}
	for _, m := range all {
		of, err := approvalOf(m)
		if err != nil {
			continue
		}
		for _, key := range []registry.Manifest{of, {Digest: of.Digest}} {
			if better(m, f.byDigest[key]) {
				f.byDigest[key] = m
			}
		}
	}
}

// better prefers what the user named, then what is signed, then the first.
func better(m, than *analyzers.Manifest) bool {
	return than == nil || m.Named && !than.Named || m.Named == than.Named && m.Bundle && !than.Bundle
}

func listManifests(root *os.Root, dir string) (out []*analyzers.Manifest) {
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if len(out) == mostBeside {
			break
		}
		if e.Type().IsRegular() && statement.Named(e.Name()) {
			if m, err := readBelow(root, path.Join(dir, e.Name())); err == nil {
				out = append(out, m)
			}
		}
	}
	return out
}

// besideRegistry is what an entry that approves a manifest says of it.
func besideRegistry(name, registryFile string) (approves registry.Manifest, err error) {
	m, err := readManifest(name)
	if err != nil {
		return registry.Manifest{}, err
	}
	if m == nil {
		return registry.Manifest{}, usage("sallyport manifest generate writes one", "%s is no manifest", oneLine(name))
	}
	if approves, err = approvalOf(m); err != nil {
		return registry.Manifest{}, usage("sallyport manifest generate writes one", "%s is no manifest to go by: %s", oneLine(name), oneLine(err.Error()))
	}
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return registry.Manifest{}, err
	}
	if real, err = filepath.Abs(real); err != nil {
		return registry.Manifest{}, err
	}
	base, err := filepath.Abs(filepath.Dir(registryFile))
	if err != nil {
		return registry.Manifest{}, err
	}
	relative, err := filepath.Rel(base, real)
	if err != nil || !filepath.IsLocal(relative) {
		return registry.Manifest{}, usage("copy it to "+quoteArg(path.Join(filepath.ToSlash(filepath.Dir(registryFile)), "manifests")), "%s is not in the registry's folder or below it, where others find it", oneLine(name))
	}
	approves.Path = strings.ReplaceAll(filepath.ToSlash(relative), "\\", "/")
	return approves, nil
}
