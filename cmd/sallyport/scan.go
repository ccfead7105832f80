package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/all"
	"github.com/sallyport-mcp/sallyport/analyzers/origin"
	"github.com/sallyport-mcp/sallyport/analyzers/statement"
	"github.com/sallyport-mcp/sallyport/cmd/sallyport/internal/config"
	"github.com/sallyport-mcp/sallyport/cmd/sallyport/internal/report"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/catalog"
	"github.com/sallyport-mcp/sallyport/rules/reg"
)

func scanCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:      "scan",
		Usage:     "judge the MCP servers of a repository or a configuration file",
		ArgsUsage: "[TARGET...]",
		Description: `TARGET is a directory, or a file: any client's configuration, a server.json, a captured tools/list.
github:OWNER/REPO[@REF] and github-org:ORG are read through GitHub's API, with the token of GITHUB_TOKEN or
GH_TOKEN. The default is the current directory. Nothing of a target is executed, and without a remote target no
connection is opened.`,
		Flags:  append(scanFlags(), remoteFlags()...),
		Action: func(c *cli.Context) error { return p.scan(c) },
	}
}

// scanFlags are the flags of scan and of what begins with a scan.
func scanFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "format", Usage: "what stdout gets: " + formatNames(), Value: "text"},
		&cli.StringSliceFlag{Name: "output", Usage: "write `FORMAT=PATH` too; repeatable, PATH - is stdout"},
		&cli.StringFlag{Name: "fail-on", Usage: "exit 1 from this severity on: critical, high, medium, low or never", Value: "high"},
		&cli.BoolFlag{Name: "fail-on-gap", Usage: "exit 3 for everything that was not read, notes included"},
		&cli.StringSliceFlag{Name: "only", Usage: "run only the rule `ID`; repeatable"},
		&cli.StringSliceFlag{Name: "skip", Usage: "do not run the rule `ID`; repeatable"},
		rulesFlag,
		&cli.StringFlag{Name: "config", Usage: "settings and suppressions from `FILE` (default: sallyport.yaml in the current directory)"},
		registryFlag(), asFlag(),
		&cli.StringSliceFlag{Name: "manifest", Usage: "compare the server with its manifest in `FILE`, or with that of an image: oci:REF (asks its registry), oci-layout:DIR, docker-archive:FILE; repeatable (those beside the target, in its installed packages and in the registry are found by themselves)"},
		&cli.StringFlag{Name: "baseline", Usage: "findings listed in `FILE` do not count"},
		&cli.StringFlag{Name: "write-baseline", Usage: "write the findings of this scan to `FILE` as a baseline"},
		&cli.BoolFlag{Name: "offline", Usage: "forbid all network use; a scan of local targets needs none"},
		&cli.IntFlag{Name: "jobs", Usage: "read `N` files at once (default: one a processor)"},
		&cli.StringFlag{Name: "color", Usage: "colour the text: auto, always or never", Value: "auto"},
		&cli.BoolFlag{Name: "timing", Usage: "say in the report how long the scan took"},
	}, signerFlags...)
}

// scan runs the five steps: observe, judge, settle, speak, and then the gate.
func (p *program) scan(c *cli.Context) error {
	started := time.Now()
	settings, err := p.settings(c)
	if err != nil {
		return err
	}
	targets, observed, err := load(c.Context, c.Args().Slice(), settings)
	if err != nil {
		return err
	}
	if err := p.manifests(c, observed); err != nil {
		return err
	}
	uses := settings.registry.uses(observed)
	settings.registry.approvedManifests(observed, uses)
	if err := p.verifyManifests(c, observed.Manifests, started); err != nil {
		return err
	}
	for _, m := range observed.Manifests {
		standing(m, started)
	}
	found := rules.Check(observed, settings.selected)
	found, idle := rules.Settle(found, settings.suppressions, settings.baseline, started.UTC().Format(time.DateOnly))
	for _, s := range idle {
		fmt.Fprintf(p.stderr, "sallyport: the suppression of %s (%s) matched nothing or has expired; remove it from %s\n", oneLine(s.Rule), oneLine(s.Reason), settings.file)
	}
	r := report.Build(report.Input{Version: version, Targets: targets, Catalog: observed, Findings: found, Skipped: settings.skipped, Standing: settings.registry.standing(uses)})
	if c.Bool("timing") {
		r.Stats.DurationMs = time.Since(started).Milliseconds()
	}
	if path := c.String("write-baseline"); path != "" {
		if err := writeFile(path, func(w io.Writer) error { return config.WriteBaseline(w, found) }); err != nil {
			return err
		}
	}
	for _, out := range settings.outputs {
		if err := p.speak(out, r, report.Options{Rules: settings.selected, Color: out.path == "-" && settings.color}); err != nil {
			return err
		}
	}
	return gate(found, observed.Gaps, settings)
}

// gate turns what was found into the exit code. Findings win over gaps.
func gate(found []rules.Finding, gaps []analyzers.Gap, s *settings) error {
	if worst := rules.Worst(found); s.failOn != 0 && worst >= s.failOn {
		return &failure{code: exitFindings}
	}
	for _, g := range gaps {
		if g.Blocking || s.failOnGap {
			return &failure{code: exitIncomplete}
		}
	}
	return nil
}

// load opens and reads every target. Several targets keep their own names in
// front of their paths.
func load(ctx context.Context, uris []string, s *settings) ([]report.Target, *analyzers.Catalog, error) {
	if len(uris) == 0 {
		uris = []string{"."}
	}
	defer s.remote.close()
	var targets []report.Target
	var catalogs []*analyzers.Catalog
	for i, uri := range uris {
		if slices.Contains(uris[:i], uri) {
			continue
		}
		if read, c, ok, err := s.remote.load(ctx, uri); ok {
			if err != nil {
				return nil, nil, err
			}
			targets = append(targets, read...)
			catalogs = append(catalogs, c)
			continue
		}
		t, err := origin.Open(uri)
		var wrong *origin.UsageError
		if errors.As(err, &wrong) {
			return nil, nil, usage(wrong.Hint, "%s", wrong.Problem)
		}
		if err != nil {
			return nil, nil, err
		}
		t.Tree.Exclude = s.excluded
		if len(uris) > 1 {
			t.Tree.Prefix = t.URI
			if t.Kind == "file" {
				t.Tree.Prefix = filepath.ToSlash(filepath.Dir(uri))
			}
		}
		c, err := analyzers.Load(ctx, t.Tree, all.Analyzers(), analyzers.Limits{Jobs: s.jobs})
		if err == nil && t.Kind == "directory" {
			statement.Shipped(t.Tree.FS, t.Tree.Prefix, c)
		}
		t.Close()
		if err != nil {
			return nil, nil, err
		}
		targets = append(targets, report.Target{URI: t.URI, Kind: t.Kind})
		catalogs = append(catalogs, c)
	}
	return targets, analyzers.Merge(catalogs...), nil
}

// settings is what the flags and the configuration file come to.
type settings struct {
	failOn       rules.Severity // 0: never
	failOnGap    bool
	selected     []*rules.Rule
	skipped      []report.Skipped
	suppressions []rules.Suppression
	baseline     rules.Baseline
	exclusions   []config.Exclusion
	file         string
	outputs      []output
	color        bool
	jobs         int
	remote       *elsewhere // nil where only this machine is read
	registry     *judgement // nil without --registry
}

// excluded is the reason for which the configuration leaves a path out.
func (s *settings) excluded(path string) string {
	for _, e := range s.exclusions {
		if e.Covers(path) {
			return e.Reason
		}
	}
	return ""
}

// output is one place for the report; path "-" is stdout.
type output struct {
	format report.Format
	path   string
}

func (p *program) settings(c *cli.Context) (*settings, error) {
	file, err := config.Find(c.String("config"))
	if err != nil {
		return nil, usage("sallyport scan --config FILE; the keys are in docs/configuration.md", "%s", err)
	}
	s := &settings{failOnGap: c.Bool("fail-on-gap"), suppressions: file.Suppress, exclusions: file.Exclude, file: oneLine(file.Path), jobs: c.Int("jobs")}
	if s.jobs <= 0 {
		s.jobs = runtime.GOMAXPROCS(0)
	}
	s.jobs = min(s.jobs, 64)
	if len(s.suppressions) > 0 {
		fmt.Fprintf(p.stderr, "sallyport: %s suppresses by %d entries\n", s.file, len(s.suppressions))
	}
	failOn := c.String("fail-on")
	if !c.IsSet("fail-on") && file.FailOn != "" {
		failOn = file.FailOn
	}
	if failOn != "never" {
		level, ok := rules.ParseSeverity(failOn)
		if !ok || level == rules.Info {
			return nil, usage("use one of: critical, high, medium, low, never", "unknown severity %q for --fail-on", failOn)
		}
		s.failOn = level
	}
	all, _, err := ruleSet(c)
	if err != nil {
		return nil, err
	}
	if s.selected, s.skipped, err = choose(all, c.StringSlice("only"), slices.Concat(c.StringSlice("skip"), file.Skip)); err != nil {
		return nil, err
	}
	if s.registry, err = p.judgement(c); err != nil {
		return nil, err
	}
	if s.registry != nil {
		s.selected = reg.Bind(s.selected, s.registry.Registry, s.registry.who, today())
	}
	baseline := c.String("baseline")
	if baseline == "" {
		baseline = file.Baseline
	}
	if baseline != "" {
		if s.baseline, err = config.ReadBaseline(baseline); err != nil {
			return nil, usage("sallyport scan --write-baseline FILE makes one", "%s", err)
		}
	}
	for _, f := range file.Suppress {
		if catalog.FindIn(all, f.Rule) == nil {
			return nil, usage("sallyport rules lists them", "%s suppresses the unknown rule %q", s.file, f.Rule)
		}
	}
	if s.outputs, err = outputs(c.String("format"), c.IsSet("format"), c.StringSlice("output")); err != nil {
		return nil, err
	}
	s.remote = p.remote(c, s)
	s.color, err = p.color(c.String("color"))
	return s, err
}

// judgement is the document of --registry, nil without one; the rules on the
// registry then have nothing to judge by and find nothing. A scan that proposes
// entries does not judge by the document that it proposes them to.
func (p *program) judgement(c *cli.Context) (*judgement, error) {
	name := c.String("registry")
	if name == "" || c.Command.Name == "propose" {
		for _, id := range c.StringSlice("only") {
			if r := catalog.Find(id); r != nil && reg.Needs(r) && name == "" {
				return nil, usage("--registry "+registry.DefaultFile, "rule %q judges by a registry, and none was named", id)
			}
		}
		return nil, nil
	}
	l, err := p.openRegistry(name)
	if err != nil {
		return nil, err
	}
	who, err := l.Doc.ParseWho(c.String("as"))
	if err != nil {
		return nil, usage("--as unit=payments,role=developer", "%s", err)
	}
	return &judgement{l, who}, nil
}

// outputs reads --format and --output. The text on stdout gives way when an
// --output asks for stdout and nobody asked for a --format.
func outputs(format string, asked bool, extra []string) ([]output, error) {
	var out []output
	stdout := false
	for _, spec := range extra {
		name, path, ok := strings.Cut(spec, "=")
		if !ok || path == "" {
			return nil, usage("--output sarif=sallyport.sarif", "--output needs FORMAT=PATH, not %q", spec)
		}
		f, err := formatNamed(name)
		if err != nil {
			return nil, err
		}
		stdout = stdout || path == "-"
		out = append(out, output{f, path})
	}
	if stdout && !asked {
		return out, nil
	}
	f, err := formatNamed(format)
	return append([]output{{f, "-"}}, out...), err
}

func formatNamed(name string) (report.Format, error) {
	for _, f := range report.Formats {
		if f.Name == name {
			return f, nil
		}
	}
	return report.Format{}, usage("use one of: "+formatNames(), "unknown format %q", name)
}

func formatNames() string {
	var names []string
	for _, f := range report.Formats {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// choose applies --only and --skip to the rules.
func choose(all []*rules.Rule, only, skip []string) (selected []*rules.Rule, skipped []report.Skipped, err error) {
	for _, id := range slices.Concat(only, skip) {
		if catalog.FindIn(all, id) == nil {
			return nil, nil, usage("sallyport rules lists them", "unknown rule %q", id)
		}
	}
	for _, r := range all {
		switch {
		case slices.Contains(skip, r.ID):
			skipped = append(skipped, report.Skipped{RuleID: r.ID, Reason: "skipped by request"})
		case len(only) > 0 && !slices.Contains(only, r.ID):
			skipped = append(skipped, report.Skipped{RuleID: r.ID, Reason: "not among the requested rules"})
		default:
			selected = append(selected, r)
		}
	}
	return selected, skipped, nil
}

func (p *program) color(mode string) (bool, error) {
	switch mode {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto":
		f, ok := p.stdout.(*os.File)
		return ok && p.env("NO_COLOR") == "" && term.IsTerminal(int(f.Fd())), nil
	}
	return false, usage("use one of: auto, always, never", "unknown value %q for --color", mode)
}

func (p *program) speak(out output, r *report.Report, options report.Options) error {
	if out.path == "-" {
		return out.format.Write(p.stdout, r, options)
	}
	return writeFile(out.path, func(w io.Writer) error { return out.format.Write(w, r, options) })
}

// writeFile writes a whole file or none: a half-written report would be read
// as a short one.
func writeFile(path string, write func(io.Writer) error) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0) // a device or a pipe
		if err != nil {
			return usage("name a file in a directory that exists", "cannot write %q: %v", path, errors.Unwrap(err))
		}
		return errors.Join(write(f), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".sallyport-*")
	if err != nil {
		return usage("name a file in a directory that exists", "cannot write %q: %v", path, errors.Unwrap(err))
	}
	defer os.Remove(f.Name()) // gone already when all went well
	if err := errors.Join(write(f), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
