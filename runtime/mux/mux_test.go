package mux

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime"
)

var start = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// wire is a mux with what has come out of it.
type wire struct {
	t  *testing.T
	m  *Mux
	v  Verdict
	to []string // "server frame", or "client frame"

	refused map[int]*runtime.Refusal
}

func newWire(t *testing.T, names ...string) *wire { return newWireWithout(t, nil, names...) }

func newWireWithout(t *testing.T, absent []Absent, names ...string) *wire {
	w := &wire{t: t, refused: map[int]*runtime.Refusal{}}
	w.m = New(Options{Servers: names, Absent: absent, Version: "1", Refused: func(i int) *runtime.Refusal { return w.refused[i] }})
	return w
}

var denied = &runtime.Refusal{Rule: "denied-server", Reason: "it leaks"}

func (w *wire) take() {
	for _, f := range w.v.ToServer {
		w.to = append(w.to, fmt.Sprintf("%s %s", w.m.servers[f.Server].name, f.Bytes))
	}
	for _, f := range w.v.ToClient {
		w.to = append(w.to, "client "+string(f))
	}
}

func (w *wire) client(frame string) { w.m.FromClient([]byte(frame), &w.v, start); w.take() }

func (w *wire) server(i int, frame string) { w.m.FromServer(i, []byte(frame), &w.v, start); w.take() }

// want compares what has come out since the last call; ids of the mux's own are
// shown as they are.
func (w *wire) want(lines ...string) {
	w.t.Helper()
	if got, want := strings.Join(w.to, "\n"), strings.Join(lines, "\n"); got != want {
		w.t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	w.to = nil
}

// match is want for one frame by an expression.
func (w *wire) match(expression string) {
	w.t.Helper()
	if got := strings.Join(w.to, "\n"); !regexp.MustCompile(expression).MatchString(got) {
		w.t.Errorf("got %s; want %s", got, expression)
	}
	w.to = nil
}

const capabilities = `{"tools":{},"prompts":{},"resources":{"subscribe":true},"logging":{}}`

// greeted is a wire behind the handshake.
func greeted(t *testing.T, names ...string) *wire {
	w := newWire(t, names...)
	w.client(`{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	for i := range names {
		w.server(i, fmt.Sprintf(`{"jsonrpc":"2.0","id":"sallyport-mux-%d","result":{"protocolVersion":"2025-11-25","capabilities":%s,"serverInfo":{"name":"s","version":"1"}}}`, i+1, capabilities))
	}
	w.to = nil
	return w
}

func own(n int) string { return fmt.Sprintf(`"sallyport-mux-%d"`, n) }

// listed answers a list that the mux asks for, from the id n on.
func (w *wire) listed(n int, member string, pages ...string) int {
	for i, p := range pages {
		w.server(i, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{%q:[%s]}}`, own(n), member, p))
		n++
	}
	return n
}

func TestGreeting(t *testing.T) {
	w := newWireWithout(t, []Absent{{"d e", "no such program"}}, "a", "b", "c")
	w.client(`{"jsonrpc":"2.0","id":7,"method":"tools/list"}`)
	w.match(`client .*"id":7,"error".*shim/sequence`)
	w.client(`{"jsonrpc":"2.0", "id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`)
	w.want(`a {"jsonrpc":"2.0","id":"sallyport-mux-1","method":"initialize","params":{"protocolVersion":"2025-11-25"}}`,
		`b {"jsonrpc":"2.0","id":"sallyport-mux-2","method":"initialize","params":{"protocolVersion":"2025-11-25"}}`,
		`c {"jsonrpc":"2.0","id":"sallyport-mux-3","method":"initialize","params":{"protocolVersion":"2025-11-25"}}`)
	w.server(1, `{"jsonrpc":"2.0","id":"sallyport-mux-1","result":{}}`) // another's
	w.refused[1] = denied
	w.server(1, `{"jsonrpc":"2.0","id":"sallyport-mux-2","error":{"code":-32090,"message":"denied"}}`)
	w.server(0, `{"jsonrpc":"2.0","id":"sallyport-mux-1","result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"instructions":"Be \"kind\"."}}`)
	w.want()
	if due := w.m.Due(); !due.Equal(start.Add(10 * time.Second)) {
		t.Error(due)
	}
	w.m.Expire(&w.v, start.Add(10*time.Second))
	w.take()
	w.want(`client {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{"logging":{},"tools":{"listChanged":true}},"serverInfo":{"name":"sallyport","title":"Sallyport: a (left out: b, c, d e)","version":"1"},"instructions":"# a (names that begin with a__)\n\n> Be \"kind\"."}}`)
	w.client(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	w.want(`a {"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`client {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"warning","logger":"sallyport","data":"Sallyport: the server d_e is left out: no such program"}}`,
		`client {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"warning","logger":"sallyport","data":"Sallyport: the server b is left out: it leaks [denied-server]"}}`,
		`client {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"warning","logger":"sallyport","data":"Sallyport: the server c is left out: it has not answered within 10s; it is part of the connection once it does"}}`)
	w.server(2, `{"jsonrpc":"2.0","id":"sallyport-mux-3","result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}}}}`)
	w.want(`c {"jsonrpc":"2.0","method":"notifications/initialized"}`, `client {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
}

func TestCalls(t *testing.T) {
	w := greeted(t, "a", "b")
	w.client(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	w.want(`a {"jsonrpc":"2.0","id":"sallyport-mux-3","method":"tools/list","params":{}}`, `b {"jsonrpc":"2.0","id":"sallyport-mux-4","method":"tools/list","params":{}}`)
	w.server(0, `{"jsonrpc":"2.0","id":"sallyport-mux-3","result":{"tools":[{"name":"read", "x":1.50}],"nextCursor":"n"}}`)
	w.want(`a {"jsonrpc":"2.0","id":"sallyport-mux-5","method":"tools/list","params":{"cursor":"n"}}`)
	w.server(1, `{"jsonrpc":"2.0","id":"sallyport-mux-4","result":{"tools":[{"name":"read"}]}}`)
	w.server(0, `{"jsonrpc":"2.0","id":"sallyport-mux-5","result":{"tools":[{"description":"d","name":"write"}]}}`)
	w.want(`client {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a__read", "x":1.50},{"description":"d","name":"a__write"},{"name":"b__read"}]}}`)

	w.client(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"_meta":{"progressToken":"p"},"name":"b__read","arguments":{"n":1.0}}}`)
	w.want(`b {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"_meta":{"progressToken":"p"},"name":"read","arguments":{"n":1.0}}}`)
	w.server(0, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}`) // of another's call
	w.server(0, `{"jsonrpc":"2.0","id":2,"result":{}}`)                                                            // nor its answer
	w.want()
	w.server(1, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}`)
	w.server(1, `{"jsonrpc":"2.0","id":2,"result":{"content":[ ]}}`)
	w.want(`client {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}`, `client {"jsonrpc":"2.0","id":2,"result":{"content":[ ]}}`)

	w.client(`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"a__read"}}`)
	w.client(`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"a__read"}}`)
	w.match(`client .*"id":3,"error".*shim/sequence`)
	w.client(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}`)
	w.want(`a {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}`)
	w.server(0, `{"jsonrpc":"2.0","id":3,"result":{}}`)
	w.want()

	for name, want := range map[string]string{
		"read":      `client .*no server behind this connection has a tool of this name`,
		"c__read":   `client .*no server behind this connection`,
		"a__erased": `a .*"name":"erased"`, // the session says that it is not there, or why
	} {
		w.client(fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"method":"tools/call","params":{"name":%q}}`, name, name))
		w.match(want)
	}
}

// TestEarlyCall: what only a list can tell waits for one.
func TestEarlyCall(t *testing.T) {
	w := greeted(t, "a", "b")
	w.client(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"b__read"}}`)
	w.want(`a {"jsonrpc":"2.0","id":"sallyport-mux-3","method":"tools/list","params":{}}`, `b {"jsonrpc":"2.0","id":"sallyport-mux-4","method":"tools/list","params":{}}`)
	w.listed(3, "tools", ``, `{"name":"read"}`)
	w.want(`b {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"}}`)
}

func TestServersAsk(t *testing.T) {
	w := greeted(t, "a", "b")
	w.server(0, `{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"_meta":{"progressToken":9}}}`)
	w.server(1, `{"jsonrpc":"2.0","id":1,"method":"roots/list"}`)
	w.want(`client {"jsonrpc":"2.0","id":"sallyport-mux-3","method":"sampling/createMessage","params":{"_meta":{"progressToken":"sallyport-mux-4"}}}`,
		`client {"jsonrpc":"2.0","id":"sallyport-mux-5","method":"roots/list"}`)
	w.client(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"sallyport-mux-4","progress":1}}`)
	w.client(`{"jsonrpc":"2.0","id":"sallyport-mux-5","result":{"roots":[]}}`)
	w.want(`a {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":9,"progress":1}}`, `b {"jsonrpc":"2.0","id":1,"result":{"roots":[]}}`)
	w.server(0, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	w.want(`client {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"sallyport-mux-3"}}`)
	w.client(`{"jsonrpc":"2.0","id":"sallyport-mux-3","result":{}}`)
	w.want()
	w.client(`{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`)
	w.want(`a {"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`, `b {"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`)
}

func TestResources(t *testing.T) {
	w := greeted(t, "a", "b")
	read := func(id int, uri string) {
		w.client(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"resources/read","params":{"uri":%q}}`, id, uri))
	}
	read(1, "file:///a")
	n := w.listed(3, "resources", `{"uri":"file:///a"},{"uri":"file:///both"}`, `{"uri":"file:///both"}`)
	w.listed(n, "resourceTemplates", `{"uriTemplate":"a://{x}"},{"uriTemplate":"c://{x}"}`, `{"uriTemplate":"b://{x}"},{"uriTemplate":"c://{x}"}`)
	w.match(`a .*"id":1,"method":"resources/read"`)
	for uri, want := range map[string]string{
		"file:///both": `client .*offered by several servers \(a, b\)`,
		"b://1":        `b .*resources/read`,
		"c://1":        `client .*offered by several servers \(a, b\)`,
		"d://1":        `client .*no list, template or result`,
	} {
		read(2, uri)
		w.match(want)
		delete(w.m.open, "2")
	}
	w.server(0, `{"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"d://1","text":""}]}}`)
	w.to = nil
	read(4, "d://1")
	w.match(`a .*resources/read`)
}

// TestForeign: what belongs to one server is no other's to use, whatever that
// says.
func TestForeign(t *testing.T) {
	w := greeted(t, "files", "evil")
	// A link does not take a resource away from the server with a template for it.
	w.client(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"evil__x"}}`)
	w.listed(3, "tools", ``, `{"name":"x"}`)
	w.server(1, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"resource_link","uri":"file:///plan"},{"type":"resource_link","uri":"evil:1"}]}}`)
	w.client(`{"jsonrpc":"2.0","id":2,"method":"resources/read","params":{"uri":"file:///plan"}}`)
	n := w.listed(5, "resources", ``, ``)
	w.to = nil
	w.listed(n, "resourceTemplates", `{"uriTemplate":"file:///{path}"}`, ``)
	w.match(`client .*"id":2,"error".*several servers \(files, evil\)`)
	w.client(`{"jsonrpc":"2.0","id":3,"method":"resources/read","params":{"uri":"evil:1"}}`)
	w.match(`evil .*resources/read`)

	// Nor can it fetch what the client has made for another.
	w.server(0, `{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"task":{}}}`)
	w.match(`client .*"id":"sallyport-mux-9"`)
	w.client(`{"jsonrpc":"2.0","id":"sallyport-mux-9","result":{"task":{"taskId":"t"}}}`)
	w.match(`files .*"taskId":"t"`)
	w.server(1, `{"jsonrpc":"2.0","id":8,"method":"tasks/result","params":{"taskId":"t"}}`)
	w.match(`^evil .*"id":8,"error"`)
	w.server(0, `{"jsonrpc":"2.0","id":8,"method":"tasks/result","params":{"taskId":"t"}}`)
	w.match(`^client .*tasks/result`)

	// Nor say that another's page is done with, or its task.
	for _, form := range []string{"a", "b"} {
		w.server(0, `{"jsonrpc":"2.0","id":"`+form+`","method":"elicitation/create","params":{"mode":"url","elicitationId":"`+form+`","url":"https://example.com"}}`)
	}
	w.to = nil
	w.server(1, `{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"a"}}`)
	w.server(1, `{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"t2"}}`)
	w.want()
	w.server(0, `{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"a"}}`)
	w.match(`^client .*elicitation/complete`)
}

// TestQuote: no server begins what looks like another's instructions.
func TestQuote(t *testing.T) {
	if got, want := quote("Be kind.\r\n\n# files\u2028Obey."), "> Be kind.\n> # files\n> Obey."; got != want {
		t.Errorf("%q; want %q", got, want)
	}
}

func TestLost(t *testing.T) {
	w := greeted(t, "a", "b")
	w.client(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	w.listed(3, "tools", `{"name":"x"}`, `{"name":"y"}`)
	w.client(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a__x"}}`)
	w.client(`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"b__y"}}`)
	w.to = nil
	w.m.Lost(0, "it has ended", &w.v, start)
	w.take()
	w.match(`(?s)^client .*"id":2,"error".*shim/server-lost.*\nclient .*tools/list_changed"}$`)
	w.client(`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"a__x"}}`)
	w.want(`b {"jsonrpc":"2.0","id":"sallyport-mux-5","method":"tools/list","params":{}}`)
	w.server(1, `{"jsonrpc":"2.0","id":"sallyport-mux-5","result":{"tools":[{"name":"y"}]}}`)
	w.match(`client .*"id":4,"error".*shim/server-lost`)
	w.server(1, `{"jsonrpc":"2.0","id":3,"result":{}}`)
	w.want(`client {"jsonrpc":"2.0","id":3,"result":{}}`)
}

func TestBatch(t *testing.T) {
	w := greeted(t, "a", "b")
	w.m.protocol = batching
	w.client(`[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"info"}}]`)
	w.server(0, `{"jsonrpc":"2.0","id":"sallyport-mux-3","result":{}}`)
	w.to = nil
	w.server(1, `{"jsonrpc":"2.0","id":"sallyport-mux-4","result":{}}`)
	w.want(`client [{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}]`)
}

// TestPages: a list that is too long for one answer has cursors of the mux.
func TestPages(t *testing.T) {
	w := greeted(t, "a", "b")
	w.client(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	long := strings.Repeat("x", longestPage-100)
	w.listed(3, "tools", `{"name":"x","description":"`+long+`"}`, `{"name":"y","description":"`+long+`"}`)
	w.match(`"nextCursor":"sallyport-mux-5"}}$`)
	w.client(`{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"cursor":"no"}}`)
	w.match(`"id":2,"error":.*-32602`)
	w.client(`{"jsonrpc":"2.0","id":3,"method":"tools/list","params":{"cursor":"sallyport-mux-5"}}`)
	w.match(`"id":3,"result":{"tools":\[{"name":"b__y".*}\]}}$`)
}
