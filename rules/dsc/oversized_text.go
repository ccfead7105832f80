package dsc

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/rules"
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
	Check:      checkOversizedText,
}

// longestText is far above the longest description of an honest tool (about
// 10 KB); the other rules of this package read as much of a text.
const longestText = 64 << 10

func checkOversizedText(pass *rules.Pass) {
	everyText(pass, func(t said) {
		if n := len(t.field.Text.Raw()); n > longestText && !t.data() {
			f := t.finding(0, min(n, 80), "%s is %d KB long: it fills a model's memory, and nobody reads it to the end, nor do the other rules. Shorten it.", t.where(), n>>10)
			if t.doc != nil && t.doc.Kind == "skill-reference" {
				f.Severity = rules.Low // it is read on demand
			}
			pass.Report(f)
		}
	})
}
