package stdio

import (
	"io"
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
	stdin   io.WriteCloser
	stdout  io.Reader
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
	isolate(p.cmd)
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

func (p *process) pid() int { return p.cmd.Process.Pid }

// end waits for the process to end by itself, and then ends it: its group
// first asked, then killed. What it started goes with it.
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
