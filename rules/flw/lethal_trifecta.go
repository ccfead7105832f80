package flw

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed lethal_trifecta.md
var lethalTrifectaPage string

// LethalTrifecta flags tools that read strangers' text, read private
// data and have a way out.
var LethalTrifecta = rules.Rule{
	ID:         "lethal-trifecta",
	Title:      "Tools together can carry private data out on a stranger's word",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{200, 829},
	Covers:     []string{"FLW-001", "FLW-010", "FLW-011"},
	Page:       lethalTrifectaPage,
	Check:      checkLethalTrifecta,
}

func checkLethalTrifecta(pass *rules.Pass) {
	reportAll(pass, "lethal-trifecta")
}
