package pkg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed unscoped_twin.md
var unscopedTwinPage string

// UnscopedTwin flags the base name of a scoped package, which anybody may have
// registered.
var UnscopedTwin = rules.Rule{
	ID:         "unscoped-twin",
	Title:      "Package is an unscoped twin of a well-known one",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{1007, 427},
	Covers:     []string{"PKG-006"},
	Page:       unscopedTwinPage,
	Check:      checkUnscopedTwin,
}

func checkUnscopedTwin(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		for _, p := range s.Packages {
			if p.Ecosystem != "npm" || p.Source != "" && p.Source != "registry" {
				continue
			}
			if model := twin(strings.ToLower(p.Name)); model != "" {
				pass.Report(rules.OnServer(s, p.Spec.Span, p.PURL,
					"server %q starts %q, which is not %q and may be anybody's. Write the name with its scope.",
					s.Name, analyzers.Untrusted(p.Name), analyzers.Untrusted(model)))
			}
		}
	}
}

// twin is the scoped package whose name without the scope this is: as
// "server-filesystem" or with the scope as a word in front.
func twin(name string) string {
	if strings.HasPrefix(name, "@") || known().is(name) {
		return ""
	}
	base := strings.TrimPrefix(name, official[1:]+"-")
	return known().bases[base]
}
