package mux

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// kinds of definitions, and what lists them.
var kinds = []string{"tool", "prompt", "resource", "template"}

var lists = map[string]struct{ method, member, name, capability string }{
	"tool":     {"tools/list", "tools", "name", "tools"},
	"prompt":   {"prompts/list", "prompts", "name", "prompts"},
	"resource": {"resources/list", "resources", "uri", "resources"},
	"template": {"resources/templates/list", "resourceTemplates", "uriTemplate", "resources"},
}

func kindOf(method string) string {
	for _, kind := range kinds {
		if lists[kind].method == method {
			return kind
		}
	}
	return ""
}

// item is one definition as a session has let it pass.
type item struct {
	name string // what it is called by its server: a name, a URI or a template
	raw  []byte
	at   jsonrpc.Range // of the name, in raw
}

// items are the definitions of a page.
func items(kind string, msg *jsonrpc.Message) []item {
	var out []item
	for _, el := range jsonrpc.Elements(msg.Bytes, msg.Find(msg.Result, lists[kind].member)) {
		raw := bytes.Clone(el.In(msg.Bytes))
		at := jsonrpc.Find(raw, jsonrpc.Range{End: len(raw)}, lists[kind].name)
		if name := (&jsonrpc.Message{Bytes: raw}).Text(at, nil); len(name) > 0 {
			out = append(out, item{string(name), raw, at})
		}
	}
	return out
}

// page makes the request for a page of a server's list; cursor is raw, nil for
// the first.
func (m *Mux) page(server int, kind string, cursor []byte) func(id []byte) []byte {
	params := []byte{'{'}
	if m.servers[server].modern {
		params = append(append(params, `"_meta":`...), m.meta()...)
	}
	if cursor != nil {
		if len(params) > 1 {
			params = append(params, ',')
		}
		params = append(append(params, `"cursor":`...), cursor...)
	}
	params = append(params, '}')
	return func(id []byte) []byte { return requestFrame(id, lists[kind].method, params) }
}

// target is what an offered name leads to.
type target struct {
	server int
	name   string
}

// table is what is offered of one kind.
type table struct {
	names  map[string]target
	owners map[string]map[int]bool // of URIs
	listed time.Time               // when all servers were last asked; zero: not since the last change

	cursor string   // of the client, for the rest of the last answer
	rest   [][]byte // definitions of it
}

// fresh is how long a list counts, as in a session.
const fresh = 10 * time.Minute

func (t *table) forget() { t.listed = time.Time{} }

func (t *table) fresh(now time.Time) bool { return !t.listed.IsZero() && now.Sub(t.listed) < fresh }

// index makes the table of a kind anew. A name that would lead to two
// definitions leads to none.
func (m *Mux) index(kind string) {
	t := m.tables[kind]
	t.names, t.owners = map[string]target{}, map[string]map[int]bool{}
	both := map[string]bool{}
	for i, s := range m.servers {
		for _, it := range s.offers[kind] {
			if t.owners[it.name] == nil {
				t.owners[it.name] = map[int]bool{}
			}
			t.owners[it.name][i] = true
			to, offered := target{i, it.name}, Offer(s.slug, it.name)
			if old, ok := t.names[offered]; ok && old != to {
				both[offered] = true
			}
			t.names[offered] = to
		}
	}
	for offered := range both {
		delete(t.names, offered)
	}
}

// longestPage bounds the bytes of definitions in one answer.
const longestPage = 4 << 20

// list answers a client's request for a list.
func (m *Mux) list(q *request, kind string, msg *jsonrpc.Message, v *Verdict, now time.Time) {
	t := m.tables[kind]
	if at := msg.Find(msg.Params, "cursor"); !at.IsZero() && string(at.In(msg.Bytes)) != "null" {
		if cursor := string(msg.Text(at, nil)); cursor == "" || cursor != t.cursor {
			m.reply(q, jsonrpc.AppendError(nil, q.id, jsonrpc.CodeInvalidParams, "Sallyport: the cursor is none of this list; ask for its first page", nil), v)
			return
		}
		m.answerPage(q, kind, v)
		return
	}
	m.gather(kind, q, v, now)
}

// gather asks every server that has a kind of definitions for all of them.
func (m *Mux) gather(kind string, q *request, v *Verdict, now time.Time) {
	for g := range m.gathers {
		if g.what == kind && !g.done { // two at once would look to a session like a list that repeats itself
			if q != nil {
				g.asked = append(g.asked, q)
			}
			return
		}
	}
	late := map[int]bool{}
	for _, p := range m.own {
		if p.what == kind {
			late[p.server] = true
		}
	}
	g := m.gathering(kind, q, now)
	for i := range m.having(lists[kind].capability) {
		if !late[i] {
			g.left++
			m.ask(&part{gathering: g, server: i}, m.page(i, kind, nil), v)
		}
	}
	if g.left == 0 {
		m.complete(g, v, now)
	}
}

// answerList begins the answer with all that is offered.
func (m *Mux) answerList(q *request, kind string, v *Verdict) {
	t := m.tables[kind]
	t.rest = nil
	for i, s := range m.servers {
		seen := map[string]bool{}
		for _, it := range s.offers[kind] {
			if m.hides(i, kind, it.name) {
				continue
			}
			if kind == "resource" || kind == "template" {
				t.rest = append(t.rest, it.raw)
				continue
			}
			offered := Offer(s.slug, it.name)
			if t.names[offered] != (target{i, it.name}) || seen[it.name] {
				continue
			}
			seen[it.name] = true
			t.rest = append(t.rest, splice(it.raw, jsonrpc.Range{End: len(it.raw)}, change{it.at, jsonrpc.AppendString(nil, offered)}))
		}
	}
	m.answerPage(q, kind, v)
}

// Greeted is what is complete when the servers have said who they are.
const Greeted = greeting

// judge asks what is withheld, now that something is complete. Lists that the
// client may have are other ones where that has changed.
func (m *Mux) judge(complete string, v *Verdict) {
	if m.Withheld == nil {
		return
	}
	was := m.withheld
	m.withheld = m.Withheld(complete)
	for _, kind := range kinds {
		for i := range m.servers {
			if kind != complete && i < len(was) && !m.tables[kind].listed.IsZero() &&
				!(maps.Equal(was[i][kind], m.withheld[i][kind]) && maps.Equal(was[i][runtime.Everything], m.withheld[i][runtime.Everything])) {
				m.changed(kind, v)
			}
		}
	}
}

// hides reports whether the client is not shown something of a server.
func (m *Mux) hides(server int, kind, name string) bool {
	return server < len(m.withheld) && (m.withheld[server][kind][name] || m.withheld[server][runtime.Everything][""])
}

// answerPage answers with the next of it.
func (m *Mux) answerPage(q *request, kind string, v *Verdict) {
	t := m.tables[kind]
	result := append([]byte(`{"`), lists[kind].member+`":[`...)
	n := 0
	for size := 0; n < len(t.rest) && (n == 0 || size+len(t.rest[n]) <= longestPage); n++ {
		if n > 0 {
			result = append(result, ',')
		}
		result = append(result, t.rest[n]...)
		size += len(t.rest[n])
	}
	result = append(result, ']')
	t.rest, t.cursor = t.rest[n:], ""
	if len(t.rest) > 0 {
		m.count++
		t.cursor = prefix + strconv.Itoa(m.count)
		result = jsonrpc.AppendString(append(result, `,"nextCursor":`...), t.cursor)
	}
	if m.modern {
		result = append(result, `,"resultType":"complete","ttlMs":0,"cacheScope":"private"`...)
	}
	m.reply(q, jsonrpc.AppendResult(nil, q.id, append(result, '}')), v)
}

// hold lets a request wait until what it needs is listed.
func (m *Mux) hold(q *request, msg *jsonrpc.Message, needs []string, v *Verdict, now time.Time) {
	if !m.wait(q, msg, needs, v, now) {
		return
	}
	for _, kind := range needs {
		m.gather(kind, nil, v, now)
	}
}

func (m *Mux) wait(q *request, msg *jsonrpc.Message, needs []string, v *Verdict, now time.Time) bool {
	if len(m.waiting) >= maxWaiting {
		m.refuse(q, &runtime.Refusal{Rule: runtime.RuleListing, Reason: "too many requests wait for the servers' lists", Next: "try again later"}, v, now)
		return false
	}
	q.frame, q.needs = bytes.Clone(msg.Raw()), needs
	m.waiting = append(m.waiting, q)
	return true
}

// release goes on with the requests that have waited for something: a kind of
// lists, or the greeting.
func (m *Mux) release(what string, v *Verdict, now time.Time) {
	waiting := m.waiting
	m.waiting = nil
	var ready []*request
	for _, q := range waiting {
		q.needs = slices.DeleteFunc(q.needs, func(need string) bool { return need == what })
		if len(q.needs) > 0 {
			m.waiting = append(m.waiting, q)
		} else {
			ready = append(ready, q)
		}
	}
	for _, q := range ready {
		var msg jsonrpc.Message
		if jsonrpc.NewScanner(jsonrpc.Options{}).Scan(q.frame, &msg) == nil { // it was scanned before
			m.dispatch(q, &msg, what != greeting, v, now)
		}
	}
}
