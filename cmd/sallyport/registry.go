package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/registry"
)

func registryCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:  "registry",
		Usage: "keep the list of approved servers: propose, add, approve, deny, check, list, explain, export",
		Description: `The registry is a file that people review like code; docs/registry.md has its form.
It says which servers may be used, by whom, and what was reviewed. What is not in it is not approved.`,
		Subcommands: []*cli.Command{
			registryPropose(p), registryAdd(p), registryRule(p, registry.Approved), registryRule(p, registry.Denied),
			registryCheck(p), registryList(p), registryExplain(p), registryExport(p),
			registrySign(p), registryVerify(p), registryPush(p), registryPull(p), registryServe(p), registryPR(p), registryCompile(p),
		},
		Action: func(c *cli.Context) error {
			var names []string
			for _, sub := range c.Command.Subcommands {
				names = append(names, sub.Name)
			}
			hint := "use one of: " + strings.Join(names, ", ")
			if c.NArg() > 0 {
				return usage(hint, "registry does not know %q", c.Args().First())
			}
			return usage(hint, "registry needs a sub-command")
		},
	}
}

func registryFlag() cli.Flag { return &cli.StringFlag{Name: "registry", Usage: "the registry `FILE`"} }

func asFlag() cli.Flag {
	return &cli.StringFlag{Name: "as", Usage: "decide for `WHO`: unit=U,project=P,environment=E,client=C,role=R (default: everyone)"}
}

// today is the date by which expiry is judged.
func today() string { return time.Now().UTC().Format(time.DateOnly) }

// loaded is a registry file that was read.
type loaded struct {
	path string // where links lead
	sum  [sha256.Size]byte
	*registry.Registry
	problems []registry.Problem
}

// openRegistry reads and compiles a registry; its warnings go to stderr.
func (p *program) openRegistry(name string) (*loaded, error) {
	l, err := readRegistry(name)
	if err != nil {
		return nil, err
	}
	for _, problem := range l.problems {
		if problem.Level == registry.Warning {
			fmt.Fprintf(p.stderr, "sallyport: %s\n", oneLine(problem.String()))
		}
	}
	return l, nil
}

func readRegistry(name string) (*loaded, error) {
	if name == "" {
		return nil, usage("--registry "+registry.DefaultFile, "no registry was named")
	}
	content, err := readBounded(name)
	if err != nil {
		return nil, usage("sallyport registry propose TARGET --registry "+quoteArg(name)+" begins one", "cannot read %q: %v", name, reason(err))
	}
	r, problems, err := registry.Load(&analyzers.Source{Path: filepath.ToSlash(name), Bytes: content}, today())
	if err != nil {
		return nil, usage("sallyport registry check "+quoteArg(name)+"; the form is in docs/registry.md", "%s", err)
	}
	path, err := filepath.EvalSymlinks(name)
	if err != nil {
		return nil, err
	}
	return &loaded{path, sha256.Sum256(content), r, problems}, nil
}

func reason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// readBounded reads no more of a file than the parser of registries would take.
func readBounded(name string) ([]byte, error) { return readUpTo(name, tree.MaxYAMLBytes) }

// readUpTo reads a file, and no more than one byte beyond the limit, which is
// a parser's: that one refuses it then.
func readUpTo(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("not a regular file"))
	}
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// saveRegistry writes an edited registry, unless somebody else has changed the
// file since it was read. A crash leaves the old file or the new one.
func saveRegistry(l *loaded, content []byte) error {
	defer lockDir(filepath.Dir(l.path))()
	now, err := readBounded(l.path)
	if err != nil || sha256.Sum256(now) != l.sum {
		return usage("run the command again: it reads the file anew", "%q was changed by somebody else meanwhile; nothing was written", l.path)
	}
	if bytes.Equal(now, content) {
		return nil
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(l.path); err == nil {
		mode = info.Mode().Perm()
	}
	return replaceFile(l.path, content, mode)
}

// replaceFile writes beside the file, brings that to the disk and renames it.
func replaceFile(path string, content []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".sallyport-*")
	if err != nil {
		return usage("name a file in a directory that exists", "cannot write %q: %v", path, reason(err))
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(content)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil // written; only its name may not be on the disk yet
	}
	defer dir.Close()
	_ = dir.Sync() // not every file system can
	return nil
}

func registryCheck(p *program) *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "say what is wrong with a registry",
		ArgsUsage: "FILE",
		Description: `Errors (exit 2) make a registry unusable; warnings name entries that do not do what they say,
such as one that can never match; notes are for the next review. --strict: warnings are exit 1.`,
		Flags: []cli.Flag{registryFlag(), &cli.BoolFlag{Name: "strict", Usage: "exit 1 for warnings"}},
		Action: func(c *cli.Context) error {
			name := c.Args().First()
			if name == "" {
				name = c.String("registry")
			}
			if name == "" || c.NArg() > 1 {
				return usage("sallyport registry check "+registry.DefaultFile, "check needs one file")
			}
			content, err := readBounded(name)
			if err != nil {
				return usage("name a registry", "cannot read %q: %v", name, reason(err))
			}
			r, problems, err := registry.Load(&analyzers.Source{Path: filepath.ToSlash(name), Bytes: content}, today())
			var list registry.Problems
			if errors.As(err, &list) && len(problems) == 0 {
				problems = list
			}
			warnings := 0
			for _, problem := range problems {
				fmt.Fprintln(p.stdout, oneLine(problem.String()))
				if problem.Level == registry.Warning {
					warnings++
				}
			}
			switch {
			case err != nil:
				return &failure{code: exitUsage}
			case warnings > 0 && c.Bool("strict"):
				return &failure{code: exitFindings}
			}
			_, err = fmt.Fprintf(p.stdout, "ok: %d servers, %d warnings\n", len(r.Doc.Servers), warnings)
			return err
		},
	}
}

func registryList(p *program) *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "list the servers of a registry",
		Flags: []cli.Flag{registryFlag(), &cli.StringFlag{Name: "status", Usage: "only approved, denied or quarantined"},
			&cli.StringFlag{Name: "format", Usage: "text or json", Value: "text"}},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usage("sallyport registry list --registry "+registry.DefaultFile, "list takes no arguments")
			}
			status := registry.Status(c.String("status"))
			if status != "" && status != registry.Approved && status != registry.Denied && status != registry.Quarantined {
				return usage("use one of: approved, denied, quarantined", "unknown status %q", status)
			}
			l, err := p.openRegistry(c.String("registry"))
			if err != nil {
				return err
			}
			entries := []*registry.Entry{}
			for _, e := range l.Doc.Servers {
				if status == "" || e.Status == status {
					entries = append(entries, e)
				}
			}
			switch format := c.String("format"); format {
			case "json":
				enc := json.NewEncoder(p.stdout)
				enc.SetIndent("", "  ")
				return enc.Encode(entries)
			case "text":
				w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
				for _, e := range entries {
					fmt.Fprintf(w, "%s\t%s\t%s\n", oneLine(e.ID), statusWord(e), oneLine(summary(e)))
				}
				return w.Flush()
			default:
				return usage("use one of: text, json", "unknown format %q", format)
			}
		},
	}
}

// statusWord is an entry's status as a list shows it: a proposal says what is
// suggested, a decision that has run out says so.
func statusWord(e *registry.Entry) string {
	switch {
	case e.Evidence.Until != "" && today() > e.Evidence.Until:
		return "expired"
	case !e.Decided() && e.Evidence.Suggestion != "":
		return "proposed (" + e.Evidence.Suggestion + ")"
	}
	return string(e.Status)
}

// summary is an entry's match in one line.
func summary(e *registry.Entry) string {
	m := e.Match
	var parts []string
	if len(m.Argv) > 0 {
		words := make([]string, len(m.Argv))
		for i, w := range m.Argv {
			words[i] = quoteArg(w)
		}
		parts = append(parts, strings.Join(words, " "))
	}
	for _, s := range []string{m.PURL, m.Image, m.URL} {
		if s != "" && len(m.Argv) == 0 {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " + ")
}

func registryExplain(p *program) *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say whether somebody may use a server, and which entry decides",
		ArgsUsage: "WHO SERVER [TOOL]",
		Description: `WHO is "everyone" or unit=U,project=P,environment=E,client=C,role=R. SERVER is an entry's id, a URL, a purl,
REPOSITORY@sha256:HEX, or a command line in one argument. Exit 0: allowed; 1: not allowed.`,
		Flags: []cli.Flag{registryFlag(), &cli.StringFlag{Name: "format", Usage: "text or json", Value: "text"}},
		Action: func(c *cli.Context) error {
			args := c.Args().Slice()
			if len(args) != 2 && len(args) != 3 {
				return usage(`sallyport registry explain unit=payments files read_file --registry FILE`, "explain needs WHO and SERVER, and may have a TOOL")
			}
			l, err := p.openRegistry(c.String("registry"))
			if err != nil {
				return err
			}
			who, err := l.Doc.ParseWho(args[0])
			if err != nil {
				return usage("everyone, or such as unit=payments,role=developer", "%s", err)
			}
			id, err := identityOf(l.Doc, args[1])
			if err != nil {
				return err
			}
			tool := ""
			if len(args) == 3 {
				tool = args[2]
			}
			d := l.Decide(id, who, tool, today())
			if err := p.printDecision(c.String("format"), d, who, args[1], tool); err != nil {
				return err
			}
			if !d.Allowed {
				return &failure{code: exitFindings}
			}
			return nil
		},
	}
}

// identityOf reads the SERVER of explain.
func identityOf(doc *registry.Document, s string) (registry.Identity, error) {
	if e := doc.Entry(s); e != nil {
		id := e.Match.Identity()
		id.Surface = e.Manifest.Digest
		return id, nil
	}
	switch {
	case strings.Contains(s, " "):
		return registry.CommandLine(s), nil
	case strings.Contains(s, "://"):
		return registry.Identity{URL: s}, nil
	case strings.HasPrefix(s, "pkg:"):
		return registry.Identity{Packages: []string{s}}, nil
	case strings.Contains(s, "@sha256:"):
		return registry.Identity{Images: []string{s}}, nil
	case strings.ContainsAny(s, `/\`):
		return registry.Command([]string{s}), nil
	}
	return registry.Identity{}, usage("name it by id, URL, purl, image digest, or as a command line in quotes", "the registry has no server %q, and a bare name says nothing", s)
}

func (p *program) printDecision(format string, d registry.Decision, who registry.Who, server, tool string) error {
	entry := ""
	if d.Entry != nil {
		entry = d.Entry.ID
	}
	switch format {
	case "json":
		enc := json.NewEncoder(p.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			Allowed bool     `json:"allowed"`
			Status  string   `json:"status"`
			Entry   string   `json:"entry"`
			Changed string   `json:"changed"`
			Place   string   `json:"place"`
			Path    []string `json:"path"`
			Reason  string   `json:"reason"`
		}{d.Allowed, string(d.Status), entry, d.Changed, d.Place, d.Path, d.Reason})
	case "text":
		answer := "no"
		if d.Allowed {
			answer = "yes"
		}
		w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "allowed:\t%s (%s)\n", answer, d.Status)
		fmt.Fprintf(w, "who:\t%s\n", oneLine(who.String()))
		fmt.Fprintf(w, "server:\t%s\n", oneLine(server))
		if tool != "" {
			fmt.Fprintf(w, "tool:\t%s\n", oneLine(tool))
		}
		fmt.Fprintf(w, "looked at:\t%s\n", oneLine(strings.Join(d.Path, ", then ")))
		if entry != "" && d.Place != "" {
			at := d.Entry.Span.Begin()
			fmt.Fprintf(w, "decided by:\t%s (%s:%d), for %s\n", oneLine(entry), oneLine(d.Entry.Span.Path()), at.Line, oneLine(d.Place))
		}
		fmt.Fprintf(w, "because:\t%s\n", oneLine(d.Reason))
		return w.Flush()
	}
	return usage("use one of: text, json", "unknown format %q", format)
}
