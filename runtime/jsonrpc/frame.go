package jsonrpc

import (
	"bytes"
	"errors"
	"io"
)

// Framer cuts a stream into the lines of the stdio transport: one message a
// line, ended by LF. One CR before it belongs to the ending; any other CR is
// left in the frame, where a Scanner refuses it. Lines of nothing but white
// space are passed over.
//
// It never holds more than one line of the limit and the read behind it.
type Framer struct {
	r       io.Reader
	max     int
	buf     []byte
	start   int // of the bytes not yet handed out
	end     int
	seen    int // up to here no LF
	err     error
	dropped int // bytes of a line that was too long
	inLong  bool
	offset  int64 // of buf[start] in the stream
}

// Frame is one line. Its slices are valid until the next call of Next.
type Frame struct {
	Bytes []byte // without the line ending
	// Line is Bytes with a line ending of one LF: what is written to forward
	// the frame. A CR that stood before the LF is left out.
	Line    []byte
	Offset  int64 // of the first byte in the stream
	Skipped int   // bytes of a line that was too long, left out before this one
}

// NewFramer reads lines of at most max bytes without their ending; max <= 0 is
// 16 MiB.
func NewFramer(r io.Reader, max int) *Framer {
	if max <= 0 {
		max = Options{}.withDefaults().MaxBytes
	}
	return &Framer{r: r, max: max}
}

const (
	minBuffer = 4 << 10
	// keepBuffer is how large a buffer may stay when a long line has gone.
	keepBuffer = 64 << 10
)

// Next returns the next line.
//
// After an *Error with reason TooLong the stream can be read on: the next call
// leaves out the rest of the line and says in Frame.Skipped how long it was.
// The error comes at once, while the line may still be arriving, so that an
// endless one cannot hide. An *Error with reason Partial means that the stream
// ended inside a line, which is not handed out: readers disagree whether such
// a line counts. Any other error is the reader's own, io.EOF at the end, and
// stays.
func (f *Framer) Next() (Frame, error) {
	for {
		if i := bytes.IndexByte(f.buf[f.seen:f.end], '\n'); i >= 0 {
			line := f.buf[f.start : f.seen+i+1]
			at := f.offset
			f.advance(f.seen + i + 1)
			if f.inLong {
				f.dropped += len(line)
				f.inLong = false
				continue
			}
			body := line[:len(line)-1]
			if n := len(body); n > 0 && body[n-1] == '\r' {
				body = body[:n-1]
			}
			if len(body) > f.max {
				f.dropped += len(line)
				return Frame{}, newError(TooLong, f.max, 0)
			}
			if blank(body) {
				continue
			}
			// The byte behind the body is the ending's: LF, or a CR that has
			// served its purpose.
			line = line[: len(body)+1 : len(body)+1]
			line[len(body)] = '\n'
			frame := Frame{Bytes: body[:len(body):len(body)], Line: line, Offset: at, Skipped: f.dropped}
			f.dropped = 0
			return frame, nil
		}
		f.seen = f.end
		if f.inLong {
			f.dropped += f.end - f.start
			f.advance(f.end)
		} else if f.end-f.start > f.max+1 { // one more for a CR
			f.inLong = true
			return Frame{}, newError(TooLong, f.max, 0)
		}
		if f.err != nil {
			return Frame{}, f.last()
		}
		f.fill()
	}
}

// last is the error at the end of the stream.
func (f *Framer) last() error {
	rest := f.buf[f.start:f.end]
	if f.inLong || blank(rest) || !errors.Is(f.err, io.EOF) {
		return f.err
	}
	f.advance(f.end)
	return newError(Partial, len(rest), 0)
}

func (f *Framer) advance(to int) {
	f.offset += int64(to - f.start)
	f.start, f.seen = to, to
}

// fill reads once, into a buffer that grows with the line.
func (f *Framer) fill() {
	rest := f.end - f.start
	switch {
	case len(f.buf) > keepBuffer && rest < minBuffer/2, f.buf == nil:
		f.move(make([]byte, minBuffer))
	case f.end < len(f.buf):
	case rest <= len(f.buf)/2:
		f.move(f.buf)
	default:
		f.move(make([]byte, min(2*len(f.buf), f.max+minBuffer)))
	}
	for range 100 {
		n, err := f.r.Read(f.buf[f.end:])
		if n < 0 || n > len(f.buf)-f.end {
			n, err = 0, errors.New("jsonrpc: the reader returned an impossible count")
		}
		f.end += n
		f.err = err
		if n > 0 || err != nil {
			return
		}
	}
	f.err = io.ErrNoProgress
}

// move takes the bytes not yet handed out to the front of to.
func (f *Framer) move(to []byte) {
	n := copy(to, f.buf[f.start:f.end])
	f.seen -= f.start
	f.buf, f.start, f.end = to, 0, n
}

func blank(line []byte) bool {
	for _, c := range line {
		if c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}
