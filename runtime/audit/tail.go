package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxTail is how far back the end of a file is searched for a whole line.
const maxTail = 4 * maxLine

var errNotLog = errors.New("the file is no audit log, or its end is damaged: sallyport audit verify says where; move it away to begin a new one")

// catchUp takes the lock and makes sure that the chain in memory ends where
// the file does: other processes may have written, rotated or crashed since.
// In the common case it costs two system calls.
func (l *Log) catchUp() error {
	for range 100 {
		if l.f == nil {
			if err := l.open(); err != nil {
				return err
			}
		}
		if !l.locked {
			if err := l.lock(); err != nil {
				return err
			}
		}
		n, named, err := size(l.f, &l.st)
		if err != nil {
			return err
		}
		switch {
		case !named: // somebody removed it: begin anew, and let the chain show it
			l.closeFile()
		case n == l.size && l.lost == 0:
			return nil
		case n == 0:
			return l.begin()
		default:
			end, err := readTail(l.f, n, &l.tail)
			if err != nil {
				return err
			}
			if end.line == nil || end.kind != "rotate" {
				return l.resume(end, n)
			}
			if l.inPlace() {
				return fmt.Errorf("the file was rotated and put back: name it %s.N, with the others", filepath.Base(l.path))
			}
			l.closeFile()
		}
	}
	return errors.New("the file changes its place again and again")
}

func (l *Log) open() error {
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(l.path), 0o700); err == nil {
			f, err = os.OpenFile(l.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
		}
	}
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return errors.Join(err, errors.New("not a regular file"))
	}
	l.f, l.size, l.fresh = f, -1, true
	return nil
}

// inPlace reports whether the open file is the one at our path.
func (l *Log) inPlace() bool {
	here, err := os.Stat(l.path)
	if err != nil {
		return false
	}
	ours, err := l.f.Stat()
	return err == nil && os.SameFile(here, ours)
}

// ending is how a file ends.
type ending struct {
	*line           // the last whole one
	broken   []byte // what stands behind it, without a last line break
	cutShort bool   // broken has no line break
}

// readTail finds the last whole line of a file of n bytes. Its buffer is
// reused.
func readTail(f io.ReaderAt, n int64, buf *[]byte) (ending, error) {
	for window := int64(4096); ; window *= 8 {
		window = min(window, n, maxTail)
		if int64(cap(*buf)) < window {
			*buf = make([]byte, window)
		}
		b := (*buf)[:window]
		if _, err := f.ReadAt(b, n-window); err != nil {
			return ending{}, err
		}
		whole := window == n // else the first line of b may lack its beginning
		end := ending{cutShort: b[len(b)-1] != '\n'}
		stop := len(b) // behind the line break of the line that is tried
		if end.cutShort {
			stop = bytes.LastIndexByte(b, '\n') + 1
			if l, err := parseLine(b[stop:]); err == nil && (stop > 0 || whole) {
				end.line = l // it lacks its line break alone
				return end, nil
			}
		}
		for stop > 0 {
			start := bytes.LastIndexByte(b[:stop-1], '\n') + 1
			if start == 0 && !whole {
				break
			}
			if l, err := parseLine(b[start : stop-1]); err == nil {
				end.line = l
				end.broken = bytes.Clone(bytes.TrimSuffix(b[stop:], []byte("\n")))
				return end, nil
			}
			stop = start
		}
		if whole || window == maxTail {
			// A first line that never got its end leaves nothing to build on,
			// and nothing that could be lost: the log begins behind it.
			if whole && bytes.HasPrefix([]byte(`{"kind":"open","seq":1,`), b[:min(len(b), 23)]) && !bytes.ContainsRune(b, '\n') {
				return ending{broken: bytes.Clone(b), cutShort: true}, nil
			}
			return ending{}, errNotLog
		}
	}
}

// resume goes on behind the last whole line of the file.
func (l *Log) resume(end ending, n int64) error {
	if end.line == nil {
		return l.restart(end)
	}
	l.size = n
	if end.cutShort {
		if _, err := l.f.Write([]byte("\n")); err != nil {
			l.size = -1
			return err
		}
		l.size++
	}
	if l.chain.seq > end.seq || l.chain.seq == end.seq && l.chain.prev != end.hash {
		// Lines that we wrote are gone: the chain goes on from ours, so that
		// the place shows.
		end.seq, end.hash = l.chain.seq, l.chain.prev
	}
	l.chain.seq, l.chain.prev = end.seq, end.hash
	if l.fresh {
		first, err := readOpening(l.f)
		if err != nil {
			return err
		}
		l.chain.id, l.chain.part, l.chain.key, l.fresh = first.log, first.part, KeyID(first.key), false
	}
	if l.lost > 0 || len(end.broken) > 0 {
		return l.recover(end.broken)
	}
	return nil
}

// recover closes off what is no line, and says what was lost.
func (l *Log) recover(broken []byte) error {
	c := line{kind: "recovery", broken: int64(len(broken)), lost: l.lost}
	if c.broken > 0 {
		sum := sha256.Sum256(broken)
		c.brokenSum = hex.EncodeToString(sum[:])
	}
	if err := l.control(c); err != nil {
		return err
	}
	l.lost = 0
	l.counted()
	return nil
}

// readOpening reads the line with which a file begins.
func readOpening(f io.ReaderAt) (*line, error) {
	b := make([]byte, 4096)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	for len(b[:n]) > 0 {
		first, rest, ok := bytes.Cut(b[:n], []byte("\n"))
		if !ok {
			break
		}
		if l, err := parseLine(first); err == nil && l.kind == "open" {
			return l, nil
		}
		b, n = rest, len(rest) // a first opening that a crash cut short
	}
	return nil, errNotLog
}

// begin writes the first line of an empty file: of a new log, or of the next
// part where FILE.1 is there.
func (l *Log) begin() error {
	l.size = 0
	before, err := l.previous()
	if err != nil {
		return err
	}
	if before.seq > l.chain.seq {
		l.chain = before
	}
	if l.chain.id == "" {
		var id [16]byte
		if _, err := rand.Read(id[:]); err != nil {
			return err
		}
		l.chain = state{id: hex.EncodeToString(id[:])}
	}
	l.chain.part++
	return l.opening()
}

func (l *Log) opening() error {
	public := l.key().Public().(ed25519.PublicKey)
	if err := l.control(line{kind: "open", log: l.chain.id, part: l.chain.part, key: public}); err != nil {
		return err
	}
	l.chain.key, l.fresh = KeyID(public), false
	return nil
}

// restart begins a log behind an opening that a crash cut short.
func (l *Log) restart(end ending) error {
	if _, err := l.f.Write([]byte("\n")); err != nil {
		return err
	}
	l.size = int64(len(end.broken)) + 1
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	l.chain = state{id: hex.EncodeToString(id[:]), part: 1}
	return l.opening()
}

// previous is the end of FILE.1; the zero state without one. A file that was
// moved there by a rotation that a crash interrupted gets its last line.
func (l *Log) previous() (state, error) {
	f, err := os.OpenFile(l.path+".1", os.O_RDWR|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, nil
	}
	if err != nil {
		return state{}, err
	}
	before := &Log{path: l.path + ".1", o: l.o, key: l.key, f: f, size: -1, fresh: true, buf: append([]byte(nil), hashDomain...)}
	defer before.closeFile()
	if err := before.lock(); err != nil {
		return state{}, err
	}
	n, _, err := size(f, &before.st)
	if err != nil || n == 0 {
		return state{}, err
	}
	end, err := readTail(f, n, &before.tail)
	if err != nil || end.line == nil {
		return state{}, nil // not ours; the new log stands alone
	}
	if err := before.resume(end, n); err != nil {
		return state{}, err
	}
	if before.timer != nil {
		before.timer.Stop()
	}
	if end.kind != "rotate" {
		if err := before.control(line{kind: "rotate"}); err != nil {
			return state{}, err
		}
	}
	before.chain.key = ""
	return before.chain, nil
}
