package flw

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed private_data_exit.md
var privateDataExitPage string

// PrivateDataExit flags tools that read private data beside tools that
// send.
var PrivateDataExit = rules.Rule{
	ID:         "private-data-exit",
	Title:      "Tools together can send private data out",
	Severity:   rules.Low,
	Confidence: rules.Likely,
	CWE:        []int{200},
	Covers:     []string{"FLW-003", "FLW-004", "FLW-005", "FLW-006", "FLW-007", "FLW-008", "FLW-009"},
	Page:       privateDataExitPage,
	Check:      checkPrivateDataExit,
}

func checkPrivateDataExit(pass *rules.Pass) {
	reportAll(pass, "private-data-exit")
}
