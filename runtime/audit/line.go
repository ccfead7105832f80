package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A line is `{"kind":"…", …,"prev":"HEX","hash":"HEX"}`. The hash is the
// SHA-256 of hashDomain and the bytes of the line before `,"hash":`; prev is
// the hash of the line before. Each kind has its members in one order, so that
// a record has one spelling; any other is no line of a log.
//
//	open        begins a file: the log's id, the part, the public key
//	key         another installation's key, where it writes on
//	decision    a Record
//	checkpoint  a signature over all lines so far
//	recovery    closes off bytes that are no line, left by a crash
//	rotate      ends a file; the chain goes on in the next one
const (
	hashDomain = "sallyport.dev/audit/v1/line\x00"
	signDomain = "sallyport.dev/audit/v1/checkpoint\x00"
)

// hashTail is the length of how every line ends, without its line break.
const hashTail = len(`,"hash":"`) + 2*sha256.Size + len(`"}`)

// line is any line of a log, read back.
type line struct {
	kind string
	seq  uint64
	time time.Time
	prev Digest
	hash Digest

	log       string // open, checkpoint
	part      uint64 // open
	key       ed25519.PublicKey
	keyID     string // checkpoint
	signature []byte // checkpoint
	signed    []byte // what the signature is over, without its domain
	broken    int64  // recovery: bytes
	brokenSum string // recovery: their SHA-256 in hex, "" for none
	lost      uint64 // recovery: records that could not be written
	record    *Record
}

// control is every kind but decisions as encoding/json sees it.
type control struct {
	Kind         string    `json:"kind"`
	Seq          uint64    `json:"seq"`
	Time         time.Time `json:"time"`
	Log          string    `json:"log"`
	Part         uint64    `json:"part"`
	Version      int       `json:"version"`
	Key          string    `json:"key"`
	BrokenBytes  int64     `json:"brokenBytes"`
	BrokenSHA256 string    `json:"brokenSha256"`
	Lost         uint64    `json:"lost"`
	Prev         Digest    `json:"prev"`
	Signature    string    `json:"signature"`
	Hash         Digest    `json:"hash"`
}

// seal ends a line that stands in b behind the domain: hash and line break.
func seal(b []byte) ([]byte, Digest) {
	sum := Digest(sha256.Sum256(b))
	b = hex.AppendEncode(append(b, `,"hash":"`...), sum[:])
	return append(b, "\"}\n"...), sum
}

func (l *line) append(b []byte) []byte {
	b = appendHead(b, l.kind, l.seq, l.time)
	switch l.kind {
	case "open":
		b = append(append(append(b, `,"log":"`...), l.log...), `","part":`...)
		b = append(strconv.AppendUint(b, l.part, 10), `,"version":1`...)
		b = appendKey(b, l.key)
	case "key":
		b = appendKey(b, l.key)
	case "checkpoint":
		b = append(append(append(b, `,"log":"`...), l.log...), `","key":"`...)
		b = append(append(b, l.keyID...), '"')
	case "recovery":
		b = strconv.AppendInt(append(b, `,"brokenBytes":`...), l.broken, 10)
		b = append(append(append(b, `,"brokenSha256":"`...), l.brokenSum...), `","lost":`...)
		b = strconv.AppendUint(b, l.lost, 10)
	}
	b = appendPrev(b, l.prev)
	if l.kind == "checkpoint" {
		b = base64.StdEncoding.AppendEncode(append(b, `,"signature":"`...), l.signature)
		b = append(b, '"')
	}
	return b
}

func appendKey(b []byte, key ed25519.PublicKey) []byte {
	b = base64.StdEncoding.AppendEncode(append(b, `,"key":"`...), key)
	return append(b, '"')
}

// KeyID is the short name of a public key in checkpoints: the first 16 digits
// of its SHA-256.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// parseLine reads one line, without its line break, and holds it to its one
// spelling and to its own hash. Whether it follows the line before is for the
// caller to say.
func parseLine(b []byte) (*line, error) {
	if len(b) > maxLine {
		return nil, fmt.Errorf("longer than %d bytes", maxLine)
	}
	rest, ok := bytes.CutPrefix(b, []byte(`{"kind":"`))
	at := bytes.IndexByte(rest, '"')
	if !ok || at < 0 || len(b) < hashTail {
		return nil, errors.New("no line of an audit log")
	}
	l := &line{kind: string(rest[:at])}
	var err error
	if l.kind == "decision" {
		err = l.decision(b)
	} else {
		err = l.control(b)
	}
	if err != nil {
		return nil, err
	}
	buf := append(make([]byte, 0, len(hashDomain)+len(b)+8), hashDomain...)
	if l.record != nil {
		r := l.record
		buf = (*texts)(nil).appendDecision(buf, r, (*texts)(nil).appendParties(nil, r), l.prev)
	} else {
		buf = l.append(buf)
	}
	buf, sum := seal(buf)
	written := bytes.TrimSuffix(buf[len(hashDomain):], []byte("\n"))
	if !bytes.Equal(written[:len(written)-hashTail], b[:len(b)-hashTail]) {
		return nil, errors.New("not in the one spelling of a record: a member is missing, doubled, unknown, in another order or written otherwise")
	}
	if !bytes.Equal(written, b) {
		return nil, errors.New("its hash is not that of its content: it was altered")
	}
	l.hash = sum
	return l, nil
}

func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("not readable: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// flat is a decision as encoding/json sees it.
type flat struct {
	Kind string `json:"kind"`
	Record
	DurationUs json.Number `json:"durationUs"`
}

func (l *line) decision(b []byte) error {
	var f flat
	if err := strict(b, &f); err != nil {
		return err
	}
	var err error
	if f.Duration, err = micros(f.DurationUs.String()); err != nil {
		return err
	}
	l.prev, l.seq, l.time, l.record = f.Prev, f.Seq, f.Time, &f.Record
	return nil
}

func (l *line) control(b []byte) error {
	var c control
	if err := strict(b, &c); err != nil {
		return err
	}
	var err error
	l.prev, l.seq, l.time, l.log, l.part = c.Prev, c.Seq, c.Time, c.Log, c.Part
	switch l.kind {
	case "open", "key":
		if l.kind == "open" && (c.Version != 1 || !isHex(c.Log, 32)) {
			return errors.New("an opening of another version")
		}
		if l.key, err = base64.StdEncoding.DecodeString(c.Key); err != nil || len(l.key) != ed25519.PublicKeySize {
			return errors.New("its public key is none")
		}
	case "checkpoint":
		l.keyID = c.Key
		if l.signature, err = base64.StdEncoding.DecodeString(c.Signature); err != nil || len(l.signature) != ed25519.SignatureSize || !isHex(c.Log, 32) || !isHex(c.Key, 16) {
			return errors.New("its signature is none")
		}
		if end := bytes.LastIndex(b, []byte(`,"signature":"`)); end > 0 {
			l.signed = bytes.Clone(b[:end])
		}
	case "recovery":
		if l.broken, l.brokenSum, l.lost = c.BrokenBytes, c.BrokenSHA256, c.Lost; l.brokenSum != "" && !isHex(l.brokenSum, 64) {
			return errors.New("its digest is none")
		}
	case "rotate":
	default:
		return errors.New("a kind of line that this version does not know")
	}
	return nil
}

func isHex(s string, n int) bool { return len(s) == n && strings.Trim(s, hexDigits) == "" }

// micros reads what appendMicros wrote.
func micros(s string) (time.Duration, error) {
	whole, part, ok := strings.Cut(s, ".")
	n, err := strconv.ParseUint(whole+part, 10, 63)
	if !ok || len(part) != 3 || err != nil {
		return 0, errors.New("durationUs is no duration")
	}
	return time.Duration(n), nil
}

// unquote reads a JSON string.
func unquote(b []byte) (s string, ok bool) {
	return s, json.Unmarshal(b, &s) == nil
}

// sign makes the signature of a checkpoint whose other members are set.
func (l *line) sign(key ed25519.PrivateKey) {
	b := l.append([]byte(signDomain))
	end := bytes.LastIndex(b, []byte(`,"signature":"`))
	l.signature = ed25519.Sign(key, b[:end])
}

// signedBy reports whether a checkpoint's signature is key's.
func (l *line) signedBy(key ed25519.PublicKey) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, append([]byte(signDomain), l.signed...), l.signature)
}
