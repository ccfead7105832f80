package drf

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/drift"
)

//go:embed added_definition.md
var addedDefinitionPage string

// AddedDefinition flags definitions that the manifest does not know.
var AddedDefinition = rules.Rule{
	ID:         "added-definition",
	Title:      "A tool, prompt or resource is not in the manifest",
	Severity:   rules.Medium,
	Confidence: rules.Certain,
	CWE:        []int{494},
	Covers:     []string{"DRF-001"},
	Page:       addedDefinitionPage,
	Check:      checkAddedDefinition,
}

func checkAddedDefinition(pass *rules.Pass) {
	report(pass, func(change drift.Change) bool {
		return change.Op == manifest.Added && change.Field == "" && (change.Class == drift.Expanding || change.Class == drift.Text)
	})
}
