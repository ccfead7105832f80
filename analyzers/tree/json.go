package tree

import (
	"unicode/utf16"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// jsonScanner reads RFC 8259 in one pass, and with comments set what editors
// call JSONC. A lone surrogate decodes as U+FFFD, as in encoding/json.
type jsonScanner struct {
	src      *analyzers.Source
	b        []byte
	text     string // b as a string: values without escapes share it
	pos      int
	format   Format
	loose    int // comments and trailing commas so far
	nodes    int
	slab     []Node
	children []*Node // members and elements of all open objects and arrays
}

func parseJSON(src *analyzers.Source, start int, format Format) (*Node, error) {
	s := &jsonScanner{src: src, b: src.Bytes, text: string(src.Bytes), pos: start, format: format}
	if err := s.space(); err != nil {
		return nil, err
	}
	root, err := s.value(0)
	if err != nil {
		return nil, err
	}
	if err := s.space(); err != nil {
		return nil, err
	}
	if s.pos < len(s.b) {
		return nil, s.fail("data after the end of the JSON value")
	}
	return root, nil
}

func (s *jsonScanner) fail(reason string) error {
	return fault("malformed", reason, s.src.Span(s.pos, s.pos+1))
}

// peek is the next byte, 0 at the end: check has refused NUL.
func (s *jsonScanner) peek() byte {
	if s.pos < len(s.b) {
		return s.b[s.pos]
	}
	return 0
}

func (s *jsonScanner) node(kind Kind, start int) (*Node, error) {
	if s.nodes++; s.nodes > MaxNodes {
		return nil, tooMany(s.src.Span(start, start))
	}
	if len(s.slab) == 0 {
		s.slab = make([]Node, min(max(16, s.nodes), 512))
	}
	n := &s.slab[0]
	s.slab = s.slab[1:]
	n.Kind, n.format = kind, s.format
	n.Span = analyzers.Span{Source: s.src, Start: start, End: s.pos}
	return n, nil
}

// space skips white space and, in JSONC, comments.
func (s *jsonScanner) space() error {
	for s.pos < len(s.b) {
		switch s.b[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		case '/':
			if s.format == JSON {
				return s.fail("a comment or a stray slash; strict JSON has no comments")
			}
			if err := s.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (s *jsonScanner) comment() error {
	s.loose++
	start := s.pos
	s.pos++
	switch s.peek() {
	case '/':
		for s.pos < len(s.b) && s.b[s.pos] != '\n' && s.b[s.pos] != '\r' {
			s.pos++
		}
		return nil
	case '*':
		for s.pos++; s.pos+1 < len(s.b); s.pos++ {
			if s.b[s.pos] == '*' && s.b[s.pos+1] == '/' {
				s.pos += 2
				return nil
			}
		}
		s.pos = start
		return s.fail("a comment that is not closed")
	}
	s.pos = start
	return s.fail("a stray slash")
}

func (s *jsonScanner) value(depth int) (*Node, error) {
	start := s.pos
	switch c := s.peek(); {
	case c == '{' || c == '[':
		if depth == MaxDepth {
			return nil, tooDeep(s.src.Span(start, start+1))
		}
		return s.container(c, depth)
	case c == '"':
		text, err := s.str()
		if err != nil {
			return nil, err
		}
		n, err := s.node(String, start)
		if err != nil {
			return nil, err
		}
		n.Text = text
		return n, nil
	case c == '-' || c >= '0' && c <= '9':
		if err := s.number(); err != nil {
			return nil, err
		}
		return s.scalar(Number, start)
	case c == 't':
		return s.literal(Bool, "true")
	case c == 'f':
		return s.literal(Bool, "false")
	case c == 'n':
		return s.literal(Null, "null")
	case s.pos == len(s.b):
		return nil, s.fail("the file ends where a value is expected")
	}
	return nil, s.fail("a value is expected here")
}

func (s *jsonScanner) literal(kind Kind, word string) (*Node, error) {
	start := s.pos
	if len(s.text)-start < len(word) || s.text[start:start+len(word)] != word {
		return nil, s.fail("a value is expected here, and this word is none")
	}
	s.pos += len(word)
	return s.scalar(kind, start)
}

func (s *jsonScanner) scalar(kind Kind, start int) (*Node, error) {
	n, err := s.node(kind, start)
	if err != nil {
		return nil, err
	}
	n.Text = analyzers.Text{Value: analyzers.Untrusted(s.text[start:s.pos]), Span: n.Span}
	return n, nil
}

// container reads an object or an array from its opening bracket.
func (s *jsonScanner) container(open byte, depth int) (*Node, error) {
	start, loose, first := s.pos, s.loose, len(s.children)
	kind, end := Array, byte(']')
	if open == '{' {
		kind, end = Object, '}'
	}
	s.pos++
	n, err := s.node(kind, start)
	if err != nil {
		return nil, err
	}
	for comma := -1; ; {
		if err := s.space(); err != nil {
			return nil, err
		}
		if s.peek() == end {
			if comma >= 0 {
				if s.format == JSON {
					s.pos = comma
					return nil, s.fail("a comma before the closing bracket; strict JSON has none")
				}
				s.loose++
			}
			break
		}
		child, err := s.element(kind, depth+1)
		if err != nil {
			return nil, err
		}
		s.children = append(s.children, child)
		if err := s.space(); err != nil {
			return nil, err
		}
		if s.peek() == end {
			break
		}
		if s.peek() != ',' {
			return nil, s.fail("a comma or the closing bracket is expected here")
		}
		comma = s.pos
		s.pos++
	}
	s.pos++
	n.Span.End = s.pos
	n.loose = s.loose > loose
	if len(s.children) > first {
		n.Children = append(make([]*Node, 0, len(s.children)-first), s.children[first:]...)
		s.children = s.children[:first]
	}
	if kind == Object {
		markDups(n.Children)
	}
	return n, nil
}

// element reads an array's element, or a key, a colon and a member's value.
func (s *jsonScanner) element(kind Kind, depth int) (*Node, error) {
	if kind == Array {
		return s.value(depth)
	}
	start := s.pos
	if s.peek() != '"' {
		return nil, s.fail("a key in double quotes is expected here")
	}
	key, err := s.str()
	if err != nil {
		return nil, err
	}
	end := s.pos
	if err := s.space(); err != nil {
		return nil, err
	}
	if s.peek() != ':' {
		return nil, s.fail("a colon is expected after the key")
	}
	s.pos++
	if err := s.space(); err != nil {
		return nil, err
	}
	n, err := s.value(depth)
	if err != nil {
		return nil, err
	}
	n.Key, n.KeySpan = key, analyzers.Span{Source: s.src, Start: start, End: end}
	return n, nil
}

// number skips one: RFC 8259, section 6.
func (s *jsonScanner) number() error {
	digits := func() bool {
		from := s.pos
		for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
			s.pos++
		}
		return s.pos > from
	}
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
		if c := s.peek(); c >= '0' && c <= '9' {
			return s.fail("a number with a leading zero")
		}
	} else if !digits() {
		return s.fail("a digit is expected here")
	}
	if s.peek() == '.' {
		s.pos++
		if !digits() {
			return s.fail("a digit is expected after the decimal point")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !digits() {
			return s.fail("a digit is expected in the exponent")
		}
	}
	return nil
}

// str reads a string from its opening quote.
func (s *jsonScanner) str() (analyzers.Text, error) {
	start := s.pos + 1
	var d *decoding
	for i := start; i < len(s.b); {
		switch c := s.b[i]; {
		case c == '"':
			s.pos = i + 1
			if d == nil {
				return analyzers.Text{
					Value: analyzers.Untrusted(s.text[start:i]),
					Span:  analyzers.Span{Source: s.src, Start: start, End: i},
				}, nil
			}
			d.copy(i)
			return d.text(i), nil
		case c == '\\':
			if d == nil {
				d = decodeFrom(s.src, start)
			}
			d.copy(i)
			r, size := unescapeJSON(s.b[i:])
			if size == 0 {
				s.pos = i
				return analyzers.Text{}, s.fail("an escape that JSON does not have")
			}
			i += size
			d.replace(i, string(r))
		case c < ' ':
			s.pos = i
			return analyzers.Text{}, s.fail("a control character or line break inside a string")
		default:
			i++
		}
	}
	return analyzers.Text{}, s.fail("a string that is not closed")
}

// unescapeJSON decodes the escape at the start of b: the rune it means and how
// many bytes it takes, 0 when it is none. A surrogate pair is one escape.
func unescapeJSON(b []byte) (r rune, size int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r = hex(b, 2, 4)
		if r < 0 {
			return 0, 0
		}
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		if len(b) >= 8 && b[6] == '\\' && b[7] == 'u' {
			if pair := utf16.DecodeRune(r, hex(b, 8, 4)); pair != utf8.RuneError {
				return pair, 12
			}
		}
		return utf8.RuneError, 6
	}
	return 0, 0
}

// hex is the number in the hexadecimal digits b[from:from+digits], -1 when
// there is none or it is beyond 32 bits.
func hex(b []byte, from, digits int) rune {
	if from+digits > len(b) {
		return -1
	}
	var v uint32
	for _, c := range b[from : from+digits] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint32(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint32(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | uint32(c-'A'+10)
		default:
			return -1
		}
	}
	return rune(v)
}
