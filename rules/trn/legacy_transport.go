package trn

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed legacy_transport.md
var legacyTransportPage string

// LegacyTransport notes servers on the transport that MCP has replaced.
var LegacyTransport = rules.Rule{
	ID:         "legacy-transport",
	Title:      "Server uses the retired HTTP+SSE transport",
	Severity:   rules.Info,
	Confidence: rules.Certain,
	CWE:        []int{477},
	Covers:     []string{"TRN-016"},
	Page:       legacyTransportPage,
	Check:      checkLegacyTransport,
}

func checkLegacyTransport(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		if s.Transport != analyzers.SSE {
			continue
		}
		pass.Report(rules.OnServer(s, s.URL.Span, s.Name.Raw(),
			"server %q is reached over HTTP+SSE, which the specification replaced in 2025. Use its Streamable HTTP endpoint.", s.Name))
	}
}
