package registry

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/launch"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// LockFiles are the names of the lockfiles that Locked reads.
var LockFiles = []string{"package-lock.json", "npm-shrinkwrap.json", "uv.lock"}

// Locked reads the integrity of every package of a lockfile, by purl with its
// version, in the spelling of Match.Integrity: npm's package-lock.json and
// npm-shrinkwrap.json of version 2 and 3 ("packages"), and uv.lock, where a
// package has one a wheel. A package that a file locks in two ways is left out.
func Locked(src *analyzers.Source) (map[string][]string, error) {
	var out map[string][]string
	format := tree.JSON
	if path.Base(src.Path) == "uv.lock" {
		format = tree.TOML
	}
	root, err := tree.Parse(src, format)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", analyzers.Untrusted(src.Path), err)
	}
	switch {
	case root.Get("packages").IsObject():
		out = lockedNPM(root.Get("packages"))
	case root.Get("package").IsArray():
		out = lockedUV(root.Get("package"))
	}
	for purl, list := range out {
		if list = slices.Compact(slices.Sorted(slices.Values(list))); !every(list, integrityForm.MatchString) || strings.HasPrefix(purl, "pkg:npm/") && len(list) > 1 {
			delete(out, purl)
		} else {
			out[purl] = list
		}
	}
	return out, nil
}

func lockedNPM(packages *tree.Node) map[string][]string {
	out := map[string][]string{}
	for _, p := range packages.Children {
		name := p.Key.Raw() // node_modules/a/node_modules/@b/c
		if i := strings.LastIndex(name, "node_modules/"); i >= 0 {
			name = name[i+len("node_modules/"):]
		}
		if alias := p.Get("name").Str(); alias != "" {
			name = alias
		}
		if integrity := p.Get("integrity").Str(); integrity != "" {
			if ref := launch.ParseSpec("npm", analyzers.Text{Value: analyzers.Untrusted(name + "@" + p.Get("version").Str())}); ref.Pin == analyzers.PinExact {
				out[ref.PURL] = append(out[ref.PURL], integrity)
			}
		}
	}
	return out
}

func lockedUV(packages *tree.Node) map[string][]string {
	out := map[string][]string{}
	for _, p := range packages.Children {
		ref := launch.ParseSpec("pypi", analyzers.Text{Value: analyzers.Untrusted(p.Get("name").Str() + "==" + p.Get("version").Str())})
		if wheels := p.Get("wheels"); ref.Pin == analyzers.PinExact && wheels.IsArray() {
			for _, w := range wheels.Children {
				out[ref.PURL] = append(out[ref.PURL], w.Get("hash").Str())
			}
		}
	}
	return out
}

// Lock gives new entries the integrity that lockfiles have for the package
// that they pin.
func (p *Proposal) Lock(locked map[string][]string) {
	for _, e := range p.Added {
		if list := locked[e.Match.PURL]; e.Match.PURL != "" && len(list) > 0 && e.Match.Integrity == nil {
			e.Match.Integrity = list
		}
	}
}

// Pins says which digests of a server Decide has to be told: those that an
// entry which has to do with it names.
func (r *Registry) Pins(id Identity) (file, script bool) {
	for _, m := range candidates(parseIdentity(id), r.index) {
		file = file || m.entry.Match.FileSHA256 != ""
		script = script || m.entry.Match.ScriptSHA256 != ""
	}
	return file, script
}
