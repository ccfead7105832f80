package sec

import (
	_ "embed"
	"fmt"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed bearer_token_in_header.md
var bearerTokenInHeaderPage string

// BearerTokenInHeader flags bearer tokens, JSON Web Tokens and basic authentication.
var BearerTokenInHeader = rules.Rule{
	ID:         "bearer-token-in-header",
	Title:      "Header holds its token literally",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{798, 312},
	Covers:     []string{"SEC-004"},
	Page:       bearerTokenInHeaderPage,
	Check:      checkBearerTokenInHeader,
}

func checkBearerTokenInHeader(pass *rules.Pass) {
	of(pass, inHeader, func(s *analyzers.Secret) {
		pass.Report(finding(s, fmt.Sprintf("%s holds a literal credential (%s)", holder(s), s.Kind)))
	})
}
