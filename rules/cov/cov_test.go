package cov_test

import (
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/cov"
)

// TestGaps covers the kinds that a fixture, which holds regular files of a
// readable size, cannot show.
func TestGaps(t *testing.T) {
	src := &analyzers.Source{Path: "a/.mcp.json", Bytes: []byte("\x00")}
	tests := []struct {
		gap  analyzers.Gap
		rule string // "" for none
		says string
	}{
		{analyzers.Gap{Kind: "escape", Blocking: true, Reason: "symbolic link to /etc"}, "unreadable-input", "leads out"},
		{analyzers.Gap{Kind: "escape", Reason: "symbolic link to /etc"}, "", ""},
		{analyzers.Gap{Kind: "special", Blocking: true, Reason: "a pipe"}, "unreadable-input", "not in the result"},
		{analyzers.Gap{Kind: "limit", Blocking: true, Reason: "more than 500000 entries"}, "unreadable-input", "not in the result"},
		{analyzers.Gap{Kind: "limit", Blocking: true, Reason: "aliases", Span: src.Span(0, 1)}, "evasive-input", "cannot be read safely"},
		{analyzers.Gap{Kind: "oversized", Blocking: true, Reason: "too large"}, "evasive-input", "cannot be read safely"},
		{analyzers.Gap{Kind: "encoding", Blocking: true, Reason: "UTF-16", Span: src.Span(0, 1)}, "evasive-input", "cannot be read safely"},
		{analyzers.Gap{Kind: "skipped", Reason: "ignored"}, "", ""},
	}
	for _, test := range tests {
		test.gap.Path = src.Path
		found := rules.Check(&analyzers.Catalog{Gaps: []analyzers.Gap{test.gap}}, []*rules.Rule{&cov.UnreadableInput, &cov.EvasiveInput})
		if test.rule == "" {
			if len(found) > 0 {
				t.Errorf("%v: got %s, want nothing", test.gap, found[0].Message)
			}
			continue
		}
		if len(found) != 1 || found[0].Rule.ID != test.rule || found[0].Span.Path() != src.Path || !strings.Contains(found[0].Message, test.says) {
			t.Errorf("%v: got %v, want one of %s that says %q", test.gap, found, test.rule, test.says)
		}
	}
}
