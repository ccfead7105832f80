package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed auto_approve.md
var autoApprovePage string

// AutoApprove flags tools that run without a question.
var AutoApprove = rules.Rule{
	ID:         "auto-approve",
	Title:      "Tools run without asking",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{862, 1188},
	Covers:     []string{"CFG-018"},
	Page:       autoApprovePage,
	Check:      checkAutoApprove,
}

// approvals are the keys of a server under which a client keeps the tools that
// it runs without asking.
var approvals = pattern.Words("alwaysAllow autoApprove autoapprove always_allow auto_approve allowedTools autoApproveTools alwaysAllowTools")

// reading is how the names of tools begin that only look.
var reading = pattern.Words("get list read search find query describe show fetch lookup view browse count check status resolve info explain summarize count head stat")

func checkAutoApprove(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		var tools []analyzers.Setting
		for _, p := range s.Settings {
			key, _, list := strings.Cut(p.Path, "[")
			switch value := p.Value.Raw(); {
			case key == "allowedTools" && value != "*":
				// a choice of tools, in most clients
			case approvals.Has(key) && (list || truthy(value)):
				if value != "" && value != "[]" {
					tools = append(tools, p)
				}
			case key == "trust" && truthy(value),
				(key == "default_tools_approval_mode" || strings.HasSuffix(key, ".approval_mode")) && value == "approve",
				key == "autoStartAndApprove" && truthy(value):
				pass.Report(rules.OnServer(s, p.Value.Span, p.Path, "client runs tools of server %q without asking, because of %q. Let it ask, and allow single tools that only read.", s.Name, analyzers.Untrusted(p.Path)))
			}
		}
		reportApproved(pass, s, tools)
	}
}

func reportApproved(pass *rules.Pass, s *analyzers.Server, tools []analyzers.Setting) {
	if len(tools) == 0 {
		return
	}
	worst, acting := tools[0], 0
	for _, tool := range tools {
		if looks(tool.Value.Raw()) {
			continue
		}
		if acting++; acting == 1 || tool.Value.Raw() == "*" {
			worst = tool
		}
	}
	key, _, _ := strings.Cut(worst.Path, "[")
	switch {
	case acting == 0:
		f := rules.OnServer(s, worst.Value.Span, key, "client runs %d tools of server %q that by their names only read, without asking. Make sure that none of them brings in text from strangers.", len(tools), s.Name)
		f.Severity = rules.Info
		pass.Report(f)
	case truthy(worst.Value.Raw()):
		pass.Report(rules.OnServer(s, worst.Value.Span, key, "client runs every tool of server %q without asking. List single tools that only read.", s.Name))
	default:
		pass.Report(rules.OnServer(s, worst.Value.Span, key, "client runs %q of server %q without asking (tools in all: %d). Keep to tools that only read.", worst.Value, s.Name, len(tools)))
	}
}

// looks reports whether a tool only reads, as far as its name tells.
func looks(tool string) bool {
	tool = tool[strings.LastIndexAny(tool, "/:")+1:]
	for i, w := range words(tool) {
		switch w {
		case "delete", "remove", "write", "update", "create", "exec", "execute", "run", "send", "set", "put", "post", "drop", "kill", "edit":
			return false
		}
		if reading.Has(w) && i <= 2 {
			return true
		}
	}
	return false
}
