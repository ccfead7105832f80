// Package drf holds the rules on drift: what has changed since somebody wrote
// down, in a manifest, what a server is and shows. Package drift judges the
// changes; each rule here speaks of one kind of them.
package drf

import (
	"fmt"
	"strings"
	"unicode/utf8"

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
		seen := map[*analyzers.Manifest]read{}
		var out []compared
		for _, s := range pass.Catalog.Servers {
			found := pass.Catalog.ManifestOf(s)
			if found == nil {
				continue
			}
			r, ok := seen[found]
			if !ok {
				r.m, r.err = manifest.ParseSource(found.Statement)
				seen[found] = r
			}
			c := compared{server: s, manifest: found, fault: r.err}
			if r.err == nil {
				c.changes = drift.Compare(drift.Of(r.m), drift.Now(s, pass.Catalog.Secrets))
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
			subject := change.Kind + " " + change.Name.Raw()
			if change.Kind == "instructions" {
				subject = change.Kind
			}
			if change.Field != "" && change.Field.Raw() != subject {
				subject += " " + change.Field.Raw()
			}
			f := rules.OnServer(c.server, change.Span, subject, "%s: %s (%s).%s %s", named(change), change.Reason, change.Class, values(change), advice(change))
			f.Severity = change.Severity
			if change.Kind == "tool" {
				f.Tool = change.Name.Raw()
			}
			pass.Report(f)
		}
	}
}

// named is what has changed, for a message.
func named(c drift.Change) string {
	switch {
	case c.Kind == "instructions":
		return "the instructions"
	case c.Kind == "server":
		return fmt.Sprintf("server %q", c.Name)
	}
	return fmt.Sprintf("%s %q", c.Kind, c.Name)
}

func values(c drift.Change) string {
	switch {
	case c.Before != "" && c.After != "":
		a, b := apart(c.Before.Raw(), c.After.Raw())
		return fmt.Sprintf(" It was %q and is %q.", a, b)
	case c.Before != "":
		return fmt.Sprintf(" It was %q.", short(c.Before.Raw()))
	case c.After != "":
		return fmt.Sprintf(" It is %q.", short(c.After.Raw()))
	}
	return ""
}

// enough is how much of a value a message shows, in bytes.
const enough = 100

func short(s string) analyzers.Untrusted {
	if len(s) <= enough {
		return analyzers.Untrusted(s)
	}
	end := enough
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return analyzers.Untrusted(s[:end] + "...")
}

// apart leaves out what two values begin with, so that what differs is seen.
func apart(a, b string) (analyzers.Untrusted, analyzers.Untrusted) {
	if len(a) <= enough && len(b) <= enough {
		return analyzers.Untrusted(a), analyzers.Untrusted(b)
	}
	const before = 20 // bytes of what is the same
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	if same -= before; same <= enough/2 {
		return short(a), short(b)
	}
	if space := strings.LastIndexByte(a[:same], ' '); space >= 0 {
		same = space + 1
	}
	for same > 0 && !utf8.RuneStart(a[same]) {
		same--
	}
	return "..." + short(a[same:]), "..." + short(b[same:])
}

func advice(c drift.Change) string {
	if c.Severity >= rules.High {
		return "Do not use the server until its author explains the change; then approve it anew."
	}
	return "If the change is meant, review it and renew the manifest."
}
