package mux

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

func (m *Mux) fromClient(msg *jsonrpc.Message, b *batch, v *Verdict, now time.Time) {
	switch msg.Kind {
	case jsonrpc.Request:
		m.clientRequest(msg, b, v, now)
	case jsonrpc.Notification:
		m.clientNotification(msg, v, now)
	default:
		a := m.asked[key(msg)]
		if a == nil {
			m.drop(msg, "it answers nothing that a server has asked", v, now)
			return
		}
		m.answered(a)
		if a.round != nil {
			m.took(a, msg, v, now)
			return
		}
		remember(m.given, string(msg.Text(msg.Find(msg.Result, "task", "taskId"), nil)), a.server)
		m.send(a.server, exchange(msg, change{msg.ID, a.id}), v)
	}
}

// answered forgets what a server has asked.
func (m *Mux) answered(a *ask) {
	delete(m.asked, idKey(a.shown))
	if a.mark != nil {
		delete(m.marks, string(a.mark))
	}
}

func (m *Mux) drop(msg *jsonrpc.Message, reason string, v *Verdict, now time.Time) {
	r := m.record(msg.Method, "", msg.ID.In(msg.Bytes), now)
	r.Decision, r.Rule, r.Reason = audit.Drop, runtime.RuleSequence, reason
	v.Records = append(v.Records, r)
}

func (m *Mux) clientRequest(msg *jsonrpc.Message, b *batch, v *Verdict, now time.Time) {
	k := key(msg)
	m.number++
	q := &request{id: bytes.Clone(msg.ID.In(msg.Bytes)), method: msg.Method, server: -1, number: m.number, batch: b}
	switch {
	case m.open[k] != nil || m.late[k] != nil || strings.HasPrefix(k, `"`+prefix):
		m.refuse(q, &runtime.Refusal{Rule: runtime.RuleSequence, Reason: "its id belongs to a request that is still open", Next: "use an id once"}, v, now)
		return
	case len(m.open) >= maxOpen:
		m.refuse(q, &runtime.Refusal{Rule: runtime.RuleSequence, Reason: fmt.Sprintf("more than %d requests are open", maxOpen), Next: "wait for answers"}, v, now)
		return
	}
	if raw := msg.Find(msg.Meta, "progressToken").In(msg.Bytes); raw != nil {
		if q.token = string(raw); m.tokens[q.token] != nil {
			q.token = ""
			m.refuse(q, &runtime.Refusal{Rule: runtime.RuleSequence, Reason: "its progress token belongs to a request that is still open", Next: "use a token once"}, v, now)
			return
		}
	}
	switch {
	case m.modern && !m.used && msg.Method == initialize && msg.ProtocolVersion.IsZero():
		m.begin(q)
		m.fallBack(q, msg, v, now)
		return
	case m.modern, !m.greeted && !m.asking && (msg.Method == discover || !msg.ProtocolVersion.IsZero()):
		m.modernRequest(q, msg, v, now)
		return
	case msg.Method == discover, string(msg.Text(msg.ProtocolVersion, nil)) == stateless:
		m.error(q, jsonrpc.CodeMethodNotFound, runtime.RuleDowngrade, "this connection has begun with initialize", v, now)
		return
	case msg.Method == "ping":
		m.reply(q, jsonrpc.AppendResult(nil, q.id, []byte("{}")), v)
		return
	case msg.Method == initialize:
		if m.asking || m.greeted {
			m.refuse(q, &runtime.Refusal{Rule: runtime.RuleSequence, Reason: "the session is initialized already", Next: "begin a new session"}, v, now)
			return
		}
		m.begin(q)
		m.initialize(q, msg, v, now)
		return
	case !m.greeted:
		m.refuse(q, &runtime.Refusal{Rule: runtime.RuleSequence, Reason: "it comes before the handshake", Next: "send initialize first"}, v, now)
		return
	}
	m.begin(q)
	m.dispatch(q, msg, false, v, now)
}

// modernRequest takes a request of 2026-07-28. The first of them lets the
// servers be asked who they are, whatever it is.
func (m *Mux) modernRequest(q *request, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	switch version := string(msg.Text(msg.ProtocolVersion, nil)); version {
	case stateless:
	case "":
		m.error(q, jsonrpc.CodeInvalidParams, runtime.RuleMessage, "_meta does not say "+prefixed+"protocolVersion", v, now)
		return
	default:
		data := append([]byte(`{"supported":["`+stateless+`"],"requested":`), msg.ProtocolVersion.In(msg.Bytes)...)
		m.refused(q, runtime.RuleDowngrade, "another protocol version", now, v)
		m.reply(q, jsonrpc.AppendError(nil, q.id, codeVersion, "Sallyport: this connection speaks "+stateless+" without a handshake, and versions up to "+newest+" with one", append(data, '}')), v)
		return
	}
	m.begin(q)
	m.note(msg, v, now)
	if !m.greeted {
		m.wait(q, msg, []string{greeting}, v, now)
		if !m.asking {
			m.discover(v, now)
		}
		return
	}
	m.dispatch(q, msg, false, v, now)
}

// codeVersion is UnsupportedProtocolVersionError's (2026-07-28, basic).
const codeVersion = -32022

// dispatch answers a request or sends it on; listed says that it has waited for
// the lists that it needs.
func (m *Mux) dispatch(q *request, msg *jsonrpc.Message, listed bool, v *Verdict, now time.Time) {
	m.used = m.used || msg.Method != discover
	kind := kindOf(msg.Method)
	switch method := msg.Method; {
	case kind != "":
		m.list(q, kind, msg, v, now)
	case method == discover && m.modern:
		m.judge(Greeted, v)
		m.reply(q, jsonrpc.AppendResult(nil, q.id, m.discovered()), v)
	case method == "subscriptions/listen" && m.modern:
		m.listen(q, msg, listed, v, now)
	case method == "logging/setLevel" && !m.modern:
		m.setLevel(q, msg, v, now)
	case ofOne[method], ofOneBefore[method] && !m.modern:
		m.route(q, msg, listed, v, now)
	default:
		m.error(q, jsonrpc.CodeMethodNotFound, runtime.RuleMethod, "the method is none that several servers behind one connection can answer", v, now)
	}
}

// What one server answers, in every version or before 2026-07-28.
var (
	ofOne = map[string]bool{
		"tools/call": true, "prompts/get": true, "completion/complete": true, "resources/read": true,
		"tasks/get": true, "tasks/cancel": true,
	}
	ofOneBefore = map[string]bool{"resources/subscribe": true, "resources/unsubscribe": true, "tasks/result": true}
)

// error answers with an error of the protocol.
func (m *Mux) error(q *request, code int, rule, reason string, v *Verdict, now time.Time) {
	m.refused(q, rule, reason, now, v)
	m.reply(q, jsonrpc.AppendError(nil, q.id, code, "Sallyport: "+reason+" ["+rule+"]", nil), v)
}

func (m *Mux) refused(q *request, rule, reason string, now time.Time, v *Verdict) {
	r := m.record(q.method, "", q.id, now)
	r.Rule, r.Reason = rule, reason
	v.Records = append(v.Records, r)
}

func (m *Mux) begin(q *request) {
	m.open[idKey(q.id)] = q
	if q.token != "" {
		m.tokens[q.token] = q
	}
}

func (m *Mux) finish(q *request) {
	if k := idKey(q.id); m.open[k] == q {
		delete(m.open, k)
	}
	if m.tokens[q.token] == q {
		delete(m.tokens, q.token)
	}
}

// reply answers a request; the answers to a batch go together.
func (m *Mux) reply(q *request, frame []byte, v *Verdict) {
	m.finish(q)
	if q.batch == nil {
		v.ToClient = append(v.ToClient, frame)
		return
	}
	q.batch.answers = append(q.batch.answers, bytes.Clone(frame))
	m.missing(q.batch, v)
}

// missing sends a batch of answers when there is one less to wait for.
func (m *Mux) missing(b *batch, v *Verdict) {
	if b.left--; b.left <= 0 && len(b.answers) > 0 {
		v.ToClient = append(v.ToClient, append(append([]byte{'['}, bytes.Join(b.answers, []byte{','})...), ']'))
		b.answers = nil
	}
}

// refuse answers a request of the client in the servers' place.
func (m *Mux) refuse(q *request, no *runtime.Refusal, v *Verdict, now time.Time) {
	m.refused(q, no.Rule, no.Reason, now, v)
	m.reply(q, no.Answer(q.id, "the request was not forwarded"), v)
}

func (m *Mux) send(server int, frame []byte, v *Verdict) {
	v.ToServer = append(v.ToServer, Frame{server, frame})
}

func (m *Mux) clientNotification(msg *jsonrpc.Message, v *Verdict, now time.Time) {
	if m.modern && msg.Method != "notifications/cancelled" {
		m.drop(msg, "the notification is none of "+stateless+"'s", v, now)
		return
	}
	switch msg.Method {
	case "notifications/initialized":
		m.ready = true
		for i := range m.servers {
			m.begins(i, v)
		}
		for i := range m.servers {
			m.follow(i, v)
		}
		m.catchUp(v, now)
		m.tell(v)
	case "notifications/roots/list_changed":
		m.toAll(msg.Raw(), v)
	case "notifications/cancelled":
		q := m.open[idKey(msg.Find(msg.Params, "requestId").In(msg.Bytes))]
		if q == nil || q.method == initialize {
			m.drop(msg, "it cancels a request that is not open", v, now)
			return
		}
		m.cancel(q, msg, v)
	case "notifications/progress":
		at := msg.Find(msg.Params, "progressToken")
		a := m.marks[string(at.In(msg.Bytes))]
		if a == nil {
			m.drop(msg, "its progress token belongs to no open request", v, now)
			return
		}
		m.send(a.server, exchange(msg, change{at, a.token}), v)
	default:
		m.drop(msg, "the notification is none that several servers behind one connection can take", v, now)
	}
}

// cancel ends a request that its client waits for no longer.
func (m *Mux) cancel(q *request, msg *jsonrpc.Message, v *Verdict) {
	m.finish(q)
	if q.batch != nil {
		m.missing(q.batch, v)
	}
	switch {
	case q.wants != nil:
		m.unlisten(q, v)
	case q.round != nil: // the server has answered; the client is being asked
		m.endRound(q, v)
	case q.pause != nil:
		m.endPause(q.pause, v)
	case m.unstream(q, v):
	case q.server >= 0:
		m.send(q.server, msg.Raw(), v)
	default:
		for g := range m.gathers {
			g.asked = slices.DeleteFunc(g.asked, func(w *request) bool { return w == q }) // what comes still counts
		}
		m.waiting = slices.DeleteFunc(m.waiting, func(w *request) bool { return w == q })
	}
}

// toAll sends a notification to the servers with a handshake.
func (m *Mux) toAll(frame []byte, v *Verdict) {
	for i, s := range m.servers {
		if s.in && !s.modern && s.lost == "" {
			m.send(i, frame, v)
		}
	}
}
