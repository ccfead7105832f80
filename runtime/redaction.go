package runtime

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
	"github.com/sallyport-mcp/sallyport/runtime/redact"
)

// taken is a value of a message that is taken out, and what stands in its place.
type taken struct {
	at    jsonrpc.Range
	with  []byte // JSON, or a part of a string of JSON
	shape []byte // the same where only what looks alike is taken; nil: with
	kinds []string
}

// body is the part of a message of the server that says something.
func body(m *jsonrpc.Message) jsonrpc.Range {
	switch {
	case !m.Error.IsZero():
		return m.Error
	case !m.Result.IsZero():
		return m.Result
	}
	return m.Params
}

// redacted is a message without the values of these kinds in its body: the
// message's own bytes when there are none. The refusal says what was taken out,
// or, with no bytes, that it cannot be.
func (s *Session) redacted(m *jsonrpc.Message, q *request, kinds []string) ([]byte, *Refusal) {
	if len(kinds) == 0 {
		return m.Raw(), nil
	}
	set, known := redact.New(kinds)
	if !known {
		return nil, &Refusal{Rule: RuleRedaction, Reason: "the registry has values taken out that this version does not know", Next: "use the version that checked the registry"}
	}
	first := values(set, m.Bytes, body(m))
	if len(first) == 0 {
		return m.Raw(), nil
	}
	refuse := func(why string) ([]byte, *Refusal) {
		return nil, &Refusal{Rule: RuleRedaction, Reason: counted(first) + " cannot be taken out: " + why, Next: "ask for less"}
	}
	out := apply(m, first, jsonrpc.Range{})
	// A label beside what was left can spell a value anew. What is forwarded is
	// read as strictly as what came.
	scanner := jsonrpc.NewScanner(jsonrpc.Options{LoneSurrogates: true})
	var again jsonrpc.Message
	for round := 0; ; round++ {
		if scanner.Scan(out, &again) != nil {
			return refuse("they are names of members")
		}
		left := values(set, out, body(&again))
		if len(left) == 0 {
			break
		}
		if round == 4 {
			return refuse("what is left holds others")
		}
		out = apply(&again, left, jsonrpc.Range{})
	}
	structured := m.Find(m.Result, "structuredContent")
	if schema := s.outputOf(q); schema != nil && slices.ContainsFunc(first, func(e taken) bool { return inside(e.at, structured) }) && !fits(schema, out) {
		if out = apply(m, first, structured); !fits(schema, out) || scanner.Scan(out, &again) != nil {
			return refuse("the tool's outputSchema takes nothing in their place")
		}
	}
	return out, &Refusal{Rule: RuleRedaction, Reason: "taken out: " + counted(first)}
}

// pass records and forwards a message that may go on, without what is to be
// taken out of it.
func (s *Session) pass(m *jsonrpc.Message, q *request, kinds []string, r audit.Record, v *Verdict) {
	frame, no := s.redacted(m, q, kinds)
	switch {
	case no == nil:
		s.allow(v, r, "")
	case frame != nil:
		if !s.deny(v, r, audit.Change, no) {
			frame = m.Raw()
		}
	case q == nil:
		if s.deny(v, r, audit.Drop, no) {
			if m.Kind == jsonrpc.Request {
				delete(s.asked, string(m.AppendIDKey(nil)))
				v.ToServer = append(v.ToServer, jsonrpc.AppendError(nil, m.ID.In(m.Bytes), CodeDenied, "not allowed: "+no.Rule, nil))
			}
			return
		}
		frame = m.Raw()
	case s.deny(v, r, audit.Deny, no):
		frame = no.answer(q.id, "the answer was withheld")
	default:
		frame = m.Raw()
	}
	v.ToClient = append(v.ToClient, frame)
}

// unasked is what is taken out of messages that answer no call: what the entry
// has taken out of answers.
func (s *Session) unasked(now time.Time) []string {
	return s.decide(policy.Connect, "", nil, now).Redact
}

func inside(r, in jsonrpc.Range) bool { return r.Start >= in.Start && r.End <= in.End }

// values are the places of values in a part of a message, in order.
func values(set *redact.Set, b []byte, at jsonrpc.Range) []taken {
	var out []taken
	src := &analyzers.Source{Bytes: b}
	for leaf := range jsonrpc.Texts(src, at) {
		raw, named := leaf.Text.Raw(), ""
		if !leaf.Key {
			named = member(leaf.Pointer)
		}
		if named == "blob" {
			if e, ok := blob(set, raw); ok {
				e.at = rangeOf(leaf.Text.Span)
				out = append(out, e)
			}
			continue
		}
		for _, found := range set.Find(named, raw) {
			out = append(out, taken{
				at: rangeOf(leaf.Text.At(found.Start, found.End)), kinds: []string{found.Kind},
				with: inString(redact.Label(found.Kind)), shape: inString(redact.Shape(raw[found.Start:found.End])),
			})
		}
	}
	for number := range jsonrpc.Numbers(b, at) {
		if kind, is := set.Number(string(number.In(b))); is {
			out = append(out, taken{at: number, kinds: []string{kind}, with: []byte("0"), shape: []byte("1" + strings.Repeat("0", number.End-number.Start-1))})
		}
	}
	slices.SortFunc(out, func(a, b taken) int { return a.at.Start - b.at.Start })
	return out
}

// member is the name of the member that a JSON Pointer leads to, or of the list
// that it leads into.
func member(pointer []byte) string {
	for {
		i := bytes.LastIndexByte(pointer, '/')
		if i < 0 {
			return ""
		}
		if token := pointer[i+1:]; len(bytes.Trim(token, "0123456789")) > 0 {
			return string(token)
		}
		pointer = pointer[:i]
	}
}

// blob is a resource's text under base64 without its values.
func blob(set *redact.Set, encoded string) (taken, bool) {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return taken{}, false
	}
	found := set.Find("", string(text))
	if len(found) == 0 {
		return taken{}, false
	}
	var e taken
	var clear []byte
	last := 0
	for _, f := range found {
		clear = append(append(clear, text[last:f.Start]...), redact.Label(f.Kind)...)
		last = f.End
		e.kinds = append(e.kinds, f.Kind)
	}
	e.with = base64.StdEncoding.AppendEncode(nil, append(clear, text[last:]...))
	return e, true
}

func rangeOf(s analyzers.Span) jsonrpc.Range { return jsonrpc.Range{Start: s.Start, End: s.End} }

// inString is text as it stands between the quotes of a string of JSON.
func inString(text string) []byte {
	b := jsonrpc.AppendString(nil, text)
	return b[1 : len(b)-1]
}

// apply returns the message without them; those inside shaped keep the
// shape of what they replace.
func apply(m *jsonrpc.Message, all []taken, shaped jsonrpc.Range) []byte {
	out := make([]byte, 0, m.Span.End-m.Span.Start+32*len(all))
	last := m.Span.Start
	for _, e := range all {
		if e.at.Start < last {
			continue // inside the one before
		}
		out = append(out, m.Bytes[last:e.at.Start]...)
		if inside(e.at, shaped) && e.shape != nil {
			out = append(out, e.shape...)
		} else {
			out = append(out, e.with...)
		}
		last = e.at.End
	}
	return append(out, m.Bytes[last:m.Span.End]...)
}

// counted says how many values of which kinds there are: "secrets: 1, emails: 2".
func counted(all []taken) string {
	number := map[string]int{}
	for _, e := range all {
		for _, kind := range e.kinds {
			number[kind]++
		}
	}
	var parts []string
	for _, kind := range registry.RedactionKinds() {
		if n := number[kind]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", kind, n))
		}
	}
	return strings.Join(parts, ", ")
}

// outputOf is the compiled outputSchema that was approved of a tool, nil
// without one.
func (s *Session) outputOf(q *request) *schema {
	if q == nil || s.guard.pins == nil || q.method != "tools/call" {
		return nil
	}
	p := s.guard.pins.items[key("tool", q.name)]
	if p == nil || p.tool == nil || len(p.tool.OutputSchema) == 0 {
		return nil
	}
	if out := newSchema(p.tool.OutputSchema); out.compiled != nil {
		return out
	}
	return nil
}

// fits reports whether the structured content of a message is as the schema
// says.
func fits(s *schema, frame []byte) bool {
	at := jsonrpc.Find(frame, jsonrpc.Range{End: len(frame)}, "result", "structuredContent")
	v, err := decode(json.RawMessage(at.In(frame)))
	return err == nil && violation(s.compiled, v) == ""
}
