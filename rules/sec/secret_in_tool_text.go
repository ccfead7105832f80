package sec

import (
	_ "embed"
	"fmt"
	"sort"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed secret_in_tool_text.md
var secretInToolTextPage string

// SecretInToolText flags credentials in what a server shows to a model.
var SecretInToolText = rules.Rule{
	ID:         "secret-in-tool-text",
	Title:      "Tool definition holds a credential",
	Severity:   rules.High,
	Confidence: rules.Likely,
	CWE:        []int{798, 200},
	Covers:     []string{"SEC-013"},
	Page:       secretInToolTextPage,
	Check:      checkSecretInToolText,
}

func checkSecretInToolText(pass *rules.Pass) {
	of(pass, inText, func(s *analyzers.Secret) {
		tool := owner(s)
		what := fmt.Sprintf("%s of tool %q holds a credential (%s) that every client and model is sent", analyzers.Untrusted(s.Key), analyzers.Untrusted(tool), s.Kind)
		if tool == "" {
			what = fmt.Sprintf("%s holds a credential (%s) that every client and model is sent", analyzers.Untrusted(s.Key), s.Kind)
		}
		f := finding(s, what)
		f.Tool, f.Fix = tool, nil
		if stock(s.Text.Raw()) {
			f.Severity = rules.Low
		}
		pass.Report(f)
	})
}

// owner is the name of the definition that holds the secret, "" for the
// server's instructions.
func owner(s *analyzers.Secret) string {
	if s.Server == nil {
		return ""
	}
	surface := &s.Server.Surface
	holds := func(item *analyzers.Item) bool {
		return item.Span.Source == s.Text.Span.Source && item.Span.Start <= s.Text.Span.Start && s.Text.Span.End <= item.Span.End
	}
	tools := surface.Tools // in the file's order
	if i := sort.Search(len(tools), func(i int) bool { return tools[i].Span.Start > s.Text.Span.Start }) - 1; i >= 0 && holds(&tools[i].Item) {
		return tools[i].Name.Raw()
	}
	for _, items := range [][]*analyzers.Item{surface.Prompts, surface.Resources, surface.Templates} {
		for _, item := range items {
			if holds(item) {
				return item.Name.Raw()
			}
		}
	}
	return ""
}
