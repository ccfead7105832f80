package cfg

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed command_and_url.md
var commandAndURLPage string

// CommandAndURL flags declarations that are two servers at once.
var CommandAndURL = rules.Rule{
	ID:         "command-and-url",
	Title:      "Server declares both a command and a URL",
	Severity:   rules.Low,
	Confidence: rules.Certain,
	CWE:        []int{436},
	Covers:     []string{"CFG-025"},
	Page:       commandAndURLPage,
	Check:      checkCommandAndURL,
}

func checkCommandAndURL(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		if s.Command.Raw() != "" && s.URL.Raw() != "" {
			f := rules.OnServer(s, s.URL.Span, "url", "server %q names both a command and a URL, and clients differ in which they use. Keep one of them.", s.Name)
			f.Related = []rules.Related{{Message: "the command", Span: s.Command.Span}}
			pass.Report(f)
		}
	}
}
