package drf

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/drift"
)

//go:embed changed_text.md
var changedTextPage string

// ChangedText flags texts and other members that differ without
// widening anything.
var ChangedText = rules.Rule{
	ID:         "changed-text",
	Title:      "A definition says something else than was approved",
	Severity:   rules.Low,
	Confidence: rules.Firm,
	CWE:        []int{494},
	Covers:     []string{"DRF-003", "DRF-006", "DRF-007"},
	Page:       changedTextPage,
	Check:      checkChangedText,
}

func checkChangedText(pass *rules.Pass) {
	report(pass, func(change drift.Change) bool {
		return change.Class == drift.Text && !(change.Op == manifest.Added && change.Field == "") || change.Class == drift.Cosmetic
	})
}
