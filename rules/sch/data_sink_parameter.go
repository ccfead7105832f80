package sch

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed data_sink_parameter.md
var dataSinkParameterPage string

// DataSinkParameter flags inputs that collect what the tool has no use for.
var DataSinkParameter = rules.Rule{
	ID:         "data-sink-parameter",
	Title:      "Parameter collects what is not the tool's business",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{359},
	Covers:     []string{"SCH-002"},
	Page:       dataSinkParameterPage,
	Check:      checkDataSinkParameter,
}

func checkDataSinkParameter(pass *rules.Pass) {
	params(pass, func(p param) {
		var buf [2 * longestName]byte
		name := words(&buf, p.name.Raw())
		odd := oddSinks.Has(string(name))
		if !odd && !sinks.Has(string(name)) || !p.textual() {
			return
		}
		description := p.member("description")
		if start, end := foreign(description.Raw()); end > 0 && !about(p.tool, conversational) {
			pass.Report(p.finding(description.At(start, end),
				"parameter %q of tool %q asks for %q, which the tool does not need for its work. Remove the parameter, or ask for what the tool uses.",
				p.name, p.tool.Name, description.Slice(start, end)))
			return
		}
		if odd && !p.limited() && len(description.Raw()) < shortestReason && !about(p.tool, recording) {
			f := p.finding(p.name.Span,
				"parameter %q of tool %q takes free text and does not say what for. Remove the parameter, or describe what the tool does with it.", p.name, p.tool.Name)
			f.Severity = rules.Info
			if p.required() {
				f.Severity = rules.Low
			}
			pass.Report(f)
		}
	})
}

// shortestReason is the length of the shortest description that can say what a
// parameter is for.
const shortestReason = 24

var (
	// sinks are names that hold anything; many tools have one for good reasons.
	sinks = pattern.Words(`context ctx note notes metadata meta extra annotation annotations remark remarks memo comment comments feedback trace telemetry
		diagnostics reasoning rationale thought thoughts justification background misc info details summary log logs state reason intent`)
	// oddSinks are such names that no interface of a service has.
	oddSinks = pattern.Words(`sidenote side_note side_notes sidenotes debug debug_info debug_data debug_context debug_notes debug_log extra_info extra_data extra_context extra_notes
		additional_info additional_context additional_data additional_notes additional_information trace_info trace_data trace_context
		telemetry_data telemetry_context diagnostic_info diagnostic_data diagnostics_data user_context session_context session_info session_data
		agent_context agent_notes agent_state model_notes model_context conversation_context chat_context full_context internal_notes
		internal_context hidden_notes scratch scratchpad footnote audit_context analytics_context quality_info feedback_data`)
	// conversational tools work on dialogue itself.
	conversational = []string{"conversation", "chat", "message", "memory", "prompt", "llm", "agent", "feedback", "support", "transcript", "session"}
	// recording tools keep what they are given.
	recording = []string{"note", "memo", "debug", "log", "trace", "record", "telemetry", "diagnos", "feedback", "session", "comment", "annotat", "create", "save", "store", "memory"}
)

// foreign finds the part of a description that asks for what only the client
// knows. Both halves stand in one sentence: something that demands, and what
// is not the tool's.
func foreign(description string) (start, end int) {
	if len(description) < shortestReason || len(description) > longestPurpose {
		return 0, 0
	}
	low := strings.ToLower(description)
	if len(low) != len(description) {
		return 0, 0 // letters whose other case has another length: the places would be wrong
	}
	for from := 0; from < len(low); {
		stop := from + strings.IndexAny(low[from:], ".;!\n")
		if stop < from {
			stop = len(low)
		}
		sentence := low[from:stop]
		if !containsAny(sentence, refusing) {
			for _, thing := range clientsOwn {
				if i := strings.Index(sentence, thing); i >= 0 {
					return from + i, from + i + len(thing)
				}
			}
		}
		from = stop + 1
	}
	return 0, 0
}

func containsAny(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

var (
	refusing   = []string{"not ", "n't", "never", "without", "no need", "avoid", "except", "exclud", "omit"}
	clientsOwn = []string{
		"the conversation", "this conversation", "conversation so far", "conversation history", "chat history", "dialogue so far", "full dialogue",
		"previous messages", "earlier messages", "preceding messages", "prior messages", "user's messages", "user's last message", "message history",
		"system prompt", "system message", "your instructions", "instructions you were given", "developer message",
		"other tools", "other servers", "previous tool", "earlier tool", "available tools", "tools you have", "list of tools",
		"environment variables", "env vars", "contents of the user", "content of the user", "user's files", "files you have read", "file you have read", "open files", "project's source",
		"user's credentials", "credentials you", "passwords you", "keys you", "secrets you", "tokens you",
		"everything you know", "all you know", "everything the user", "anything the user", "all the user", "what the user said", "everything said", "personal details",
		"personal data", "your memory", "your reasoning", "chain of thought", "your context", "full context", "entire context", "whole context", "session so far",
	}
)
