package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
)

// organisation is the tree of places of a registry.
type organisation struct {
	parents map[string]string // of units; "" at a root
	units   map[string]string // of projects; "" without one
}

func newOrganisation(doc *registry.Document) *organisation {
	o := &organisation{map[string]string{}, map[string]string{}}
	for _, u := range doc.Units {
		o.parents[u.ID] = u.Parent
	}
	for _, p := range doc.Projects {
		o.units[p.ID] = p.Unit
	}
	return o
}

// place is where an entry stands: a unit, a project, or, with neither,
// everyone.
type place struct{ unit, project string }

func (p place) String() string {
	switch {
	case p.project != "":
		return "project " + p.project
	case p.unit != "":
		return "unit " + p.unit
	}
	return "everyone"
}

// entity is the place in Cedar; "" for everyone.
func (p place) entity() string {
	switch {
	case p.project != "":
		return "Project::" + quote(p.project)
	case p.unit != "":
		return "Unit::" + quote(p.unit)
	}
	return ""
}

// chain is the places of somebody, nearest first, without everyone. The units
// are a forest.
func (o *organisation) chain(who registry.Who) []place {
	var out []place
	unit := who.Unit
	if who.Project != "" {
		out = append(out, place{project: who.Project})
		unit = cmp.Or(o.units[who.Project], unit)
	}
	for ; unit != ""; unit = o.parents[unit] {
		out = append(out, place{unit: unit})
	}
	return out
}

// nearer reports whether somebody can stand at both places, with a nearer than
// b.
func (o *organisation) nearer(a, b place) bool {
	switch {
	case b.project != "" || a == place{}:
		return false
	case b == place{}:
		return true
	}
	unit := a.unit
	if a.project != "" {
		if unit = o.units[a.project]; unit == "" {
			return true // it may belong to any unit
		}
		if unit == b.unit {
			return true
		}
	}
	for unit = o.parents[unit]; unit != ""; unit = o.parents[unit] {
		if unit == b.unit {
			return true
		}
	}
	return false
}

func placesOf(e *registry.Entry) []place {
	var out []place
	for _, u := range e.Units {
		out = append(out, place{unit: u})
	}
	for _, p := range e.Projects {
		out = append(out, place{project: p})
	}
	if len(out) == 0 {
		return []place{{}}
	}
	return out
}

// standing is an entry at one of its places.
type standing struct {
	entry *registry.Entry
	place place
}

// condition is an expression that has to hold, or, with unless, must not.
type condition struct {
	unless bool
	text   string
}

// String is the condition as a part of an expression.
func (c condition) String() string {
	if c.unless {
		return "!(" + c.text + ")"
	}
	return c.text
}

// conditions are what has to hold for an entry to count, besides place and
// match. What is not known holds for all but approvals.
func conditions(e *registry.Entry) []condition {
	var out []condition
	one := func(list []string, member, holds string) {
		switch {
		case len(list) == 0:
		case e.Status == registry.Approved:
			out = append(out, condition{false, "context has " + member + " && " + holds})
		default:
			out = append(out, condition{true, "context has " + member + " && !" + holds})
		}
	}
	one(e.Environments, "environment", quoteSet(e.Environments)+".contains(context.environment)")
	one(e.Clients, "client", quoteSet(e.Clients)+".contains(context.client)")
	one(e.Roles, "roles", "context.roles.containsAny("+quoteSet(e.Roles)+")")
	if e.Evidence.Until != "" {
		out = append(out, condition{false, fmt.Sprintf("context.today <= datetime(%s)", quote(e.Evidence.Until))})
	}
	return out
}

// counts is an entry at a place as one expression.
func (s standing) counts() string {
	var parts []string
	if p := s.place.entity(); p != "" {
		parts = append(parts, "principal in "+p)
	}
	parts = append(parts, "resource in Server::"+quote(s.entry.ID))
	for _, c := range conditions(s.entry) {
		parts = append(parts, c.String())
	}
	return strings.Join(parts, " && ")
}

// fits is the condition on what the server shows.
func fits(e *registry.Entry) []condition {
	if e.Manifest.Digest == "" {
		return nil
	}
	return []condition{{true, "context has surface && context.surface != " + quote(e.Manifest.Digest)}}
}

// Entries at nested places that match the same server name each other in their
// policies: these bound the work for one server.
const (
	maxStandings = 1024
	maxText      = 1 << 20 // bytes
)

// compileEntries writes the policies of the entries that match one server:
// denials, quarantines, denied tools, then approvals, each in the order of the
// document.
func (s *Set) compileEntries(entries []*registry.Entry) (rules, error) {
	var all []standing
	for _, e := range entries {
		for _, p := range placesOf(e) {
			all = append(all, standing{e, p})
		}
	}
	tooMany := fmt.Errorf("%d entries at %d places match this server, too many to weigh", len(entries), len(all))
	if len(all) > maxStandings {
		return nil, tooMany
	}
	var out rules
	size := 0
	write := func(st standing, permit, tools bool) error {
		text := s.text(st, all, permit, tools)
		if size += len(text); size > maxText {
			return tooMany
		}
		var p cedar.Policy
		if err := p.UnmarshalCedar([]byte(text)); err != nil {
			return fmt.Errorf("entry %q: %w", st.entry.ID, err)
		}
		id := cedar.PolicyID(fmt.Sprintf("registry/%d", len(out)))
		out = append(out, &rule{id: id, Policy: Policy{Rule: "registry/" + st.entry.ID, Permit: permit, Text: text, Span: st.entry.Span}, cedar: &p, entry: st.entry})
		return nil
	}
	for _, pass := range []struct {
		status        registry.Status
		permit, tools bool
	}{{registry.Denied, false, false}, {registry.Quarantined, false, false}, {registry.Approved, false, true}, {registry.Approved, true, false}} {
		for _, st := range all {
			if st.entry.Status != pass.status || pass.tools && len(st.entry.Tools.Deny) == 0 {
				continue
			}
			if err := write(st, pass.permit, pass.tools); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// text writes one policy. A clause stands for one reason, so that a person can
// read them one by one.
func (s *Set) text(st standing, all []standing, permit, tools bool) string {
	e := st.entry
	var b strings.Builder
	effect, id := "forbid", "registry/"+e.ID
	switch {
	case permit:
		effect = "permit"
	case tools:
		id += "/tools"
	}
	at := e.Span.Begin()
	fmt.Fprintf(&b, "// %s: entry %s, %s, for %s\n", whereOf(e.Span.Path(), at.Line), e.ID, e.Status, st.place)
	principal, action := "principal", "action"
	if p := st.place.entity(); p != "" {
		principal += " in " + p
	}
	if tools {
		action += ` == Action::"tools/call"`
	}
	fmt.Fprintf(&b, "@id(%s)\n%s (\n  %s,\n  %s,\n  resource in Server::%s\n)", quote(id), effect, principal, action, quote(e.ID))
	clause := func(c condition) {
		word := "when"
		if c.unless {
			word = "unless"
		}
		fmt.Fprintf(&b, "\n%s { %s }", word, c.text)
	}
	for _, c := range conditions(e) {
		clause(c)
	}
	if tools {
		clause(condition{false, quoteSet(e.Tools.Deny) + ".contains(resource.name)"})
	}
	if permit {
		for _, c := range fits(e) {
			clause(c)
		}
		switch {
		case e.Tools.Allow == nil:
		case len(e.Tools.Allow) == 0:
			clause(condition{true, "resource is Tool"})
		default:
			clause(condition{true, "resource is Tool && !" + quoteSet(e.Tools.Allow) + ".contains(resource.name)"})
		}
		// Of several approvals at one place the first that fits decides.
		for _, other := range all[:slices.Index(all, st)] {
			if other.place == st.place && other.entry.Status == registry.Approved {
				c := other.counts()
				for _, f := range fits(other.entry) {
					c += " && " + f.String()
				}
				clause(condition{true, c})
			}
		}
	}
	for _, other := range all {
		if s.org.nearer(other.place, st.place) {
			clause(condition{true, other.counts()})
		}
	}
	return b.String() + ";"
}

// whereOf is a file and a line in a comment.
func whereOf(path string, line int) string {
	return fmt.Sprintf("%s:%d", analyzers.Untrusted(path), line)
}
