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
	Identity string `json:"identity"` // a purl without version, an image, a URL, or a command line
	// Approval is what the registry says of it, the worst of its declarations:
	// "unapproved" is a shadow server, which the registry does not have. "" when
	// there is no registry.
	Approval     string   `json:"approval"`
	Names        []string `json:"names"`        // that it is declared by
	Servers      []string `json:"servers"`      // ids of the declarations
	Clients      []string `json:"clients"`      // whose configurations declare it
	Repositories []string `json:"repositories"` // that declare it
}

// approvals is the order in which servers are listed: what nobody has approved
// comes first.
var approvals = []string{"unapproved", "changed", "denied", "quarantined", "expired", "", "approved"}

func rankOf(approval string) int {
	if i := slices.Index(approvals, approval); i >= 0 {
		return i
	}
	return len(approvals)
}

// refused reports whether a registry was asked and did not approve.
func refused(approval string) bool { return approval != "" && approval != "approved" }

// Inventory groups the servers that are declared for use, unapproved ones
// first, then those of most repositories. Declarations in documentation,
// templates and test data are none for use. The repository of a path is "" for
// those that are in none; they count only with a registry, whose answer
// standing gives: nil without one.
func Inventory(c *analyzers.Catalog, repositoryOf func(path string) string, standing func(*analyzers.Server) string) []Group {
	by := map[string]*Group{}
	for _, s := range c.Servers {
		repository := repositoryOf(s.Span.Path())
		if repository == "" && standing == nil || s.Client == nil || s.Exposure != analyzers.Project && s.Exposure != analyzers.Active {
			continue
		}
		id := identity(s)
		approval := ""
		if standing != nil {
			approval = standing(s)
		}
		g := by[id]
		if g == nil {
			g = &Group{Identity: id, Approval: approval}
			by[id] = g
		}
		if rankOf(approval) < rankOf(g.Approval) {
			g.Approval = approval
		}
		g.Names = append(g.Names, s.Name.Raw())
		g.Servers = append(g.Servers, s.ID)
		if s.Client.Name != "" {
			g.Clients = append(g.Clients, s.Client.Name)
		}
		if repository != "" {
			g.Repositories = append(g.Repositories, repository)
		}
	}
	var out []Group
	for _, g := range by {
		for _, list := range []*[]string{&g.Names, &g.Servers, &g.Clients, &g.Repositories} {
			slices.Sort(*list)
			*list = slices.Compact(*list)
		}
		out = append(out, *g)
	}
	slices.SortFunc(out, compareGroups)
	return out
}

func compareGroups(a, b Group) int {
	return cmp.Or(cmp.Compare(rankOf(a.Approval), rankOf(b.Approval)), cmp.Compare(len(b.Repositories), len(a.Repositories)),
		cmp.Compare(len(b.Servers), len(a.Servers)), cmp.Compare(a.Identity, b.Identity))
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

// inventoryOf is Inventory for a report: of an organisation, or of what was held
// against a registry.
func inventoryOf(in Input, c *analyzers.Catalog) []Group {
	repositories := repositoriesOf(in.Targets)
	if in.Standing == nil && !organisation(in.Targets) {
		return nil
	}
	return Inventory(c, func(path string) string {
		owner, rest, _ := strings.Cut(path, "/")
		name, _, _ := strings.Cut(rest, "/")
		name, _, _ = strings.Cut(name, "@")
		if name = owner + "/" + name; repositories[name] {
			return name
		}
		return ""
	}, in.Standing)
}

func organisation(targets []Target) bool {
	return slices.ContainsFunc(targets, func(t Target) bool { return t.Kind == "github-org" })
}

// repositoriesOf are the repositories among the targets.
func repositoriesOf(targets []Target) map[string]bool {
	out := map[string]bool{}
	for _, t := range targets {
		if name, ok := strings.CutPrefix(t.URI, "github:"); ok && t.Kind == "github" {
			name, _, _ = strings.Cut(name, "@")
			out[name] = true
		}
	}
	return out
}

// shadows are the groups that a registry was asked about and did not approve.
func shadows(r *Report) []Group {
	var out []Group
	for _, g := range r.Inventory {
		if refused(g.Approval) {
			out = append(out, g)
		}
	}
	return out
}

const (
	mostInventory = 10 // lines of each list
	mostUsers     = 5  // clients or repositories of one server
)

// users says who uses a server: the clients, then the repositories.
func (g *Group) users() string {
	var parts []string
	for _, list := range [][]string{g.Clients, g.Repositories} {
		if len(list) == 0 {
			continue
		}
		text := strings.Join(list[:min(len(list), mostUsers)], ", ")
		if more := len(list) - mostUsers; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

func (t textWriter) inventory(r *Report) {
	if list := shadows(r); len(list) > 0 {
		fmt.Fprintf(t, "%s, with who uses them:\n", t.paint(bold, "servers that nobody approved"))
		for _, g := range list[:min(len(list), mostInventory)] {
			fmt.Fprintf(t, "  %s  %s (%s): %s\n", t.paint(red, fmt.Sprintf("%-11s", printable(g.Approval))), printable(shorten(g.Identity, 120)),
				printable(shorten(strings.Join(g.Names, ", "), 80)), printable(shorten(g.users(), 200)))
		}
		t.more(len(list))
	}
	if !organisation(r.Targets) || len(r.Inventory) == 0 {
		return
	}
	rest := slices.DeleteFunc(slices.Clone(r.Inventory), func(g Group) bool { return refused(g.Approval) })
	if len(rest) == 0 {
		return
	}
	heading := "servers"
	if len(rest) < len(r.Inventory) {
		heading = "the other servers"
	}
	fmt.Fprintf(t, "%s by how many repositories declare them, of %d read:\n", heading, len(repositoriesOf(r.Targets)))
	for _, g := range rest[:min(len(rest), mostInventory)] {
		fmt.Fprintf(t, "  %4d  %s (%s)\n", len(g.Repositories), printable(shorten(g.Identity, 120)), printable(shorten(strings.Join(g.Names, ", "), 80)))
	}
	t.more(len(rest))
}

func (t textWriter) more(all int) {
	if more := all - mostInventory; more > 0 {
		fmt.Fprintf(t, "        %d more; --format json lists every server\n", more)
	}
}
