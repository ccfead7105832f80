package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/clientconfig"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/cmd/sallyport/internal/config"
	"github.com/sallyport-mcp/sallyport/cmd/sallyport/internal/wrap"
	"github.com/sallyport-mcp/sallyport/registry"
)

func initCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:      "init",
		Usage:     "begin: write a first configuration and registry; --wrap starts your servers through Sallyport",
		ArgsUsage: "[DIRECTORY] | --wrap|--unwrap CLIENT-CONFIG...|DIRECTORY...|home",
		Description: `Without --wrap: writes sallyport.yaml and sallyport.registry.yaml where they are missing, and overwrites nothing.
--wrap edits client configurations so that every server with a command is started through "sallyport run".
It shows what it would change and asks. --unwrap takes it back. "home" is every client of this user.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "wrap", Usage: "start servers through Sallyport"},
			&cli.BoolFlag{Name: "unwrap", Usage: "start them as before"},
			&cli.StringFlag{Name: "registry", Usage: "the registry `FILE` that wrapped servers are held to", Value: registry.DefaultFile},
			&cli.StringFlag{Name: "mode", Usage: "observe, warn or enforce", Value: "observe"},
			&cli.StringFlag{Name: "shim", Usage: "start them through the program at `PATH` (sallyport-shim) instead of this one"},
			&cli.StringSliceFlag{Name: "only", Usage: "only the server `NAME`"},
			&cli.StringSliceFlag{Name: "skip", Usage: "not the server `NAME`"},
			&cli.BoolFlag{Name: "dry-run", Usage: "show, and write nothing"},
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "write without asking"},
		},
		Action: func(c *cli.Context) error {
			switch {
			case c.Bool("wrap") && c.Bool("unwrap"):
				return usage("choose one of --wrap and --unwrap", "init cannot wrap and unwrap at once")
			case c.Bool("wrap") || c.Bool("unwrap"):
				return p.rewrap(c)
			}
			return p.begin(c)
		},
	}
}

// skeletons are what a newcomer needs.
var skeletons = []struct{ name, content string }{
	{config.DefaultFile, `# Settings of "sallyport scan" for this directory: docs/configuration.md.
# A flag beats this file.

# What fails a scan: critical, high, medium, low or never.
fail-on: high

# Folders and files that are not read. The report lists them.
# exclude:
#   - path: testdata
#     reason: hostile on purpose

# Findings that do not count. The report marks them and keeps them.
# suppress:
#   - rule: cleartext-remote
#     path: deploy/lab
#     reason: isolated network
#     until: 2027-01-31
`},
	{registry.DefaultFile, `# The MCP servers that may be used here: docs/registry.md.
# What is not listed is not approved.
apiVersion: ` + registry.APIVersion + `
kind: ` + registry.Kind + `

# Who may decide; without it, anybody.
# approvers: [security]

# sallyport registry propose . --registry ` + registry.DefaultFile + ` adds what a scan finds, in quarantine;
# sallyport registry approve ID --registry ` + registry.DefaultFile + ` --reason TEXT --approver WHO decides.
servers: []
`},
}

// begin writes the skeletons that are missing.
func (p *program) begin(c *cli.Context) error {
	for _, flag := range []string{"mode", "shim", "only", "skip", "registry"} {
		if c.IsSet(flag) {
			return usage("sallyport init --wrap FILE --"+flag+" ...", "--%s is of --wrap", flag)
		}
	}
	if c.NArg() > 1 {
		return usage("sallyport init DIRECTORY", "init takes one directory")
	}
	dir := cmp.Or(c.Args().First(), ".")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return usage("sallyport init --wrap "+quoteArg(dir)+" edits a client's configuration", "%q is no directory", dir)
	}
	for _, s := range skeletons {
		name := filepath.Join(dir, s.name)
		if _, err := os.Lstat(name); err == nil {
			fmt.Fprintf(p.stdout, "kept     %s\n", oneLine(name))
			continue
		}
		if !c.Bool("dry-run") {
			// O_EXCL: what came meanwhile stays.
			f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if err != nil {
				return usage("name a directory that can be written to", "cannot write %q: %v", name, reason(err))
			}
			_, err = f.WriteString(s.content)
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
		}
		fmt.Fprintf(p.stdout, "written  %s\n", oneLine(name))
	}
	if c.Bool("dry-run") {
		fmt.Fprintln(p.stderr, "sallyport: nothing was written (--dry-run)")
	}
	target := ""
	if dir != "." {
		target = " " + quoteArg(dir)
	}
	fmt.Fprintf(p.stderr, "sallyport: hint: sallyport scan%s; then sallyport registry propose%s --registry %s\n", target, cmp.Or(target, " ."), quoteArg(filepath.Join(dir, registry.DefaultFile)))
	return nil
}

// rewrite is what would become of one file.
type rewrite struct {
	path          string // as it is shown
	target        string // where links lead
	source        string // as analyzers name it: absolute, with slashes
	before, after []byte
	mode          fs.FileMode
	items         []wrap.Item
	record        *wrapRecord // of an earlier wrap; nil without one
}

func (r *rewrite) changed() int {
	n := 0
	for _, i := range r.items {
		if i.State == wrap.Changed {
			n++
		}
	}
	return n
}

// rewrap wraps or unwraps.
func (p *program) rewrap(c *cli.Context) error {
	undo := c.Bool("unwrap")
	files, err := p.clientFiles(c.Args().Slice())
	if err != nil {
		return err
	}
	var shim wrap.Shim
	if !undo {
		if shim, err = p.shim(c); err != nil {
			return err
		}
	}
	only, skip := c.StringSlice("only"), c.StringSlice("skip")
	met := map[string]bool{}
	choose := func(name string) bool {
		met[name] = true
		return (len(only) == 0 || slices.Contains(only, name)) && !slices.Contains(skip, name)
	}
	var plan []*rewrite
	var incomplete error
	for _, name := range files {
		r, err := p.rewrite(name, undo, len(only)+len(skip) == 0, shim, choose)
		if err != nil {
			fmt.Fprintf(p.stderr, "sallyport: %s is left alone: %s\n", oneLine(name), oneLine(err.Error()))
			incomplete = &failure{code: exitIncomplete}
			continue
		}
		plan = append(plan, r)
	}
	for _, name := range slices.Concat(only, skip) {
		if !met[name] {
			return usage("sallyport scan lists the servers of a configuration", "no server %q can be %s there", name, map[bool]string{false: "wrapped", true: "unwrapped"}[undo])
		}
	}
	servers, changed := 0, 0
	for _, r := range plan {
		p.show(r, undo)
		if n := r.changed(); n > 0 {
			servers, changed = servers+n, changed+1
		}
	}
	verb := map[bool]string{false: "wrap", true: "unwrap"}[undo]
	switch {
	case changed == 0:
		fmt.Fprintf(p.stderr, "sallyport: nothing to %s in %d files\n", verb, len(files))
		return incomplete
	case c.Bool("dry-run"):
		fmt.Fprintf(p.stderr, "sallyport: nothing was written (--dry-run): %d servers in %d files\n", servers, changed)
		return incomplete
	case !c.Bool("yes"):
		if err := p.confirm(fmt.Sprintf("%s %d servers in %d files?", verb, servers, changed)); err != nil {
			return err
		}
	}
	for _, r := range plan {
		if r.changed() == 0 {
			continue
		}
		if err := p.commit(r, undo); err != nil {
			return err
		}
		fmt.Fprintf(p.stderr, "sallyport: %s: written\n", oneLine(r.path))
	}
	if !undo {
		fmt.Fprintln(p.stderr, "sallyport: hint: restart the clients; sallyport init --unwrap takes it back")
	}
	return incomplete
}

// shim is the program that servers are started through.
func (p *program) shim(c *cli.Context) (wrap.Shim, error) {
	s := wrap.Shim{Path: c.String("shim"), Mode: c.String("mode")}
	if !slices.Contains([]string{"observe", "warn", "enforce"}, s.Mode) {
		return s, usage("use one of: observe, warn, enforce", "unknown mode %q", s.Mode)
	}
	if s.Path == "" {
		self, err := os.Executable()
		if err != nil {
			return s, usage("--shim PATH", "cannot tell where this program is: %v", err)
		}
		s.Path = self
	}
	path, err := filepath.Abs(s.Path)
	if err != nil {
		return s, err
	}
	if info, err := os.Stat(path); err != nil || info.IsDir() || runtime.GOOS != "windows" && info.Mode()&0o111 == 0 {
		return s, usage("--shim /usr/local/bin/sallyport-shim", "%q is no program", s.Path)
	}
	list, err := filepath.Abs(c.String("registry"))
	if err != nil {
		return s, err
	}
	if _, err := os.Stat(list); err != nil {
		return s, usage("sallyport init writes one; --registry FILE names another", "there is no registry %q: %v", c.String("registry"), reason(err))
	}
	s.Path, s.Registry = path, list
	return s, nil
}

// clientFiles are the configurations that the arguments name, each once.
func (p *program) clientFiles(args []string) ([]string, error) {
	if len(args) == 0 {
		return nil, usage("sallyport init --wrap home, or a file such as .mcp.json", "no client configuration was named")
	}
	var out []string
	seen := map[string]bool{}
	add := func(name string) {
		if target, err := filepath.EvalSymlinks(name); err == nil && !seen[target] {
			seen[target] = true
			out = append(out, name)
		}
	}
	glob := func(dir, pattern string) {
		// The directory is a name, not a pattern.
		found, err := fs.Glob(os.DirFS(dir), pattern)
		if err == nil {
			for _, name := range found {
				if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
					add(filepath.Join(dir, name))
				}
			}
		}
	}
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case arg == "home" || arg == "home:": // ./home is a directory
			home, settings := p.homes()
			if home == "" {
				return nil, usage("name the files", "HOME is not set")
			}
			for _, f := range clientconfig.Home() {
				glob(map[bool]string{false: home, true: settings}[f.Settings], f.Pattern)
			}
			for variable, name := range map[string]string{"CODEX_HOME": "config.toml", "CLAUDE_CONFIG_DIR": ".claude.json"} {
				if dir := p.env(variable); dir != "" {
					glob(dir, name)
				}
			}
		case err != nil:
			return nil, usage("name a configuration file, a directory, or home", "cannot read %q: %v", arg, reason(err))
		case info.IsDir():
			for _, pattern := range clientconfig.Project() {
				glob(arg, pattern)
			}
		default:
			add(arg)
		}
	}
	return out, nil
}

// homes are the home directory and the directory of programs' settings.
func (p *program) homes() (home, settings string) {
	home = cmp.Or(p.env("HOME"), p.env("USERPROFILE"))
	switch runtime.GOOS {
	case "darwin":
		return home, filepath.Join(home, "Library", "Application Support")
	case "windows":
		return home, cmp.Or(p.env("APPDATA"), filepath.Join(home, "AppData", "Roaming"))
	}
	return home, cmp.Or(p.env("XDG_CONFIG_HOME"), filepath.Join(home, ".config"))
}

// rewrite reads one file and prepares its change.
func (p *program) rewrite(name string, undo, all bool, shim wrap.Shim, choose wrap.Choose) (*rewrite, error) {
	target, err := filepath.EvalSymlinks(name)
	if err == nil {
		target, err = filepath.Abs(target)
	}
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(target)
	if err != nil {
		return nil, err
	}
	r := &rewrite{path: name, target: target, mode: info.Mode().Perm()}
	if r.before, err = readUpTo(target, tree.MaxBytes); err != nil {
		return nil, err
	}
	// A link may have another name than a client's: the one that was named
	// says what the file is.
	absolute, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	r.source = filepath.ToSlash(absolute)
	src := &analyzers.Source{Path: r.source, Bytes: r.before}
	r.record = p.readRecord(target)
	if !undo {
		r.after, r.items, err = wrap.Wrap(src, shim, choose)
		return r, err
	}
	r.after, r.items, err = wrap.Unwrap(src, choose)
	if err == nil && all && r.record != nil && r.record.Wrapped == digestOf(r.before) {
		r.after = r.record.Original // nobody has edited it since
	}
	return r, err
}

// show prints what would change, without credentials.
func (p *program) show(r *rewrite, undo bool) {
	if len(r.items) == 0 {
		return
	}
	fmt.Fprintf(p.stdout, "%s\n", oneLine(r.path))
	for _, i := range r.items {
		at := fmt.Sprintf("%s (line %d)", oneLine(i.Name), i.Span.Begin().Line)
		switch i.State {
		case wrap.Changed:
			fmt.Fprintf(p.stdout, "  %s\n    - %s\n    + %s\n", at, shownLine(i.Before), shownLine(i.After))
		case wrap.Remote:
			if !undo {
				fmt.Fprintf(p.stdout, "  %s: not wrapped: it is reached by a URL\n", at)
			}
		case wrap.Already:
			if !undo {
				fmt.Fprintf(p.stdout, "  %s: wrapped already\n", at)
			}
		case wrap.Left:
			fmt.Fprintf(p.stdout, "  %s: left alone: %s\n", at, oneLine(i.Why))
		}
	}
}

// shownLine is a command line as a shell would need it, credentials masked.
func shownLine(argv []string) string {
	texts := make([]analyzers.Text, len(argv))
	for i, word := range argv {
		texts[i].Value = analyzers.Untrusted(word)
	}
	secrets := secret.InArgs(texts)
	words := make([]string, len(argv))
	for i, word := range argv {
		for _, s := range secrets {
			if value := s.Text.Raw(); value != "" {
				word = strings.ReplaceAll(word, value, "****")
			}
		}
		words[i] = quoteArg(secret.Mask(word))
	}
	return oneLine(strings.Join(words, " "))
}

// confirm asks; anything but yes ends the command and writes nothing.
func (p *program) confirm(question string) error {
	fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	answer, err := bufio.NewReader(p.stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	case "":
		if err != nil {
			fmt.Fprintln(p.stderr)
			return usage("--yes writes without asking", "nobody answered; nothing was written")
		}
	}
	return &failure{code: exitClean, problem: "nothing was written"}
}

// commit writes one file, whole or not at all, and only over what was read.
func (p *program) commit(r *rewrite, undo bool) error {
	defer lockDir(filepath.Dir(r.target))()
	now, err := readUpTo(r.target, tree.MaxBytes)
	if err != nil || !bytes.Equal(now, r.before) {
		return usage("run the command again: it reads the file anew", "%q was changed by somebody else meanwhile; it was not written", r.path)
	}
	if !undo {
		if err := p.writeRecord(r); err != nil {
			return err
		}
	}
	if err := replaceFile(r.target, r.after, r.mode); err != nil {
		return err
	}
	if undo {
		return p.dropRecord(r)
	}
	return nil
}
