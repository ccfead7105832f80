package runtime

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/confusable"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

// kinds of definitions, and what lists them.
var kinds = []string{"tool", "prompt", "resource", "template"}

var listOf = map[string]struct {
	method, member string
	action         policy.Action
}{
	"tool":     {"tools/list", "tools", policy.ListTools},
	"prompt":   {"prompts/list", "prompts", policy.ListPrompts},
	"resource": {"resources/list", "resources", policy.ListResources},
	"template": {"resources/templates/list", "resourceTemplates", policy.ListResources},
}

func kindOf(method string) string {
	for kind, l := range listOf {
		if l.method == method {
			return kind
		}
	}
	return ""
}

// listing is what a server has shown of one kind of definition.
type listing struct {
	kind  string
	seen  map[string]*shown
	order []string // names as they first came

	complete bool      // all pages were seen
	verified time.Time // when the last page came
	pages    int       // of the listing under way
	cursors  map[string]bool
	round    map[string]string // digests of the listing under way, to see a name twice
	asking   bool              // a listing of our own is under way
	again    int               // listings of our own that a change made worthless
}

// rounds is how often a list is read anew that changes while it is read.
const rounds = 3

// shown is one definition as the session judged it.
type shown struct {
	digest string
	raw    []byte
	hidden *Refusal           // nil when it may be seen and used
	shape  *registry.Dispatch // how it calls other tools, as far as its schema says; nil until that is asked
}

func newListing(kind string) *listing {
	return &listing{kind: kind, seen: map[string]*shown{}, cursors: map[string]bool{}, round: map[string]string{}}
}

// forget makes what was verified count no longer, and what is under way not
// count when it ends.
func (l *listing) forget() { l.complete, l.verified, l.pages = false, time.Time{}, 0 }

func (l *listing) fresh(now time.Time, least time.Duration) bool {
	return l.complete && now.Sub(l.verified) < least
}

// use decides on a request that is about one definition: a tool's call, a
// prompt, a resource.
func (s *Session) use(m *jsonrpc.Message, q *request, k string, r audit.Record, v *Verdict, now time.Time) bool {
	l := s.lists["tool"]
	switch q.action {
	case policy.GetPrompt:
		l = s.lists["prompt"]
	case policy.ReadResource, policy.SubscribeResource:
		l = s.lists["resource"]
	}
	if s.enforcing() && !l.fresh(now, s.guard.Limits.Fresh) && s.needsList(l, q) {
		if len(s.calls) >= s.guard.Limits.Held {
			return s.always(v, r, m, &Refusal{Rule: RuleListing, Reason: "too many calls wait for the server's list", Next: "try again later"})
		}
		q.held = true
		s.begin(k, q)
		s.calls = append(s.calls, held{bytes.Clone(m.Raw()), k})
		s.askList(l, "", v, now)
		return false
	}
	no, rule := s.mayUse(l, m, q, now)
	if no != nil && s.deny(v, r, audit.Deny, no) {
		v.ToClient = append(v.ToClient, s.answer(no, q))
		return false
	}
	s.begin(k, q)
	if no == nil {
		s.allow(v, r, rule)
	}
	return true
}

// needsList reports whether only a list can say if something may be used.
func (s *Session) needsList(l *listing, q *request) bool {
	if l.kind == "resource" {
		return !s.linked[q.name] && (s.guard.pins == nil || !s.guard.pins.template(q.name))
	}
	return true
}

// mayUse decides by policy, by what the list has shown and by the arguments.
// Rule is the policy that allows it.
func (s *Session) mayUse(l *listing, m *jsonrpc.Message, q *request, now time.Time) (no *Refusal, rule string) {
	d := s.decide(q.action, q.name, m.Arguments.In(m.Bytes), now)
	if !d.Allowed {
		return refused(d, "it is not allowed"), ""
	}
	if l.kind == "resource" {
		if no := s.mayRead(l, q); no != nil {
			return no, ""
		}
		return s.limited(q, &d, now), d.Rule
	}
	def := l.seen[q.name]
	switch {
	case def != nil && def.hidden != nil:
		return def.hidden, ""
	case def == nil && (s.enforcing() || l.complete):
		return &Refusal{Rule: RuleHidden, Reason: fmt.Sprintf("the server's list has no %s", name(l.kind, q.name)), Next: "ask for the list again"}, ""
	}
	if no := s.beside(l.kind, q.name); no != nil {
		return no, ""
	}
	if l.kind == "tool" {
		if s.guard.pins != nil {
			if p := s.guard.pins.items[key("tool", q.name)]; p != nil && p.tool != nil {
				if fault := p.argumentsOf().check(m.Bytes, m.Arguments); fault != "" {
					return &Refusal{Rule: RuleArguments, Reason: fault, Next: "call the tool as its approved schema says", model: true}, ""
				}
			}
		}
		if !s.guard.SecretsAllowed {
			if no := s.leaks(m, m.Arguments, "arguments"); no != nil {
				return no, ""
			}
			if no := s.leaks(m, m.Find(m.Params, "inputResponses"), "inputResponses"); no != nil {
				return no, ""
			}
		}
		if no := s.dispatched(q.name, &d, m.Bytes, m.Arguments, 1, now); no != nil {
			return no, ""
		}
	}
	return s.limited(q, &d, now), d.Rule
}

// mayRead: what is listed, what an approved template stands for, and what a
// result has handed out.
func (s *Session) mayRead(l *listing, q *request) *Refusal {
	if no := s.beside("resource", q.name); no != nil {
		return no
	}
	if def := l.seen[q.name]; def != nil {
		return def.hidden
	}
	if s.linked[q.name] || !s.enforcing() && !l.complete {
		return nil
	}
	if no := s.behind(q.name); no != nil {
		return no
	}
	if s.guard.pins != nil {
		if s.guard.pins.template(q.name) {
			return nil
		}
	} else {
		for uri, t := range s.lists["template"].seen {
			if t.hidden == nil && expands(uri, q.name) {
				return nil
			}
		}
		if len(s.lists["template"].seen) == 0 && !s.lists["template"].complete {
			return nil // nothing is known of what it offers
		}
	}
	return &Refusal{Rule: RuleHidden, Reason: fmt.Sprintf("neither a list, an approved template nor a result of the server has %s", name("resource", q.name)), Next: "ask for the list of resources again", uri: q.name}
}

// askList sends a request for a list in the shim's own name.
func (s *Session) askList(l *listing, cursor string, v *Verdict, now time.Time) {
	if l.asking && cursor == "" {
		return
	}
	l.asking = true
	id := s.ownID()
	q := &request{method: listOf[l.kind].method, action: listOf[l.kind].action, id: id, own: true, cursor: cursor != "", since: now}
	frame := append([]byte(`{"jsonrpc":"2.0","id":`), id...)
	frame = jsonrpc.AppendString(append(frame, `,"method":`...), q.method)
	frame = append(frame, `,"params":{`...)
	if len(s.meta) > 0 {
		frame = append(append(frame, `"_meta":`...), s.meta...)
		if cursor != "" {
			frame = append(frame, ',')
		}
	}
	if cursor != "" {
		frame = append(append(frame, `"cursor":`...), cursor...)
	}
	frame = append(frame, "}}"...)
	s.begin(idKey(id), q)
	r := s.record(audit.Shim, now)
	r.Method, r.RequestID, r.Bytes = q.method, id, int64(len(frame))
	s.allow(v, r, "")
	v.ToServer = append(v.ToServer, frame)
}

// listFailed refuses the calls that wait for a list which does not come.
func (s *Session) listFailed(q *request, v *Verdict, no *Refusal, now time.Time) {
	l := s.lists[kindOf(q.method)]
	l.asking = false
	s.release(v, now, no)
}

// release decides anew on the calls that have waited.
func (s *Session) release(v *Verdict, now time.Time, no *Refusal) {
	waiting := s.calls
	s.calls = nil
	for _, h := range waiting {
		q := s.open[h.key]
		if q == nil {
			continue
		}
		var m jsonrpc.Message
		scanner := jsonrpc.NewScanner(jsonrpc.Options{})
		if err := scanner.Scan(h.frame, &m); err != nil {
			continue // it was scanned before
		}
		l := s.lists["tool"]
		switch q.action {
		case policy.GetPrompt:
			l = s.lists["prompt"]
		case policy.ReadResource, policy.SubscribeResource:
			l = s.lists["resource"]
		}
		fault := no
		if no == nil && !l.fresh(now, s.guard.Limits.Fresh) && s.needsList(l, q) {
			if l.asking {
				s.calls = append(s.calls, h) // it waits for another list
				continue
			}
			fault = &Refusal{Rule: RuleListing, Reason: fmt.Sprintf("the server's list of %ss changes while it is read", l.kind), Next: "try again"}
		}
		q.held = false
		r := s.recordOf(audit.ClientToServer, &m, q.method, q.name, now)
		refusal, rule := fault, ""
		if refusal == nil {
			refusal, rule = s.mayUse(l, &m, q, now)
		}
		if refusal != nil && s.deny(v, r, audit.Deny, refusal) {
			s.finish(h.key, q)
			v.ToClient = append(v.ToClient, s.answer(refusal, q))
			continue
		}
		if refusal == nil {
			s.allow(v, r, rule)
		}
		v.ToServer = append(v.ToServer, h.frame)
	}
}

// listed judges one page of a list and returns its definitions without what
// must not be seen. It is nil when the page goes on as it came.
func (s *Session) listed(q *request, m *jsonrpc.Message, v *Verdict, now time.Time) (changed *edit) {
	l := s.lists[kindOf(q.method)]
	at := m.Find(m.Result, listOf[l.kind].member)
	whole := q.cursor && l.pages > 0 // every page of it so far was seen
	if !q.cursor {
		l.pages, whole = 0, true
		clear(l.cursors)
		clear(l.round)
		l.complete = false
	}
	l.pages++
	next := m.Find(m.Result, "nextCursor")
	cursor := string(next.In(m.Bytes))
	switch {
	case l.pages > s.guard.Limits.Pages || len(l.round) > s.guard.Limits.Items:
		s.stop(&Refusal{Rule: RuleListing, Reason: fmt.Sprintf("the list of %ss does not end", l.kind)}, v, now)
	case cursor != "" && l.cursors[cursor]:
		s.stop(&Refusal{Rule: RuleListing, Reason: fmt.Sprintf("the list of %ss comes back to a page that was there before", l.kind)}, v, now)
	}
	if v.Stop != nil {
		return nil
	}
	l.cursors[cursor] = true

	page := s.page(l, m, at, v, now)
	if v.Stop != nil {
		return nil
	}
	drop := func(i int, _ jsonrpc.Range) bool { return page[i] != nil && page[i].hidden != nil }
	if s.enforcing() && slices.ContainsFunc(page, func(d *shown) bool { return d != nil && d.hidden != nil }) {
		frame, _ := jsonrpc.Remove(nil, m.Bytes, at, drop)
		changed = &edit{at, frame[at.Start : len(frame)-(len(m.Bytes)-at.End)]}
	}
	if !whole {
		l.pages = 0
	} else if cursor == "" || cursor == "null" {
		l.complete, l.verified = true, now
		if !q.cursor { // the list in one piece: what is not in it is gone
			for n := range l.seen {
				if _, there := l.round[n]; !there {
					delete(l.seen, n)
				}
			}
			l.order = slices.DeleteFunc(l.order, func(n string) bool { return l.seen[n] == nil })
		}
	}
	return changed
}

// caching is what is changed of how long the answer may be kept, and by whom
// (2026-07-28, ttlMs and cacheScope). What was left out of it for one person is
// no other's answer, and nothing is kept for longer than it counts here.
func (s *Session) caching(m *jsonrpc.Message, filtered bool) []edit {
	if s.protocol != stateless || !s.enforcing() {
		return nil
	}
	ttl, scope := m.Find(m.Result, "ttlMs"), m.Find(m.Result, "cacheScope")
	if filtered {
		return []edit{{ttl, []byte("0")}, {scope, []byte(`"private"`)}}
	}
	longest := s.guard.Limits.Fresh.Milliseconds()
	if n, err := strconv.ParseFloat(string(ttl.In(m.Bytes)), 64); !ttl.IsZero() && (err != nil || n > float64(longest)) {
		return []edit{{ttl, strconv.AppendInt(nil, longest, 10)}}
	}
	return nil
}

// page judges the definitions of a page, by their position.
func (s *Session) page(l *listing, m *jsonrpc.Message, at jsonrpc.Range, v *Verdict, now time.Time) []*shown {
	var out []*shown
	var suspects []*suspect
	for _, el := range jsonrpc.Elements(m.Bytes, at) {
		raw := el.In(m.Bytes)
		tool, item := definition(l.kind, raw)
		if item == nil {
			out = append(out, s.hide(l.kind, "", &Refusal{Rule: RuleListing, Reason: "a definition that cannot be read"}, m, v, now))
			continue
		}
		called := item.Name.Raw()
		digest, err := manifest.ItemDigest(item)
		if err != nil {
			out = append(out, s.hide(l.kind, called, &Refusal{Rule: RuleListing, Reason: fmt.Sprintf("%s has no canonical form", name(l.kind, called))}, m, v, now))
			continue
		}
		before, twice := l.round[called]
		l.round[called] = digest
		d := &shown{digest: digest, raw: bytes.Clone(raw)}
		known := l.seen[called]
		if known == nil {
			l.order = append(l.order, called)
		}
		switch {
		case twice && before != digest:
			d.hidden = &Refusal{Rule: RuleListing, Reason: fmt.Sprintf("%s stands twice in the list, each time another", name(l.kind, called)), Next: "ask the server's author which one is meant"}
			s.hide(l.kind, called, d.hidden, m, v, now)
		case known != nil && known.digest == digest && known.hidden == nil && l.verified.After(time.Time{}):
			d.hidden = s.maySee(l, called, m, v, now) // judged before
		default:
			if p := s.pin(l.kind, called); p != nil && p.digest == digest {
				d.hidden = s.maySee(l, called, m, v, now)
			} else {
				suspects = append(suspects, &suspect{shown: d, tool: tool, item: item})
			}
		}
		l.seen[called] = d
		out = append(out, d)
	}
	if len(suspects) > 0 {
		s.examine(l, suspects, m, v, now)
	}
	return out
}

func (s *Session) pin(kind, called string) *pin {
	if s.guard.pins == nil {
		return nil
	}
	return s.guard.pins.items[key(kind, called)]
}

// suspect is a definition that is not, digest for digest, an approved one.
type suspect struct {
	*shown
	tool *analyzers.Tool
	item *analyzers.Item
}

// examine judges definitions that nobody has approved in this form.
func (s *Session) examine(l *listing, suspects []*suspect, m *jsonrpc.Message, v *Verdict, now time.Time) {
	var surface analyzers.Surface
	if s.guard.pins != nil {
		surface = without(s.guard.pins.surface, l.kind, suspects)
	}
	for _, x := range suspects {
		switch l.kind {
		case "tool":
			surface.Tools = append(surface.Tools, x.tool)
		case "prompt":
			surface.Prompts = append(surface.Prompts, x.item)
		case "resource":
			surface.Resources = append(surface.Resources, x.item)
		case "template":
			surface.Templates = append(surface.Templates, x.item)
		}
	}
	var found []rules.Finding
	if s.guard.pins != nil {
		found = s.guard.judge.drift(s.server.Name, surface)
	} else {
		found = s.guard.judge.surface(s.server.Name, surface)
	}
	for _, x := range suspects {
		called := x.item.Name.Raw()
		own := about(found, l.kind, called)
		if s.guard.pins == nil {
			x.hidden = s.unfit(l.kind, called, own, now)
		}
		switch {
		case x.hidden != nil:
		case s.guard.pins == nil && worst(own) < rules.High:
			x.hidden = s.maySee(l, called, m, v, now)
			continue
		case s.guard.pins == nil:
			x.hidden = &Refusal{Rule: own[top(own)].Rule.ID, Reason: fmt.Sprintf("%s: %s", name(l.kind, called), wrong(own[top(own)])), Next: "review the server; an approval with a manifest admits what people have read", Findings: recorded(own, rules.Low)}
		case worst(own) >= rules.High:
			f := own[top(own)]
			no := &Refusal{Rule: f.Rule.ID, Reason: fmt.Sprintf("the server is not what was approved: %s: %s", name(l.kind, called), wrong(f)), Next: "do not use the server until its author explains the change; sallyport manifest diff shows it", Findings: recorded(own, rules.Low)}
			x.hidden = no
			s.stop(no, v, now)
			if v.Stop != nil {
				return
			}
			continue
		default:
			rule, reason := RuleHidden, fmt.Sprintf("%s is not what was approved", name(l.kind, called))
			if len(own) > 0 {
				rule, reason = own[top(own)].Rule.ID, fmt.Sprintf("%s: %s", name(l.kind, called), wrong(own[top(own)]))
			}
			x.hidden = &Refusal{Rule: rule, Reason: reason, Next: "if the change is meant, review it and renew the manifest: sallyport manifest diff, sallyport registry approve", Findings: recorded(own, rules.Info)}
		}
		s.hide(l.kind, called, x.hidden, m, v, now)
	}
}

// unfit is why a definition that nobody has read is not shown although no
// finding on it is high: its name is none or is drawn like one on which the entry
// has decided, or a part of its schema stands elsewhere, where it can change and
// where a client may fetch it.
func (s *Session) unfit(kind, called string, own []rules.Finding, now time.Time) *Refusal {
	const next = "review the server; an approval with a manifest admits what people have read"
	if kind != "tool" {
		return nil
	}
	if !toolName.MatchString(called) {
		return &Refusal{Rule: "odd-tool-name", Reason: "a tool whose name is not shown: it holds what names do not hold", Next: next, Findings: recorded(own, rules.Info)}
	}
	if e := s.decide(policy.CallTool, called, nil, now).Entry; e != nil {
		for _, decided := range slices.Concat(e.Tools.Allow, e.Tools.Deny) {
			if decided != called && len(called) > 2 && confusable.Drawn(decided) == confusable.Drawn(called) {
				return &Refusal{Rule: "confusable-tool-name", Reason: fmt.Sprintf("%s is drawn like %s, on which the registry has decided", name(kind, called), name(kind, decided)), Next: next, Findings: recorded(own, rules.Low)}
			}
		}
	}
	for _, f := range own {
		if f.Rule.ID == "remote-schema" && f.Severity >= rules.Medium {
			return &Refusal{Rule: f.Rule.ID, Reason: fmt.Sprintf("%s: %s", name(kind, called), wrong(f)), Next: next, Findings: recorded(own, rules.Low)}
		}
	}
	return nil
}

// toolName is the form of a tool's name (2025-11-25, server/tools; SEP-986).
var toolName = pattern.New(`^[A-Za-z0-9_./-]{1,128}$`)

// without is the approved surface without definitions of these names.
func without(s *analyzers.Surface, kind string, suspects []*suspect) analyzers.Surface {
	names := map[string]bool{}
	for _, x := range suspects {
		names[x.item.Name.Raw()] = true
	}
	out := analyzers.Surface{Instructions: s.Instructions, Tools: slices.Clone(s.Tools), Prompts: slices.Clone(s.Prompts), Resources: slices.Clone(s.Resources), Templates: slices.Clone(s.Templates)}
	gone := func(i *analyzers.Item) bool { return names[i.Name.Raw()] }
	switch kind {
	case "tool":
		out.Tools = slices.DeleteFunc(out.Tools, func(t *analyzers.Tool) bool { return gone(&t.Item) })
	case "prompt":
		out.Prompts = slices.DeleteFunc(out.Prompts, gone)
	case "resource":
		out.Resources = slices.DeleteFunc(out.Resources, gone)
	case "template":
		out.Templates = slices.DeleteFunc(out.Templates, gone)
	}
	return out
}

// about are the findings on one definition.
func about(found []rules.Finding, kind, called string) []rules.Finding {
	var out []rules.Finding
	for _, f := range found {
		if f.Tool == called || strings.HasPrefix(f.Subject, kind+" "+called) {
			out = append(out, f)
		}
	}
	return out
}

// top is the place of the worst finding.
func top(found []rules.Finding) int {
	best := 0
	for i, f := range found {
		if f.Severity > found[best].Severity {
			best = i
		}
	}
	return best
}

// wrong is what a finding says, without a word of the target: a refusal is read
// by the model that it is to protect.
func wrong(f rules.Finding) string {
	title := f.Rule.Title
	return strings.ToLower(title[:1]) + title[1:]
}

// maySee is the policy's word on a definition: the one that a call would get.
func (s *Session) maySee(l *listing, called string, m *jsonrpc.Message, v *Verdict, now time.Time) *Refusal {
	if l.kind == "template" {
		return nil
	}
	d := s.decide(listOf[l.kind].action, called, nil, now)
	if d.Allowed {
		return nil
	}
	no := refused(d, "it is not allowed")
	s.hide(l.kind, called, no, m, v, now)
	return no
}

// hide records that a definition is left out.
func (s *Session) hide(kind, called string, no *Refusal, m *jsonrpc.Message, v *Verdict, now time.Time) *shown {
	r := s.recordOf(audit.ServerToClient, m, listOf[kind].method, called, now)
	s.deny(v, r, audit.Hide, no)
	return &shown{hidden: no}
}
