package dsc

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/capability"
)

//go:embed purpose_mismatch.md
var purposeMismatchPage string

// PurposeMismatch flags tools that can do more than their narrow purpose asks
// for: a calculator that reads files.
var PurposeMismatch = rules.Rule{
	ID:         "purpose-mismatch",
	Title:      "Tool can do more than its stated purpose needs",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{250, 272},
	Covers:     []string{"DSC-024", "FLW-013"},
	Page:       purposeMismatchPage,
	Check:      checkPurposeMismatch,
}

func checkPurposeMismatch(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		narrow := capability.Narrow(s.Name.Raw())
		for _, t := range s.Surface.Tools {
			switch {
			case capability.Narrow(t.Name.Raw()):
				reportExcess(pass, s, t, "tool", t.Name, append(capability.Asks(t), capability.InDescription(t)...), rules.Medium)
			case narrow:
				reportExcess(pass, s, t, "server", s.Name, capability.Of(t), rules.Low)
			}
		}
	}
}

// reportExcess reports the worst thing that a narrow purpose does not need.
func reportExcess(pass *rules.Pass, s *analyzers.Server, t *analyzers.Tool, kind string, name analyzers.Text, facts []capability.Fact, level rules.Severity) {
	worst, found := 0, capability.Fact{}
	for _, f := range facts {
		if n := excess(f); n > worst {
			worst, found = n, f
		}
	}
	if worst == 0 {
		return
	}
	f := rules.OnServer(s, found.Span(), found.Field.Path, "%s %q states a purpose that needs nothing of its user's, yet tool %q %s (%s: %q). Ask what for, or take the ability away.",
		kind, name, t.Name, exceeds(found), analyzers.Untrusted(found.Field.Path), found.Evidence())
	f.Tool, f.Severity = t.Name.Raw(), level
	if worst == 1 {
		f.Severity = rules.Low
	}
	pass.Report(f)
}

// excess grades what a narrow purpose does not need: 2 for what gives away or
// destroys, 1 for what may have a reason, such as a file to read numbers from.
func excess(f capability.Fact) int {
	switch f.Label {
	case capability.ReadsPrivate:
		switch f.Object {
		case capability.Secret, capability.Mail, capability.Chat, capability.Personal:
			return 2
		}
		return 1
	case capability.Executes:
		if f.Object == capability.Shell {
			return 2
		}
	case capability.Destroys, capability.Pays, capability.ChangesRights:
		if !f.Claimed() {
			return 2
		}
	}
	return 0
}

func exceeds(f capability.Fact) string {
	if f.Label == capability.ReadsPrivate {
		if f.Object == capability.Personal {
			return "reads personal data"
		}
		return "reads from a " + string(f.Object)
	}
	return does(f)
}
