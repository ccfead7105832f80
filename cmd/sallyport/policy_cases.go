package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
	"github.com/sallyport-mcp/sallyport/runtime/policy/cases"
)

func policyTest(p *program) *cli.Command {
	const example = "sallyport policy test --registry FILE CASES.yaml; docs/policy.md has the form"
	return &cli.Command{
		Name:      "test",
		Usage:     "hold a registry and its policies to expected decisions",
		ArgsUsage: "CASES.yaml...",
		Description: `Each case is a request and the decision that is expected; docs/policy.md has the form. --today is for files that give no
date. Exit 0: all as expected; 1: some differ; 2: a file cannot be used.`,
		Flags: []cli.Flag{registryFlag(), policyFlag(), todayFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return usage(example, "policy test needs a file of cases")
			}
			day, err := dayOf(c)
			if err != nil {
				return err
			}
			l, set, err := p.openPolicies(c)
			if err != nil {
				return err
			}
			all, failed := 0, 0
			for _, name := range c.Args().Slice() {
				content, err := readBounded(name)
				if err != nil {
					return usage(example, "cannot read %q: %v", name, reason(err))
				}
				list, err := cases.Parse(&analyzers.Source{Path: filepath.ToSlash(name), Bytes: content}, l.Doc, day)
				if err != nil {
					return usage(example, "%s", err)
				}
				for _, k := range list {
					different, err := p.runCase(l.Doc, set, k)
					if err != nil {
						return err
					}
					if all++; different {
						failed++
					}
				}
			}
			if failed > 0 {
				fmt.Fprintf(p.stdout, "%d of %s differ\n", failed, counted(all, "case", "cases"))
				return &failure{code: exitFindings}
			}
			_, err = fmt.Fprintf(p.stdout, "ok: %s\n", counted(all, "case", "cases"))
			return err
		},
	}
}

// runCase decides one case and prints in what the decision differs.
func (p *program) runCase(doc *registry.Document, set *policy.Set, k *cases.Case) (different bool, err error) {
	id := registry.Command(k.Argv)
	if k.Server != "" {
		if id, err = identityOf(doc, k.Server); err != nil {
			return false, err
		}
	}
	id.Surface = cmp.Or(k.Surface, id.Surface)
	d := set.Server(id).Decide(&k.Request)
	differences := k.Check(d)
	if len(differences) == 0 {
		return false, nil
	}
	at := k.Span.Begin()
	fmt.Fprintf(p.stdout, "%s:%d: %s\n", oneLine(k.Span.Path()), at.Line, oneLine(k.Name))
	for _, line := range differences {
		fmt.Fprintf(p.stdout, "  %s\n", line)
	}
	by := ""
	if d.Rule != "" {
		by = " (" + oneLine(d.Rule) + ")"
	}
	fmt.Fprintf(p.stdout, "  because: %s%s\n", oneLine(d.Reason), by)
	return true, nil
}

func policyReplay(p *program) *cli.Command {
	const example = "sallyport policy replay --registry FILE AUDIT.jsonl"
	return &cli.Command{
		Name:      "replay",
		Usage:     "say which recorded decisions would be others now",
		ArgsUsage: "AUDIT.jsonl...",
		Description: `Reads the log of run --audit and decides again, today. A log has no arguments: where these decide, that is said. What
other checks refused (text, secrets, changed tools) counts as let through by the policies. Exit 0: none would be another;
1: some would; 2: a file cannot be read; 3: lines that are no records.`,
		Flags: []cli.Flag{registryFlag(), policyFlag(), todayFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return usage(example, "policy replay needs a log")
			}
			day, err := dayOf(c)
			if err != nil {
				return err
			}
			_, set, err := p.openPolicies(c)
			if err != nil {
				return err
			}
			r := &replay{set: set, day: day, servers: map[string]*policy.Server{}, seen: map[string]*change{}}
			for _, name := range c.Args().Slice() {
				if err := r.file(name); err != nil {
					return usage(example, "cannot read %q: %v", name, reason(err))
				}
			}
			return r.report(p.stdout)
		},
	}
}

// replay gathers what would be decided otherwise.
type replay struct {
	set     *policy.Set
	day     string
	servers map[string]*policy.Server // by identity
	seen    map[string]*change        // by what is said of it
	changes []*change                 // in the order in which they were met

	records, unread, open int
}

// change is a difference, where it was met first and how often.
type change struct {
	line, first string
	times       int
}

// Bounds of a replay's memory; changes beyond are counted together.
const (
	maxServers = 1000
	maxChanges = 1000
)

func (r *replay) file(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, errors.New("not a regular file"))
	}
	unread, err := cases.Read(f, func(rec *cases.Record) { r.record(name, rec) })
	r.unread += unread
	return err
}

func (r *replay) record(name string, rec *cases.Record) {
	q, ok := rec.Request(r.day)
	if !ok {
		return
	}
	r.records++
	server := r.server(rec.Identity())
	if server.Hangs(q) {
		r.open++
		return
	}
	d := server.Decide(q)
	was, byPolicy := rec.Recorded()
	was = was || !byPolicy
	if d.Allowed == was {
		return
	}
	words := map[bool]string{true: "allow", false: "deny"}
	line := fmt.Sprintf("%s -> %s  %s on %s for %s: %s", words[was], words[d.Allowed], strings.TrimSpace(string(q.Action)+" "+q.Name),
		cmp.Or(rec.Server.Entry, rec.Server.Name, "a server without a name"), q.Who, d.Reason)
	if d.Rule != "" {
		line += " (" + d.Rule + ")"
	}
	if r.seen[line] == nil && len(r.seen) >= maxChanges {
		line = "further changes"
	}
	c := r.seen[line]
	if c == nil {
		c = &change{line: line, first: fmt.Sprintf("%s:%d", filepath.ToSlash(name), rec.Line)}
		r.seen[line], r.changes = c, append(r.changes, c)
	}
	c.times++
}

func (r *replay) server(id registry.Identity) *policy.Server {
	key := fmt.Sprintf("%q %q %q %q %q", id.Argv, id.URL, id.Images, id.Surface, id.Name)
	if s := r.servers[key]; s != nil {
		return s
	}
	if len(r.servers) >= maxServers {
		clear(r.servers)
	}
	s := r.set.Server(id)
	r.servers[key] = s
	return s
}

func (r *replay) report(w io.Writer) error {
	var out bytes.Buffer
	total := 0
	for _, c := range r.changes {
		total += c.times
		fmt.Fprintf(&out, "%s: %s", oneLine(c.first), oneLine(c.line))
		if c.times > 1 {
			fmt.Fprintf(&out, " [%d times]", c.times)
		}
		out.WriteByte('\n')
	}
	said := []string{counted(r.records, "decision", "decisions"), fmt.Sprintf("%d would be decided otherwise", total)}
	if r.open > 0 {
		said = append(said, fmt.Sprintf("%d hang on arguments that a log does not have", r.open))
	}
	if r.unread > 0 {
		said = append(said, counted(r.unread, "line is no record", "lines are no records"))
	}
	fmt.Fprintln(&out, strings.Join(said, ", "))
	if _, err := w.Write(out.Bytes()); err != nil {
		return err
	}
	switch {
	case total > 0:
		return &failure{code: exitFindings}
	case r.unread > 0:
		return &failure{code: exitIncomplete}
	}
	return nil
}
