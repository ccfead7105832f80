package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gowebpki/jcs"
)

// canonical is the RFC 8785 form of a JSON value. What definitions are mostly
// made of (ASCII keys, short escapes, plain numbers) is written here, several
// times faster than the library does; everything else, and every error, is the
// library's. A fuzz test holds the two to each other.
func canonical(value []byte) ([]byte, error) {
	return (&writer{}).canonical(value)
}

// canonical is valid until the next call: its memory is used again.
func (w *writer) canonical(value []byte) ([]byte, error) {
	w.in, w.at, w.out, w.members = value, 0, slices.Grow(w.out[:0], len(value)), w.members[:0]
	if w.space(); w.at < len(value) && value[w.at] == '{' && w.value(0) {
		if w.space(); w.at == len(value) {
			return w.out, nil
		}
	}
	out, err := jcs.Transform(value)
	if err != nil {
		return nil, fmt.Errorf("no canonical form (RFC 8785): %w", err)
	}
	return out, nil
}

// plainDepth bounds the recursion of the fast way.
const plainDepth = 256

// writer copies plain JSON in canonical form. Its methods are false for what is
// not plain, or not JSON.
type writer struct {
	in      []byte
	at      int
	out     []byte
	members []member // a stack: each object uses its top
	moved   []byte   // where an object's members are put in order
}

// member is one member of an object: its key and the whole, "key":value, in the
// output.
type member struct{ start, key, end int }

func (w *writer) space() {
	for w.at < len(w.in) {
		switch w.in[w.at] {
		case ' ', '\t', '\r', '\n':
			w.at++
		default:
			return
		}
	}
}

func (w *writer) next(c byte) bool {
	w.space()
	if w.at < len(w.in) && w.in[w.at] == c {
		w.at++
		return true
	}
	return false
}

func (w *writer) value(depth int) bool {
	if w.space(); w.at == len(w.in) || depth > plainDepth {
		return false
	}
	switch w.in[w.at] {
	case '{':
		return w.object(depth)
	case '[':
		return w.array(depth)
	case '"':
		return w.str(false)
	case 't':
		return w.literal("true")
	case 'f':
		return w.literal("false")
	case 'n':
		return w.literal("null")
	}
	return w.number()
}

func (w *writer) literal(word string) bool {
	if !bytes.HasPrefix(w.in[w.at:], []byte(word)) {
		return false
	}
	w.at += len(word)
	w.out = append(w.out, word...)
	return true
}

func (w *writer) array(depth int) bool {
	w.at++
	w.out = append(w.out, '[')
	for first := true; !w.next(']'); first = false {
		if !first {
			if !w.next(',') {
				return false
			}
			w.out = append(w.out, ',')
		}
		if !w.value(depth + 1) {
			return false
		}
	}
	w.out = append(w.out, ']')
	return true
}

func (w *writer) object(depth int) bool {
	w.at++
	w.out = append(w.out, '{')
	base, start := len(w.members), len(w.out)
	sorted := true
	for first := true; !w.next('}'); first = false {
		if !first && !w.next(',') {
			return false
		}
		if !first {
			w.out = append(w.out, ',')
		}
		m := member{start: len(w.out)}
		if w.space(); w.at == len(w.in) || w.in[w.at] != '"' || !w.str(true) || !w.next(':') {
			return false
		}
		m.key = len(w.out)
		w.out = append(w.out, ':')
		if !w.value(depth + 1) {
			return false
		}
		m.end = len(w.out)
		if len(w.members) > base {
			before := w.members[len(w.members)-1]
			sorted = sorted && bytes.Compare(w.key(before), w.key(m)) < 0
		}
		w.members = append(w.members, m)
	}
	own := w.members[base:]
	if !sorted {
		slices.SortFunc(own, func(a, b member) int { return bytes.Compare(w.key(a), w.key(b)) })
		for i := 1; i < len(own); i++ {
			if bytes.Equal(w.key(own[i-1]), w.key(own[i])) {
				return false // a key that stands twice
			}
		}
	}
	if !sorted {
		w.moved = append(w.moved[:0], w.out[start:]...)
		w.out = w.out[:start]
		for i, m := range own {
			if i > 0 {
				w.out = append(w.out, ',')
			}
			w.out = append(w.out, w.moved[m.start-start:m.end-start]...)
		}
	}
	w.out = append(w.out, '}')
	w.members = w.members[:base]
	return true
}

// key is a member's key without its quotes.
func (w *writer) key(m member) []byte { return w.out[m.start+1 : m.key-1] }

// plainKey are the bytes of keys whose order is that of their bytes.
func plainKey(c byte) bool { return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' }

// special are the bytes of a string that need a look.
var special = func() (t [256]bool) {
	for c := range t {
		t[c] = !plainKey(byte(c))
	}
	return t
}()

func (w *writer) str(isKey bool) bool {
	in := w.in[w.at:]
	ascii := true
	for i := 1; i < len(in); i++ {
		c := in[i]
		if !special[c] {
			continue
		}
		switch {
		case c == '"':
			text := in[:i+1]
			if !ascii && !utf8.Valid(text) {
				return false
			}
			w.out = append(w.out, text...)
			w.at += len(text)
			return true
		case isKey, c < ' ':
			return false
		case c == '\\':
			if i++; i == len(in) || strings.IndexByte(`"\bfnrt`, in[i]) < 0 {
				return false
			}
		default:
			ascii = false
		}
	}
	return false
}

// exactDigits is how many digits every integer may have to be its own
// canonical form.
const exactDigits = 15

func (w *writer) number() bool {
	start := w.at
	for w.at < len(w.in) && strings.IndexByte("+-.0123456789eE", w.in[w.at]) >= 0 {
		w.at++
	}
	text := w.in[start:w.at]
	whole, ok := grammar(text)
	if !ok {
		return false
	}
	if whole {
		w.out = append(w.out, text...)
		return true
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return false
	}
	s, err := jcs.NumberToJSON(f)
	if err != nil {
		return false
	}
	w.out = append(w.out, s...)
	return true
}

// grammar reports whether a number is spelt as JSON wants it, and whether it is
// an integer that is its own canonical form.
func grammar(text []byte) (whole, ok bool) {
	rest := bytes.TrimPrefix(text, []byte("-"))
	digits := func() bool {
		n := 0
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		rest = rest[n:]
		return n > 0
	}
	if len(rest) == 0 || rest[0] == '0' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9' || !digits() {
		return false, false
	}
	if len(rest) == 0 {
		return len(text) <= exactDigits && string(text) != "-0", true
	}
	if rest[0] == '.' {
		if rest = rest[1:]; !digits() {
			return false, false
		}
	}
	if len(rest) > 0 && rest[0]|0x20 == 'e' {
		if rest = rest[1:]; len(rest) > 0 && (rest[0] == '+' || rest[0] == '-') {
			rest = rest[1:]
		}
		if !digits() {
			return false, false
		}
	}
	return false, len(rest) == 0
}
