package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// The versions that are offered: the one of the stateless era, and the last
// one with a handshake, of which a server may choose an older one.
const (
	modern = "2026-07-28"
	legacy = "2025-11-25"
)

// capabilities are all that a client can have: a server may keep tools back
// from one that has less. What it then asks for is refused.
var capabilities = map[string]any{"roots": map[string]any{}, "sampling": map[string]any{}, "elicitation": map[string]any{}}

// session is a client of one connection. The SDK's own client would take
// definitions through Go types, which lose what they do not know; its
// transports do not, and they are used below this.
type session struct {
	plan    *Plan
	conn    mcp.Connection
	version string // negotiated; "" before
	onFixed func(version string)

	serverInfo, capabilities, instructions json.RawMessage

	mu       sync.Mutex
	next     int64
	pending  map[int64]chan answer
	broken   error // why nothing more will come
	requests map[string]int
	order    []string
	asked    int
	messages []json.RawMessage
	size     int // of messages
	done     chan struct{}
}

type answer struct {
	result json.RawMessage
	err    error
}

// errEnded is the error of a connection that the server has ended.
var errEnded = errors.New("the server ended the connection")

func newSession(ctx context.Context, p *Plan, conn mcp.Connection) *session {
	s := &session{plan: p, conn: conn, pending: map[int64]chan answer{}, requests: map[string]int{}, done: make(chan struct{}), onFixed: func(string) {}}
	go s.receive(ctx)
	return s
}

// receive reads to the end of the connection.
func (s *session) receive(ctx context.Context) {
	defer close(s.done)
	var err error
	for err == nil {
		var m jsonrpc.Message
		if m, err = s.conn.Read(ctx); err != nil {
			break
		}
		switch m := m.(type) {
		case *jsonrpc.Response:
			if id, ok := m.ID.Raw().(int64); ok {
				s.deliver(id, answer{m.Result, m.Error})
			}
		case *jsonrpc.Request:
			err = s.asks(ctx, m)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken = errEnded; !ended(err) {
		s.broken = err
	}
	for id, ch := range s.pending {
		ch <- answer{err: s.broken}
		delete(s.pending, id)
	}
}

func (s *session) deliver(id int64, a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch := s.pending[id]; ch != nil {
		ch <- a
		delete(s.pending, id)
	}
}

// maxAsked bounds the requests and notifications of a server.
const maxAsked = 10_000

// asks notes what the server wants of its client, and refuses it.
func (s *session) asks(ctx context.Context, r *jsonrpc.Request) error {
	s.mu.Lock()
	if s.asked++; s.asked > maxAsked {
		s.mu.Unlock()
		return fmt.Errorf("it sent more than %d requests and notifications", maxAsked)
	}
	if r.IsCall() && len(s.requests) < maxMessages {
		if s.requests[r.Method]++; s.requests[r.Method] == 1 {
			s.order = append(s.order, r.Method)
		}
	}
	s.mu.Unlock()
	if raw, err := jsonrpc.EncodeMessage(r); err == nil && r.Method != "ping" {
		s.keep(raw)
	}
	if !r.IsCall() {
		return nil
	}
	reply := &jsonrpc.Response{ID: r.ID}
	switch r.Method {
	case "ping":
		reply.Result = json.RawMessage(`{}`)
	case "elicitation/create":
		reply.Result = json.RawMessage(`{"action":"decline"}`)
	default:
		reply.Error = &jsonrpc.Error{Code: -1, Message: "declined: this client looks at servers and does nothing for them"}
	}
	_ = s.conn.Write(ctx, reply) // reading says what is wrong with the connection
	return nil
}

// keep keeps a message of the server, within bounds.
func (s *session) keep(message json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.messages) < maxMessages && s.size+len(message) <= maxKept {
		s.messages = append(s.messages, message)
		s.size += len(message)
	}
}

// begin sends a request. The channel gets one answer, or none before the
// connection ends.
func (s *session) begin(ctx context.Context, method string, params map[string]any) <-chan answer {
	ch := make(chan answer, 1)
	raw, err := json.Marshal(params)
	if err != nil {
		ch <- answer{err: err}
		return ch
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		ch <- answer{err: s.broken}
		return ch
	}
	s.next++
	number := s.next
	id, err := jsonrpc.MakeID(float64(number))
	if err != nil {
		ch <- answer{err: err}
		return ch
	}
	s.pending[number] = ch
	go func() { // a server that does not read must not keep us
		if err := s.conn.Write(ctx, &jsonrpc.Request{ID: id, Method: method, Params: raw}); err != nil {
			if ended(err) {
				err = errEnded
			}
			s.deliver(number, answer{err: err})
		}
	}()
	return ch
}

// call asks and waits for the answer, which is an object.
func (s *session) call(ctx context.Context, wait time.Duration, method string, params map[string]any) (*tree.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	select {
	case a := <-s.begin(ctx, method, params):
		return object(a)
	case <-ctx.Done():
		return nil, late(method)
	}
}

func late(method string) error { return fmt.Errorf("no answer to %s in time", method) }

// object reads a result. Depth and number of its values are bounded.
func object(a answer) (*tree.Node, error) {
	if a.err != nil {
		return nil, a.err
	}
	n, err := tree.Parse(&analyzers.Source{Bytes: a.result}, tree.JSON)
	if err != nil {
		return nil, fmt.Errorf("an answer that cannot be read: %w", err)
	}
	if !n.IsObject() {
		return nil, errors.New("an answer that is no object")
	}
	return n, nil
}

// with adds what every request of the stateless era carries.
func (s *session) with(params map[string]any) map[string]any {
	if s.version == modern {
		params["_meta"] = map[string]any{
			"io.modelcontextprotocol/protocolVersion":    modern,
			"io.modelcontextprotocol/clientInfo":         s.clientInfo(),
			"io.modelcontextprotocol/clientCapabilities": capabilities,
		}
	}
	return params
}

func (s *session) clientInfo() map[string]any {
	return map[string]any{"name": s.plan.ClientName, "version": s.plan.Version}
}

// handshake finds out which era the server is of: server/discover first (if
// probe is set), initialize after any error and beside a probe that is slow
// (specification 2026-07-28, basic/versioning).
func (s *session) handshake(ctx context.Context, probe bool) error {
	var discover <-chan answer
	if probe {
		s.version = modern
		discover = s.begin(ctx, "server/discover", s.with(map[string]any{}))
		select {
		case a := <-discover:
			if s.discovered(a) {
				return nil
			}
			discover = nil
			if errors.Is(a.err, errEnded) {
				return a.err
			}
		case <-time.After(probeAfter):
		case <-ctx.Done():
			return late("server/discover")
		}
	}
	s.version = ""
	initialize := s.begin(ctx, "initialize", map[string]any{"protocolVersion": legacy, "clientInfo": s.clientInfo(), "capabilities": capabilities})
	var refused error
	for {
		select {
		case a := <-discover:
			if s.discovered(a) {
				return nil
			}
			if discover = nil; refused != nil {
				return refused
			}
		case a := <-initialize:
			err := s.initialized(ctx, a)
			if err == nil || discover == nil {
				return err
			}
			refused, initialize = err, nil
		case <-ctx.Done():
			if refused != nil {
				return refused
			}
			return late("initialize")
		}
	}
}

// discovered reads the answer to server/discover; it is false for a server of
// the older era.
func (s *session) discovered(a answer) bool {
	n, err := object(a)
	if err != nil {
		return false
	}
	for _, v := range elements(n.Get("supportedVersions")) {
		if v.Str() == modern {
			s.version = modern
			s.about(n, n.Get("_meta", "io.modelcontextprotocol/serverInfo"))
			return true
		}
	}
	return false
}

// initialized reads the answer to initialize and ends the handshake.
func (s *session) initialized(ctx context.Context, a answer) error {
	n, err := object(a)
	if err != nil {
		return err
	}
	if s.version = n.Get("protocolVersion").Str(); s.version == "" || s.version == modern {
		return errors.New("the answer to initialize names no version of the protocol")
	}
	s.about(n, n.Get("serverInfo"))
	s.onFixed(s.version)
	if err := s.conn.Write(ctx, &jsonrpc.Request{Method: "notifications/initialized"}); err != nil {
		return err
	}
	// Servers add tools when the handshake ends; the answer to a ping comes
	// after that.
	_, _ = s.call(ctx, undeclared, "ping", map[string]any{})
	return nil
}

func (s *session) about(n, info *tree.Node) {
	keep := func(n *tree.Node, into *json.RawMessage) {
		if n != nil {
			*into = n.Span.Raw()
		}
	}
	if info.IsObject() {
		keep(info, &s.serverInfo)
	}
	if c := n.Get("capabilities"); c.IsObject() {
		keep(c, &s.capabilities)
	}
	if i := n.Get("instructions"); i.IsString() && i.Text.Value != "" {
		keep(i, &s.instructions)
	}
}

// close ends the connection and waits for the reader; the process behind it has
// to be gone.
func (s *session) close() {
	_ = s.conn.Close()
	<-s.done
}
