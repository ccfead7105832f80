package drift_test

import (
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/drift"
)

func TestCapabilities(t *testing.T) {
	side := func(names ...analyzers.Untrusted) drift.Side {
		s := &analyzers.Surface{Capabilities: []analyzers.Text{}}
		for _, n := range names {
			s.Capabilities = append(s.Capabilities, analyzers.Text{Value: n})
		}
		return drift.Side{Surface: s}
	}
	for _, c := range []struct {
		name  analyzers.Untrusted
		level rules.Severity
	}{
		{"/tasks", rules.Medium}, {"/completions", rules.Medium}, {"/made-up", rules.Medium}, {"/extensions/x.example~1y", rules.Medium},
		{"/extensions/x.example~1y/deep", rules.Low}, {"/tools/listChanged", rules.Low}, {"/resources/subscribe", rules.Low},
		{"/extensions", rules.Info}, {"/logging", rules.Info},
	} {
		changes := drift.Compare(side("/tools"), side("/tools", c.name))
		if len(changes) != 1 || changes[0].Severity != c.level || changes[0].Class != drift.Expanding || changes[0].Kind != "capability" {
			t.Errorf("%s: %+v", c.name, changes)
		}
		gone := drift.Compare(side("/tools", c.name), side("/tools"))
		if len(gone) != 1 || gone[0].Severity != rules.Info || gone[0].Class != drift.Narrowing {
			t.Errorf("%s is gone: %+v", c.name, gone)
		}
	}
}
