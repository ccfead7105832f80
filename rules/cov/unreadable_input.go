package cov

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed unreadable_input.md
var unreadableInputPage string

// UnreadableInput flags recognised files that could not be read.
var UnreadableInput = rules.Rule{
	ID:         "unreadable-input",
	Title:      "A recognised file could not be read",
	Severity:   rules.Medium,
	Confidence: rules.Certain,
	CWE:        []int{20},
	Covers:     []string{"COV"},
	Page:       unreadableInputPage,
	Check:      checkUnreadableInput,
}

func checkUnreadableInput(pass *rules.Pass) {
	for _, gap := range pass.Catalog.Gaps {
		reason := analyzers.Untrusted(gap.Reason)
		switch {
		case !gap.Blocking || evasive(gap):
		case gap.Kind == "escape":
			pass.Report(on(gap, "a client reads this name, but it leads out of the scanned tree: %s. Put the file itself in its place.", reason))
		default:
			pass.Report(on(gap, "this file is not in the result, so nothing can be said about it: %s. Repair it, or leave it out of the scan by name.", reason))
		}
	}
}
