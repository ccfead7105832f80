package runtime

import (
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/drift"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// grown decides on the capabilities of a greeting: what the manifest does not
// have, or without one what the first greeting of the session did not have. It
// returns the object without them.
func (s *Session) grown(m *jsonrpc.Message, at jsonrpc.Range) (*Refusal, []byte) {
	raw := at.In(m.Bytes)
	if raw == nil {
		raw = []byte("{}")
	}
	root, err := tree.Parse(&analyzers.Source{Path: "capabilities", Bytes: slices.Clone(raw)}, tree.JSON)
	if err != nil || !root.IsObject() {
		return &Refusal{Rule: "expanded-capability", Reason: "the server's capabilities cannot be read", Next: "ask its author"}, []byte("{}")
	}
	names := capture.Capabilities(root)
	s.declared = slices.Clone(raw)
	approved := s.capable
	if s.guard.pins != nil && s.guard.pins.capabilities != nil {
		approved = s.guard.pins.capabilities
	}
	if approved == nil {
		s.capable = map[string]bool{}
		for _, name := range names {
			s.capable[name.Raw()] = true
		}
		return nil, nil
	}
	more := map[string]bool{}
	for _, name := range names {
		if raw := name.Raw(); !approved[raw] && drift.CapabilitySeverity(raw) > rules.Info {
			more[raw] = true
		}
	}
	s.incapable = more
	if len(more) == 0 {
		return nil, nil
	}
	no := &Refusal{
		Rule: "expanded-capability", Reason: "the server declares what was not approved of it",
		Next: "if it is meant, review the server and renew its manifest: sallyport inspect, sallyport manifest diff",
	}
	if s.guard.pins != nil && s.guard.pins.capabilities != nil {
		surface := *s.guard.pins.surface
		surface.Capabilities = names
		if found := about(s.guard.judge.drift(s.server.Name, surface), "capability", ""); len(found) > 0 {
			no.Rule, no.Findings = found[top(found)].Rule.ID, recorded(found, rules.Low)
		}
	}
	var b strings.Builder
	narrowed(&b, m, at, "", more)
	return no, []byte(b.String())
}

// narrowed writes an object of capabilities without some, which are named by
// their JSON Pointers. What it keeps, it keeps byte for byte.
func narrowed(b *strings.Builder, m *jsonrpc.Message, at jsonrpc.Range, path string, without map[string]bool) {
	b.WriteByte('{')
	first := true
	for k, v := range jsonrpc.Members(m.Bytes, at) {
		name := path + "/" + pointers.Replace(string(m.Text(k, nil)))
		if without[name] {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		b.Write(k.In(m.Bytes))
		b.WriteByte(':')
		if raw := v.In(m.Bytes); raw[0] == '{' {
			narrowed(b, m, v, name, without)
		} else {
			b.Write(raw)
		}
	}
	b.WriteByte('}')
}

// pointers spells a token of a JSON Pointer.
var pointers = strings.NewReplacer("~", "~0", "/", "~1")

// needs are the capabilities of which one is behind a method (2025-11-25 and
// 2026-07-28, server capabilities).
func needs(method string) []string {
	switch area, _, _ := strings.Cut(strings.TrimPrefix(method, "notifications/"), "/"); {
	case method == "resources/subscribe", method == "resources/unsubscribe":
		return []string{"/resources/subscribe", "/resources"}
	case area == "tools", area == "prompts", area == "resources":
		return []string{"/" + area}
	case area == "completion":
		return []string{"/completions"}
	case area == "tasks":
		return []string{"/tasks", "/extensions/io.modelcontextprotocol~1tasks"}
	}
	return nil
}

// unable decides on a method that needs a capability which was taken out of the
// server's greeting.
func (s *Session) unable(method string) *Refusal {
	if len(s.incapable) == 0 {
		return nil
	}
	for _, name := range needs(method) {
		if s.incapable[name] {
			return &Refusal{Rule: "expanded-capability", Reason: "it needs a capability of the server that was not approved", Next: "if it is meant, review the server and renew its manifest"}
		}
	}
	return nil
}
