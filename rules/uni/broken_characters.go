package uni

import (
	"bytes"
	_ "embed"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

//go:embed broken_characters.md
var brokenCharactersPage string

// BrokenCharacters flags bytes and escapes that are no characters.
var BrokenCharacters = rules.Rule{
	ID:         "broken-characters",
	Title:      "Text holds what is no character",
	Severity:   rules.Low,
	Confidence: rules.Certain,
	CWE:        []int{176, 838},
	Covers:     []string{"UNI-014"},
	Page:       brokenCharactersPage,
	Messages:   true,
	Look:       rules.NothingOvert,
	Check:      checkBrokenCharacters,
}

func checkBrokenCharacters(pass *rules.Pass) {
	for _, t := range texts(pass) {
		count := 0
		var first text.Note
		for _, n := range t.views[0].Notes {
			if n.Kind == text.Invalid {
				if count++; count == 1 {
					first = n
				}
			}
		}
		if count == 0 {
			continue
		}
		f := t.Finding(first.Start, first.End, "%s holds half of a surrogate pair, which programs read in different ways. Write the character whole.", t.Where())
		if raw := f.Span.Raw(); !bytes.HasPrefix(raw, []byte(`\u`)) || bytes.EqualFold(raw, []byte(`\ufffd`)) {
			f = t.Finding(first.Start, first.End, "%s holds bytes that were lost when its encoding was changed. Save the text as UTF-8.", t.Where())
			f.Severity = rules.Info
		}
		pass.Report(f)
	}
}
