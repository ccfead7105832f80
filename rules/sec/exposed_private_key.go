package sec

import (
	_ "embed"
	"fmt"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed exposed_private_key.md
var exposedPrivateKeyPage string

// ExposedPrivateKey flags private keys, those of cloud service accounts included.
var ExposedPrivateKey = rules.Rule{
	ID:         "exposed-private-key",
	Title:      "Private key stands in the file",
	Severity:   rules.High,
	Confidence: rules.Certain,
	CWE:        []int{321, 312},
	Covers:     []string{"SEC-002", "SEC-009"},
	Page:       exposedPrivateKeyPage,
	Check:      checkExposedPrivateKey,
}

func checkExposedPrivateKey(pass *rules.Pass) {
	of(pass, privateKey, func(s *analyzers.Secret) {
		pass.Report(finding(s, fmt.Sprintf("%s holds a private key (%s)", holder(s), s.Kind)))
	})
}
