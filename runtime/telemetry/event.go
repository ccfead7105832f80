package telemetry

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime/audit"
)

// event is what telemetry keeps of a record: nothing in it is a part of the
// message, so that no frame is held by the queue.
type event struct {
	at       time.Time
	took     time.Duration // to judge
	session  string
	server   string // the registry's entry
	method   string // of the MCP specification, or other
	tool     string // of the registry, or other; "" where no tool is meant
	protocol string
	id       string // of the JSON-RPC message, as JSON
	down     bool   // from the client to the server
	decision string
	refused  bool
	enforced bool
	rule     string
	findings []finding
}

type finding struct{ rule, severity string }

// other stands for every value that is no label.
const other = "_OTHER"

func (t *Telemetry) event(r *audit.Record) event {
	e := event{
		at: r.Time, took: r.Duration, session: r.Session, down: r.Direction == audit.ClientToServer,
		server: "(unlisted)", method: known(methods, r.Method), protocol: known(protocols, r.Protocol),
		decision: known(decisions, r.Decision), refused: r.Refused(), enforced: r.Enforced, rule: r.Rule,
	}
	if r.Server != nil {
		e.server = cmp.Or(r.Server.Entry, e.server)
	}
	if e.method == "tools/call" {
		if e.tool = other; t.o.Known(e.server, r.Name) {
			e.tool = strings.Clone(r.Name)
		}
	}
	if len(r.RequestID) <= 128 && string(r.RequestID) != "null" {
		e.id = string(r.RequestID)
	}
	for _, f := range r.Findings[:min(len(r.Findings), 16)] {
		e.findings = append(e.findings, finding{f.RuleID, known(severities, f.Severity)})
	}
	return e
}

// known returns the list's own copy of s, or other; "" stays.
func known(list map[string]string, s string) string {
	if s == "" {
		return ""
	}
	return cmp.Or(list[s], other)
}

func set(words string) map[string]string {
	m := map[string]string{}
	for word := range strings.FieldsSeq(words) {
		m[word] = word
	}
	return m
}

var (
	// The methods of MCP, 2024-11-05 to 2025-11-25 and the stateless revision.
	methods = set(`initialize ping server/discover tools/list tools/call prompts/list prompts/get resources/list resources/read
		resources/templates/list resources/subscribe resources/unsubscribe subscriptions/listen completion/complete logging/setLevel
		sampling/createMessage elicitation/create roots/list tasks/get tasks/result tasks/cancel tasks/list tasks/update
		notifications/initialized notifications/cancelled notifications/progress notifications/message
		notifications/tools/list_changed notifications/prompts/list_changed notifications/resources/list_changed
		notifications/resources/updated notifications/roots/list_changed notifications/elicitation/complete notifications/tasks/status`)
	protocols  = set(`2024-11-05 2025-03-26 2025-06-18 2025-11-25 2026-07-28`)
	decisions  = set(`allow deny hide change drop stop start end`)
	severities = set(`info low medium high critical`)
)

// labels are the values that were seen of the labels that are not fixed: the
// registry and the policies are long, but not endless.
type labels map[[2]string]bool

const maxLabels = 2000 // of each kind together

func (l labels) bound(e *event) {
	e.server = l.one("server", e.server)
	if e.tool != "" {
		e.tool = l.one("tool "+e.server, e.tool)
	}
	e.rule = l.one("rule", e.rule)
	for i := range e.findings {
		e.findings[i].rule = l.one("rule", e.findings[i].rule)
	}
}

func (l labels) one(kind, value string) string {
	key := [2]string{kind, value}
	if l[key] {
		return value
	}
	if len(l) >= 3*maxLabels || len(value) > 256 {
		return other
	}
	l[[2]string{strings.Clone(kind), strings.Clone(value)}] = true
	return value
}

// calls are the requests without an answer.
type calls map[callKey]*event

type callKey struct {
	session, id string
	down        bool
}

const maxCalls = 4096

// take notes a request, or finds the one that e answers. It returns a request
// with the time that it took until its answer, or until it was refused.
func (c calls) take(e *event) (request *event, took time.Duration, ok bool) {
	if e.decision == audit.End {
		for key := range c {
			if key.session == e.session {
				delete(c, key)
			}
		}
		return nil, 0, false
	}
	if e.id == "" {
		return nil, 0, false
	}
	// The answer comes from the other side, under the id of the request.
	asked := callKey{e.session, e.id, !e.down}
	if request := c[asked]; request != nil && (e.method == "" || e.method == request.method) {
		delete(c, asked)
		return request, max(e.at.Sub(request.at), 0), true
	}
	if e.method == "" {
		return nil, 0, false
	}
	if e.refused && e.enforced {
		return e, e.took, true
	}
	if len(c) < maxCalls {
		kept := *e
		kept.findings = slices.Clone(e.findings)
		c[callKey{e.session, e.id, e.down}] = &kept
	}
	return nil, 0, false
}
