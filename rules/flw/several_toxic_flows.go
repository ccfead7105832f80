package flw

import (
	_ "embed"
	"fmt"

	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed several_toxic_flows.md
var severalToxicFlowsPage string

// SeveralToxicFlows says which few denials break every toxic flow of an agent.
var SeveralToxicFlows = rules.Rule{
	ID:         "several-toxic-flows",
	Title:      "Tools form several toxic flows that a few denials break",
	Severity:   rules.Info,
	Confidence: rules.Likely,
	Covers:     []string{"FLW-016"},
	Page:       severalToxicFlowsPage,
	Check:      checkSeveralToxicFlows,
}

func checkSeveralToxicFlows(pass *rules.Pass) {
	for _, a := range agents(pass) {
		if len(a.flows) < 2 {
			continue
		}
		tools := cut(a.flows, len(a.nodes))
		last := a.nodes[tools[len(tools)-1]]
		effect := "the smallest set that breaks them all"
		if len(a.nodes) > mostExact {
			effect = "which breaks them all"
		}
		f := a.finding("toxic-flows", last, "tools of %s form %d kinds of toxic flows. %s.", a.who(), len(a.flows), a.advice(tools, effect))
		f.Severity = rules.Info
		for _, flow := range a.flows {
			path := flow.path()
			end := len(path) - 1
			n := a.nodes[flow.stages[end].nodes[path[end]]]
			f.Related = append(f.Related, rules.Related{Message: fmt.Sprintf("%s ends at %s", flow.name, a.called(n)), Span: n.tool.Name.Span})
		}
		pass.Report(f)
	}
}
