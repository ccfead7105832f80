// Package mux joins the sessions of several servers to one connection of a
// client. It stands on the client's side of them: what a runtime.Session judges
// is what its server gets or sends, and the mux only changes ids, names and
// lists between the sessions and the client, at the places of the values.
//
// It is pure: frames and times come in, frames and records go out.
//
// A client speaks one of two eras: the versions with a handshake, 2024-11-05 to
// 2025-11-25, or 2026-07-28, which has none. A server is asked in the client's
// era first and in the other one if it does not know that; where the two differ
// the mux stands between them (era.go, rounds.go, listen.go).
package mux

import (
	"bytes"
	"fmt"
	"strconv"
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
	// Withheld is asked before the client is greeted (complete is Greeted) and
	// whenever all definitions of a kind are listed (complete is "tool",
	// "prompt", "resource" or "template"). It returns what is not offered, by
	// server, kind and name; runtime.Instructions and runtime.Everything have
	// the name "". It may be nil.
	Withheld func(complete string) []map[string]map[string]bool
	// LeftOut is told of a server that is not part of the connection, and why.
	// It may be nil.
	LeftOut func(server int, reason string)
	// Absent are servers of the configuration that could not even be prepared.
	Absent []Absent
	// Refused is why a server's session refuses everything, nil if it does not.
	// It may be nil itself.
	Refused func(server int) *runtime.Refusal
}

// Absent is a server that is not there, and why.
type Absent struct{ Name, Reason string }

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

	open    map[string]*request // of the client, by the key of its id
	tokens  map[string]*request // by progress token
	own     map[string]*part    // requests of the mux, by the key of their id
	asked   map[string]*ask     // of servers, by the key of the id that the client has
	marks   map[string]*ask     // by the progress token that the client has
	streams map[string]*stream  // subscriptions/listen of the mux, by the key of their id
	paused  map[string]*pause   // by requestState
	late    map[string]*pause   // by the key of the id that the server has
	count   int                 // ids of the mux's own
	number  int                 // requests of the client

	asking   bool // the greeting is under way
	greeted  bool // the client has its answer
	left     bool // the client has gone
	ready    bool // servers may be told of it
	modern   bool // the client speaks 2026-07-28
	used     bool // the client has asked for more than who the servers are
	said     said
	warnings []string // that the client has not got yet
	hello    []byte   // params of initialize
	protocol string

	gathers  map[*gathering]bool
	tables   map[string]*table
	withheld []map[string]map[string]bool // by server, kind and name
	waiting  []*request
	meeting  *gathering              // the greeting, while tools are listed before the client has its answer
	earlier  []Frame                 // of servers, before the client has said that they may begin
	linked   map[string]map[int]bool // servers whose results have handed out a URI
	tasks    map[string]map[int]bool // servers that have begun a task of this id
	given    map[string]map[int]bool // servers for which the client has begun one
	forms    map[string]map[int]bool // servers that have sent the user to a page, by elicitationId
}

// server is what is known of one.
type server struct {
	name, slug   string
	in           bool // has answered the greeting
	modern       bool // it speaks 2026-07-28
	followed     bool // it tells of its lists
	ready        bool // it was told that it may begin
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
	number int // of those so far
	token  string
	batch  *batch
	frame  []byte   // as it came, of one that waits; as the server got it, of one that may be asked again
	needs  []string // what it waits for

	named  string // what is asked for, as the client calls it
	rounds int    // that it has taken: see round
	round  *round
	pause  *pause // which it goes on with
	wants  *wants // of subscriptions/listen
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

	round *round // of which it is a part, of a server of 2026-07-28
	name  []byte // there: a JSON string
	what  []byte // for a client of 2026-07-28: method and params, as an object
}

const (
	prefix      = "sallyport-mux-"
	batching    = "2025-03-26"
	newest      = "2025-11-25" // with a handshake
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
		asked: map[string]*ask{}, marks: map[string]*ask{}, streams: map[string]*stream{}, paused: map[string]*pause{}, late: map[string]*pause{},
		gathers: map[*gathering]bool{}, tables: map[string]*table{},
		linked: map[string]map[int]bool{}, tasks: map[string]map[int]bool{}, given: map[string]map[int]bool{}, forms: map[string]map[int]bool{},
	}
	for i, s := range Slugs(o.Servers) {
		m.servers = append(m.servers, &server{name: o.Servers[i], slug: s, offers: map[string][]item{}})
	}
	for _, kind := range kinds {
		m.tables[kind] = &table{}
	}
	for _, a := range o.Absent {
		m.warnings = append(m.warnings, fmt.Sprintf("the server %s is left out: %s", slug(a.Name, 0), a.Reason))
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

// Due is when something has been waited for long enough; zero: nothing is.
func (m *Mux) Due() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	var due time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	for g := range m.gathers {
		if !g.done {
			sooner(g.probe)
			sooner(g.due)
		}
	}
	for _, p := range m.late {
		if p.waiting == nil {
			sooner(p.due)
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
		if !g.done && !g.probe.IsZero() && !now.Before(g.probe) {
			m.giveUpProbing(g, v)
		}
		if !g.done && !now.Before(g.due) {
			m.complete(g, v, now)
		}
	}
	m.expirePauses(v, now)
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
func (m *Mux) Leave(v *Verdict) {
	v.reset()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left = true
	for i := range m.servers {
		for k, st := range m.streams {
			if st.server == i && st.first == nil {
				delete(m.streams, k)
				m.send(i, cancelled(st.id), v)
			}
		}
	}
}
