package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture/live"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/registry"
)

// supervise is the program's other life: the process that stands between it
// and a server that it has started. It is to be called before anything else.
func supervise() { live.Supervise() }

func inspectCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "start a server, confined, or connect to one, and write down everything that it shows",
		ArgsUsage: "[-- COMMAND [ARGUMENT...]]",
		Description: `Says exactly what will be started or contacted and wants "yes", or --consent where nobody can be asked.
The capture is what sallyport scan, manifest generate and manifest diff read. The server is asked twice, and again in a
connection of its own; what differs is reported.
Exit codes: 0 captured; 1 it did not show the same twice; 2 usage, refused, or no capture; 3 captured in part.`,
		Flags: append(inspectFlags(),
			&cli.StringFlag{Name: "o", Usage: "write the capture to `FILE` (default: standard output, or nowhere with --manifest)"},
			&cli.StringFlag{Name: "manifest", Usage: "write the server's manifest to `FILE`, too; - is standard output"},
			&cli.BoolFlag{Name: "once", Usage: "ask for everything once: do not compare"}),
		Action: func(c *cli.Context) error { return p.inspect(c) },
	}
}

// inspectFlags are those of inspect and of registry add.
func inspectFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "consent", Usage: "start or contact the server without asking"},
		&cli.StringFlag{Name: "url", Usage: "connect to the server at `URL` (Streamable HTTP or HTTP+SSE) instead of starting one"},
		&cli.StringSliceFlag{Name: "header", Usage: "send a header with the value of a variable: `HEADER=VARIABLE`; repeatable"},
		&cli.StringSliceFlag{Name: "env", Usage: "give the server the variable `NAME`; repeatable. It has no other of this environment"},
		&cli.StringSliceFlag{Name: "read", Usage: "let the server read `PATH`, too; repeatable"},
		&cli.BoolFlag{Name: "allow-network", Usage: "let the server use this machine's network"},
		&cli.BoolFlag{Name: "unconfined-unsafe", Usage: "start the server as any client would, with this user's files and network"},
		&cli.DurationFlag{Name: "timeout", Usage: "give a connection `TIME` altogether", Value: live.DefaultTimeout},
		&cli.StringFlag{Name: "name", Usage: "call the server `NAME`, where it does not say"},
		&cli.StringFlag{Name: "client", Usage: "introduce ourselves as `NAME`: a server may show an inspector something else", Value: "sallyport"},
		&cli.BoolFlag{Name: "verbose", Usage: "show what the server writes to standard error"},
	}
}

func (p *program) inspect(c *cli.Context) error {
	out, described := c.String("o"), c.String("manifest")
	switch {
	case out == "-" && described == "-":
		return usage("name a file for one of them", "the capture and the manifest cannot both go to standard output")
	case out == "" && described == "":
		out = "-"
	}
	issued, expires, err := p.times(c)
	if err != nil {
		return err
	}
	plan, err := p.plan(c)
	if err != nil {
		return err
	}
	i, err := p.capture(c, plan)
	if err != nil {
		return err
	}
	if out != "" {
		if err := p.writeOutput(out, i.document); err != nil {
			return err
		}
	}
	doubt := p.summary(i.Capture)
	switch {
	case described == "":
		return doubt
	case doubt != nil:
		fmt.Fprintln(p.stderr, "sallyport: no manifest was written: it would promise what the server does not keep")
		return doubt
	case i.server == nil:
		return usage("sallyport inspect without --manifest writes the capture", "the server shows nothing, and nothing needs no manifest")
	}
	m, document, err := describe("the server", i.observed, "", manifest.Options{Serial: 1, Issued: issued, Expires: expires})
	if err != nil {
		return err
	}
	return p.writeManifest(described, m, document)
}

// inspection is a capture, its document, and what reading that again gives:
// the server is nil where it shows nothing.
type inspection struct {
	*live.Capture
	document []byte
	observed
}

// capture asks for consent and takes the capture.
func (p *program) capture(c *cli.Context, plan *live.Plan) (*inspection, error) {
	p.announce(plan)
	if err := p.consent(c, plan); err != nil {
		return nil, err
	}
	taken, err := plan.Capture(c.Context)
	var document []byte
	if err == nil {
		document, err = taken.Document()
	}
	if err != nil {
		return nil, p.refused(err)
	}
	if c.Bool("verbose") {
		p.stderrOf(taken.Stderr)
	}
	o, err := observeCapture(c, taken, document)
	if err != nil {
		return nil, err
	}
	return &inspection{taken, document, o}, nil
}

func (p *program) plan(c *cli.Context) (*live.Plan, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	const example = "sallyport inspect -- COMMAND ARGUMENT..., or sallyport inspect --url URL"
	request := live.Request{
		Argv: c.Args().Slice(), URL: c.String("url"), Env: c.StringSlice("env"), Read: c.StringSlice("read"), Network: c.Bool("allow-network"),
		Unconfined: c.Bool("unconfined-unsafe"), Once: c.Bool("once"), Timeout: c.Duration("timeout"), ClientName: c.String("client"), Version: version,
		Dir: dir, Getenv: p.env, Headers: map[string]string{},
	}
	for _, h := range c.StringSlice("header") {
		header, name, ok := strings.Cut(h, "=")
		if !ok || header == "" || name == "" {
			return nil, usage("--header Authorization=VARIABLE", "--header needs HEADER=VARIABLE: the value comes from the variable, never from the command line")
		}
		request.Headers[header] = name
	}
	switch {
	case request.URL == "" && len(request.Argv) == 0:
		return nil, usage(example, "inspect needs a command or a URL")
	case request.URL != "" && len(request.Argv) > 0:
		return nil, usage(example, "inspect takes a command or a URL, and both were named")
	case request.URL != "" && (len(request.Env)+len(request.Read) > 0 || request.Network || request.Unconfined):
		return nil, usage(example, "--env, --read, --allow-network and --unconfined-unsafe are for a command; with --url nothing is started")
	case request.URL == "" && len(request.Headers) > 0:
		return nil, usage(example, "--header is for a URL; a command is given variables with --env")
	case request.Timeout <= 0:
		return nil, usage("--timeout 90s", "the timeout has to be longer than nothing")
	}
	plan, err := live.Prepare(request)
	if err != nil {
		return nil, p.refused(err)
	}
	return plan, nil
}

// announce says what consent is asked for.
func (p *program) announce(plan *live.Plan) {
	line := func(what, format string, args ...any) {
		fmt.Fprintf(p.stderr, "  %-12s %s\n", what, oneLine(fmt.Sprintf(format, args...)))
	}
	if plan.URL != "" {
		fmt.Fprintln(p.stderr, "sallyport: this server will be contacted; nothing is started here:")
		line("URL", "%s", plan.URL)
		for _, header := range slices.Sorted(maps.Keys(plan.Headers)) {
			line("header", "%s, with the value of %s", header, plan.Headers[header])
		}
		return
	}
	fmt.Fprintln(p.stderr, "sallyport: this will be started:")
	line("command", "%s", quoteArgs(plan.Masked()))
	line("program", "%s  sha256:%s", plan.Program.Path, plan.Program.SHA256)
	if plan.Script != nil {
		line("script", "%s  sha256:%s", plan.Script.Path, plan.Script.SHA256)
	}
	for _, ref := range plan.Launch.Packages {
		line("package", "%s (%s)", cmp.Or(ref.PURL, ref.Spec.Raw()), pinned(ref.Pin))
	}
	for _, ref := range plan.Launch.Images {
		line("image", "%s (%s)", cmp.Or(ref.PURL, ref.Spec.Raw()), pinned(ref.Pin))
	}
	if why := plan.Launch.Ambiguous; why != "" {
		line("note", "what it really starts is not certain: %s", why)
	}
	line("directory", "%s", plan.Dir)
	if len(plan.Env) > 0 {
		line("variables", "%s", strings.Join(plan.Env, ", "))
	}
	if plan.Confinement == "none" {
		line("may reach", "everything that you may: files, network, keys, other programs")
		line("confinement", "NONE (--unconfined-unsafe)")
		return
	}
	line("may read", "%s", strings.Join(append([]string{"the system's programs and settings"}, plan.Shown...), ", "))
	for _, cache := range plan.Caches {
		line("cache", "%s; what it writes there is thrown away", cache)
	}
	if plan.Network {
		line("may reach", "the network of this machine, services on the machine itself included")
	} else {
		line("may reach", "no network")
	}
	line("confinement", "%s", strings.Join(plan.Holds(), "; "))
}

// pinned says how firmly a reference names what will be started.
func pinned(pin analyzers.Pin) string {
	switch pin {
	case analyzers.PinDigest, analyzers.PinExact, analyzers.PinCommit:
		return "pinned: " + string(pin)
	case analyzers.PinNone, "":
		return "not pinned: whatever is served today"
	}
	return "not pinned: " + string(pin)
}

// consent asks, where somebody can answer.
func (p *program) consent(c *cli.Context, plan *live.Plan) error {
	if c.Bool("consent") {
		return nil
	}
	in, ok := p.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return usage(again(c, plan), "nobody can be asked here, and nothing was started")
	}
	question := "Start it? "
	if plan.URL != "" {
		question = "Contact it? "
	}
	fmt.Fprint(p.stderr, "sallyport: ", question, "Type yes: ")
	answer, err := bufio.NewReader(io.LimitReader(in, 100)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		return usage("type yes, or use --consent", "not agreed to; nothing was started")
	}
	return nil
}

// again is the command line with --consent added.
func again(c *cli.Context, plan *live.Plan) string {
	words := []string{c.Command.HelpName, "--consent"}
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if !c.IsSet(name) {
			continue
		}
		switch v := c.Value(name).(type) {
		case bool:
			words = append(words, "--"+name)
		case cli.StringSlice:
			for _, s := range v.Value() {
				words = append(words, "--"+name, quoteArg(s))
			}
		default:
			dashes := "--"
			if len(name) == 1 {
				dashes = "-"
			}
			words = append(words, dashes+name, quoteArg(fmt.Sprint(v)))
		}
	}
	if plan.URL == "" {
		words = append(words, "--", quoteArgs(plan.Masked()))
	}
	return strings.Join(words, " ")
}

func quoteArgs(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quoteArg(w)
	}
	return strings.Join(quoted, " ")
}

// refused turns why there is no capture into an exit, and shows the end of
// what the server wrote.
func (p *program) refused(err error) error {
	var f *live.Failure
	if !errors.As(err, &f) {
		return err
	}
	p.stderrOf(f.Stderr)
	return usage(f.Hint, "%s", f.Problem)
}

// mostLines of a server's standard error are shown.
const mostLines = 20

func (p *program) stderrOf(content []byte) {
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	if len(content) == 0 {
		return
	}
	for _, line := range lines[max(0, len(lines)-mostLines):] {
		if len(line) > 500 {
			line = line[:500] + " ..."
		}
		fmt.Fprintf(p.stderr, "sallyport: server: %s\n", oneLine(line))
	}
}

// summary says on stderr what was captured, and returns the doubt about it: an
// unsteady server is a finding, a list that was not read to its end leaves the
// capture incomplete.
func (p *program) summary(c *live.Capture) error {
	compared := "asked once"
	switch {
	case c.Again && c.Unstable():
		compared = "asked three times in two connections, NOT always the same"
	case c.Again:
		compared = "asked three times in two connections, always the same"
	}
	held := map[string]string{"namespaces": "confined", "none": "NOT confined", "remote": "remote"}[c.Plan.Confinement]
	if c.Plan.Confinement == "namespaces" && c.Plan.Network {
		held = "confined, with network"
	}
	fmt.Fprintf(p.stderr, "sallyport: server %q shows tools: %d, prompts: %d, resources: %d, templates: %d (%s, %s, %s); %s\n", oneLine(c.Name()),
		c.Count("tool"), c.Count("prompt"), c.Count("resource"), c.Count("template"), c.Transport, oneLine(c.ProtocolVersion), held, compared)
	for _, o := range c.Observations {
		fmt.Fprintf(p.stderr, "sallyport: %s: %s %s\n", o.Kind, oneLine(o.Subject), oneLine(o.Detail))
	}
	for _, reason := range c.Incomplete {
		fmt.Fprintf(p.stderr, "sallyport: incomplete: %s\n", oneLine(reason))
	}
	switch {
	case c.Unstable():
		return &failure{exitFindings, "the server does not show the same each time", "what people approve must be what they get: do not approve this server"}
	case len(c.Incomplete) > 0:
		p.stderrOf(c.Stderr)
		return &failure{exitIncomplete, "the capture is not complete", "--timeout gives the server more time; --verbose shows what it writes"}
	}
	return nil
}

// observeCapture reads a capture as every command reads the file.
func observeCapture(c *cli.Context, taken *live.Capture, document []byte) (observed, error) {
	if len(taken.Definitions) == 0 && len(taken.Instructions) == 0 {
		return observed{}, nil
	}
	dir, err := os.MkdirTemp("", "sallyport-")
	if err != nil {
		return observed{}, err
	}
	defer os.RemoveAll(dir)
	name := cmp.Or(c.String("name"), stem(taken.Plan))
	file := filepath.Join(dir, registry.Slug(name)+".json")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		return observed{}, err
	}
	o, err := observe(c.Context, file, "")
	var f *failure
	if errors.As(err, &f) {
		return observed{}, &failure{exitIncomplete, "what the server shows cannot be used: " + strings.ReplaceAll(f.problem, dir+string(filepath.Separator), ""), "report it to whoever makes the server"}
	}
	return o, err
}

// stem is a name for a server that says none: of its package, image, host,
// script or program.
func stem(plan *live.Plan) string {
	switch l := plan.Launch; {
	case plan.URL != "":
		host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(plan.URL, "https://"), "http://"), "/")
		return host
	case len(l.Packages) > 0:
		return path.Base(l.Packages[0].Name)
	case len(l.Images) > 0:
		return path.Base(l.Images[0].Repository)
	case plan.Script != nil:
		base := filepath.Base(plan.Script.Path)
		return strings.TrimSuffix(base, filepath.Ext(base))
	}
	return filepath.Base(plan.Program.Path)
}
