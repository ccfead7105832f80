package shd

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed host_tool_name.md
var hostToolNamePage string

// HostToolName flags tools that are named like those that a client brings.
var HostToolName = rules.Rule{
	ID:         "host-tool-name",
	Title:      "Tool is named like a tool of the client itself",
	Severity:   rules.Low,
	Confidence: rules.Likely,
	CWE:        []int{290, 694},
	Covers:     []string{"SHD-006"},
	Page:       hostToolNamePage,
	Check:      checkHostToolName,
}

func checkHostToolName(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		for _, t := range s.Surface.Tools {
			o := owned{s, t}
			name := t.Name.Raw()
			if !hosts()[name] {
				continue
			}
			f := o.finding("tool %q of server %q has the name of a tool that clients bring themselves, so that a call may be meant for either. Rename it.", t.Name, s.Name)
			f.Severity = rules.Info
			if start, end := replaces(t.Description.Raw()); end > 0 {
				f = o.finding("tool %q of server %q has the name of a tool that clients bring themselves, and says that it stands in for it. Rename it, and let the user choose.", t.Name, s.Name)
				f.Span = t.Description.At(start, end)
			}
			pass.Report(f)
		}
	}
}

// hosts are the names of tools that coding clients bring, exactly as they
// write them.
var hosts = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq(`Bash BashOutput KillShell KillBash Read Write Edit MultiEdit Glob Grep LS WebSearch WebFetch Task TodoWrite TodoRead NotebookEdit NotebookRead
		ExitPlanMode EnterPlanMode AskUserQuestion SlashCommand Skill Agent str_replace_editor str_replace_based_edit_tool text_editor computer bash code_execution
		run_terminal_cmd codebase_search apply_patch run_in_terminal replace_string_in_file insert_edit_into_file semantic_search run_shell_command google_web_search save_memory
		write_to_file replace_in_file attempt_completion ask_followup_question use_mcp_tool access_mcp_resource`) {
		m[name] = true
	}
	return m
})

// replaces finds where a description says that the tool stands in for the
// client's own.
func replaces(description string) (start, end int) {
	const most = 4096
	low := strings.ToLower(description[:min(len(description), most)])
	if len(low) > len(description) {
		return 0, 0
	}
	for _, claim := range []string{"built-in", "builtin", "instead of the default", "instead of the native", "instead of the standard", "replaces the", "replacement for", "drop-in", "overrides the", "native tool", "default tool", "same as the client"} {
		if i := strings.Index(low, claim); i >= 0 {
			return i, min(i+len(claim), len(description))
		}
	}
	return 0, 0
}
