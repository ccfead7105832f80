package drf

import (
	_ "embed"
	"fmt"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed untrusted_manifest.md
var untrustedManifestPage string

// UntrustedManifest flags manifests that prove nothing.
var UntrustedManifest = rules.Rule{
	ID:         "untrusted-manifest",
	Title:      "The manifest proves nothing",
	Severity:   rules.High,
	Confidence: rules.Certain,
	CWE:        []int{345, 347},
	Covers:     []string{"DRF-011", "DRF-012"},
	Page:       untrustedManifestPage,
	Check:      checkUntrustedManifest,
}

func checkUntrustedManifest(pass *rules.Pass) {
	seen := map[*analyzers.Source]bool{}
	for _, c := range all(pass) {
		m := c.manifest
		if seen[m.Source] {
			continue
		}
		seen[m.Source] = true
		f := rules.Finding{Server: c.server.Name.Raw(), Exposure: m.Exposure, Subject: string(m.Status), Span: m.Source.Span(0, 0)}
		who := fmt.Sprintf("the manifest of server %q", c.server.Name)
		switch {
		case c.fault != nil:
			f.Subject = string(analyzers.ManifestInvalid)
			f.Message = fmt.Sprintf("%s cannot be believed: %s. Write a new one from what you have reviewed: sallyport manifest generate.", who, analyzers.Untrusted(c.fault.Error()))
		case m.Status == analyzers.ManifestInvalid:
			f.Message = fmt.Sprintf("%s cannot be believed: %s. Find out who wrote it.", who, analyzers.Untrusted(m.Reason))
		case m.Status == analyzers.ManifestExpired, m.Status == analyzers.ManifestReplayed:
			f.Message = fmt.Sprintf("%s no longer holds: %s. Review the server and sign a new one.", who, analyzers.Untrusted(m.Reason))
		case m.Status == analyzers.ManifestVerified, m.Entry != "": // the registry has its digest
			continue
		case m.Bundle:
			f.Severity = rules.Info
			f.Message = who + " is signed, and nobody said whose signature to believe. Name a key, or an identity with its issuer."
		default:
			f.Severity = rules.Info
			f.Message = who + " is unsigned: whoever changes the server can change it, too. Sign it: sallyport manifest sign."
		}
		pass.Report(f)
	}
}
