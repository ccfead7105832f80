package reg

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed quarantined_server.md
var quarantinedServerPage string

// QuarantinedServer flags servers that the registry holds in quarantine.
var QuarantinedServer = rules.Rule{
	ID:         "quarantined-server",
	Title:      "Server waits for a decision",
	Severity:   rules.Medium,
	Confidence: rules.Certain,
	CWE:        []int{1357},
	Covers:     []string{"REG-001"},
	Page:       quarantinedServerPage,
	Check:      unbound,
}

func checkQuarantined(pass *rules.Pass, u *uses) {
	u.with(registry.Quarantined, func(one use) {
		pass.Report(finding(one, one.Server.KeySpan, true,
			"server %q is in quarantine: %s. Do not use it before somebody decides (sallyport registry approve or deny).", one.Server.Name, one.Reason))
	})
}
