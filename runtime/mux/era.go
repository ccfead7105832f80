package mux

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// prefixed is what the names of MCP in _meta begin with (2026-07-28).
const prefixed = "io.modelcontextprotocol/"

// said is what the client says of itself, raw: once in the handshake, or in
// _meta with every request.
type said struct{ info, capabilities, level []byte }

// note takes what a request of 2026-07-28 says of the client.
func (m *Mux) note(msg *jsonrpc.Message, v *Verdict, now time.Time) {
	keep := func(old *[]byte, at jsonrpc.Range) bool {
		is := at.In(msg.Bytes)
		if is == nil || bytes.Equal(*old, is) {
			return false
		}
		*old = bytes.Clone(is)
		return true
	}
	keep(&m.said.info, msg.ClientInfo)
	keep(&m.said.capabilities, msg.ClientCapabilities)
	if keep(&m.said.level, msg.Find(msg.Meta, prefixed+"logLevel")) && m.greeted {
		m.levels(nil, v, now)
		m.tell(v)
	}
}

// meta is _meta of the mux's own requests to a server of 2026-07-28.
func (m *Mux) meta() []byte { return append(m.appendMeta([]byte{'{'}), '}') }

func (m *Mux) appendMeta(dst []byte) []byte {
	dst = append(dst, `"`+prefixed+`protocolVersion":"`+stateless+`"`...)
	if m.said.info != nil {
		dst = append(append(dst, `,"`+prefixed+`clientInfo":`...), m.said.info...)
	}
	dst = append(append(dst, `,"`+prefixed+`clientCapabilities":`...), cmp.Or(string(m.said.capabilities), "{}")...)
	if m.said.level != nil {
		dst = append(append(dst, `,"`+prefixed+`logLevel":`...), m.said.level...)
	}
	return dst
}

// ofEra are the members of _meta, by the end of their names, that only a server
// of 2026-07-28 is to see.
var ofEra = []string{"protocolVersion", "clientInfo", "clientCapabilities", "logLevel"}

// forward is a request of the client as its server takes it: as it came but for
// the changes, or with the _meta of the server's era.
func (m *Mux) forward(server int, msg *jsonrpc.Message, changes ...change) []byte {
	modern := m.servers[server].modern
	if modern == m.modern {
		return exchange(msg, changes...)
	}
	meta := []byte{'{'}
	if modern {
		meta = m.appendMeta(meta)
	}
	for k, at := range jsonrpc.Members(msg.Bytes, msg.Meta) {
		if name, ours := bytes.CutPrefix(msg.Text(k, nil), []byte(prefixed)); ours && slices.Contains(ofEra, string(name)) {
			continue
		}
		meta = member(meta, k.In(msg.Bytes), at.In(msg.Bytes))
	}
	params := []byte{'{'}
	if len(meta) > 1 {
		params = member(params, []byte(`"_meta"`), append(meta, '}'))
	}
	for k, at := range jsonrpc.Members(msg.Bytes, msg.Params) {
		switch string(msg.Text(k, nil)) {
		case "_meta", "inputResponses", "requestState":
			continue
		}
		var inside []change
		for _, c := range changes {
			if at.Start <= c.at.Start && c.at.End <= at.End {
				inside = append(inside, c)
			}
		}
		params = member(params, k.In(msg.Bytes), splice(msg.Bytes, at, inside...))
	}
	return requestFrame(msg.ID.In(msg.Bytes), msg.Method, append(params, '}'))
}

// member appends a member to an object that is not closed; name is a JSON string.
func member(dst, name, value []byte) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(append(append(dst, name...), ':'), value...)
}

// modernised is what a server with a handshake answers, as a client of
// 2026-07-28 takes it.
func modernised(msg *jsonrpc.Message, method string, id []byte) []byte {
	changes := []change{{msg.ID, id}}
	if code := msg.Find(msg.Error, "code"); string(code.In(msg.Bytes)) == "-32002" { // "Resource not found" was a code of its own
		changes = append(changes, change{code, []byte("-32602")})
	}
	if result := msg.Result.In(msg.Bytes); len(result) > 1 && result[0] == '{' {
		more := []byte{'{'}
		add := func(name, value string) {
			if at := msg.Find(msg.Result, name); at.IsZero() {
				more = member(more, []byte(`"`+name+`"`), []byte(value))
			} else if name == "resultType" { // what else it says means nothing in its version
				changes = append(changes, change{at, []byte(value)})
			}
		}
		add("resultType", `"complete"`)
		if method == "resources/read" {
			add("ttlMs", "0")
			add("cacheScope", `"private"`)
		}
		if len(bytes.TrimSpace(result[1:len(result)-1])) > 0 && len(more) > 1 {
			more = append(more, ',')
		}
		begin := msg.Result.Start + 1
		changes = append(changes, change{jsonrpc.Range{Start: begin, End: begin}, more[1:]})
	}
	return exchange(msg, changes...)
}

// answer gives the client what its server has answered.
func (m *Mux) answer(q *request, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	modern := m.servers[q.server].modern
	switch {
	case m.modern && !modern:
		m.reply(q, modernised(msg, q.method, q.id), v)
	case modern && !m.modern && string(msg.Text(msg.Find(msg.Result, "resultType"), nil)) == inputRequired:
		m.takeRound(q, msg, v, now)
	default:
		m.reply(q, msg.Raw(), v)
	}
}

// requestFrame is a request; id and params are raw.
func requestFrame(id []byte, method string, params []byte) []byte {
	out := append(append([]byte(`{"jsonrpc":"2.0","id":`), id...), `,"method":`...)
	out = append(jsonrpc.AppendString(out, method), `,"params":`...)
	return append(append(out, params...), '}')
}

// notification is one; params are raw.
func notification(method string, params []byte) []byte {
	out := jsonrpc.AppendString([]byte(`{"jsonrpc":"2.0","method":`), method)
	if params != nil {
		out = append(append(out, `,"params":`...), params...)
	}
	return append(out, '}')
}

// cancelled takes back a request by its raw id.
func cancelled(id []byte) []byte {
	return notification("notifications/cancelled", append(append([]byte(`{"requestId":`), id...), '}'))
}
