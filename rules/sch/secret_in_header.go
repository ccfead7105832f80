package sch

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed secret_in_header.md
var secretInHeaderPage string

// SecretInHeader flags parameters whose value a client copies into an HTTP
// header although it is not for all who read headers.
var SecretInHeader = rules.Rule{
	ID:         "secret-in-header",
	Title:      "Schema copies a secret into an HTTP header",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{200, 598},
	Covers:     []string{"SCH-005"},
	Page:       secretInHeaderPage,
	Check:      checkSecretInHeader,
}

func checkSecretInHeader(pass *rules.Pass) {
	params(pass, func(p param) {
		header, ok := p.header()
		if !ok {
			return
		}
		var buf [2 * longestName]byte
		name := words(&buf, p.name.Raw())
		switch {
		case personal.Has(string(name)), credentials.Has(string(name)), secret.CredentialName(p.name.Raw()), secret.CredentialName(header.Raw()):
			pass.Report(p.finding(header.Span, "the value of parameter %q of tool %q is copied to the header %q, where everything on the way reads it. Take x-mcp-header away.", p.name, p.tool.Name, cutHeader(header.Raw())))
		case strings.Trim(header.Raw(), headerName) != "" || len(header.Raw()) > longestName || header.Value == "":
			pass.Report(p.finding(header.Span, "parameter %q of tool %q is copied to a header whose name is none: %q. A client that takes it writes headers of the server's choice.", p.name, p.tool.Name, cutHeader(header.Raw())))
		}
	})
}

// headerName is what the name of a header consists of (RFC 9110, tchar).
const headerName = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// header is the header into which a client copies the parameter (2026-07-28,
// x-mcp-header).
func (p param) header() (analyzers.Text, bool) {
	for _, f := range p.inside {
		if !f.Key && f.Path == p.path+".x-mcp-header" {
			return f.Text, true
		}
	}
	return analyzers.Text{}, false
}

func cutHeader(name string) analyzers.Untrusted {
	const enough = 60
	if len(name) > enough {
		name = strings.ToValidUTF8(name[:enough], "") + "..."
	}
	return analyzers.Untrusted(name)
}
