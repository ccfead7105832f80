package sch

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed missing_description.md
var missingDescriptionPage string

// MissingDescription flags tools that do not say what they do.
var MissingDescription = rules.Rule{
	ID:         "missing-description",
	Title:      "Tool does not say what it does",
	Severity:   rules.Info,
	Confidence: rules.Certain,
	CWE:        []int{1059},
	Covers:     []string{"SCH-009"},
	Page:       missingDescriptionPage,
	Check:      checkMissingDescription,
}

func checkMissingDescription(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		var silent *tally
		for _, t := range s.Surface.Tools {
			d := strings.TrimSpace(t.Description.Raw())
			if d != "" && d != t.Name.Raw() {
				continue
			}
			if silent == nil {
				silent = &tally{}
			}
			silent.add(t.Name.Span, t.Name.String())
		}
		if silent != nil {
			pass.Report(rules.OnServer(s, silent.at, "description", "server %q does not say what these tools do: %s. Describe each in a sentence.", s.Name, silent))
		}
	}
}
