package mux

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// The two ways to ask a server who it is.
const (
	initialize = "initialize"
	discover   = "server/discover"
)

// initialize begins a connection with a handshake.
func (m *Mux) initialize(q *request, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	m.introduced(msg)
	m.greet(initialize, q, v, now)
}

// introduced notes what initialize says of the client.
func (m *Mux) introduced(msg *jsonrpc.Message) {
	m.hello = append([]byte(nil), cmp.Or(string(msg.Params.In(msg.Bytes)), "{}")...)
	m.said = said{
		info:         bytes.Clone(msg.Find(msg.Params, "clientInfo").In(msg.Bytes)),
		capabilities: bytes.Clone(msg.Find(msg.Params, "capabilities").In(msg.Bytes)),
	}
}

// fallBack is for a client that has not waited for the answer to
// server/discover, or wants no more of it: the connection has a handshake after
// all (2026-07-28, basic/transports/stdio). The servers have been asked already.
func (m *Mux) fallBack(q *request, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	m.introduced(msg)
	m.modern, m.greeted, m.ready, m.protocol = false, false, false, ""
	if m.meeting != nil {
		m.meeting.asked = append(m.meeting.asked, q)
		return
	}
	for g := range m.gathers {
		if g.what == greeting {
			g.asked = append(g.asked, q)
			return
		}
	}
	m.introduce(q, v, now)
}

// discover begins a connection without one: m.said is known.
func (m *Mux) discover(v *Verdict, now time.Time) {
	m.modern = true
	m.hello = append(append([]byte(`{"protocolVersion":"`+newest+`","capabilities":`), cmp.Or(string(m.said.capabilities), "{}")...), `,"clientInfo":`...)
	m.hello = append(append(m.hello, cmp.Or(string(m.said.info), `{"name":"sallyport","version":"0"}`)...), '}')
	m.greet(discover, nil, v, now)
}

// greet asks all servers who they are, in the client's era first.
func (m *Mux) greet(method string, q *request, v *Verdict, now time.Time) {
	m.asking = true
	g := m.gathering(greeting, q, now)
	if method == discover {
		g.probe = now.Add(m.Patience / 3)
	}
	for i, s := range m.servers {
		if s.lost == "" {
			g.left++
			m.meet(&part{gathering: g, server: i}, method, v)
		}
	}
	if g.left == 0 {
		m.complete(g, v, now)
	}
}

func (m *Mux) meet(p *part, method string, v *Verdict) {
	p.method = method
	params := m.hello
	if method == discover {
		params = append(append([]byte(`{"_meta":`), m.meta()...), '}')
	}
	m.ask(p, func(id []byte) []byte { return requestFrame(id, method, params) }, v)
}

// giveUpProbing is for servers that say nothing to what they do not know: they
// are asked in the other era, too (2026-07-28, basic/transports/stdio).
func (m *Mux) giveUpProbing(g *gathering, v *Verdict) {
	g.probe = time.Time{}
	for i := range m.servers {
		for k, p := range m.own {
			if p.gathering == g && p.server == i && p.method == discover && !p.second {
				delete(m.own, k)
				m.send(i, cancelled(p.id), v)
				m.meet(&part{gathering: g, server: i, second: true}, initialize, v)
			}
		}
	}
}

// greetedBy takes one server's answer. One that does not know the client's era
// is asked in the other.
func (m *Mux) greetedBy(p *part, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	modern := p.method == discover
	fine := !msg.Result.IsZero() && !modern
	for _, el := range jsonrpc.Elements(msg.Bytes, msg.Find(msg.Result, "supportedVersions")) {
		fine = fine || modern && string(msg.Text(el, nil)) == stateless
	}
	if !fine {
		if p.second || m.refusal(p.server) != nil {
			m.ended(p, "it has answered with an error", v, now)
			return
		}
		method := initialize
		if !modern {
			method = discover
		}
		m.meet(&part{gathering: p.gathering, server: p.server, second: true}, method, v)
		return
	}
	s := m.servers[p.server]
	s.in, s.modern, s.version = true, modern, string(msg.Text(msg.Find(msg.Result, "protocolVersion"), nil))
	s.capabilities = bytes.Clone(msg.Find(msg.Result, "capabilities").In(msg.Bytes))
	s.instructions = string(msg.Text(msg.Find(msg.Result, "instructions"), nil))
	if m.modern || p.done && m.ready {
		m.begins(p.server, v)
	}
	if !p.done {
		p.fine++
		m.share(p, v, now)
		return
	}
	m.follow(p.server, v)
	for _, kind := range kinds { // late: the client learns of it by the lists
		if !has(s.capabilities, lists[kind].capability).IsZero() {
			m.changed(kind, v)
		}
	}
}

// acquaint lists the tools of all servers before the client hears of any, so
// that what they say of themselves is judged with these in view: instructions
// cannot be taken back. It takes what the greeting has left of its time, or a
// third of that.
func (m *Mux) acquaint(g *gathering, v *Verdict, now time.Time) {
	m.meeting = g
	for i := range m.servers {
		m.begins(i, v)
	}
	m.gather("tool", nil, v, now)
	due := now.Add(m.Patience / 3)
	if due.Before(g.due) {
		due = g.due
	}
	for tools := range m.gathers {
		if tools.what == "tool" {
			tools.due = due
		}
	}
}

// begins tells a server with a handshake, once, that it may begin.
func (m *Mux) begins(i int, v *Verdict) {
	if s := m.servers[i]; s.in && !s.modern && s.lost == "" && !s.ready {
		s.ready = true
		m.send(i, notification("notifications/initialized", nil), v)
		if m.said.level != nil && m.can(i, "logging") { // the client has said it before, and says it once
			m.send(i, m.setLevelFrame(m.ownID()), v)
		}
	}
}

// maxEarly bounds the bytes that wait for the client.
const maxEarly = 1 << 20

// early reports whether something of a server waits until the client says that
// it may begin: what it asks, and what it writes to the log.
func (m *Mux) early(i int, msg *jsonrpc.Message) bool {
	if m.modern || m.ready || !m.servers[i].ready || msg.Kind != jsonrpc.Request && msg.Method != "notifications/message" {
		return false
	}
	size := len(msg.Raw())
	for _, f := range m.earlier {
		size += len(f.Bytes)
	}
	if size > maxEarly {
		return false
	}
	m.earlier = append(m.earlier, Frame{i, bytes.Clone(msg.Raw())})
	return true
}

// catchUp goes on with what has waited for that.
func (m *Mux) catchUp(v *Verdict, now time.Time) {
	earlier := m.earlier
	m.earlier = nil
	for _, f := range earlier {
		var msg jsonrpc.Message
		if jsonrpc.NewScanner(jsonrpc.Options{LoneSurrogates: true}).Scan(f.Bytes, &msg) == nil { // it was scanned before
			m.fromServer(f.Server, &msg, v, now)
		}
	}
}

// greetedAll answers who waits for the servers, with those that have come.
func (m *Mux) greetedAll(g *gathering, v *Verdict, now time.Time) {
	m.asking = false
	for _, q := range g.asked {
		m.introduce(q, v, now)
	}
	if m.modern {
		for i, s := range m.servers {
			if s.in && s.lost == "" {
				m.greeted, m.ready, m.protocol = true, true, stateless
				m.follow(i, v)
			}
		}
		if m.greeted {
			m.release(greeting, v, now)
			m.tell(v)
			return
		}
		m.modern = false
	}
	waiting := m.waiting // for a greeting of the other era
	m.waiting = nil
	for _, q := range waiting {
		m.refuse(q, unusable, v, now)
	}
}

var unusable = &runtime.Refusal{Rule: runtime.RuleLost, Reason: "none of the servers can be used", Next: "standard error and the audit log say why"}

// introduce answers initialize for all servers: with the lowest version of
// theirs, for those of 2026-07-28 speak whatever the client does.
func (m *Mux) introduce(q *request, v *Verdict, now time.Time) {
	some := false
	for _, s := range m.servers {
		if s.in && s.lost == "" {
			some = true
			if !s.modern && (m.protocol == "" || s.version < m.protocol) {
				m.protocol = s.version
			}
		}
	}
	if !some {
		m.refuse(q, unusable, v, now)
		return
	}
	if m.protocol == "" {
		hello := jsonrpc.Range{End: len(m.hello)}
		asked := string((&jsonrpc.Message{Bytes: m.hello}).Text(jsonrpc.Find(m.hello, hello, "protocolVersion"), nil))
		if m.protocol = newest; slices.Contains(runtime.MinVersions(), asked) && asked < stateless {
			m.protocol = asked
		}
	}
	m.judge(Greeted, v)
	m.greeted = true
	result := jsonrpc.AppendString([]byte(`{"protocolVersion":`), m.protocol)
	result = append(append(append(result, `,"capabilities":`...), m.capabilities()...), `,"serverInfo":`...)
	result = m.appendInstructions(append(result, m.serverInfo()...))
	m.reply(q, jsonrpc.AppendResult(nil, q.id, append(result, '}')), v)
}

// discovered is the result of server/discover for all servers.
func (m *Mux) discovered() []byte {
	result := append([]byte(`{"resultType":"complete","supportedVersions":["`+stateless+`"],"capabilities":`), m.capabilities()...)
	result = append(m.appendInstructions(result), `,"ttlMs":0,"cacheScope":"private","_meta":{"`+prefixed+`serverInfo":`...)
	return append(append(result, m.serverInfo()...), "}}"...)
}

func (m *Mux) serverInfo() []byte {
	var in, out []string
	for _, s := range m.servers {
		if s.in && s.lost == "" {
			in = append(in, s.name)
		} else {
			out = append(out, s.name)
		}
	}
	for _, a := range m.Absent {
		out = append(out, a.Name)
	}
	title := "Sallyport: " + strings.Join(in, ", ")
	if len(out) > 0 {
		title += " (left out: " + strings.Join(out, ", ") + ")"
	}
	info := jsonrpc.AppendString([]byte(`{"name":"sallyport","title":`), title)
	return append(jsonrpc.AppendString(append(info, `,"version":`...), m.Version), '}')
}

func (m *Mux) appendInstructions(result []byte) []byte {
	var texts []string
	for i, s := range m.servers {
		if s.in && s.instructions != "" && !m.hides(i, runtime.Instructions, "") {
			texts = append(texts, fmt.Sprintf("# %s (names that begin with %s%s)\n\n%s", s.slug, s.slug, separator, quote(s.instructions)))
		}
	}
	if len(texts) == 0 {
		return result
	}
	return jsonrpc.AppendString(append(result, `,"instructions":`...), strings.Join(texts, "\n\n"))
}

// refusal is why a server's session refuses everything, nil if it does not.
func (m *Mux) refusal(i int) *runtime.Refusal {
	if m.Refused == nil {
		return nil
	}
	return m.Refused(i)
}

// leaveOut says that a server is not part of the connection.
func (m *Mux) leaveOut(i int, reason string, v *Verdict) {
	if m.left {
		return
	}
	if no := m.refusal(i); no != nil {
		reason = no.Reason + " [" + no.Rule + "]"
	}
	if m.LeftOut != nil {
		m.LeftOut(i, reason)
	}
	m.warn(fmt.Sprintf("the server %s is left out: %s", m.servers[i].slug, reason), v)
}

const maxWarnings = 100

// warn tells the person at the client, as far as its version has a way.
func (m *Mux) warn(text string, v *Verdict) {
	if len(m.warnings) < maxWarnings {
		m.warnings = append(m.warnings, text)
	}
	m.tell(v)
}

// tell gives the client the warnings that it may have: behind the handshake, or
// once it has asked for messages of their level (2026-07-28, logLevel).
func (m *Mux) tell(v *Verdict) {
	if !m.greeted || !m.ready || m.left || m.modern && m.said.level == nil {
		return
	}
	for _, text := range m.warnings {
		switch string(m.said.level) {
		case `"error"`, `"critical"`, `"alert"`, `"emergency"`:
			continue
		}
		params := jsonrpc.AppendString([]byte(`{"level":"warning","logger":"sallyport","data":`), "Sallyport: "+text)
		v.ToClient = append(v.ToClient, notification("notifications/message", append(params, '}')))
	}
	m.warnings = nil
}

// quote puts a mark before each line of a server's text, so that none can begin
// what looks like another server's.
func quote(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { // whatever a reader takes for the end of a line
		return r >= '\n' && r <= '\r' || r == 0x85 || r == 0x2028 || r == 0x2029
	})
	return "> " + strings.Join(lines, "\n> ")
}

// can reports whether a server has a capability.
func (m *Mux) can(i int, path ...string) bool {
	s := m.servers[i]
	is := has(s.capabilities, path...).In(s.capabilities)
	return s.in && s.lost == "" && is != nil && string(is) != "false"
}

func (m *Mux) any(path ...string) bool {
	for i := range m.servers {
		if m.can(i, path...) {
			return true
		}
	}
	return false
}

// capabilities are those that one server has at least, and that the mux passes
// on. Lists may always change: a server may end.
func (m *Mux) capabilities() []byte {
	members := []string{`"logging":{}`} // the mux has something to say itself
	if m.any("completions") {
		members = append(members, `"completions":{}`)
	}
	for _, name := range []string{"prompts", "tools"} {
		if m.any(name) {
			members = append(members, `"`+name+`":{"listChanged":true}`)
		}
	}
	if m.any("resources", "subscribe") {
		members = append(members, `"resources":{"listChanged":true,"subscribe":true}`)
	} else if m.any("resources") {
		members = append(members, `"resources":{"listChanged":true}`)
	}
	if !m.modern && m.any("tasks", "requests", "tools", "call") {
		members = append(members, `"tasks":{"cancel":{},"requests":{"tools":{"call":{}}}}`)
	}
	slices.Sort(members)
	return []byte("{" + strings.Join(members, ",") + "}")
}
