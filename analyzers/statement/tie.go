package statement

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

// Tie gives manifests to servers whose package or image they name, under
// whatever name these are declared: a package is declared by many people. A
// manifest that has a server's name is that server's already. What a server is
// captured to show belongs to the declarations of its name.
func Tie(c *analyzers.Catalog) {
	var tied []*analyzers.Manifest
	for _, m := range c.Manifests {
		if m.For != nil || len(m.PURLs) == 0 {
			continue
		}
		for _, s := range c.Servers {
			if s.Name.Value == m.Server.Value && (m.Named || !m.Shipped) {
				continue // by its name
			}
			if starts(s, m) || s.Format == "capture" && slices.ContainsFunc(c.Servers, func(o *analyzers.Server) bool { return o.Name.Value == s.Name.Value && starts(o, m) }) {
				own := *m
				own.For, own.Shipped = s, true
				tied = append(tied, &own)
			}
		}
	}
	c.Manifests = append(c.Manifests, tied...)
}

// Speaks reports whether a server of the catalog starts a package or image that
// the manifest names.
func Speaks(c *analyzers.Catalog, m *analyzers.Manifest) bool {
	return slices.ContainsFunc(c.Servers, func(s *analyzers.Server) bool { return starts(s, m) })
}

// starts reports whether a server starts a package or image of the manifest.
func starts(s *analyzers.Server, m *analyzers.Manifest) bool {
	packages, images := s.Packages, s.Images
	if s.Launch != nil {
		packages, images = slices.Concat(packages, s.Launch.Packages), slices.Concat(images, s.Launch.Images)
	}
	return slices.ContainsFunc(packages, func(p analyzers.PackageRef) bool {
		return slices.ContainsFunc(m.PURLs, func(of string) bool { return samePackage(p.PURL, of) })
	}) || slices.ContainsFunc(images, func(i analyzers.ImageRef) bool {
		return i.Digest != "" && slices.ContainsFunc(m.PURLs, func(of string) bool { return imageDigest(of) == i.Digest })
	})
}

// samePackage reports whether two purls name one package and, where both have
// one, the same version.
func samePackage(a, b string) bool {
	if a == "" || strings.HasPrefix(a, "pkg:oci/") {
		return false
	}
	aName, aVersion := cutVersion(a)
	bName, bVersion := cutVersion(b)
	return aName == bName && (aVersion == "" || bVersion == "" || aVersion == bVersion)
}

// cutVersion takes a purl apart, without its qualifiers.
func cutVersion(purl string) (name, version string) {
	purl, _, _ = strings.Cut(purl, "#")
	purl, _, _ = strings.Cut(purl, "?")
	if at := strings.LastIndexByte(purl, '@'); at > strings.LastIndexByte(purl, '/') {
		return purl[:at], purl[at+1:]
	}
	return purl, ""
}

// imageDigest is the digest in an image's purl, "" without one.
func imageDigest(purl string) string {
	if !strings.HasPrefix(purl, "pkg:oci/") {
		return ""
	}
	_, version := cutVersion(purl)
	if version = strings.Replace(version, "%3A", ":", 1); !strings.HasPrefix(version, "sha256:") {
		return ""
	}
	return version
}

// Bounds of Shipped.
const (
	mostPackages = 256      // looked into
	mostShipped  = 8        // manifests of one package
	mostBytes    = 16 << 20 // of one manifest
)

// Shipped reads the manifests in the packages that the servers of a catalog
// start, where these are installed in the tree: node_modules/NAME beside a
// configuration or above it, and site-packages of a virtual environment. The
// walk leaves these folders out. Prefix is that of the catalog's paths. What
// cannot be read is a gap.
func Shipped(fsys fs.FS, prefix string, c *analyzers.Catalog) {
	seen := map[string]bool{}
	inside := func(p string) string {
		return strings.TrimPrefix(strings.TrimPrefix(p, prefix), "/")
	}
	for _, s := range c.Servers {
		packages := s.Packages
		if s.Launch != nil {
			packages = slices.Concat(packages, s.Launch.Packages)
		}
		var roots []string // folders in which packages may be installed, nearest first
		for dir := path.Dir(inside(s.Span.Path())); ; dir = path.Dir(dir) {
			if roots = append(roots, dir); dir == "." || dir == "/" {
				break
			}
		}
		for _, p := range packages {
			for _, dir := range installed(fsys, roots, p) {
				if seen[dir] {
					continue
				}
				if len(seen) >= mostPackages {
					return
				}
				seen[dir] = true
				for _, m := range readFolder(fsys, dir, prefix, c) {
					m.PURLs = only(m.PURLs, p.PURL)
					c.Manifests = append(c.Manifests, m)
				}
			}
		}
	}
}

// nameForm keeps a package's name from leading anywhere else.
var nameForm = pattern.New(`^(@[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*$`)

// runs are what PyPI takes for one dash in a name (PEP 503).
var runs = pattern.New(`[-_.]+`)

// installed are the folders of a package that is installed below one of roots.
func installed(fsys fs.FS, roots []string, p analyzers.PackageRef) []string {
	if !nameForm.MatchString(p.Name) {
		return nil
	}
	isDir := func(dir string) bool {
		info, err := fs.Stat(fsys, dir)
		return err == nil && info.IsDir()
	}
	for _, root := range roots {
		switch p.Ecosystem {
		case "npm":
			if dir := path.Join(root, "node_modules", p.Name); isDir(dir) {
				return []string{dir}
			}
		case "pypi":
			for _, pattern := range []string{".venv/lib/python3*/site-packages", "venv/lib/python3*/site-packages", ".venv/Lib/site-packages", "venv/Lib/site-packages"} {
				sites, err := fs.Glob(fsys, path.Join(quoteGlob(root), pattern))
				if err != nil || len(sites) == 0 {
					continue
				}
				return distribution(fsys, sites[0], p.Name)
			}
		}
	}
	return nil
}

// distribution are the folders of a Python distribution: that of its metadata,
// and the one that has its name.
func distribution(fsys fs.FS, site, name string) []string {
	entries, err := fs.ReadDir(fsys, site)
	if err != nil {
		return nil
	}
	want := strings.ToLower(runs.ReplaceAllString(name, "_"))
	var out []string
	for _, e := range entries {
		base, meta := strings.CutSuffix(e.Name(), ".dist-info")
		if meta {
			base, _, _ = strings.Cut(base, "-")
		}
		if e.IsDir() && strings.ToLower(runs.ReplaceAllString(base, "_")) == want {
			out = append(out, path.Join(site, e.Name()))
		}
	}
	return out
}

func quoteGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}

// only is what a manifest in a package says of that package: it speaks for no
// other one.
func only(purls []string, own string) []string {
	name, _ := cutVersion(own)
	purls = slices.DeleteFunc(purls, func(p string) bool { return !samePackage(p, name) })
	if len(purls) == 0 {
		return []string{name}
	}
	return purls
}

// readFolder reads the manifests in a package's folder.
func readFolder(fsys fs.FS, dir, prefix string, c *analyzers.Catalog) (out []*analyzers.Manifest) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil // installed packages are not what the scan was asked for
	}
	found := 0
	for _, e := range entries {
		if !e.Type().IsRegular() || !Named(e.Name()) || found == mostShipped {
			continue
		}
		found++
		name := path.Join(dir, e.Name())
		place := path.Join(prefix, name)
		gap := func(kind, reason string) {
			c.Gaps = append(c.Gaps, analyzers.Gap{Path: place, Kind: kind, Reason: reason})
		}
		if info, err := e.Info(); err != nil || info.Size() > mostBytes {
			gap("oversized", "the manifest in this package is larger than any")
			continue
		}
		content, err := fs.ReadFile(fsys, name)
		if err != nil || !Sniff(content) {
			continue
		}
		m, err := Read(&analyzers.Source{Path: place, Bytes: content})
		switch {
		case err != nil:
			gap("malformed", "the manifest in this package cannot be read: "+analyzers.Untrusted(err.Error()).String())
		case m != nil:
			m.Shipped, m.Exposure = true, analyzers.Project
			out = append(out, m)
		}
	}
	return out
}
