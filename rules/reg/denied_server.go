package reg

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed denied_server.md
var deniedServerPage string

// DeniedServer flags servers that an entry of the registry denies.
var DeniedServer = rules.Rule{
	ID:         "denied-server",
	Title:      "Server is denied by the registry",
	Severity:   rules.High,
	Confidence: rules.Certain,
	CWE:        []int{1357},
	Covers:     []string{"REG-005"},
	Page:       deniedServerPage,
	Check:      unbound,
}

func checkDenied(pass *rules.Pass, u *uses) {
	u.with(registry.Denied, func(one use) {
		pass.Report(finding(one, one.Server.KeySpan, false, "server %q is denied: %s. Remove it.", one.Server.Name, one.Reason))
	})
}
