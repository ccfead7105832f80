package sec

import (
	_ "embed"
	"fmt"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed credential_in_config.md
var credentialInConfigPage string

// CredentialInConfig flags values whose name says password, token or key.
var CredentialInConfig = rules.Rule{
	ID:         "credential-in-config",
	Title:      "Credential is written out in the file",
	Severity:   rules.High,
	Confidence: rules.Likely,
	CWE:        []int{798, 312},
	Covers:     []string{"SEC-005"},
	Page:       credentialInConfigPage,
	Check:      checkCredentialInConfig,
}

func checkCredentialInConfig(pass *rules.Pass) {
	of(pass, named, func(s *analyzers.Secret) {
		f := finding(s, fmt.Sprintf("%s holds a literal %s", holder(s), s.Kind))
		if stock(s.Text.Raw()) {
			f.Severity = rules.Low
		}
		pass.Report(f)
	})
}
