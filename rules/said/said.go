// Package said lists what models read in a catalog, string by string, for the
// rules on how it is written: the definitions and instructions of servers, their
// saved messages, and the documents that agents load.
package said

import (
	"fmt"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

// Text is one string that a model may read.
type Text struct {
	Server *analyzers.Server   // who says it; nil for files
	Owner  *analyzers.Item     // the definition; nil for instructions and documents
	Doc    *analyzers.Document // the document; nil for what is on a surface
	Field  analyzers.Field
}

// Longest is how much of a string rules read, in bytes: far more than the
// longest description of an honest tool. The rule oversized-text speaks of the
// rest.
const Longest = 64 << 10

// Each calls visit with every string of the catalog.
func Each(c *analyzers.Catalog, visit func(Text)) {
	for _, s := range c.Servers {
		s.Surface.Fields(func(owner *analyzers.Item, f analyzers.Field) {
			visit(Text{Server: s, Owner: owner, Field: f})
		})
	}
	for _, d := range c.Documents {
		for _, f := range d.Fields {
			visit(Text{Server: d.Server, Doc: d, Field: f})
		}
	}
}

// Head is the string as far as rules read it.
func (t Text) Head() string {
	raw := t.Field.Text.Raw()
	return raw[:min(len(raw), Longest)]
}

// Finding starts a finding about the part [start, end) of the string.
func (t Text) Finding(start, end int, format string, args ...any) rules.Finding {
	span := t.Field.Text.At(start, end)
	if t.Doc != nil {
		f := rules.Finding{Exposure: t.Doc.Exposure, Subject: t.Field.Path, Span: span, Message: fmt.Sprintf(format, args...)}
		if t.Server != nil {
			f.Server = t.Server.Name.Raw()
		}
		return f
	}
	f := rules.OnServer(t.Server, span, t.Field.Path, format, args...)
	if t.Owner != nil {
		f.Tool = t.Owner.Name.Raw()
	}
	return f
}

// Where names the string for a message.
func (t Text) Where() string {
	path := analyzers.Untrusted(t.Field.Path).String()
	switch {
	case t.Doc != nil:
		path += " of " + strings.ReplaceAll(t.Doc.Kind, "-", " ")
		if t.Doc.Name.Value != "" {
			path += ` "` + t.Doc.Name.String() + `"`
		}
	case t.Owner != nil:
		path += " of " + t.Owner.Kind + ` "` + t.Owner.Name.String() + `"`
	default:
		path += ` of server "` + t.Server.Name.String() + `"`
	}
	return path
}

// Data reports whether the string is what a server passes on: pages, files and
// the output of programs, which hold what their authors put there and may be
// long. Nobody reviews them before a model reads them.
func (t Text) Data() bool {
	if t.Doc == nil {
		return false
	}
	switch t.Doc.Kind {
	case "result", "resource", "completion", "error", "progress", "log":
		return true
	}
	return false
}
