package trn

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed cleartext_remote.md
var cleartextRemotePage string

// CleartextRemote flags servers that are reached without TLS.
var CleartextRemote = rules.Rule{
	ID:         "cleartext-remote",
	Title:      "Remote server is reached without encryption",
	Severity:   rules.Medium,
	Confidence: rules.Certain,
	CWE:        []int{319},
	Covers:     []string{"TRN-001"},
	Page:       cleartextRemotePage,
	Check:      checkCleartextRemote,
}

func checkCleartextRemote(pass *rules.Pass) {
	remotes(pass, func(p place) {
		for _, e := range endpoints(p.text.Raw()) {
			distance := reachOf(e.host)
			if e.scheme != "http" && e.scheme != "ws" || distance < private {
				continue
			}
			f := p.finding(0, len(p.text.Value), e.host,
				"server %q is reached over %s, so whoever is on the way to %q reads and changes what it says. Use %ss.",
				p.server.Name, e.scheme, analyzers.Untrusted(e.host), e.scheme)
			if distance == private {
				f.Severity = rules.Low
			}
			pass.Report(f)
		}
	})
	for _, s := range pass.Catalog.Servers {
		if s.Launch == nil {
			continue
		}
		for _, flag := range s.Launch.Flags {
			if flag.Name == "--allow-http" && !plain(s) {
				f := rules.OnServer(s, flag.At.Span, flag.Name, "server %q allows a connection without encryption. Remove %s: the address has no need of it.", s.Name, flag.Name)
				f.Severity = rules.Low
				pass.Report(f)
			}
		}
	}
}

// plain reports whether a remote of the server is http: then --allow-http is
// what makes it work, and the address has its own finding if it is far away.
func plain(s *analyzers.Server) bool {
	for _, t := range s.Remotes {
		for _, e := range endpoints(t.Raw()) {
			if e.scheme == "http" || e.scheme == "ws" {
				return true
			}
		}
	}
	return false
}
