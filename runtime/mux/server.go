package mux

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// FromServer decides what of a session's frames the client sees.
func (m *Mux) FromServer(server int, frame []byte, v *Verdict, now time.Time) {
	v.reset()
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := bytes.TrimLeft(frame, " \t"); len(t) > 0 && t[0] == '[' {
		all, err := m.back.ScanBatch(frame, nil)
		if err != nil {
			return // no session sends it
		}
		for i := range all {
			m.fromServer(server, &all[i], v, now)
		}
		return
	}
	var msg jsonrpc.Message
	if m.back.Scan(frame, &msg) == nil {
		m.fromServer(server, &msg, v, now)
	}
}

func (m *Mux) fromServer(i int, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	if m.early(i, msg) {
		return
	}
	switch msg.Kind {
	case jsonrpc.Response:
		k := key(msg)
		if p := m.own[k]; p != nil {
			if p.server == i {
				m.gathered(k, p, msg, v, now)
			}
			return
		}
		if st := m.streams[k]; st != nil && st.server == i {
			m.unstreamed(k, st, msg, v, now)
			return
		}
		if q := m.open[k]; q != nil && q.server == i && q.pause == nil && q.round == nil {
			m.remember(i, msg)
			m.answer(q, msg, v, now)
			return
		}
		if p := m.late[k]; p != nil && p.server == i {
			m.remember(i, msg)
			m.pausedAnswer(p, msg, v)
		}
	case jsonrpc.Request:
		m.serverRequest(i, msg, v, now)
	case jsonrpc.Notification:
		m.serverNotification(i, msg, v, now)
	}
}

// serverRequest gives what a server asks an id of the connection.
func (m *Mux) serverRequest(i int, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	text := func(name string) string { return string(msg.Text(msg.Find(msg.Params, name), nil)) }
	switch {
	case strings.HasPrefix(msg.Method, "tasks/") && !only(m.given[text("taskId")], i):
		m.foreign(msg, "the client has begun no such task for the server", v, now)
		m.send(i, jsonrpc.AppendError(nil, bytes.Clone(msg.ID.In(msg.Bytes)), jsonrpc.CodeInvalidParams, "not allowed: "+runtime.RuleSequence, nil), v)
		return
	case msg.Method == "elicitation/create":
		remember(m.forms, text("elicitationId"), i)
	}
	if m.modern {
		m.askInResult(i, msg, v, now)
		return
	}
	if len(m.asked) >= maxOpen*len(m.servers) {
		m.send(i, jsonrpc.AppendError(nil, bytes.Clone(msg.ID.In(msg.Bytes)), runtime.CodeDenied, "too many requests are open", nil), v)
		return
	}
	a := &ask{server: i, id: bytes.Clone(msg.ID.In(msg.Bytes)), shown: m.ownID()}
	changes := []change{{msg.ID, a.shown}}
	if at := msg.Find(msg.Meta, "progressToken"); !at.IsZero() {
		a.token, a.mark = bytes.Clone(at.In(msg.Bytes)), m.ownID()
		m.marks[string(a.mark)] = a
		changes = append(changes, change{at, a.mark})
	}
	m.asked[idKey(a.shown)] = a
	v.ToClient = append(v.ToClient, exchange(msg, changes...))
}

func (m *Mux) serverNotification(i int, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	text := func(name string) string { return string(msg.Text(msg.Find(msg.Params, name), nil)) }
	switch msg.Method {
	case "notifications/cancelled":
		at := msg.Find(msg.Params, "requestId")
		for _, a := range m.asked {
			if a.server == i && idKey(a.id) == idKey(at.In(msg.Bytes)) {
				m.answered(a)
				v.ToClient = append(v.ToClient, exchange(msg, change{at, a.shown}))
				return
			}
		}
		return
	case "notifications/progress":
		if q := m.tokens[string(msg.Find(msg.Params, "progressToken").In(msg.Bytes))]; q == nil || q.server != i {
			return
		}
	case "notifications/message":
		if m.modern && m.said.level == nil { // nobody has asked for it
			return
		}
	case "notifications/elicitation/complete":
		if !only(m.forms[text("elicitationId")], i) {
			m.foreign(msg, "it is about an elicitation that is not the server's", v, now)
			return
		}
	case "notifications/tasks/status":
		if !only(m.tasks[text("taskId")], i) {
			m.foreign(msg, "it is about a task that is not the server's", v, now)
			return
		}
	case "notifications/subscriptions/acknowledged":
		m.acknowledged(i, msg, v, now)
		return
	case "notifications/tools/list_changed":
		m.changed("tool", v)
		return
	case "notifications/prompts/list_changed":
		m.changed("prompt", v)
		return
	case "notifications/resources/list_changed":
		m.tables["template"].forget()
		m.changed("resource", v)
		return
	case "notifications/resources/updated":
		uri := string(msg.Text(msg.Find(msg.Params, "uri"), nil))
		if of := m.owners(uri); len(of) > 0 && !of[i] {
			return // it is another server's to say
		}
		m.updated(uri, msg, v)
		return
	}
	if m.greeted {
		v.ToClient = append(v.ToClient, msg.Raw())
	}
}

// only reports whether a handle is one server's alone.
func only(of map[int]bool, i int) bool { return len(of) == 1 && of[i] }

// foreign records what a server says about another's handle.
func (m *Mux) foreign(msg *jsonrpc.Message, reason string, v *Verdict, now time.Time) {
	r := m.record(msg.Method, "", msg.ID.In(msg.Bytes), now)
	r.Direction, r.Decision, r.Rule, r.Reason = audit.ServerToClient, audit.Drop, runtime.RuleSequence, reason
	v.Records = append(v.Records, r)
}

// Stopped notes that a session refuses everything from now on: what its server
// has shown is not offered any more. The session itself says why.
func (m *Mux) Stopped(server int, v *Verdict) {
	v.reset()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone(server, v)
	if no := m.refusal(server); no != nil && m.servers[server].in {
		m.warn(fmt.Sprintf("the server %s was stopped: %s [%s]", m.servers[server].slug, no.Reason, no.Rule), v)
	}
}

// Lost notes that the session of a server is over.
func (m *Mux) Lost(server int, reason string, v *Verdict, now time.Time) {
	v.reset()
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.servers[server]
	if s.lost != "" {
		return
	}
	s.lost = reason
	for _, q := range m.sorted() {
		if q.server == server {
			m.refuse(q, m.lostOf(s), v, now)
		}
	}
	for k, p := range m.own {
		if p.server == server {
			delete(m.own, k)
			m.ended(p, reason, v, now)
		}
	}
	for _, a := range m.asked {
		if a.server == server {
			m.answered(a)
		}
	}
	for k, p := range m.late {
		if p.server == server {
			delete(m.late, k)
			delete(m.paused, p.state)
		}
	}
	for k, st := range m.streams {
		if st.server == server {
			delete(m.streams, k)
			if st.part != nil && !st.part.done {
				m.share(st.part, v, now)
			}
		}
	}
	m.gone(server, v)
	if s.in && !m.left {
		m.warn(fmt.Sprintf("the server %s has ended", s.slug), v)
	}
}

// gone takes away what a server has offered.
func (m *Mux) gone(server int, v *Verdict) {
	s := m.servers[server]
	if !s.in {
		return
	}
	for _, kind := range kinds {
		had := len(s.offers[kind]) > 0
		delete(s.offers, kind)
		m.index(kind)
		if had {
			m.changed(kind, v)
		}
	}
}

func (m *Mux) lostOf(s *server) *runtime.Refusal {
	return &runtime.Refusal{Rule: runtime.RuleLost, Reason: fmt.Sprintf("the server %s has ended", s.slug), Next: "look into its log and start the connection again"}
}
