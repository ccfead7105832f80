package sec

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed password_in_connection_string.md
var passwordInConnectionStringPage string

// PasswordInConnectionString flags passwords of databases and brokers.
var PasswordInConnectionString = rules.Rule{
	ID:         "password-in-connection-string",
	Title:      "Connection string holds a password",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{798, 312},
	Covers:     []string{"SEC-003"},
	Page:       passwordInConnectionStringPage,
	Check:      checkPasswordInConnectionString,
}

func checkPasswordInConnectionString(pass *rules.Pass) {
	of(pass, connectionString, func(s *analyzers.Secret) {
		f := finding(s, holder(s)+" holds a connection string with its password")
		if stock(s.Text.Raw()) {
			f.Severity = rules.Low // a development default, which everybody knows
		}
		pass.Report(f)
	})
}
