package registry

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

// plainForm is what YAML reads as the same text with and without quotes, in
// every version of it, in block and in flow style.
var plainForm = pattern.New(`^[A-Za-z_/][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+(-][A-Za-z0-9_./@+()-]*)*$`)

// typed are words that some YAML reader takes for something else than text.
var typed = pattern.New(`(?i)^(?:y|n|yes|no|on|off|true|false|null|nan|inf|\d[\d_.eE+-]*|\.\d.*)$`)

// scalar writes a text on one line. Whatever a reader would not see is
// escaped: the document is reviewed by eye.
func scalar(s string) string {
	if plainForm.MatchString(s) && !typed.MatchString(s) || strings.HasPrefix(s, "sha256:") && isDigest(s) || ValidDate(s) {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case !analyzers.Hidden(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func flow(list []string) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = scalar(s)
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// member is one key of a map with its value: text for one line, or members.
type member struct {
	key   string
	value string // as YAML writes it
	plain any    // the same as a Go value, for JSON
	inner []member
}

func textMember(key, s string) member { return member{key: key, value: scalar(s), plain: s} }

func listMember(key string, l []string) member { return member{key: key, value: flow(l), plain: l} }

func numberMember(key string, n int) member {
	return member{key: key, value: strconv.Itoa(n), plain: n}
}

// block writes members one a line, at an indentation.
func block(b *strings.Builder, members []member, indent string) {
	for _, m := range members {
		if m.inner != nil {
			b.WriteString(indent + m.key + ":\n")
			block(b, m.inner, indent+"  ")
			continue
		}
		b.WriteString(indent + m.key + ": " + m.value + "\n")
	}
}

// inline writes members on one line, in braces.
func inline(members []member) string {
	parts := make([]string, len(members))
	for i, m := range members {
		value := m.value
		if m.inner != nil {
			value = inline(m.inner)
		}
		parts[i] = m.key + ": " + value
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// members is an entry as it is written, in the order of the documentation.
func (e *Entry) members() []member {
	var out []member
	add := func(key, s string) {
		if s != "" {
			out = append(out, textMember(key, s))
		}
	}
	list := func(to *[]member, key string, l []string) {
		if l != nil {
			*to = append(*to, listMember(key, l))
		}
	}
	group := func(key string, inner []member) {
		if len(inner) > 0 {
			out = append(out, member{key: key, inner: inner})
		}
	}
	add("id", e.ID)
	add("name", e.Name)
	add("description", e.Description)
	add("transport", string(e.Transport))
	var match []member
	list(&match, "argv", e.Match.Argv)
	for _, f := range [][2]string{{"purl", e.Match.PURL}, {"image", e.Match.Image}, {"url", e.Match.URL}} {
		if f[1] != "" {
			match = append(match, textMember(f[0], f[1]))
		}
	}
	list(&match, "env", e.Match.Env)
	for _, f := range [][2]string{{"fileSha256", e.Match.FileSHA256}, {"scriptSha256", e.Match.ScriptSHA256}} {
		if f[1] != "" {
			match = append(match, textMember(f[0], f[1]))
		}
	}
	list(&match, "integrity", e.Match.Integrity)
	group("match", match)
	add("status", string(e.Status))
	group("manifest", e.Manifest.members())
	list(&out, "environments", e.Environments)
	list(&out, "units", e.Units)
	list(&out, "projects", e.Projects)
	list(&out, "roles", e.Roles)
	list(&out, "clients", e.Clients)
	var tools []member
	list(&tools, "allow", e.Tools.Allow)
	list(&tools, "deny", e.Tools.Deny)
	if len(e.Tools.Dispatch) > 0 {
		tools = append(tools, dispatchMember(e.Tools.Dispatch))
	}
	group("tools", tools)
	var limits []member
	for _, l := range []struct {
		key string
		n   int
	}{{"callsPerMinute", e.Limits.CallsPerMinute}, {"concurrent", e.Limits.Concurrent}, {"resultBytes", e.Limits.ResultBytes}, {"seconds", e.Limits.Seconds}} {
		if l.n != 0 {
			limits = append(limits, numberMember(l.key, l.n))
		}
	}
	group("limits", limits)
	list(&out, "redaction", e.Redaction)
	add("zone", e.Zone)
	group("evidence", e.Evidence.members())
	return out
}

func dispatchMember(list []Dispatch) member {
	lines, plain := make([]string, len(list)), make([]map[string]string, len(list))
	for i, d := range list {
		plain[i] = map[string]string{}
		var members []member
		for _, f := range [][2]string{{"tool", d.Tool}, {"name", d.Name}, {"arguments", d.Arguments}, {"code", d.Code}} {
			if f[1] != "" {
				members = append(members, textMember(f[0], f[1]))
				plain[i][f[0]] = f[1]
			}
		}
		lines[i] = inline(members)
	}
	return member{key: "dispatch", value: "[" + strings.Join(lines, ", ") + "]", plain: plain}
}

func (m Manifest) members() []member {
	var out []member
	if m.Digest != "" {
		out = append(out, textMember("digest", m.Digest))
	}
	if m.Capabilities != "" {
		out = append(out, textMember("capabilities", m.Capabilities))
	}
	if m.Path != "" {
		out = append(out, textMember("path", m.Path))
	}
	return out
}

func (e Evidence) members() []member {
	var out []member
	add := func(key, s string) {
		if s != "" {
			out = append(out, textMember(key, s))
		}
	}
	if e.Score != nil {
		out = append(out, numberMember("score", *e.Score))
	}
	if e.Findings != nil {
		out = append(out, listMember("findings", e.Findings))
	}
	add("suggestion", e.Suggestion)
	add("approvedBy", e.ApprovedBy)
	add("approvedAt", e.ApprovedAt)
	add("until", e.Until)
	add("reason", e.Reason)
	return out
}

// text is the entry's canonical spelling: equal for entries that say the same.
func (e *Entry) text() string { return inline(e.members()) }

// MarshalJSON is the entry as the document writes it, in JSON.
func (e *Entry) MarshalJSON() ([]byte, error) { return encode(e.members()) }

func encode(members []member) ([]byte, error) {
	out := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			out = append(out, ',')
		}
		value, err := json.Marshal(m.plain)
		if m.inner != nil {
			value, err = encode(m.inner)
		}
		if err != nil {
			return nil, err
		}
		out = append(append(append(append(out, '"'), m.key...), `":`...), value...)
	}
	return append(out, '}'), nil
}
