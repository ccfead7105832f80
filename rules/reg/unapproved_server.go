package reg

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed unapproved_server.md
var unapprovedServerPage string

// UnapprovedServer flags servers that no entry of the registry approves.
var UnapprovedServer = rules.Rule{
	ID:         "unapproved-server",
	Title:      "Server is not in the registry",
	Severity:   rules.Medium,
	Confidence: rules.Certain,
	CWE:        []int{1357},
	Covers:     []string{"REG-001"},
	Page:       unapprovedServerPage,
	Check:      unbound,
}

func checkUnapproved(pass *rules.Pass, u *uses) {
	u.with(registry.Unapproved, func(one use) {
		pass.Report(finding(one, one.Server.KeySpan, true,
			"server %q is not approved: %s. Ask for its approval (sallyport registry propose), or remove it.", one.Server.Name, one.Reason))
	})
}
