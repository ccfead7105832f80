package drf

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/drift"
)

//go:embed changed_identity.md
var changedIdentityPage string

// ChangedIdentity flags servers that are started or reached in another
// way than their manifest says.
var ChangedIdentity = rules.Rule{
	ID:         "changed-identity",
	Title:      "The server is another one than was approved",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{494, 829},
	Covers:     []string{"DRF-008", "DRF-009"},
	Page:       changedIdentityPage,
	Check:      checkChangedIdentity,
}

func checkChangedIdentity(pass *rules.Pass) {
	report(pass, func(change drift.Change) bool {
		return change.Class == drift.Identity
	})
}
