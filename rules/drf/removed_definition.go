package drf

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/drift"
)

//go:embed removed_definition.md
var removedDefinitionPage string

// RemovedDefinition flags what is gone or narrower.
var RemovedDefinition = rules.Rule{
	ID:         "removed-definition",
	Title:      "What the manifest lists is gone or takes less",
	Severity:   rules.Low,
	Confidence: rules.Certain,
	CWE:        []int{436},
	Covers:     []string{"DRF-002"},
	Page:       removedDefinitionPage,
	Check:      checkRemovedDefinition,
}

func checkRemovedDefinition(pass *rules.Pass) {
	report(pass, func(change drift.Change) bool {
		return change.Class == drift.Narrowing
	})
}
