package runtime

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

// maxOffered bounds the definitions of one result.
const maxOffered = 500

// offered are the definitions of tools that a result holds, as tools give them
// that search for tools. A model takes them for what they say.
type offered struct {
	s        *Session
	entry    *registry.Entry
	declared bool // the entry says that tools of this server call others
	now      time.Time
	tools    []*analyzers.Tool
	gone     map[string]*Refusal // those that are left out, by name
	alone    *Refusal            // one that cannot be left out
	more     bool                // than are judged
}

// offersTools judges the definitions in a result as a list's, and returns what is
// left out of it.
func (s *Session) offersTools(q *request, m *jsonrpc.Message, v *Verdict, now time.Time) (*Refusal, []edit) {
	if q.action != policy.CallTool || m.Result.IsZero() {
		return nil, nil
	}
	raw := m.Result.In(m.Bytes)
	defines := mayDefine(raw)
	if !defines && !s.guard.dispatches {
		return nil, nil
	}
	entry := s.decide(policy.CallTool, q.name, nil, now).Entry
	declared := entry != nil && len(entry.Tools.Dispatch) > 0
	if !defines && !declared {
		return nil, nil
	}
	o := &offered{s: s, entry: entry, declared: declared, now: now, gone: map[string]*Refusal{}}
	edits := o.walk(m.Bytes, m.Find(m.Result, "structuredContent"))
	for _, el := range jsonrpc.Elements(m.Bytes, m.Find(m.Result, "content")) {
		at := m.Find(el, "text")
		text := m.Text(at, nil)
		if start := bytes.TrimLeft(text, " \t\r\n"); len(start) == 0 || start[0] != '{' && start[0] != '[' {
			continue
		}
		root, err := tree.Parse(&analyzers.Source{Path: "text", Bytes: text}, tree.JSON)
		if err != nil {
			continue // text that is no JSON was judged as text
		}
		inside := o.walk(text, jsonrpc.Range{Start: root.Span.Start, End: root.Span.End})
		if len(inside) == 0 {
			continue
		}
		document := jsonrpc.Message{Bytes: text, Span: jsonrpc.Range{Start: 0, End: len(text)}}
		edits = append(edits, edit{at, jsonrpc.AppendString(nil, string(edited(&document, inside)))})
	}
	switch {
	case o.more:
		return &Refusal{Rule: RuleResult, Reason: fmt.Sprintf("it holds more than %d definitions of tools, which is more than is judged", maxOffered), Next: "ask for less at once"}, nil
	case o.alone != nil:
		return o.alone, nil
	}
	if len(o.tools) > 0 {
		found := s.guard.judge.surface(s.server.Name, analyzers.Surface{Tools: o.tools})
		if worst(found) >= rules.High {
			f := found[top(found)]
			return &Refusal{Rule: f.Rule.ID, Reason: "it holds the definition of a tool: " + wrong(f), Next: "review the tools that the server finds; the record has the places", Findings: recorded(found, rules.Low)}, nil
		}
	}
	enforced := false
	for _, called := range slices.Sorted(maps.Keys(o.gone)) {
		r := s.recordOf(audit.ServerToClient, m, q.method, called, now)
		enforced = s.deny(v, r, audit.Hide, o.gone[called]) || enforced
	}
	if !enforced {
		return nil, nil
	}
	return nil, edits
}

// mayDefine reports whether a result may have a member that definitions of tools
// have. A key ends in a quotation mark, or in a backslash where it stands in a
// text; of one with escapes nothing is known.
func mayDefine(raw []byte) bool {
	for _, end := range []byte{'"', '\\'} {
		for i := bytes.IndexByte(raw, end); i >= 0; {
			key := raw[:i]
			if bytes.HasSuffix(key, []byte("nputSchema")) || bytes.HasSuffix(key, []byte("nput_schema")) || bytes.HasSuffix(key, []byte("parameters")) ||
				end == '\\' && i+1 < len(raw) && raw[i+1] == 'u' {
				return true
			}
			n := bytes.IndexByte(raw[i+1:], end)
			if n < 0 {
				break
			}
			i += 1 + n
		}
	}
	return false
}

// walk finds definitions below a value and returns the lists without those that
// must not be seen.
func (o *offered) walk(b []byte, at jsonrpc.Range) []edit {
	if at.IsZero() || o.more || at.Start >= len(b) {
		return nil
	}
	var out []edit
	switch b[at.Start] {
	case '{':
		if no, is := o.definition(b, at); is {
			if no != nil {
				o.alone = no
			}
			return nil
		}
		for _, value := range jsonrpc.Members(b, at) {
			out = append(out, o.walk(b, value)...)
		}
	case '[':
		drop := map[int]bool{}
		var inside []edit
		for i, el := range jsonrpc.Elements(b, at) {
			no, is := o.definition(b, el)
			switch {
			case no != nil:
				drop[i] = true
				o.gone[o.called(b, el)] = no
			case !is:
				inside = append(inside, o.walk(b, el)...)
			}
		}
		if len(drop) == 0 {
			return inside
		}
		left, _ := jsonrpc.Remove(nil, b, at, func(i int, _ jsonrpc.Range) bool { return drop[i] })
		out = append(out, edit{at, left[at.Start : len(left)-(len(b)-at.End)]})
	}
	return out
}

func (o *offered) called(b []byte, at jsonrpc.Range) string {
	m := jsonrpc.Message{Bytes: b}
	return string(m.Text(jsonrpc.Find(b, at, "name"), nil))
}

// definition reports whether a value defines a tool, and why that must not be
// seen. In a server whose entry names tools that call others, a name with a
// description is enough.
func (o *offered) definition(b []byte, at jsonrpc.Range) (*Refusal, bool) {
	if b[at.Start] != '{' {
		return nil, false
	}
	is := func(member string, open byte) bool {
		v := jsonrpc.Find(b, at, member)
		return !v.IsZero() && b[v.Start] == open
	}
	described := is("description", '"')
	if !is("name", '"') || !(is("inputSchema", '{') || is("input_schema", '{') || described && (is("parameters", '{') || o.declared)) {
		return nil, false
	}
	if len(o.tools) == maxOffered {
		o.more = true
		return nil, true
	}
	if t, _ := definition("tool", at.In(b)); t != nil {
		o.tools = append(o.tools, t)
	}
	called := o.called(b, at)
	if o.declared {
		if d := o.s.decide(policy.CallTool, called, nil, o.now); !d.Allowed {
			return refused(d, "it is not allowed"), true
		}
	}
	for _, spelling := range spellings(called) {
		if no := o.s.denied(spelling, inner{}, o.entry, o.now); no != nil {
			return no, true
		}
	}
	return nil, true
}
