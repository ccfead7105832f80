// Package dsc holds the rules on the raw form of what a model reads: the tool
// descriptions, schemas, instructions, prompts and resources of servers, their
// saved messages, and the documents that agents load. What the words make a
// model do is judged by package judge.
package dsc

import (
	"fmt"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

// said is one string that a model reads.
type said struct {
	server *analyzers.Server
	owner  *analyzers.Item     // nil for the instructions
	doc    *analyzers.Document // where it is no server's surface; server may be nil then
	field  analyzers.Field
}

// finding starts a finding about the part [start, end) of the text.
func (t said) finding(start, end int, format string, args ...any) rules.Finding {
	if t.doc != nil {
		f := rules.Finding{Exposure: t.doc.Exposure, Subject: t.field.Path, Span: t.field.Text.At(start, end), Message: fmt.Sprintf(format, args...)}
		if t.server != nil {
			f.Server = t.server.Name.Raw()
		}
		return f
	}
	f := rules.OnServer(t.server, t.field.Text.At(start, end), t.field.Path, format, args...)
	if t.owner != nil {
		f.Tool = t.owner.Name.Raw()
	}
	return f
}

// where names the text for a message.
func (t said) where() string {
	path := analyzers.Untrusted(t.field.Path).String()
	if t.doc != nil {
		path += " of " + strings.ReplaceAll(t.doc.Kind, "-", " ")
		if t.doc.Name.Value != "" {
			path += ` "` + t.doc.Name.String() + `"`
		}
		return path
	}
	if t.owner == nil {
		return path + ` of server "` + t.server.Name.String() + `"`
	}
	return path + " of " + t.owner.Kind + ` "` + t.owner.Name.String() + `"`
}

// data reports whether the text is what a server passes on: pages, files and
// the output of programs, which hold what their authors put there and may be
// long. Nobody reviews them before a model reads them.
func (t said) data() bool {
	if t.doc == nil {
		return false
	}
	switch t.doc.Kind {
	case "result", "resource", "completion", "error", "progress", "log":
		return true
	}
	return false
}

// texts calls visit with the head of every string that a model may read: what
// is behind longestText is the business of the rule oversized-text.
func texts(pass *rules.Pass, visit func(said)) {
	everyText(pass, func(t said) {
		if len(t.field.Text.Value) > longestText {
			t.field.Text.Value = t.field.Text.Value[:longestText]
		}
		visit(t)
	})
}

func everyText(pass *rules.Pass, visit func(said)) {
	for _, s := range pass.Catalog.Servers {
		s.Surface.Fields(func(owner *analyzers.Item, f analyzers.Field) {
			visit(said{server: s, owner: owner, field: f})
		})
	}
	for _, d := range pass.Catalog.Documents {
		for _, f := range d.Fields {
			visit(said{server: d.Server, doc: d, field: f})
		}
	}
}
