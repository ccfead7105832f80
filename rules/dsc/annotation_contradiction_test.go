package dsc

import (
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

// annotated is a catalog with one tool.
func annotated(name, title, description, annotations string) *analyzers.Catalog {
	text := func(s string) analyzers.Text {
		if s == "" {
			return analyzers.Text{}
		}
		src := &analyzers.Source{Path: "tools.json", Bytes: []byte(s)}
		return analyzers.Text{Value: analyzers.Untrusted(s), Span: src.Span(0, len(s))}
	}
	tool := &analyzers.Tool{Item: analyzers.Item{Kind: "tool", Name: text(name), Title: text(title), Description: text(description)}, Annotations: []byte(annotations)}
	return &analyzers.Catalog{Servers: []*analyzers.Server{{Surface: analyzers.Surface{Tools: []*analyzers.Tool{tool}}}}}
}

func TestAnnotationContradiction(t *testing.T) {
	for _, c := range []struct {
		name, title, description, annotations string
		want                                  string // severity and what the message begins with
	}{
		{"delete_file", "", "Deletes a file.", `{"readOnlyHint":true}`, "medium readOnlyHint is true"},
		{"delete_file", "", "", `{"readOnlyHint":true,"destructiveHint":false}`, "medium readOnlyHint is true"},
		{"delete_file", "", "Lists files.", `{"readOnlyHint":true}`, "low readOnlyHint is true"},
		{"tidy", "", "Deletes files.", `{"readOnlyHint":true}`, "low readOnlyHint is true"},
		{"list_files", "", "Deletes files.", `{"readOnlyHint":true}`, "low readOnlyHint is true"},
		{"delete_file", "", "Deletes a file.", `{"destructiveHint":false}`, "medium destructiveHint is false"},
		{"fetch_url", "", "Fetches a URL.", `{"openWorldHint":false}`, "medium openWorldHint is false"},
		{"delete_file", "View files", "Deletes a file.", ``, ""},
		{"delete_file", "Show files", "Deletes a file.", `not JSON`, "medium the title speaks of looking"},
		{"delete_file", "", "Deletes a file.", `{"readOnlyHint":"true"}`, ""},
		{"delete_file", "", "Deletes a file.", `{"title":7,"readOnlyHint":true}`, "medium readOnlyHint is true"},
		{"delete_file", "", "Deletes a file.", ``, ""},
	} {
		found := rules.Check(annotated(c.name, c.title, c.description, c.annotations), []*rules.Rule{&AnnotationContradiction})
		got := ""
		if len(found) > 0 {
			got = found[0].Severity.String() + " " + found[0].Message
		}
		if len(found) > 1 || !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func BenchmarkAnnotationContradiction(b *testing.B) {
	c := annotated("get_file_contents", "Get file contents", strings.Repeat("Gets the contents of a file in a repository of the forge, at a branch. ", 2),
		`{"title":"Get file contents","readOnlyHint":true,"openWorldHint":true}`)
	b.ReportAllocs()
	for b.Loop() {
		rules.Check(c, []*rules.Rule{&AnnotationContradiction})
	}
}

func BenchmarkPurposeMismatch(b *testing.B) {
	c := annotated("get_file_contents", "", strings.Repeat("Gets the contents of a file in a repository of the forge, at a branch. ", 2), "")
	b.ReportAllocs()
	for b.Loop() {
		rules.Check(c, []*rules.Rule{&PurposeMismatch})
	}
}
