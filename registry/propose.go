package registry

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/dispatch"
)

// Proposal is what a scan suggests for a registry.
type Proposal struct {
	Edit
	// Remarks say what was left alone and why: a server whose command line
	// holds a credential, an approved one that changed. One sentence each.
	Remarks []string
}

// Propose turns a catalog and its findings into entries. It decides nothing:
// what is new comes into quarantine with a suggestion, and an entry on which a
// person has decided is never touched. Proposing the same again changes
// nothing.
func (d *Document) Propose(c *analyzers.Catalog, found []rules.Finding) *Proposal {
	p := &Proposal{}
	taken := map[string]bool{}
	var matchers []*matcher
	for i, e := range d.Servers {
		taken[e.ID] = true
		matchers = append(matchers, newMatcher(e, i))
	}
	index := map[string][]*matcher{}
	for _, m := range matchers {
		for _, key := range m.keys() {
			index[key] = append(index[key], m)
		}
	}
	r := &Registry{Doc: d, index: index}
	drafts := map[string]*Entry{} // by what they match
	refreshed := map[*Entry]*Entry{}
	skipped := map[string]int{}
	for _, o := range Observe(c) {
		s := o.Server
		switch {
		case isCapture(s) && o.Named():
			p.remark("capture %q belongs to no declared server; scan its configuration with it", s.Name)
			continue
		case isCapture(s):
			continue // its declaration carries the digest
		case s.Exposure == analyzers.Docs || s.Exposure == analyzers.Template || s.Exposure == analyzers.Test:
			skipped[string(s.Exposure)]++
			continue
		}
		if o.Problem != "" {
			p.remark("server %q: its surface has no digest: %s", s.Name, analyzers.Untrusted(o.Problem))
		}
		evidence := evidenceOf(s, o.Capture, found)
		if old := r.known(&o.Identity); old != nil {
			p.meet(old, &o, evidence, refreshed)
			continue
		}
		match, err := matchFor(&o, c)
		if err != "" {
			p.remark("server %q: %s", s.Name, err)
			continue
		}
		e := &Entry{Match: match, Status: Quarantined, Transport: s.Transport, Manifest: Manifest{Digest: o.Identity.Surface}, Evidence: evidence}
		if o.Capture != nil {
			e.Tools.Dispatch = dispatchOf(o.Capture)
		}
		key := newMatcher(e, 0).canon()
		if first := drafts[key]; first != nil {
			first.Evidence = worse(first.Evidence, evidence)
			if first.Manifest.Digest == "" {
				first.Manifest = e.Manifest
			}
			continue
		}
		e.ID = unique(Slug(s.Name.Raw()), taken)
		if e.ID != Slug(s.Name.Raw()) {
			p.remark("server %q is not what entry %q matches; it is proposed as %q", s.Name, Slug(s.Name.Raw()), e.ID)
		}
		taken[e.ID] = true
		drafts[key] = e
		p.Added = append(p.Added, e)
	}
	for _, e := range p.Added {
		e.hold()
	}
	for _, e := range d.Servers { // in the document's order
		if now := refreshed[e]; now != nil {
			if now.hold(); now.text() != e.text() {
				p.Changed = append(p.Changed, now)
			}
		}
	}
	for _, kind := range []string{"docs", "template", "test"} {
		if n := skipped[kind]; n > 0 {
			p.remark("left out: servers in %s files (%d)", kind, n)
		}
	}
	return p
}

// dispatchOf are the tools of a server that call others, as far as their
// schemas say so.
func dispatchOf(s *analyzers.Server) []Dispatch {
	var out []Dispatch
	for _, t := range s.Surface.Tools {
		if shape, ok := dispatch.Of(t); ok && !slices.ContainsFunc(out, func(d Dispatch) bool { return d.Tool == t.Name.Raw() }) && len(out) < mostDispatch {
			d := Dispatch{Tool: t.Name.Raw(), Name: shape.Name, Arguments: shape.Arguments, Code: shape.Code}
			if d.check() == "" {
				out = append(out, d)
			}
		}
	}
	return out
}

// mostDispatch bounds what is proposed of one server.
const mostDispatch = 50

func (p *Proposal) remark(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); len(p.Remarks) < 200 && !slices.Contains(p.Remarks, text) {
		p.Remarks = append(p.Remarks, text)
	}
}

// known returns the entry that speaks of exactly this server, a decided one
// before a proposal; nil when there is none.
func (r *Registry) known(id *Identity) *Entry {
	s := parseIdentity(*id)
	var proposal *Entry
	for _, m := range candidates(s, r.index) {
		if m.approves(s) || m.entry.Status == Denied && m.touches(s) {
			if m.entry.Decided() {
				return m.entry
			}
			proposal = cmp.Or(proposal, m.entry)
		}
	}
	return proposal
}

// meet compares a server with the entry that speaks of it.
func (p *Proposal) meet(old *Entry, o *Observed, evidence Evidence, refreshed map[*Entry]*Entry) {
	digest := o.Identity.Surface
	if old.Decided() {
		switch {
		case old.Status != Approved || digest == "" || digest == old.Manifest.Digest:
		case old.Manifest.Digest == "":
			p.remark("entry %q is approved without a manifest; the surface seen is %s: sallyport registry approve %s --digest %s", old.ID, short(digest), old.ID, digest)
		default:
			p.remark("entry %q approves the surface %s, and the one seen is %s; if that is meant: sallyport registry approve %s --digest %s",
				old.ID, short(old.Manifest.Digest), short(digest), old.ID, digest)
		}
		return
	}
	now := refreshed[old]
	if now == nil {
		copied := *old
		now = &copied
		now.Evidence.Findings, now.Evidence.Suggestion, now.Evidence.Reason = evidence.Findings, evidence.Suggestion, evidence.Reason
	} else {
		kept := now.Evidence
		now.Evidence = worse(now.Evidence, evidence)
		now.Evidence.Score, now.Evidence.Until = kept.Score, kept.Until
	}
	if digest != "" {
		now.Manifest.Digest = digest
	}
	refreshed[old] = now
}

// matchFor pins a server as firmly as its declaration allows: by the whole
// command line or the URL. What would carry a credential into the document is
// refused.
func matchFor(o *Observed, c *analyzers.Catalog) (m Match, refused string) {
	id := &o.Identity
	leaks := func(s string) bool { return secret.Mask(s) != s }
	for _, found := range c.Secrets {
		if found.Server == o.Server && (found.Where == "arg" || found.Where == "url") {
			return m, "its " + map[string]string{"arg": "command line", "url": "URL"}[found.Where] + " holds a credential, which must not come into a registry; pass it by an environment variable or a header"
		}
	}
	if slices.ContainsFunc(id.Argv, leaks) || leaks(id.URL) {
		return m, "its command line or URL holds a credential, which must not come into a registry; pass it by an environment variable or a header"
	}
	m.Argv = id.Argv
	if len(id.Argv) > 0 {
		m.Env = id.Env
	}
	if id.URL != "" {
		if _, err := parseLocation(id.URL); err != nil {
			return m, err.Error()
		}
		m.URL = id.URL
	}
	s := parseIdentity(*id)
	if len(s.packages) == 1 && len(id.Images) == 0 && s.packages[0].exact() {
		m.PURL = id.Packages[0]
	}
	if len(s.images) == 1 && len(id.Packages) == 0 && s.images[0].digest != "" {
		m.Image = s.images[0].repository + "@" + s.images[0].digest
	}
	if err := m.check(Quarantined); err != nil {
		return m, err.Error()
	}
	return m, ""
}

// evidenceOf is what a scan says of one declaration and its captured surface.
func evidenceOf(s, capture *analyzers.Server, found []rules.Finding) Evidence {
	worst := map[string]rules.Severity{}
	for i := range found {
		f := &found[i]
		if f.Suppressed != nil || f.Rule.Family() == "reg" || f.Severity <= rules.Info || f.Server != s.Name.Raw() {
			continue
		}
		if path := f.Span.Path(); path == s.Span.Path() || capture != nil && path == capture.Span.Path() {
			worst[f.Rule.ID] = max(worst[f.Rule.ID], f.Severity)
		}
	}
	e := Evidence{Findings: []string{}}
	for id, severity := range worst {
		e.Findings = append(e.Findings, severity.String()+" "+id)
	}
	return e.weighed()
}

// hold lowers the suggestion to approve a command that may start something
// else tomorrow.
func (e *Entry) hold() {
	if _, ok := newMatcher(e, 0).pinned(); !ok && len(e.Match.Argv) > 0 && e.Evidence.Suggestion == "approve" {
		e.Evidence.Suggestion = "review"
	}
}

const maxEvidence = 20 // findings named in one entry

// weighed sorts the findings, worst first, and suggests what follows.
func (e Evidence) weighed() Evidence {
	level := func(f string) rules.Severity {
		word, _, _ := strings.Cut(f, " ")
		s, _ := rules.ParseSeverity(word)
		return s
	}
	slices.SortFunc(e.Findings, func(a, b string) int { return cmp.Or(cmp.Compare(level(b), level(a)), cmp.Compare(a, b)) })
	total := len(e.Findings)
	e.Findings = e.Findings[:min(total, maxEvidence)]
	top := rules.Severity(0)
	if total > 0 {
		top = level(e.Findings[0])
	}
	switch {
	case top >= rules.High:
		e.Suggestion = "deny"
	case top >= rules.Medium:
		e.Suggestion = "review"
	default:
		e.Suggestion = "approve"
	}
	e.Reason = "proposed by a scan; rules with findings: " + strconv.Itoa(total)
	return e
}

// worse joins the evidence of two declarations of one server.
func worse(a, b Evidence) Evidence {
	worst := map[string]rules.Severity{}
	for _, f := range slices.Concat(a.Findings, b.Findings) {
		word, id, _ := strings.Cut(f, " ")
		s, _ := rules.ParseSeverity(word)
		worst[id] = max(worst[id], s)
	}
	out := Evidence{Findings: []string{}}
	for id, s := range worst {
		out.Findings = append(out.Findings, s.String()+" "+id)
	}
	return out.weighed()
}

func unique(id string, taken map[string]bool) string {
	out := id
	for n := 2; taken[out]; n++ {
		out = id + "-" + strconv.Itoa(n)
	}
	return out
}

// Ruling is a person's decision on one entry.
type Ruling struct {
	ID       string
	Status   Status // Approved or Denied
	Approver string
	Reason   string
	Today    string // YYYY-MM-DD
	Until    string // YYYY-MM-DD or ""
	Digest   string // of the surface that is approved; "" keeps the entry's
	// Capabilities is the digest of those that its manifest pins, and Path where
	// that is, relative to the document; both "" keep the entry's if the digest
	// stays.
	Capabilities, Path string
	// AcceptUnpinned allows an approval without a manifest digest.
	AcceptUnpinned bool
}

// Refusal is why a decision is not written, and what to do instead.
type Refusal struct{ Problem, Hint string }

func (r *Refusal) Error() string { return r.Problem }

// Rule makes the edit of a decision. The error is a *Refusal.
func (d *Document) Rule(r Ruling) (Edit, error) {
	old := d.Entry(r.ID)
	switch {
	case old == nil:
		return Edit{}, &Refusal{fmt.Sprintf("the registry has no server %q", analyzers.Untrusted(r.ID)), "sallyport registry list --registry " + d.Source.Path}
	case strings.TrimSpace(r.Reason) == "":
		return Edit{}, &Refusal{"a decision needs a reason", "--reason TEXT"}
	case strings.TrimSpace(r.Approver) == "":
		return Edit{}, &Refusal{"a decision needs a name", "--approver WHO"}
	case len(r.Reason) > maxText || len(r.Approver) > maxText:
		return Edit{}, &Refusal{"the reason or the name is too long", fmt.Sprintf("at most %d bytes", maxText)}
	case r.Until != "" && !ValidDate(r.Until):
		return Edit{}, &Refusal{"--until needs a date", "--until " + r.Today}
	case r.Until != "" && r.Until < r.Today:
		return Edit{}, &Refusal{"--until " + r.Until + " is over already", "name a day from " + r.Today + " on"}
	case r.Digest != "" && !isDigest(r.Digest):
		return Edit{}, &Refusal{"--digest needs sha256: and 64 lower-case hexadecimal digits", "sallyport registry propose shows the digest of a captured surface"}
	}
	if may := d.mayDecide(old); may != nil && !slices.Contains(may, r.Approver) {
		return Edit{}, &Refusal{fmt.Sprintf("%q may not decide on %q", analyzers.Untrusted(r.Approver), old.ID), "its approvers are: " + analyzers.Untrusted(strings.Join(may, ", ")).String()}
	}
	e := *old
	e.Status = r.Status
	if r.Digest != "" && r.Digest != e.Manifest.Digest {
		e.Manifest = Manifest{Digest: r.Digest}
	}
	if r.Path != "" {
		e.Manifest.Capabilities, e.Manifest.Path = r.Capabilities, r.Path
	} else if r.Capabilities != "" {
		e.Manifest.Capabilities = r.Capabilities
	}
	if r.Status == Approved {
		if err := e.Match.check(Approved); err != nil {
			return Edit{}, &Refusal{fmt.Sprintf("server %q cannot be approved: %s", e.ID, err), "edit its match first"}
		}
		if e.Manifest.Digest == "" && !r.AcceptUnpinned {
			return Edit{}, &Refusal{fmt.Sprintf("server %q has no manifest digest: what it shows to models could change without notice", e.ID),
				"scan a capture of its tools/list together with its configuration (sallyport registry propose), or accept that with --accept-unpinned"}
		}
	}
	e.Evidence.Suggestion, e.Evidence.ApprovedBy, e.Evidence.ApprovedAt, e.Evidence.Until, e.Evidence.Reason = "", r.Approver, r.Today, r.Until, r.Reason
	return Edit{Changed: []*Entry{&e}}, nil
}

// mayDecide is who may decide on an entry: for each of its units the approvers
// of the nearest unit that names some, or those of the document; nil for
// anybody. A person must be an approver everywhere the entry stands.
func (d *Document) mayDecide(e *Entry) []string {
	units := slices.Clone(e.Units)
	for _, p := range e.Projects {
		project, _ := d.project(p)
		units = append(units, project.Unit)
	}
	if len(units) == 0 {
		units = []string{""}
	}
	var may []string
	restricted := false
	for _, id := range units {
		here := d.Approvers
		for at := id; at != ""; {
			u, _ := d.unit(at)
			if len(u.Approvers) > 0 {
				here = u.Approvers
				break
			}
			at = u.Parent
		}
		switch {
		case len(here) == 0:
		case !restricted:
			may, restricted = slices.Clone(here), true
		default:
			may = slices.DeleteFunc(may, func(s string) bool { return !slices.Contains(here, s) })
		}
	}
	if restricted && may == nil {
		may = []string{}
	}
	return may
}
