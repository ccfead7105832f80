//go:build !linux

package live

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// Supervise does nothing here: only Linux has a supervisor.
func Supervise() {}

// process is a started server. What it has started itself outlives it where it
// closes the pipes: there is no supervisor to find it.
type process struct {
	stdin  *os.File
	stdout *os.File
	errors *os.File
	stderr tail
	quiet  chan struct{}
	cmd    *exec.Cmd
	ended  chan string
}

func (p *Plan) start() (*process, error) {
	proc := &process{cmd: &exec.Cmd{Path: p.Program.Path, Args: append([]string{p.Program.Path}, p.Argv[1:]...), Dir: p.Dir}, quiet: make(chan struct{}), ended: make(chan string, 1)}
	proc.cmd.Env = append([]string{}, p.env...)
	for _, name := range []string{"PATH", "LANG", "HOME", "TMPDIR", "SystemRoot", "TEMP", "APPDATA", "LOCALAPPDATA", "USERPROFILE"} {
		if v := p.Getenv(name); v != "" {
			proc.cmd.Env = append(proc.cmd.Env, name+"="+v)
		}
	}
	in, stdin, err1 := os.Pipe()
	stdout, out, err2 := os.Pipe()
	stderr, errs, err3 := os.Pipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	proc.stdin, proc.stdout, proc.errors = stdin, stdout, stderr
	proc.cmd.Stdin, proc.cmd.Stdout, proc.cmd.Stderr = in, out, errs
	err := proc.cmd.Start()
	for _, f := range []*os.File{in, out, errs} {
		f.Close()
	}
	if err != nil {
		proc.close()
		return nil, &Failure{Problem: "the server could not be started: " + err.Error(), Hint: "start it by hand to see why"}
	}
	go func() {
		defer close(proc.quiet)
		_, _ = io.Copy(&proc.stderr, proc.errors)
	}()
	go func() {
		_ = proc.cmd.Wait()
		proc.ended <- fmt.Sprintf("ended with exit status %d", proc.cmd.ProcessState.ExitCode())
	}()
	return proc, nil
}

func (p *process) kill() { _ = p.cmd.Process.Kill() }

func (p *process) end(wait time.Duration) string {
	how := ""
	select {
	case how = <-p.ended:
		p.ended <- how
	case <-time.After(wait):
		_ = p.stdin.Close()
		select {
		case h := <-p.ended:
			p.ended <- h
		case <-time.After(grace):
		}
	}
	p.kill()
	<-p.ended
	p.close()
	<-p.quiet
	return how
}

func (p *process) close() {
	for _, f := range []*os.File{p.stdin, p.stdout, p.errors} {
		_ = f.Close()
	}
}

// probe says that there is no confinement on this system.
func (p *Plan) probe() error {
	return &Failure{Problem: "a server cannot be confined on " + runtime.GOOS, Hint: "inspect it on Linux, or start it as any client would, with --unconfined-unsafe"}
}

// Holds is empty: nothing is enforced.
func (p *Plan) Holds() []string { return nil }
