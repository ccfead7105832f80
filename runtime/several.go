package runtime

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

// Answer is an error response to a request that is not forwarded; what says in
// words what did not happen.
func (no *Refusal) Answer(id []byte, what string) []byte { return no.answer(id, what) }

// Expands reports whether a template may stand for a URI: its fixed parts are
// there in order, beginning with the scheme (RFC 6570, any level).
func Expands(template, uri string) bool { return expands(template, uri) }

// The kinds of what is withheld besides definitions, both under the name "".
const (
	Instructions = "instructions"
	Everything   = "everything" // that the server offers
)

// Withheld is what a server must not offer beside others: by kind ("tool",
// "prompt", "resource", "template", Instructions, Everything) and name.
type Withheld map[string]map[string]*Refusal

func (w Withheld) add(kind, name string, no *Refusal) {
	if w[kind] == nil {
		w[kind] = map[string]*Refusal{}
	}
	if w[kind][name] == nil {
		w[kind][name] = no
	}
}

// Together judges what several servers of one client show beside each other:
// texts of one that give orders about the tools of another, and tools that pass
// for another's. What one server alone shows is its own Session's to judge. It
// is for one goroutine.
type Together struct {
	names   []string
	offered func(server int, name string) string
	rules   []*rules.Rule
	servers []beside
	last    []Withheld
}

// beside is one server as it was judged last.
type beside struct {
	shown   Seen
	surface analyzers.Surface
	tools   []*analyzers.Tool // those of the surface, by the names that the client has
}

// subject is what a text belongs to.
type subject struct {
	server     int
	kind, name string
}

// NewTogether judges servers of these names. Texts may speak of tools by their
// own names and by those that the client has, which offered returns.
func NewTogether(names []string, offered func(server int, name string) string) *Together {
	return &Together{names: names, offered: offered, servers: make([]beside, len(names))}
}

// Judge returns, by the server's place, what has a finding of high or above that
// the others have a part in. While nothing changes, nothing is judged again, and
// of servers that show what they have shown nothing is read again.
func (t *Together) Judge(all []*rules.Rule, shown []Seen) []Withheld {
	list := slices.DeleteFunc(slices.Clone(all), func(r *rules.Rule) bool { return !r.Beside })
	changed := t.last == nil || !slices.Equal(list, t.rules)
	t.rules = list
	for i := range t.servers {
		s := &t.servers[i]
		if !s.shown.same(&shown[i]) {
			s.shown = shown[i]
			s.read(func(name string) string { return t.offered(i, name) })
			changed = true
		}
		s.shown = shown[i] // what it was made of need not be kept
	}
	if !changed {
		return t.last
	}
	t.last = make([]Withheld, len(t.servers))
	of := map[*analyzers.Source]subject{} // each text that is judged has a source of its own
	for i := range t.servers {
		t.last[i] = Withheld{}
		s := &t.servers[i].surface
		for _, tool := range s.Tools {
			of[tool.Span.Source] = subject{i, "tool", tool.Name.Raw()}
		}
		for _, items := range [][]*analyzers.Item{s.Prompts, s.Resources, s.Templates} {
			for _, item := range items {
				of[item.Span.Source] = subject{i, item.Kind, item.Name.Raw()}
			}
		}
		if !s.Instructions.IsZero() {
			of[s.Instructions.Span.Source] = subject{i, Instructions, ""}
		}
	}
	for _, offered := range []bool{false, true} {
		c, client := &analyzers.Catalog{}, &analyzers.Client{}
		for i, name := range t.names {
			server := live(name, t.servers[i].surface)
			if server.Client = client; offered {
				server.Surface.Tools = t.servers[i].tools
			}
			c.Servers = append(c.Servers, server)
		}
		for _, f := range rules.Check(c, list) {
			at, ok := of[f.Span.Source]
			another := slices.ContainsFunc(f.Related, func(r rules.Related) bool {
				other, ok := of[r.Span.Source]
				return ok && other.server != at.server
			})
			if !ok || !another || f.Severity < rules.High {
				continue
			}
			what := "the server's instructions"
			if at.kind != Instructions {
				what = name(at.kind, at.name)
			}
			t.last[at.server].add(at.kind, at.name, &Refusal{
				Rule: f.Rule.ID, Reason: what + ", beside the other servers: " + wrong(f),
				Next:     "review the server, or connect it without the others",
				Findings: recorded([]rules.Finding{f}, rules.High),
			})
		}
	}
	return t.last
}

// read takes what a server shows now.
func (b *beside) read(offered func(string) string) {
	b.surface, b.tools = analyzers.Surface{}, nil
	for _, raw := range b.shown.Tools {
		if tool, _ := definition("tool", raw); tool != nil {
			renamed := *tool
			renamed.Name.Value = analyzers.Untrusted(offered(tool.Name.Raw()))
			b.surface.Tools, b.tools = append(b.surface.Tools, tool), append(b.tools, &renamed)
		}
	}
	items := func(kind string, list []json.RawMessage) (out []*analyzers.Item) {
		for _, raw := range list {
			if _, item := definition(kind, raw); item != nil {
				out = append(out, item)
			}
		}
		return out
	}
	b.surface.Prompts, b.surface.Resources, b.surface.Templates = items("prompt", b.shown.Prompts), items("resource", b.shown.Resources), items("template", b.shown.Templates)
	if said := b.shown.Instructions; said != nil && *said != "" {
		src := &analyzers.Source{Path: Instructions, Bytes: []byte(*said)}
		b.surface.Instructions = analyzers.Text{Value: analyzers.Untrusted(*said), Span: src.Span(0, len(*said))}
	}
}

// same reports whether two hold the same definitions and instructions.
func (s *Seen) same(o *Seen) bool {
	if (s.Instructions == nil) != (o.Instructions == nil) || s.Instructions != nil && *s.Instructions != *o.Instructions {
		return false
	}
	equal := func(a, b []json.RawMessage) bool {
		return slices.EqualFunc(a, b, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
	}
	return equal(s.Tools, o.Tools) && equal(s.Prompts, o.Prompts) && equal(s.Resources, o.Resources) && equal(s.Templates, o.Templates)
}

// Shown is what the session lets the client see of its server, for Together:
// what was listed, and before that what was approved. Nothing, once the server
// is stopped.
func (s *Session) Shown(now time.Time) Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out Seen
	if s.stopped != nil {
		return out
	}
	if !s.silent {
		out.Instructions = s.instructions
	}
	for kind, list := range map[string]*[]json.RawMessage{"tool": &out.Tools, "prompt": &out.Prompts, "resource": &out.Resources, "template": &out.Templates} {
		l := s.lists[kind]
		for _, name := range l.order {
			if d := l.seen[name]; d.hidden == nil || !s.enforcing() {
				*list = append(*list, d.raw)
			}
		}
		if len(l.order) == 0 && !l.complete {
			*list = s.approved(kind, now)
		}
	}
	return out
}

// approved are the definitions of a kind that the manifest has, or the names of
// tools that the entry allows.
func (s *Session) approved(kind string, now time.Time) []json.RawMessage {
	var out []json.RawMessage
	if s.guard.pins == nil {
		if e := s.decide(policy.Connect, "", nil, now).Entry; e != nil && kind == "tool" {
			for _, name := range e.Tools.Allow {
				out = append(out, append(jsonrpc.AppendString([]byte(`{"name":`), name), '}'))
			}
		}
		return out
	}
	surface := s.guard.pins.surface
	for _, t := range surface.Tools {
		if kind == "tool" {
			out = append(out, t.Definition)
		}
	}
	for _, items := range [][]*analyzers.Item{surface.Prompts, surface.Resources, surface.Templates} {
		for _, item := range items {
			if item.Kind == kind {
				out = append(out, item.Definition)
			}
		}
	}
	return out
}

// Withhold takes away what other servers beside this one make dangerous, in
// place of what was taken away before. Where the client has had the
// instructions that are among it, everything is: they cannot be taken back. It
// returns what is withheld, which is nothing where that is not enforced, and
// records each thing once.
func (s *Session) Withhold(w Withheld, had bool, now time.Time) ([]audit.Record, Withheld) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if no := w[Instructions][""]; no != nil && had {
		all := *no
		all.Reason = "the client has had what stands against the server: " + no.Reason
		w = maps.Clone(w)
		w[Everything] = map[string]*Refusal{"": &all}
	}
	var v Verdict
	for _, kind := range slices.Sorted(maps.Keys(w)) {
		for _, called := range slices.Sorted(maps.Keys(w[kind])) {
			no := w[kind][called]
			if old := s.withheld[kind][called]; old != nil && old.Rule == no.Rule {
				continue
			}
			r := s.record(audit.Shim, now)
			r.Method, r.Name = listOf[kind].method, called
			if kind == Instructions {
				r.Method = "initialize"
			}
			s.deny(&v, r, audit.Hide, no)
		}
	}
	s.withheld = w
	if !s.enforcing() {
		return v.Records, nil
	}
	return v.Records, w
}

// beside is why something must not be used beside the other servers.
func (s *Session) beside(kind, called string) *Refusal {
	if len(s.withheld) == 0 {
		return nil
	}
	if no := s.withheld[Everything][""]; no != nil {
		return no
	}
	return s.withheld[kind][called]
}

// behind is the same of a resource that only a template stands for.
func (s *Session) behind(uri string) *Refusal {
	for _, template := range slices.Sorted(maps.Keys(s.withheld["template"])) {
		if expands(template, uri) {
			return s.withheld["template"][template]
		}
	}
	return nil
}
