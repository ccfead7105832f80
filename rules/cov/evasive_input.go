package cov

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed evasive_input.md
var evasiveInputPage string

// EvasiveInput flags files that are written so that a scanner fails on them.
var EvasiveInput = rules.Rule{
	ID:         "evasive-input",
	Title:      "File is written so that a scanner cannot read it",
	Severity:   rules.High,
	Confidence: rules.Likely,
	CWE:        []int{172, 400, 20},
	Covers:     []string{"COV", "UNI-013", "UNI-014"},
	Page:       evasiveInputPage,
	Check:      checkEvasiveInput,
}

func checkEvasiveInput(pass *rules.Pass) {
	for _, gap := range pass.Catalog.Gaps {
		if gap.Blocking && evasive(gap) {
			pass.Report(on(gap, "this file cannot be read safely, and a client may read it all the same: %s. Treat it as hostile until it is plain UTF-8 of a normal size and depth.", analyzers.Untrusted(gap.Reason)))
		}
	}
}
