package mux

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// What a server asks of the client comes as requests of its own until
// 2025-11-25, and in a result that asks for the same request again since
// 2026-07-28 (basic/patterns/mrtr). Where the client is of the other era the one
// becomes the other here.

const (
	inputRequired = "input_required"
	maxRounds     = 10
	maxAsks       = 100 // of one round
	pauseFor      = 10 * time.Minute
)

// roundable reports whether the answer to a request may ask for more.
func roundable(method string) bool {
	return method == "tools/call" || method == "prompts/get" || method == "resources/read"
}

// round is what a server of 2026-07-28 asks a client with a handshake.
type round struct {
	q       *request
	state   []byte // requestState, raw; nil: there is none
	answers []byte // inputResponses, not closed
	left    int
}

// takeRound asks the client what a result asks for.
func (m *Mux) takeRound(q *request, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	r := &round{q: q, state: bytes.Clone(msg.Find(msg.Result, "requestState").In(msg.Bytes)), answers: []byte{'{'}}
	no := &runtime.Refusal{Rule: runtime.RuleSequence, Next: "try again later"}
	var frames [][]byte
	for k, at := range jsonrpc.Members(msg.Bytes, msg.Find(msg.Result, "inputRequests")) {
		method := msg.Text(msg.Find(at, "method"), nil)
		params := msg.Find(at, "params").In(msg.Bytes)
		if params == nil {
			params = []byte("{}")
		}
		a := &ask{server: q.server, shown: m.ownID(), round: r, name: bytes.Clone(k.In(msg.Bytes))}
		m.asked[idKey(a.shown)] = a
		frames = append(frames, requestFrame(a.shown, string(method), params))
		r.left++
	}
	q.round = r
	q.rounds++
	switch {
	case r.left == 0:
		no.Reason = "the server asks for nothing and has no answer"
	case q.rounds > maxRounds:
		no.Reason = fmt.Sprintf("the server has asked more than %d times for something", maxRounds)
	case r.left > maxAsks || len(m.asked) > maxOpen*len(m.servers):
		no.Reason = "the server asks for too much at once"
	default:
		v.ToClient = append(v.ToClient, frames...)
		return
	}
	m.forgetRound(r)
	m.refuse(q, no, v, now)
}

// took takes the client's answer to a part of a round; after the last the
// request is sent again.
func (m *Mux) took(a *ask, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	r := a.round
	if msg.Result.IsZero() {
		m.endRound(r.q, v)
		m.refuse(r.q, &runtime.Refusal{Rule: runtime.RuleSequence, Reason: "the client has answered what the server needs with an error"}, v, now)
		return
	}
	r.answers = member(r.answers, a.name, msg.Result.In(msg.Bytes))
	if r.left--; r.left > 0 {
		return
	}
	more := member([]byte{'{'}, []byte(`"inputResponses"`), append(r.answers, '}'))
	if r.state != nil {
		more = member(more, []byte(`"requestState"`), r.state)
	}
	r.q.round = nil
	end := len(r.q.frame) - 2 // of params, which have _meta: see forward
	frame := append(slices.Clone(r.q.frame[:end]), ',')
	m.send(r.q.server, append(append(frame, more[1:]...), r.q.frame[end:]...), v)
}

// endRound takes back what the client is being asked.
func (m *Mux) endRound(q *request, v *Verdict) {
	for _, shown := range m.forgetRound(q.round) {
		v.ToClient = append(v.ToClient, cancelled(shown))
	}
}

func (m *Mux) forgetRound(r *round) (open [][]byte) {
	for _, a := range m.asked {
		if a.round == r {
			m.answered(a)
			open = append(open, a.shown)
		}
	}
	slices.SortFunc(open, bytes.Compare)
	r.q.round = nil
	return open
}

// pause is a request of a client of 2026-07-28 of which the server, with a
// handshake, waits for an answer of the client: the client has got a result that
// asks for it, and comes back with another request.
type pause struct {
	server  int
	number  int    // of the client's request
	sent    []byte // the id that the server has
	method  string
	named   string
	state   string
	asks    []*ask // in the client's hands
	next    []*ask // that came since
	waiting *request
	answer  []byte // the server's, that came before the client
	due     time.Time
}

// askInResult asks the client what a server asks, in the result of a request.
func (m *Mux) askInResult(i int, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	id := bytes.Clone(msg.ID.In(msg.Bytes))
	switch msg.Method {
	case "ping":
		m.send(i, jsonrpc.AppendResult(nil, id, []byte("{}")), v)
		return
	case "sampling/createMessage", "elicitation/create", "roots/list":
	default:
		m.send(i, jsonrpc.AppendError(nil, id, jsonrpc.CodeMethodNotFound, "the client's version has no such method", nil), v)
		return
	}
	p, q := m.pausable(i)
	switch {
	case p == nil && q == nil:
		m.foreign(msg, "a client of "+stateless+" is asked only while it waits for an answer", v, now)
	case len(m.late) >= maxWaiting, p != nil && len(p.asks)+len(p.next) >= maxAsks:
		m.foreign(msg, "too much is asked at once", v, now)
	default:
		if p == nil {
			p = &pause{server: i, number: q.number, sent: q.id, method: q.method, named: q.named, waiting: q}
			m.late[idKey(q.id)] = p
		}
		what := member([]byte{'{'}, []byte(`"method"`), jsonrpc.AppendString(nil, msg.Method))
		if params := msg.Params.In(msg.Bytes); params != nil {
			what = member(what, []byte(`"params"`), params)
		}
		p.next = append(p.next, &ask{server: i, id: id, name: m.ownID(), what: append(what, '}')})
		if p.waiting != nil {
			m.handOut(p, p.waiting, v, now)
		}
		return
	}
	m.send(i, jsonrpc.AppendError(nil, id, runtime.CodeDenied, "not allowed: "+runtime.RuleSequence, nil), v)
}

// pausable is what a server may mean with what it asks, for it does not say: the
// oldest of the client's requests that it has, paused or not.
func (m *Mux) pausable(i int) (p *pause, q *request) {
	for _, o := range m.open {
		if o.server == i && o.pause == nil && roundable(o.method) && (q == nil || o.number < q.number) {
			q = o
		}
	}
	for _, o := range m.late {
		if o.server == i && o.answer == nil && (p == nil || o.number < p.number) {
			p = o
		}
	}
	if p != nil && q != nil && q.number < p.number {
		p = nil
	}
	return p, q
}

// handOut answers the client's request with what the server asks.
func (m *Mux) handOut(p *pause, q *request, v *Verdict, now time.Time) {
	p.state = string(m.ownID())
	m.paused[p.state] = p
	p.asks, p.next, p.waiting, p.due = p.next, nil, nil, now.Add(pauseFor)
	result := []byte(`{"resultType":"` + inputRequired + `","inputRequests":{`)
	for _, a := range p.asks {
		result = member(result, a.name, a.what)
	}
	result = append(append(append(result, `},"requestState":`...), p.state...), '}')
	m.reply(q, jsonrpc.AppendResult(nil, q.id, result), v)
}

// pauseOf is what a request goes on with.
func (m *Mux) pauseOf(q *request, msg *jsonrpc.Message) (*pause, *runtime.Refusal) {
	state := msg.Find(msg.Params, "requestState").In(msg.Bytes)
	if state == nil || m.servers[q.server].modern {
		return nil, nil
	}
	p := m.paused[string(state)]
	if p == nil || p.server != q.server || p.method != q.method || p.named != q.named {
		return nil, &runtime.Refusal{Rule: runtime.RuleSequence, Reason: "its requestState is none that this request goes on with", Next: "send it without"}
	}
	return p, nil
}

// resume gives the server what the client has answered.
func (m *Mux) resume(q *request, p *pause, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	delete(m.paused, p.state)
	q.pause, p.waiting = p, q
	answers := msg.Find(msg.Params, "inputResponses")
	for _, a := range p.asks {
		name := string((&jsonrpc.Message{Bytes: a.name}).Text(jsonrpc.Range{End: len(a.name)}, nil))
		if at := msg.Find(answers, name); !at.IsZero() {
			m.send(p.server, jsonrpc.AppendResult(nil, a.id, bytes.Clone(at.In(msg.Bytes))), v)
		} else {
			m.send(p.server, jsonrpc.AppendError(nil, a.id, jsonrpc.CodeInvalidRequest, "the client has not answered", nil), v)
		}
	}
	p.asks = nil
	switch {
	case p.answer != nil:
		m.settle(p, v)
	case len(p.next) > 0:
		m.handOut(p, q, v, now)
	}
}

// pausedAnswer is the server's answer to a request that was paused.
func (m *Mux) pausedAnswer(p *pause, msg *jsonrpc.Message, v *Verdict) {
	p.answer = bytes.Clone(msg.Raw())
	if p.waiting != nil {
		m.settle(p, v)
	}
}

// settle gives the client the answer that the server had.
func (m *Mux) settle(p *pause, v *Verdict) {
	delete(m.late, idKey(p.sent))
	var msg jsonrpc.Message
	if m.back.Scan(p.answer, &msg) == nil { // it was scanned before
		m.reply(p.waiting, modernised(&msg, p.method, p.waiting.id), v)
	}
}

// endPause takes a request back from its server.
func (m *Mux) endPause(p *pause, v *Verdict) {
	delete(m.late, idKey(p.sent))
	delete(m.paused, p.state)
	for _, a := range append(p.asks, p.next...) {
		m.send(p.server, jsonrpc.AppendError(nil, a.id, jsonrpc.CodeInvalidRequest, "the client has not answered", nil), v)
	}
	if p.answer == nil {
		m.send(p.server, cancelled(p.sent), v)
	}
}

// expirePauses ends those that no client comes back for.
func (m *Mux) expirePauses(v *Verdict, now time.Time) {
	for _, p := range m.late {
		if p.waiting == nil && !now.Before(p.due) {
			m.endPause(p, v)
		}
	}
}
