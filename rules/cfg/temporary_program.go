package cfg

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed temporary_program.md
var temporaryProgramPage string

// TemporaryProgram flags programs in directories that others can write to.
var TemporaryProgram = rules.Rule{
	ID:         "temporary-program",
	Title:      "Program lies in a temporary or download directory",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{379, 426},
	Covers:     []string{"CFG-012"},
	Page:       temporaryProgramPage,
	Check:      checkTemporaryProgram,
}

func checkTemporaryProgram(pass *rules.Pass) {
	lines(pass.Catalog, func(l line) {
		candidates := []analyzers.Text{l.launch.Argv[0], l.launch.Script}
		if len(l.launch.Inner) > 0 {
			candidates = append(candidates, l.launch.Inner[0])
		}
		if l.server != nil {
			candidates = append(candidates, l.server.Cwd)
		}
		for _, c := range candidates {
			if temporary(c.Raw()) {
				pass.Report(l.finding(c.Span, "program", "%s starts from %q, where other programs and downloads put files. Move it to a directory that only its owner can write.", c))
				return
			}
		}
	})
}
