package sch

import (
	"bytes"
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed unconstrained_input.md
var unconstrainedInputPage string

// UnconstrainedInput flags input schemas that let everything through.
var UnconstrainedInput = rules.Rule{
	ID:         "unconstrained-input",
	Title:      "Input schema lets undeclared members through",
	Severity:   rules.Info,
	Confidence: rules.Certain,
	CWE:        []int{20},
	Covers:     []string{"SCH-006"},
	Page:       unconstrainedInputPage,
	Check:      checkUnconstrainedInput,
}

func checkUnconstrainedInput(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		var open *tally
		for _, t := range s.Surface.Tools {
			if !opened(t.InputSchema) {
				continue
			}
			if open == nil {
				open = &tally{}
			}
			open.add(place(t), t.Name.String())
		}
		if open != nil {
			pass.Report(rules.OnServer(s, open.at, "additionalProperties", "server %q takes members that no schema describes, in %s. List the members, and set additionalProperties to false.", s.Name, open))
		}
	}
}

var additional = []byte(`"additionalProperties"`)

// opened reports whether a schema says anywhere that undeclared members are
// welcome: true, or the schema that takes anything.
func opened(schema []byte) bool {
	for {
		i := bytes.Index(schema, additional)
		if i < 0 {
			return false
		}
		schema = schema[i+len(additional):]
		if value := after(schema); bytes.HasPrefix(value, []byte("true")) || bytes.HasPrefix(value, []byte("{}")) {
			return true
		}
	}
}

// after is what follows the colon behind a key.
func after(b []byte) []byte {
	b = bytes.TrimLeft(b[:min(len(b), 64)], " \t\r\n")
	if len(b) == 0 || b[0] != ':' {
		return nil
	}
	return bytes.TrimLeft(b[1:], " \t\r\n")
}

// place is where the tool's definition opens its schema, or its name.
func place(t *analyzers.Tool) analyzers.Span {
	raw := t.Span.Raw()
	for from := 0; ; {
		i := bytes.Index(raw[from:], additional)
		if i < 0 {
			return t.Name.Span
		}
		i += from
		from = i + len(additional)
		if value := after(raw[from:]); bytes.HasPrefix(value, []byte("true")) || bytes.HasPrefix(value, []byte("{}")) {
			return t.Span.Source.Span(t.Span.Start+i+1, t.Span.Start+from-1)
		}
	}
}
