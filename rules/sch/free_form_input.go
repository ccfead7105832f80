package sch

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed free_form_input.md
var freeFormInputPage string

// FreeFormInput flags servers that run whole commands, code or queries that a
// model writes.
var FreeFormInput = rules.Rule{
	ID:         "free-form-input",
	Title:      "Tool runs commands, code or queries that a model writes",
	Severity:   rules.Low,
	Confidence: rules.Likely,
	CWE:        []int{77, 94, 89},
	Covers:     []string{"SCH-004"},
	Page:       freeFormInputPage,
	Check:      checkFreeFormInput,
}

func checkFreeFormInput(pass *rules.Pass) {
	var server *analyzers.Server
	var commands, others *tally
	flush := func() {
		if commands != nil {
			f := rules.OnServer(server, commands.at, "commands", "server %q runs what a model writes: %s. Offer tools for the single things to be done, or run the server in a sandbox.", server.Name, commands)
			pass.Report(f)
		}
		if others != nil {
			f := rules.OnServer(server, others.at, "places", "server %q takes any path or address from a model: %s. Limit the server to the folders and hosts it needs.", server.Name, others)
			f.Severity = rules.Info
			pass.Report(f)
		}
		commands, others = nil, nil
	}
	params(pass, func(p param) {
		if p.server != server {
			flush()
			server = p.server
		}
		var buf [2 * longestName]byte
		name := words(&buf, p.name.Raw())
		into := &commands
		switch {
		case executed.Has(string(name)) && (sure.Has(string(name)) || about(p.tool, executing)):
		case places.Has(string(name)):
			into = &others
		default:
			return
		}
		if !p.textual() || p.limited() {
			return
		}
		if *into == nil {
			*into = &tally{}
		}
		(*into).add(p.name.Span, p.tool.Name.String()+" ("+p.name.String()+")")
	})
	flush()
}

const sureWords = "shell_command bash_command shell_cmd bash_script shell_script raw_sql sql_query sql_statement python_code javascript_code js_code cmdline command_line commandline shell powershell"

var (
	sure      = pattern.Words(sureWords)
	executed  = pattern.Words(sureWords + " command cmd commands sql script code source_code expression statement snippet eval")
	places    = pattern.Words("filesystem_path absolute_path full_path local_path target_url fetch_url any_url webhook_url callback_url")
	executing = []string{"execut", "run ", "runs ", "running", "shell", "terminal", "bash", "command line", "eval", "interpret", "sql", "run_", "_run", "exec"}
)
