package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a started server behind its supervisor.
type process struct {
	stdin    *os.File
	stdout   *os.File
	errors   *os.File
	stderr   tail // complete when quiet is closed
	quiet    chan struct{}
	cmd      *exec.Cmd
	control  *os.File // the supervisor ends everything when this is closed
	report   *os.File
	finished chan struct{} // the supervisor is gone, and with it all others
}

// capabilities of the supervisor in its own user namespace; the server gets
// none of them.
var supervisorCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_SETPCAP, unix.CAP_SYS_RESOURCE, unix.CAP_NET_ADMIN}

func (p *Plan) order() order {
	o := order{Argv: append([]string{p.Program.Path}, p.Argv[1:]...), Dir: p.Dir, Confined: p.Confinement == "namespaces"}
	o.Env = append(o.Env, p.env...)
	for _, name := range []string{"PATH", "LANG"} {
		if v := p.Getenv(name); v != "" {
			o.Env = append(o.Env, name+"="+v)
		}
	}
	if !o.Confined {
		return withHome(o, p.Getenv("HOME"), "")
	}
	if caches[p.Launch.Program] != nil && !p.Network { // launchers take what their caches hold, and do not wait for a network
		o.Env = append(o.Env, "npm_config_offline=true", "UV_OFFLINE=1", "npm_config_update_notifier=false")
	}
	o.Network, o.Home, o.Shown, o.Caches = p.Network, p.home, p.Shown, p.Caches
	return withHome(o, p.home, "/tmp")
}

func withHome(o order, home, temp string) order {
	for _, v := range [][2]string{{"HOME", home}, {"TMPDIR", temp}} {
		if v[1] != "" {
			o.Env = append(o.Env, v[0]+"="+v[1])
		}
	}
	return o
}

// start starts the server behind a supervisor: this program again, which is
// the first process of new namespaces, or outside of them the one that adopts
// every orphan of the server. The supervisor ends when the control pipe does,
// so that nothing outlives us, however we end.
func (p *Plan) start() (*process, error) { return supervised(p.order()) }

func supervised(o order) (*process, error) {
	read, control, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	report, write, err := os.Pipe()
	if err != nil {
		control.Close()
		return nil, err
	}
	defer write.Close()
	proc := &process{control: control, report: report, finished: make(chan struct{}), quiet: make(chan struct{})}
	proc.cmd = &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{supervisorName}, Env: []string{},
		ExtraFiles:  []*os.File{read, write},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if o.Confined {
		attr := proc.cmd.SysProcAttr
		attr.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
		if !o.Network {
			attr.Cloneflags |= unix.CLONE_NEWNET
		}
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		attr.AmbientCaps = supervisorCaps
	}
	// The order goes through the pipe before anybody reads it: it is shorter
	// than what a pipe holds, or the start fails.
	message, err := json.Marshal(o)
	if err == nil && len(message) > 60<<10 {
		err = errors.New("the command line is too long")
	}
	if err == nil {
		_, err = control.Write(append(message, '\n'))
	}
	var theirs []*os.File
	if err == nil {
		theirs, err = proc.pipes()
	}
	if err == nil {
		err = proc.cmd.Start()
	}
	for _, f := range theirs {
		f.Close()
	}
	if err != nil {
		proc.close()
		return nil, unconfinable(o, err.Error())
	}
	write.Close()
	go func() {
		defer close(proc.quiet)
		_, _ = io.Copy(&proc.stderr, proc.errors)
	}()
	go func() {
		defer close(proc.finished)
		_ = proc.cmd.Wait() // the report says how it ended
	}()
	if err := proc.started(); err != nil {
		proc.end(0)
		return nil, unconfinable(o, err.Error())
	}
	return proc, nil
}

func unconfinable(o order, reason string) error {
	if !o.Confined {
		return &Failure{Problem: "the server could not be started: " + reason, Hint: "start it by hand to see why"}
	}
	return &Failure{Problem: "the server cannot be confined here: " + reason,
		Hint: "allow user namespaces (in a container: its seccomp and AppArmor profile), or start it as any client would, with --unconfined-unsafe"}
}

// notice is a line of the supervisor's report.
type notice struct {
	Started bool   `json:"started,omitempty"`
	Problem string `json:"problem,omitempty"` // nothing was started
	Ended   string `json:"ended,omitempty"`   // how the server ended
}

// startWithin is how long the supervisor may take until the server runs.
const startWithin = 20 * time.Second

func (p *process) next(wait time.Duration) (n notice, err error) {
	if err := p.report.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return n, err
	}
	var line []byte
	for one := make([]byte, 1); len(line) < 4096; {
		if _, err := p.report.Read(one); err != nil {
			return n, err
		}
		if one[0] == '\n' {
			return n, json.Unmarshal(line, &n)
		}
		line = append(line, one[0])
	}
	return n, errors.New("a long report")
}

func (p *process) started() error {
	n, err := p.next(startWithin)
	switch {
	case err != nil:
		return fmt.Errorf("the supervisor did not start: %w", err)
	case n.Problem != "":
		return errors.New(n.Problem)
	}
	return nil
}

// kill ends the server and everything that it has started.
func (p *process) kill() { _ = p.control.Close() }

// end ends the server, after a moment in which it may do so itself, and says
// how it ended before that: "ended with exit status 1"; "" when it was still
// running after wait.
func (p *process) end(wait time.Duration) string {
	n, err := p.next(wait)
	if err != nil {
		_ = p.stdin.Close()
		_, _ = p.next(grace)
	}
	p.kill()
	select {
	case <-p.finished:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.finished
	}
	select {
	case <-p.quiet:
	case <-time.After(time.Second): // somebody has escaped with the pipe
	}
	p.close()
	<-p.quiet
	return n.Ended
}

// pipes makes the server's standard streams, and returns its ends of them.
func (p *process) pipes() (theirs []*os.File, err error) {
	c := p.cmd
	for _, s := range []struct {
		ours   **os.File
		reader bool
		put    func(*os.File)
	}{
		{&p.stdin, false, func(f *os.File) { c.Stdin = f }},
		{&p.stdout, true, func(f *os.File) { c.Stdout = f }},
		{&p.errors, true, func(f *os.File) { c.Stderr = f }},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			return theirs, err
		}
		if !s.reader {
			r, w = w, r
		}
		*s.ours = r
		s.put(w)
		theirs = append(theirs, w)
	}
	return theirs, nil
}

func (p *process) close() {
	for _, f := range []*os.File{p.control, p.report, p.stdin, p.stdout, p.errors} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// probe finds out whether the confinement can be had: a supervisor goes
// through all of it and starts nothing.
func (p *Plan) probe() error {
	o := p.order()
	o.Argv = nil
	proc, err := supervised(o)
	if err != nil {
		return err
	}
	proc.end(0)
	return nil
}

// Holds names what the kernel enforces, for people.
func (p *Plan) Holds() []string {
	list := []string{"own user, mount, process, IPC and host-name namespaces"}
	if !p.Network {
		list = append(list, "no network")
	}
	return append(list, "files read-only", "a home and a /tmp that are empty but for those", "no new privileges, no capabilities",
		fmt.Sprintf("at most %d MiB of memory, %d processes, %s of CPU a process", maxMemory>>20, maxProcesses, maxCPU))
}
