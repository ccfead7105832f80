package sec

import (
	_ "embed"
	"fmt"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed high_entropy_value.md
var highEntropyValuePage string

// HighEntropyValue flags random values under names that say nothing.
var HighEntropyValue = rules.Rule{
	ID:         "high-entropy-value",
	Title:      "Value looks like a random secret",
	Severity:   rules.Medium,
	Confidence: rules.Tentative,
	CWE:        []int{798, 312},
	Covers:     []string{"SEC-006"},
	Page:       highEntropyValuePage,
	Check:      checkHighEntropyValue,
}

func checkHighEntropyValue(pass *rules.Pass) {
	of(pass, random, func(s *analyzers.Secret) {
		f := finding(s, "")
		f.Message = fmt.Sprintf("%s holds a long random value, as secrets are. If it is one, revoke it, then %s.", holder(s), advice(s))
		pass.Report(f)
	})
}
