package agt

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/cfg/inline"
)

//go:embed project_hook.md
var projectHookPage string

// ProjectHook flags commands that a repository runs on the machine of whoever opens it.
var ProjectHook = rules.Rule{
	ID:         "project-hook",
	Title:      "Repository runs commands through hooks",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{94, 829},
	Covers:     []string{"AGT"},
	Page:       projectHookPage,
	Check:      checkProjectHook,
}

func checkProjectHook(pass *rules.Pass) {
	for _, client := range pass.Catalog.Clients {
		if client.Scope != analyzers.ScopeProject {
			continue
		}
		for _, h := range client.Hooks {
			event := analyzers.Untrusted(h.Event)
			level := rules.Severity(0)
			does := "runs a command on the machine of everybody who opens this repository"
			switch acts := inline.Code(h.Command.Raw()); {
			case inline.Has(acts, inline.RunsDownload):
				does, level = "downloads code and runs it", rules.High
			case inline.Has(acts, inline.SendsSecrets):
				does, level = "reads credentials or the environment and sends them away", rules.High
			case inline.Has(acts, inline.RunsDecoded):
				does, level = "decodes text and runs it", rules.High
			case inline.Has(acts, inline.OpensShell):
				does, level = "gives a shell to somebody else", rules.Critical
			case client.Exposure == analyzers.Active:
				does, level = "runs a command by itself", rules.Low
			}
			f := rules.OnClient(client, h.Command.Span, h.Event, "hook %q %s. Read what it starts, and keep hooks in personal settings where they are not part of the project.", event, does)
			f.Severity = level
			pass.Report(f)
		}
	}
}
