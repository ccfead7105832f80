package cfg

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed all_project_servers_enabled.md
var allProjectServersEnabledPage string

// AllProjectServersEnabled flags settings that start every server a repository brings.
var AllProjectServersEnabled = rules.Rule{
	ID:         "all-project-servers-enabled",
	Title:      "Every server of a repository is started without asking",
	Severity:   rules.Medium,
	Confidence: rules.Certain,
	CWE:        []int{829, 862},
	Covers:     []string{"CFG-019", "CFG-033"},
	Page:       allProjectServersEnabledPage,
	Check:      checkAllProjectServersEnabled,
}

func checkAllProjectServersEnabled(pass *rules.Pass) {
	for _, client := range pass.Catalog.Clients {
		for _, s := range client.Settings {
			if s.Path == "enableAllProjectMcpServers" && truthy(s.Value.Raw()) {
				pass.Report(rules.OnClient(client, s.Key.Span, s.Path, "every server in a repository's .mcp.json is started without asking, also one that arrives with the next pull. Name the servers in enabledMcpjsonServers."))
			}
		}
	}
}
