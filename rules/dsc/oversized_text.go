package dsc

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/said"
)

//go:embed oversized_text.md
var oversizedTextPage string

// OversizedText flags text that no reviewer reads to its end.
var OversizedText = rules.Rule{
	ID:         "oversized-text",
	Title:      "Text for a model is too long to be reviewed",
	Severity:   rules.Medium,
	Confidence: rules.Certain,
	Covers:     []string{"DSC-011"},
	Page:       oversizedTextPage,
	Messages:   true,
	Look:       rules.NothingOvert,
	Check:      checkOversizedText,
}

func checkOversizedText(pass *rules.Pass) {
	said.Each(pass.Catalog, func(t said.Text) {
		if n := len(t.Field.Text.Raw()); n > said.Longest && t.Data() {
			f := t.Finding(0, min(n, 80), "%s is %d KB long; no rule has read more than the first %d. Read the rest where its author is not trusted.", t.Where(), n>>10, said.Longest>>10)
			f.Severity = rules.Info // pages and logs are that long
			pass.Report(f)
		} else if n > said.Longest {
			f := t.Finding(0, min(n, 80), "%s is %d KB long: it fills a model's memory, and nobody reads it to the end, nor do the other rules. Shorten it.", t.Where(), n>>10)
			if t.Doc != nil && t.Doc.Kind == "skill-reference" {
				f.Severity = rules.Low // it is read on demand
			}
			pass.Report(f)
		}
	})
}
