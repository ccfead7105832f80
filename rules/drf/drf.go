// Package drf holds the rules on drift: what has changed since somebody wrote
// down, in a manifest, what a server is and shows. Package drift judges the
// changes; each rule here speaks of one kind of them.
package drf

import (
	"slices"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/drift"
)

// compared is a server with its manifest and what differs.
type compared struct {
	server   *analyzers.Server
	manifest *analyzers.Manifest
	fault    error // why the manifest cannot be read
	changes  []drift.Change
}

type sharedKey struct{}

// all compares every server that a manifest speaks for, once a scan.
func all(pass *rules.Pass) []compared {
	return pass.Shared(sharedKey{}, func() any {
		type read struct {
			m   *manifest.Manifest
			err error
		}
		seen := map[*analyzers.Source]read{}
		var out []compared
		for _, s := range pass.Catalog.Servers {
			found := pass.Catalog.ManifestOf(s)
			if found == nil {
				continue
			}
			r, ok := seen[found.Statement]
			if !ok {
				r.m, r.err = manifest.ParseSource(found.Statement)
				seen[found.Statement] = r
			}
			c := compared{server: s, manifest: found, fault: r.err}
			if r.err == nil {
				before, now := drift.Of(r.m), drift.Now(s, pass.Catalog.Secrets)
				if found.Shipped {
					before.Server, now.Server = manifest.Server{}, manifest.Server{}
				}
				c.changes = drift.Compare(before, now)
				if found.Entry != "" { // the rules on the registry say how the surface differs from what is approved
					c.changes = slices.DeleteFunc(c.changes, func(c drift.Change) bool { return c.Kind != "capability" })
				}
			}
			out = append(out, c)
		}
		return out
	}).([]compared)
}

// report adds a finding for every change that wanted takes.
func report(pass *rules.Pass, wanted func(drift.Change) bool) {
	for _, c := range all(pass) {
		for _, change := range c.changes {
			if !wanted(change) {
				continue
			}
			f := rules.OnServer(c.server, change.Span, change.Subject(), "%s %s", change.Words(), advice(change))
			f.Severity = change.Severity
			if change.Kind == "tool" {
				f.Tool = change.Name.Raw()
			}
			pass.Report(f)
		}
	}
}

func advice(c drift.Change) string {
	if c.Severity >= rules.High {
		return "Do not use the server until its author explains the change; then approve it anew."
	}
	return "If the change is meant, review it and renew the manifest."
}
