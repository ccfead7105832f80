package mux

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// route sends a request to the one server that it is about. What only a list
// can tell waits for one; listed says that it has waited.
func (m *Mux) route(q *request, msg *jsonrpc.Message, listed bool, v *Verdict, now time.Time) {
	var needs []string
	at, kind := msg.Name, ""
	switch msg.Method {
	case "tools/call":
		kind, needs = "tool", []string{"tool"}
	case "prompts/get":
		kind, needs = "prompt", []string{"prompt"}
	case "completion/complete":
		if at = msg.Find(msg.Params, "ref", "name"); !at.IsZero() {
			kind, needs = "prompt", []string{"prompt"}
			break
		}
		at, needs = msg.Find(msg.Params, "ref", "uri"), []string{"resource", "template"}
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		at, needs = msg.URI, []string{"resource", "template"}
	default: // tasks
		at = msg.Find(msg.Params, "taskId")
	}
	text := msg.Text(at, nil)
	if text == nil {
		m.refuse(q, &runtime.Refusal{Rule: runtime.RuleMessage, Reason: "it does not say what it is about"}, v, now)
		return
	}
	named := string(text)
	q.named = named
	needs = slices.DeleteFunc(needs, func(kind string) bool { return m.tables[kind].fresh(now) })
	if len(needs) > 0 && !listed {
		m.hold(q, msg, needs, v, now)
		return
	}
	var changes []change
	var no *runtime.Refusal
	switch {
	case kind != "":
		var to target
		if to, no = m.resolve(kind, named); no == nil {
			q.server = to.server
			changes = []change{{at, jsonrpc.AppendString(nil, to.name)}}
		}
	case strings.HasPrefix(msg.Method, "tasks/"):
		q.server, no = m.one(m.tasks[named], "the task", "begun")
	default:
		q.server, no = m.ownerOf(named)
	}
	if no == nil && m.servers[q.server].lost != "" {
		no = m.lostOf(m.servers[q.server])
	}
	var p *pause
	if no == nil && m.modern {
		p, no = m.pauseOf(q, msg)
	}
	if no != nil {
		q.server = -1
		m.refuse(q, no, v, now)
		return
	}
	modern := m.servers[q.server].modern
	switch {
	case p != nil:
		m.resume(q, p, msg, v, now)
		return
	case modern && msg.Method == "resources/subscribe":
		m.watch(q, named, v)
		return
	case modern && msg.Method == "resources/unsubscribe":
		m.unwatch(q, named, v)
		return
	}
	frame := m.forward(q.server, msg, changes...)
	if q.frame = nil; modern && !m.modern && roundable(msg.Method) {
		q.frame = frame
	}
	m.send(q.server, frame, v)
}

// resolve finds the one definition that an offered name leads to. What is not
// listed goes to the session whose name it bears: that says why it is not there.
func (m *Mux) resolve(kind, offered string) (target, *runtime.Refusal) {
	if to, ok := m.tables[kind].names[offered]; ok {
		return to, nil
	}
	if slug, name, ok := split(offered); ok {
		for i, s := range m.servers {
			if s.slug == slug {
				return target{i, name}, nil
			}
		}
	}
	return target{}, &runtime.Refusal{Rule: runtime.RuleHidden, Reason: "no server behind this connection has a " + kind + " of this name", Next: "ask for the list again"}
}

// owners are the servers that a URI belongs to: those that list it, else those
// whose results have handed it out and those with a template for it. A result
// takes nothing away from a template: it would be a way to answer for another
// server's resources.
func (m *Mux) owners(uri string) map[int]bool {
	if of := m.tables["resource"].owners[uri]; len(of) > 0 {
		return of
	}
	if of := m.tables["template"].owners[uri]; len(of) > 0 { // completion/complete names the template
		return of
	}
	of := map[int]bool{}
	maps.Copy(of, m.linked[uri])
	for i, s := range m.servers {
		for _, it := range s.offers["template"] {
			if runtime.Expands(it.name, uri) {
				of[i] = true
			}
		}
	}
	return of
}

func (m *Mux) ownerOf(uri string) (int, *runtime.Refusal) {
	of := m.owners(uri)
	if len(of) == 0 { // with one server that has resources, it is that one's to answer
		of = map[int]bool{}
		for i := range m.having("resources") {
			of[i] = true
		}
		if len(of) > 1 {
			return -1, &runtime.Refusal{Rule: runtime.RuleHidden, Reason: "no list, template or result of a server has this resource", Next: "ask for the list of resources again"}
		}
	}
	return m.one(of, "the resource", "offered")
}

// one is the only server of a set.
func (m *Mux) one(of map[int]bool, what, done string) (int, *runtime.Refusal) {
	var slugs []string
	last := -1
	for i, s := range m.servers {
		if of[i] {
			slugs, last = append(slugs, s.slug), i
		}
	}
	switch len(slugs) {
	case 1:
		return last, nil
	case 0:
		return -1, &runtime.Refusal{Rule: runtime.RuleHidden, Reason: what + " is none that a server behind this connection has " + done}
	}
	return -1, &runtime.Refusal{Rule: runtime.RuleListing, Reason: fmt.Sprintf("%s is %s by several servers (%s), and nobody can say whose is meant", what, done, strings.Join(slugs, ", ")), Next: "connect one of them by itself"}
}

// remember notes what a result hands out: resources and tasks.
func (m *Mux) remember(i int, msg *jsonrpc.Message) {
	if msg.Result.IsZero() {
		return
	}
	note := func(all map[string]map[int]bool, r jsonrpc.Range) { remember(all, string(msg.Text(r, nil)), i) }
	note(m.tasks, msg.Find(msg.Result, "task", "taskId"))
	for _, list := range []string{"content", "contents"} {
		for _, el := range jsonrpc.Elements(msg.Bytes, msg.Find(msg.Result, list)) {
			note(m.linked, msg.Find(el, "uri"))
			note(m.linked, msg.Find(el, "resource", "uri"))
		}
	}
}

// remember notes that a handle is a server's, too.
func remember(all map[string]map[int]bool, handle string, i int) {
	if handle == "" {
		return
	}
	if all[handle] == nil && len(all) < maxRemember {
		all[handle] = map[int]bool{}
	}
	if all[handle] != nil {
		all[handle][i] = true
	}
}
