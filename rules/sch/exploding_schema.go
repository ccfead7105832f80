package sch

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed exploding_schema.md
var explodingSchemaPage string

// ExplodingSchema flags schemas that nobody can evaluate or write out in
// bounded time.
var ExplodingSchema = rules.Rule{
	ID:         "exploding-schema",
	Title:      "Schema takes whoever reads it without end",
	Severity:   rules.High,
	Confidence: rules.Certain,
	CWE:        []int{674, 776},
	Covers:     []string{"SCH-008"},
	Page:       explodingSchemaPage,
	Check:      checkExplodingSchema,
}

func checkExplodingSchema(pass *rules.Pass) {
	tools(pass, func(s *analyzers.Server, t *analyzers.Tool) {
		for _, schema := range []struct {
			name string
			raw  json.RawMessage
		}{{"inputSchema", t.InputSchema}, {"outputSchema", t.OutputSchema}} {
			if fault := explodes(schema.raw); fault != "" {
				finding := rules.OnServer(s, t.Name.Span, schema.name, "%s of tool %q %s. Do not use the tool; its author should write the schema flat.", schema.name, t.Name, fault)
				finding.Tool = t.Name.Raw()
				pass.Report(finding)
			}
		}
	})
}

// The bounds of a schema: of what it becomes when its references are written
// out, and of its depth as it stands.
const (
	maxWritten     = 10_000_000 // values
	maxSchemaDepth = 200
	maxExamined    = 1 << 20 // bytes
)

// explodes says how a schema does, "" when it does not. It takes time linear in
// the schema for each depth.
func explodes(raw json.RawMessage) string {
	refers := bytes.Contains(raw, []byte(`ef"`)) || bytes.IndexByte(raw, '\\') >= 0
	if len(raw) == 0 || len(raw) > maxExamined || !refers && bytes.Count(raw, []byte("{"))+bytes.Count(raw, []byte("[")) <= maxSchemaDepth {
		return ""
	}
	var root any
	if json.Unmarshal(raw, &root) != nil {
		return ""
	}
	w := &writtenOut{root: root, sizes: map[string]int{}, open: map[string]bool{}, ways: map[string]bool{}}
	size := w.size(root, 0)
	switch {
	case w.deep:
		return fmt.Sprintf("is nested more than %d deep", maxSchemaDepth)
	case size >= maxWritten:
		return fmt.Sprintf("becomes more than %d values when its references are followed", maxWritten)
	}
	for ref := range w.sizes {
		if w.endless(ref, map[string]bool{}) {
			return "refers to itself without reading anything on the way"
		}
	}
	return ""
}

// writtenOut follows the references of one schema.
type writtenOut struct {
	root  any
	sizes map[string]int // of what a reference names
	open  map[string]bool
	ways  map[string]bool // references from which no way in place leads back
	deep  bool
}

// size is how many values there are when references are replaced by what they
// name, each at most once on a way down: recursion over data ends with the data.
func (w *writtenOut) size(v any, depth int) int {
	if w.deep = w.deep || depth > maxSchemaDepth; w.deep {
		return 1
	}
	n := 1
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			n = min(n+w.size(e, depth+1), maxWritten)
		}
	case map[string]any:
		for key, e := range v {
			n = min(n+w.size(e, depth+1), maxWritten)
			if ref, ok := e.(string); ok && (key == "$ref" || key == "$dynamicRef") {
				n = min(n+w.named(ref, depth), maxWritten)
			}
		}
	}
	return n
}

func (w *writtenOut) named(ref string, depth int) int {
	if n, known := w.sizes[ref]; known {
		return n
	}
	target := w.at(ref)
	if target == nil || w.open[ref] {
		return 1
	}
	w.open[ref] = true
	n := w.size(target, 0)
	delete(w.open, ref)
	w.sizes[ref] = n
	return n
}

// endless reports whether references lead back to one of them without going
// down into the data that is judged.
func (w *writtenOut) endless(ref string, open map[string]bool) bool {
	if open[ref] {
		return true
	}
	target := w.at(ref)
	if target == nil || w.ways[ref] {
		return false
	}
	open[ref] = true
	found := false
	inPlace(target, 0, func(next string) { found = found || w.endless(next, open) })
	delete(open, ref)
	w.ways[ref] = !found
	return found
}

// inPlace visits the references of a schema that judge the same value as it.
func inPlace(v any, depth int, visit func(ref string)) {
	if depth > maxSchemaDepth {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			inPlace(e, depth+1, visit)
		}
	case map[string]any:
		for _, key := range []string{"$ref", "$dynamicRef"} {
			if ref, ok := v[key].(string); ok {
				visit(ref)
			}
		}
		for _, key := range []string{"allOf", "anyOf", "oneOf", "not", "if", "then", "else"} {
			inPlace(v[key], depth+1, visit)
		}
	}
}

// at is what a local reference names (RFC 6901), nil for others.
func (w *writtenOut) at(ref string) any {
	if ref == "#" {
		return w.root
	}
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	v := w.root
	for part := range strings.SplitSeq(path, "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch at := v.(type) {
		case map[string]any:
			v = at[part]
		case []any:
			i := 0
			if _, err := fmt.Sscanf(part, "%d", &i); err != nil || i < 0 || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}
