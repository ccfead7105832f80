package runtime

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

// FromServer decides on a frame of the server. The frame must not change while
// the verdict is used.
func (s *Session) FromServer(frame []byte, v *Verdict, now time.Time) {
	v.reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped != nil {
		return
	}
	s.answering = nil
	defer func() { s.failed(recover(), audit.ServerToClient, frame, v, now) }()
	if s.protocol == batching && first(frame) == '[' {
		s.serverBatch(frame, v, now)
		return
	}
	m := &s.back.message
	if err := s.back.scanner.Scan(frame, m); err != nil {
		s.unreadable(audit.ServerToClient, frame, err, v, now)
		return
	}
	s.fromServer(m, v, now)
}

// serverBatch judges every message of a batch; what is left of it goes on as a
// batch.
func (s *Session) serverBatch(frame []byte, v *Verdict, now time.Time) {
	all, err := s.back.scanner.ScanBatch(frame, s.back.messages[:0])
	s.back.messages = all
	if err != nil {
		s.unreadable(audit.ServerToClient, frame, err, v, now)
		return
	}
	before := len(v.ToClient)
	for i := range all {
		if s.fromServer(&all[i], v, now); v.Stop != nil {
			return
		}
	}
	left := v.ToClient[before:]
	if len(left) == 0 {
		return
	}
	whole := len(left) == len(all)
	for i := range left {
		whole = whole && bytes.Equal(left[i], all[i].Raw())
	}
	joined := frame
	if !whole {
		joined = array(left)
	}
	v.ToClient = append(v.ToClient[:before], joined)
}

// fromServer decides on one message and appends what goes to the client.
func (s *Session) fromServer(m *jsonrpc.Message, v *Verdict, now time.Time) {
	switch m.Kind {
	case jsonrpc.Response:
		s.serverResponse(m, v, now)
	case jsonrpc.Request:
		s.serverRequest(m, v, now)
	case jsonrpc.Notification:
		s.serverNotification(m, v, now)
	}
}

func (s *Session) forward(m *jsonrpc.Message, v *Verdict) { v.ToClient = append(v.ToClient, m.Raw()) }

func (s *Session) serverResponse(m *jsonrpc.Message, v *Verdict, now time.Time) {
	s.back.buf = m.AppendIDKey(s.back.buf[:0])
	q := s.open[string(s.back.buf)]
	if q == nil || s.waits(string(s.back.buf)) {
		r := s.recordOf(audit.ServerToClient, m, "", "", now)
		r.Decision, r.Rule, r.Reason, r.Enforced = audit.Drop, RuleSequence, "it answers nothing that was asked", true
		if q := s.late[string(s.back.buf)]; q != nil { // nothing is wrong with that
			delete(s.late, string(s.back.buf))
			r.Method, r.Name, r.Rule, r.Reason = q.method, q.name, "", "its request was cancelled"
		}
		v.Records = append(v.Records, r)
		return
	}
	s.finish(string(s.back.buf), q)
	s.answering = q
	r := s.recordOf(audit.ServerToClient, m, q.method, q.name, now)

	if m.Error.IsZero() {
		switch {
		case q.method == "initialize", q.method == "server/discover":
			s.greeting(q, m, r, v, now)
			return
		case kindOf(q.method) != "":
			s.list(q, m, r, v, now)
			return
		}
	}
	switch q.method { // it has failed: the client may try with another version, or era
	case "initialize":
		s.greeted = false
	case "server/discover":
		if !s.modern {
			s.protocol = ""
		}
	}
	if q.own {
		s.listFailed(q, v, &Refusal{Rule: RuleListing, Reason: "the server does not list what it offers", Next: "try again, or look into the server's log"}, now)
		return
	}
	at, path, kind := m.Result, "result", documentOf(q.method)
	if !m.Error.IsZero() {
		at, path, kind = m.Error, "error", "error"
	}
	no := s.asksFor(m, at, q.offers)
	if no == nil {
		no = s.judged(kind, q.name, path, m, at)
	}
	if no != nil {
		if s.deny(v, r, audit.Deny, no) {
			v.ToClient = append(v.ToClient, no.answer(q.id, "the answer to "+analyzers.Untrusted(q.method).String()+" was withheld"))
			return
		}
		s.forward(m, v)
		return
	}
	no, edits := s.offersTools(q, m, v, now)
	if no != nil && s.deny(v, r, audit.Deny, no) {
		v.ToClient = append(v.ToClient, no.answer(q.id, "the answer was withheld"))
		return
	}
	s.remember(m)
	if limit := q.limits.ResultBytes; limit > 0 && m.Span.End-m.Span.Start > limit {
		no := &Refusal{Rule: RuleResult, Reason: fmt.Sprintf("the answer has more than the %d bytes that the registry allows", limit), Next: "ask for less"}
		if s.deny(v, r, audit.Deny, no) {
			v.ToClient = append(v.ToClient, no.answer(q.id, "the answer was withheld"))
			return
		}
		s.forward(m, v)
		return
	}
	if len(edits) > 0 {
		var without jsonrpc.Message
		if err := s.back.scanner.Scan(edited(m, edits), &without); err != nil { // as strictly as what came
			no := &Refusal{Rule: RuleMessage, Reason: "what is left of it without the tools that are not allowed is no message", Next: "ask for less"}
			s.always(v, r, m, no)
			return
		}
		m = &without
	}
	s.pass(m, q, q.redact, r, v)
}

// waits reports whether a request has not been sent yet.
func (s *Session) waits(k string) bool {
	for _, h := range s.calls {
		if h.key == k {
			return true
		}
	}
	return false
}

// documentOf is what an answer is to its reader: the Kind of a Document.
func documentOf(method string) string {
	switch method {
	case "prompts/get":
		return "prompt"
	case "resources/read":
		return "resource"
	case "completion/complete":
		return "completion"
	}
	return "result"
}

// judged is the text judge's word on a part of a message.
func (s *Session) judged(kind, called, path string, m *jsonrpc.Message, at jsonrpc.Range) *Refusal {
	clear, parts := s.guard.judge.clear(m, at, s.guard.Limits.Judged)
	if clear && parts < 2 {
		return nil
	}
	texts, all := fields(path, m.Bytes, at, s.guard.Limits.Judged)
	if !all {
		return &Refusal{Rule: RuleResult, Reason: fmt.Sprintf("it holds more than %d bytes of text, which is more than is judged", s.guard.Limits.Judged), Next: "ask for less at once"}
	}
	var found []rules.Finding
	if !clear {
		found = s.guard.judge.texts(kind, called, texts)
	}
	if worst(found) < rules.High {
		if together := s.guard.judge.split(kind, called, texts); together != nil {
			found = together
		}
	}
	if level := worst(found); level < rules.High {
		if level == rules.Medium {
			s.noted = append(s.noted, recorded(found, rules.Medium)...)
		}
		return nil
	}
	f := found[top(found)]
	return &Refusal{Rule: f.Rule.ID, Reason: wrong(f), Next: "read it yourself before a model does; the record has the places", Findings: recorded(found, rules.Low)}
}

// asksFor decides on what the result of a stateless server asks of the client
// (2026-07-28, multi round-trip requests).
func (s *Session) asksFor(m *jsonrpc.Message, at jsonrpc.Range, has offers) *Refusal {
	requests := m.Find(at, "inputRequests")
	for _, ask := range jsonrpc.Members(m.Bytes, requests) {
		method := string(m.Text(m.Find(ask, "method"), nil))
		if no := s.mayAskClient(m, method, m.Find(ask, "params"), has); no != nil {
			return no
		}
	}
	return nil
}

// remember notes the resources that a result hands out.
func (s *Session) remember(m *jsonrpc.Message) {
	if m.Result.IsZero() || !bytes.Contains(m.Result.In(m.Bytes), []byte(`"uri"`)) {
		return
	}
	for _, list := range []string{"content", "contents"} {
		for _, el := range jsonrpc.Elements(m.Bytes, m.Find(m.Result, list)) {
			for _, r := range []jsonrpc.Range{m.Find(el, "uri"), m.Find(el, "resource", "uri")} {
				if uri := m.Text(r, nil); len(uri) > 0 && len(s.linked) < maxLinked {
					s.linked[string(uri)] = true
				}
			}
		}
	}
}

// greeting decides on the answer to initialize or server/discover.
func (s *Session) greeting(q *request, m *jsonrpc.Message, r audit.Record, v *Verdict, now time.Time) {
	if q.method == "initialize" {
		version := string(m.Text(m.Find(m.Result, "protocolVersion"), nil))
		if !spoken(version, s.guard.Limits.MinVersion) || version >= stateless {
			no := &Refusal{Rule: RuleDowngrade, Reason: "the server answers with another " + name("protocol version", version), Next: "see --min-protocol"}
			if s.stop(no, v, now); v.Stop != nil {
				v.ToClient = append(v.ToClient, no.answer(q.id, "the session did not begin"))
				return
			}
		}
		s.protocol = version
	} else {
		s.modern, s.protocol = true, stateless
		offered := false
		for _, el := range jsonrpc.Elements(m.Bytes, m.Find(m.Result, "supportedVersions")) {
			offered = offered || spoken(string(m.Text(el, nil)), s.guard.Limits.MinVersion)
		}
		if !offered {
			no := &Refusal{Rule: RuleDowngrade, Reason: "the server supports no protocol version that is accepted", Next: "see --min-protocol"}
			if s.stop(no, v, now); v.Stop != nil {
				v.ToClient = append(v.ToClient, no.answer(q.id, "the session did not begin"))
				return
			}
		}
	}
	if no := s.introduced(m); no != nil {
		if s.stop(no, v, now); v.Stop != nil {
			v.ToClient = append(v.ToClient, no.answer(q.id, "the session did not begin"))
			return
		}
	}
	more, narrower := s.grown(m, m.Find(m.Result, "capabilities"))
	at := m.Find(m.Result, "instructions")
	said := string(m.Text(at, nil))
	s.instructions, s.info = &said, bytes.Clone(m.Find(m.Result, "serverInfo").In(m.Bytes))
	no := s.instructed(said)
	if no != nil && worstOf(no) >= rules.High && s.guard.pins != nil {
		if s.stop(no, v, now); v.Stop != nil {
			v.ToClient = append(v.ToClient, no.answer(q.id, "the session did not begin"))
			return
		}
	}
	var edits []edit
	if more != nil && s.deny(v, r, audit.Change, more) {
		edits = append(edits, edit{m.Find(m.Result, "capabilities"), narrower})
	}
	if s.silent = no != nil && s.deny(v, r, audit.Change, no); s.silent {
		edits = append(edits, edit{at, []byte(`""`)})
	}
	edits = append(edits, s.caching(m, len(edits) > 0)...)
	if no == nil && more == nil {
		s.allow(v, r, "")
	}
	v.ToClient = append(v.ToClient, edited(m, edits))
}

// introduced judges what a server says of itself besides its instructions: who
// it is, what it can do, and what extensions add.
func (s *Session) introduced(m *jsonrpc.Message) *Refusal {
	for k, at := range jsonrpc.Members(m.Bytes, m.Result) {
		member := string(m.Text(k, nil))
		if member == "instructions" {
			continue
		}
		if no := s.judged("result", "", "result."+member, m, at); no != nil {
			return no
		}
	}
	return nil
}

// worstOf is the severity of the gravest finding of a refusal.
func worstOf(no *Refusal) rules.Severity {
	if len(no.Findings) == 0 {
		return 0
	}
	level, _ := rules.ParseSeverity(no.Findings[0].Severity)
	return level
}

// edit is a value of a message and what takes its place.
type edit struct {
	at   jsonrpc.Range
	with []byte
}

// edited is a message with values exchanged; one that is not there stays away.
func edited(m *jsonrpc.Message, edits []edit) []byte {
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(a.at.Start, b.at.Start) })
	var out []byte
	from := m.Span.Start
	for _, e := range edits {
		if !e.at.IsZero() {
			out = append(append(out, m.Bytes[from:e.at.Start]...), e.with...)
			from = e.at.End
		}
	}
	if out == nil {
		return m.Raw()
	}
	return append(out, m.Bytes[from:m.Span.End]...)
}

// instructed decides on a server's instructions.
func (s *Session) instructed(said string) *Refusal {
	if s.guard.pins != nil {
		if said == s.guard.pins.instructions {
			return nil
		}
		surface := *s.guard.pins.surface
		surface.Instructions = analyzers.Text{Value: analyzers.Untrusted(said)}
		found := about(s.guard.judge.drift(s.server.Name, surface), "instructions", "")
		no := &Refusal{Rule: "changed-text", Reason: "the server's instructions are not what was approved", Next: "if the change is meant, review it and renew the manifest", Findings: recorded(found, rules.Info)}
		if len(found) > 0 {
			no.Rule, no.Reason = found[top(found)].Rule.ID, "the server's instructions: "+wrong(found[top(found)])
		}
		return no
	}
	if said == "" {
		return nil
	}
	found := s.guard.judge.surface(s.server.Name, analyzers.Surface{Instructions: analyzers.Text{Value: analyzers.Untrusted(said)}})
	if worst(found) < rules.High {
		return nil
	}
	f := found[top(found)]
	return &Refusal{Rule: f.Rule.ID, Reason: "the server's instructions: " + wrong(f), Next: "review the server", Findings: recorded(found, rules.Low)}
}

// list decides on a page of a list.
func (s *Session) list(q *request, m *jsonrpc.Message, r audit.Record, v *Verdict, now time.Time) {
	changed := s.listed(q, m, v, now)
	if v.Stop != nil {
		if !q.own {
			v.ToClient = append(v.ToClient, v.Stop.answer(q.id, "the list was withheld"))
		}
		return
	}
	if q.own {
		l := s.lists[kindOf(q.method)]
		next := string(m.Find(m.Result, "nextCursor").In(m.Bytes))
		switch more := next != "" && next != "null"; {
		case !l.complete && more && l.pages > 0:
			s.askList(l, next, v, now)
			return
		case !l.complete && l.again < rounds: // it changed while it was read
			l.again++
			l.asking = false
			s.askList(l, "", v, now)
			return
		}
		l.asking, l.again = false, 0
		s.allow(v, r, "")
		s.release(v, now, nil)
		return
	}
	var edits []edit
	if changed != nil {
		edits = append(edits, *changed)
	}
	edits = append(edits, s.caching(m, changed != nil)...)
	switch {
	case len(edits) == 0:
		s.allow(v, r, "")
		s.forward(m, v)
		return
	case changed != nil:
		r.Reason = "definitions were left out"
	default:
		r.Reason = "it may be kept for a shorter time than the server says"
	}
	r.Decision, r.Enforced = audit.Change, true
	v.Records = append(v.Records, r)
	v.ToClient = append(v.ToClient, edited(m, edits))
}

func (s *Session) serverRequest(m *jsonrpc.Message, v *Verdict, now time.Time) {
	r := s.recordOf(audit.ServerToClient, m, m.Method, "", now)
	k := string(m.AppendIDKey(nil))
	no := s.mayAskClient(m, m.Method, m.Params, s.offers)
	switch _, used := s.asked[k]; {
	case used:
		no = &Refusal{Rule: RuleSequence, Reason: "its id belongs to a request that is still open"}
	case len(s.asked) >= s.guard.Limits.Open:
		no = &Refusal{Rule: RuleSequence, Reason: fmt.Sprintf("more than %d requests are open", s.guard.Limits.Open)}
	case no == nil:
		if action, ok := policy.ServerAction(m.Method); ok {
			if d := s.decide(action, "", nil, now); !d.Allowed {
				no = refused(d, "it is not allowed")
			}
		}
	}
	if no != nil && s.deny(v, r, audit.Deny, no) {
		code := CodeDenied
		if no.Rule == RuleMethod || no.Rule == RuleClient {
			code = jsonrpc.CodeMethodNotFound
		}
		v.ToServer = append(v.ToServer, jsonrpc.AppendError(nil, m.ID.In(m.Bytes), code, "not allowed: "+no.Rule, nil))
		return
	}
	s.asked[k] = m.Method
	if no != nil {
		s.forward(m, v)
		return
	}
	s.pass(m, nil, s.unasked(now), r, v)
}

// mayAskClient decides on what a server asks of the client.
func (s *Session) mayAskClient(m *jsonrpc.Message, method string, params jsonrpc.Range, has offers) *Refusal {
	action, known := policy.ServerAction(method)
	if !known || strings.HasPrefix(method, "notifications/") {
		return &Refusal{Rule: RuleMethod, Reason: "the method is none of MCP's that a server may send"}
	}
	kind := ""
	switch action {
	case policy.Sampling:
		kind = "sampling"
	case policy.Elicitation:
		kind = "elicitation"
		if url := m.Find(params, "url"); !url.IsZero() {
			if u := string(m.Text(url, nil)); !strings.HasPrefix(u, "https://") {
				return &Refusal{Rule: "cleartext-remote", Reason: "it sends the user to an address that is not https"}
			}
		}
	case policy.Roots:
		kind = "roots"
	}
	if kind != "" && !has[kind] {
		return &Refusal{Rule: RuleClient, Reason: "the client has not offered " + kind}
	}
	if kind == "sampling" || kind == "elicitation" {
		return s.judged(kind, "", "params", m, params)
	}
	return nil
}

func (s *Session) serverNotification(m *jsonrpc.Message, v *Verdict, now time.Time) {
	r := s.recordOf(audit.ServerToClient, m, m.Method, "", now)
	no := s.mayTell(m)
	if no != nil && s.deny(v, r, audit.Drop, no) {
		return
	}
	if no != nil {
		s.forward(m, v)
		return
	}
	s.pass(m, nil, s.unasked(now), r, v)
}

// mayTell decides on a notification of the server.
func (s *Session) mayTell(m *jsonrpc.Message) *Refusal {
	if _, known := policy.ServerAction(m.Method); !known || !strings.HasPrefix(m.Method, "notifications/") {
		return &Refusal{Rule: RuleMethod, Reason: "the notification is none of MCP's that a server may send"}
	}
	s.forget(m.Method)
	if no := s.unable(m.Method); no != nil {
		return no
	}
	switch m.Method {
	case "notifications/progress":
		if !s.tokens[string(m.Find(m.Params, "progressToken").In(m.Bytes))] {
			return &Refusal{Rule: RuleSequence, Reason: "its progress token belongs to no open request"}
		}
		return s.judged("progress", "", "params.message", m, m.Find(m.Params, "message"))
	case "notifications/message":
		return s.judged("log", "", "params.data", m, m.Find(m.Params, "data"))
	case "notifications/cancelled":
		k := idKey(m.Find(m.Params, "requestId").In(m.Bytes))
		if q := s.open[k]; q != nil && q.action == policy.Subscribe { // 2026-07-28: so a stream of notifications ends
			s.finish(k, q)
			break
		}
		if _, asked := s.asked[k]; !asked {
			return &Refusal{Rule: RuleSequence, Reason: "it cancels a request that is not open"}
		}
		delete(s.asked, k)
	default:
		if no := s.subscribed(m); no != nil {
			return no
		}
	}
	return s.judged("log", "", "params", m, m.Params)
}
