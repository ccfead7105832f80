package uni

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

//go:embed layered_encoding.md
var layeredEncodingPage string

// LayeredEncoding flags text that is encoded deeper than it is decoded.
var LayeredEncoding = rules.Rule{
	ID:         "layered-encoding",
	Title:      "Text is encoded more often than it is decoded here",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{506, 405},
	Covers:     []string{"UNI-013"},
	Page:       layeredEncodingPage,
	Messages:   true,
	Look:       rules.NothingOvert,
	Check:      checkLayeredEncoding,
}

func checkLayeredEncoding(pass *rules.Pass) {
	for _, t := range texts(pass) {
		for _, n := range t.views[0].Notes {
			if n.Kind == text.Limit {
				pass.Report(t.Finding(n.Start, n.End, "%s is encoded in more layers, or in more text, than this scan takes off, so that what it says was not judged to the end. Write it out, or remove it.", t.Where()))
				break
			}
		}
	}
}
