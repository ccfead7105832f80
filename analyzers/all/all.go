// Package all lists every analyzer.
package all

import (
	"slices"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/agentdoc"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/analyzers/clientconfig"
	"github.com/sallyport-mcp/sallyport/analyzers/packages"
	"github.com/sallyport-mcp/sallyport/analyzers/statement"
)

// Analyzers returns every analyzer.
func Analyzers() []analyzers.Analyzer {
	all := slices.Concat(
		clientconfig.Analyzers(),
		packages.Analyzers(),
		[]analyzers.Analyzer{capture.Analyzer(), agentdoc.Analyzer(), statement.Analyzer()},
	)
	for i := range all {
		if all[i].Name == "clientconfig/markdown" {
			all[i].Match = orDocument(all[i].Match)
		}
	}
	return all
}

// orDocument lets an agent's document keep its readers of Markdown: a file
// that one analyzer knows by name is not offered to those that would guess.
func orDocument(match func(string) analyzers.Match) func(string) analyzers.Match {
	return func(p string) analyzers.Match {
		m := match(p)
		if m == analyzers.Candidate && agentdoc.Wants(p) {
			return analyzers.Named
		}
		return m
	}
}
