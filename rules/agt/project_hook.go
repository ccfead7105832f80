package agt

import (
	_ "embed"
	"fmt"
	"strings"

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
			does, level := act(h.Command.Raw())
			switch {
			case level > 0:
			case client.Exposure == analyzers.Active:
				does, level = "runs a command by itself", rules.Low
			default:
				does = "runs a command on the machine of everybody who opens this repository"
			}
			f := rules.OnClient(client, h.Command.Span, h.Event, "hook %q %s. Read what it starts, and keep hooks in personal settings where they are not part of the project.", analyzers.Untrusted(h.Event), does)
			f.Severity = level
			pass.Report(f)
		}
	}
	for _, doc := range pass.Catalog.Documents {
		documentHooks(pass, doc)
	}
}

// act says what a command does that no harmless one does, with its level; zero
// for nothing.
func act(command string) (does string, level rules.Severity) {
	switch acts := inline.Code(command); {
	case inline.Has(acts, inline.RunsDownload):
		return "downloads code and runs it", rules.High
	case inline.Has(acts, inline.SendsSecrets):
		return "reads credentials or the environment and sends them away", rules.High
	case inline.Has(acts, inline.RunsDecoded):
		return "decodes text and runs it", rules.High
	case inline.Has(acts, inline.OpensShell):
		return "gives a shell to somebody else", rules.Critical
	}
	return "", 0
}

// documentHooks judges what a skill, command or subagent runs without the
// model's choice: hooks in its front matter, and the commands in its text whose
// output is put in their place before the model reads it (!`command`).
func documentHooks(pass *rules.Pass, doc *analyzers.Document) {
	if doc.Kind != "skill" && doc.Kind != "command" && doc.Kind != "subagent" {
		return
	}
	for _, s := range doc.Settings {
		path, ok := strings.CutPrefix(s.Path, "hooks.")
		if !ok || s.Key.Raw() != "command" || s.Value.Raw() == "" || doc.Client == "copilot" { // clientconfig reads Copilot's
			continue
		}
		event, _, _ := strings.Cut(path, "[")
		does, level := act(s.Value.Raw())
		if level == 0 {
			does = "runs a command while it is in use"
		}
		f := rules.Finding{Severity: level, Exposure: doc.Exposure, Subject: event, Span: s.Value.Span}
		f.Message = fmt.Sprintf("hook %q of %s %q %s. Read what it starts.", analyzers.Untrusted(event), doc.Kind, doc.Name, does)
		pass.Report(f)
	}
	for _, field := range doc.Fields {
		if field.Path != "body" || doc.Kind == "subagent" {
			continue
		}
		for _, command := range substituted(field.Text) {
			if does, level := act(command.Raw()); level > 0 {
				f := rules.Finding{Severity: level, Exposure: doc.Exposure, Subject: "text", Span: command.Span}
				f.Message = fmt.Sprintf("%s %q %s as soon as somebody uses it. Remove the command.", doc.Kind, doc.Name, does)
				pass.Report(f)
			}
		}
	}
}

const (
	maxSubstituted = 200      // commands of one text
	maxCommand     = 16 << 10 // bytes of one
)

// substituted returns the commands between "!`" and the next backtick.
func substituted(body analyzers.Text) []analyzers.Text {
	var out []analyzers.Text
	raw := body.Raw()
	for at := 0; len(out) < maxSubstituted; {
		i := strings.Index(raw[at:], "!`")
		if i < 0 {
			break
		}
		at += i + 2
		n := strings.IndexByte(raw[at:min(len(raw), at+maxCommand)], '`')
		if n < 0 {
			continue
		}
		out = append(out, body.Slice(at, at+n))
		at += n + 1
	}
	return out
}
