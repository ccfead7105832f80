// Package mux joins the sessions of several servers to one connection of a
// client. It stands on the client's side of them: what a runtime.Session judges
// is what its server gets or sends, and the mux only changes ids, names and
// lists between the sessions and the client, at the places of the values.
//
// It is pure: frames and times come in, frames and records go out. It speaks
// the protocol versions with a handshake, 2024-11-05 to 2025-11-25.
package mux

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// Options are what a Mux joins.
type Options struct {
	// Servers are the names of the servers, as the client's configuration has
	// them, in its order.
	Servers []string
	// Version is Sallyport's own, for serverInfo.
	Version string
	// Record is what records of the mux have in common: session, mode, who.
	Record audit.Record
	// Patience bounds how long a server may hold up a greeting or a list:
	// 10 seconds.
	Patience time.Duration
	// Withheld is asked whenever all tools are listed and returns, by server,
	// the names that are not offered. It may be nil.
	Withheld func() []map[string]bool
	// LeftOut is told of a server that is not part of the connection, and why.
	// It may be nil.
	LeftOut func(server int, reason string)
}

// Frame goes to the session of one server.
type Frame struct {
	Server int
	Bytes  []byte
}

// Verdict is what becomes of one frame. Frames have no line ending and are good
// until the frame that they are made of changes.
type Verdict struct {
	ToClient [][]byte
	ToServer []Frame
	Records  []audit.Record
}

func (v *Verdict) reset() {
	v.ToClient, v.ToServer, v.Records = v.ToClient[:0], v.ToServer[:0], v.Records[:0]
}

// Mux is one connection of a client with several servers. Its methods may be
// called at the same time.
type Mux struct {
	Options

	mu      sync.Mutex
	servers []*server
	client  *jsonrpc.Scanner
	back    *jsonrpc.Scanner

	open   map[string]*request // of the client, by the key of its id
	tokens map[string]*request // by progress token
	own    map[string]*part    // requests of the mux, by the key of their id
	asked  map[string]*ask     // of servers, by the key of the id that the client has
	marks  map[string]*ask     // by the progress token that the client has
	count  int

	asking   bool // the greeting is under way
	greeted  bool // the client has its answer
	left     bool // the client has gone
	ready    bool // the client has said notifications/initialized
	protocol string

	gathers map[*gathering]bool
	tables  map[string]*table
	waiting []*request
	linked  map[string]map[int]bool // servers whose results have handed out a URI
	tasks   map[string]map[int]bool // servers that have begun a task of this id
	given   map[string]map[int]bool // servers for which the client has begun one
	forms   map[string]map[int]bool // servers that have sent the user to a page, by elicitationId
}

// server is what is known of one.
type server struct {
	name, slug   string
	in           bool // has answered the greeting
	lost         string
	version      string
	capabilities []byte
	instructions string
	offers       map[string][]item // by kind, as last listed
}

// request is one of the client's without an answer.
type request struct {
	id     []byte
	method string
	server int // -1: several
	token  string
	batch  *batch
	frame  []byte // of one that waits for a list
	needs  []string
}

// batch is several requests of which the answers belong together.
type batch struct {
	left    int
	answers [][]byte
}

// ask is a request of a server to the client.
type ask struct {
	server int
	id     []byte // as the server has it
	shown  []byte // as the client has it
	token  []byte // as the server has it
	mark   []byte // as the client has it
}

const (
	prefix      = "sallyport-mux-"
	batching    = "2025-03-26"
	stateless   = "2026-07-28"
	maxOpen     = 1000
	maxWaiting  = 100
	maxRemember = 10_000
)

// New joins servers.
func New(o Options) *Mux {
	if o.Patience <= 0 {
		o.Patience = 10 * time.Second
	}
	m := &Mux{
		Options: o,
		client:  jsonrpc.NewScanner(jsonrpc.Options{}),
		back:    jsonrpc.NewScanner(jsonrpc.Options{LoneSurrogates: true}),
		open:    map[string]*request{}, tokens: map[string]*request{}, own: map[string]*part{},
		asked: map[string]*ask{}, marks: map[string]*ask{},
		gathers: map[*gathering]bool{}, tables: map[string]*table{},
		linked: map[string]map[int]bool{}, tasks: map[string]map[int]bool{}, given: map[string]map[int]bool{}, forms: map[string]map[int]bool{},
	}
	for i, s := range Slugs(o.Servers) {
		m.servers = append(m.servers, &server{name: o.Servers[i], slug: s, offers: map[string][]item{}})
	}
	for _, kind := range kinds {
		m.tables[kind] = &table{}
	}
	return m
}

// FromClient decides where a frame of the client goes.
func (m *Mux) FromClient(frame []byte, v *Verdict, now time.Time) {
	v.reset()
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := bytes.TrimLeft(frame, " \t"); m.protocol == batching && len(t) > 0 && t[0] == '[' {
		m.clientBatch(frame, v, now)
		return
	}
	var msg jsonrpc.Message
	if err := m.client.Scan(frame, &msg); err != nil {
		m.unreadable(frame, err, v, now)
		return
	}
	m.fromClient(&msg, nil, v, now)
}

func (m *Mux) clientBatch(frame []byte, v *Verdict, now time.Time) {
	all, err := m.client.ScanBatch(frame, nil)
	if err != nil {
		m.unreadable(frame, err, v, now)
		return
	}
	b := &batch{}
	for i := range all {
		if all[i].Kind == jsonrpc.Request {
			b.left++
		}
	}
	for i := range all {
		m.fromClient(&all[i], b, v, now)
	}
}

// Unframed answers a line of the client that is no frame.
func (m *Mux) Unframed(err error, v *Verdict, now time.Time) {
	v.reset()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unreadable(nil, err, v, now)
}

func (m *Mux) unreadable(frame []byte, err error, v *Verdict, now time.Time) {
	id, kind := jsonrpc.Salvage(frame)
	r := m.record("", "", id, now)
	r.Rule, r.Bytes, r.Reason = runtime.RuleMessage, int64(len(frame)), "the frame is no message that can be forwarded"
	code := jsonrpc.CodeInvalidRequest
	if bad, ok := err.(*jsonrpc.Error); ok {
		code, r.Reason = bad.Code, fmt.Sprintf("%s, at byte %d", bad.Reason.Explain(), bad.Offset)
	}
	if kind == jsonrpc.Response {
		r.Decision = audit.Drop
	} else {
		v.ToClient = append(v.ToClient, jsonrpc.AppendError(nil, id, code, "Sallyport: the message was not forwarded: "+r.Reason+" ["+runtime.RuleMessage+"]", nil))
	}
	v.Records = append(v.Records, r)
}

func (m *Mux) record(method, name string, id []byte, now time.Time) audit.Record {
	r := m.Record
	r.Time, r.Direction, r.Protocol, r.Method, r.Name, r.RequestID = now, audit.ClientToServer, m.protocol, method, name, bytes.Clone(id)
	r.Decision, r.Enforced = audit.Deny, true
	return r
}

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
	q := &request{id: bytes.Clone(msg.ID.In(msg.Bytes)), method: msg.Method, server: -1, batch: b}
	switch {
	case m.open[k] != nil || strings.HasPrefix(k, `"`+prefix):
		m.refuse(q, &runtime.Refusal{Rule: runtime.RuleSequence, Reason: "its id belongs to a request that is still open", Next: "use an id once"}, v, now)
		return
	case len(m.open) >= maxOpen:
		m.refuse(q, &runtime.Refusal{Rule: runtime.RuleSequence, Reason: fmt.Sprintf("more than %d requests are open", maxOpen), Next: "wait for answers"}, v, now)
		return
	}
	if version := msg.Text(msg.ProtocolVersion, nil); version != nil || msg.Method == "server/discover" {
		m.stateless(q, string(version), v, now)
		return
	}
	if raw := msg.Find(msg.Meta, "progressToken").In(msg.Bytes); raw != nil {
		if q.token = string(raw); m.tokens[q.token] != nil {
			m.refuse(q, &runtime.Refusal{Rule: runtime.RuleSequence, Reason: "its progress token belongs to a request that is still open", Next: "use a token once"}, v, now)
			return
		}
	}
	switch msg.Method {
	case "ping":
		m.reply(q, jsonrpc.AppendResult(nil, q.id, []byte("{}")), v)
		return
	case "initialize":
		if m.asking || m.greeted {
			m.refuse(q, &runtime.Refusal{Rule: runtime.RuleSequence, Reason: "the session is initialized already", Next: "begin a new session"}, v, now)
			return
		}
		m.begin(k, q)
		m.greet(q, msg, v, now)
		return
	}
	if !m.greeted {
		m.refuse(q, &runtime.Refusal{Rule: runtime.RuleSequence, Reason: "it comes before the handshake", Next: "send initialize first"}, v, now)
		return
	}
	if kind := kindOf(msg.Method); kind != "" {
		m.begin(k, q)
		m.list(q, kind, msg, v, now)
		return
	}
	switch msg.Method {
	case "logging/setLevel":
		m.begin(k, q)
		m.setLevel(q, msg, v, now)
	case "tools/call", "prompts/get", "completion/complete", "resources/read", "resources/subscribe", "resources/unsubscribe",
		"tasks/get", "tasks/result", "tasks/cancel":
		m.begin(k, q)
		m.route(q, msg, false, v, now)
	default:
		no := &runtime.Refusal{Rule: runtime.RuleMethod, Reason: "the method is none that several servers behind one connection can answer"}
		r := m.record(q.method, "", q.id, now)
		r.Rule, r.Reason = no.Rule, no.Reason
		v.Records = append(v.Records, r)
		m.reply(q, jsonrpc.AppendError(nil, q.id, jsonrpc.CodeMethodNotFound, "Sallyport: "+no.Reason+" ["+no.Rule+"]", nil), v)
	}
}

// stateless tells a client of 2026-07-28 that this connection has a handshake:
// the code is the one with which it falls back to initialize.
func (m *Mux) stateless(q *request, version string, v *Verdict, now time.Time) {
	reason := "several servers behind one connection speak the protocol versions with a handshake, up to 2025-11-25"
	r := m.record(q.method, "", q.id, now)
	r.Rule, r.Reason = runtime.RuleDowngrade, reason
	v.Records = append(v.Records, r)
	m.reply(q, jsonrpc.AppendError(nil, q.id, jsonrpc.CodeMethodNotFound, "Sallyport: "+reason+": send initialize ["+r.Rule+"]", nil), v)
}

func (m *Mux) begin(k string, q *request) {
	m.open[k] = q
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
	r := m.record(q.method, "", q.id, now)
	r.Rule, r.Reason = no.Rule, no.Reason
	v.Records = append(v.Records, r)
	m.reply(q, no.Answer(q.id, "the request was not forwarded"), v)
}

func (m *Mux) send(server int, frame []byte, v *Verdict) {
	v.ToServer = append(v.ToServer, Frame{server, frame})
}

func (m *Mux) clientNotification(msg *jsonrpc.Message, v *Verdict, now time.Time) {
	switch msg.Method {
	case "notifications/initialized":
		m.ready = true
		m.toAll(msg.Raw(), v)
	case "notifications/roots/list_changed":
		m.toAll(msg.Raw(), v)
	case "notifications/cancelled":
		q := m.open[idKey(msg.Find(msg.Params, "requestId").In(msg.Bytes))]
		if q == nil || q.method == "initialize" {
			m.drop(msg, "it cancels a request that is not open", v, now)
			return
		}
		m.finish(q)
		if q.batch != nil {
			m.missing(q.batch, v)
		}
		if q.server >= 0 {
			m.send(q.server, msg.Raw(), v)
			return
		}
		for g := range m.gathers {
			g.asked = slices.DeleteFunc(g.asked, func(w *request) bool { return w == q }) // what comes still counts
		}
		m.waiting = slices.DeleteFunc(m.waiting, func(w *request) bool { return w == q })
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

// toAll sends a notification to the servers that are part of the connection.
func (m *Mux) toAll(frame []byte, v *Verdict) {
	for i, s := range m.servers {
		if s.in && s.lost == "" {
			m.send(i, frame, v)
		}
	}
}

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
	switch msg.Kind {
	case jsonrpc.Response:
		k := key(msg)
		if p := m.own[k]; p != nil {
			if p.server == i {
				m.gathered(k, p, msg, v, now)
			}
			return
		}
		if q := m.open[k]; q != nil && q.server == i {
			m.remember(i, msg)
			m.reply(q, msg.Raw(), v)
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
	case "notifications/tools/list_changed":
		m.tables["tool"].forget()
	case "notifications/prompts/list_changed":
		m.tables["prompt"].forget()
	case "notifications/resources/list_changed":
		m.tables["resource"].forget()
		m.tables["template"].forget()
	case "notifications/resources/updated":
		uri := string(msg.Text(msg.Find(msg.Params, "uri"), nil))
		if of := m.owners(uri); len(of) > 0 && !of[i] {
			return // it is another server's to say
		}
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
	m.gone(server, v)
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
		if had && kind != "template" {
			m.changed(kind, v)
		}
	}
}

// changed tells the client that a list is another one.
func (m *Mux) changed(kind string, v *Verdict) {
	m.tables[kind].forget()
	if m.greeted && !m.left {
		v.ToClient = append(v.ToClient, []byte(`{"jsonrpc":"2.0","method":"notifications/`+kind+`s/list_changed"}`))
	}
}

func (m *Mux) lostOf(s *server) *runtime.Refusal {
	return &runtime.Refusal{Rule: runtime.RuleLost, Reason: fmt.Sprintf("the server %s has ended", s.slug), Next: "look into its log and start the connection again"}
}

// Due is when something has been waited for long enough; zero: nothing is.
func (m *Mux) Due() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	var due time.Time
	for g := range m.gathers {
		if !g.done && (due.IsZero() || g.due.Before(due)) {
			due = g.due
		}
	}
	return due
}

// Expire goes on without the servers that have held something up too long.
func (m *Mux) Expire(v *Verdict, now time.Time) {
	v.reset()
	m.mu.Lock()
	defer m.mu.Unlock()
	for g := range m.gathers {
		if !g.done && !now.Before(g.due) {
			m.complete(g, v, now)
		}
	}
}

// sorted are the open requests in an order that does not depend on chance.
func (m *Mux) sorted() []*request {
	var out []*request
	for _, q := range m.open {
		out = append(out, q)
	}
	sortRequests(out)
	return out
}

// ownID is an id or a token of the mux's own.
func (m *Mux) ownID() []byte {
	m.count++
	return strconv.AppendQuote(nil, prefix+strconv.Itoa(m.count))
}

func key(msg *jsonrpc.Message) string { return string(msg.AppendIDKey(nil)) }

// idKey is the form in which a raw id is compared.
func idKey(id []byte) string {
	return string((&jsonrpc.Message{Bytes: id, ID: jsonrpc.Range{Start: 0, End: len(id)}}).AppendIDKey(nil))
}

// Greeting reports whether initialize is being answered: what the client sends
// now is to wait.
func (m *Mux) Greeting() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asking
}

// Busy reports whether something waits that needs further requests to servers.
func (m *Mux) Busy() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.gathers) > 0 || len(m.waiting) > 0
}

// Leave notes that the client has closed its side: it needs no more news, only
// the answers that it waits for.
func (m *Mux) Leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left = true
}
