package reg

import (
	_ "embed"
	"slices"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/drift"
)

//go:embed changed_server.md
var changedServerPage string

// ChangedServer flags servers that differ from what an entry of the registry approves.
var ChangedServer = rules.Rule{
	ID:         "changed-server",
	Title:      "Server is not what was approved",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{494, 1357},
	Covers:     []string{"REG-010", "DRF-009", "DRF-003"},
	Page:       changedServerPage,
	Check:      unbound,
}

func checkChanged(pass *rules.Pass, u *uses) {
	u.with(registry.Changed, func(one use) {
		s := one.Server
		span := s.KeySpan
		advice := "Use what was approved, or have this reviewed and approved."
		switch one.Changed {
		case "version":
			if len(s.Packages) > 0 {
				span = s.Packages[0].Spec.Span
			}
		case "image":
			if len(s.Images) > 0 {
				span = s.Images[0].Spec.Span
			}
		case "url":
			if !s.URL.IsZero() {
				span = s.URL.Span
			}
		case "launch":
			if !s.Command.IsZero() {
				span = s.Command.Span
			}
		case "environment":
			for _, v := range s.Env {
				if one.Identity.Steered(v.Name.Raw()) {
					span = v.Name.Span
					break
				}
			}
			advice = "Take the variable out, or have it reviewed and listed in the entry's match."
		case "surface":
			if reportChanges(pass, one) {
				return
			}
			advice = "Compare what it shows with what was reviewed; approve the new surface only when the change is understood."
		}
		f := finding(one, span, false, "server %q is not what was approved: %s. %s", s.Name, one.Reason, advice)
		f.Subject += " " + one.Changed
		pass.Report(f)
	})
}

// reportChanges says what differs from the approved surface, each difference at
// its place, and reports whether the manifest of that surface is there to say
// so. Whatever its class, it is high: nobody has approved it.
func reportChanges(pass *rules.Pass, one use) bool {
	if one.Entry == nil || one.Capture == nil {
		return false
	}
	m := approved(pass.Catalog, one.Server, one.Entry.ID)
	if m == nil {
		return false
	}
	was, err := manifest.ParseSource(m.Statement)
	if err != nil {
		return false
	}
	changes := drift.Compare(drift.Side{Surface: was.Surface()}, drift.Side{Surface: &one.Capture.Surface})
	changes = slices.DeleteFunc(changes, func(c drift.Change) bool { return c.Kind == "capability" }) // expanded-capability says it
	for _, c := range changes {
		f := finding(one, c.Span, false, "server %q is not what entry %q approves: %s Have it reviewed and approved, or use what was approved.", one.Server.Name, one.Entry.ID, c.Words())
		f.Subject = one.Entry.ID + " " + c.Subject()
		f.Severity = max(rules.High, c.Severity)
		if c.Kind == "tool" {
			f.Tool = c.Name.Raw()
		}
		pass.Report(f)
	}
	return len(changes) > 0
}

// approved is the manifest of what an entry approves of a server, nil without
// one.
func approved(c *analyzers.Catalog, s *analyzers.Server, entry string) *analyzers.Manifest {
	for _, m := range c.Manifests {
		if m.For == s && m.Entry == entry {
			return m
		}
	}
	return nil
}
