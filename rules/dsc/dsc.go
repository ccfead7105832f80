// Package dsc holds the rules on the raw form of what a server says to a model:
// tool descriptions, schemas, instructions, prompts and resources. What the
// words make a model do is judged by package judge.
package dsc

import (
	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

// said is one string that a model reads.
type said struct {
	server *analyzers.Server
	owner  *analyzers.Item // nil for the instructions
	field  analyzers.Field
}

// finding starts a finding about the part [start, end) of the text.
func (t said) finding(start, end int, format string, args ...any) rules.Finding {
	f := rules.OnServer(t.server, t.field.Text.At(start, end), t.field.Path, format, args...)
	if t.owner != nil {
		f.Tool = t.owner.Name.Raw()
	}
	return f
}

// where names the text for a message.
func (t said) where() string {
	path := analyzers.Untrusted(t.field.Path).String()
	if t.owner == nil {
		return path + ` of server "` + t.server.Name.String() + `"`
	}
	return path + " of " + t.owner.Kind + ` "` + t.owner.Name.String() + `"`
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
			visit(said{s, owner, f})
		})
	}
}
