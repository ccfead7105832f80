package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/runtime/identity"
)

func registryPropose(p *program) *cli.Command {
	return &cli.Command{
		Name:      "propose",
		Usage:     "add the servers of a scan to a registry, in quarantine, with what the scan found",
		ArgsUsage: "[TARGET...]",
		Description: `Takes the targets and flags of scan. What is new comes into quarantine with a suggestion; a decision that
somebody made is never changed. Proposing the same again changes nothing. A FILE that does not exist is begun.`,
		Flags:  scanFlags(),
		Action: func(c *cli.Context) error { return p.propose(c) },
	}
}

func (p *program) propose(c *cli.Context) error {
	name := c.String("registry")
	if name == "" {
		return usage("--registry "+registry.DefaultFile, "propose needs --registry FILE")
	}
	for _, flag := range []string{"format", "output", "write-baseline", "fail-on", "color", "timing", "as"} {
		if c.IsSet(flag) {
			return usage("sallyport scan --"+flag+" ... writes a report", "propose writes a registry and no report: it has no use for --%s", flag)
		}
	}
	before, err := p.openOrBegin(name)
	if err != nil {
		return err
	}
	settings, err := p.settings(c)
	if err != nil {
		return err
	}
	_, observed, err := load(c.Context, c.Args().Slice(), settings)
	if err != nil {
		return err
	}
	found, _ := rules.Settle(rules.Check(observed, settings.selected), settings.suppressions, settings.baseline, time.Now().UTC().Format(time.DateOnly))
	proposal := before.Doc.Propose(observed, found)
	proposal.Lock(p.locked(c.Args().Slice()))
	for _, remark := range proposal.Remarks {
		fmt.Fprintf(p.stderr, "sallyport: %s\n", oneLine(remark))
	}
	if err := before.save(proposal.Edit); err != nil {
		return err
	}
	for _, e := range proposal.Added {
		fmt.Fprintf(p.stdout, "new      %s  suggestion: %s  %s\n", oneLine(e.ID), e.Evidence.Suggestion, oneLine(summary(e)))
	}
	for _, e := range proposal.Changed {
		fmt.Fprintf(p.stdout, "renewed  %s  suggestion: %s  %s\n", oneLine(e.ID), e.Evidence.Suggestion, oneLine(summary(e)))
	}
	if proposal.IsZero() {
		fmt.Fprintln(p.stdout, "nothing new")
	} else {
		fmt.Fprintf(p.stderr, "sallyport: hint: sallyport registry approve ID --registry %s --reason TEXT --approver WHO\n", quoteArg(oneLine(name)))
	}
	for _, g := range observed.Gaps {
		if g.Blocking || settings.failOnGap {
			fmt.Fprintf(p.stderr, "sallyport: %s could not be read: %s\n", oneLine(g.Path), oneLine(g.Reason))
			err = &failure{code: exitIncomplete}
		}
	}
	return err
}

// locked reads the lockfiles at the top of the directories among the targets.
func (p *program) locked(targets []string) map[string][]string {
	if len(targets) == 0 {
		targets = []string{"."}
	}
	all := map[string][]string{}
	for _, dir := range targets {
		for _, name := range registry.LockFiles {
			file := filepath.Join(dir, name)
			content, err := readUpTo(file, tree.MaxBytes)
			if err != nil {
				continue // a target that is no directory, or one without this lockfile
			}
			list, err := registry.Locked(&analyzers.Source{Path: filepath.ToSlash(file), Bytes: content})
			if err != nil {
				fmt.Fprintf(p.stderr, "sallyport: no integrity is taken from %s\n", oneLine(err.Error()))
			}
			for purl, integrity := range list {
				if all[purl] == nil {
					all[purl] = integrity
				}
			}
		}
	}
	return all
}

// openOrBegin reads a registry, or begins one where there is no file.
func (p *program) openOrBegin(name string) (*loaded, error) {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return p.openRegistry(name)
	}
	r, _, err := registry.Load(registry.New(filepath.ToSlash(name)), today())
	if err != nil {
		return nil, err
	}
	return &loaded{path: "", Registry: r}, nil
}

// save applies an edit and writes the file. An empty edit writes nothing.
func (l *loaded) save(edit registry.Edit) error {
	if edit.IsZero() && l.path != "" {
		return nil
	}
	content, err := l.Doc.Apply(edit)
	if err != nil {
		return usage("registry check names what is unusual; nothing was written", "%s: %s", l.Doc.Source.Path, err)
	}
	return l.write(content)
}

// write replaces the file by an edited document, or begins it.
func (l *loaded) write(content []byte) error {
	if l.path != "" {
		return saveRegistry(l, content)
	}
	// A new file must not take the place of one that came meanwhile.
	name := filepath.FromSlash(l.Doc.Source.Path)
	f, err := os.CreateTemp(filepath.Dir(name), ".sallyport-*")
	if err != nil {
		return usage("name a file in a directory that exists", "cannot write %q: %v", name, reason(err))
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err := errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), name); errors.Is(err, fs.ErrExist) {
		return usage("run the command again: it reads the file anew", "%q came into being meanwhile; nothing was written", name)
	} else if err != nil {
		return os.Rename(f.Name(), name) // a file system without hard links
	}
	return nil
}

// weakness says that somebody else decides at the start what an entry starts,
// where nothing in the entry would show; "" when that is not so.
func weakness(e *registry.Entry) string {
	m := &e.Match
	switch {
	case m.Integrity != nil || m.Image != "":
		return ""
	case m.Argv == nil && m.PURL != "":
		return "a launcher fetches " + m.PURL + " at the start, and dependencies as they are served that day"
	}
	why, _ := identity.Weak(m.Argv)
	return why
}

func registryRule(p *program, status registry.Status) *cli.Command {
	verb := map[registry.Status]string{registry.Approved: "approve", registry.Denied: "deny"}[status]
	flags := []cli.Flag{
		registryFlag(),
		&cli.StringFlag{Name: "reason", Usage: "why, in a sentence"},
		&cli.StringFlag{Name: "approver", Usage: "who decides"},
		&cli.StringFlag{Name: "until", Usage: "the last `DATE` on which it counts, YYYY-MM-DD"},
	}
	if status == registry.Approved {
		flags = append(flags,
			&cli.StringFlag{Name: "manifest", Usage: "approve what the manifest in `FILE` describes, and note where it is kept: in the registry's folder or below"},
			&cli.StringFlag{Name: "digest", Usage: "approve the surface with this `DIGEST` instead of the entry's"},
			&cli.BoolFlag{Name: "accept-unpinned", Usage: "approve without a manifest: what the server shows may change unnoticed"})
	}
	return &cli.Command{
		Name:      verb,
		Usage:     verb + " one server of a registry",
		ArgsUsage: "ID",
		Flags:     flags,
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usage("sallyport registry "+verb+" ID --registry FILE --reason TEXT --approver WHO", "%s needs one entry's id", verb)
			}
			l, err := p.openRegistry(c.String("registry"))
			if err != nil {
				return err
			}
			id := c.Args().First()
			approves := registry.Manifest{Digest: c.String("digest")}
			if name := c.String("manifest"); name != "" {
				if approves.Digest != "" {
					return usage("leave --digest out: the manifest has one", "--digest and --manifest both say what is approved")
				}
				if approves, err = besideRegistry(name, l.path); err != nil {
					return err
				}
				if o, err := observeFile(c.Context, name, ""); err == nil && o.manifest != nil && status == registry.Approved {
					p.sayCapabilities(o.manifest.Predicate.Capabilities)
				}
			}
			edit, err := l.Doc.Rule(registry.Ruling{
				ID: id, Status: status, Approver: c.String("approver"), Reason: c.String("reason"), Today: today(), Until: c.String("until"),
				Digest: approves.Digest, Capabilities: approves.Capabilities, Path: approves.Path, AcceptUnpinned: c.Bool("accept-unpinned"),
			})
			var refused *registry.Refusal
			if errors.As(err, &refused) {
				return usage(refused.Hint, "%s", refused.Problem)
			}
			if err != nil {
				return err
			}
			if err := l.save(edit); err != nil {
				return err
			}
			if _, err = fmt.Fprintf(p.stdout, "%s: %s by %s\n", oneLine(id), status, oneLine(c.String("approver"))); err != nil {
				return err
			}
			if why := weakness(edit.Changed[0]); why != "" && status == registry.Approved {
				fmt.Fprintf(p.stderr, "sallyport: %s is approved by what its command line says alone: %s\n", oneLine(id), oneLine(why))
				fmt.Fprintln(p.stderr, "sallyport: hint: match.integrity in its entry lets sallyport run check what was started; docs/registry.md")
			}
			return nil
		},
	}
}
