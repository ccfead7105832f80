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
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
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
}

// Signature says how a registry document must be signed.
type Signature struct{ Bundle, Key, TrustedRoot, Identity, Issuer string }

// Run is the command with its arguments, without the program's name and "run".
// It returns the exit code: that of the server, 1 when it was refused, 2 when
// the command line or the registry cannot be used.
func Run(ctx context.Context, args []string, w World) int {
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
	say := func(format string, args ...any) {
		if !o.quiet {
			fmt.Fprintf(w.Stderr, "sallyport: "+format+"\n", args...)
		}
	}
	src := &approved{options: o, world: w, say: say}
	guard, err := src.load(time.Now())
	if err != nil {
		return fail(w, err)
	}
	who, server := o.records(guard)
	session := runtime.NewSession(guard, server, who)

	record, done, err := o.audit(w, say)
	if err != nil {
		return fail(w, err)
	}
	defer done()
	go guard.Warm()
	guards := make(chan *runtime.Guard)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go src.watch(watching, guards)

	command := exec.CommandContext(context.WithoutCancel(ctx), o.argv[0], o.argv[1:]...)
	command.Env = o.environment(w, guard, say)
	command.Dir = o.dir
	if filepath.Base(o.argv[0]) == o.argv[0] && command.Err != nil {
		return fail(w, hint("is it installed, and in PATH?", "%s cannot be started: %s", analyzers.Untrusted(o.argv[0]), command.Err))
	}
	err = stdio.Run(ctx, stdio.Options{
		Session: session, Command: command, Stdin: w.Stdin, Stdout: w.Stdout, Stderr: w.Stderr,
		Record: func(r *audit.Record) error {
			tell(w.Stderr, o, r)
			return record(r)
		},
		LossyAudit: o.lossyAudit, Guards: guards, MaxLine: o.maxLine,
	})
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
	fmt.Fprintf(w, "sallyport: %s %s: %s [%s]\n", verb, what, r.Reason, r.Rule)
}

// records is how records call both sides.
func (o *options) records(g *runtime.Guard) (audit.Who, audit.Server) {
	id := &g.Identity
	server := audit.Server{Name: o.name, Argv: o.argv, URL: id.URL}
	if len(id.Images) > 0 {
		server.Image = id.Images[0]
	}
	return audit.Who{
		User: g.User, Client: g.Who.Client, Unit: g.Who.Unit, Project: g.Who.Project, Environment: g.Who.Environment, Roles: g.Who.Roles,
	}, server
}

// audit opens the log.
func (o *options) audit(w World, say func(string, ...any)) (write func(*audit.Record) error, done func(), err error) {
	if o.auditFile == "" {
		return func(*audit.Record) error { return nil }, func() {}, nil
	}
	log, err := audit.Open(o.auditFile, audit.Options{StateDir: o.stateDir})
	if err != nil {
		return nil, nil, err
	}
	return log.Write, func() {
		if err := log.Close(); err != nil {
			say("the audit log: %s", err)
		}
	}, nil
}

// environment is what the server gets: ours, without the variables that bring
// code into it, unless the entry allows them.
func (o *options) environment(w World, g *runtime.Guard, say func(string, ...any)) []string {
	var out, dropped []string
	for _, v := range w.Env {
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
