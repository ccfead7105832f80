package sch

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed prompt_passthrough.md
var promptPassthroughPage string

// PromptPassthrough flags tools that hand a text on to another model as its
// orders.
var PromptPassthrough = rules.Rule{
	ID:         "prompt-passthrough",
	Title:      "Tool hands a prompt on to another model",
	Severity:   rules.Info,
	Confidence: rules.Likely,
	CWE:        []int{1427},
	Covers:     []string{"SCH-007"},
	Page:       promptPassthroughPage,
	Check:      checkPromptPassthrough,
}

func checkPromptPassthrough(pass *rules.Pass) {
	params(pass, func(p param) {
		var buf [2 * longestName]byte
		name := words(&buf, p.name.Raw())
		if !prompts.Has(string(name)) || p.limited() || !p.textual() || !about(p.tool, models) {
			return
		}
		pass.Report(p.finding(p.name.Span, "parameter %q of tool %q becomes the order of another model, which has rights of its own. Check what that model may do, and mark passed-on text as data.", p.name, p.tool.Name))
	})
}

var (
	prompts = pattern.Words("prompt system_prompt user_prompt instructions instruction system_message system_instruction system_instructions agent_prompt llm_prompt task_prompt system")
	models  = []string{"llm", "language model", "agent", "assistant", "gpt", "claude", "gemini", "completion", "chatbot", "ai model", "copilot"}
)
