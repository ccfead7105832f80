package img

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed privileged_container.md
var privilegedContainerPage string

// PrivilegedContainer flags containers that are none.
var PrivilegedContainer = rules.Rule{
	ID:         "privileged-container",
	Title:      "Container runs with all rights of the host",
	Severity:   rules.High,
	Confidence: rules.Certain,
	CWE:        []int{250},
	Covers:     []string{"IMG-001"},
	Page:       privilegedContainerPage,
	Check:      checkPrivilegedContainer,
}

func checkPrivilegedContainer(pass *rules.Pass) {
	flags(pass, func(s *analyzers.Server, f analyzers.Flag) {
		if f.Name == "--privileged" && (f.Value.IsZero() || strings.EqualFold(f.Value.Raw(), "true") || f.Value.Raw() == "1") {
			pass.Report(rules.OnServer(s, f.At.Span, f.Name,
				"the container of server %q is privileged: whatever runs in it controls the host. Remove --privileged.", s.Name))
		}
	})
}
