package shim

import (
	"context"
	"io"
	"os/exec"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/identity"
	"github.com/sallyport-mcp/sallyport/runtime/stdio"
)

// one is a server that is ready to be started.
type one struct {
	*options
	world   World
	say     func(string, ...any)
	exe     *identity.Executable
	src     *approved
	guard   *runtime.Guard
	session *runtime.Session
	alone   bool // no other server is served beside it
}

// prepare finds what is to be started and judges by the source whether it may
// be. Its exe is to be closed.
func (o *options) prepare(src *source, found manifests, say func(string, ...any)) (*one, error) {
	exe, err := identity.Open(o.argv, o.dir, src.world.Env)
	if err != nil {
		return nil, hint("is it installed, and in PATH?", "%s cannot be started: %s", analyzers.Untrusted(o.argv[0]), err)
	}
	a := &approved{options: o, source: src, say: say, exe: exe, guards: make(chan *runtime.Guard, 1)}
	guard := a.guard(found, time.Now())
	src.servers = append(src.servers, a)
	who, server := o.records(guard)
	return &one{options: o, world: src.world, say: say, exe: exe, src: a, guard: guard, session: runtime.NewSession(guard, server, who)}, nil
}

// serve starts the server and serves until one side ends: stdio.Run's errors.
func (s *one) serve(ctx context.Context, in io.Reader, out io.Writer, record func(*audit.Record) error) error {
	defer s.src.ended.Store(true)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	if s.mode == runtime.Observe {
		defer s.observe(watching, s.session, s.say)()
	}
	command := exec.Command(s.argv[0], s.argv[1:]...)
	command.Err = nil // identity.Open has found it
	command.Env, command.Dir = s.environment(s.world, s.guard, s.say), s.dir
	held := false
	if s.src.what.Load().pinned {
		command.Path, command.ExtraFiles, held = s.exe.Start(3)
	} else {
		command.Path = s.exe.Path
	}
	return stdio.Run(ctx, stdio.Options{
		Session: s.session, Command: command, Launcher: launches(s.argv), Stdin: in, Stdout: out, Stderr: s.world.Stderr,
		Record: record, LossyAudit: s.lossyAudit, Alone: s.alone, Guards: s.src.guards, MaxLine: s.maxLine,
		Answered: func(pid int) *runtime.Refusal {
			go func() { // not before: the server's own start comes first
				s.guard.Warm()
				if s.world.Warm != nil {
					s.world.Warm()
				}
			}()
			return s.src.answered(pid, held)
		},
	})
}
