package registry

import (
	"fmt"
	"slices"
	"strings"
)

// repeats looks for entries that match the same for the same people: errors
// where they say different things, else warnings.
func (r *Registry) repeats() []Problem {
	var out []Problem
	same := make(map[string]*Entry, len(r.matchers)) // match, places and conditions
	for _, m := range r.matchers {
		e := m.entry
		key := m.canon() + "\n" + e.scopeKey()
		first := same[key]
		switch {
		case first == nil:
			same[key] = e
		case len(out) >= MaxProblems:
		case first.effect() == e.effect():
			out = append(out, Problem{Warning, fmt.Sprintf("server %q says what %q says already; remove one", e.ID, first.ID), e.Span})
		default:
			out = append(out, Problem{Error, fmt.Sprintf("servers %q and %q match the same for the same people and say different things; keep one", first.ID, e.ID), e.Span})
		}
	}
	return out
}

// remarks are the warnings and notes on entries that do not do what they seem
// to. Today is YYYY-MM-DD.
func (r *Registry) remarks(today string) []Problem {
	var out []Problem
	add := func(level Level, e *Entry, format string, args ...any) {
		if len(out) < MaxProblems {
			out = append(out, Problem{level, fmt.Sprintf(format, args...), e.Span})
		}
	}
	for _, m := range r.matchers {
		e := m.entry
		if e.expired(today) {
			add(Warning, e, "server %q: the decision ran out on %s and counts no more", e.ID, e.Evidence.Until)
			continue
		}
		if why := m.contradiction(); why != "" {
			add(Warning, e, "server %q can never match: %s", e.ID, why)
			continue
		}
		if p := e.outside(r); p != "" {
			add(Note, e, "server %q names %s and also a unit above it; the nearer place counts there", e.ID, p)
		}
		if e.Status != Approved {
			continue
		}
		if by := r.shadow(m, today); by != nil {
			add(Warning, e, "server %q can never be approved: %q denies it at the same place", e.ID, by.ID)
		}
		switch why, ok := m.pinned(); {
		case e.Manifest.Digest == "" && !ok:
			add(Note, e, "server %q is approved without a manifest, and %s", e.ID, why)
		case e.Manifest.Digest == "":
			add(Note, e, "server %q is approved without a manifest: what it shows to models is not compared", e.ID)
		case !ok && e.Match.URL == "":
			add(Note, e, "server %q: %s", e.ID, why)
		}
		if e.Evidence.ApprovedBy == "" {
			add(Note, e, "server %q is approved by nobody: evidence.approvedBy is missing", e.ID)
		}
	}
	return out
}

// scopeKey is equal for entries that count for the same people.
func (e *Entry) scopeKey() string {
	var key []byte
	for _, list := range [...][]string{e.Units, e.Projects, e.Environments, e.Roles, e.Clients} {
		key = append(quoteAll(key, slices.Sorted(slices.Values(list))), '|')
	}
	return string(key)
}

// effect is equal for entries that decide the same.
func (e *Entry) effect() string {
	allow := "all"
	if e.Tools.Allow != nil {
		allow = fmt.Sprintf("%q", slices.Sorted(slices.Values(e.Tools.Allow)))
	}
	return fmt.Sprintf("%s %s %s %s %q %q %v %q %s %s", e.Status, e.Manifest.Digest, e.Manifest.Capabilities, allow, slices.Sorted(slices.Values(e.Tools.Deny)), e.Tools.Dispatch, e.Limits, slices.Sorted(slices.Values(e.Redaction)), e.Zone, e.Evidence.Until)
}

// outside returns a project of the entry that lies below one of its units.
func (e *Entry) outside(r *Registry) string {
	for _, p := range e.Projects {
		for at := r.units[p]; at != ""; at = r.parents[at] {
			if slices.Contains(e.Units, at) {
				return "project " + p
			}
		}
	}
	return ""
}

// contradiction says why no server can have everything that the match asks
// for.
func (m *matcher) contradiction() string {
	if m.argv == nil {
		if m.pkg != nil && m.image != nil {
			return "a server starts a package or an image; write argv for one that starts both"
		}
		return ""
	}
	s := m.command()
	switch {
	case m.pkg != nil && !slices.ContainsFunc(s.packages, m.pkg.covers):
		return "its argv does not start " + m.entry.Match.PURL
	case m.image != nil && !slices.ContainsFunc(s.images, m.image.covers):
		return "its argv does not start " + m.entry.Match.Image
	}
	return ""
}

// shadow returns the denial that leaves nothing of an approval: at each of its
// places one stands whose match and conditions take in all of it.
func (r *Registry) shadow(m *matcher, today string) *Entry {
	var by *Entry
	for _, place := range m.entry.places() {
		i := slices.IndexFunc(r.related(m), func(d *matcher) bool {
			return d.entry.Status == Denied && !d.entry.expired(today) && d.entry.stands(place) && d.covers(m) && d.entry.wider(m.entry)
		})
		if i < 0 {
			return nil
		}
		by = r.related(m)[i].entry
	}
	return by
}

// related are the matchers that share a key with m.
func (r *Registry) related(m *matcher) []*matcher {
	var out []*matcher
	for _, key := range append(m.keys(), m.kinKeys()...) {
		if !strings.HasPrefix(key, "id ") {
			out = append(append(out, r.index[key]...), r.kin()[key]...)
		}
	}
	return out
}

// covers reports whether the denial d touches every server that m approves.
func (d *matcher) covers(m *matcher) bool {
	starts := m.command()
	packages, images := starts.packages, starts.images
	if m.pkg != nil {
		packages = []pkg{*m.pkg}
	}
	if m.image != nil {
		images = []image{*m.image}
	}
	same := func(wide, narrow string) bool { return wide == "" || wide == narrow }
	return (d.argv == nil || slices.Equal(d.argv, m.argv)) &&
		same(d.entry.Match.FileSHA256, m.entry.Match.FileSHA256) && same(d.entry.Match.ScriptSHA256, m.entry.Match.ScriptSHA256) &&
		(d.pkg == nil || slices.ContainsFunc(packages, d.pkg.covers)) &&
		(d.image == nil || slices.ContainsFunc(images, d.image.covers)) &&
		(d.url == nil || m.url != nil && d.url.coversPattern(m.url))
}

// wider reports whether e's conditions hold wherever o's do.
func (e *Entry) wider(o *Entry) bool {
	in := func(wide, narrow []string) bool {
		return len(wide) == 0 || len(narrow) > 0 && every(narrow, func(s string) bool { return slices.Contains(wide, s) })
	}
	return in(e.Environments, o.Environments) && in(e.Roles, o.Roles) && in(e.Clients, o.Clients)
}
