package runtime

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules/dispatch"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

// maxDispatch bounds how deep a call may hide in calls, and how many one call
// may hold.
const (
	maxDispatch      = 4
	maxDispatchCalls = 100
)

// inner is a call inside the arguments of another.
type inner struct {
	name       string
	at         jsonrpc.Range // of the arguments, zero without
	b          []byte        // in which they are
	unreadable bool          // the name is no text, or has another spelling
}

// dispatched decides on the calls that lie in the arguments of a tool which
// calls others. What the entry says of such a tool counts as a direct call
// does; where only its schema looks like one, an inner name is refused that is
// known and would be refused, and no other. What the inner calls are tied to
// (limits, redaction) ties the whole: d becomes the tighter of both.
func (s *Session) dispatched(tool string, d *policy.Decision, b []byte, arguments jsonrpc.Range, depth int, now time.Time) *Refusal {
	entry := d.Entry
	how, declared := s.shapeOf(tool, entry)
	if how == (registry.Dispatch{}) || arguments.IsZero() {
		return nil
	}
	if depth > maxDispatch {
		return &Refusal{Rule: RuleArguments, Reason: fmt.Sprintf("it calls tools through tools, more than %d deep", maxDispatch), Next: "call the tool directly"}
	}
	if how.Code != "" {
		return s.mentioned(b, arguments, how.Code, entry, now)
	}
	calls := innerCalls(b, arguments, how)
	if len(calls) > maxDispatchCalls {
		return &Refusal{Rule: RuleArguments, Reason: fmt.Sprintf("it calls more than %d tools at once", maxDispatchCalls), Next: "call fewer at once"}
	}
	for _, c := range calls {
		if c.unreadable {
			if declared {
				return &Refusal{Rule: RuleArguments, Reason: "the tool that it is to call is not named as the entry says", Next: "name one tool, in the argument that the registry knows", model: true}
			}
			continue
		}
		if no := s.mayDispatch(c, declared, d, depth, now); no != nil {
			out := *no
			out.Reason = name("tool", tool) + " is to call " + name("tool", c.name) + ": " + no.Reason
			return &out
		}
	}
	return nil
}

// mayDispatch decides on one inner call.
func (s *Session) mayDispatch(c inner, declared bool, d *policy.Decision, depth int, now time.Time) *Refusal {
	entry := d.Entry
	if declared {
		in := s.decide(policy.CallTool, c.name, c.at.In(c.b), now)
		if !in.Allowed {
			return refused(in, "it is not allowed")
		}
		*d = d.Tighter(in)
	}
	for _, spelling := range spellings(c.name) {
		if no := s.denied(spelling, c, entry, now); no != nil {
			return no
		}
	}
	if def := s.pin("tool", c.name); def != nil && def.tool != nil && declared && !c.at.IsZero() {
		if fault := def.argumentsOf().check(c.b, c.at); fault != "" {
			return &Refusal{Rule: RuleArguments, Reason: fault, Next: "call the tool as its approved schema says", model: true}
		}
	}
	return s.dispatched(c.name, d, c.b, c.at, depth+1, now)
}

// denied is why a tool that is known must not be called: the list has it and
// hides it, the entry denies it, or it was approved of the server and is not
// allowed for this person. What is simply unknown is not denied.
func (s *Session) denied(called string, c inner, entry *registry.Entry, now time.Time) *Refusal {
	if def := s.lists["tool"].seen[called]; def != nil && def.hidden != nil {
		return def.hidden
	}
	known := s.lists["tool"].seen[called] != nil || s.pin("tool", called) != nil || entry != nil && slices.Contains(entry.Tools.Deny, called)
	if !known {
		return nil
	}
	if d := s.decide(policy.CallTool, called, c.at.In(c.b), now); !d.Allowed {
		return refused(d, "it is not allowed")
	}
	return nil
}

// spellings are what a dispatcher may take a name for: without white space
// around it, and without a server's name in front.
func spellings(called string) []string {
	out := []string{called}
	add := func(s string) {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	trimmed := strings.TrimSpace(called)
	add(trimmed)
	for _, separator := range []string{"__", "/", ":", "."} {
		if i := strings.LastIndex(trimmed, separator); i >= 0 {
			add(trimmed[i+len(separator):])
		}
	}
	if i := strings.Index(trimmed, "__"); i >= 0 { // a__b__c may be b__c of a
		add(trimmed[i+2:])
	}
	return out
}

// shapeOf is how a tool's arguments say what it calls: the entry's word, or
// what its definition looks like. The zero Dispatch is a tool like any other.
func (s *Session) shapeOf(tool string, entry *registry.Entry) (how registry.Dispatch, declared bool) {
	if entry != nil {
		for _, d := range entry.Tools.Dispatch {
			if d.Tool == tool {
				return d, true
			}
		}
	}
	def := s.lists["tool"].seen[tool]
	if def == nil {
		return registry.Dispatch{}, false
	}
	if def.shape == nil {
		def.shape = &registry.Dispatch{}
		if t, _ := definition("tool", def.raw); t != nil {
			if shape, ok := dispatch.Of(t); ok {
				*def.shape = registry.Dispatch{Tool: tool, Name: shape.Name, Arguments: shape.Arguments, Code: shape.Code}
			}
		}
	}
	return *def.shape, false
}

// innerCalls finds the calls in arguments.
func innerCalls(b []byte, arguments jsonrpc.Range, how registry.Dispatch) []inner {
	steps := strings.Split(how.Name, ".")
	member := steps[len(steps)-1]
	values := ""
	if how.Arguments != "" {
		values = how.Arguments[strings.LastIndexByte(how.Arguments, '.')+1:]
	}
	var out []inner
	var walk func(at jsonrpc.Range, steps []string)
	walk = func(at jsonrpc.Range, steps []string) {
		if len(out) > maxDispatchCalls || at.IsZero() {
			return
		}
		switch b[at.Start] {
		case '[':
			for _, el := range jsonrpc.Elements(b, at) {
				walk(el, steps)
			}
		case '{':
			if len(steps) > 1 {
				walk(jsonrpc.Find(b, at, steps[0]), steps[1:])
				return
			}
			if c, ok := innerCall(b, at, member, values); ok {
				out = append(out, c)
			}
		}
	}
	walk(arguments, steps)
	return out
}

// innerCall reads one object that names a tool; it is false for one that names
// none.
func innerCall(b []byte, at jsonrpc.Range, member, values string) (inner, bool) {
	m := jsonrpc.Message{Bytes: b}
	c := inner{b: b}
	for k := range jsonrpc.Members(b, at) {
		if key := string(m.Text(k, nil)); key != member && fold(key) == fold(member) {
			return inner{unreadable: true}, true // some decoder reads it as the name
		}
	}
	called := jsonrpc.Find(b, at, member)
	if called.IsZero() {
		return c, false
	}
	if b[called.Start] != '"' {
		return inner{unreadable: true}, true
	}
	c.name = string(m.Text(called, nil))
	if values == "" {
		return c, true
	}
	switch c.at = jsonrpc.Find(b, at, values); {
	case c.at.IsZero():
	case b[c.at.Start] == '"': // arguments as JSON in a text
		text := m.Text(c.at, nil)
		c.at = jsonrpc.Range{}
		if root, err := tree.Parse(&analyzers.Source{Path: "arguments", Bytes: text}, tree.JSON); err == nil && root.IsObject() {
			if root.Repeats() {
				return inner{unreadable: true}, true
			}
			c.b, c.at = text, jsonrpc.Range{Start: root.Span.Start, End: root.Span.End}
		}
	case b[c.at.Start] != '{':
		c.at = jsonrpc.Range{}
	}
	return c, true
}

// mentioned decides on code: a tool that it mentions and that must not be called is
// refused, whatever the code does with it.
func (s *Session) mentioned(b []byte, arguments jsonrpc.Range, member string, entry *registry.Entry, now time.Time) *Refusal {
	m := jsonrpc.Message{Bytes: b}
	at := arguments
	for step := range strings.SplitSeq(member, ".") {
		at = jsonrpc.Find(b, at, step)
	}
	if at.IsZero() || b[at.Start] != '"' {
		return nil
	}
	said := identifiers(string(m.Text(at, nil)))
	candidates := map[string]bool{}
	for called := range s.lists["tool"].seen {
		candidates[called] = true
	}
	if s.guard.pins != nil {
		for _, t := range s.guard.pins.surface.Tools {
			candidates[t.Name.Raw()] = true
		}
	}
	if entry != nil {
		for _, called := range entry.Tools.Deny {
			candidates[called] = true
		}
	}
	var mentioned []string
	for called := range candidates {
		if said[identifier(called)] {
			mentioned = append(mentioned, called)
		}
	}
	slices.Sort(mentioned) // the same call gets the same answer
	for _, called := range mentioned {
		if no := s.denied(called, inner{}, entry, now); no != nil {
			out := *no
			out.Reason = "the code names " + name("tool", called) + ": " + no.Reason
			return &out
		}
	}
	return nil
}

// identifiers are the words of code in the form in which they are compared:
// code calls delete_file, deleteFile and "delete-file".
func identifiers(code string) map[string]bool {
	out := map[string]bool{}
	letter := func(r rune) bool {
		return r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0x80
	}
	for word := range strings.FieldsFuncSeq(code, func(r rune) bool { return !letter(r) }) {
		out[identifier(word)] = true
		for _, part := range strings.Split(word, "-") { // a minus
			out[identifier(part)] = true
		}
		if i := strings.LastIndex(word, "__"); i >= 0 {
			out[identifier(word[i+2:])] = true
		}
	}
	return out
}

// identifier is a name without case and what sets words apart.
func identifier(called string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("_-./: ", r) {
			return -1
		}
		return r
	}, strings.ToLower(called))
}
