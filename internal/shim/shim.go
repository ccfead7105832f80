// Package shim is the command `run`: it puts the parts of the runtime together
// for the full program and for the small one. The small one links neither
// Sigstore nor a parser of source code.
package shim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/observed"
	"github.com/sallyport-mcp/sallyport/runtime/stdio"
)

// The exit codes of a run that did not come to serve, or was refused.
const (
	exitRefused = 1
	exitUsage   = 2
)

// World is what the command may touch.
type World struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Env    []string // NAME=VALUE
	// Verify checks the signature of a registry document with what --bundle,
	// --trusted-root, --identity and --issuer say. nil: this program cannot.
	Verify func(name string, document []byte, o Signature) error
	// Warm is called when everything that is prepared once has been. It may be
	// nil.
	Warm func()
	// Telemetry starts what exports records; close sends what is left. nil: this
	// program cannot. Both functions may be nil: nothing is asked for.
	Telemetry func(ctx context.Context, metrics string, warn func(string)) (observe func(*audit.Record), close func(), err error)
}

// Signature says how a registry document must be signed.
type Signature struct{ Bundle, Key, TrustedRoot, Identity, Issuer string }

// Run is the command with its arguments, without the program's name and "run".
// It returns the exit code: that of the server, 1 when it was refused, 2 when
// the command line or the registry cannot be used.
func Run(ctx context.Context, args []string, w World) int {
	useProcessors()
	o, err := parse(args, w)
	if errors.Is(err, errHelp) {
		fmt.Fprint(w.Stdout, usage)
		return 0
	}
	if err != nil {
		return fail(w, err)
	}
	return o.run(ctx, w)
}

func fail(w World, err error) int {
	fmt.Fprintf(w.Stderr, "sallyport run: %s\n", err)
	var h *hinted
	if errors.As(err, &h) && h.hint != "" {
		fmt.Fprintf(w.Stderr, "  %s\n", h.hint)
	}
	return exitUsage
}

// hinted is an error with the next thing to type.
type hinted struct{ problem, hint string }

func (h *hinted) Error() string { return h.problem }

func hint(next, format string, args ...any) error { return &hinted{fmt.Sprintf(format, args...), next} }

func (o *options) run(ctx context.Context, w World) int {
	w.Stderr = &lockedWriter{w: w.Stderr}
	say := func(format string, args ...any) {
		if !o.quiet {
			fmt.Fprintf(w.Stderr, "sallyport: "+format+"\n", args...)
		}
	}
	// A client that is gone is an error of the write: the server is still to be
	// ended and the log to be closed. Caught, not ignored: the server would
	// inherit that.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)
	if o.breakGlass != "" {
		say("--break-glass: dates of approvals count no more: %s", analyzers.Untrusted(o.breakGlass))
	}
	if o.several != nil {
		return o.runSeveral(ctx, w, say)
	}
	src := newSource(o, w, say)
	if err := src.load(time.Now()); err != nil {
		return fail(w, err)
	}
	s, err := o.prepare(src, manifests{}, say)
	if err != nil {
		return fail(w, err)
	}
	defer s.exe.Close()
	s.alone = true
	write, done, err := o.audit(ctx, w, say)
	if err != nil {
		return fail(w, err)
	}
	defer done()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go src.watch(watching)
	return exitCode(w, s.serve(ctx, w.Stdin, w.Stdout, func(r *audit.Record) error {
		tell(w.Stderr, o, r)
		return write(r)
	}))
}

// exitCode is the program's, by how a run has ended.
func exitCode(w World, err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, stdio.ErrRefused):
		return exitRefused
	case errors.As(err, &exit):
		if code := exit.ExitCode(); code > 0 {
			return code
		}
		return exitRefused
	}
	return fail(w, err)
}

// tell says on standard error what was refused: the person may look there when
// the client shows nothing.
func tell(w io.Writer, o *options, r *audit.Record) {
	if !r.Refused() || o.quiet || o.mode == runtime.Observe {
		return
	}
	verb := map[string]string{audit.Deny: "refused", audit.Hide: "hidden", audit.Drop: "dropped", audit.Stop: "stopped the server"}[r.Decision]
	if !r.Enforced {
		verb = "would have " + verb
	}
	what := strings.TrimSpace(r.Method + " " + analyzers.Untrusted(r.Name).String())
	switch {
	case what != "" || r.Decision == audit.Stop:
	case r.Direction == audit.Shim:
		what = "the server"
	default:
		what = "a message"
	}
	fmt.Fprintf(w, "sallyport: %s: %s [%s]\n", strings.TrimSpace(verb+" "+what), r.Reason, r.Rule)
}

// records is how records call both sides.
func (o *options) records(g *runtime.Guard) (audit.Who, audit.Server) {
	id := &g.Identity
	server := audit.Server{Name: o.name, Argv: o.argv, URL: id.URL}
	if len(id.Images) > 0 {
		server.Image = id.Images[0]
	}
	return audit.Who{
		User: g.User, Agent: g.Agent, Client: g.Who.Client, Unit: g.Who.Unit, Project: g.Who.Project, Environment: g.Who.Environment, Roles: g.Who.Roles,
	}, server
}

// audit opens the log and what records are exported to.
func (o *options) audit(ctx context.Context, w World, say func(string, ...any)) (write func(*audit.Record) error, done func(), err error) {
	observe, flush := func(*audit.Record) {}, func() {}
	if w.Telemetry != nil {
		started, ended, err := w.Telemetry(ctx, o.metrics, func(problem string) { say("%s", problem) })
		if err != nil {
			return nil, nil, hint("--metrics 127.0.0.1:9464", "%s", err)
		}
		if started != nil {
			observe, flush = started, ended
		}
	}
	if o.auditFile == "" {
		return func(r *audit.Record) error { observe(r); return nil }, flush, nil
	}
	log, err := audit.Open(o.auditFile, audit.Options{StateDir: o.stateDir})
	if err != nil {
		return nil, nil, err
	}
	write = func(r *audit.Record) error {
		observe(r)
		return log.Write(r)
	}
	return write, func() {
		flush()
		if err := log.Close(); err != nil {
			say("the audit log: %s", err)
		}
	}, nil
}

// often is how often what a server shows is saved in observe mode.
const often = 5 * time.Second

// launches reports whether a command line starts its server as a process of the
// launcher's: a package or an image.
func launches(argv []string) bool {
	id := registry.Command(argv)
	return len(id.Packages)+len(id.Images) > 0
}

// observe keeps what the server shows, and returns what does so for the last
// time.
func (o *options) observe(ctx context.Context, s *runtime.Session, say func(string, ...any)) func() {
	var once sync.Once
	save := func() {
		seen, any := s.Seen()
		if !any {
			return
		}
		err := observed.Save(o.observed, observed.Server{
			Name: o.name, Argv: o.argv, Tools: seen.Tools, Prompts: seen.Prompts, Resources: seen.Resources, Templates: seen.Templates,
			Instructions: seen.Instructions, ServerInfo: seen.ServerInfo, Capabilities: seen.Capabilities,
		})
		if err != nil {
			once.Do(func() { say("what the server shows is not kept: %s", err) })
		}
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(often):
				save()
			}
		}
	}()
	return save
}

// environment is what the server gets: ours, without the variables that bring
// code into it, unless the entry allows them.
func (o *options) environment(w World, g *runtime.Guard, say func(string, ...any)) []string {
	var out, dropped []string
	for _, v := range slices.Concat(w.Env, o.env) {
		name, _, _ := strings.Cut(v, "=")
		if registry.Injects(name) && !slices.Contains(g.AllowedEnv, name) && o.mode == runtime.Enforce {
			dropped = append(dropped, name)
			continue
		}
		out = append(out, v)
	}
	if len(dropped) > 0 {
		slices.Sort(dropped)
		say("not passed to the server, because they bring code into it: %s (match.env of the entry allows them)", analyzers.Untrusted(strings.Join(dropped, ", ")))
	}
	return out
}

// account is this process's user.
func account() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprint(os.Getuid())
}
