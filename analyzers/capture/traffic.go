package capture

import (
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// maxFields bounds the values that are looked at in one file's messages.
const maxFields = 50_000

// traffic reads JSON-RPC messages in the order in which they were saved.
type traffic struct {
	*reader
	name    analyzers.Text       // of the server, where a message's envelope says none
	calls   map[string][]request // without an answer yet, by the text of their id
	docs    []*analyzers.Document
	fields  int
	limited bool
}

// request is what an answer does not repeat.
type request struct {
	method string
	name   analyzers.Text // params.name or params.uri
}

// envelope is one message and what the file says about it.
type envelope struct {
	node   *tree.Node
	call   *tree.Node // the request, where node is the inside of its result
	server analyzers.Text
}

// methods are those of MCP; the value says whether no other protocol on
// JSON-RPC (LSP, A2A, ACP) has it, too.
var methods = map[string]bool{
	"initialize": false, "ping": false, "server/discover": true, "subscriptions/listen": true,
	"tools/list": true, "tools/call": true, "prompts/list": true, "prompts/get": true,
	"resources/list": true, "resources/templates/list": true, "resources/read": true, "resources/subscribe": true, "resources/unsubscribe": true,
	"completion/complete": true, "logging/setLevel": true, "sampling/createMessage": true, "elicitation/create": true, "roots/list": true,
	"tasks/get": false, "tasks/result": false, "tasks/cancel": false, "tasks/list": false,
	"notifications/initialized": true, "notifications/progress": true, "notifications/message": true, "notifications/cancelled": true,
	"notifications/tools/list_changed": true, "notifications/prompts/list_changed": true, "notifications/resources/list_changed": true,
	"notifications/resources/updated": true, "notifications/roots/list_changed": true, "notifications/elicitation/complete": true,
	"notifications/tasks/status": true, "notifications/subscriptions/acknowledged": true,
}

// wrappers are the members under which tools keep messages or lists of them.
var wrappers = pattern.Words(`message msg data payload body frame raw rpc request response
	messages history log logs entries events traffic transcript calls requests responses exchanges interactions session frames mcp_response`)

// envelopes collects the messages below a node, in file order.
func envelopes(n *tree.Node, server analyzers.Text, depth int, out []envelope) []envelope {
	if depth > maxNesting {
		return out
	}
	if n.IsArray() {
		for _, child := range n.Children {
			if child.IsObject() || child.IsArray() {
				out = envelopes(child, server, depth+1, out)
			}
		}
		return out
	}
	if !n.IsObject() {
		return out
	}
	if isMessage(n) {
		return append(out, envelope{node: n, server: server})
	}
	for _, key := range []string{"server", "serverName", "server_name"} {
		if v := n.Get(key); v.IsString() {
			server = v.Text
		}
	}
	var call *tree.Node
	for _, child := range n.Children {
		switch key := child.Key.Raw(); {
		case key == "response" && call != nil && child.IsObject() && !isMessage(child):
			out = append(out, envelope{node: child, call: call, server: server})
		case wrappers.Has(key):
			if key == "request" && isMessage(child) {
				call = child
			}
			out = envelopes(child, server, depth+1, out)
		}
	}
	return out
}

// isMessage reports whether n is a JSON-RPC message; one with a method of MCP
// alone may lack the version, as in the history of an inspector.
func isMessage(n *tree.Node) bool {
	method := n.Get("method")
	if n.Get("jsonrpc").Str() != "2.0" {
		return methods[method.Str()] && (n.Get("params") != nil || n.Get("id") != nil)
	}
	return method.IsString() || n.Get("result") != nil || n.Get("error") != nil
}

// ofMCP reports whether a message can be of no other protocol.
func (e envelope) ofMCP() bool {
	n := e.node
	if method := n.Get("method"); method.IsString() {
		return methods[method.Str()] || method.Str() == "initialize" && n.Get("params", "protocolVersion").IsString() && n.Get("params", "clientInfo").IsObject()
	}
	result := e.result()
	if result.Get("protocolVersion").IsString() && (result.Get("serverInfo").IsObject() || result.Get("capabilities").IsObject()) {
		return true
	}
	for _, key := range surfaces {
		if list := result.Get(key); list.IsArray() && definitions(list) {
			return true
		}
	}
	if requests := result.Get("inputRequests"); requests.IsObject() && len(requests.Children) > 0 {
		return methods[requests.Children[0].Get("method").Str()]
	}
	return kindOf(result) != ""
}

// surfaces are the members of results that are lists of definitions.
var surfaces = []string{"tools", "prompts", "resources", "resourceTemplates"}

func (e envelope) result() *tree.Node {
	if e.call != nil {
		return e.node
	}
	return e.node.Get("result")
}

// kindOf tells what a result answers, by its shape; "" for nothing that a
// model reads.
func kindOf(result *tree.Node) string {
	switch {
	case !result.IsObject() || result.Get("role") != nil: // sampling: the model's own words
		return ""
	case contents(result.Get("content")), result.Get("structuredContent") != nil:
		return "result"
	case result.Get("messages").Index(0).Get("content", "type").IsString():
		return "prompt"
	case result.Get("contents").Index(0).Get("uri").IsString():
		return "resource"
	case result.Get("completion", "values").IsArray():
		return "completion"
	}
	return ""
}

// contents reports whether a list holds blocks of content (schema.ts,
// ContentBlock).
func contents(list *tree.Node) bool {
	if !list.IsArray() {
		return false
	}
	for _, n := range list.Children {
		if n.Get("type").IsString() && (n.Get("text") != nil || n.Get("data") != nil || n.Get("resource") != nil || n.Get("uri") != nil) {
			return true
		}
	}
	return false
}

// answers is the method whose answer has a kind.
var answers = map[string]string{"result": "tools/call", "prompt": "prompts/get", "resource": "resources/read", "completion": "completion/complete"}

// readTraffic reads messages into the reader's servers and returns what models
// read of them. It is false, and nothing was read, when they are not MCP's.
func (r *reader) readTraffic(all []envelope, stem analyzers.Text) (docs []*analyzers.Document, limited, ok bool) {
	t := traffic{reader: r, name: stem, calls: map[string][]request{}}
	named := false
	for _, e := range all {
		ok = ok || e.ofMCP()
		for _, info := range []*tree.Node{e.result().Get("serverInfo", "name"), e.result().Get("_meta", "io.modelcontextprotocol/serverInfo", "name")} {
			if info.IsString() && !named {
				t.name, named = info.Text, true
			}
		}
	}
	if !ok {
		return nil, false, false
	}
	r.once = map[string]bool{}
	for _, e := range all {
		if e.server.IsZero() {
			e.server = t.name
		}
		t.message(e)
	}
	return t.docs, t.limited, true
}

func (t *traffic) message(e envelope) {
	n := e.node
	id := idOf(n.Get("id"))
	switch method := n.Get("method"); {
	case e.call != nil:
		t.result(e, n, request{e.call.Get("method").Str(), nameIn(e.call)})
	case method.IsString():
		t.demand(e, method.Str(), n.Get("params"), "params")
		if id != "" {
			open := t.calls[id]
			t.calls[id] = append(open[max(0, len(open)-maxOpen+1):], request{method.Str(), nameIn(n)})
		}
	case n.Get("error") != nil:
		t.document(e, "error", t.answered(id, "").name, part{n.Get("error"), "error"})
	default:
		t.result(e, n.Get("result"), t.answered(id, answers[kindOf(n.Get("result"))]))
	}
}

// maxOpen is how many requests with one id wait for their answers: two sides
// share the ids, and a session that starts again uses them again.
const maxOpen = 8

// nameIn is what a request is about: a tool's or prompt's name, a resource.
func nameIn(call *tree.Node) analyzers.Text {
	params := call.Get("params")
	if name := params.Get("name"); name.IsString() {
		return name.Text
	}
	return text(params.Get("uri"))
}

// idOf is the id of a message as it is spelt; "" for none.
func idOf(id *tree.Node) string {
	switch {
	case id == nil || id.IsObject() || id.IsArray():
		return ""
	case id.IsString():
		return `"` + id.Str()
	}
	return id.Text.Raw()
}

// answered takes the oldest open request with that id and method ("" for any)
// and returns it. Both sides count their ids for themselves.
func (t *traffic) answered(id, method string) request {
	open := t.calls[id]
	for i, r := range open {
		if r.method == method || method == "" {
			t.calls[id] = append(open[:i:i], open[i+1:]...)
			return r
		}
	}
	return request{}
}

// demand reads what a server sends by itself or, inside of a result, asks for.
func (t *traffic) demand(e envelope, method string, params *tree.Node, at string) {
	switch method {
	case "notifications/progress":
		t.document(e, "progress", analyzers.Text{}, part{params.Get("message"), at + ".message"})
	case "notifications/tasks/status":
		t.document(e, "progress", analyzers.Text{}, part{params.Get("statusMessage"), at + ".statusMessage"})
	case "notifications/message":
		t.document(e, "log", text(params.Get("logger")), part{params.Get("data"), at + ".data"})
	case "elicitation/create":
		t.document(e, "elicitation", analyzers.Text{},
			part{params.Get("message"), at + ".message"}, part{params.Get("requestedSchema"), at + ".requestedSchema"}, part{params.Get("url"), at + ".url"})
	case "sampling/createMessage":
		t.document(e, "sampling", analyzers.Text{},
			part{params.Get("systemPrompt"), at + ".systemPrompt"}, part{params.Get("messages"), at + ".messages"},
			part{params.Get("tools"), at + ".tools"}, part{params.Get("metadata"), at + ".metadata"})
	}
}

func (t *traffic) result(e envelope, result *tree.Node, of request) {
	if !result.IsObject() {
		return
	}
	kind, name := kindOf(result), of.name
	for k, method := range answers {
		if kind == "" && method == of.method { // the question tells more than an odd answer
			kind = k
		}
	}
	if t.surface(result) {
		t.object(result, e.server, 0)
	}
	switch kind {
	case "result":
		t.document(e, "result", name, part{result.Get("content"), "result.content"}, part{result.Get("structuredContent"), "result.structuredContent"})
	case "prompt":
		t.document(e, "prompt", name, part{result.Get("description"), "result.description"}, part{result.Get("messages"), "result.messages"})
	case "resource":
		t.document(e, "resource", name, part{result.Get("contents"), "result.contents"})
	case "completion":
		t.document(e, "completion", name, part{result.Get("completion", "values"), "result.completion.values"})
	}
	if status := result.Get("task", "statusMessage"); status.IsString() {
		t.document(e, "progress", name, part{status, "result.task.statusMessage"})
	}
	if requests := result.Get("inputRequests"); requests.IsObject() { // 2026-07-28: the server asks through its answer
		for _, child := range requests.Children {
			t.demand(e, child.Get("method").Str(), child.Get("params"), "result.inputRequests."+child.Key.Raw()+".params")
		}
	}
}

// surface reports whether a result shows definitions or introduces a server.
func (t *traffic) surface(result *tree.Node) bool {
	for _, key := range surfaces {
		if list := result.Get(key); list.IsArray() && definitions(list) {
			return true
		}
	}
	return result.Get("instructions").IsString()
}

// part is a piece of a message with its path in it.
type part struct {
	node *tree.Node
	path string
}

// document adds the strings of the parts; without one there is no document.
func (t *traffic) document(e envelope, kind string, name analyzers.Text, parts ...part) {
	doc := &analyzers.Document{Kind: kind, Name: name, Source: t.file.Source, Exposure: t.file.Exposure, Span: e.node.Span}
	for _, p := range parts {
		p.node.Walk(func(below string, n *tree.Node) bool {
			if t.fields++; t.fields > maxFields {
				t.limited = true
				return false
			}
			if below != "" && !strings.HasPrefix(below, "[") {
				below = "." + below
			}
			key := n.Key.Raw()
			if n != p.node && key != "" && !vocabulary.Has(key) && !protocol.Has(key) {
				doc.Fields = append(doc.Fields, analyzers.Field{Path: p.path + below, Key: true, Text: n.Key})
			}
			if n.IsString() && n.Text.Value != "" && !constant(key, n.Str()) {
				doc.Fields = append(doc.Fields, analyzers.Field{Path: p.path + below, Text: n.Text})
			}
			return true
		})
	}
	if len(doc.Fields) > 0 {
		doc.Server = t.server(e.server, e.node)
		t.docs = append(t.docs, doc)
	}
}

// protocol is the member names of messages.
var protocol = pattern.Words(`text content contents data blob resource role message code structuredContent lastModified`)

// constant reports whether a string is the protocol's own, or bytes of a
// picture or sound, which are no text.
func constant(key, value string) bool {
	switch key {
	case "type":
		return value == "text" || value == "image" || value == "audio" || value == "resource" || value == "resource_link"
	case "role":
		return value == "user" || value == "assistant"
	case "blob":
		return true
	case "data":
		const enough = 256
		return len(value) > enough && !strings.ContainsAny(value[:enough], " \t\n<{")
	}
	return false
}
