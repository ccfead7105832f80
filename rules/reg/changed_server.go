package reg

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
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
			advice = "Compare what it shows with what was reviewed; approve the new surface only when the change is understood."
		}
		f := finding(one, span, false, "server %q is not what was approved: %s. %s", s.Name, one.Reason, advice)
		f.Subject += " " + one.Changed
		pass.Report(f)
	})
}
