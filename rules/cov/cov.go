// Package cov holds the rules on scan honesty: what was there and could not be
// judged is a finding of its own.
package cov

import (
	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

// on starts a finding about a gap. A gap without a place gets the start of its
// file.
func on(gap analyzers.Gap, format string, args ...any) rules.Finding {
	span := gap.Span
	if span.IsZero() {
		span = analyzers.Span{Source: &analyzers.Source{Path: gap.Path}}
	}
	return rules.OnClient(&analyzers.Client{}, span, gap.Kind, format, args...)
}

// evasive reports whether a file was refused for what honest files are not.
func evasive(gap analyzers.Gap) bool {
	switch gap.Kind {
	case "encoding", "depth", "oversized", "limit":
		return !gap.Span.IsZero() || gap.Kind == "oversized"
	}
	return false
}
