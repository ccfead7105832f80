package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed runs_as_root.md
var runsAsRootPage string

// RunsAsRoot flags command lines that raise their own rights.
var RunsAsRoot = rules.Rule{
	ID:         "runs-as-root",
	Title:      "Command is run with raised rights",
	Severity:   rules.Medium,
	Confidence: rules.Certain,
	CWE:        []int{250},
	Covers:     []string{"CFG-005"},
	Page:       runsAsRootPage,
	Check:      checkRunsAsRoot,
}

var raisers = pattern.Words("sudo doas pkexec su run0 gsudo runas sudo-rs please")

func checkRunsAsRoot(pass *rules.Pass) {
	lines(pass.Catalog, func(l line) {
		for _, w := range l.launch.Wrappers {
			if raisers.Has(w) {
				pass.Report(l.finding(l.at(), w, "%s runs through %q, with the rights of another user. Start it as the user who works with it.", w))
				return
			}
		}
		if raisers.Has(l.launch.Program) {
			pass.Report(l.finding(l.launch.Inner[0].Span, l.launch.Program, "%s runs through %q, with the rights of another user. Start it as the user who works with it.", l.launch.Program))
			return
		}
		if !l.launch.Shell && l.server != nil {
			return
		}
		code := l.code()
		for start, word := range commandWords(code.Raw()) {
			if raisers.Has(word) {
				pass.Report(l.finding(code.At(start, start+len(word)), word, "%s runs a command through %q, with the rights of another user. Start it as the user who works with it.", word))
				return
			}
		}
	})
}

// commandWords visits the first word of every command of a shell line.
func commandWords(text string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		for i := 0; i < len(text); {
			end := strings.IndexAny(text[i:], "|;&\n(`")
			if end < 0 {
				end = len(text) - i
			}
			part := text[i : i+end]
			trimmed := strings.TrimLeft(part, " \t\r\"'{")
			word := trimmed
			if n := strings.IndexAny(word, " \t\r\"'"); n >= 0 {
				word = word[:n]
			}
			if word != "" && !yield(i+len(part)-len(trimmed), word) {
				return
			}
			i += end + 1
		}
	}
}
