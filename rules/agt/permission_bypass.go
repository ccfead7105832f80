package agt

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed permission_bypass.md
var permissionBypassPage string

// PermissionBypass flags client settings that answer every question in advance.
var PermissionBypass = rules.Rule{
	ID:         "permission-bypass",
	Title:      "Client is told not to ask",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{269, 862},
	Covers:     []string{"AGT", "FLW-014"},
	Page:       permissionBypassPage,
	Check:      checkPermissionBypass,
}

// grant is a setting that gives up a question. Path is matched with "[*]" for
// any index and a trailing "*" for any rest; Value by its lower-case text.
type grant struct {
	path, value string
	level       rules.Severity
	means       string
}

var grants = []grant{
	{"permissions.defaultMode", "bypasspermissions", rules.High, "runs every tool without asking"},
	{"permissions.defaultMode", "dontask", rules.Low, "refuses or runs tools without asking"},
	{"permissions.defaultMode", "acceptedits", rules.Low, "changes files without asking"},
	{"skipDangerousModePermissionPrompt", "true", rules.High, "skips the warning before it runs every tool without asking"},
	{"dangerouslySkipPermissions", "true", rules.High, "runs every tool without asking"},
	{"sandbox.enabled", "false", rules.Low, "runs commands outside of its sandbox"},
	{"sandbox.enableWeakerNestedSandbox", "true", rules.Low, "weakens its sandbox"},
	{"sandbox.network.allowAllUnixSockets", "true", rules.Medium, "lets sandboxed commands reach every local service"},
	{"sandbox.autoAllowBashIfSandboxed", "true", rules.Info, "runs sandboxed commands without asking"},
	{"approval_policy", "never", rules.Medium, "runs every command without asking"},
	{"sandbox_mode", "danger-full-access", rules.High, "runs commands without a sandbox"},
	{"profiles.*.approval_policy", "never", rules.Low, "has a profile that runs every command without asking"},
	{"profiles.*.sandbox_mode", "danger-full-access", rules.Medium, "has a profile without a sandbox"},
	{"general.defaultApprovalMode", "yolo", rules.High, "runs every tool without asking"},
	{"general.defaultApprovalMode", "auto_edit", rules.Low, "changes files without asking"},
	{"tools.autoAccept", "true", rules.Medium, "accepts tools without asking"},
	{"autoAccept", "true", rules.Medium, "accepts tools without asking"},
	{"security.folderTrust.enabled", "false", rules.Low, "trusts every folder"},
	{"chat.tools.autoApprove", "true", rules.High, "runs every tool without asking"},
	{"chat.tools.global.autoApprove", "true", rules.High, "runs every tool without asking"},
	{"chat.tools.terminal.autoApprove.*", "true", rules.Low, "runs some commands without asking"},
	{"security.workspace.trust.enabled", "false", rules.Medium, "trusts every folder"},
	{"amp.dangerouslyAllowAll", "true", rules.High, "runs every tool without asking"},
	{"agent.always_allow_tool_actions", "true", rules.High, "runs every tool without asking"},
	{"permission", "allow", rules.High, "runs every tool without asking"},
	{"permission.*", "allow", rules.Medium, "runs a kind of tool without asking"},
	{"permissions.skip_requests", "true", rules.High, "runs every tool without asking"},
}

// interpreters run any code that they are given, so that allowing one allows
// all.
var interpreters = map[string]bool{
	"sh": true, "bash": true, "zsh": true, "python": true, "python3": true, "node": true, "perl": true, "ruby": true, "php": true, "deno": true, "bun": true,
	"npx": true, "uvx": true, "bunx": true, "eval": true, "sudo": true, "su": true, "ssh": true, "docker": true, "podman": true, "curl": true, "wget": true,
	"xargs": true, "env": true, "powershell": true, "pwsh": true, "cmd": true, "osascript": true, "make": true, "nc": true,
}

func checkPermissionBypass(pass *rules.Pass) {
	for _, client := range pass.Catalog.Clients {
		var loose []analyzers.Setting
		for _, s := range client.Settings {
			for _, g := range grants {
				if g.matches(s) {
					f := rules.OnClient(client, s.Value.Span, s.Path, "client %s, because of %q. Let it ask.", g.means, analyzers.Untrusted(s.Path))
					f.Severity = g.level
					pass.Report(f)
					break
				}
			}
			if !strings.HasPrefix(s.Path, "permissions.allow[") && !strings.HasPrefix(s.Path, "mcpAllowlist[") && !strings.HasPrefix(s.Path, "terminalAllowlist[") &&
				!strings.HasPrefix(s.Path, "tools.allowed[") && !strings.HasPrefix(s.Path, "permissions.allowed_tools[") {
				continue
			}
			level, means := allowance(s.Value.Raw())
			switch {
			case level == rules.Low && means == "":
				loose = append(loose, s)
			case level > 0:
				f := rules.OnClient(client, s.Value.Span, s.Value.Raw(), "client runs %s without asking: %q. Allow single commands or tools.", means, s.Value)
				f.Severity = level
				pass.Report(f)
			}
		}
		if len(loose) > 0 {
			f := rules.OnClient(client, loose[0].Value.Span, "interpreters", "client runs %q without asking, and it runs any code that it is given (entries of this kind: %d). Allow single commands.", loose[0].Value, len(loose))
			f.Severity = rules.Low
			pass.Report(f)
		}
	}
	for _, doc := range pass.Catalog.Documents {
		documentBypass(pass, doc)
	}
}

// documentBypass judges the tools that a skill or a command allows while it is
// in use. It speaks once a document: of the widest entry.
func documentBypass(pass *rules.Pass, doc *analyzers.Document) {
	if doc.Kind != "skill" && doc.Kind != "command" {
		return // what "tools" means elsewhere: which there are, not which may run
	}
	var worst rules.Finding
	for _, s := range doc.Settings {
		if !strings.HasPrefix(s.Path, "allowed-tools[") && !strings.HasPrefix(s.Path, "allowed_tools[") && !strings.HasPrefix(s.Path, "allowedTools[") {
			continue
		}
		level, means := allowance(s.Value.Raw())
		if level <= worst.Severity {
			continue
		}
		if means == "" {
			means = "an interpreter, which runs any code that it is given,"
		}
		worst = rules.Finding{Severity: level, Exposure: doc.Exposure, Subject: s.Value.Raw(), Span: s.Value.Span}
		worst.Message = fmt.Sprintf("%s %q lets the client run %s without asking: %q. Allow single commands or tools.", doc.Kind, doc.Name, means, s.Value)
	}
	if worst.Severity > 0 {
		pass.Report(worst)
	}
}

func (g grant) matches(s analyzers.Setting) bool {
	if strings.ToLower(s.Value.Raw()) != g.value {
		return false
	}
	head, tail, wild := strings.Cut(g.path, "*")
	if !wild {
		return s.Path == g.path
	}
	rest, ok := strings.CutPrefix(s.Path, head)
	return ok && rest != "" && strings.HasSuffix(rest, tail)
}

// allowance judges one entry of a list of what runs without asking:
// "Tool", "Tool(specifier)", "mcp__server__tool", "server:tool". Low without
// a meaning is one of many interpreters.
func allowance(entry string) (level rules.Severity, means string) {
	if len(entry) > 1024 {
		return 0, ""
	}
	tool, specifier, _ := strings.Cut(strings.TrimSpace(entry), "(")
	specifier = strings.TrimSuffix(specifier, ")")
	everything := specifier == "" || specifier == "*" || specifier == "**" || specifier == ":*" || specifier == "*:*"
	switch tool {
	case "*", "*:*", "mcp__*", ".*":
		return rules.Medium, "every tool"
	case "Bash", "PowerShell", "run_shell_command", "ShellTool", "bash", "Shell", "shell":
		if everything {
			return rules.Medium, "every command"
		}
		command, _, _ := strings.Cut(specifier, ":")
		program, rest, _ := strings.Cut(strings.TrimSpace(command), " ")
		if interpreters[program] && (rest == "" || rest == "*" || rest == "-c" || rest == "-e") && strings.Contains(specifier, "*") {
			return rules.Low, ""
		}
	case "Write", "Edit", "MultiEdit", "NotebookEdit", "write_file", "replace":
		if everything && strings.Contains(entry, "(") || strings.HasPrefix(specifier, "//") || specifier == "~/**" {
			return rules.Low, "every change of a file"
		}
	case "WebFetch":
		if specifier == "*" || specifier == "domain:*" {
			return rules.Low, "requests to every host"
		}
	case "Read":
		if specifier == "//**" || specifier == "~/**" || strings.HasPrefix(specifier, "~/.ssh") {
			return rules.Medium, "reading of private files"
		}
	}
	if name, ok := strings.CutPrefix(tool, "mcp__"); ok && (!strings.Contains(name, "__") || strings.HasSuffix(name, "__*")) {
		return rules.Low, "every tool of a server"
	}
	if strings.HasSuffix(tool, ":*") && !strings.HasPrefix(tool, "Bash") {
		return rules.Low, "every tool of a server"
	}
	return 0, ""
}
