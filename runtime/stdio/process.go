package stdio

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	goruntime "runtime"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// process is the server, with all that it starts.
type process struct {
	cmd     *exec.Cmd
	through bool // a launcher
	stdin   *os.File
	stdout  *os.File
	stderr  *os.File
	heard   chan struct{} // closed when standard error has ended
	started chan error
	exited  chan struct{}
	err     error
	once    sync.Once
}

// run starts the process and waits for it, on one thread: the signal that the
// process gets when its parent dies is tied to the thread (Linux, prctl(2)).
func (p *process) run() {
	goruntime.LockOSThread()
	defer close(p.exited)
	isolate(p.cmd, p.through)
	err := p.cmd.Start()
	p.started <- err
	if err != nil {
		return
	}
	state, err := p.cmd.Process.Wait()
	if err == nil && !state.Success() {
		err = &exec.ExitError{ProcessState: state}
	}
	p.err = err
}

// start begins the server's process. Its pipes are ours alone: exec would wait
// for whoever holds the other end, and close what was not read yet.
func start(c *exec.Cmd, launcher bool, stderr io.Writer) (*process, error) {
	p := &process{cmd: c, through: launcher, heard: make(chan struct{}), started: make(chan error, 1), exited: make(chan struct{})}
	var theirs []*os.File
	for _, end := range []struct {
		ours  **os.File
		write bool
	}{{&p.stdin, true}, {&p.stdout, false}, {&p.stderr, false}} {
		r, w, err := os.Pipe()
		if err != nil {
			p.close()
			closeAll(theirs)
			return nil, err
		}
		if *end.ours = r; end.write {
			*end.ours, w = w, r
		}
		theirs = append(theirs, w)
	}
	c.Stdin, c.Stdout, c.Stderr = theirs[0], theirs[1], theirs[2]
	go p.run()
	err := <-p.started
	closeAll(theirs)
	if err != nil {
		p.close()
		return nil, fmt.Errorf("the server does not start: %w", err)
	}
	go func() {
		defer close(p.heard)
		_, _ = io.Copy(&plain{w: stderr}, p.stderr) // it ends with the server, or is closed
	}()
	return p, nil
}

func (p *process) close() { closeAll([]*os.File{p.stdin, p.stdout, p.stderr}) }

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // nil or closed already
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// end waits for the process to end by itself, and then ends it: its group
// first asked, then killed. What it started goes with it. What it has written to
// its standard error is out, unless somebody else holds that open.
func (p *process) end(grace time.Duration) error {
	select {
	case <-p.exited:
	case <-time.After(grace):
		terminate(p.cmd)
		select {
		case <-p.exited:
		case <-time.After(grace):
		}
	}
	p.kill()
	<-p.exited
	select {
	case <-p.heard:
	case <-time.After(parting):
	}
	_ = p.stderr.Close()
	return p.err
}

// kill ends the process and its group at once.
func (p *process) kill() {
	p.once.Do(func() { kill(p.cmd) })
}

// plain is standard error without what a terminal would obey, and bounded: a
// server that floods it is heard as far as budget goes, each second.
type plain struct {
	w      io.Writer
	rest   []byte
	second time.Time
	budget int
	muted  bool
}

// floodLimit is how much of a second's standard error is passed on, in bytes.
const floodLimit = 64 << 10

func (p *plain) Write(b []byte) (int, error) {
	n := len(b)
	if now := time.Now(); now.Sub(p.second) >= time.Second {
		p.second, p.budget, p.muted = now, floodLimit, false
	}
	if p.budget <= 0 {
		if !p.muted && p.w != nil {
			_, _ = io.WriteString(p.w, "sallyport: the server writes more to its standard error than is shown\n")
		}
		p.muted = true
		return n, nil
	}
	p.budget -= n
	if p.w == nil {
		return n, nil
	}
	out := make([]byte, 0, n+16)
	b = append(p.rest, b...)
	p.rest = nil
	for len(b) > 0 {
		if !utf8.FullRune(b) {
			p.rest = append([]byte(nil), b...)
			break
		}
		r, size := utf8.DecodeRune(b)
		b = b[size:]
		switch {
		case r == '\n' || r == '\t':
			out = append(out, byte(r))
		case r == '\r':
		case analyzers.Hidden(r):
			out = append(out, analyzers.Untrusted(string(r)).String()...)
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	_, _ = p.w.Write(out) // nobody reads it: the server goes on
	return n, nil
}
