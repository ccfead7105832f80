package stdio

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// outlet writes lines to one side, whole and one after the other. A side that
// does not read must keep neither the other side nor the end of the session
// from being noticed: what it does not take within two seconds waits here.
type outlet struct {
	w        io.Writer
	deadline func(time.Time) error // of w; nil where it has none
	overflow func()                // called when too much waits of what came straight; nil: the writer is held up

	mu      sync.Mutex
	changed sync.Cond // one of the following
	backlog [][]byte
	size    int       // bytes of backlog
	busy    bool      // somebody writes
	held    int       // how many wait to write
	until   time.Time // the deadline of w; of who is busy
	closed  bool
	buf     []byte // of who writes straight

	done   chan struct{} // closed when the backlog's writer has ended
	broken chan struct{} // closed when nobody reads any more
	snap   sync.Once
}

const (
	maxBacklog = 8 << 20     // bytes that may wait for a side, besides one line
	prompt     = time.Second // in which a side takes what is written straight, at least
	parting    = time.Second // in which it takes what waits at the end
)

func newOutlet(w io.Writer, overflow func()) *outlet {
	o := &outlet{w: w, overflow: overflow, done: make(chan struct{}), broken: make(chan struct{})}
	o.changed.L = &o.mu
	if d, ok := w.(interface{ SetWriteDeadline(time.Time) error }); ok && d.SetWriteDeadline(time.Time{}) == nil {
		o.deadline = d.SetWriteDeadline
	}
	go o.drain()
	return o
}

// write sends a frame; line is its frame's own line where it is forwarded as
// it came. What goes the way of the stream is written straight, by one goroutine
// alone; the other way, by the writer of the backlog.
func (o *outlet) write(f, frame, line []byte, straight bool) {
	if o == nil {
		return
	}
	if len(f) == 0 || len(f) != len(frame) || &f[0] != &frame[0] {
		line = nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if straight && !o.busy && len(o.backlog) == 0 && !o.closed {
		if line == nil {
			o.buf = append(append(o.buf[:0], f...), '\n')
			line = o.buf
		}
		if rest := o.put(line, prompt); len(rest) > 0 && !o.closed {
			// Before all that has come meanwhile: a part of it may be written.
			o.backlog = slices.Insert(o.backlog, 0, bytes.Clone(rest))
			o.size += len(rest)
			o.changed.Broadcast()
		}
		return
	}
	for o.size > maxBacklog && !o.closed {
		if straight && o.overflow != nil {
			o.mu.Unlock()
			o.overflow()
			o.mu.Lock()
			return
		}
		o.held++
		o.changed.Wait()
		o.held--
	}
	if o.closed {
		return
	}
	if line == nil {
		line = append(append(make([]byte, 0, len(f)+1), f...), '\n')
	} else {
		line = append([]byte(nil), line...)
	}
	o.backlog = append(o.backlog, line)
	o.size += len(line)
	o.changed.Broadcast()
}

// put writes without holding the lock, and returns what was not taken in time.
func (o *outlet) put(line []byte, within time.Duration) []byte {
	o.busy = true
	o.mu.Unlock()
	if o.deadline != nil {
		switch now := time.Now(); {
		case within == 0:
			o.until = time.Time{}
			_ = o.deadline(o.until) // without one it waits
		case o.until.Sub(now) < within: // to set one costs as much as to write
			o.until = now.Add(2 * within)
			_ = o.deadline(o.until)
		}
	}
	n, err := o.w.Write(line)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		o.snap.Do(func() { close(o.broken) })
		n = len(line)
	}
	o.mu.Lock()
	o.busy = false
	if len(o.backlog) > 0 || o.closed || o.held > 0 {
		o.changed.Broadcast()
	}
	return line[n:]
}

// drain writes what waits.
func (o *outlet) drain() {
	defer close(o.done)
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for o.busy || len(o.backlog) == 0 {
			if o.closed && len(o.backlog) == 0 {
				return
			}
			o.changed.Wait()
		}
		line := o.backlog[0]
		o.put(line, 0)
		o.backlog[0] = nil
		o.backlog = o.backlog[1:]
		o.size -= len(line)
		o.changed.Broadcast()
	}
}

// close writes what waits and closes the side, if it can be closed.
func (o *outlet) close() {
	o.mu.Lock()
	closed := o.closed
	o.closed = true
	o.changed.Broadcast()
	o.mu.Unlock()
	if closed {
		return
	}
	select {
	case <-o.done:
	case <-o.broken:
	case <-time.After(parting):
	}
	if c, ok := o.w.(io.Closer); ok {
		_ = c.Close()
	}
}

// push is write for what must not wait: few and short frames.
func (o *outlet) push(f []byte) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.backlog = append(o.backlog, append(append(make([]byte, 0, len(f)+1), f...), '\n'))
	o.size += len(f) + 1
	o.changed.Broadcast()
}
