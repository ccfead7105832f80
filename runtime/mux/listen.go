package mux

import (
	"bytes"
	"slices"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// Until 2025-11-25 a server tells of changes by itself, and of a resource after
// resources/subscribe; since 2026-07-28 only on a stream that subscriptions/listen
// has opened (basic/patterns/subscriptions). The mux follows every server's lists
// by itself, and opens a stream of its own for the resources that a client wants
// to know of.

// wants is what a stream of the client is for.
type wants struct {
	kinds map[string]bool
	uris  map[string]bool // as far as servers agree
	plain map[string]int  // of these, servers with a handshake
}

func (w *wants) have(uris []string) {
	for _, uri := range uris {
		w.uris[uri] = true
	}
}

// stream is subscriptions/listen of the mux's own.
type stream struct {
	server int
	id     []byte
	uris   []string // none: the lists
	of     *request // of the client
	part   *part    // nil: it was acknowledged, or nobody waits for it
	first  *request // resources/subscribe of a client with a handshake
}

// noted are the members of a filter.
var noted = []struct{ kind, member string }{
	{"tool", "toolsListChanged"}, {"prompt", "promptsListChanged"}, {"resource", "resourcesListChanged"},
}

// stream opens one.
func (m *Mux) stream(st *stream, filter []byte, v *Verdict) {
	st.id = m.ownID()
	m.streams[idKey(st.id)] = st
	params := member([]byte{'{'}, []byte(`"_meta"`), m.meta())
	params = append(member(params, []byte(`"notifications"`), filter), '}')
	m.send(st.server, requestFrame(st.id, "subscriptions/listen", params), v)
}

// follow asks a server of 2026-07-28 to tell of its lists.
func (m *Mux) follow(i int, v *Verdict) {
	s := m.servers[i]
	if !s.in || !s.modern || !m.ready || s.lost != "" || s.followed {
		return
	}
	s.followed = true
	filter := []byte{'{'}
	for _, n := range noted {
		if string(has(s.capabilities, lists[n.kind].capability, "listChanged").In(s.capabilities)) == "true" {
			filter = member(filter, []byte(`"`+n.member+`"`), []byte("true"))
		}
	}
	if len(filter) > 1 {
		m.stream(&stream{server: i}, append(filter, '}'), v)
	}
}

func resources(uris []string) []byte {
	out := []byte(`{"resourceSubscriptions":[`)
	for i, uri := range uris {
		if i > 0 {
			out = append(out, ',')
		}
		out = jsonrpc.AppendString(out, uri)
	}
	return append(out, "]}"...)
}

// maxUpdates bounds the resources of one stream, as in a session.
const maxUpdates = 1000

// listen opens a stream for a client of 2026-07-28.
func (m *Mux) listen(q *request, msg *jsonrpc.Message, listed bool, v *Verdict, now time.Time) {
	filter := msg.Find(msg.Params, "notifications")
	var uris []string
	for _, el := range jsonrpc.Elements(msg.Bytes, msg.Find(filter, "resourceSubscriptions")) {
		if uri := string(msg.Text(el, nil)); len(uris) < maxUpdates && !slices.Contains(uris, uri) {
			uris = append(uris, uri)
		}
	}
	needs := slices.DeleteFunc([]string{"resource", "template"}, func(kind string) bool { return m.tables[kind].fresh(now) })
	if len(uris) > 0 && len(needs) > 0 && !listed {
		m.hold(q, msg, needs, v, now)
		return
	}
	w := &wants{map[string]bool{}, map[string]bool{}, map[string]int{}}
	for _, n := range noted {
		w.kinds[n.kind] = string(msg.Find(filter, n.member).In(msg.Bytes)) == "true" && m.any(lists[n.kind].capability)
	}
	q.wants = w
	of := map[int][]string{}
	for _, uri := range uris {
		i, no := m.ownerOf(uri)
		if no == nil && m.servers[i].lost == "" && m.can(i, "resources", "subscribe") {
			of[i] = append(of[i], uri)
		} // else it is none of those that are agreed to
	}
	g := m.gathering(listening, q, now)
	for i, s := range m.servers {
		switch {
		case len(of[i]) == 0:
		case s.modern:
			g.left++
			m.stream(&stream{server: i, uris: of[i], of: q, part: &part{gathering: g, server: i}}, resources(of[i]), v)
		default:
			for _, uri := range of[i] {
				w.plain[uri] = i
				g.left++
				m.ask(&part{gathering: g, server: i, uris: []string{uri}}, func(id []byte) []byte {
					return requestFrame(id, "resources/subscribe", append(jsonrpc.AppendString([]byte(`{"uri":`), uri), '}'))
				}, v)
			}
		}
	}
	if g.left == 0 {
		m.complete(g, v, now)
	}
}

// acknowledge tells the client what its stream will tell.
func (m *Mux) acknowledge(q *request, v *Verdict) {
	filter := []byte{'{'}
	for _, n := range noted {
		if q.wants.kinds[n.kind] {
			filter = member(filter, []byte(`"`+n.member+`"`), []byte("true"))
		}
	}
	if len(q.wants.uris) > 0 {
		var uris []string
		for uri := range q.wants.uris {
			uris = append(uris, uri)
		}
		slices.Sort(uris)
		list := resources(uris)
		if len(filter) > 1 {
			filter = append(filter, ',')
		}
		filter = append(filter, list[1:len(list)-1]...)
	}
	params := member([]byte{'{'}, []byte(`"notifications"`), append(filter, '}'))
	v.ToClient = append(v.ToClient, onStream("notifications/subscriptions/acknowledged", params, q))
}

// onStream is a notification of a client's stream; params are not closed.
func onStream(method string, params []byte, q *request) []byte {
	id := append(append([]byte(`{"`+prefixed+`subscriptionId":`), q.id...), '}')
	return notification(method, append(member(params, []byte(`"_meta"`), id), '}'))
}

// acknowledged is a server's word on a stream of the mux.
func (m *Mux) acknowledged(i int, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	st := m.streams[idKey(msg.Find(msg.Meta, prefixed+"subscriptionId").In(msg.Bytes))]
	if st == nil || st.server != i {
		return
	}
	var agreed []string
	for _, el := range jsonrpc.Elements(msg.Bytes, msg.Find(msg.Params, "notifications", "resourceSubscriptions")) {
		if uri := string(msg.Text(el, nil)); slices.Contains(st.uris, uri) {
			agreed = append(agreed, uri)
		}
	}
	if p := st.part; p != nil {
		st.part = nil
		st.of.wants.have(agreed)
		if !p.done {
			m.share(p, v, now)
		}
	}
	if q := st.first; q != nil {
		st.first = nil
		m.reply(q, jsonrpc.AppendResult(nil, q.id, []byte("{}")), v)
	}
}

// unstreamed is the end of a stream of the mux.
func (m *Mux) unstreamed(k string, st *stream, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	delete(m.streams, k)
	if p := st.part; p != nil && !p.done {
		m.share(p, v, now)
	}
	if st.of != nil {
		for _, uri := range st.uris {
			delete(st.of.wants.uris, uri)
		}
	}
	if q := st.first; q != nil {
		frame := jsonrpc.AppendResult(nil, q.id, []byte("{}"))
		if !msg.Error.IsZero() {
			frame = exchange(msg, change{msg.ID, q.id})
		}
		m.reply(q, frame, v)
	}
}

// unlisten ends a stream that the client has cancelled.
func (m *Mux) unlisten(q *request, v *Verdict) {
	for g := range m.gathers {
		g.asked = slices.DeleteFunc(g.asked, func(w *request) bool { return w == q })
	}
	for i := range m.servers {
		for k, st := range m.streams {
			if st.server == i && st.of == q {
				delete(m.streams, k)
				m.send(i, cancelled(st.id), v)
			}
		}
		for uri, of := range q.wants.plain {
			if of == i && !m.wanted(uri) {
				m.send(i, requestFrame(m.ownID(), "resources/unsubscribe", append(jsonrpc.AppendString([]byte(`{"uri":`), uri), '}')), v)
			}
		}
	}
}

// wanted reports whether a stream of the client is for a resource.
func (m *Mux) wanted(uri string) bool {
	for _, q := range m.open {
		if q.wants != nil && q.wants.uris[uri] {
			return true
		}
	}
	return false
}

// watch is resources/subscribe of a client with a handshake, at a server of
// 2026-07-28. It is answered when the server has agreed.
func (m *Mux) watch(q *request, uri string, v *Verdict) {
	m.stream(&stream{server: q.server, uris: []string{uri}, first: q}, resources([]string{uri}), v)
}

// unstream takes back what a request that its client has cancelled has opened.
func (m *Mux) unstream(q *request, v *Verdict) bool {
	for k, st := range m.streams {
		if st.first == q {
			delete(m.streams, k)
			m.send(st.server, cancelled(st.id), v)
			return true
		}
	}
	return false
}

// unwatch takes it back.
func (m *Mux) unwatch(q *request, uri string, v *Verdict) {
	for k, st := range m.streams {
		if st.server == q.server && st.of == nil && st.first == nil && slices.Equal(st.uris, []string{uri}) {
			delete(m.streams, k)
			m.send(st.server, cancelled(st.id), v)
		}
	}
	m.reply(q, jsonrpc.AppendResult(nil, q.id, []byte("{}")), v)
}

// changed tells the client that a list is another one.
func (m *Mux) changed(kind string, v *Verdict) {
	m.tables[kind].forget()
	if kind == "template" {
		kind = "resource"
	}
	if !m.greeted || m.left {
		return
	}
	tell := func(frame []byte) {
		if !slices.ContainsFunc(v.ToClient, func(f []byte) bool { return bytes.Equal(f, frame) }) {
			v.ToClient = append(v.ToClient, frame)
		}
	}
	method := "notifications/" + kind + "s/list_changed"
	if !m.modern {
		tell(notification(method, nil))
		return
	}
	for _, q := range m.sorted() {
		if q.wants != nil && q.wants.kinds[kind] {
			tell(onStream(method, []byte{'{'}, q))
		}
	}
}

// updated tells the client that a resource is another one.
func (m *Mux) updated(uri string, msg *jsonrpc.Message, v *Verdict) {
	if !m.greeted || m.left {
		return
	}
	params := jsonrpc.AppendString([]byte(`{"uri":`), uri)
	if !m.modern {
		v.ToClient = append(v.ToClient, notification(msg.Method, append(params, '}')))
		return
	}
	for _, q := range m.sorted() {
		if q.wants != nil && q.wants.uris[uri] {
			v.ToClient = append(v.ToClient, onStream(msg.Method, bytes.Clone(params), q))
		}
	}
}
