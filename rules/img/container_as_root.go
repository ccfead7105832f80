package img

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed container_as_root.md
var containerAsRootPage string

// ContainerAsRoot flags containers that are told to be root.
var ContainerAsRoot = rules.Rule{
	ID:         "container-as-root",
	Title:      "Container runs as root by request",
	Severity:   rules.Low,
	Confidence: rules.Certain,
	CWE:        []int{250},
	Covers:     []string{"IMG-007"},
	Page:       containerAsRootPage,
	Check:      checkContainerAsRoot,
}

func checkContainerAsRoot(pass *rules.Pass) {
	flags(pass, func(s *analyzers.Server, f analyzers.Flag) {
		if f.Name != "--user" {
			return
		}
		user, _, _ := strings.Cut(f.Value.Raw(), ":")
		if user == "0" || strings.EqualFold(user, "root") {
			pass.Report(rules.OnServer(s, f.Value.Span, f.Name,
				"the container of server %q is started as root. Remove %s, or name a user without rights.", s.Name, f.Name))
		}
	})
}
