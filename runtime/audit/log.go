package audit

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// Options say how a log is kept. Zero values take the defaults.
type Options struct {
	// StateDir is where the key of this installation and the heads of its logs
	// are: a private directory, made at first use. Required.
	StateDir string

	CheckpointEvery int           // records of this process between two signatures (1000)
	CheckpointAfter time.Duration // how long a record waits for one (30 s)
	MaxBytes        int64         // at which FILE becomes FILE.1 (64 MiB); -1 never
	Keep            int           // files besides FILE; older ones are removed (0: none is)
	Sync            bool          // bring each record to the disk before Write returns
	LockWait        time.Duration // for other shims of the same file (5 s)
	Now             func() time.Time
}

// Log appends to one file, which other processes may append to as well. Its
// methods are safe for many goroutines.
type Log struct {
	path string
	o    Options
	key  signer

	mu     sync.Mutex
	closed bool
	f      *os.File // nil between two files
	fresh  bool     // f was opened, and its first line has not been read
	locked bool
	size   int64 // of f when we last looked; -1 when that is not to be trusted
	chain  state // behind the last line at that time
	lost   uint64

	since    int // records of ours without a checkpoint
	timer    *time.Timer
	rotateAt int64

	buf       []byte // hashDomain and the line
	tail      []byte
	texts     texts
	parties   map[parties][]byte
	last      parties // of the record before
	lastBytes []byte
	st        stat
}

// state is where a chain stands.
type state struct {
	id   string // of the log
	part uint64
	key  string // id of the key that the file announces: its opening's, or ours
	seq  uint64
	prev Digest
}

// ErrClosed is what Write returns after Close.
var ErrClosed = errors.New("audit log is closed")

// Open opens or begins the log at path. The file is private to the user. What
// a crash left at its end is closed off by a recovery line; a file that is no
// audit log is not touched.
func Open(path string, o Options) (*Log, error) {
	key, err := stateKey(o.StateDir)
	if err != nil {
		return nil, fmt.Errorf("audit log %s: %w", path, err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	setDefault(&o.CheckpointEvery, 1000)
	setDefault(&o.CheckpointAfter, 30*time.Second)
	setDefault(&o.MaxBytes, 64<<20)
	setDefault(&o.LockWait, 5*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Log{
		path: path, o: o, key: key, rotateAt: o.MaxBytes,
		buf: append(make([]byte, 0, 4096), hashDomain...), parties: map[parties][]byte{},
	}
	defer l.unlock()
	if err := l.catchUp(); err != nil {
		l.closeFile()
		return nil, fmt.Errorf("audit log %s: %w", path, err)
	}
	return l, nil
}

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Write appends one record and fills its Seq, Prev and Hash. When it returns
// nil, the operating system has the whole line. On an error the record is not
// in the log, and the next line that can be written says so.
func (l *Log) Write(r *Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	defer l.unlock()
	if err := l.catchUp(); err != nil {
		l.lost++
		return fmt.Errorf("audit log %s: %w", l.path, err)
	}
	r.Seq = l.chain.seq + 1
	l.buf = l.texts.appendDecision(l.buf[:len(hashDomain)], r, l.of(r), l.chain.prev)
	prev := l.chain.prev
	if err := l.write(); err != nil {
		l.lost++
		return fmt.Errorf("audit log %s: %w", l.path, err)
	}
	r.Prev, r.Hash = prev, l.chain.prev
	l.counted()
	full := l.o.MaxBytes > 0 && l.size >= l.rotateAt
	if !full && l.since < l.o.CheckpointEvery {
		return nil
	}
	// The record is in the log: what goes wrong from here on shows in the next
	// Write, and is no reason to take this one back.
	if l.checkpoint() == nil && full {
		l.rotate()
	}
	return nil
}

// counted notes a line without a checkpoint; the first one asks for one in
// some time.
func (l *Log) counted() {
	if l.since++; l.since > 1 {
		return
	}
	if l.timer == nil {
		l.timer = time.AfterFunc(l.o.CheckpointAfter, func() { _ = l.Checkpoint() })
		return
	}
	l.timer.Reset(l.o.CheckpointAfter)
}

// Checkpoint signs what is in the log, if there are records of this process
// that no checkpoint covers. Write and a timer do so by themselves.
func (l *Log) Checkpoint() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	return l.settle()
}

func (l *Log) settle() error {
	if l.since == 0 && l.lost == 0 {
		return nil
	}
	defer l.unlock()
	err := l.catchUp()
	if err == nil && l.since > 0 {
		err = l.checkpoint()
	}
	if err != nil {
		return fmt.Errorf("audit log %s: %w", l.path, err)
	}
	return nil
}

// Close signs what has not been signed, and closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	return errors.Join(l.settle(), l.closeFile())
}

func (l *Log) closeFile() error {
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f, l.locked, l.size = nil, false, -1
	return err
}

// lock takes the file's lock, for as long as it takes to append a line. It
// waits no longer than LockWait: a process that holds it that long is stopped.
func (l *Log) lock() error {
	var deadline time.Time
	for try := 0; ; try++ {
		ok, err := tryLock(l.f)
		if ok || err != nil {
			l.locked = ok
			return err
		}
		if try < 50 {
			runtime.Gosched()
			continue
		}
		now := time.Now()
		if deadline.IsZero() {
			deadline = now.Add(l.o.LockWait)
		}
		if now.After(deadline) {
			return fmt.Errorf("another process has held its lock for %v", l.o.LockWait)
		}
		time.Sleep(min(time.Duration(try)*time.Microsecond, time.Millisecond))
	}
}

func (l *Log) unlock() {
	if l.locked {
		unlock(l.f)
		l.locked = false
	}
}

// write ends the line in buf, appends it to the file and moves the chain on.
func (l *Log) write() error {
	var sum Digest
	l.buf, sum = seal(l.buf)
	n, err := l.f.Write(l.buf[len(hashDomain):])
	if err == nil && l.o.Sync {
		err = l.f.Sync()
	}
	if err != nil {
		l.size = -1 // part of the line may be there
		return err
	}
	l.size += int64(n)
	l.chain.seq++
	l.chain.prev = sum
	return nil
}

// control appends a line of our own.
func (l *Log) control(c line) error {
	c.seq, c.time, c.prev = l.chain.seq+1, l.o.Now(), l.chain.prev
	if c.kind == "checkpoint" {
		c.sign(l.key())
	}
	l.buf = c.append(l.buf[:len(hashDomain)])
	return l.write()
}

// checkpoint signs the chain as it stands. The file's lock is held.
func (l *Log) checkpoint() error {
	if err := l.announce(); err != nil {
		return err
	}
	if err := l.control(line{kind: "checkpoint", log: l.chain.id, keyID: l.chain.key}); err != nil {
		return err
	}
	l.since = 0
	if l.timer != nil {
		l.timer.Stop()
	}
	return writeHead(l.o.StateDir, Head{Log: l.chain.id, Path: l.path, Seq: l.chain.seq, Hash: l.chain.prev.String(), Time: l.o.Now().UTC()})
}

// announce says which key signs from here on, where another one did before.
func (l *Log) announce() error {
	public := l.key().Public().(ed25519.PublicKey)
	id := KeyID(public)
	if l.chain.key == id {
		return nil
	}
	err := l.control(line{kind: "key", key: public})
	if err == nil {
		l.chain.key = id
	}
	return err
}

// parties are who records of one session are about.
type parties struct {
	session, mode string
	server        *Server
	who           *Who
}

const maxParties = 64 // sessions whose bytes are kept

// of is the part of a record that says who it is about.
func (l *Log) of(r *Record) []byte {
	p := parties{r.Session, r.Mode, r.Server, r.Who}
	if l.last == p && l.lastBytes != nil {
		return l.lastBytes
	}
	b, ok := l.parties[p]
	if !ok {
		if len(l.parties) >= maxParties {
			clear(l.parties)
		}
		b = l.texts.appendParties(nil, r)
		l.parties[p] = b
	}
	l.last, l.lastBytes = p, b
	return b
}
