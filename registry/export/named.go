package export

import (
	"fmt"
	"strings"

	"github.com/sallyport-mcp/sallyport/registry"
)

// Codex compares, for the server of each name, the whole command line or the
// URL; a server that is not named is disabled (seen with 0.169.0, which
// refuses the file when a server has no identity).
func writeCodex(v *view) error {
	fmt.Fprintln(&v.out, "# Servers that are not listed are disabled.")
	fmt.Fprintln(&v.out, "[mcp_servers]")
	for _, e := range v.approved {
		m := e.Match
		switch {
		case len(m.Argv) > 0 && m.URL == "":
			args := make([]string, 0, len(m.Argv))
			for _, arg := range m.Argv[1:] {
				args = append(args, "{ match = \"exact\", value = "+tomlString(arg)+" }")
			}
			fmt.Fprintf(&v.out, "\n[mcp_servers.%s.identity]\ncommand = { executable = %s, args = [%s] }\n", tomlString(e.ID), tomlString(m.Argv[0]), strings.Join(args, ", "))
		case m.URL == "" || len(m.Argv) > 0 || m.PURL != "" || m.Image != "":
			v.without(e, "the target compares a whole command line or a URL; add match.argv")
			continue
		case strings.HasSuffix(m.URL, "?*"):
			v.without(e, "its URL allows any query, and the target compares URLs whole")
			continue
		default:
			url := registry.NormalURL(m.URL)
			kind := "exact"
			if strings.HasSuffix(url, "/*") {
				kind, url = "prefix", strings.TrimSuffix(url, "*")
			}
			fmt.Fprintf(&v.out, "\n[mcp_servers.%s.identity]\nurl = { match = %q, value = %s }\n", tomlString(e.ID), kind, tomlString(url))
		}
		v.lack(e, "the server must be configured under this id")
	}
	return nil
}

// tomlString is a TOML basic string.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// geminiServer is a server as the system settings of Gemini CLI declare it.
type geminiServer struct {
	Command string   `json:"command,omitempty"`
	Args    []string `json:"args,omitempty"`
	HTTPURL string   `json:"httpUrl,omitempty"`
	URL     string   `json:"url,omitempty"` // HTTP+SSE
	Include []string `json:"includeTools,omitempty"`
	Exclude []string `json:"excludeTools,omitempty"`
}

// Gemini CLI allows by name alone, so the names are bound here: the system
// settings declare what each name starts, over what a user declares (seen with
// 0.61.0). A name that this file does not bind is not in the list.
func writeGemini(v *view) error {
	servers := map[string]geminiServer{}
	allowed := []string{}
	for _, e := range v.approved {
		m := e.Match
		s := geminiServer{Include: e.Tools.Allow, Exclude: e.Tools.Deny}
		switch {
		case variable(m.Argv...) || variable(m.URL):
			v.without(e, "its match holds a variable, which the target would replace")
			continue
		case e.Tools.Allow != nil && len(e.Tools.Allow) == 0:
			v.without(e, "none of its tools is allowed")
			continue
		case len(m.Argv) > 0 && m.URL == "":
			s.Command, s.Args = m.Argv[0], m.Argv[1:]
		case m.URL == "" || len(m.Argv) > 0 || m.PURL != "" || m.Image != "":
			v.without(e, "the target needs a whole command line or a URL; add match.argv")
			continue
		case strings.HasSuffix(m.URL, "*"):
			v.without(e, "the target connects to one URL, and this one is a pattern")
			continue
		case e.Transport == "sse":
			s.URL = registry.NormalURL(m.URL)
		default:
			s.HTTPURL = registry.NormalURL(m.URL)
		}
		servers[e.ID] = s
		allowed = append(allowed, e.ID)
	}
	if len(allowed) == 0 {
		allowed = append(allowed, "none-is-approved") // an empty list would allow all
	}
	return v.json(map[string]any{"mcp": map[string]any{"allowed": allowed}, "mcpServers": servers})
}
