package jsonrpc

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"strings"
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
// decoded and leads back to its raw bytes. A lone surrogate is U+FFFD. It
// takes time linear in the length of the value, however deep it is.
func Texts(src *analyzers.Source, r Range) iter.Seq[Leaf] {
	return func(yield func(Leaf) bool) {
		raw := r.In(src.Bytes)
		if raw == nil {
			return
		}
		w := texts{src: src, b: src.Bytes[:r.End], start: r.Start, text: string(raw), yield: yield}
		w.walk()
	}
}

// HasString reports whether the value at r has a string of at least n bytes
// between its quotes, besides the keys of members: a decoded one is no longer.
func HasString(b []byte, r Range, n int) bool {
	b = b[:min(r.End, len(b))]
	for i := r.Start; i < len(b); i++ {
		if b[i] == '"' {
			end := skipString(b, i)
			if behind := skipSpace(b, end); end-i-2 >= n && !(behind < len(b) && b[behind] == ':') {
				return true
			}
			i = end - 1
		}
	}
	return false
}

// Strings yields every string inside the value at r, with its quotes, and whether
// it is the key of a member, front to back.
func Strings(b []byte, r Range) iter.Seq2[Range, bool] {
	return func(yield func(Range, bool) bool) {
		b := b[:min(r.End, len(b))]
		for i := r.Start; i < len(b); i++ {
			if b[i] == '"' {
				end := skipString(b, i)
				behind := skipSpace(b, end)
				if !yield(Range{i, end}, behind < len(b) && b[behind] == ':') {
					return
				}
				i = end - 1
			}
		}
	}
}

// Numbers yields every number inside the value at r, front to back.
func Numbers(b []byte, r Range) iter.Seq[Range] {
	return func(yield func(Range) bool) {
		b := b[:min(r.End, len(b))]
		for i := r.Start; i < len(b); {
			switch c := b[i]; {
			case c == '"':
				i = skipString(b, i)
			case c == '-' || c-'0' <= 9:
				end := skip(b, i)
				if !yield(Range{i, end}) {
					return
				}
				i = end
			default:
				i++
			}
		}
	}
}

// maxOpen is how deep Texts goes in bytes that no Scanner has accepted.
const maxOpen = 1000

type texts struct {
	src     *analyzers.Source
	b       []byte // up to the end of the value
	start   int    // where the value begins
	text    string // the value once more, for texts without escapes to share
	yield   func(Leaf) bool
	open    []container
	pointer []byte
}

// container is an open array or object.
type container struct {
	array bool
	key   bool // a key comes next
	index int  // of the element
	base  int  // length of its own pointer
}

func (w *texts) walk() {
	for i := w.start; i < len(w.b); {
		switch c := w.b[i]; c {
		case '"':
			end := skipString(w.b, i)
			leaf := Leaf{Text: w.decode(i, end)}
			if n := len(w.open); n > 0 && w.open[n-1].key {
				w.open[n-1].key = false
				leaf.Key = true
				w.pointer = appendToken(w.pointer[:w.open[n-1].base], leaf.Text.Raw())
			} else {
				w.enter()
			}
			leaf.Pointer = w.pointer
			if !w.yield(leaf) {
				return
			}
			i = end
		case '{', '[':
			w.enter()
			if len(w.open) == maxOpen {
				return
			}
			w.open = append(w.open, container{array: c == '[', key: c == '{', base: len(w.pointer)})
			i++
		case '}', ']':
			if len(w.open) > 0 {
				w.open = w.open[:len(w.open)-1]
			}
			i++
		case ',':
			if n := len(w.open); n > 0 {
				w.open[n-1].index++
				w.open[n-1].key = !w.open[n-1].array
			}
			i++
		default: // white space, a colon, a number or a word
			i++
		}
	}
}

// enter sets the pointer to an element of an array. To the value of a member
// its key has set it.
func (w *texts) enter() {
	if n := len(w.open); n > 0 && w.open[n-1].array {
		w.pointer = append(w.pointer[:w.open[n-1].base], '/')
		w.pointer = strconv.AppendInt(w.pointer, int64(w.open[n-1].index), 10)
	}
}

// appendToken appends a slash and a reference token of RFC 6901.
func appendToken(dst []byte, name string) []byte {
	dst = append(dst, '/')
	for i := 0; i < len(name); i++ {
		switch c := name[i]; c {
		case '~':
			dst = append(dst, "~0"...)
		case '/':
			dst = append(dst, "~1"...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// maxMarks bounds the map of a text that is nothing but escapes, to 1 MiB.
// What follows has the place of one long escape.
const maxMarks = 1 << 16

// decode reads the string at [start, end), quotes included.
func (w *texts) decode(start, end int) analyzers.Text {
	start, end = start+1, max(start+1, end-1)
	raw := w.b[start:end]
	text := analyzers.Text{Span: w.src.Span(start, end)}
	escapes := bytes.Count(raw, []byte{'\\'})
	if escapes == 0 {
		text.Value = analyzers.Untrusted(w.text[start-w.start : end-w.start])
		return text
	}
	var out strings.Builder
	out.Grow(len(raw))
	marks := make(analyzers.OffsetMap, 1, min(2*escapes, maxMarks)+2)
	mark := func(at int) {
		m := analyzers.Mark{Decoded: out.Len(), Raw: at}
		if last := len(marks) - 1; last < maxMarks && marks[last] != m {
			marks = append(marks, m)
		}
	}
	for i := 0; i < len(raw); {
		next := bytes.IndexByte(raw[i:], '\\')
		if next < 0 {
			out.Write(raw[i:])
			break
		}
		out.Write(raw[i : i+next])
		i += next
		mark(i)
		c, n := unescape(raw[i:])
		out.WriteRune(c)
		i += n
		mark(i)
	}
	if end := (analyzers.Mark{Decoded: out.Len(), Raw: len(raw)}); marks[len(marks)-1] != end {
		marks = append(marks, end)
	}
	text.Value, text.Map = analyzers.Untrusted(out.String()), marks
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
