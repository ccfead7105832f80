package flw

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/capability"
)

//go:embed payment_tool.md
var paymentToolPage string

// PaymentTool names the tools that move money.
var PaymentTool = rules.Rule{
	ID:         "payment-tool",
	Title:      "Tool moves money",
	Severity:   rules.Info,
	Confidence: rules.Likely,
	Covers:     []string{"FLW-015"},
	Page:       paymentToolPage,
	Check:      checkPaymentTool,
}

func checkPaymentTool(pass *rules.Pass) {
	moves := role{"moves money", capability.Pays, nil}
	for _, a := range agents(pass) {
		var paying []int
		for i, n := range a.nodes {
			if moves.played(n) != nil {
				paying = append(paying, i)
			}
		}
		if len(paying) == 0 {
			continue
		}
		f := a.finding("pays", a.nodes[paying[0]], "%s moves money on a model's word: %s. Have a person confirm every call.", a.who(), a.call(paying))
		f.Severity = rules.Info
		for _, i := range paying[:min(len(paying), 8)] {
			f.Related = append(f.Related, rules.Related{Message: a.called(a.nodes[i]) + " moves money", Span: moves.played(a.nodes[i]).Span()})
		}
		pass.Report(f)
	}
}
