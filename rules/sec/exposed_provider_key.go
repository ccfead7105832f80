package sec

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed exposed_provider_key.md
var exposedProviderKeyPage string

// ExposedProviderKey flags keys and tokens in the format of their provider.
var ExposedProviderKey = rules.Rule{
	ID:         "exposed-provider-key",
	Title:      "Provider key stands in the file",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{798, 312},
	Covers:     []string{"SEC-001"},
	Page:       exposedProviderKeyPage,
	Check:      checkExposedProviderKey,
}

func checkExposedProviderKey(pass *rules.Pass) {
	of(pass, providerKey, func(s *analyzers.Secret) {
		kind := described()[s.Kind]
		f := finding(s, fmt.Sprintf("%s holds %s credential (%s)", holder(s), article(kind.Provider), kind.Title))
		if s.Kind == "stripe-test-key" {
			f.Severity = rules.Low // it moves no money
		}
		pass.Report(f)
	})
}

// article puts one in front of a provider's name.
func article(name string) string {
	if strings.ContainsRune("AEIO", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}
