package cfg

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed unpinned_package.md
var unpinnedPackagePage string

// UnpinnedPackage flags servers whose code may change between two starts.
var UnpinnedPackage = rules.Rule{
	ID:         "unpinned-package",
	Title:      "Server package is not pinned to an exact version",
	Severity:   rules.Low,
	Confidence: rules.Certain,
	CWE:        []int{1357},
	Covers:     []string{"CFG-008", "CFG-009", "CFG-010"},
	Page:       unpinnedPackagePage,
	Check:      checkUnpinnedPackage,
}

func checkUnpinnedPackage(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		for _, p := range s.Packages {
			if p.Source != "" && p.Source != "registry" || p.PURL == "" {
				continue // from no registry
			}
			switch p.Pin {
			case analyzers.PinNone, analyzers.PinTag, analyzers.PinRange:
				pass.Report(rules.OnServer(s, p.Spec.Span, p.PURL,
					"server %q starts whatever version of %q the registry serves at that moment. Write an exact version.",
					s.Name, analyzers.Untrusted(p.Name)))
			}
		}
	}
}
