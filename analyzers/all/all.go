// Package all lists every analyzer.
package all

import (
	"slices"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/analyzers/clientconfig"
	"github.com/sallyport-mcp/sallyport/analyzers/packages"
)

// Analyzers returns every analyzer.
func Analyzers() []analyzers.Analyzer {
	return slices.Concat(
		clientconfig.Analyzers(),
		packages.Analyzers(),
		[]analyzers.Analyzer{capture.Analyzer()},
	)
}
