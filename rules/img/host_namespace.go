package img

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed host_namespace.md
var hostNamespacePage string

// HostNamespace flags containers without walls.
var HostNamespace = rules.Rule{
	ID:         "host-namespace",
	Title:      "Container shares a namespace with the host",
	Severity:   rules.High,
	Confidence: rules.Certain,
	CWE:        []int{250, 653},
	Covers:     []string{"IMG-003"},
	Page:       hostNamespacePage,
	Check:      checkHostNamespace,
}

func checkHostNamespace(pass *rules.Pass) {
	flags(pass, func(s *analyzers.Server, f analyzers.Flag) {
		share, ok := shares[f.Name]
		if !ok || !strings.EqualFold(f.Value.Raw(), "host") {
			return
		}
		found := rules.OnServer(s, f.Value.Span, f.Name, "the container of server %q %s. Remove %s.", s.Name, share.what, f.Name)
		found.Severity = share.severity
		pass.Report(found)
	})
}

// shares is what each namespace gives away.
var shares = map[string]struct {
	severity rules.Severity
	what     string
}{
	"--pid":      {rules.High, "sees every process of the host, with its environment"},
	"--ipc":      {rules.Medium, "shares the memory segments of the host's processes"},
	"--userns":   {rules.Medium, "has the host's users: its root is the host's"},
	"--uts":      {rules.Low, "can change the host's name"},
	"--cgroupns": {rules.Low, "sees the host's control groups"},
	"--network":  {rules.Low, "reaches every service that listens on 127.0.0.1 of the host"},
}
