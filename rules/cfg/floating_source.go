package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed floating_source.md
var floatingSourcePage string

// FloatingSource flags code that comes from a git branch or an address, not from a registry.
var FloatingSource = rules.Rule{
	ID:         "floating-source",
	Title:      "Server is fetched from a branch or an address that can change",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{494, 829},
	Covers:     []string{"CFG-010", "CFG-011"},
	Page:       floatingSourcePage,
	Check:      checkFloatingSource,
}

var (
	versionTag = pattern.New(`^v?\d+(?:\.\d+)+[\w.+-]*$`)
	frozenURL  = pattern.New(`/[0-9a-f]{40}/|@v?\d+\.\d+\.\d+[/-]|@v?\d+\.\d+\.\d+$`)
)

// loaders run code from a URL; elsewhere a URL is something to talk to.
var loaders = pattern.Words("deno bun jbang uv node tsx python python3")

func checkFloatingSource(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		for _, p := range s.Packages {
			name := analyzers.Untrusted(p.Name)
			switch {
			case p.Source == "git" && p.Pin != analyzers.PinCommit:
				f := rules.OnServer(s, p.Spec.Span, subjectOf(p), "server %q runs whatever the repository of %q holds at that moment. Name the full commit.", s.Name, name)
				if versionTag.MatchString(p.Version) {
					f = rules.OnServer(s, p.Spec.Span, subjectOf(p), "server %q runs %q at a git tag, which its owner can move. Name the full commit.", s.Name, name)
					f.Severity = rules.Low
				}
				pass.Report(f)
			case p.Source == "url" && p.Pin != analyzers.PinDigest:
				f := rules.OnServer(s, p.Spec.Span, subjectOf(p), "server %q runs an archive, %q, that nothing verifies. Install it from a registry with an exact version, or pin its checksum.", s.Name, name)
				if strings.HasPrefix(p.Spec.Raw(), "http://") {
					f.Severity = rules.High
				}
				pass.Report(f)
			}
		}
		if s.Launch == nil || !loaders.Has(s.Launch.Program) {
			continue
		}
		for _, r := range s.Launch.Remotes {
			host, ok := outside(r.Raw())
			if !ok {
				continue
			}
			f := rules.OnServer(s, r.Span, host, "server %q loads its program from %q at every start. Install it from a registry with an exact version, or keep a copy.", s.Name, analyzers.Untrusted(host))
			switch {
			case strings.HasPrefix(r.Raw(), "http://"):
				f.Severity = rules.High
			case frozenURL.MatchString(r.Raw()):
				f.Severity = rules.Low
			}
			pass.Report(f)
		}
	}
}

// subjectOf names a package without the credentials that its spec may hold.
func subjectOf(p analyzers.PackageRef) string {
	if p.PURL != "" {
		return p.PURL
	}
	return p.Name
}
