package uni

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

//go:embed stacked_marks.md
var stackedMarksPage string

// StackedMarks flags letters under a pile of combining marks.
var StackedMarks = rules.Rule{
	ID:         "stacked-marks",
	Title:      "Letters carry more marks than any script writes",
	Severity:   rules.Low,
	Confidence: rules.Firm,
	CWE:        []int{1007, 451},
	Covers:     []string{"UNI-006"},
	Page:       stackedMarksPage,
	Messages:   true,
	Look:       rules.NothingOvert,
	Check:      checkStackedMarks,
}

func checkStackedMarks(pass *rules.Pass) {
	for _, t := range texts(pass) {
		first, count := text.Note{}, 0
		t.notes(func(n text.Note) {
			if n.Kind == text.Combining {
				if count++; count == 1 {
					first = n
				}
			}
		})
		if count == 0 {
			continue
		}
		f := t.Finding(first.Start, first.End, "%s holds letters under a pile of combining marks, which cover the lines around them and break words for whoever compares them. Remove the marks.", t.Where())
		if count >= manyPiles {
			f.Severity = rules.Medium
		}
		pass.Report(f)
	}
}

// manyPiles is how many piles make it no accident.
const manyPiles = 4
