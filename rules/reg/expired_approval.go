package reg

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed expired_approval.md
var expiredApprovalPage string

// ExpiredApproval flags servers whose approval has run out.
var ExpiredApproval = rules.Rule{
	ID:         "expired-approval",
	Title:      "Approval of the server has run out",
	Severity:   rules.Medium,
	Confidence: rules.Certain,
	CWE:        []int{1357},
	Covers:     []string{"REG-001"},
	Page:       expiredApprovalPage,
	Check:      unbound,
}

func checkExpired(pass *rules.Pass, u *uses) {
	u.with(registry.Expired, func(one use) {
		pass.Report(finding(one, one.Server.KeySpan, true,
			"server %q is approved no more: %s. Review it and approve it again, or remove it.", one.Server.Name, one.Reason))
	})
}
