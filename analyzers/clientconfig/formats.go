package clientconfig

import "github.com/sallyport-mcp/sallyport/analyzers"

// format is one client's kind of configuration file. To teach Sallyport a new
// one, add a row here and fixtures/clients/<name>.txtar.
type format struct {
	client string
	// files are matched against the end of a path, segment by segment.
	files []string
	// home are the places of a user's own file, below the home directory or,
	// behind "@/", below the directory of programs' settings.
	home  []string
	scope analyzers.Scope
	// servers are the chains of keys that lead to declarations, each a map by
	// name or a list with names inside. "*" stands for every member.
	servers []string
	// frontMatter: the configuration is the YAML head of a Markdown file.
	frontMatter bool
	// surface is the member that holds what the servers of the file show: a
	// capture.
	surface string
	// byContent: only declarations make the file ours; its name does not.
	byContent bool
}

// formats is every client format, in the order in which their names are tried;
// several rows may want one file, and each reads what is its own.
var formats = []format{
	{client: "claude-code", scope: analyzers.ScopeProject, files: []string{".mcp.json"}, servers: []string{"mcpServers", "servers", ""}},
	{client: "claude-code-user", home: []string{".claude.json"}, scope: analyzers.ScopeUser, files: []string{".claude.json"}, servers: []string{"mcpServers", "projects.*.mcpServers"}},
	{client: "claude-code-settings", home: []string{".claude/settings.json"}, scope: analyzers.ScopeProject, files: []string{".claude/settings.json", ".claude/settings.local.json"}, servers: []string{"mcpServers"}},
	{client: "claude-code-managed", scope: analyzers.ScopeManaged, files: []string{"managed-mcp.json", "managed-settings.json", "managed-settings.d/*.json"}, servers: []string{"mcpServers"}},
	{client: "claude-desktop", home: []string{"@/Claude/claude_desktop_config.json"}, scope: analyzers.ScopeUser, files: []string{"claude_desktop_config.json"}, servers: []string{"mcpServers"}},
	{client: "cursor", home: []string{".cursor/mcp.json"}, scope: analyzers.ScopeProject, files: []string{".cursor/mcp.json"}, servers: []string{"mcpServers", ""}},
	{client: "cursor-settings", scope: analyzers.ScopeProject, files: []string{".cursor/permissions.json", ".cursor/hooks.json"}},
	{client: "vscode", home: []string{"@/Code/User/mcp.json", "@/Code - Insiders/User/mcp.json", ".vscode-server/data/User/mcp.json"}, scope: analyzers.ScopeProject, files: []string{".vscode/mcp.json", "Code/User/mcp.json", "Code - Insiders/User/mcp.json", ".vscode-server/data/User/mcp.json"}, servers: []string{"servers", "mcpServers"}},
	{client: "vscode-settings", home: []string{"@/Code/User/settings.json"}, scope: analyzers.ScopeProject, files: []string{".vscode/settings.json", "Code/User/settings.json"}, servers: []string{"mcp.servers", "mcpServers"}},
	{client: "vscode-workspace", scope: analyzers.ScopeProject, files: []string{"*.code-workspace"}, servers: []string{"settings.mcp.servers", "mcp.servers"}},
	{client: "devcontainer", scope: analyzers.ScopeProject, files: []string{".devcontainer/devcontainer.json", ".devcontainer/*/devcontainer.json", ".devcontainer.json", "devcontainer.json"}, servers: []string{"customizations.vscode.mcp.servers", "customizations.vscode.settings.mcp.servers"}},
	{client: "copilot-cli", home: []string{".copilot/mcp-config.json"}, scope: analyzers.ScopeProject, files: []string{".github/mcp.json", ".copilot/mcp-config.json"}, servers: []string{"mcpServers", "servers"}},
	{client: "copilot-agent", scope: analyzers.ScopeProject, files: []string{".github/agents/*.md"}, servers: []string{"mcp-servers", "mcpServers"}, frontMatter: true},
	{client: "codex", home: []string{".codex/config.toml"}, scope: analyzers.ScopeProject, files: []string{".codex/config.toml"}, servers: []string{"mcp_servers"}},
	{client: "gemini", home: []string{".gemini/settings.json"}, scope: analyzers.ScopeProject, files: []string{".gemini/settings.json", "gemini-cli/settings.json", "gemini-cli/system-defaults.json"}, servers: []string{"mcpServers"}},
	{client: "gemini-extension", scope: analyzers.ScopeProject, files: []string{"gemini-extension.json"}, servers: []string{"mcpServers"}},
	{client: "windsurf", home: []string{".codeium/windsurf/mcp_config.json", ".codeium/mcp_config.json"}, scope: analyzers.ScopeUser, files: []string{".codeium/windsurf/mcp_config.json", ".codeium/mcp_config.json", ".windsurf/mcp_config.json", ".windsurf/mcp.json"}, servers: []string{"mcpServers"}},
	{client: "roo", home: []string{"@/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"}, scope: analyzers.ScopeProject, files: []string{".roo/mcp.json", "settings/mcp_settings.json"}, servers: []string{"mcpServers"}},
	{client: "zed", home: []string{".config/zed/settings.json", "@/zed/settings.json", "@/Zed/settings.json"}, scope: analyzers.ScopeProject, files: []string{".zed/settings.json", "zed/settings.json"}, servers: []string{"context_servers"}},
	{client: "opencode", home: []string{".config/opencode/opencode.json", ".config/opencode/opencode.jsonc", "@/opencode/opencode.json", "@/opencode/opencode.jsonc"}, scope: analyzers.ScopeProject, files: []string{"opencode.json", "opencode.jsonc", ".opencode/config.json"}, servers: []string{"mcp"}},
	{client: "observed", scope: analyzers.ScopeUser, files: []string{"*.observed.json"}, servers: []string{"mcpServers"}, surface: "surface"}, // runtime/observed
	{client: "continue", home: []string{".continue/config.yaml", ".continue/config.yml", ".continue/config.json", ".continue/mcpServers/*.yaml", ".continue/mcpServers/*.yml", ".continue/mcpServers/*.json"}, scope: analyzers.ScopeProject, files: []string{".continue/config.yaml", ".continue/config.yml", ".continue/config.json", ".continue/mcpServers/*.yaml", ".continue/mcpServers/*.yml", ".continue/mcpServers/*.json"}, servers: []string{"mcpServers", "experimental.modelContextProtocolServers.*"}},
}

// generic is what reads a file that no row knows by name but that declares
// servers under one of the usual keys.
var generic = format{
	client: "generic", scope: analyzers.ScopeProject, byContent: true,
	servers: []string{"mcpServers", "mcp.servers", "mcp_servers", "context_servers", "mcp-servers", "amp.mcpServers"},
}

// Clients is the name of every row, for documentation and tests.
func Clients() []string {
	names := make([]string, 0, len(formats)+1)
	for _, f := range formats {
		names = append(names, f.client)
	}
	return append(names, generic.client, "markdown")
}
