package uni

import (
	_ "embed"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

//go:embed pushed_out_text.md
var pushedOutTextPage string

// PushedOutText flags white space behind which text is out of sight.
var PushedOutText = rules.Rule{
	ID:         "pushed-out-text",
	Title:      "White space pushes text out of sight",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{451},
	Covers:     []string{"UNI-009"},
	Page:       pushedOutTextPage,
	Messages:   true,
	Look:       rules.NothingOvert,
	Check:      checkPushedOutText,
}

func checkPushedOutText(pass *rules.Pass) {
	for _, t := range texts(pass) {
		raw := t.Field.Text.Raw()
		var first text.Note
		t.rawNotes(func(n text.Note) {
			if n.Kind == text.Padding && first.End == 0 && n.End < len(raw) && strings.TrimSpace(raw[:n.Start]) != "" {
				first = n
			}
		})
		if first.End == 0 {
			continue
		}
		pass.Report(t.Finding(first.Start, first.End, "%s holds %d white space characters in a row, and text behind them that a reader does not see. Remove the space.",
			t.Where(), utf8.RuneCountInString(raw[first.Start:first.End])))
	}
}
