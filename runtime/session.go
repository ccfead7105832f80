package runtime

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

// Session is one connection of a client with one server. FromClient and
// FromServer may be called at the same time, each by one goroutine.
type Session struct {
	ID     string
	server *audit.Server
	who    *audit.Who

	mu     sync.Mutex
	guard  *Guard
	client side
	back   side // what comes from the server

	protocol string // "" before the handshake
	modern   bool   // 2026-07-28 and later: no handshake, everything in _meta
	greeted  bool   // initialize was sent
	offers   offers // of the client, by its last word
	clientAs string // the name that the client gives itself
	day      int64  // since 1970, in UTC
	today    string // the same as a date

	open     map[string]*request // of the client and our own, without an answer, by the key of their id
	late     map[string]*request // cancelled: the server's answer may be on its way
	asked    map[string]string   // of the server: method by the key of its id
	tokens   map[string]bool     // progress tokens of open requests
	linked   map[string]bool     // URIs that results have handed out
	sent     []string            // the last words to the server that may be parts of a credential
	lists    map[string]*listing // by kind
	withheld Withheld            // what other servers make dangerous
	calls    []held
	made     map[int]calls // by limit: see limited
	due      atomic.Int64  // when the first call has taken too long, in Unix nanoseconds; 0: none can
	own      int
	prefix   string
	meta     []byte // what every request needs in _meta (2026-07-28), as the client last said it

	instructions *string // as the server gave them; nil before the handshake
	silent       bool    // they were not passed on
	info         json.RawMessage
	declared     json.RawMessage // its capabilities
	capable      map[string]bool // those of its first greeting, where no manifest pins them
	incapable    map[string]bool // those that were taken out of its greeting
	stopped      *Refusal
	decided      [4]decided      // of late
	decisions    int             // that were kept
	answering    *request        // what the server's message at hand answers
	noted        []audit.Finding // of the message at hand: what was found and does not hold it back
}

// side is what one direction needs to read frames.
type side struct {
	scanner  *jsonrpc.Scanner
	message  jsonrpc.Message
	messages []jsonrpc.Message
	buf      []byte
}

// request is one without an answer yet.
type request struct {
	method string
	action policy.Action
	name   string
	id     []byte // raw
	token  string
	cursor bool // of a list: not its first page
	own    bool
	held   bool // the server has not got it: it waits for a list
	since  time.Time
	offers offers // what the client offers to do for it
	wants  wants  // of subscriptions/listen

	// What the decision on a tool, a prompt or a resource brought with it.
	limits  registry.Limits
	redact  []string
	counted bool      // under limits
	until   time.Time // when it has taken too long; zero: never
}

// offers are the client's capabilities by name.
type offers map[string]bool

// held is a call that waits for a verified list.
type held struct {
	frame []byte
	key   string
}

// maxLinked bounds the URIs that are remembered.
const maxLinked = 10_000

// NewSession begins a session. Its identity is what records say of it.
func NewSession(g *Guard, server audit.Server, who audit.Who) *Session {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	s := &Session{
		ID: hex.EncodeToString(id[:]), server: &server, who: &who, guard: g,
		open: map[string]*request{}, late: map[string]*request{}, asked: map[string]string{}, tokens: map[string]bool{},
		linked: map[string]bool{}, lists: map[string]*listing{}, made: map[int]calls{},
	}
	s.prefix = "sallyport-" + s.ID + "-"
	s.client.scanner = jsonrpc.NewScanner(jsonrpc.Options{})
	s.back.scanner = jsonrpc.NewScanner(jsonrpc.Options{LoneSurrogates: true})
	for _, kind := range kinds {
		s.lists[kind] = newListing(kind)
	}
	return s
}

// Start decides whether the server may be started. With a refusal that is
// enforced the session answers every request with it.
func (s *Session) Start(now time.Time) (audit.Record, *Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, no := s.guard.Connect(now)
	r := s.record(audit.Shim, now)
	r.Decision = audit.Start
	if d.Entry != nil {
		s.server.Entry = d.Entry.ID
	}
	if no == nil {
		r.Rule = d.Rule
		r.Enforced = true
		if s.guard.BreakGlass != "" {
			r.Rule, r.Reason = RuleGlass, "dates count no more: "+analyzers.Untrusted(shorten(s.guard.BreakGlass)).String()
		}
		return r, nil
	}
	r.Decision, r.Rule, r.Reason, r.Findings = audit.Deny, no.Rule, no.Reason, no.Findings
	if r.Enforced = s.enforcing(); r.Enforced {
		s.stopped = no
		return r, no
	}
	return r, nil
}

// Refuse makes the session answer every request with a refusal: the server has
// ended, or was not what was approved and is to be ended.
func (s *Session) Refuse(no *Refusal, v *Verdict, now time.Time) {
	v.reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	if no.Rule != RuleLost {
		r := s.record(audit.Shim, now)
		r.Decision, r.Rule, r.Reason, r.Findings, r.Enforced = audit.Stop, no.Rule, no.Reason, no.Findings, true
		v.Records = append(v.Records, r)
	}
	s.refuseAll(no, v, now)
}

// Renew replaces the guard: the registry, a manifest or the rules have changed.
// What was verified before counts no longer.
func (s *Session) Renew(g *Guard, v *Verdict, now time.Time) {
	v.reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guard, s.decided = g, [4]decided{}
	for _, l := range s.lists {
		l.forget()
	}
	if _, no := g.Connect(now); no != nil && s.stopped == nil {
		s.stop(no, v, now)
	}
}

// End is the last record of a session.
func (s *Session) End(reason string, now time.Time) audit.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.record(audit.Shim, now)
	r.Decision, r.Reason, r.Enforced = audit.End, reason, true
	return r
}

// Stopped is why the server is not used, nil while it is.
func (s *Session) Stopped() *Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// Waiting reports whether calls are held back until a list is verified.
func (s *Session) Waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls) > 0
}

// Seen is what a server has shown in a session, definitions as it wrote them. A
// nil list was not asked for.
type Seen struct {
	Tools, Prompts, Resources, Templates []json.RawMessage
	Instructions                         *string // nil before the handshake
	ServerInfo, Capabilities             json.RawMessage
}

// Seen returns what the server has shown so far: in observe mode a proposal is
// made of it. It is false when that is nothing.
func (s *Session) Seen() (Seen, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := func(kind string) []json.RawMessage {
		l := s.lists[kind]
		if !l.complete {
			return nil
		}
		out := []json.RawMessage{}
		for _, name := range l.order {
			out = append(out, l.seen[name].raw)
		}
		return out
	}
	seen := Seen{Tools: list("tool"), Prompts: list("prompt"), Resources: list("resource"), Templates: list("template"), Instructions: s.instructions, ServerInfo: s.info, Capabilities: s.declared}
	return seen, seen.Instructions != nil || seen.Tools != nil
}

// decide asks the policies about one action of this session.
func (s *Session) decide(action policy.Action, name string, arguments []byte, now time.Time) policy.Decision {
	const day = 24 * 60 * 60
	if n := now.Unix() / day; n != s.day || s.today == "" {
		s.day, s.today = n, now.UTC().Format(time.DateOnly)
	}
	for i := range s.decided {
		if p := &s.decided[i]; p.guard == s.guard && p.action == action && p.name == name && p.client == s.clientAs && p.protocol == s.protocol && p.day == s.day {
			return p.decision
		}
	}
	d, stands := s.guard.decide(policy.Request{Action: action, Name: name, Arguments: arguments, ClientInfo: s.clientAs, Protocol: s.protocol, Today: s.today}, now)
	if stands && len(name) < maxKept {
		s.decided[s.decisions%len(s.decided)] = decided{s.guard, action, name, s.clientAs, s.protocol, s.day, d}
		s.decisions++
	}
	return d
}

// decided is a decision that stands for all arguments, and all that it depends
// on. A session keeps a few: each call asks the same.
type decided struct {
	guard                  *Guard
	action                 policy.Action
	name, client, protocol string
	day                    int64
	decision               policy.Decision
}

// maxKept is how long a name may be that is kept with a decision.
const maxKept = 256

func (s *Session) enforcing() bool { return s.guard.Mode == Enforce }

func (s *Session) record(direction string, now time.Time) audit.Record {
	return audit.Record{
		Time: now, Session: s.ID, Mode: string(s.guard.Mode), Server: s.server, Who: s.who,
		Direction: direction, Protocol: s.protocol,
	}
}

// recordOf is the record of a message.
func (s *Session) recordOf(direction string, m *jsonrpc.Message, method, name string, now time.Time) audit.Record {
	r := s.record(direction, now)
	r.Method, r.Name, r.RequestID, r.Bytes = method, name, m.ID.In(m.Bytes), int64(m.Span.End-m.Span.Start)
	return r
}

// allow records that a message goes on.
func (s *Session) allow(v *Verdict, r audit.Record, rule string) {
	r.Decision, r.Rule, r.Enforced, r.Findings = audit.Allow, rule, true, s.noted
	s.noted = nil
	v.Records = append(v.Records, r)
}

// deny records a denial and reports whether it is enforced.
func (s *Session) deny(v *Verdict, r audit.Record, decision string, no *Refusal) bool {
	r.Decision, r.Rule, r.Reason, r.Findings = decision, no.Rule, no.Reason, no.Findings
	s.noted = nil
	r.Enforced = s.enforcing()
	v.Records = append(v.Records, r)
	return r.Enforced
}

// answer refuses a request about one definition as its kind wants it: what is
// not there with the protocol's code, wrong arguments as an error of the tool,
// which a model may read and put right (2025-11-25, server/tools).
func (s *Session) answer(no *Refusal, q *request) []byte {
	if !no.model {
		return no.answer(q.id, what(q.method, q.name))
	}
	result := jsonrpc.AppendString([]byte(`{"content":[{"type":"text","text":`), no.message(what(q.method, q.name)))
	result = append(result, `}],"isError":true`...)
	if s.protocol == stateless {
		result = append(result, `,"resultType":"complete"`...)
	}
	return jsonrpc.AppendResult(nil, q.id, append(result, '}'))
}

// message is a refusal in a sentence; what is what did not happen.
func (no *Refusal) message(what string) string {
	message := "Sallyport: " + what + ": " + no.Reason + "."
	if no.Next != "" {
		message += " " + strings.ToUpper(no.Next[:1]) + no.Next[1:] + "."
	}
	return message + " [" + no.Rule + "]"
}

// answer is an error response to a request that is not forwarded.
func (no *Refusal) answer(id []byte, what string) []byte {
	data := []byte(`{"rule":`)
	data = jsonrpc.AppendString(data, no.Rule)
	data = jsonrpc.AppendString(append(data, `,"reason":`...), no.Reason)
	data = jsonrpc.AppendString(append(data, `,"next":`...), no.Next)
	data = append(data, `,"findings":[`...)
	for i, f := range no.Findings {
		if i > 0 {
			data = append(data, ',')
		}
		data = jsonrpc.AppendString(append(data, `{"ruleId":`...), f.RuleID)
		data = jsonrpc.AppendString(append(data, `,"severity":`...), f.Severity)
		field := f.Field
		if !plainName.MatchString(field) {
			field = "" // the record has it
		}
		data = jsonrpc.AppendString(append(data, `,"field":`...), field)
		data = append(data, '}')
	}
	code := CodeDenied
	data = append(data, ']')
	if no.uri != "" { // 2026-07-28, server/resources: "Resource Not Found"
		code = jsonrpc.CodeInvalidParams
		data = jsonrpc.AppendString(append(data, `,"uri":`...), no.uri)
	}
	return jsonrpc.AppendError(nil, id, code, no.message(what), append(data, '}'))
}

// stop ends the server: every open request is answered with the reason, and so
// is all that comes later.
func (s *Session) stop(no *Refusal, v *Verdict, now time.Time) {
	if s.deny(v, s.record(audit.Shim, now), audit.Stop, no) {
		s.refuseAll(no, v, now)
		v.Stop = no
	}
}

func (s *Session) refuseAll(no *Refusal, v *Verdict, now time.Time) {
	s.stopped = no
	var left []*request
	for k, q := range s.open {
		if !q.own {
			left = append(left, q)
		}
		delete(s.open, k)
	}
	// The same input gives the same output.
	slices.SortFunc(left, func(a, b *request) int { return slices.Compare(a.id, b.id) })
	for _, q := range left {
		s.withhold(q, no, v, now)
		if q.held { // nothing was recorded of it yet
			v.Records[len(v.Records)-1].Direction = audit.ClientToServer
		}
		v.ToClient = append(v.ToClient, no.answer(q.id, "the server was stopped"))
	}
	s.calls = nil
	clear(s.tokens)
}

// withhold records that a request gets the shim's answer and none of the server.
func (s *Session) withhold(q *request, no *Refusal, v *Verdict, now time.Time) {
	r := s.record(audit.Shim, now)
	r.Method, r.Name, r.RequestID = q.method, q.name, q.id
	r.Decision, r.Rule, r.Reason, r.Findings, r.Enforced = audit.Deny, no.Rule, no.Reason, no.Findings, true
	v.Records = append(v.Records, r)
}

// begin notes a request that goes to the server.
func (s *Session) begin(key string, r *request) {
	s.open[key] = r
	if r.token != "" {
		s.tokens[r.token] = true
	}
}

// finish forgets a request that was answered.
func (s *Session) finish(key string, r *request) {
	delete(s.open, key)
	if r.token != "" {
		delete(s.tokens, r.token)
	}
}

// forgo forgets a request that nobody waits for any more.
func (s *Session) forgo(key string, r *request) {
	s.finish(key, r)
	if len(s.late) >= s.guard.Limits.Open { // servers that obey do not answer
		clear(s.late)
	}
	s.late[key] = r
}

// ownID is an id for a request of the shim's own.
func (s *Session) ownID() []byte {
	s.own++
	return strconv.AppendQuote(nil, s.prefix+strconv.Itoa(s.own))
}

// Unframed records a line that could not be read as a frame.
func (s *Session) Unframed(direction string, err error, v *Verdict, now time.Time) {
	v.reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped != nil {
		return
	}
	s.unreadable(direction, nil, err, v, now)
	var bad *jsonrpc.Error
	if direction != audit.ServerToClient || !errors.As(err, &bad) || bad.Reason != jsonrpc.TooLong {
		return
	}
	// Somebody may wait for what was in it.
	no := &Refusal{Rule: RuleResult, Reason: "the server sent a line that is too long", Next: "ask for less at once"}
	var waiting []*request
	key := ""
	for k, q := range s.open {
		if !s.waits(k) {
			waiting, key = append(waiting, q), k
		}
	}
	switch {
	case len(waiting) == 1 && !waiting[0].own:
		s.finish(key, waiting[0])
		s.withhold(waiting[0], no, v, now)
		v.ToClient = append(v.ToClient, no.answer(waiting[0].id, "the answer was withheld"))
	case len(waiting) > 0:
		// Nobody knows whose answer it was. That breaks the protocol in every
		// mode: one of them would wait for ever.
		r := s.record(audit.Shim, now)
		r.Decision, r.Rule, r.Reason, r.Enforced = audit.Stop, no.Rule, no.Reason, true
		v.Records = append(v.Records, r)
		s.refuseAll(no, v, now)
		v.Stop = no
	}
}
