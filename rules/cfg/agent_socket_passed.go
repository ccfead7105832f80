package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed agent_socket_passed.md
var agentSocketPassedPage string

// AgentSocketPassed flags servers that may sign in as the user.
var AgentSocketPassed = rules.Rule{
	ID:         "agent-socket-passed",
	Title:      "Server is given the SSH or GPG agent",
	Severity:   rules.Medium,
	Confidence: rules.Certain,
	CWE:        []int{522, 250},
	Covers:     []string{"CFG-022"},
	Page:       agentSocketPassedPage,
	Check:      checkAgentSocketPassed,
}

var agentSockets = pattern.Words("SSH_AUTH_SOCK SSH_AGENT_PID GPG_AGENT_INFO")

func checkAgentSocketPassed(pass *rules.Pass) {
	const text = "server %q can use the keys of the agent behind %s: it can sign in wherever its user can. Give it a key of its own with the rights that it needs."
	for _, s := range pass.Catalog.Servers {
		for _, v := range s.Env {
			if agentSockets.Has(v.Name.Raw()) && v.Value.Raw() != "" {
				pass.Report(rules.OnServer(s, v.Name.Span, v.Name.Raw(), text, s.Name, v.Name))
			}
		}
		for _, p := range s.Settings { // Codex lists the variables to hand on
			if strings.HasPrefix(p.Path, "env_vars[") && agentSockets.Has(p.Value.Raw()) {
				pass.Report(rules.OnServer(s, p.Value.Span, p.Value.Raw(), text, s.Name, p.Value))
			}
		}
		if s.Launch == nil {
			continue
		}
		for _, arg := range s.Launch.Inner {
			if s.Launch.Program == "ssh" && (arg.Raw() == "-A" || strings.Contains(arg.Raw(), "ForwardAgent=yes")) {
				pass.Report(rules.OnServer(s, arg.Span, arg.Raw(), "server %q takes the agent with it (%s): whoever is root at the other end can sign in as its user. Leave the agent here.", s.Name, arg))
				break
			}
		}
		for _, arg := range s.Launch.Argv {
			if i, name := socketIn(arg.Raw()); name != "" {
				pass.Report(rules.OnServer(s, arg.At(i, i+len(name)), name, text, s.Name, analyzers.Untrusted(name)))
				break
			}
		}
	}
}

func socketIn(arg string) (at int, name string) {
	for _, name := range [...]string{"SSH_AUTH_SOCK", "GPG_AGENT_INFO", "S.gpg-agent", "ssh-auth.sock"} {
		if i := strings.Index(arg, name); i >= 0 {
			return i, name
		}
	}
	return 0, ""
}
