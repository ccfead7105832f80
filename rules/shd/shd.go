// Package shd holds the rules on names: tools that pass for others, and texts
// that reach over to the tools of another server. A name that two servers share
// is no shadowing by itself.
package shd

import (
	"fmt"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

// agent is the servers that one model sees together: those of one client, or of
// one file.
type agent struct {
	servers []*analyzers.Server
}

type agentsKey struct{}

// agents returns those that have two servers with something to say, or more.
func agents(pass *rules.Pass) []*agent {
	if len(pass.Catalog.Servers) < 2 {
		return nil
	}
	return pass.Shared(agentsKey{}, func() any {
		type place struct {
			client *analyzers.Client
			file   string
		}
		by := map[place]*agent{}
		var order []*agent
		for _, s := range pass.Catalog.Servers {
			if f := &s.Surface; len(f.Tools)+len(f.Prompts)+len(f.Resources)+len(f.Templates) == 0 && f.Instructions.IsZero() {
				continue
			}
			at := place{client: s.Client}
			if s.Client == nil {
				at.file = s.Span.Path()
			}
			a := by[at]
			if a == nil {
				a = &agent{}
				by[at] = a
				order = append(order, a)
			}
			a.servers = append(a.servers, s)
		}
		var out []*agent
		for _, a := range order {
			if len(a.servers) > 1 {
				out = append(out, a)
			}
		}
		return out
	}).([]*agent)
}

// owned is a tool with its server.
type owned struct {
	server *analyzers.Server
	tool   *analyzers.Tool
}

// tools calls visit with the agent's tools, server by server.
func (a *agent) tools(visit func(owned)) {
	for _, s := range a.servers {
		for _, t := range s.Surface.Tools {
			visit(owned{s, t})
		}
	}
}

// finding starts a finding about the tool's name.
func (o owned) finding(format string, args ...any) rules.Finding {
	f := rules.OnServer(o.server, o.tool.Name.Span, o.tool.Name.Raw(), format, args...)
	f.Tool = o.tool.Name.Raw()
	return f
}

// squeezed is a name without what people forget: case and separators.
func squeezed(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '_' || r == '-' || r == '.' || r == '/' || r == ' ':
			return -1
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// longestName bounds the names that are compared.
const longestName = 128

// related adds the other tool's place to a finding.
func related(f *rules.Finding, o owned, message string) {
	if !o.tool.Name.Span.IsZero() {
		f.Related = append(f.Related, rules.Related{Message: message, Span: o.tool.Name.Span})
	}
}

// code is how a character is named: U+0430.
func code(r rune) string { return fmt.Sprintf("%U", r) }

// cut is a name short enough for a message.
func cut(name string) analyzers.Untrusted {
	const enough = 80
	if len(name) > enough {
		name = strings.ToValidUTF8(name[:enough], "") + "..."
	}
	return analyzers.Untrusted(name)
}
