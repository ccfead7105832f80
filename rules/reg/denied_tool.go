package reg

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed denied_tool.md
var deniedToolPage string

// DeniedTool flags tools that the registry denies and a configuration lets run.
var DeniedTool = rules.Rule{
	ID:         "denied-tool",
	Title:      "Denied tool is allowed to run",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{863},
	Covers:     []string{"REG-001"},
	Page:       deniedToolPage,
	Check:      unbound,
}

func checkTools(pass *rules.Pass, u *uses) {
	report := func(id registry.Identity, tool string, start func() rules.Finding) {
		if d := u.registry.Decide(id, u.who, tool, u.today); d.Tool {
			f := start()
			f.Tool, f.Subject = tool, d.Entry.ID+" "+tool
			f.Message = "the configuration lets tool " + quote(tool) + " run: " + d.Reason + ". Take it out of the list."
			pass.Report(f)
		}
	}
	for _, one := range u.list {
		for _, p := range one.Server.Settings {
			if granted(p.Path) {
				report(one.Identity, p.Value.Raw(), func() rules.Finding { return rules.OnServer(one.Server, p.Value.Span, "", "") })
			}
		}
	}
	for _, c := range pass.Catalog.Clients {
		for _, p := range c.Settings {
			server, tool, ok := qualified(p.Value.Raw())
			id, known := u.byName[server]
			if ok && known && granted(p.Path) {
				id.Client = c.Name
				report(id, tool, func() rules.Finding {
					f := rules.OnClient(c, p.Value.Span, "", "")
					f.Server = server
					return f
				})
			}
		}
	}
	for _, doc := range pass.Catalog.Documents {
		for _, p := range doc.Settings {
			server, tool, ok := qualified(p.Value.Raw())
			if id, known := u.byName[server]; ok && known && granted(p.Path) {
				report(id, tool, func() rules.Finding {
					return rules.Finding{Exposure: doc.Exposure, Server: server, Span: p.Value.Span}
				})
			}
		}
	}
}

func quote(s string) string { return `"` + analyzers.Untrusted(s).String() + `"` }
