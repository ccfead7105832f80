package tree

import (
	"errors"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// tomlBuilder turns the expressions of go-toml's unstable parser into a tree.
// That parser has byte ranges for keys and scalars only; the rest of the
// places are found by scanning from one known place to the next.
type tomlBuilder struct {
	src    *analyzers.Source
	start  int // behind the byte order mark
	parser unstable.Parser
	nodes  int
	// members finds the last member of a key, so that headers that name the
	// same table over and over stay linear.
	members map[tomlMember]*Node
	tables  map[*Node]tomlTable
}

type tomlMember struct {
	parent *Node
	key    analyzers.Untrusted
}

// tomlTable says how a table came to be.
type tomlTable uint8

const (
	tomlImplied  tomlTable = iota + 1 // named on the way to another one
	tomlHeader                        // [table]
	tomlElements                      // the array of [[table]]
)

// parseTOML reads TOML 1.0 (toml.io/en/v1.0.0). A table or a key that TOML
// forbids to define twice is kept as a second member with Dup set.
func parseTOML(src *analyzers.Source, start int) (root *Node, err error) {
	if err := checkTOML(src, start); err != nil {
		return nil, err
	}
	defer func() {
		if recover() != nil {
			root, err = nil, fault("malformed", "the TOML parser failed on this file", src.Span(start, start))
		}
	}()
	b := &tomlBuilder{src: src, start: start, members: map[tomlMember]*Node{}, tables: map[*Node]tomlTable{}}
	root = &Node{Kind: Object, Span: src.Span(start, len(src.Bytes)), format: TOML}
	section, chain := root, []*Node(nil) // where keys go, and what grows with it
	depth, last := 0, start              // last is behind the previous expression
	b.parser.Reset(src.Bytes[start:])
	for b.parser.NextExpression() {
		e := b.parser.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			section, chain, depth, last, err = b.header(root, e, last)
		case unstable.KeyValue:
			last, err = b.keyValue(section, e, depth)
			for _, n := range chain {
				n.Span.End = max(n.Span.End, last)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if err := b.parser.Error(); err != nil {
		return nil, b.parseError(err)
	}
	return root, nil
}

// checkTOML refuses what would cost go-toml's recursive parser its stack or
// too much memory: it follows strings and comments exactly as that parser
// does, and stops where the parser is bound to stop.
func checkTOML(src *analyzers.Source, start int) error {
	b := src.Bytes
	depth, values, dots := 0, 0, 0
	for i := start; i < len(b); {
		switch c := b[i]; c {
		case '#':
			for i < len(b) && b[i] != '\n' {
				i++
			}
			continue
		case '"', '\'':
			end := skipTOMLString(b, i)
			if end < 0 {
				return nil
			}
			i = end
			continue
		case '.':
			if dots++; dots > MaxDepth { // only a dotted key has so many in a row
				return tooDeep(src.Span(i, i+1))
			}
			i++
			continue
		case '[', '{':
			if depth++; depth > MaxDepth {
				return tooDeep(src.Span(i, i+1))
			}
		case ']', '}':
			depth--
		case ',', '=':
			if values++; values > MaxNodes {
				return tooMany(src.Span(i, i+1))
			}
		}
		if strings.IndexByte("[]{},=\n", b[i]) >= 0 {
			dots = 0
		}
		i++
	}
	return nil
}

// skipTOMLString returns the offset behind the string that opens at b[i], -1
// when it is not closed.
func skipTOMLString(b []byte, i int) int {
	quote := b[i]
	run := func(i int) (n int) {
		for i+n < len(b) && b[i+n] == quote && n < 5 {
			n++
		}
		return n
	}
	multi := run(i) >= 3
	if i++; multi {
		i += 2
	}
	for ; i < len(b); i++ {
		switch {
		case b[i] == quote && !multi:
			return i + 1
		case b[i] == quote:
			if n := run(i); n >= 3 {
				return i + n
			}
		case b[i] == '\\' && quote == '"':
			i++
		case b[i] == '\n' && !multi:
			return -1
		}
	}
	return -1
}

// parseError keeps go-toml's reason, which quotes one character at most.
func (b *tomlBuilder) parseError(err error) error {
	at := b.src.Span(len(b.src.Bytes), len(b.src.Bytes))
	var perr *unstable.ParserError
	if errors.As(err, &perr) && len(perr.Highlight) > 0 {
		r := b.parser.Range(perr.Highlight)
		at = b.src.Span(b.start+int(r.Offset), b.start+int(r.Offset+r.Length))
	}
	return fault("malformed", analyzers.Untrusted(err.Error()).String(), at)
}

func (b *tomlBuilder) node(kind Kind, start, end int) (*Node, error) {
	if b.nodes++; b.nodes > MaxNodes {
		return nil, tooMany(b.src.Span(start, end))
	}
	return &Node{Kind: kind, Span: b.src.Span(start, end), format: TOML}, nil
}

// tomlKey is one part of a dotted key.
type tomlKey struct {
	text analyzers.Text
	span analyzers.Span
}

func (b *tomlBuilder) keys(it unstable.Iterator) []tomlKey {
	var keys []tomlKey
	for it.Next() {
		k := it.Node()
		from := b.start + int(k.Raw.Offset)
		span := b.src.Span(from, from+int(k.Raw.Length))
		keys = append(keys, tomlKey{tomlString(span, string(k.Data)), span})
	}
	return keys
}

// add hangs a node under a key of an object.
func (b *tomlBuilder) add(parent *Node, key tomlKey, n *Node) {
	at := tomlMember{parent, key.text.Value}
	n.Key, n.KeySpan, n.Dup = key.text, key.span, b.members[at] != nil
	b.members[at] = n
	parent.Children = append(parent.Children, n)
}

// table is the table that a key leads to on the way to another one. depth is
// the parent's, the number of objects and arrays around it; it returns the
// table's.
func (b *tomlBuilder) table(parent *Node, key tomlKey, span analyzers.Span, depth int) (*Node, int, error) {
	n := b.members[tomlMember{parent, key.text.Value}]
	elements := n != nil && b.tables[n] == tomlElements
	if depth++; elements {
		depth++
	}
	if depth >= MaxDepth {
		return nil, 0, tooDeep(key.span)
	}
	if elements {
		return n.Children[len(n.Children)-1], depth, nil
	}
	if n != nil && b.tables[n] != 0 {
		return n, depth, nil
	}
	n, err := b.node(Object, span.Start, span.End)
	if err != nil {
		return nil, 0, err
	}
	b.tables[n] = tomlImplied
	b.add(parent, key, n)
	return n, depth, nil
}

// header opens the table of a [header] or [[header]].
func (b *tomlBuilder) header(root *Node, e *unstable.Node, from int) (section *Node, chain []*Node, depth, end int, err error) {
	keys := b.keys(e.Key())
	from = b.trivia(from, "")
	end = b.trivia(keys[len(keys)-1].span.End, "") + 1
	if e.Kind == unstable.ArrayTable {
		end++
	}
	span := b.src.Span(from, end)
	parent := root
	for _, key := range keys[:len(keys)-1] {
		if parent, depth, err = b.table(parent, key, span, depth); err != nil {
			return nil, nil, 0, 0, err
		}
	}
	key := keys[len(keys)-1]
	if depth++; e.Kind == unstable.ArrayTable {
		depth++
	}
	if depth >= MaxDepth {
		return nil, nil, 0, 0, tooDeep(key.span)
	}
	n := b.members[tomlMember{parent, key.text.Value}]
	if e.Kind == unstable.Table {
		if n != nil && b.tables[n] == tomlImplied {
			n.Span, n.KeySpan, n.Key = span, key.span, key.text
		} else {
			if n, err = b.node(Object, span.Start, span.End); err != nil {
				return nil, nil, 0, 0, err
			}
			b.add(parent, key, n)
		}
		b.tables[n] = tomlHeader
		return n, []*Node{n}, depth, end, nil
	}
	if n == nil || b.tables[n] != tomlElements {
		if n, err = b.node(Array, span.Start, span.End); err != nil {
			return nil, nil, 0, 0, err
		}
		b.tables[n] = tomlElements
		b.add(parent, key, n)
	}
	n.Span.End = max(n.Span.End, end)
	element, err := b.node(Object, span.Start, span.End)
	if err != nil {
		return nil, nil, 0, 0, err
	}
	b.tables[element] = tomlHeader
	n.Children = append(n.Children, element)
	return element, []*Node{n, element}, depth, end, nil
}

// keyValue adds one line, or one member of an inline table, and returns the
// offset behind it.
func (b *tomlBuilder) keyValue(parent *Node, e *unstable.Node, depth int) (end int, err error) {
	keys := b.keys(e.Key())
	last := keys[len(keys)-1]
	var path []*Node
	for _, key := range keys[:len(keys)-1] {
		if parent, depth, err = b.table(parent, key, key.span, depth); err != nil {
			return 0, err
		}
		path = append(path, parent)
	}
	n, err := b.value(e.Value(), b.trivia(last.span.End, "="), depth+1)
	if err != nil {
		return 0, err
	}
	b.add(parent, last, n)
	for _, table := range path {
		table.Span.End = max(table.Span.End, n.Span.End)
	}
	return n.Span.End, nil
}

// value builds the value that begins at the offset start.
func (b *tomlBuilder) value(v *unstable.Node, start, depth int) (*Node, error) {
	switch v.Kind {
	case unstable.Array, unstable.InlineTable:
		if depth >= MaxDepth {
			return nil, tooDeep(b.src.Span(start, start+1))
		}
		return b.container(v, start, depth)
	case unstable.String:
		from := b.start + int(v.Raw.Offset)
		n, err := b.node(String, from, from+int(v.Raw.Length))
		if err != nil {
			return nil, err
		}
		n.Text = tomlString(n.Span, string(v.Data))
		return n, nil
	}
	kind := String // dates and times
	switch v.Kind {
	case unstable.Bool:
		kind = Bool
	case unstable.Integer, unstable.Float:
		kind = Number
	}
	r := b.parser.Range(v.Data)
	from := b.start + int(r.Offset)
	n, err := b.node(kind, from, from+int(r.Length))
	if err != nil {
		return nil, err
	}
	n.Text = analyzers.Text{Value: analyzers.Untrusted(v.Data), Span: n.Span}
	return n, nil
}

func (b *tomlBuilder) container(v *unstable.Node, start, depth int) (*Node, error) {
	kind := Array
	if v.Kind == unstable.InlineTable {
		kind = Object
	}
	n, err := b.node(kind, start, start+1)
	if err != nil {
		return nil, err
	}
	pos := start + 1
	for it := v.Children(); it.Next(); {
		if kind == Object {
			if pos, err = b.keyValue(n, it.Node(), depth); err != nil {
				return nil, err
			}
			continue
		}
		child, err := b.value(it.Node(), b.trivia(pos, ","), depth+1)
		if err != nil {
			return nil, err
		}
		pos = child.Span.End
		n.Children = append(n.Children, child)
	}
	n.Span.End = min(b.trivia(pos, ",")+1, len(b.src.Bytes))
	return n, nil
}

// trivia returns the offset of the first byte from pos on that is not white
// space, a line break, a comment or one of the given separators.
func (b *tomlBuilder) trivia(pos int, separators string) int {
	text := b.src.Bytes
	for pos < len(text) {
		switch c := text[pos]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || separators != "" && c == separators[0]:
			pos++
		case c == '#':
			for pos < len(text) && text[pos] != '\n' {
				pos++
			}
		default:
			return pos
		}
	}
	return pos
}

// tomlString finds the place of every byte of a key or string that go-toml
// decoded to value. The span is the whole token, with its quotes if any.
func tomlString(span analyzers.Span, value string) analyzers.Text {
	raw := span.Raw()
	quotes := 0
	switch {
	case len(raw) >= 6 && (string(raw[:3]) == `"""` || string(raw[:3]) == `'''`):
		quotes = 3
	case len(raw) >= 2 && (raw[0] == '"' || raw[0] == '\''):
		quotes = 1
	}
	d := decodeFrom(span.Source, span.Start+quotes)
	end := span.End - quotes
	text := span.Source.Bytes[:end]
	if quotes == 3 { // a line break right behind the quotes is not part of it
		d.skip(d.raw + lineBreak(text[d.raw:]))
	}
	if quotes > 0 && raw[0] == '"' {
		for i := d.raw; i < end; {
			if text[i] != '\\' {
				i++
				continue
			}
			d.copy(i)
			decoded, size := unescapeTOML(text[i:])
			if size == 0 {
				return opaque(value, span)
			}
			i += size
			d.replace(i, decoded)
		}
	}
	d.copy(end)
	if string(d.out) != value {
		return opaque(value, span)
	}
	return d.text(end)
}

func lineBreak(b []byte) int {
	switch {
	case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
		return 2
	case len(b) > 0 && b[0] == '\n':
		return 1
	}
	return 0
}

// unescapeTOML decodes the escape at the start of b and says how many bytes it
// takes, 0 when it is none. A backslash at the end of a line takes all white
// space up to the next character.
func unescapeTOML(b []byte) (text string, size int) {
	if len(b) < 2 {
		return "", 0
	}
	switch b[1] {
	case '"', '\\':
		return string(b[1:2]), 2
	case 'b':
		return "\b", 2
	case 't':
		return "\t", 2
	case 'n':
		return "\n", 2
	case 'f':
		return "\f", 2
	case 'r':
		return "\r", 2
	case 'e':
		return "\x1b", 2
	case 'u', 'U':
		digits := 4
		if b[1] == 'U' {
			digits = 8
		}
		if r := hex(b, 2, digits); r >= 0 {
			return string(r), 2 + digits
		}
		return "", 0
	}
	for size = 1; size < len(b); size++ {
		if c := b[size]; c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			break
		}
	}
	if size == 1 {
		return "", 0
	}
	return "", size
}
