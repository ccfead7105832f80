// Package flw holds the rules on what the tools of one agent can do together.
// Everything that a tool answers lands in one context, from which the model
// fills in the arguments of every other tool: so any tool can feed any other,
// and a combination can do what no tool of it does.
package flw

import (
	"fmt"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/capability"
)

// node is a tool that the agent may call.
type node struct {
	server *analyzers.Server // as the client declares it, else as the capture names it
	tool   *analyzers.Tool
	facts  []capability.Fact
}

// agent is one model's set of tools: those of the servers that one file of a
// client declares, or of one saved answer.
type agent struct {
	client  *analyzers.Client // nil for a saved answer
	servers []*analyzers.Server
	shown   []*analyzers.Server // those whose surfaces these are: saved answers, where there are any
	nodes   []node
	tools   int // all of them, also those that no fact is known of
	flows   []flow
}

// agentsKey shares the agents between the rules of one run.
type agentsKey struct{}

func agents(pass *rules.Pass) []*agent {
	return pass.Shared(agentsKey{}, func() any { return gather(pass.Catalog) }).([]*agent)
}

// mostNodes bounds what all agents hold together: one saved answer may be part
// of many clients. Clients beyond it are judged without saved answers.
const mostNodes = 1 << 17

// gather builds the agents. A declared server has the tools that are known of
// it, or those of the saved answer under its name; a saved answer that is part
// of a client's agent is not judged again alone.
func gather(c *analyzers.Catalog) []*agent {
	saved := map[string][]*analyzers.Server{}
	for _, s := range c.Servers {
		if s.Client == nil && len(s.Surface.Tools) > 0 {
			saved[s.Name.Raw()] = append(saved[s.Name.Raw()], s)
		}
	}
	facts := map[*analyzers.Server][][]capability.Fact{}
	denied := denials(c)
	var out []*agent
	nodes := 0
	joined := map[*analyzers.Server]bool{}
	for _, client := range c.Clients {
		a := &agent{client: client}
		for _, s := range client.Servers {
			known := s
			if len(s.Surface.Tools) == 0 && nodes < mostNodes {
				known = nearest(client, saved[s.Name.Raw()])
			}
			if known == nil || s.Disabled {
				continue
			}
			nodes += len(known.Surface.Tools)
			joined[known] = true
			a.add(s, known, facts, denied)
		}
		if len(a.nodes) > 0 {
			out = append(out, a)
		}
	}
	files := map[*analyzers.Source]*agent{}
	for _, s := range c.Servers {
		if s.Client != nil || len(s.Surface.Tools) == 0 || joined[s] {
			continue
		}
		a := files[s.Span.Source]
		if a == nil {
			a = &agent{}
			files[s.Span.Source] = a
			out = append(out, a)
		}
		a.add(s, s, facts, denied)
	}
	for _, a := range out {
		a.flows = flows(a.nodes)
	}
	return out
}

// nearest picks the saved answer whose file is nearest to the client's, nil
// where two are equally near: which of them is meant is not known.
func nearest(client *analyzers.Client, answers []*analyzers.Server) (best *analyzers.Server) {
	const most = 64
	if len(answers) > most {
		return nil
	}
	common := -1
	for _, s := range answers {
		n := 0
		path, other := client.Source.Path, s.Span.Path()
		for i := 0; i < len(path) && i < len(other) && path[i] == other[i]; i++ {
			if path[i] == '/' {
				n++
			}
		}
		switch {
		case n > common:
			best, common = s, n
		case n == common:
			best = nil
		}
	}
	return best
}

func (a *agent) add(s, known *analyzers.Server, facts map[*analyzers.Server][][]capability.Fact, denied denied) {
	if facts[known] == nil {
		all := make([][]capability.Fact, len(known.Surface.Tools))
		for i, t := range known.Surface.Tools {
			all[i] = capability.Of(t)
		}
		facts[known] = all
	}
	a.servers, a.shown = append(a.servers, s), append(a.shown, known)
	for i, t := range known.Surface.Tools {
		if denied.holds(s, t.Name.Raw()) {
			continue
		}
		a.tools++
		if f := facts[known][i]; len(f) > 0 {
			a.nodes = append(a.nodes, node{s, t, f})
		}
	}
}

// denied holds the tools that clients' settings keep from the model: by folder
// of the settings, "server/tool" or "server".
type denied map[string]map[string]bool

// denials reads the permissions.deny of Claude Code, whose settings stand in
// another file than its servers.
func denials(c *analyzers.Catalog) denied {
	out := denied{}
	for _, client := range c.Clients {
		if !strings.HasPrefix(client.Name, "claude-code") {
			continue
		}
		for _, s := range client.Settings {
			rest, ok := strings.CutPrefix(s.Value.Raw(), "mcp__")
			if !ok || !strings.HasPrefix(s.Path, "permissions.deny[") {
				continue
			}
			folder := home(client)
			if out[folder] == nil {
				out[folder] = map[string]bool{}
			}
			server, tool, _ := strings.Cut(rest, "__")
			if tool == "" || tool == "*" {
				out[folder][server] = true
			} else {
				out[folder][server+"/"+tool] = true
			}
		}
	}
	return out
}

// home is the folder that a file of Claude Code speaks for.
func home(c *analyzers.Client) string {
	dir := c.Source.Path
	dir = dir[:strings.LastIndexByte(dir, '/')+1]
	return strings.TrimSuffix(dir, ".claude/")
}

// holds reports whether the client keeps the tool from the model.
func (d denied) holds(s *analyzers.Server, tool string) bool {
	if s.Client == nil {
		return false
	}
	if strings.HasPrefix(s.Client.Name, "claude-code") {
		if of := d[home(s.Client)]; of[s.Name.Raw()] || of[s.Name.Raw()+"/"+tool] {
			return true
		}
	}
	chosen, listed := false, false
	for _, set := range s.Settings {
		key, _, list := strings.Cut(set.Path, "[")
		switch key {
		case "disabledTools", "disabled_tools", "excludeTools":
			if v := set.Value.Raw(); v == tool || v == "*" {
				return true
			}
		case "includeTools", "enabled_tools", "enabledTools":
			chosen = chosen || list
			listed = listed || set.Value.Raw() == tool || set.Value.Raw() == "*"
		}
	}
	return chosen && !listed
}

// finding starts a finding about a flow of the agent: in a client's file at
// the server that holds the last hop, else at the hop's own tool.
func (a *agent) finding(subject string, last node, format string, args ...any) rules.Finding {
	if a.client != nil {
		f := rules.OnClient(a.client, last.server.KeySpan, subject, format, args...)
		f.Severity = rules.Low
		if len(a.servers) == 1 {
			f.Server = last.server.Name.Raw()
		}
		return f
	}
	f := rules.OnServer(last.server, last.tool.Name.Span, subject, format, args...)
	if len(a.servers) > 1 {
		f.Server = ""
	}
	f.Severity = rules.Info
	return f
}

// who names the agent for a message.
func (a *agent) who() string {
	const most = 4
	var names []string
	for i, s := range a.servers {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(a.servers)-most))
			break
		}
		names = append(names, fmt.Sprintf("%q", s.Name))
	}
	if len(a.servers) == 1 {
		return "server " + names[0]
	}
	return "servers " + and(names)
}

// called is a tool's name, with its server's where there are several.
func (a *agent) called(n node) string {
	if len(a.servers) == 1 {
		return fmt.Sprintf("%q", n.tool.Name)
	}
	return fmt.Sprintf("%q of %q", n.tool.Name, n.server.Name)
}

// call names several tools, the first few of them.
func (a *agent) call(nodes []int) string {
	const most = 8
	var names []string
	for i, n := range nodes {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(nodes)-most))
			break
		}
		names = append(names, a.called(a.nodes[n]))
	}
	return and(names)
}

func and(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}
