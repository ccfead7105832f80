package mux

import (
	"bytes"
	"fmt"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// gathering is one request of the client, or of the mux, that several servers
// answer together.
type gathering struct {
	what  string     // greeting, level, listening, or the kind of a list
	asked []*request // who waits for it
	left  int        // servers that have not answered
	due   time.Time
	probe time.Time // when a server that says nothing to server/discover gets initialize; zero: never
	done  bool      // what comes now comes late
	fine  int       // servers that have answered
}

// part is one server's share of a gathering.
type part struct {
	*gathering
	server int
	id     []byte
	items  []item
	uris   []string // that it subscribes to
	method string   // of a greeting
	second bool     // the server does not know the client's era
}

const (
	greeting  = "greeting"
	level     = "level"
	listening = "listening"
)

// ask sends one server a request in the mux's name.
func (m *Mux) ask(p *part, frame func(id []byte) []byte, v *Verdict) {
	p.id = m.ownID()
	m.own[idKey(p.id)] = p
	m.send(p.server, frame(p.id), v)
}

func (m *Mux) gathering(what string, q *request, now time.Time) *gathering {
	g := &gathering{what: what, due: now.Add(m.Patience)}
	if q != nil {
		g.asked = []*request{q}
	}
	m.gathers[g] = true
	return g
}

// setLevel tells the servers how much the client wants to know; those of
// 2026-07-28 learn it with each request.
func (m *Mux) setLevel(q *request, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	m.said.level = bytes.Clone(msg.Find(msg.Params, "level").In(msg.Bytes))
	m.levels(q, v, now)
}

func (m *Mux) levels(q *request, v *Verdict, now time.Time) {
	g := m.gathering(level, q, now)
	for i := range m.having("logging") {
		if m.servers[i].modern {
			continue
		}
		g.left++
		m.ask(&part{gathering: g, server: i}, m.setLevelFrame, v)
	}
	if g.left == 0 {
		m.complete(g, v, now)
	}
}

func (m *Mux) setLevelFrame(id []byte) []byte {
	return requestFrame(id, "logging/setLevel", append(append([]byte(`{"level":`), m.said.level...), '}'))
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
	if p.what == greeting {
		m.greetedBy(p, msg, v, now)
		return
	}
	if msg.Result.IsZero() {
		m.ended(p, "it was refused, or has answered with an error", v, now)
		return
	}
	s := m.servers[p.server]
	switch p.what {
	case level:
	case listening:
		for _, q := range p.asked {
			q.wants.have(p.uris)
		}
	default:
		p.items = append(p.items, items(p.what, msg)...)
		if next := msg.Find(msg.Result, "nextCursor").In(msg.Bytes); next != nil && string(next) != "null" {
			m.ask(p, m.page(p.server, p.what, next), v)
			return
		}
		s.offers[p.what] = p.items
		if p.done {
			m.index(p.what)
			m.changed(p.what, v)
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
		m.leaveOut(p.server, reason, v)
	case level, listening:
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
	if g.left > 0 && g.what == greeting {
		for i, s := range m.servers {
			for _, p := range m.own {
				if p.gathering == g && p.server == i && s.lost == "" {
					m.leaveOut(i, fmt.Sprintf("it has not answered within %s; it is part of the connection once it does", m.Patience), v)
				}
			}
		}
	}
	switch g.what {
	case greeting:
		if m.Withheld != nil {
			m.acquaint(g, v, now)
			break
		}
		m.greetedAll(g, v, now)
	case level:
		for _, q := range g.asked {
			m.reply(q, jsonrpc.AppendResult(nil, q.id, []byte("{}")), v)
		}
	case listening:
		for _, q := range g.asked {
			m.acknowledge(q, v)
		}
	default:
		m.index(g.what)
		t := m.tables[g.what]
		t.listed = now
		m.judge(g.what, v)
		for _, q := range g.asked {
			m.answerList(q, g.what, v)
		}
		m.release(g.what, v, now)
		if meeting := m.meeting; meeting != nil && g.what == "tool" {
			m.meeting = nil
			m.greetedAll(meeting, v, now)
		}
	}
}
