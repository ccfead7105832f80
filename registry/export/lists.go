package export

import (
	"regexp"
	"strings"

	"github.com/sallyport-mcp/sallyport/registry"
)

// policy is what Claude Code and Copilot share: a server is allowed when one
// matcher holds, and a denial wins.
type policy struct {
	Only    *bool     `json:"allowManagedMcpServersOnly,omitempty"`
	Allowed []matcher `json:"allowedMcpServers"`
	Denied  []matcher `json:"deniedMcpServers,omitempty"`
}

// matcher has exactly one member. There is no third one, serverName: a name
// pins nothing.
type matcher struct {
	Command []string `json:"serverCommand,omitempty"`
	URL     string   `json:"serverUrl,omitempty"`
}

// Claude Code compares the whole argv and the URL, and asks nobody else when
// allowManagedMcpServersOnly is set. Seen with 2.1.330: it resolves ".." before
// it compares, and a "*" takes in the query.
func writeClaude(v *view) error {
	only := true
	p := v.policy(true)
	p.Only = &only
	return v.json(p)
}

// Copilot's managed settings have the same keys; a variable in an entry blocks
// it there. Seen with 1.0.102: it does not resolve ".." before it compares.
func writeCopilot(v *view) error { return v.json(v.policy(false)) }

// policy is for a target that resolves ".." in URLs, or does not.
func (v *view) policy(resolves bool) policy {
	p := policy{Allowed: []matcher{}}
	for _, e := range v.approved {
		m := e.Match
		switch {
		case len(m.Argv) == 0 && m.URL == "":
			v.without(e, "it is matched by package or image, and the target compares whole command lines; add match.argv")
		case len(m.Argv) > 0 && variable(m.Argv...) || variable(m.URL):
			v.without(e, "its match holds a variable, which the target would replace")
		case len(m.Argv) > 0:
			p.Allowed = append(p.Allowed, matcher{Command: m.Argv})
			if m.URL != "" {
				v.lack(e, "of a server with a command and a URL only the command is compared")
			}
		case m.PURL != "" || m.Image != "":
			v.without(e, "it is matched by package or image and URL together; add match.argv")
		case strings.HasSuffix(m.URL, "?*"):
			v.without(e, "its URL allows any query, and the target compares URLs whole")
		case !resolves && under(m.URL):
			v.without(e, unresolved)
		default:
			if strings.HasSuffix(m.URL, "/*") {
				v.lack(e, "below its URL any query is allowed, too")
			}
			p.Allowed = append(p.Allowed, matcher{URL: registry.NormalURL(m.URL)})
		}
	}
	for _, e := range v.denied {
		switch m := e.Match; {
		case len(m.Argv) > 0 && !variable(m.Argv...):
			p.Denied = append(p.Denied, matcher{Command: m.Argv})
		case m.URL != "" && m.PURL == "" && m.Image == "" && !strings.HasSuffix(m.URL, "?*"):
			p.Denied = append(p.Denied, matcher{URL: registry.NormalURL(m.URL)})
		} // what is not listed is refused in any case
	}
	return p
}

// windsurfEntry is one entry of Windsurf's team settings. Command and
// arguments are regular expressions that match as a whole, and their number
// counts.
type windsurfEntry struct {
	ID     string         `json:"serverId"`
	Config windsurfConfig `json:"serverConfig"`
}

type windsurfConfig struct {
	Command string   `json:"command,omitempty"`
	Args    []string `json:"args,omitempty"`
	URL     string   `json:"serverUrl,omitempty"`
}

func writeWindsurf(v *view) error {
	out := []windsurfEntry{}
	for _, e := range v.approved {
		m := e.Match
		entry := windsurfEntry{ID: e.ID}
		switch {
		case len(m.Argv) > 0 && m.URL == "":
			entry.Config.Command = regexp.QuoteMeta(m.Argv[0])
			for _, arg := range m.Argv[1:] {
				entry.Config.Args = append(entry.Config.Args, regexp.QuoteMeta(arg))
			}
		case under(strings.TrimSuffix(m.URL, "?*")):
			v.without(e, unresolved)
			continue
		case m.URL != "" && len(m.Argv) == 0 && m.PURL == "" && m.Image == "":
			entry.Config.URL = windsurfURL(registry.NormalURL(m.URL))
		default:
			v.without(e, "the target compares a whole command line or a URL; add match.argv")
			continue
		}
		v.lack(e, "the server must be configured under this id")
		out = append(out, entry)
	}
	return v.json(out)
}

func windsurfURL(u string) string {
	if base, ok := strings.CutSuffix(u, "?*"); ok {
		return windsurfURL(base) + `(\?.*)?`
	}
	if base, ok := strings.CutSuffix(u, "/*"); ok {
		return regexp.QuoteMeta(base) + `/[^?#]*`
	}
	return regexp.QuoteMeta(u)
}

// ampRule is one rule of Amp: the first that matches decides, and a server
// that no rule matches is allowed. The last two rules refuse the rest.
type ampRule struct {
	Matches map[string]any `json:"matches"`
	Action  string         `json:"action"`
}

func writeAmp(v *view) error {
	rules := []ampRule{}
	add := func(e *registry.Entry, action string) {
		m := e.Match
		switch {
		case len(m.Argv) > 0 && m.URL == "":
			rules = append(rules, ampRule{map[string]any{"command": ampExactly(m.Argv[0]), "args": ampExactly(strings.Join(m.Argv[1:], " "))}, action})
			switch {
			case action != "allow":
			case len(m.Argv) == 1:
				v.lack(e, "it must be configured with an empty list of arguments")
			default:
				v.lack(e, "arguments are compared joined by blanks")
			}
		case action == "allow" && under(m.URL):
			v.without(e, unresolved)
		case m.URL != "" && len(m.Argv) == 0 && m.PURL == "" && m.Image == "" && !strings.HasSuffix(m.URL, "?*"):
			rules = append(rules, ampRule{map[string]any{"url": registry.NormalURL(m.URL)}, action})
		case action == "allow":
			v.without(e, "the target compares a whole command line or a URL; add match.argv")
		}
	}
	for _, e := range v.denied {
		add(e, "reject")
	}
	for _, e := range v.approved {
		add(e, "allow")
	}
	rules = append(rules, ampRule{map[string]any{"command": "*"}, "reject"}, ampRule{map[string]any{"url": "*"}, "reject"})
	return v.json(map[string]any{"amp.mcpPermissions": rules})
}

// ampPlain is what Amp compares as it is; elsewhere it reads "*" as any text and
// /x/ as a regular expression that may match anywhere.
var ampPlain = regexp.MustCompile(`^[A-Za-z0-9@_.:=,%+-][A-Za-z0-9@_.:=,%+/ -]*$|^(/[A-Za-z0-9@_.:=,%+-]+)+$|^$`)

// ampExactly is the pattern for one text. Seen with 0.0.1790142911: command and
// args are compared apart, a rule without args takes any.
func ampExactly(s string) string {
	if ampPlain.MatchString(s) {
		return s
	}
	return "/^" + regexp.QuoteMeta(s) + "$/"
}
