package audit

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
)

// File is one file of a log, to be read from its beginning.
type File struct {
	Name string
	io.Reader
}

// VerifyOptions say what a log is held to.
type VerifyOptions struct {
	// Keys are the installations that may have signed. Without one the log's
	// own word is taken, which shows damage but no forgery.
	Keys []ed25519.PublicKey
	// Heads is what the state directory remembers: see Heads.
	Heads map[string]Head
	// Each is given every decision that has its own hash, in order. ok is
	// false behind the first problem.
	Each func(r *Record, ok bool)
}

// Report is what Verify found.
type Report struct {
	Log      string // its id; "" when no first line was found
	Files    int
	Lines    uint64 // whole ones, that follow each other
	Records  uint64 // decisions among them
	FirstSeq uint64 // greater than 1 when files are missing before
	LastSeq  uint64
	First    time.Time
	Last     time.Time

	// Problem is the first place where the log is not what was written; nil
	// when there is none.
	Problem *Problem

	Checkpoints uint64
	Covered     uint64 // the last line that a signature covers, 0 without one
	Signers     []string
	Trusted     bool // all signatures are of VerifyOptions.Keys

	Recoveries []Recovery
	Lost       uint64 // records that could not be written, as the log says itself
	Partial    int64  // bytes of a line at the end that was not written to its end

	Sessions []Session // in order of their first record
	Unlisted uint64    // records of sessions beyond the first 10,000
}

// Problem is a place where a log is not what was written.
type Problem struct {
	File string
	Line int // 1-based in File; 0 for the log as a whole
	Text string
}

func (p *Problem) String() string {
	if p.Line == 0 {
		return p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Recovery is a place where a crash or a full disk left its trace.
type Recovery struct {
	File  string
	Line  int
	Bytes int64  // of a broken line
	Lost  uint64 // records that could not be written
}

// Session is one session as the log shows it.
type Session struct {
	ID          string
	First, Last time.Time
	Records     uint64
	Ended       bool // has an "end"; else it runs, was killed, or the log's tail is missing
}

const maxSessions = 10000

// Complete reports whether the log begins with its first line, and its last
// line is whole.
func (r *Report) Complete() bool { return r.FirstSeq == 1 && r.Partial == 0 }

// Verify reads the files of one log, oldest first, and holds every line to its
// one spelling, its hash, the line before, and the signatures. The error is
// one of reading; what is wrong with the log is in the report.
func Verify(o VerifyOptions, files ...File) (*Report, error) {
	v := verifier{o: o, report: &Report{Trusted: true}, sessions: map[string]int{}, keys: map[string]ed25519.PublicKey{}}
	for _, k := range o.Keys {
		v.keys[KeyID(k)] = k
	}
	for _, f := range files {
		if err := v.file(f); err != nil {
			return v.report, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	v.finish()
	return v.report, nil
}

type verifier struct {
	o        VerifyOptions
	report   *Report
	sessions map[string]int
	keys     map[string]ed25519.PublicKey // by id: those to trust, or those the log names
	heads    bool                         // the remembered head was met

	name     string
	at       int // line in the file
	begun    bool
	unsigned bool          // something is said behind the last checkpoint
	last     line          // the one before
	part     uint64        // of the file
	broken   *bytes.Buffer // lines that are none, until a recovery explains them
	brokeAt  int
	why      error
}

func (v *verifier) problem(line int, format string, args ...any) {
	if v.report.Problem == nil {
		v.report.Problem = &Problem{v.name, line, fmt.Sprintf(format, args...)}
	}
}

func (v *verifier) file(f File) error {
	v.name, v.at = f.Name, 0
	v.report.Files++
	in := bufio.NewReaderSize(f, 64<<10)
	for {
		b, whole, err := readLine(in)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if v.at++; v.at == 1 && v.begun && v.last.kind != "rotate" {
			v.problem(1, "the file before this one has no end: lines are missing between them, or the files are in the wrong order")
		}
		if !whole {
			v.report.Partial = int64(len(b))
			break
		}
		l, err := parseLine(b)
		if err != nil {
			v.breakage(b, err)
			continue
		}
		v.line(l)
	}
	if v.broken != nil {
		v.problem(v.brokeAt, "%s", v.why)
		v.broken = nil
	}
	return nil
}

// readLine reads a line without its break. It keeps no more of it than shows
// that it is too long.
func readLine(in *bufio.Reader) (b []byte, whole bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(b) <= maxTail {
			b = append(b, part...)
		}
		switch {
		case err == nil:
			return b[:max(len(b)-1, 0)], true, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF && len(b) > 0:
			return b, false, nil
		default:
			return nil, false, err
		}
	}
}

// breakage keeps what is no line until the next line says what it is.
func (v *verifier) breakage(b []byte, err error) {
	if v.broken == nil {
		v.broken, v.brokeAt, v.why = &bytes.Buffer{}, v.at, err
	} else {
		v.broken.WriteByte('\n')
	}
	if v.broken.Len() <= maxTail {
		v.broken.Write(b)
	}
}

func (v *verifier) line(l *line) {
	r := v.report
	if v.broken != nil {
		sum := sha256.Sum256(v.broken.Bytes())
		if l.kind != "recovery" || l.broken != int64(v.broken.Len()) || l.brokenSum != hex.EncodeToString(sum[:]) {
			// A log may begin behind an opening that never got its end.
			if v.begun || l.kind != "open" || l.seq != 1 || bytes.ContainsRune(v.broken.Bytes(), '\n') {
				v.problem(v.brokeAt, "%s", v.why)
			}
		}
		v.broken = nil
	} else if l.kind == "recovery" && l.broken > 0 {
		v.problem(v.at, "closes off %d bytes that are not there", l.broken)
	}
	if l.kind == "recovery" {
		r.Recoveries = append(r.Recoveries, Recovery{v.name, v.at, l.broken, l.lost})
		r.Lost += l.lost
	}
	v.follows(l)
	v.begun = true
	v.unsigned = v.unsigned || l.kind == "decision" || l.kind == "recovery"
	v.last = *l
	if r.Problem == nil {
		r.Lines++
		r.LastSeq = l.seq
		r.Last = l.time
	}
	switch l.kind {
	case "open", "key":
		if len(v.o.Keys) == 0 {
			v.keys[KeyID(l.key)] = l.key
		}
	case "checkpoint":
		v.checkpoint(l)
	case "decision":
		l.record.Prev, l.record.Hash = l.prev, l.hash
		if r.Problem == nil {
			r.Records++
			v.session(l.record)
		}
		if v.o.Each != nil {
			v.o.Each(l.record, r.Problem == nil)
		}
	}
	if head, ok := v.o.Heads[r.Log]; ok && head.Seq == l.seq {
		v.heads = true
		if l.hash.String() != head.Hash {
			v.problem(v.at, "line %d is not the one that was signed on %s, as the state directory remembers: the log was written anew", l.seq, head.Time.Format(time.RFC3339))
		}
	}
}

// follows holds a line to the one before.
func (v *verifier) follows(l *line) {
	switch {
	case !v.begun:
		v.report.FirstSeq, v.report.First = l.seq, l.time
		v.report.Log, v.part = l.log, l.part
		switch {
		case l.kind != "open":
			v.report.Log = ""
			v.problem(v.at, "the first line opens no log: lines before it are missing")
		case l.seq == 1 && (l.prev != Digest{} || l.part != 1), l.seq == 0, l.seq > 1 && l.prev == Digest{}:
			v.problem(v.at, "the first line is no beginning")
		}
	case l.kind == "open" && l.log != v.report.Log:
		v.problem(v.at, "another log (%s) begins here: verify each by itself", l.log)
	case l.seq != v.last.seq+1:
		what := fmt.Sprintf("%d lines are missing", l.seq-v.last.seq-1)
		if l.seq <= v.last.seq {
			what = "lines are doubled, or in the wrong order"
		}
		v.problem(v.at, "number %d after number %d: %s", l.seq, v.last.seq, what)
	case l.prev != v.last.hash:
		v.problem(v.at, "does not follow line %d: one of the two was put in another's place", v.last.seq)
	case v.last.kind == "rotate" && l.kind != "open":
		v.problem(v.at, "lines after the end of the file")
	case l.kind == "open" && v.at > 1:
		v.problem(v.at, "two files in one")
	case l.kind == "open" && l.part != v.part+1:
		v.problem(v.at, "part %d of the log after part %d", l.part, v.part)
	}
	if l.kind == "open" {
		v.part = l.part
	}
}

func (v *verifier) checkpoint(l *line) {
	r := v.report
	key, known := v.keys[l.keyID]
	switch {
	case l.log != r.Log:
		v.problem(v.at, "a checkpoint of another log (%s)", l.log)
	case !known && len(v.o.Keys) > 0:
		r.Trusted = false
		v.problem(v.at, "signed by key %s, which is none of those given", l.keyID)
	case !known:
		v.problem(v.at, "signed by key %s, which no line announces", l.keyID)
	case !l.signedBy(key):
		v.problem(v.at, "its signature is not that of key %s: the checkpoint was forged", l.keyID)
	}
	if r.Problem != nil {
		return
	}
	r.Checkpoints++
	v.unsigned = false
	r.Covered = l.seq
	for _, id := range r.Signers {
		if id == l.keyID {
			return
		}
	}
	r.Signers = append(r.Signers, l.keyID)
}

func (v *verifier) session(rec *Record) {
	i, ok := v.sessions[rec.Session]
	if !ok {
		if len(v.sessions) >= maxSessions {
			v.report.Unlisted++
			return
		}
		i = len(v.report.Sessions)
		v.sessions[rec.Session] = i
		v.report.Sessions = append(v.report.Sessions, Session{ID: rec.Session, First: rec.Time})
	}
	s := &v.report.Sessions[i]
	s.Last = rec.Time
	s.Records++
	s.Ended = s.Ended || rec.Decision == End
}

func (v *verifier) finish() {
	r := v.report
	if len(v.o.Keys) == 0 {
		r.Trusted = false
	}
	if r.Problem != nil {
		return
	}
	if r.Covered > 0 && !v.unsigned {
		r.Covered = r.LastSeq // what came behind only ends a file or begins one
	}
	head, ok := v.o.Heads[r.Log]
	switch {
	case !v.begun:
		v.name = ""
		v.problem(0, "no line of an audit log was found")
	case ok && !v.heads && head.Seq > r.LastSeq:
		v.problem(0, "the log ends at line %d, and line %d was signed on %s, as the state directory remembers: the tail was cut, or a file is missing", r.LastSeq, head.Seq, head.Time.Format(time.RFC3339))
	}
}
