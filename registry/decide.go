package registry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Registry is a document compiled for decisions. It does not change and may be
// used by many goroutines.
type Registry struct {
	Doc *Document

	matchers  []*matcher
	index     map[string][]*matcher        // by what a match names: see keys
	kin       func() map[string][]*matcher // by what a match's argv starts: see kinKeys
	bySurface map[string][]*matcher
	parents   map[string]string // of units
	units     map[string]string // of projects
}

// Compile prepares a document that Parse accepted. The problems are warnings
// and notes; an error among them means that the document decides nothing and
// the Registry is nil.
func Compile(doc *Document, today string) (*Registry, []Problem) {
	r := newRegistry(doc)
	problems := append(r.repeats(), r.remarks(today)...)
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Span.Start, b.Span.Start) })
	if slices.ContainsFunc(problems, isError) {
		return nil, problems
	}
	return r, problems
}

func isError(p Problem) bool { return p.Level == Error }

func newRegistry(doc *Document) *Registry {
	r := &Registry{Doc: doc, index: make(map[string][]*matcher, 3*len(doc.Servers)), bySurface: map[string][]*matcher{}, parents: map[string]string{}, units: map[string]string{}}
	for _, u := range doc.Units {
		r.parents[u.ID] = u.Parent
	}
	for _, p := range doc.Projects {
		r.units[p.ID] = p.Unit
	}
	for i, e := range doc.Servers {
		m := newMatcher(e, i)
		r.matchers = append(r.matchers, m)
		for _, key := range m.keys() {
			r.index[key] = append(r.index[key], m)
		}
		if e.Manifest.Digest != "" {
			r.bySurface[e.Manifest.Digest] = append(r.bySurface[e.Manifest.Digest], m)
		}
	}
	r.kin = sync.OnceValue(func() map[string][]*matcher {
		kin := map[string][]*matcher{}
		for _, m := range r.matchers {
			for _, key := range m.kinKeys() {
				kin[key] = append(kin[key], m)
			}
		}
		return kin
	})
	return r
}

// Load parses and compiles. The error is a Problems; what is returned besides
// are warnings and notes.
func Load(src *analyzers.Source, today string) (*Registry, []Problem, error) {
	doc, err := Parse(src)
	if err != nil {
		return nil, nil, err
	}
	r, problems := Compile(doc, today)
	if r != nil {
		return r, problems, nil
	}
	var errs Problems
	for _, p := range problems {
		if p.Level == Error {
			errs = append(errs, p)
		}
	}
	return nil, problems, errs
}

// keys are what a match names: whatever it holds for has one of them, and the
// entry's id besides.
func (m *matcher) keys() []string {
	keys := append(make([]string, 0, 4), "id "+m.entry.ID)
	if m.argv != nil {
		keys = append(keys, "argv "+strings.Join(m.argv, "\x00"))
	}
	if m.pkg != nil {
		keys = append(keys, "package "+m.pkg.key)
	}
	if m.image != nil {
		keys = append(keys, "image "+m.image.repository)
	}
	if m.url != nil {
		keys = append(keys, "host "+m.url.host)
	}
	return keys
}

// kinKeys are what else a server has in common with an entry's argv after a
// change.
func (m *matcher) kinKeys() []string {
	if m.argv == nil {
		return nil
	}
	var keys []string
	if own(m) && !launchers[m.argv[0]] {
		keys = append(keys, "program "+m.argv[0])
	}
	starts := m.command()
	for _, p := range starts.packages {
		keys = append(keys, "package "+p.key)
	}
	for _, i := range starts.images {
		keys = append(keys, "image "+i.repository)
	}
	if starts.Script != "" {
		keys = append(keys, "script "+starts.Script)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// candidates are the matchers of an index that may have to do with a server, in
// the order of the document.
func candidates(s *subject, indexes ...map[string][]*matcher) []*matcher {
	var keys []string
	if len(s.Argv) > 0 {
		keys = append(keys, "argv "+strings.Join(s.Argv, "\x00"), "program "+s.Argv[0])
	}
	if s.Script != "" {
		keys = append(keys, "script "+s.Script)
	}
	for _, p := range s.packages {
		keys = append(keys, "package "+p.key)
	}
	for _, i := range s.images {
		keys = append(keys, "image "+i.repository)
	}
	for _, l := range append(s.remotes[:len(s.remotes):len(s.remotes)], s.url) {
		if l != nil {
			keys = append(keys, "host "+l.host)
		}
	}
	if s.Name != "" {
		keys = append(keys, "id "+Slug(s.Name))
	}
	var out []*matcher
	for _, index := range indexes {
		for _, key := range keys {
			out = append(out, index[key]...)
		}
	}
	slices.SortFunc(out, func(a, b *matcher) int { return cmp.Compare(a.index, b.index) })
	return slices.Compact(out)
}

// A place is where in the organisation an entry stands: "project ID",
// "unit ID" or everyone.
const everyone = "everyone"

// chain is the places that count for somebody, nearest first.
func (r *Registry) chain(who Who) []string {
	var out []string
	unit := who.Unit
	if who.Project != "" {
		out = append(out, "project "+who.Project)
		unit = cmp.Or(r.units[who.Project], unit)
	}
	for unit != "" {
		out = append(out, "unit "+unit)
		unit = r.parents[unit] // Parse refuses circles
	}
	return append(out, everyone)
}

// places is where an entry stands.
func (e *Entry) places() []string {
	var out []string
	for _, u := range e.Units {
		out = append(out, "unit "+u)
	}
	for _, p := range e.Projects {
		out = append(out, "project "+p)
	}
	if len(out) == 0 {
		return []string{everyone}
	}
	return out
}

// stands reports whether an entry stands at a place.
func (e *Entry) stands(place string) bool {
	if len(e.Units)+len(e.Projects) == 0 {
		return place == everyone
	}
	kind, id, _ := strings.Cut(place, " ")
	return kind == "unit" && slices.Contains(e.Units, id) || kind == "project" && slices.Contains(e.Projects, id)
}

// applies reports whether an entry's conditions hold for somebody, and which
// one does not. What is not known holds for all but approvals.
func (e *Entry) applies(who Who) (unmet string, ok bool) {
	strict := e.Status == Approved
	one := func(list []string, have string) bool {
		return len(list) == 0 || have == "" && !strict || have != "" && slices.Contains(list, have)
	}
	switch {
	case !one(e.Environments, who.Environment):
		return "environment " + strings.Join(e.Environments, " or "), false
	case !one(e.Clients, who.Client):
		return "client " + strings.Join(e.Clients, " or "), false
	case len(e.Roles) == 0, len(who.Roles) == 0 && !strict:
		return "", true
	case slices.ContainsFunc(who.Roles, func(r string) bool { return slices.Contains(e.Roles, r) }):
		return "", true
	}
	return "role " + strings.Join(e.Roles, " or "), false
}

// Decision is what a registry says of one use of one server.
type Decision struct {
	Allowed bool
	Status  Status
	Entry   *Entry // the one that decided, or the one nearest to it; nil without one
	// Changed is in what a changed server differs: version, image, url,
	// environment, launch, file or surface.
	Changed string
	Tool    bool     // the server is approved, and the tool is not
	Place   string   // where the deciding entry stands: "project ID", "unit ID", "everyone"; "" when none decided
	Path    []string // the places that were looked at, nearest first
	Reason  string   // one sentence; text of the target only in escaped form
}

// Decide says whether somebody may use a server, and a tool of it when one is
// named. Today is YYYY-MM-DD. Default is deny.
func (r *Registry) Decide(id Identity, who Who, tool, today string) Decision {
	return r.Narrow(id).Decide(who, tool, today)
}

// Narrowed is a registry for one server: the identity is read and looked up
// once. It does not change and may be used by many goroutines.
type Narrowed struct {
	registry *Registry
	subject  *subject
	near     []*matcher
}

// Narrow prepares decisions about one server.
func (r *Registry) Narrow(id Identity) *Narrowed {
	s := parseIdentity(id)
	return &Narrowed{r, s, candidates(s, r.index)}
}

// Decide is Registry.Decide for the server.
func (n *Narrowed) Decide(who Who, tool, today string) Decision {
	if who.Client == "" {
		who.Client = n.subject.Client
	}
	var d Decision
	for _, place := range n.registry.chain(who) {
		d.Path = append(d.Path, place)
		if d.at(n.subject, n.near, place, who, tool, today) {
			d.Place = place
			return d
		}
	}
	d.without(n.subject, candidates(n.subject, n.registry.index, n.registry.kin()), who, today)
	return d
}

// Entries are those whose match holds for the server, in the order of the
// document: approvals that account for all of it, denials and quarantines that
// match something of it. Whom they are for is not looked at.
func (n *Narrowed) Entries() []*Entry {
	var out []*Entry
	for _, m := range n.near {
		if m.entry.Status == Approved && m.approves(n.subject) || m.entry.Status != Approved && m.touches(n.subject) {
			out = append(out, m.entry)
		}
	}
	return out
}

// at decides by the entries of one place; it is false when none counts there.
func (d *Decision) at(s *subject, near []*matcher, place string, who Who, tool, today string) bool {
	var approvals []*matcher
	for _, status := range [...]Status{Denied, Quarantined, Approved} {
		for _, m := range near {
			e := m.entry
			if e.Status != status || e.expired(today) || !e.stands(place) {
				continue
			}
			if _, ok := e.applies(who); !ok {
				continue
			}
			switch {
			case status == Approved:
				if m.approves(s) {
					approvals = append(approvals, m)
				}
			case m.touches(s):
				d.Status, d.Entry = status, e
				d.Reason = fmt.Sprintf("entry %q (%s): %s", e.ID, place, because(e))
				return true
			}
		}
	}
	if len(approvals) == 0 {
		return false
	}
	d.Entry = approvals[0].entry
	fits := func(m *matcher) bool {
		return s.Surface == "" || m.entry.Manifest.Digest == "" || m.entry.Manifest.Digest == s.Surface
	}
	i := slices.IndexFunc(approvals, fits)
	if i < 0 {
		d.Status, d.Changed = Changed, "surface"
		d.Reason = fmt.Sprintf("entry %q (%s) approves the surface %s, and this is %s", d.Entry.ID, place, short(d.Entry.Manifest.Digest), short(s.Surface))
		return true
	}
	d.Entry, d.Status, d.Allowed = approvals[i].entry, Approved, true
	d.Reason = fmt.Sprintf("entry %q (%s) approves it", d.Entry.ID, place)
	if tool == "" {
		return true
	}
	for _, m := range approvals {
		if t := m.entry.Tools; slices.Contains(t.Deny, tool) || m.entry == d.Entry && t.Allow != nil && !slices.Contains(t.Allow, tool) {
			d.Entry, d.Allowed, d.Tool = m.entry, false, true
			d.Reason = fmt.Sprintf("entry %q (%s) approves the server and not its tool %q", m.entry.ID, place, analyzers.Untrusted(tool))
			return true
		}
	}
	return true
}

// without says why nothing decided: an approval that has run out, one for
// others, one of something else, none.
func (d *Decision) without(s *subject, near []*matcher, who Who, today string) {
	d.Status = Unapproved
	d.Reason = "no entry of the registry matches it"
	rank := 0 // of the best explanation so far
	for _, m := range near {
		e := m.entry
		if e.Status != Approved || !slices.ContainsFunc(d.Path, e.stands) && rank > 0 {
			continue
		}
		unmet, applies := e.applies(who)
		here := slices.ContainsFunc(d.Path, e.stands)
		matches := m.approves(s)
		what := ""
		if !matches {
			what = m.changed(s)
		}
		set := func(to int, status Status, format string, args ...any) {
			if to > rank {
				rank, d.Status, d.Entry, d.Changed = to, status, e, ""
				d.Reason = fmt.Sprintf(format, args...)
			}
		}
		switch {
		case matches && applies && here:
			set(4, Expired, "the approval by entry %q ran out on %s", e.ID, e.Evidence.Until)
		case what != "" && applies && here && !e.expired(today):
			set(3, Changed, "entry %q approves another %s%s", e.ID, wording[what], detail(what, s, m))
			if rank == 3 && d.Entry == e {
				d.Changed = what
			}
		case matches && here:
			set(2, Unapproved, "entry %q approves it only for %s", e.ID, unmet)
		case matches:
			set(1, Unapproved, "entry %q approves it only for %s", e.ID, strings.Join(e.places(), " and "))
		}
	}
}

var wording = map[string]string{
	"version": "version", "image": "digest of the image", "url": "URL", "launch": "command line", "environment": "environment", "file": "file",
}

func detail(what string, s *subject, m *matcher) string {
	switch what {
	case "file":
		what, have := "what is executed", s.FileSHA256
		if want := m.entry.Match.FileSHA256; want == "" || want == have {
			what, have = "the script", s.ScriptSHA256
		}
		if have == Missing {
			return ": " + what + " cannot be read"
		}
		return ": " + what + " has the SHA-256 " + have
	case "environment":
		for _, name := range s.Env {
			if !slices.Contains(m.env, name) {
				return ": " + analyzers.Untrusted(name).String() + " changes what is started"
			}
		}
	case "launch":
		if m.argv == nil && s.Unclear != "" {
			return ": " + s.Unclear
		}
	}
	return ""
}

func because(e *Entry) string {
	word := "denies it"
	if e.Status == Quarantined {
		word = "holds it in quarantine"
	}
	if e.Evidence.Reason != "" {
		return word + ": " + analyzers.Untrusted(e.Evidence.Reason).String()
	}
	return word
}

// short is a digest as people compare it.
func short(digest string) string {
	if len(digest) > 19 {
		return digest[:19]
	}
	return digest
}

// Surface decides about a captured surface of which nothing is known but a
// name: it is an approved one, or not the one that the entry of that name
// approves, or nobody's.
func (r *Registry) Surface(name, digest string, who Who, today string) Decision {
	path := r.chain(who)
	counts := func(m *matcher) bool {
		_, ok := m.entry.applies(who)
		return ok && m.entry.Status == Approved && !m.entry.expired(today) && slices.ContainsFunc(path, m.entry.stands)
	}
	for _, m := range r.bySurface[digest] {
		if counts(m) {
			return Decision{Allowed: true, Status: Approved, Entry: m.entry, Path: path, Reason: fmt.Sprintf("entry %q approves this surface", m.entry.ID)}
		}
	}
	for _, m := range r.index["id "+Slug(name)] {
		switch {
		case !counts(m):
		case m.entry.Manifest.Digest == "":
			return Decision{Allowed: true, Status: Approved, Entry: m.entry, Path: path, Reason: fmt.Sprintf("entry %q approves the server of this name with whatever surface it has", m.entry.ID)}
		default:
			return Decision{Status: Changed, Changed: "surface", Entry: m.entry, Path: path,
				Reason: fmt.Sprintf("entry %q (%s) approves the surface %s, and this is %s", m.entry.ID, strings.Join(m.entry.places(), ", "), short(m.entry.Manifest.Digest), short(digest))}
		}
	}
	return Decision{Status: Unapproved, Path: path, Reason: "no entry of the registry approves this surface"}
}
