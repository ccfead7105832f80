package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
)

func registryAdd(p *program) *cli.Command {
	return &cli.Command{
		Name:      "add",
		Usage:     "inspect one server, write its manifest and approve it: one person's short cut",
		ArgsUsage: "[-- COMMAND [ARGUMENT...]]",
		Description: `Starts or contacts the server as sallyport inspect does, after asking. What it shows is judged like a scan; with a
finding at or above --fail-on nothing is written. A FILE that does not exist is begun.
Exit codes: 0 approved; 1 findings, or it did not show the same twice; 2 usage or refused; 3 captured in part.`,
		Flags: append(inspectFlags(),
			&cli.StringFlag{Name: "registry", Usage: "the registry `FILE`", Value: registry.DefaultFile},
			&cli.StringFlag{Name: "reason", Usage: "why, in a sentence"},
			&cli.StringFlag{Name: "approver", Usage: "`WHO` decides (default: the user's name)"},
			&cli.StringFlag{Name: "until", Usage: "the last `DATE` on which it counts, YYYY-MM-DD"},
			&cli.StringFlag{Name: "manifest", Usage: "write the manifest to `FILE` (default: ID.manifest.json beside the registry)"},
			&cli.StringFlag{Name: "fail-on", Usage: "refuse from this severity on: critical, high, medium, low or never", Value: "high"}),
		Action: func(c *cli.Context) error { return p.registryAdd(c) },
	}
}

func (p *program) registryAdd(c *cli.Context) error {
	ruling := registry.Ruling{
		Status: registry.Approved, Approver: cmp.Or(c.String("approver"), p.env("USER"), p.env("LOGNAME")),
		Reason: c.String("reason"), Today: today(), Until: c.String("until"),
	}
	failOn, ok := rules.ParseSeverity(c.String("fail-on"))
	switch {
	case c.String("fail-on") == "never":
		failOn = 0
	case !ok || failOn == rules.Info:
		return usage("use one of: critical, high, medium, low, never", "unknown severity %q for --fail-on", c.String("fail-on"))
	}
	switch { // what would be refused at the end is refused before anything starts
	case strings.TrimSpace(ruling.Reason) == "":
		return usage("--reason TEXT", "a decision needs a reason")
	case strings.TrimSpace(ruling.Approver) == "":
		return usage("--approver WHO", "a decision needs a name")
	case ruling.Until != "" && (!registry.ValidDate(ruling.Until) || ruling.Until < ruling.Today):
		return usage("--until "+ruling.Today, "--until needs a date that is not over")
	}
	issued, expires, err := p.times(c)
	if err != nil {
		return err
	}
	if ruling.Until != "" {
		if day, err := time.Parse(time.DateOnly, ruling.Until); err == nil {
			expires = stamp(day.Add(24 * time.Hour))
		}
	}
	name := c.String("registry")
	l, err := p.openOrBegin(name)
	if err != nil {
		return err
	}
	plan, err := p.plan(c)
	if err != nil {
		return err
	}
	if plan.HoldsCredential() {
		return usage("pass it as a variable (--env) or as a header (--header)", "the command line or URL holds a credential, which must not come into a registry")
	}
	i, err := p.capture(c, plan)
	if err != nil {
		return err
	}
	if doubt := p.summary(i.Capture); doubt != nil {
		return doubt
	}
	if i.server == nil {
		return usage("approve it by hand with --accept-unpinned", "the server shows nothing, so there is nothing to approve it by")
	}
	all, _, err := ruleSet(c)
	if err != nil {
		return err
	}
	found := rules.Check(i.catalog, all)
	if err := p.objections(found, failOn); err != nil {
		return err
	}
	m, document, err := describe("the server", i.observed, "", manifest.Options{Serial: 1, Issued: issued, Expires: expires})
	if err != nil {
		return err
	}
	ruling.Digest, ruling.Capabilities = "sha256:"+m.Predicate.Surface, m.Predicate.Capabilities.Approval()
	path := func(id string) string {
		return cmp.Or(c.String("manifest"), filepath.Join(filepath.Dir(name), id+".manifest.json"))
	}
	id, content, err := approved(l, i.observed, found, ruling, func(id string) string { return relative(filepath.Dir(name), path(id)) })
	if err != nil {
		return err
	}
	// The registry speaks of the manifest: that one comes first.
	if err := writeFile(path(id), func(w io.Writer) error { _, err := w.Write(document); return err }); err != nil {
		return err
	}
	if err := l.write(content); err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "sallyport: hint: sallyport registry sign %s --key KEY, so that everybody can check who decided\n", quoteArg(oneLine(name)))
	_, err = fmt.Fprintf(p.stdout, "%s: approved by %s; surface %s; manifest %s\n", oneLine(id), oneLine(ruling.Approver), ruling.Digest, oneLine(path(id)))
	return err
}

// approved is the registry with the server approved in it, and the id of its
// entry: a new one, or the one that already speaks of exactly this server.
func approved(l *loaded, o observed, found []rules.Finding, ruling registry.Ruling, manifestOf func(id string) string) (id string, content []byte, err error) {
	proposal := l.Doc.Propose(o.catalog, found)
	doc := l.Doc
	switch {
	case len(proposal.Added) == 1:
		e := proposal.Added[0]
		e.Manifest.Path, id = manifestOf(e.ID), e.ID
	default:
		identity := registry.Identify(o.server)
		identity.Surface = ruling.Digest
		decision := l.Decide(identity, registry.Who{}, "", ruling.Today)
		if decision.Entry == nil {
			return "", nil, usage("propose it, and edit what it matches", "the registry cannot speak of this server: %s", oneLine(strings.Join(append(proposal.Remarks, decision.Reason), "; ")))
		}
		if id = decision.Entry.ID; decision.Entry.Status == registry.Denied {
			return "", nil, usage("sallyport registry approve "+id+" takes that back", "server %q is denied: %s", oneLine(id), oneLine(decision.Entry.Evidence.Reason))
		}
	}
	if !proposal.IsZero() {
		if content, err = doc.Apply(proposal.Edit); err != nil {
			return "", nil, usage("make the change by hand; nothing was written", "%s: %s", oneLine(doc.Source.Path), err)
		}
		if doc, err = registry.Parse(&analyzers.Source{Path: doc.Source.Path, Bytes: content}); err != nil {
			return "", nil, err
		}
	}
	ruling.ID = id
	edit, err := doc.Rule(ruling)
	var refused *registry.Refusal
	if errors.As(err, &refused) {
		return "", nil, usage(refused.Hint, "%s", refused.Problem)
	}
	if err != nil {
		return "", nil, err
	}
	for _, e := range edit.Changed {
		e.Manifest.Path = manifestOf(id)
	}
	if content, err = doc.Apply(edit); err != nil {
		return "", nil, usage("make the change by hand; nothing was written", "%s: %s", oneLine(doc.Source.Path), err)
	}
	return id, content, nil
}

// objections lists what speaks against an approval.
func (p *program) objections(found []rules.Finding, failOn rules.Severity) error {
	against := 0
	for i := range found {
		f := &found[i]
		if f.Suppressed != nil || f.Severity <= rules.Info {
			continue
		}
		fmt.Fprintf(p.stderr, "sallyport: %s[%s]: %s\n", f.Severity, f.Rule.ID, oneLine(f.Message))
		if failOn != 0 && f.Severity >= failOn {
			against++
		}
	}
	if against > 0 {
		return &failure{exitFindings, fmt.Sprintf("not approved: %d findings at or above --fail-on", against), "sallyport explain RULE says more; --fail-on never approves in spite of them"}
	}
	return nil
}

// relative is a path as the registry keeps it: from its own directory, where
// there is such a way.
func relative(dir, path string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		if target, err := filepath.Abs(path); err == nil {
			if rel, err := filepath.Rel(abs, target); err == nil {
				return filepath.ToSlash(rel)
			}
		}
	}
	return path
}
