// Package pkg holds the rules on the packages that servers are started from:
// which one it is, and whether that version is known to be broken.
package pkg

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed known.txt
var knownText string

// model is a name that others imitate: its scope, and how what follows it is
// spelt. Of a scope itself, how it is spelt without the @.
type model struct {
	name, scope string
	spelling
}

// registry is what known.txt says.
type registry struct {
	names  map[string]map[string]bool // by ecosystem
	list   map[string][]model         // the same, in order
	scopes []model                    // "@scope"
	owned  map[string]bool            // the same
	bases  map[string]string          // base name of @modelcontextprotocol's packages -> full name
}

var known = sync.OnceValue(func() registry { return load(knownText) })

func load(text string) registry {
	r := registry{names: map[string]map[string]bool{"npm": {}, "pypi": {}}, list: map[string][]model{}, owned: map[string]bool{}, bases: map[string]string{}}
	for line := range strings.Lines(text) {
		ecosystem, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || r.names[ecosystem] == nil {
			continue
		}
		if owned, ok := strings.CutSuffix(name, "/"); ok {
			r.owned[owned] = true
			r.scopes = append(r.scopes, model{name: owned, scope: owned, spelling: spell(owned[1:])})
			continue
		}
		s, base := scope(name)
		r.names[ecosystem][name] = true
		r.list[ecosystem] = append(r.list[ecosystem], model{name: name, scope: s, spelling: spell(base)})
		if s == official && strings.HasPrefix(base, "server-") {
			r.bases[base] = name
		}
	}
	return r
}

// official is the scope of the protocol's own packages.
const official = "@modelcontextprotocol"

// is reports whether a name is well known in either registry: the same name in
// the other one is mostly the same project.
func (r registry) is(name string) bool {
	return r.names["npm"][name] || r.names["pypi"][name]
}

// scope returns the scope of an npm name, "" without one, and what follows it.
func scope(name string) (scope, base string) {
	if s, b, ok := strings.Cut(name, "/"); ok && strings.HasPrefix(name, "@") {
		return s, b
	}
	return "", name
}
