package uni

import (
	_ "embed"
	"fmt"

	"golang.org/x/text/unicode/norm"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/confusable"
)

//go:embed mixed_script_name.md
var mixedScriptNamePage string

// MixedScriptName flags names of tools and parameters with letters that pass
// for others.
var MixedScriptName = rules.Rule{
	ID:         "mixed-script-name",
	Title:      "Name is written with letters that pass for others",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{1007},
	Covers:     []string{"UNI-005"},
	Page:       mixedScriptNamePage,
	Check:      checkMixedScriptName,
}

func checkMixedScriptName(pass *rules.Pass) {
	for _, n := range names(pass) {
		name := n.Field.Text.Raw()
		skeleton, folded := confusable.Skeleton(name)
		if !folded || !confusable.Mixed(name) && !ascii(skeleton) || ascii(norm.NFKC.String(name)) {
			continue // one that normalisation makes plain is unstable-name's
		}
		start, end, letter := odd(name)
		pass.Report(n.Finding(start, end, "name %q in %s looks like %q and is another one: %s. Type it anew.",
			n.Field.Text, n.Where(), analyzers.Untrusted(skeleton), fmt.Sprintf("its %c is %U", letter, letter)))
	}
}

// odd is the first letter that passes for another.
func odd(name string) (start, end int, letter rune) {
	for i, r := range name {
		if _, ok := confusable.Letter(r); ok {
			return i, i + len(string(r)), r
		}
	}
	return 0, len(name), 0
}
