package tree

import (
	"sort"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// yamlLines leads from yaml.v3's lines and columns to byte offsets. Its
// columns count runes, and its lines end where YAML 1.1 says, at U+0085,
// U+2028 and U+2029, too.
type yamlLines struct {
	text  []byte
	start int
	lines []lineStart
	marks []int // byte offset of every 64th rune
}

// lineStart is the first rune of a line: its number and its byte offset.
type lineStart struct{ rune, byte int }

const markEvery = 64

func indexYAML(text []byte, start int) yamlLines {
	l := yamlLines{text: text, start: start, lines: []lineStart{{0, start}}}
	for pos, runes := start, 0; pos <= len(text); runes++ {
		if runes%markEvery == 0 {
			l.marks = append(l.marks, pos)
		}
		if pos == len(text) {
			break
		}
		if n := yamlBreak(text[pos:]); n == 2 && text[pos] == '\r' {
			pos++ // two runes, one line break: the line feed ends the line
		} else {
			size := 1
			if text[pos] >= utf8.RuneSelf {
				_, size = utf8.DecodeRune(text[pos:])
			}
			pos += size
			if n > 0 {
				l.lines = append(l.lines, lineStart{runes + 1, pos})
			}
		}
	}
	return l
}

// offset is the place of a 1-based line and column.
func (l yamlLines) offset(line, column int) int {
	if line < 1 || line > len(l.lines) {
		return len(l.text)
	}
	from := l.lines[line-1]
	column = max(column, 1) - 1
	if line < len(l.lines) {
		if next := l.lines[line]; next.rune-from.rune == next.byte-from.byte && column <= next.rune-from.rune { // all ASCII
			return from.byte + column
		}
	}
	runes := from.rune + column
	if runes/markEvery >= len(l.marks) {
		return len(l.text)
	}
	pos := l.marks[runes/markEvery]
	for range runes % markEvery {
		_, size := utf8.DecodeRune(l.text[pos:])
		pos += size
	}
	return pos
}

// column is the 0-based column of an offset, in runes.
func (l yamlLines) column(offset int) int {
	i := max(sort.SearchInts(l.marks, offset+1)-1, 0)
	runes := i*markEvery + utf8.RuneCount(l.text[l.marks[i]:offset])
	return runes - l.lines[sort.Search(len(l.lines), func(i int) bool { return l.lines[i].rune > runes })-1].rune
}

// yamlBreak is the length of the line break at the start of b, 0 without one.
func yamlBreak(b []byte) int {
	switch {
	case len(b) == 0:
		return 0
	case b[0] == '\r' && len(b) > 1 && b[1] == '\n':
		return 2
	case b[0] == '\r', b[0] == '\n':
		return 1
	case b[0] == 0xc2 && len(b) > 1 && b[1] == 0x85:
		return 2
	case b[0] == 0xe2 && len(b) > 2 && b[1] == 0x80 && (b[2] == 0xa8 || b[2] == 0xa9):
		return 3
	}
	return 0
}

// breakText is what a line break means in a scalar: all but U+2028 and U+2029
// are line feeds.
func breakText(b []byte) string {
	if len(b) == 3 {
		return string(b)
	}
	return "\n"
}

func isYAMLWord(c byte) bool {
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// skipTrivia returns the offset of the first byte from pos on that is not
// white space, a line break or a comment.
func skipTrivia(text []byte, pos int) int {
	for pos < len(text) {
		switch n := yamlBreak(text[pos:]); {
		case n > 0:
			pos += n
		case text[pos] == ' ' || text[pos] == '\t':
			pos++
		case text[pos] == '#':
			for pos < len(text) && yamlBreak(text[pos:]) == 0 {
				pos++
			}
		default:
			return pos
		}
	}
	return pos
}

// skipProperties returns the offset of the content behind anchors and tags
// before limit, and the end of the last of them. No content begins with their
// characters.
func skipProperties(text []byte, pos, limit int) (content, end int) {
	content, end = pos, pos
	for content < min(limit, len(text)) && (text[content] == '&' || text[content] == '!') {
		end = content
		for end < len(text) && text[end] != ' ' && text[end] != '\t' && yamlBreak(text[end:]) == 0 {
			if text[content] == '&' && end > content && !isYAMLWord(text[end]) {
				break
			}
			end++
		}
		content = skipTrivia(text, end)
	}
	return content, end
}

// yamlScalar scans one scalar again, step by step as yaml.v3 does, and notes
// where each piece of the text comes from.
type yamlScalar struct {
	*decoding
	text []byte
	pos  int
	line int // block scalars: where this line begins
	place
}

// scalar fills in a node's Kind, Text and Span.
func (b *yamlBuilder) scalar(out *Node, n *yaml.Node, mark int, p place) error {
	out.Kind = scalarKind(n)
	start, end := skipProperties(b.src.Bytes, mark, len(b.src.Bytes))
	if n.Value == "" && n.Style&^yaml.TaggedStyle == 0 { // nothing is written
		out.Span = b.src.Span(end, end)
		out.Text = analyzers.Text{Span: out.Span}
		return nil
	}
	if start >= len(b.src.Bytes) {
		return b.lost(start)
	}
	if b.verbatim(out, n, start) {
		return nil
	}
	s := &yamlScalar{text: b.src.Bytes, pos: start, place: p}
	first, quotes := b.src.Bytes[start], 0
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0 && first == '"', n.Style&yaml.SingleQuotedStyle != 0 && first == '\'':
		quotes = 1
		s.pos++
		s.decoding = decodeFrom(b.src, s.pos)
		s.quoted(first)
	case n.Style&yaml.LiteralStyle != 0 && first == '|', n.Style&yaml.FoldedStyle != 0 && first == '>':
		s.block(b.src, first == '|')
	case n.Style&^yaml.TaggedStyle == 0:
		s.decoding = decodeFrom(b.src, s.pos)
		s.plain()
	default:
		return b.lost(start)
	}
	out.Text = s.decoding.text(s.decoding.raw)
	out.Span = b.src.Span(start, min(s.decoding.raw+quotes, len(b.src.Bytes)))
	if out.Text.Raw() == n.Value {
		return nil
	}
	if quotes == 0 || out.Span.End-out.Span.Start == len(n.Value) {
		return b.lost(start)
	}
	out.Text = opaque(n.Value, out.Span)
	return nil
}

// verbatim is scalar for what stands in the file as it is meant, which is
// nearly everything: on one line, without an escape. Then its value and the
// bytes behind the mark are the same, and no more bytes can belong to it.
func (b *yamlBuilder) verbatim(out *Node, n *yaml.Node, start int) bool {
	text, quotes := b.src.Bytes[start:], 0
	switch style := n.Style &^ yaml.TaggedStyle; {
	case style == 0:
		if n.Value == "" {
			return false
		}
	case style == yaml.DoubleQuotedStyle && text[0] == '"', style == yaml.SingleQuotedStyle && text[0] == '\'':
		quotes = 1
	default:
		return false
	}
	end := quotes + len(n.Value)
	if len(text) < end+quotes || string(text[quotes:end]) != n.Value || quotes == 1 && text[end] != text[0] {
		return false
	}
	for i := range len(n.Value) {
		switch c := n.Value[i]; {
		case c < ' ' && c != '\t', c >= 0x7f, quotes == 1 && (c == text[0] || c == '\\'):
			return false
		}
	}
	out.Span = b.src.Span(start, start+end+quotes)
	out.Text = analyzers.Text{Value: analyzers.Untrusted(n.Value), Span: b.src.Span(start+quotes, start+end)}
	return true
}

func scalarKind(n *yaml.Node) Kind {
	switch n.ShortTag() {
	case "!!null":
		return Null
	case "!!bool":
		return Bool
	case "!!int", "!!float":
		return Number
	}
	return String
}

func (s *yamlScalar) at(i int) byte {
	if i < len(s.text) {
		return s.text[i]
	}
	return 0
}

func (s *yamlScalar) blank(i int) bool { return s.at(i) == ' ' || s.at(i) == '\t' }

func (s *yamlScalar) lineBreak(i int) int { return yamlBreak(s.text[min(i, len(s.text)):]) }

// blankz reports white space, a line break or the end of the file.
func (s *yamlScalar) blankz(i int) bool {
	return i >= len(s.text) || s.blank(i) || s.lineBreak(i) > 0
}

// space consumes white space and line breaks. It returns what they fold to,
// whether there was a line break at all, and the last one's end. escaped says
// that a backslash has taken the first line break already.
func (s *yamlScalar) space(escaped bool) (folded string, broken bool, lineStart int) {
	var first string
	rest := 0
	from := -1
	broken = escaped
	for {
		n := s.lineBreak(s.pos)
		if n == 0 && !s.blank(s.pos) {
			break
		}
		if n > 0 {
			if !broken {
				first = breakText(s.text[s.pos : s.pos+n])
			} else {
				if from < 0 {
					from = s.pos
				}
				rest = s.pos + n
			}
			broken = true
			lineStart = s.pos + n
		}
		s.pos += max(n, 1)
	}
	var breaks []byte
	for i := from; from >= 0 && i < rest; i++ {
		if n := yamlBreak(s.text[i:]); n > 0 {
			breaks = append(breaks, breakText(s.text[i:i+n])...)
			i += n - 1
		}
	}
	switch {
	case first == "\n" && len(breaks) == 0:
		return " ", true, lineStart
	case first == "\n":
		return string(breaks), true, lineStart
	}
	return first + string(breaks), broken, lineStart
}

// quoted scans from behind the opening quote to the closing one.
func (s *yamlScalar) quoted(quote byte) {
	for s.pos < len(s.text) {
		escaped := false
		for !s.blankz(s.pos) {
			c := s.at(s.pos)
			if c == '\'' && quote == '\'' && s.at(s.pos+1) == '\'' {
				s.copy(s.pos)
				s.pos += 2
				s.replace(s.pos, "'")
				continue
			}
			if c == quote {
				break
			}
			if c != '\\' || quote == '\'' {
				s.pos++
				continue
			}
			s.copy(s.pos)
			if n := s.lineBreak(s.pos + 1); n > 0 {
				s.pos += 1 + n
				escaped = true
				break
			}
			text, size := unescapeYAML(s.text[s.pos:])
			if size == 0 {
				return
			}
			s.pos += size
			s.replace(s.pos, text)
		}
		if !escaped {
			s.copy(s.pos)
		}
		if s.at(s.pos) == quote {
			s.skip(s.pos)
			return
		}
		folded, broken, _ := s.space(escaped)
		if broken {
			s.replace(s.pos, folded)
		} else {
			s.copy(s.pos)
		}
	}
}

// plain scans an unquoted scalar.
func (s *yamlScalar) plain() {
	for {
		if s.at(s.pos) == '#' {
			return
		}
		from := s.pos
		for !s.blankz(s.pos) && !s.plainEnd() {
			s.pos++
		}
		if s.pos > from {
			s.copy(s.pos)
		}
		if s.pos >= len(s.text) || !s.blankz(s.pos) {
			return
		}
		gap := s.pos
		folded, broken, lineStart := s.space(false)
		if broken && (!s.flow && s.pos-lineStart < s.indent+1 || s.pos == lineStart && s.documentMark()) {
			return
		}
		if s.at(s.pos) == '#' || s.pos >= len(s.text) || s.plainEnd() {
			return
		}
		if broken {
			s.replace(s.pos, folded)
		} else if s.pos > gap {
			s.copy(s.pos)
		}
	}
}

// plainEnd reports whether the character at pos ends a plain scalar.
func (s *yamlScalar) plainEnd() bool {
	switch s.at(s.pos) {
	case ':':
		return s.blankz(s.pos + 1)
	case ',', '?', '[', ']', '{', '}':
		return s.flow
	}
	return false
}

// documentMark reports whether --- or ... is here, at the start of a line.
func (s *yamlScalar) documentMark() bool {
	c := s.at(s.pos)
	return (c == '-' || c == '.') && s.at(s.pos+1) == c && s.at(s.pos+2) == c && s.blankz(s.pos+3)
}

// block scans a literal or folded scalar from its indicator. The text begins
// on the line behind the header.
func (s *yamlScalar) block(src *analyzers.Source, literal bool) {
	chomp, increment := byte(0), 0
	for s.pos++; ; s.pos++ {
		if c := s.at(s.pos); c == '+' || c == '-' {
			chomp = c
		} else if c >= '1' && c <= '9' {
			increment = int(c - '0')
		} else {
			break
		}
	}
	for s.pos < len(s.text) && s.lineBreak(s.pos) == 0 {
		s.pos++ // white space and a comment
	}
	s.pos += s.lineBreak(s.pos)
	s.decoding = decodeFrom(src, s.pos)
	s.line = s.pos

	indent := 0
	if increment > 0 {
		indent = max(s.indent, 0) + increment
	}
	var last breakAt    // the break that ended the last line of text
	var empty []breakAt // those of the empty lines behind it
	var wasBlank bool   // the last line of text began with white space
	s.emptyLines(&indent, &empty)
	for s.column() == indent && s.pos < len(s.text) {
		blank := s.blank(s.pos)
		if folds := !literal && !wasBlank && !blank && last.text == "\n"; folds && len(empty) == 0 {
			s.replace(last.end, " ")
		} else if folds {
			s.skip(last.end)
		} else {
			s.lineBreaks(last)
		}
		s.lineBreaks(empty...)
		empty = empty[:0]
		s.skip(s.pos)
		wasBlank = blank
		for s.pos < len(s.text) && s.lineBreak(s.pos) == 0 {
			s.pos++
		}
		s.copy(s.pos)
		last = s.readBreak()
		s.emptyLines(&indent, &empty)
	}
	if chomp != '-' {
		s.lineBreaks(last)
	}
	if chomp == '+' {
		s.lineBreaks(empty...)
	}
}

// breakAt is a line break: where it is and what it means.
type breakAt struct {
	start, end int
	text       string
}

// readBreak consumes a line break and begins a new line.
func (s *yamlScalar) readBreak() breakAt {
	n := s.lineBreak(s.pos)
	if n == 0 {
		return breakAt{}
	}
	at := breakAt{s.pos, s.pos + n, breakText(s.text[s.pos : s.pos+n])}
	s.pos += n
	s.line = s.pos
	return at
}

// lineBreaks adds the breaks to the text, and nothing for what is before each.
func (s *yamlScalar) lineBreaks(breaks ...breakAt) {
	for _, at := range breaks {
		if at.text != "" {
			s.skip(at.start)
			s.replace(at.end, at.text)
		}
	}
}

// emptyLines consumes indentation and empty lines, and finds out how deep the
// text is indented when *indent is 0: as deep as the deepest of these lines.
func (s *yamlScalar) emptyLines(indent *int, breaks *[]breakAt) {
	deepest := 0
	for {
		for (*indent == 0 || s.column() < *indent) && s.at(s.pos) == ' ' {
			s.pos++
		}
		deepest = max(deepest, s.column())
		at := s.readBreak()
		if at.text == "" {
			break
		}
		*breaks = append(*breaks, at)
	}
	if *indent == 0 {
		*indent = max(deepest, s.indent+1, 1)
	}
}

// column is the width of the indentation that was consumed on this line.
func (s *yamlScalar) column() int { return s.pos - s.line }

// unescapeYAML decodes the escape at the start of b and says how many bytes it
// takes, 0 when it is none (YAML 1.1, section 5.6).
func unescapeYAML(b []byte) (text string, size int) {
	if len(b) < 2 {
		return "", 0
	}
	digits := 0
	switch b[1] {
	case '0':
		return "\x00", 2
	case 'a':
		return "\a", 2
	case 'b':
		return "\b", 2
	case 't', '\t':
		return "\t", 2
	case 'n':
		return "\n", 2
	case 'v':
		return "\v", 2
	case 'f':
		return "\f", 2
	case 'r':
		return "\r", 2
	case 'e':
		return "\x1b", 2
	case ' ', '"', '\'', '\\':
		return string(b[1:2]), 2
	case 'N':
		return "\u0085", 2
	case '_':
		return "\u00a0", 2
	case 'L':
		return "\u2028", 2
	case 'P':
		return "\u2029", 2
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	}
	if r := hex(b, 2, digits); digits > 0 && r >= 0 {
		return string(r), 2 + digits
	}
	return "", 0
}
