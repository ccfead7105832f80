package mux

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// gathering is one request of the client, or of the mux, that several servers
// answer together.
type gathering struct {
	what  string     // greeting, level, or the kind of a list
	asked []*request // who waits for it
	left  int        // servers that have not answered
	due   time.Time
	done  bool // what comes now comes late
	fine  int  // servers that have answered
}

// part is one server's share of a gathering.
type part struct {
	*gathering
	server int
	items  []item
}

const (
	greeting = "greeting"
	level    = "level"
)

// ask sends one server a request in the mux's name.
func (m *Mux) ask(p *part, frame func(id []byte) []byte, v *Verdict) {
	id := m.ownID()
	m.own[idKey(id)] = p
	m.send(p.server, frame(id), v)
}

func (m *Mux) gathering(what string, q *request, now time.Time) *gathering {
	g := &gathering{what: what, due: now.Add(m.Patience)}
	if q != nil {
		g.asked = []*request{q}
	}
	m.gathers[g] = true
	return g
}

func (m *Mux) greet(q *request, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	m.asking = true
	g := m.gathering(greeting, q, now)
	for i, s := range m.servers {
		if s.lost == "" {
			g.left++
			m.ask(&part{gathering: g, server: i}, func(id []byte) []byte { return exchange(msg, change{msg.ID, id}) }, v)
		}
	}
	if g.left == 0 {
		m.complete(g, v, now)
	}
}

func (m *Mux) setLevel(q *request, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	g := m.gathering(level, q, now)
	for i := range m.having("logging") {
		g.left++
		m.ask(&part{gathering: g, server: i}, func(id []byte) []byte { return exchange(msg, change{msg.ID, id}) }, v)
	}
	if g.left == 0 {
		m.complete(g, v, now)
	}
}

// having yields the servers that can do something, by a member of their
// capabilities.
func (m *Mux) having(capability string) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i, s := range m.servers {
			if s.in && s.lost == "" && !has(s.capabilities, capability).IsZero() && !yield(i) {
				return
			}
		}
	}
}

func has(capabilities []byte, path ...string) jsonrpc.Range {
	return jsonrpc.Find(capabilities, jsonrpc.Range{End: len(capabilities)}, path...)
}

// gathered takes one server's answer.
func (m *Mux) gathered(k string, p *part, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	delete(m.own, k)
	if msg.Result.IsZero() {
		m.ended(p, "it was refused, or has answered with an error", v, now)
		return
	}
	s := m.servers[p.server]
	switch p.what {
	case greeting:
		s.in, s.version = true, string(msg.Text(msg.Find(msg.Result, "protocolVersion"), nil))
		s.capabilities = bytes.Clone(msg.Find(msg.Result, "capabilities").In(msg.Bytes))
		s.instructions = string(msg.Text(msg.Find(msg.Result, "instructions"), nil))
		if p.done { // late: the client learns of it by the lists
			if m.ready {
				m.send(p.server, []byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`), v)
			}
			for _, kind := range kinds {
				if kind != "template" && !has(s.capabilities, lists[kind].capability).IsZero() {
					m.changed(kind, v)
				}
			}
			m.tables["template"].forget()
			return
		}
	case level:
	default:
		p.items = append(p.items, items(p.what, msg)...)
		if next := msg.Find(msg.Result, "nextCursor").In(msg.Bytes); next != nil && string(next) != "null" {
			m.ask(p, page(p.what, next), v)
			return
		}
		s.offers[p.what] = p.items
		if p.done {
			m.index(p.what)
			if p.what != "template" {
				m.changed(p.what, v)
			} else {
				m.changed("resource", v)
			}
			return
		}
	}
	p.fine++
	m.share(p, v, now)
}

// ended notes that a server has no share in a gathering.
func (m *Mux) ended(p *part, reason string, v *Verdict, now time.Time) {
	switch p.what {
	case greeting:
		if m.LeftOut != nil {
			m.LeftOut(p.server, reason)
		}
	case level:
	default:
		delete(m.servers[p.server].offers, p.what)
	}
	if !p.done {
		m.share(p, v, now)
	}
}

func (m *Mux) share(p *part, v *Verdict, now time.Time) {
	if p.left--; p.left == 0 {
		m.complete(p.gathering, v, now)
	}
}

// complete answers with what has come.
func (m *Mux) complete(g *gathering, v *Verdict, now time.Time) {
	g.done = true
	delete(m.gathers, g)
	if g.left > 0 && g.what == greeting && m.LeftOut != nil {
		for i, s := range m.servers {
			for _, p := range m.own {
				if p.gathering == g && p.server == i && s.lost == "" {
					m.LeftOut(i, fmt.Sprintf("it has not answered within %s; it is part of the connection once it does", m.Patience))
				}
			}
		}
	}
	switch g.what {
	case greeting:
		m.asking = false
		for _, q := range g.asked {
			m.introduce(q, v, now)
		}
	case level:
		for _, q := range g.asked {
			m.reply(q, jsonrpc.AppendResult(nil, q.id, []byte("{}")), v)
		}
	default:
		m.index(g.what)
		t := m.tables[g.what]
		t.listed = now
		if g.what == "tool" && m.Withheld != nil {
			t.withheld = m.Withheld()
		}
		for _, q := range g.asked {
			m.answerList(q, g.what, v)
		}
		m.release(g.what, v, now)
	}
}

// introduce answers initialize for all servers.
func (m *Mux) introduce(q *request, v *Verdict, now time.Time) {
	var in, out []string
	for _, s := range m.servers {
		if !s.in || s.lost != "" {
			out = append(out, s.name)
			continue
		}
		in = append(in, s.name)
		if m.protocol == "" || s.version < m.protocol {
			m.protocol = s.version
		}
	}
	if len(in) == 0 {
		m.refuse(q, &runtime.Refusal{Rule: runtime.RuleLost, Reason: "none of the servers can be used", Next: "standard error and the audit log say why"}, v, now)
		return
	}
	m.greeted = true
	result := jsonrpc.AppendString([]byte(`{"protocolVersion":`), m.protocol)
	result = append(append(append(result, `,"capabilities":`...), m.capabilities()...), `,"serverInfo":{"name":"sallyport","title":`...)
	title := "Sallyport: " + strings.Join(in, ", ")
	if len(out) > 0 {
		title += " (left out: " + strings.Join(out, ", ") + ")"
	}
	result = jsonrpc.AppendString(result, title)
	result = append(jsonrpc.AppendString(append(result, `,"version":`...), m.Version), '}')
	var said []string
	for _, s := range m.servers {
		if s.in && s.instructions != "" {
			said = append(said, fmt.Sprintf("# %s (names that begin with %s%s)\n\n%s", s.slug, s.slug, separator, quote(s.instructions)))
		}
	}
	if len(said) > 0 {
		result = jsonrpc.AppendString(append(result, `,"instructions":`...), strings.Join(said, "\n\n"))
	}
	m.reply(q, jsonrpc.AppendResult(nil, q.id, append(result, '}')), v)
}

// quote puts a mark before each line of a server's text, so that none can begin
// what looks like another server's.
func quote(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { // whatever a reader takes for the end of a line
		return r >= '\n' && r <= '\r' || r == 0x85 || r == 0x2028 || r == 0x2029
	})
	return "> " + strings.Join(lines, "\n> ")
}

// capabilities are those that one server has at least, and that the mux passes
// on. Lists may always change: a server may end.
func (m *Mux) capabilities() []byte {
	any := func(path ...string) bool {
		for _, s := range m.servers {
			if s.in && s.lost == "" {
				if r := has(s.capabilities, path...).In(s.capabilities); r != nil && string(r) != "false" {
					return true
				}
			}
		}
		return false
	}
	var members []string
	for _, name := range []string{"completions", "logging"} {
		if any(name) {
			members = append(members, `"`+name+`":{}`)
		}
	}
	for _, name := range []string{"prompts", "tools"} {
		if any(name) {
			members = append(members, `"`+name+`":{"listChanged":true}`)
		}
	}
	if any("resources", "subscribe") {
		members = append(members, `"resources":{"listChanged":true,"subscribe":true}`)
	} else if any("resources") {
		members = append(members, `"resources":{"listChanged":true}`)
	}
	if any("tasks", "requests", "tools", "call") {
		members = append(members, `"tasks":{"cancel":{},"requests":{"tools":{"call":{}}}}`)
	}
	slices.Sort(members)
	return []byte("{" + strings.Join(members, ",") + "}")
}
