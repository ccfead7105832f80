package uni

import (
	_ "embed"

	"golang.org/x/text/unicode/norm"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed unstable_name.md
var unstableNamePage string

// UnstableName flags names that Unicode normalisation changes.
var UnstableName = rules.Rule{
	ID:         "unstable-name",
	Title:      "Name changes under Unicode normalisation",
	Severity:   rules.Low,
	Confidence: rules.Certain,
	CWE:        []int{176, 1007},
	Covers:     []string{"UNI-012"},
	Page:       unstableNamePage,
	Check:      checkUnstableName,
}

func checkUnstableName(pass *rules.Pass) {
	for _, n := range names(pass) {
		name := n.Field.Text.Raw()
		stable := norm.NFKC.String(name)
		if stable == name {
			continue
		}
		end := norm.NFKC.QuickSpanString(name)
		f := n.Finding(end, len(name), "name %q in %s becomes %q where a program normalises it, so that two programs compare two names. Type it anew.", n.Field.Text, n.Where(), analyzers.Untrusted(stable))
		if ascii(stable) {
			f.Severity = rules.Medium
		}
		pass.Report(f)
	}
}
