package flw

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed untrusted_to_action.md
var untrustedToActionPage string

// UntrustedToAction flags tools that read strangers' text beside tools that
// delete, execute, pay or change rights.
var UntrustedToAction = rules.Rule{
	ID:         "untrusted-to-action",
	Title:      "Tools together let a stranger's text act",
	Severity:   rules.Low,
	Confidence: rules.Likely,
	CWE:        []int{829, 862},
	Covers:     []string{"FLW-002", "FLW-012"},
	Page:       untrustedToActionPage,
	Check:      checkUntrustedToAction,
}

func checkUntrustedToAction(pass *rules.Pass) {
	reportAll(pass, "untrusted-to-action")
}
