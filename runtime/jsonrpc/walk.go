package jsonrpc

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// The functions of this file read inside the values of an accepted message.
// Given other bytes they find nothing or something wrong, but they end.

// Elements yields the elements of the array at r with their numbers; nothing
// when r is no array.
func Elements(b []byte, r Range) iter.Seq2[int, Range] {
	return func(yield func(int, Range) bool) {
		b := clip(b, r, '[')
		if b == nil {
			return
		}
		for n, i := 0, skipSpace(b, r.Start+1); i < len(b) && b[i] != ']'; n++ {
			end := skip(b, i)
			if end == i || !yield(n, Range{i, end}) {
				return
			}
			if i = skipSpace(b, end); i < len(b) && b[i] == ',' {
				i = skipSpace(b, i+1)
			}
		}
	}
}

// Members yields the keys (with their quotes) and values of the object at r;
// nothing when r is no object.
func Members(b []byte, r Range) iter.Seq2[Range, Range] {
	return func(yield func(Range, Range) bool) {
		b := clip(b, r, '{')
		if b == nil {
			return
		}
		for i := skipSpace(b, r.Start+1); i < len(b) && b[i] == '"'; {
			key := Range{i, skipString(b, i)}
			if i = skipSpace(b, key.End); i >= len(b) || b[i] != ':' {
				return
			}
			i = skipSpace(b, i+1)
			end := skip(b, i)
			if end == i || !yield(key, Range{i, end}) {
				return
			}
			if i = skipSpace(b, end); i < len(b) && b[i] == ',' {
				i = skipSpace(b, i+1)
			}
		}
	}
}

// Find goes down from the object at r through the members of these names. It
// is the zero Range when one is not there.
func Find(b []byte, r Range, names ...string) Range {
	for _, name := range names {
		found := Range{}
		for key, value := range Members(b, r) {
			if isString(b, key, name) {
				found = value
				break
			}
		}
		r = found
	}
	return r
}

// Find is the function of that name on the message's bytes.
func (m *Message) Find(r Range, names ...string) Range { return Find(m.Bytes, r, names...) }

// isString reports whether the string at r means text.
func isString(b []byte, r Range, text string) bool {
	raw := r.In(b)
	if len(raw) < 2 || raw[0] != '"' {
		return false
	}
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw) == text
	}
	return string(appendDecoded(nil, raw)) == text
}

// Leaf is a string inside a value.
type Leaf struct {
	Text analyzers.Text
	Key  bool // the key of a member rather than a value
	// Pointer leads to the value, or to the member whose key this is, from
	// the value that was walked: a JSON Pointer (RFC 6901). It is good until
	// the next Leaf.
	Pointer []byte
}

// Texts yields every string inside the value at r of src.Bytes, keys of
// members among them, front to back: what a model may read of it. Each is
// decoded and leads back to its raw bytes. A lone surrogate is U+FFFD.
func Texts(src *analyzers.Source, r Range) iter.Seq[Leaf] {
	return func(yield func(Leaf) bool) {
		if r.In(src.Bytes) == nil {
			return
		}
		w := texts{src: src, yield: yield}
		w.value(r, 0)
	}
}

type texts struct {
	src     *analyzers.Source
	yield   func(Leaf) bool
	pointer []byte
}

func (w *texts) value(r Range, depth int) bool {
	b := w.src.Bytes
	if depth > 1000 || r.Start >= len(b) {
		return true
	}
	above := len(w.pointer)
	switch b[r.Start] {
	case '"':
		return w.yield(Leaf{Text: decodeText(w.src, r), Pointer: w.pointer})
	case '[':
		for i, element := range Elements(b, r) {
			w.pointer = strconv.AppendInt(append(w.pointer[:above], '/'), int64(i), 10)
			if !w.value(element, depth+1) {
				return false
			}
		}
	case '{':
		for key, value := range Members(b, r) {
			text := decodeText(w.src, key)
			w.pointer = append(w.pointer[:above], '/')
			for _, c := range []byte(text.Raw()) {
				switch c {
				case '~':
					w.pointer = append(w.pointer, "~0"...)
				case '/':
					w.pointer = append(w.pointer, "~1"...)
				default:
					w.pointer = append(w.pointer, c)
				}
			}
			if !w.yield(Leaf{Text: text, Key: true, Pointer: w.pointer}) || !w.value(value, depth+1) {
				return false
			}
		}
	}
	w.pointer = w.pointer[:above]
	return true
}

// maxMarks bounds the map of a text that is nothing but escapes, to 1 MiB.
// What follows has the place of one long escape.
const maxMarks = 1 << 16

func decodeText(src *analyzers.Source, r Range) analyzers.Text {
	raw := r.In(src.Bytes)
	if len(raw) < 2 {
		return analyzers.Text{}
	}
	raw = raw[1 : len(raw)-1]
	text := analyzers.Text{Span: src.Span(r.Start+1, r.End-1)}
	escapes := bytes.Count(raw, []byte{'\\'})
	if escapes == 0 {
		text.Value = analyzers.Untrusted(raw)
		return text
	}
	out := make([]byte, 0, len(raw))
	marks := make(analyzers.OffsetMap, 1, min(2*escapes, maxMarks)+2)
	mark := func(at int) {
		m := analyzers.Mark{Decoded: len(out), Raw: at}
		if last := len(marks) - 1; last < maxMarks && marks[last] != m {
			marks = append(marks, m)
		}
	}
	for i := 0; i < len(raw); {
		next := bytes.IndexByte(raw[i:], '\\')
		if next < 0 {
			out, i = append(out, raw[i:]...), len(raw)
			break
		}
		out = append(out, raw[i:i+next]...)
		i += next
		mark(i)
		c, n := unescape(raw[i:])
		out, i = utf8.AppendRune(out, c), i+n
		mark(i)
	}
	if end := (analyzers.Mark{Decoded: len(out), Raw: len(raw)}); marks[len(marks)-1] != end {
		marks = append(marks, end)
	}
	text.Value, text.Map = analyzers.Untrusted(out), marks
	return text
}

// Salvage reads from a refused frame what an answer to it needs: the id, and
// whether it is a request or a response. It reads one only where no decoder
// can read another: from a single object of valid JSON, with one id that is
// an integer or a plain string. Otherwise id is nil and the kind Unknown.
func Salvage(b []byte) (id []byte, kind Kind) {
	start := skipSpace(b, 0)
	if start >= len(b) || b[start] != '{' || !json.Valid(b) {
		return nil, Unknown
	}
	var place Range
	var calls, answers, ids int
	var folded []byte
	for key, value := range Members(b, Range{start, len(b)}) {
		folded = appendLoose(folded[:0], key.In(b)[1:key.End-key.Start-1])
		switch string(folded) {
		case "ID":
			ids++
			place = value
		case "METHOD":
			calls++
		case "RESULT", "ERROR":
			answers++
		}
	}
	switch {
	case calls > 0 && answers == 0:
		kind = Request
	case answers > 0 && calls == 0:
		kind = Response
	}
	s := Scanner{opt: Options{}.withDefaults(), b: b}
	raw := place.In(b)
	if ids != 1 || kind == Unknown || bytes.IndexByte(raw, '\\') >= 0 || !utf8.Valid(raw) || !s.goodID(place) {
		return nil, Unknown
	}
	return raw, kind
}

// clip is b up to the end of r, nil when r is no value that begins with open.
func clip(b []byte, r Range, open byte) []byte {
	if raw := r.In(b); len(raw) == 0 || raw[0] != open {
		return nil
	}
	return b[:r.End]
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the offset behind the string at i.
func skipString(b []byte, i int) int {
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			break
		}
		n += i
		back := n
		for back > i && b[back-1] == '\\' {
			back--
		}
		i = n + 1
		if (n-back)%2 == 0 {
			return i
		}
	}
	return len(b)
}

// skip returns the offset behind the value at i.
func skip(b []byte, i int) int {
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			i = skipString(b, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
			i++
			continue
		default:
			from := i
			for i < len(b) && (b[i] == '-' || b[i] == '+' || b[i] == '.' || b[i]-'0' <= 9 || b[i]|0x20-'a' < 26) {
				i++
			}
			if i == from {
				return len(b)
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}
