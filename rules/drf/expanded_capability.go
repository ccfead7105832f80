package drf

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/drift"
)

//go:embed expanded_capability.md
var expandedCapabilityPage string

// ExpandedCapability flags changes that let a tool take or do more.
var ExpandedCapability = rules.Rule{
	ID:         "expanded-capability",
	Title:      "A tool or its server does more than was approved",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{269, 494},
	Covers:     []string{"DRF-004", "DRF-005"},
	Page:       expandedCapabilityPage,
	Check:      checkExpandedCapability,
}

func checkExpandedCapability(pass *rules.Pass) {
	report(pass, func(change drift.Change) bool {
		return change.Class == drift.Expanding && !(change.Op == manifest.Added && change.Field == "")
	})
}
