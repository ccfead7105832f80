package report

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Group is one server as an organisation sees it: all declarations that start
// or ask the same thing, whatever their names and versions.
type Group struct {
	Identity     string   // a purl without version, an image, a URL, or a command line; not masked
	Names        []string // that it is declared by, sorted
	Repositories []string // that declare it, sorted
	Servers      []*analyzers.Server
	Unapproved   bool // a shadow server: the registry does not have it
}

// Inventory groups the servers that repositories declare for use, unapproved
// ones first, then those of most repositories. Declarations in documentation,
// templates and test data are none for use. The repository of a path is "" for
// those that are in none; a nil unapproved means that there is no registry.
func Inventory(c *analyzers.Catalog, repositoryOf func(path string) string, unapproved func(*analyzers.Server) bool) []Group {
	by := map[string]*Group{}
	for _, s := range c.Servers {
		repository := repositoryOf(s.Span.Path())
		if repository == "" || s.Client == nil || s.Exposure != analyzers.Project && s.Exposure != analyzers.Active {
			continue
		}
		id := identity(s)
		g := by[id]
		if g == nil {
			g = &Group{Identity: id}
			by[id] = g
		}
		g.Names = append(g.Names, s.Name.Raw())
		g.Repositories = append(g.Repositories, repository)
		g.Servers = append(g.Servers, s)
		g.Unapproved = g.Unapproved || unapproved != nil && unapproved(s)
	}
	var out []Group
	for _, g := range by {
		slices.Sort(g.Names)
		g.Names = slices.Compact(g.Names)
		slices.Sort(g.Repositories)
		g.Repositories = slices.Compact(g.Repositories)
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b Group) int {
		if a.Unapproved != b.Unapproved {
			return map[bool]int{true: -1, false: 1}[a.Unapproved]
		}
		return cmp.Or(cmp.Compare(len(b.Repositories), len(a.Repositories)), cmp.Compare(a.Identity, b.Identity))
	})
	return out
}

// identity is what a server is, as far as its declaration tells.
func identity(s *analyzers.Server) string {
	packages, images, argv := s.Packages, s.Images, append([]analyzers.Text{s.Command}, s.Args...)
	if s.Launch != nil {
		packages = slices.Concat(packages, s.Launch.Packages)
		images = slices.Concat(images, s.Launch.Images)
		argv = s.Launch.Inner
	}
	switch {
	case len(images) > 0 && images[0].Repository != "":
		return "image " + images[0].Repository
	case len(packages) > 0 && packages[0].PURL != "":
		purl, _, _ := strings.Cut(packages[0].PURL, "#")
		purl, _, _ = strings.Cut(purl, "?")
		if at := strings.LastIndexByte(purl, '@'); at > strings.LastIndexByte(purl, '/') {
			purl = purl[:at]
		}
		return purl
	case s.URL.Value != "":
		u, err := url.Parse(s.URL.Raw())
		if err != nil || u.Host == "" {
			return s.URL.Raw()
		}
		return u.Scheme + "://" + strings.ToLower(u.Host) + u.Path // without user and query
	}
	var words []string
	for _, word := range argv {
		words = append(words, word.Raw())
	}
	return strings.Join(words, " ")
}

// inventory is Inventory for the text, masked. It is nil when no
// organisation was scanned, and lost when a report is saved.
type inventory struct {
	repositories int
	registry     bool
	groups       []inventoryLine
	more         int
}

type inventoryLine struct {
	identity, names string
	repositories    int
	unapproved      bool
}

const mostInventory = 10 // lines

func (b builder) inventory(in Input) *inventory {
	organisation := false
	repositories := map[string]bool{}
	for _, t := range in.Targets {
		organisation = organisation || t.Kind == "github-org"
		if name, ok := strings.CutPrefix(t.URI, "github:"); ok && t.Kind == "github" {
			name, _, _ = strings.Cut(name, "@")
			repositories[name] = true
		}
	}
	if !organisation || in.Catalog == nil {
		return nil
	}
	groups := Inventory(in.Catalog, func(path string) string {
		owner, rest, _ := strings.Cut(path, "/")
		name, _, _ := strings.Cut(rest, "/")
		name, _, _ = strings.Cut(name, "@")
		if name = owner + "/" + name; repositories[name] {
			return name
		}
		return ""
	}, in.Unapproved)
	out := &inventory{repositories: len(repositories), registry: in.Unapproved != nil}
	for _, g := range groups[:min(len(groups), mostInventory)] {
		out.groups = append(out.groups, inventoryLine{b.string(g.Identity), b.string(strings.Join(g.Names, ", ")), len(g.Repositories), g.Unapproved})
	}
	out.more = len(groups) - len(out.groups)
	return out
}

func (t textWriter) inventory(v *inventory) {
	if v == nil || len(v.groups) == 0 {
		return
	}
	heading := "servers by how many repositories declare them"
	if v.registry {
		heading += ", unapproved ones first"
	}
	fmt.Fprintf(t, "%s, of %d read:\n", heading, v.repositories)
	for _, g := range v.groups {
		mark := ""
		if g.unapproved {
			mark = t.paint(red, " [not approved]")
		}
		fmt.Fprintf(t, "  %4d  %s (%s)%s\n", g.repositories, printable(shorten(g.identity, 120)), printable(shorten(g.names, 80)), mark)
	}
	if v.more > 0 {
		fmt.Fprintf(t, "        %d more; --format json lists every server\n", v.more)
	}
}
