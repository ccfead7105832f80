package drf

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/drift"
)

//go:embed poisoned_change.md
var poisonedChangePage string

// PoisonedChange flags changes whose new text or shape turns a
// model against its user.
var PoisonedChange = rules.Rule{
	ID:         "poisoned-change",
	Title:      "A change works against the user",
	Severity:   rules.High,
	Confidence: rules.Likely,
	CWE:        []int{506, 1426},
	Covers:     []string{"DRF-013", "DRF-003", "DRF-006", "DRF-007"},
	Page:       poisonedChangePage,
	Check:      checkPoisonedChange,
}

func checkPoisonedChange(pass *rules.Pass) {
	report(pass, func(change drift.Change) bool {
		return change.Class == drift.Poisoned
	})
}
