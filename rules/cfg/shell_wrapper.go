package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/launch"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed shell_wrapper.md
var shellWrapperPage string

// ShellWrapper flags servers that are started through a command interpreter.
var ShellWrapper = rules.Rule{
	ID:         "shell-wrapper",
	Title:      "Server is started through a shell",
	Severity:   rules.Low,
	Confidence: rules.Certain,
	CWE:        []int{78},
	Covers:     []string{"CFG-001"},
	Page:       shellWrapperPage,
	Check:      checkShellWrapper,
}

func checkShellWrapper(pass *rules.Pass) {
	lines(pass.Catalog, func(l line) {
		if l.server == nil || !l.launch.Shell {
			return // a shell runs every hook
		}
		wrapper, nested := "a shell", 0
		for _, w := range l.launch.Wrappers {
			if program, _, _ := strings.Cut(w, " "); program == "cmd" || shells.Has(program) || strings.HasSuffix(w, "-c") {
				wrapper = w
				nested++
				if program != "cmd" {
					break
				}
			}
		}
		one := l.launch.Inline.IsZero()
		if !one {
			_, one = launch.Split(l.launch.Inline)
			one = one && nested < 2 && !strings.Contains(l.launch.Inline.Raw(), "$")
		}
		if one && strings.HasPrefix(wrapper, "cmd") {
			return // how Windows starts npx.cmd: there is no other way
		}
		does := "runs one command that needs no shell"
		if !one {
			does = "runs more than one command, or text that the shell expands"
		}
		pass.Report(l.finding(l.at(), wrapper,
			"%s starts through %q, which %s. Name the program as command and its words as args.", analyzers.Untrusted(wrapper), does))
	})
}

var shells = pattern.Words("sh bash zsh dash ksh fish ash cmd powershell pwsh")
