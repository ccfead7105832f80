package cfg

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/cfg/inline"
)

//go:embed inline_code.md
var inlineCodePage string

// InlineCode flags programs that are written out in the command line.
var InlineCode = rules.Rule{
	ID:         "inline-code",
	Title:      "Server's program is written in the command line",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{94},
	Covers:     []string{"CFG-004"},
	Page:       inlineCodePage,
	Check:      checkInlineCode,
}

// entry is code that only calls a module that is there already, which is what
// python -m does.
var entry = pattern.New(`^\s*(?:(?:from\s+[\w.]+\s+import\s+[\w, ]+|import\s+[\w.]+)\s*[;\n]\s*[\w.]+\(\s*\);?|(?:await\s+)?(?:require|import)\(\s*['"][\w@./-]+['"]\s*\);?)\s*$`)

func checkInlineCode(pass *rules.Pass) {
	lines(pass.Catalog, func(l line) {
		code := l.code()
		if code.IsZero() || l.ofProject() {
			return
		}
		acts := inline.Code(code.Raw())
		if p, ok := first(acts, inline.SendsSecrets); ok {
			f := l.finding(code.At(p.Start, p.End), "sends", "%s runs code from its command line that reads credentials or the environment and sends them away. Remove it, and change the credentials that it could reach.")
			f.Severity = rules.High
			pass.Report(f)
			return
		}
		if p, ok := first(acts, inline.RunsDecoded); ok {
			f := l.finding(code.At(p.Start, p.End), "decodes", "%s decodes text of its command line and runs it. Start a program that can be read.")
			f.Severity = rules.High
			pass.Report(f)
			return
		}
		for _, flag := range l.launch.Flags {
			if flag.Name == "-encodedcommand" {
				f := l.finding(flag.Value.Span, "encoded", "%s hides its command in base64. Write the command in clear text.")
				f.Severity = rules.High
				pass.Report(f)
				return
			}
		}
		if l.server == nil || l.launch.Shell {
			return // a shell line without these is shell-wrapper's
		}
		f := l.finding(code.Span, l.launch.Program, "%s is a program that stands in its own command line, for %s. Put it into a file of the repository or a pinned package.", analyzers.Untrusted(l.launch.Program))
		if len(code.Raw()) < 200 && entry.MatchString(code.Raw()) {
			f.Severity = rules.Low
		}
		pass.Report(f)
	})
}
