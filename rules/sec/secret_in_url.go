package sec

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed secret_in_url.md
var secretInURLPage string

// SecretInURL flags credentials in URLs, and webhooks, which are credentials themselves.
var SecretInURL = rules.Rule{
	ID:         "secret-in-url",
	Title:      "URL carries a credential",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{598, 312},
	Covers:     []string{"SEC-007", "SEC-015"},
	Page:       secretInURLPage,
	Check:      checkSecretInURL,
}

func checkSecretInURL(pass *rules.Pass) {
	of(pass, inURL, func(s *analyzers.Secret) {
		holds := " holds a URL that "
		if s.Where == "url" {
			holds = " "
		}
		what := "carries a credential, which proxies and logs keep"
		switch s.Kind {
		case "webhook-url":
			what = "is a webhook: whoever reads it can post to it"
		case "url-password":
			what = "carries a password or token in front of its host"
		}
		f := finding(s, holder(s)+holds+what)
		if s.Kind == "url-password" && stock(s.Text.Raw()) {
			f.Severity = rules.Low
		}
		pass.Report(f)
	})
}
