package runtime

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

// FromClient decides on a frame of the client. The frame must not change while
// the verdict is used.
func (s *Session) FromClient(frame []byte, v *Verdict, now time.Time) {
	v.reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.failed(recover(), audit.ClientToServer, frame, v, now) }()
	if s.protocol == batching && first(frame) == '[' {
		s.clientBatch(frame, v, now)
		return
	}
	m := &s.client.message
	if err := s.client.scanner.Scan(frame, m); err != nil {
		s.unreadable(audit.ClientToServer, frame, err, v, now)
		return
	}
	if s.fromClient(m, v, now) {
		v.ToServer = append(v.ToServer, frame)
	}
}

// first is the first byte of a frame that is no white space.
func first(frame []byte) byte {
	if t := bytes.TrimLeft(frame, " \t"); len(t) > 0 {
		return t[0]
	}
	return 0
}

// clientBatch judges every message of a batch and forwards it as it came, or
// answers every request of it.
func (s *Session) clientBatch(frame []byte, v *Verdict, now time.Time) {
	all, err := s.client.scanner.ScanBatch(frame, s.client.messages[:0])
	s.client.messages = all
	if err != nil {
		s.unreadable(audit.ClientToServer, frame, err, v, now)
		return
	}
	var answers, passed [][]byte
	refused := false
	for i := range all {
		before := len(v.ToClient)
		if s.fromClient(&all[i], v, now) {
			passed = append(passed, all[i].Raw())
		} else if q := s.open[string(all[i].AppendIDKey(nil))]; q == nil || !q.held || all[i].Kind != jsonrpc.Request {
			refused = true
		}
		answers = append(answers, v.ToClient[before:]...)
		v.ToClient = v.ToClient[:before]
	}
	switch {
	case refused:
	case len(passed) == len(all):
		v.ToServer = append(v.ToServer, frame)
		return
	default: // the others of it wait for a list
		v.ToServer = append(v.ToServer, passed...)
		return
	}
	// One message of it is not forwarded, so none is.
	no := &Refusal{Rule: RuleMessage, Reason: "another message of the same batch was refused", Next: "send the messages one by one"}
	for i := range all {
		k := string(all[i].AppendIDKey(nil))
		if r := s.open[k]; r != nil && all[i].Kind == jsonrpc.Request {
			s.finish(k, r)
			s.unhold(k)
			s.withhold(r, no, v, now)
			answers = append(answers, no.answer(r.id, "the batch was not forwarded"))
		}
	}
	if len(answers) > 0 {
		v.ToClient = append(v.ToClient, array(answers))
	}
}

// array joins messages to a batch.
func array(messages [][]byte) []byte {
	return append(append([]byte{'['}, bytes.Join(messages, []byte{','})...), ']')
}

// unreadable refuses a frame that is not one message which every decoder reads
// alike. It is never forwarded, whatever the mode: nobody knows what it says.
func (s *Session) unreadable(direction string, frame []byte, err error, v *Verdict, now time.Time) {
	r := s.record(direction, now)
	r.Bytes, r.Enforced, r.Rule, r.Decision = int64(len(frame)), true, RuleMessage, audit.Drop
	code := jsonrpc.CodeInvalidRequest
	r.Reason = "the frame is no message that can be forwarded"
	var bad *jsonrpc.Error
	if errors.As(err, &bad) {
		code = bad.Code
		r.Reason = fmt.Sprintf("%s, at byte %d", bad.Reason.Explain(), bad.Offset)
	}
	id, kind := jsonrpc.Salvage(frame)
	r.RequestID = id
	no := &Refusal{Rule: RuleMessage, Reason: r.Reason}
	switch {
	case direction == audit.ClientToServer && kind != jsonrpc.Response:
		r.Decision = audit.Deny
		v.ToClient = append(v.ToClient, jsonrpc.AppendError(nil, id, code, "Sallyport: the message was not forwarded: "+r.Reason+" ["+RuleMessage+"]", nil))
	case direction == audit.ServerToClient && kind == jsonrpc.Response:
		// The client waits for it.
		if open, k := s.openWith(id); open != nil {
			s.finish(k, open)
			r.Decision, r.Method, r.Name = audit.Deny, open.method, open.name
			if open.own {
				s.listFailed(open, v, no, now)
			} else {
				v.ToClient = append(v.ToClient, no.answer(open.id, "the server's answer cannot be read"))
			}
		}
	}
	v.Records = append(v.Records, r)
}

// openWith is the open request with a raw id.
func (s *Session) openWith(id []byte) (*request, string) {
	if id == nil {
		return nil, ""
	}
	k := idKey(id)
	return s.open[k], k
}

// idKey is the form in which a raw id is compared.
func idKey(id []byte) string {
	m := jsonrpc.Message{Bytes: id, ID: jsonrpc.Range{Start: 0, End: len(id)}}
	return string(m.AppendIDKey(nil))
}

// fromClient decides on one message and reports whether it goes on as it is.
func (s *Session) fromClient(m *jsonrpc.Message, v *Verdict, now time.Time) bool {
	switch m.Kind {
	case jsonrpc.Request:
		return s.clientRequest(m, v, now)
	case jsonrpc.Notification:
		return s.clientNotification(m, v, now)
	}
	return s.clientResponse(m, v, now)
}

func (s *Session) clientRequest(m *jsonrpc.Message, v *Verdict, now time.Time) bool {
	s.client.buf = m.AppendIDKey(s.client.buf[:0])
	named := s.named(m)
	r := s.recordOf(audit.ClientToServer, m, m.Method, named, now)
	if s.stopped != nil {
		no := &Refusal{Rule: s.stopped.Rule, Reason: s.stopped.Reason, Next: s.stopped.Next, Findings: s.stopped.Findings}
		r.Decision, r.Rule, r.Reason, r.Findings, r.Enforced = audit.Deny, no.Rule, no.Reason, no.Findings, true
		v.Records = append(v.Records, r)
		v.ToClient = append(v.ToClient, no.answer(m.ID.In(m.Bytes), what(m.Method, named)))
		return false
	}
	// What breaks the protocol is refused in every mode: an answer could not
	// be told from another's.
	if _, used := s.open[string(s.client.buf)]; used || strings.HasPrefix(string(s.client.buf), `"`+s.prefix) {
		return s.always(v, r, m, &Refusal{Rule: RuleSequence, Reason: "its id belongs to a request that is still open", Next: "use an id once"})
	}
	if len(s.open) >= s.guard.Limits.Open {
		return s.always(v, r, m, &Refusal{Rule: RuleSequence, Reason: fmt.Sprintf("more than %d requests are open", s.guard.Limits.Open), Next: "wait for answers"})
	}
	q := &request{method: m.Method, name: named, id: bytes.Clone(m.ID.In(m.Bytes)), since: now, offers: s.offers}
	if raw := m.Find(m.Meta, "progressToken").In(m.Bytes); raw != nil {
		q.token = string(raw)
	}
	if string(m.Text(m.ProtocolVersion, nil)) == stateless {
		s.protocol = stateless
		s.introduce(m)
		q.offers = s.offers
	}
	if no := s.mayAsk(m, q, now); no != nil {
		if s.deny(v, r, audit.Deny, no) {
			if no.Rule == RuleMethod {
				v.ToClient = append(v.ToClient, jsonrpc.AppendError(nil, q.id, jsonrpc.CodeMethodNotFound, "Sallyport: "+what(m.Method, named)+": "+no.Reason+" ["+no.Rule+"]", nil))
			} else {
				v.ToClient = append(v.ToClient, no.answer(q.id, what(m.Method, named)))
			}
			return false
		}
		s.begin(string(s.client.buf), q)
		return true
	}
	switch q.action {
	case policy.CallTool, policy.GetPrompt, policy.ReadResource, policy.SubscribeResource:
		return s.use(m, q, string(s.client.buf), r, v, now)
	case policy.ListTools, policy.ListPrompts, policy.ListResources:
		q.cursor = !m.Find(m.Params, "cursor").IsZero()
	}
	s.begin(string(s.client.buf), q)
	s.allow(v, r, "")
	return true
}

// always refuses a request in every mode.
func (s *Session) always(v *Verdict, r audit.Record, m *jsonrpc.Message, no *Refusal) bool {
	r.Decision, r.Rule, r.Reason, r.Enforced = audit.Deny, no.Rule, no.Reason, true
	v.Records = append(v.Records, r)
	v.ToClient = append(v.ToClient, no.answer(m.ID.In(m.Bytes), what(m.Method, r.Name)))
	return false
}

// what names what was asked for.
func what(method, named string) string {
	switch {
	case method == "tools/call":
		return name("tool", named) + " was not called"
	case !plainName.MatchString(method):
		return "the message was not forwarded"
	case named == "":
		return method + " was not forwarded"
	}
	return method + " of " + name("item", named) + " was not forwarded"
}

// named is the tool, prompt or URI that a request is about.
func (s *Session) named(m *jsonrpc.Message) string {
	switch m.Method {
	case "tools/call", "prompts/get":
		return string(m.Text(m.Name, nil))
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		return string(m.Text(m.URI, nil))
	case "completion/complete":
		for _, member := range []string{"name", "uri"} {
			if r := m.Find(m.Params, "ref", member); !r.IsZero() {
				return string(m.Text(r, nil))
			}
		}
	}
	return ""
}

// mayAsk decides on the method and its order; what it is about comes later.
func (s *Session) mayAsk(m *jsonrpc.Message, q *request, now time.Time) *Refusal {
	action, known := policy.ClientAction(m.Method)
	if q.action = action; !known || strings.HasPrefix(m.Method, "notifications/") {
		return &Refusal{Rule: RuleMethod, Reason: "the method is none of MCP's that a client may send"}
	}
	if !m.ProtocolVersion.IsZero() && s.protocol == stateless && removed[m.Method] {
		return &Refusal{Rule: RuleMethod, Reason: "the method is none of " + stateless + "'s"}
	}
	if no := s.unable(m.Method); no != nil {
		return no
	}
	switch m.Method {
	case "initialize":
		switch {
		case s.modern:
			return &Refusal{Rule: RuleDowngrade, Reason: "the server speaks " + stateless + ", which has no handshake", Next: "go on without initialize"}
		case s.greeted:
			return &Refusal{Rule: RuleSequence, Reason: "the session is initialized already", Next: "begin a new session"}
		}
		s.greeted = true
		s.declare(m, m.Find(m.Params, "capabilities"), m.Find(m.Params, "clientInfo"))
	case "ping", "server/discover":
	default:
		// A version that is not ours to know is the server's to refuse, which
		// says in its answer which ones it has.
		if s.protocol == "" && !s.greeted && m.ProtocolVersion.IsZero() {
			return &Refusal{Rule: RuleSequence, Reason: "it comes before the handshake", Next: "send initialize first"}
		}
	}
	if d := s.decide(policy.Connect, "", nil, now); !d.Allowed {
		return refused(d, "the server is not approved")
	}
	if no := s.guard.expired(now); no != nil {
		return no
	}
	if action != policy.Connect && q.name == "" {
		if d := s.decide(action, "", nil, now); !d.Allowed {
			return refused(d, "it is not allowed")
		}
	}
	if m.Method == "completion/complete" {
		if no := cmp.Or(s.beside("prompt", q.name), s.beside("template", q.name)); no != nil {
			return no
		}
	}
	if m.Method == "subscriptions/listen" {
		if no := s.mayListen(m, q, now); no != nil {
			return no
		}
	}
	if q.name != "" && action != policy.CallTool && action != policy.GetPrompt && len(q.name) > 8<<10 {
		return &Refusal{Rule: RuleMessage, Reason: "the name is longer than any"}
	}
	if !s.guard.SecretsAllowed && action != policy.CallTool {
		return s.leaks(m, m.Params, "params")
	}
	return nil
}

// declare notes what a client offers and calls itself.
func (s *Session) declare(m *jsonrpc.Message, capabilities, info jsonrpc.Range) {
	s.offers = offers{}
	for k := range jsonrpc.Members(m.Bytes, capabilities) {
		s.offers[string(m.Text(k, nil))] = true
	}
	if called := m.Find(info, "name"); !called.IsZero() {
		s.clientAs = string(m.Text(called, nil))
	}
}

// introduce notes what every request of a stateless client says anew. Most say
// what the one before said.
func (s *Session) introduce(m *jsonrpc.Message) {
	meta := append(s.client.buf[:0], `{"`+prefixed+`protocolVersion":"`+stateless+`"`...)
	for _, part := range []struct {
		name string
		at   jsonrpc.Range
	}{{"clientInfo", m.ClientInfo}, {"clientCapabilities", m.ClientCapabilities}} {
		if !part.at.IsZero() {
			meta = append(append(append(append(meta, `,"`+prefixed...), part.name...), `":`...), part.at.In(m.Bytes)...)
		}
	}
	meta = append(meta, '}')
	if !bytes.Equal(meta, s.meta) {
		s.meta = append(s.meta[:0], meta...)
		s.declare(m, m.ClientCapabilities, m.ClientInfo)
	}
	s.client.buf = m.AppendIDKey(meta[:0])
}

// prefixed is what the names of MCP in _meta begin with (2026-07-28).
const prefixed = "io.modelcontextprotocol/"

// leaks finds credentials in what goes to the server.
func (s *Session) leaks(m *jsonrpc.Message, at jsonrpc.Range, path string) *Refusal {
	if at.End-at.Start > s.guard.Limits.Arguments {
		return &Refusal{Rule: RuleArguments, Reason: fmt.Sprintf("it holds more than %d bytes", s.guard.Limits.Arguments), Next: "send less at once"}
	}
	if !jsonrpc.HasString(m.Bytes, at, shortestSecret) {
		return nil
	}
	src := &analyzers.Source{Path: path, Bytes: m.Bytes}
	key, before := "", len(s.sent)
	for leaf := range jsonrpc.Texts(src, at) {
		if leaf.Key {
			key = leaf.Text.Raw()
			continue
		}
		raw := leaf.Text.Raw()
		if secret.Fragment(raw) && len(s.sent)-before < maxFragments {
			s.sent = append(s.sent, strings.Clone(raw))
		}
		if len(raw) < shortestSecret {
			continue
		}
		kind := ""
		if found := secret.Find(raw); len(found) > 0 {
			kind = found[0].Kind
		} else if found, ok := secret.Named(key, raw); ok && !secret.Placeholder(raw) {
			kind = found.Kind
		}
		if kind != "" {
			s.sent = s.sent[:before]
			return &Refusal{
				Rule: RuleSecret, Reason: fmt.Sprintf("%s holds a credential (%s)", analyzers.Untrusted(shorten(pointerPath(path, leaf.Pointer))), kind),
				Next: "give the server its credentials in its environment, or allow it with --allow-secrets",
			}
		}
	}
	return s.split(path, before)
}

// split finds a credential that goes to the server in parts, in several values
// or messages: what is new begins at before.
func (s *Session) split(path string, before int) *Refusal {
	if len(s.sent) == before {
		return nil
	}
	if kind, ok := secret.Split(s.sent, before); ok {
		s.sent = s.sent[:before] // it does not go on
		return &Refusal{
			Rule: RuleSecret, Reason: fmt.Sprintf("%s completes a credential (%s) that comes in parts", path, kind),
			Next: "give the server its credentials in its environment, or allow it with --allow-secrets",
		}
	}
	bytes, from := 0, len(s.sent)
	for from > 0 && len(s.sent)-from < maxFragments && bytes+len(s.sent[from-1]) <= maxFragmentBytes {
		from--
		bytes += len(s.sent[from])
	}
	s.sent = append(s.sent[:0], s.sent[from:]...)
	return nil
}

// The window in which the parts of a credential are found.
const (
	maxFragments     = 24
	maxFragmentBytes = 1 << 10
)

// shortestSecret is the length of the shortest credential that is looked for.
const shortestSecret = 8

func (s *Session) clientNotification(m *jsonrpc.Message, v *Verdict, now time.Time) bool {
	r := s.recordOf(audit.ClientToServer, m, m.Method, "", now)
	if s.stopped != nil {
		r.Decision, r.Rule, r.Enforced = audit.Drop, RuleStopped, true
		v.Records = append(v.Records, r)
		return false
	}
	if _, known := policy.ClientAction(m.Method); !known || !strings.HasPrefix(m.Method, "notifications/") {
		return !s.deny(v, r, audit.Drop, &Refusal{Rule: RuleMethod, Reason: "the notification is none of MCP's that a client may send"})
	}
	switch m.Method {
	case "notifications/cancelled":
		open, k := s.openWith(m.Find(m.Params, "requestId").In(m.Bytes))
		if open == nil || open.own {
			return !s.deny(v, r, audit.Drop, &Refusal{Rule: RuleSequence, Reason: "it cancels a request that is not open"})
		}
		// Who cancels waits no longer, and a server that obeys does not answer.
		if s.unhold(k) { // the server has not seen the call
			s.finish(k, open)
			s.allow(v, r, "")
			return false
		}
		s.forgo(k, open)
	}
	s.allow(v, r, "")
	return true
}

// unhold forgets a call that waits, and reports whether there was one.
func (s *Session) unhold(k string) bool {
	for i, h := range s.calls {
		if h.key == k {
			s.calls = append(s.calls[:i], s.calls[i+1:]...)
			return true
		}
	}
	return false
}

func (s *Session) clientResponse(m *jsonrpc.Message, v *Verdict, now time.Time) bool {
	k := string(m.AppendIDKey(nil))
	method, asked := s.asked[k]
	r := s.recordOf(audit.ClientToServer, m, method, "", now)
	if !asked || s.stopped != nil {
		r.Decision, r.Rule, r.Reason, r.Enforced = audit.Drop, RuleSequence, "it answers nothing that the server has asked", true
		v.Records = append(v.Records, r)
		return false
	}
	delete(s.asked, k)
	if !m.Result.IsZero() && !s.guard.SecretsAllowed {
		if no := s.leaks(m, m.Result, "result"); no != nil && s.deny(v, r, audit.Deny, no) {
			// The server waits for an answer.
			v.ToServer = append(v.ToServer, jsonrpc.AppendError(nil, m.ID.In(m.Bytes), CodeDenied, "the answer was withheld", nil))
			return false
		}
	}
	s.allow(v, r, "")
	return true
}
