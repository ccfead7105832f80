package registry

import (
	"fmt"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/manifest"
)

// Observed is one use of a server that a catalog shows: a declaration in a
// client's configuration, or a captured surface.
type Observed struct {
	Server   *analyzers.Server
	Identity Identity
	// Capture is the captured surface that the identity's digest is of; nil
	// without one. Server is the same value where the capture is judged.
	Capture *analyzers.Server
	Problem string // why the surface has no digest
}

// Named reports whether nothing but a name ties the surface to a server.
func (o *Observed) Named() bool { return o.Identity.IsZero() }

// Observe lists what a catalog uses. A capture knows no command and no URL: it
// belongs to the declarations of the same name in the same catalog, if these
// agree on what that server is.
func Observe(c *analyzers.Catalog) []Observed {
	captures := map[string][]*analyzers.Server{}
	for _, s := range c.Servers {
		if isCapture(s) {
			captures[s.Name.Raw()] = append(captures[s.Name.Raw()], s)
		}
	}
	var out []Observed
	declared := map[string]*Identity{} // nil where declarations of one name differ
	for _, s := range c.Servers {
		if isCapture(s) {
			continue
		}
		o := Observed{Server: s, Identity: Identify(s)}
		if o.Identity.IsZero() {
			continue
		}
		same, seen := declared[s.Name.Raw()]
		switch {
		case !seen:
			id := o.Identity
			declared[s.Name.Raw()] = &id
		case same != nil && same.key() != o.Identity.key():
			declared[s.Name.Raw()] = nil
		}
		from := s
		if surfaceEmpty(s) {
			from = nil
			if list := captures[s.Name.Raw()]; len(list) == 1 {
				from = list[0]
			}
		}
		if from != nil {
			o.Capture = from
			o.Identity.Surface, o.Problem = digestOf(from)
		}
		out = append(out, o)
	}
	for _, s := range c.Servers {
		if !isCapture(s) || surfaceEmpty(s) {
			continue
		}
		o := Observed{Server: s, Capture: s, Identity: Identity{Name: s.Name.Raw()}}
		if id := declared[s.Name.Raw()]; id != nil {
			o.Identity = *id
		}
		o.Identity.Surface, o.Problem = digestOf(s)
		out = append(out, o)
	}
	return out
}

func isCapture(s *analyzers.Server) bool { return s.Format == "capture" }

func surfaceEmpty(s *analyzers.Server) bool {
	f := &s.Surface
	return f.Instructions.IsZero() && len(f.Tools)+len(f.Prompts)+len(f.Resources)+len(f.Templates) == 0
}

func digestOf(s *analyzers.Server) (digest, problem string) {
	d, err := manifest.SurfaceDigest(&s.Surface)
	if err != nil {
		return "", err.Error()
	}
	if d == "" {
		return "", ""
	}
	return "sha256:" + d, ""
}

// key is equal for identities of the same server.
func (id *Identity) key() string {
	return fmt.Sprintf("%q %q %q %q %q", id.Argv, id.URL, id.Packages, id.Images, id.Env)
}
