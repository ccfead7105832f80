package agt

import (
	_ "embed"
	"fmt"
	"path"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/cfg/inline"
)

//go:embed helper_command.md
var helperCommandPage string

// HelperCommand flags settings whose value is a command that the client runs.
var HelperCommand = rules.Rule{
	ID:         "helper-command",
	Title:      "Setting is a command that the client runs",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{78, 829},
	Covers:     []string{"AGT"},
	Page:       helperCommandPage,
	Check:      checkHelperCommand,
}

// helpers are settings whose value a client runs as a command, by the end of
// their path.
var helpers = map[string]bool{
	"apiKeyHelper": true, "headersHelper": true, "otelHeadersHelper": true,
	"awsAuthRefresh": true, "awsCredentialExport": true, "gcpAuthRefresh": true, "proxyAuthHelper": true,
	"statusLine.command": true, "subagentStatusLine.command": true, "fileSuggestion.command": true,
	"policyHelper.command": true, "tools.discoveryCommand": true, "tools.callCommand": true,
	"toolDiscoveryCommand": true, "toolCallCommand": true, "mcp.serverCommand": true, "mcpServerCommand": true,
	"initializeCommand": true,
}

func checkHelperCommand(pass *rules.Pass) {
	for _, client := range pass.Catalog.Clients {
		if client.Scope != analyzers.ScopeProject {
			continue
		}
		for _, s := range client.Settings {
			if runs(client, s) && s.Value.Raw() != "" {
				pass.Report(judge(rules.OnClient(client, s.Value.Span, s.Path, ""), client.Exposure, s.Path, s.Value))
			}
		}
		for _, server := range client.Servers {
			for _, s := range server.Settings {
				if helpers[s.Path] && s.Value.Raw() != "" {
					pass.Report(judge(rules.OnServer(server, s.Value.Span, s.Path, ""), server.Exposure, s.Path, s.Value))
				}
			}
			if expands(client) {
				substitutions(pass, server)
			}
		}
	}
}

func runs(client *analyzers.Client, s analyzers.Setting) bool {
	if helpers[s.Path] {
		return true
	}
	return client.Name == "codex" && s.Path == "notify[0]"
}

// judge words a finding about a setting that is a command.
func judge(f rules.Finding, exposure analyzers.Exposure, name string, command analyzers.Text) rules.Finding {
	does := "is a command that runs on the machine of everybody who opens this repository"
	switch acts := inline.Code(command.Raw()); {
	case len(acts) > 0:
		does, f.Severity = "is a command that downloads, decodes or sends what it should not", rules.High
	case exposure == analyzers.Active:
		does, f.Severity = "is a command that the client runs", rules.Low
	}
	f.Message = fmt.Sprintf("setting %q %s. Read what it starts, and keep it in personal or managed settings.", analyzers.Untrusted(name), does)
	return f
}

// expands reports whether the client runs $(command) in the values of a
// declaration when it loads the file (Crush).
func expands(client *analyzers.Client) bool {
	name := path.Base(client.Source.Path)
	return name == "crush.json" || name == ".crush.json"
}

func substitutions(pass *rules.Pass, s *analyzers.Server) {
	texts := append([]analyzers.Text{s.Command, s.URL}, s.Args...)
	for _, v := range append(append([]analyzers.Var(nil), s.Env...), s.Headers...) {
		texts = append(texts, v.Value)
	}
	for _, t := range texts {
		i := strings.Index(t.Raw(), "$(")
		if i < 0 {
			continue
		}
		f := rules.OnServer(s, t.At(i, i+2), "substitution", "server %q has a value with $(...), a command that this client runs when it loads the file. Use a variable.", s.Name)
		if len(inline.Code(t.Raw())) > 0 {
			f.Severity = rules.High
		}
		pass.Report(f)
	}
}
