package mux

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}`

// modernAsk is a request of a client of 2026-07-28; params follow its _meta.
func modernAsk(id, method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":{%s%s}}`, id, method, meta, params)
}

const changing = `{"tools":{"listChanged":true},"prompts":{},"resources":{"subscribe":true},"logging":{}}`

func discoveredAs(n int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":%s,"instructions":"Modern.","ttlMs":9,"cacheScope":"public"}}`, own(n), changing)
}

func initializedAs(n int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":%s,"serverInfo":{"name":"s","version":"1"}}}`, own(n), changing)
}

func unknown(n int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}`, own(n))
}

// mixed is a client of 2026-07-28 with a server "new" of its version and one,
// "old", with a handshake; the tools x of both are listed.
func mixed(t *testing.T) *wire {
	w := newWire(t, "new", "old")
	w.client(modernAsk("1", "server/discover", ""))
	w.want(`new {"jsonrpc":"2.0","id":"sallyport-mux-1","method":"server/discover","params":{`+meta+`}}`,
		`old {"jsonrpc":"2.0","id":"sallyport-mux-2","method":"server/discover","params":{`+meta+`}}`)
	w.server(0, discoveredAs(1))
	w.server(1, unknown(2))
	w.want(`old {"jsonrpc":"2.0","id":"sallyport-mux-3","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"t","version":"1"}}}`)
	w.server(1, initializedAs(3))
	w.want(`old {"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`new {"jsonrpc":"2.0","id":"sallyport-mux-4","method":"subscriptions/listen","params":{`+meta+`,"notifications":{"toolsListChanged":true}}}`,
		`client {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"logging":{},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"tools":{"listChanged":true}},"instructions":"# new (names that begin with new__)\n\n> Modern.","ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"sallyport","title":"Sallyport: new, old","version":"1"}}}}`)
	w.client(modernAsk("2", "tools/list", ""))
	w.want(`new {"jsonrpc":"2.0","id":"sallyport-mux-5","method":"tools/list","params":{`+meta+`}}`,
		`old {"jsonrpc":"2.0","id":"sallyport-mux-6","method":"tools/list","params":{}}`)
	w.listed(5, "tools", `{"name":"x"}`, `{"name":"x"}`)
	w.want(`client {"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"new__x"},{"name":"old__x"}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}}`)
	return w
}

func TestModernClient(t *testing.T) {
	w := mixed(t)
	// Its own era: as it came, and back as it came.
	w.client(modernAsk("3", "tools/call", `,"name":"new__x","arguments":{}`))
	w.want(`new ` + modernAsk("3", "tools/call", `,"name":"x","arguments":{}`))
	w.server(0, `{"jsonrpc":"2.0","id":3,"result":{"resultType":"input_required","requestState":"s","inputRequests":{"k":{"method":"elicitation/create","params":{}}}}}`)
	w.want(`client {"jsonrpc":"2.0","id":3,"result":{"resultType":"input_required","requestState":"s","inputRequests":{"k":{"method":"elicitation/create","params":{}}}}}`)
	w.client(modernAsk("4", "tools/call", `,"name":"new__x","inputResponses":{"k":{}},"requestState":"s"`))
	w.want(`new ` + modernAsk("4", "tools/call", `,"name":"x","inputResponses":{"k":{}},"requestState":"s"`))
	w.server(0, `{"jsonrpc":"2.0","id":4,"result":{"resultType":"complete","content":[]}}`)
	w.want(`client {"jsonrpc":"2.0","id":4,"result":{"resultType":"complete","content":[]}}`)

	// The other: without what a handshake has said, and with what a result needs.
	w.client(strings.Replace(modernAsk("5", "tools/call", `,"name":"old__x","arguments":{"a":[1.0]}`), `"_meta":{`, `"_meta":{"progressToken":7,"traceparent":"00-1",`, 1))
	w.want(`old {"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"_meta":{"progressToken":7,"traceparent":"00-1"},"name":"x","arguments":{"a":[1.0]}}}`)
	w.server(1, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}`)
	w.server(1, `{"jsonrpc":"2.0","id":5,"result":{"content":[],"resultType":"input_required"}}`)
	w.want(`client {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}`,
		`client {"jsonrpc":"2.0","id":5,"result":{"content":[],"resultType":"complete"}}`)
	for frame, want := range map[string]string{
		`"result":{}`:                                        `"result":{"resultType":"complete","ttlMs":0,"cacheScope":"private"}`,
		`"result":{ "contents":[]}`:                          `"result":{"resultType":"complete","ttlMs":0,"cacheScope":"private", "contents":[]}`,
		`"error":{"code":-32002,"message":"no such"}`:        `"error":{"code":-32602,"message":"no such"}`,
		`"error":{"message":"no such","code":-32603}`:        `"error":{"message":"no such","code":-32603}`,
		`"result":{"ttlMs":5,"cacheScope":"public","a":"b"}`: `"result":{"resultType":"complete","ttlMs":5,"cacheScope":"public","a":"b"}`,
	} {
		w := mixed(t)
		w.client(modernAsk("6", "resources/read", `,"uri":"u:1"`))
		w.to = nil
		w.listed(7, "resources", `{"uri":"u:2"}`, `{"uri":"u:1"}`)
		w.listed(9, "resourceTemplates", ``, ``)
		w.want(`old {"jsonrpc":"2.0","id":6,"method":"resources/read","params":{"uri":"u:1"}}`)
		w.server(1, `{"jsonrpc":"2.0","id":6,`+frame+`}`)
		w.want(`client {"jsonrpc":"2.0","id":6,` + want + `}`)
	}

	// What the version has not, and what it needs.
	for method, want := range map[string]string{"ping": "-32601", "logging/setLevel": "-32601", "resources/subscribe": "-32601", "tasks/result": "-32601", "initialize": "-32601"} {
		w.client(modernAsk(`"`+method+`"`, method, `,"uri":"u"`))
		w.match(`^client .*"error":\{"code":` + want)
	}
	w.client(`{"jsonrpc":"2.0","id":90,"method":"tools/list"}`)
	w.match(`^client .*"error":\{"code":-32602,.*protocolVersion`)
	w.client(strings.ReplaceAll(modernAsk("91", "tools/list", ""), "2026-07-28", "2099-01-01"))
	w.match(`^client .*"error":\{"code":-32022,.*"data":\{"supported":\["2026-07-28"\],"requested":"2099-01-01"\}`)
	w.client(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	w.want()
}

// A server with a handshake asks in the middle of a call; the client gets the
// question as a result, and comes back with the answer.
func TestPause(t *testing.T) {
	const question = `{"jsonrpc":"2.0","id":"q%d","method":"elicitation/create","params":{"message":"m%d"}}`
	asked := func(w *wire, id, n, state int) {
		w.t.Helper()
		w.want(fmt.Sprintf(`client {"jsonrpc":"2.0","id":%d,"result":{"resultType":"input_required","inputRequests":{%s:{"method":"elicitation/create","params":{"message":"m%d"}}},"requestState":%s}}`, id, own(state-1), n, own(state)))
	}
	w := mixed(t)
	w.server(1, fmt.Sprintf(question, 0, 0)) // nobody waits
	w.match(`^old .*"id":"q0","error"`)
	w.server(1, `{"jsonrpc":"2.0","id":"p","method":"ping"}`)
	w.want(`old {"jsonrpc":"2.0","id":"p","result":{}}`)
	w.client(modernAsk("3", "tools/call", `,"name":"old__x"`))
	w.to = nil
	w.server(1, fmt.Sprintf(question, 1, 1))
	asked(w, 3, 1, 8)
	w.client(modernAsk("3", "tools/call", `,"name":"old__x"`))
	w.match(`^client .*"id":3,"error".*still open`)
	w.client(modernAsk("4", "tools/call", `,"name":"old__x","requestState":"guessed"`))
	w.match(`^client .*"id":4,"error".*requestState`)
	w.client(modernAsk("5", "tools/call", `,"name":"old__y","requestState":`+own(8)))
	w.match(`^client .*"id":5,"error".*requestState`)
	w.server(1, fmt.Sprintf(question, 2, 2)) // a second one, before the client is back
	w.want()
	w.client(modernAsk("6", "tools/call", `,"name":"old__x","requestState":`+own(8)+`,"inputResponses":{`+own(7)+`:{"action":"accept"}}`))
	w.want(`old {"jsonrpc":"2.0","id":"q1","result":{"action":"accept"}}`,
		fmt.Sprintf(`client {"jsonrpc":"2.0","id":6,"result":{"resultType":"input_required","inputRequests":{%s:{"method":"elicitation/create","params":{"message":"m2"}}},"requestState":%s}}`, own(9), own(10)))
	w.client(modernAsk("7", "tools/call", `,"name":"old__x","requestState":`+own(10)))
	w.match(`^old .*"id":"q2","error".*not answered`)
	w.server(1, `{"jsonrpc":"2.0","id":3,"result":{"content":[]}}`)
	w.want(`client {"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","content":[]}}`)

	// The server answers before the client is back.
	w.client(modernAsk("8", "tools/call", `,"name":"old__x"`))
	w.server(1, fmt.Sprintf(question, 3, 3))
	w.to = nil
	w.server(1, `{"jsonrpc":"2.0","id":8,"result":{"content":[1]}}`)
	w.want()
	w.client(modernAsk("9", "tools/call", `,"name":"old__x","requestState":`+own(12)+`,"inputResponses":{}`))
	w.match(`^old .*"id":"q3","error".*\nclient \{"jsonrpc":"2.0","id":9,"result":\{"resultType":"complete","content":\[1\]\}\}$`)

	// The client cancels, ends, or never comes back.
	w.client(modernAsk("10", "tools/call", `,"name":"old__x"`))
	w.server(1, fmt.Sprintf(question, 4, 4))
	w.client(modernAsk("11", "tools/call", `,"name":"old__x","requestState":`+own(14)+`,"inputResponses":{`+own(13)+`:{}}`))
	w.to = nil
	w.client(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":11}}`)
	w.want(`old {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":10}}`)
	w.client(modernAsk("12", "tools/call", `,"name":"old__x"`))
	w.server(1, fmt.Sprintf(question, 5, 5))
	w.to = nil
	w.m.Expire(&w.v, start.Add(pauseFor))
	w.take()
	w.match(`^old .*"id":"q5","error".*\nold .*notifications/cancelled.*"requestId":12`)
	if len(w.m.late)+len(w.m.paused)+len(w.m.open) != 0 {
		t.Error(w.m.late, w.m.paused, w.m.open)
	}
	w.client(modernAsk("13", "tools/call", `,"name":"old__x"`))
	w.server(1, fmt.Sprintf(question, 6, 6))
	w.to = nil
	w.m.Lost(1, "ended", &w.v, start)
	if len(w.m.late)+len(w.m.paused)+len(w.m.open) != 0 {
		t.Error(w.m.late, w.m.paused, w.m.open)
	}
}

func TestStreams(t *testing.T) {
	w := mixed(t)
	const stream = `"_meta":{"io.modelcontextprotocol/subscriptionId":3}`
	w.client(modernAsk("3", "subscriptions/listen", `,"notifications":{"toolsListChanged":true,"resourceSubscriptions":["u:1","u:2","u:3"]}`))
	w.to = nil
	w.listed(7, "resources", `{"uri":"u:1"}`, `{"uri":"u:2"}`)
	w.to = nil
	w.listed(9, "resourceTemplates", ``, ``)
	w.want(`new {"jsonrpc":"2.0","id":"sallyport-mux-11","method":"subscriptions/listen","params":{`+meta+`,"notifications":{"resourceSubscriptions":["u:1"]}}}`,
		`old {"jsonrpc":"2.0","id":"sallyport-mux-12","method":"resources/subscribe","params":{"uri":"u:2"}}`)
	w.server(1, `{"jsonrpc":"2.0","id":"sallyport-mux-12","result":{}}`)
	w.server(0, `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"resourceSubscriptions":["u:1","u:9"]},"_meta":{"io.modelcontextprotocol/subscriptionId":"sallyport-mux-11"}}}`)
	w.want(`client {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["u:1","u:2"]},` + stream + `}}`)
	w.server(0, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:1","_meta":{"io.modelcontextprotocol/subscriptionId":"sallyport-mux-11"}}}`)
	w.server(0, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:2"}}`) // another's
	w.server(1, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:2"}}`)
	w.server(1, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
	w.server(0, `{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`) // not asked for
	w.server(1, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"d"}}`)
	w.want(`client {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:1",`+stream+`}}`,
		`client {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:2",`+stream+`}}`,
		`client {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{`+stream+`}}`)
	w.client(strings.Replace(modernAsk("4", "server/discover", ""), `"_meta":{`, `"_meta":{"io.modelcontextprotocol/logLevel":"info",`, 1))
	w.match(`^old .*"logging/setLevel","params":\{"level":"info"\}.*\nclient `)
	w.server(1, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"d"}}`)
	w.match(`^client .*"data":"d"`)
	w.client(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}`)
	w.want(`new {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"sallyport-mux-11"}}`,
		`old {"jsonrpc":"2.0","id":"sallyport-mux-14","method":"resources/unsubscribe","params":{"uri":"u:2"}}`)
	w.server(1, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
	w.want()

	// Nobody agrees in time, or at all.
	w.client(modernAsk("5", "subscriptions/listen", `,"notifications":{"promptsListChanged":true,"resourceSubscriptions":["u:1","u:2"]}`))
	w.to = nil
	w.server(0, `{"jsonrpc":"2.0","id":"sallyport-mux-15","error":{"code":-32601,"message":"no"}}`)
	w.want()
	w.m.Expire(&w.v, start.Add(10*time.Second))
	w.take()
	w.want(`client {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"promptsListChanged":true},"_meta":{"io.modelcontextprotocol/subscriptionId":5}}}`)
}

// A client with a handshake, and a server that has none.
func TestModernServer(t *testing.T) {
	w := newWire(t, "new", "old")
	w.client(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"t","version":"1"}}}`)
	w.to = nil
	w.server(0, `{"jsonrpc":"2.0","id":"sallyport-mux-1","error":{"code":-32022,"message":"unsupported"}}`)
	w.want(`new {"jsonrpc":"2.0","id":"sallyport-mux-3","method":"server/discover","params":{` + meta + `}}`)
	w.server(0, discoveredAs(3))
	w.server(1, initializedAs(2))
	w.match(`^client .*"protocolVersion":"2025-06-18".*"title":"Sallyport: new, old"`)
	w.client(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	w.want(`old {"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`new {"jsonrpc":"2.0","id":"sallyport-mux-4","method":"subscriptions/listen","params":{`+meta+`,"notifications":{"toolsListChanged":true}}}`)
	w.server(0, `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/subscriptionId":"sallyport-mux-4"}}}`)
	w.server(0, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"sallyport-mux-4"}}}`)
	w.want(`client {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
	w.client(`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	w.to = nil
	w.listed(5, "tools", `{"name":"x"}`, `{"name":"x"}`)
	w.want(`client {"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"new__x"},{"name":"old__x"}]}}`)
	w.client(`{"jsonrpc":"2.0","id":3,"method":"logging/setLevel","params":{"level":"debug"}}`)
	w.want(`old {"jsonrpc":"2.0","id":"sallyport-mux-7","method":"logging/setLevel","params":{"level":"debug"}}`)
	w.server(1, `{"jsonrpc":"2.0","id":"sallyport-mux-7","result":{}}`)
	w.to = nil
	leveled := strings.TrimSuffix(meta, "}") + `,"io.modelcontextprotocol/logLevel":"debug"`
	w.client(`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"new__x","arguments":{"a":"}"},"_meta":{"progressToken":"p","io.modelcontextprotocol/protocolVersion":"2024-11-05"}}}`)
	sent := `{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{` + leveled + `,"progressToken":"p"},"name":"x","arguments":{"a":"}"}`
	w.want(`new ` + sent + `}}`)

	// What its result asks for becomes requests; the answers go with the same call.
	w.server(0, `{"jsonrpc":"2.0","id":4,"result":{"resultType":"input_required","requestState":"s","inputRequests":{"k":{"method":"elicitation/create","params":{"message":"m"}},"l":{"method":"roots/list"}}}}`)
	w.want(`client {"jsonrpc":"2.0","id":"sallyport-mux-8","method":"elicitation/create","params":{"message":"m"}}`,
		`client {"jsonrpc":"2.0","id":"sallyport-mux-9","method":"roots/list","params":{}}`)
	w.client(`{"jsonrpc":"2.0","id":"sallyport-mux-9","result":{"roots":[]}}`)
	w.want()
	w.client(`{"jsonrpc":"2.0","id":"sallyport-mux-8","result":{"action":"accept"}}`)
	w.want(`new ` + sent + `,"inputResponses":{"l":{"roots":[]},"k":{"action":"accept"}},"requestState":"s"}}`)
	w.server(0, `{"jsonrpc":"2.0","id":4,"result":{"resultType":"complete","content":[]}}`)
	w.want(`client {"jsonrpc":"2.0","id":4,"result":{"resultType":"complete","content":[]}}`)

	// It asks for nothing; the client answers with an error, or cancels.
	w.client(`{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"new__x"}}`)
	w.to = nil
	w.server(0, `{"jsonrpc":"2.0","id":5,"result":{"resultType":"input_required","requestState":"s"}}`)
	w.match(`^client .*"id":5,"error".*asks for nothing`)
	const two = `{"jsonrpc":"2.0","id":%d,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"},"l":{"method":"roots/list"}}}}`
	w.client(`{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"new__x"}}`)
	w.server(0, fmt.Sprintf(two, 6))
	w.to = nil
	w.client(`{"jsonrpc":"2.0","id":"sallyport-mux-10","error":{"code":-1,"message":"no"}}`)
	w.match(`^client .*notifications/cancelled","params":\{"requestId":"sallyport-mux-11"\}\}\nclient .*"id":6,"error"`)
	w.client(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"new__x"}}`)
	w.server(0, fmt.Sprintf(two, 7))
	w.to = nil
	w.client(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`)
	w.match(`^client .*"requestId":"sallyport-mux-12"\}\}\nclient .*"requestId":"sallyport-mux-13"\}\}$`)
	w.client(`{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"new__x"}}`)
	for n := range maxRounds {
		w.server(0, `{"jsonrpc":"2.0","id":8,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"}}}}`)
		w.client(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{}}`, own(14+n)))
	}
	w.to = nil
	w.server(0, `{"jsonrpc":"2.0","id":8,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"}}}}`)
	w.match(`^client .*"id":8,"error".*more than 10 times`)
	if len(w.m.asked)+len(w.m.open) != 0 {
		t.Error(w.m.asked, w.m.open)
	}
}

// A resource of a server without resources/subscribe.
func TestWatch(t *testing.T) {
	w := newWire(t, "new")
	w.client(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-03-26"}}`)
	w.server(0, unknown(1))
	w.server(0, discoveredAs(2))
	w.match(`"protocolVersion":"2025-03-26"`)
	w.client(`{"jsonrpc":"2.0","id":2,"method":"resources/subscribe","params":{"uri":"u:1"}}`)
	w.listed(3, "resources", `{"uri":"u:1"}`)
	w.to = nil
	w.listed(4, "resourceTemplates", ``)
	w.match(`^new .*"id":"sallyport-mux-5","method":"subscriptions/listen".*"notifications":\{"resourceSubscriptions":\["u:1"\]\}`)
	w.server(0, `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"resourceSubscriptions":["u:1"]},"_meta":{"io.modelcontextprotocol/subscriptionId":"sallyport-mux-5"}}}`)
	w.want(`client {"jsonrpc":"2.0","id":2,"result":{}}`)
	w.server(0, `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:1","_meta":{"io.modelcontextprotocol/subscriptionId":"sallyport-mux-5"}}}`)
	w.want(`client {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:1"}}`)
	w.client(`{"jsonrpc":"2.0","id":3,"method":"resources/unsubscribe","params":{"uri":"u:1"}}`)
	w.want(`new {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"sallyport-mux-5"}}`, `client {"jsonrpc":"2.0","id":3,"result":{}}`)
	w.client(`{"jsonrpc":"2.0","id":4,"method":"resources/subscribe","params":{"uri":"u:1"}}`)
	w.to = nil
	w.server(0, `{"jsonrpc":"2.0","id":"sallyport-mux-6","error":{"code":-32090,"message":"denied"}}`)
	w.want(`client {"jsonrpc":"2.0","id":4,"error":{"code":-32090,"message":"denied"}}`)
	w.client(`{"jsonrpc":"2.0","id":5,"method":"resources/subscribe","params":{"uri":"u:1"}}`)
	w.to = nil
	w.client(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}`)
	w.want(`new {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"sallyport-mux-7"}}`)
}

// Servers that do not answer what they do not know, that come late, or that are
// not there.
func TestProbe(t *testing.T) {
	w := newWire(t, "new", "old")
	w.client(modernAsk("1", "tools/list", "")) // no discover before it
	w.to = nil
	w.server(0, discoveredAs(1))
	if due := w.m.Due(); !due.Equal(start.Add(10 * time.Second / 3)) {
		t.Error(due)
	}
	w.m.Expire(&w.v, start.Add(4*time.Second))
	w.take()
	w.match(`^old .*notifications/cancelled","params":\{"requestId":"sallyport-mux-2"\}\}\nold .*"id":"sallyport-mux-3","method":"initialize"`)
	w.server(1, discoveredAs(2)) // no more
	w.want()
	w.m.Expire(&w.v, start.Add(10*time.Second))
	w.take()
	w.match(`^new .*subscriptions/listen.*\nnew .*"id":"sallyport-mux-5","method":"tools/list"`)
	w.listed(5, "tools", `{"name":"x"}`)
	w.match(`^client .*"id":1,"result".*new__x`)
	w.client(modernAsk("2", "subscriptions/listen", `,"notifications":{"toolsListChanged":true}`))
	w.to = nil
	w.server(1, initializedAs(3))
	w.want(`old {"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`client {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":2}}}`)

	w = newWire(t, "a")
	w.client(modernAsk("1", "server/discover", ""))
	w.to = nil
	w.refused[0] = denied
	w.server(0, `{"jsonrpc":"2.0","id":"sallyport-mux-1","error":{"code":-32090,"message":"denied"}}`) // by its session: it is asked no more
	w.match(`^client .*"id":1,"error".*none of the servers can be used`)
	w.client(`{"jsonrpc":"2.0","id":2,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`)
	w.want(`a {"jsonrpc":"2.0","id":"sallyport-mux-2","method":"initialize","params":{"protocolVersion":"2025-11-25"}}`)
	w.server(0, initializedAs(2))
	w.match(`^client .*"id":2,"result"`)
	w.client(modernAsk("3", "tools/list", ""))
	w.match(`^client .*"id":3,"error":\{"code":-32601,.*begun with initialize`)

	// A level that the client names from the start, and keeps to.
	w = newWireWithout(t, []Absent{{"gone", "no such program"}}, "old")
	w.client(strings.Replace(modernAsk("1", "server/discover", ""), `"_meta":{`, `"_meta":{"io.modelcontextprotocol/logLevel":"info",`, 1))
	w.server(0, unknown(1))
	w.to = nil
	w.server(0, initializedAs(2))
	w.match(`^old .*initialized"}\nold .*"logging/setLevel","params":{"level":"info"}}\nclient .*"id":1,"result".*\nclient .*notifications/message.*gone is left out: no such program"}}$`)
	w.server(0, `{"jsonrpc":"2.0","id":"sallyport-mux-3","result":{}}`)
	w.want()

	// A client that does not wait, before and after the answer.
	const handshake = `{"jsonrpc":"2.0","id":2,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`
	w = newWire(t, "new", "old")
	w.client(modernAsk("1", "server/discover", ""))
	w.server(0, discoveredAs(1))
	w.server(1, unknown(2))
	w.to = nil
	w.client(handshake)
	w.want()
	w.server(1, initializedAs(3))
	w.match(`client {"jsonrpc":"2.0","id":2,"result":{"protocolVersion":"2025-06-18".*\nclient .*"id":1,"error"`)
	w.client(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	w.match(`new .*subscriptions/listen`)
	w = newWire(t, "new", "old")
	w.client(modernAsk("1", "server/discover", ""))
	w.server(0, discoveredAs(1))
	w.server(1, unknown(2))
	w.server(1, initializedAs(3))
	w.to = nil
	w.client(handshake)
	w.match(`^client {"jsonrpc":"2.0","id":2,"result":{"protocolVersion":"2025-06-18"`)
	w.client(`{"jsonrpc":"2.0","id":3,"method":"tools/list"}`)
	w.match(`^new .*tools/list.*\nold .*tools/list`)
	w = mixed(t) // it has used the other
	w.client(handshake)
	w.match(`^client .*"id":2,"error"`)

	w = newWire(t, "a")
	w.client(`{"jsonrpc":"2.0","id":1,"method":"server/discover"}`) // of which version?
	w.match(`^client .*"error":\{"code":-32602,.*protocolVersion`)

	// A server lists another version only: it has a handshake for the rest.
	w = newWire(t, "a")
	w.client(modernAsk("1", "server/discover", ""))
	w.server(0, `{"jsonrpc":"2.0","id":"sallyport-mux-1","result":{"supportedVersions":["2030-01-01"],"capabilities":{}}}`)
	w.match(`"method":"initialize"`)
}
