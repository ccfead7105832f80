package sec

import (
	_ "embed"
	"fmt"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed secret_in_argument.md
var secretInArgumentPage string

// SecretInArgument flags credentials on command lines.
var SecretInArgument = rules.Rule{
	ID:         "secret-in-argument",
	Title:      "Credential is passed as an argument",
	Severity:   rules.High,
	Confidence: rules.Likely,
	CWE:        []int{214, 798},
	Covers:     []string{"SEC-008"},
	Page:       secretInArgumentPage,
	Check:      checkSecretInArgument,
}

func checkSecretInArgument(pass *rules.Pass) {
	of(pass, inArgument, func(s *analyzers.Secret) {
		f := finding(s, fmt.Sprintf("%s is a literal %s, which every process of the machine can read in the process list", holder(s), kindName(s)))
		if stock(s.Text.Raw()) {
			f.Severity = rules.Low
		}
		pass.Report(f)
	})
}

func kindName(s *analyzers.Secret) string {
	if s.Kind == "high-entropy" {
		return "random value"
	}
	return s.Kind
}
