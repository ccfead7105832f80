package tree

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

// yamlBuilder turns the nodes of yaml.v3 into a tree. That parser says in
// which line and column a node begins; where it ends, and how its text maps to
// the file, comes from scanning the scalar again (yamlscan.go).
type yamlBuilder struct {
	src     *analyzers.Source
	lines   yamlLines
	nodes   int
	aliased size
	anchors map[*yaml.Node]*anchored
	slab    []Node // of which the next nodes are made
}

// slabNodes are allocated at once.
const slabNodes = 64

func (b *yamlBuilder) newNode() *Node {
	if len(b.slab) == 0 {
		b.slab = make([]Node, slabNodes)
	}
	n := &b.slab[0]
	b.slab = b.slab[1:]
	n.format = YAML
	return n
}

// size is what a node costs with all aliases followed.
type size struct{ nodes, bytes, height int }

func (s *size) add(child size) {
	s.nodes += child.nodes
	s.bytes += child.bytes
	s.height = max(s.height, child.height+1)
}

// anchored is a node with an anchor; node is nil while it is being built.
type anchored struct {
	node *Node
	size size
}

// place is what the YAML scanner knew when it met a node: the indentation of
// the innermost block collection, -1 outside of one, and whether it was inside
// a flow collection.
type place struct {
	indent int
	flow   bool
	depth  int
}

func parseYAML(src *analyzers.Source, start int) (docs []*Node, err error) {
	defer func() {
		if recover() != nil { // yaml.v3 is not free of panics on hostile input
			docs, err = nil, fault("malformed", "the YAML parser failed on this file", src.Span(start, start))
		}
	}()
	b := &yamlBuilder{src: src, lines: indexYAML(src.Bytes, start), anchors: map[*yaml.Node]*anchored{}}
	decoder := yaml.NewDecoder(bytes.NewReader(src.Bytes[start:]))
	for {
		var doc yaml.Node
		if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
			return docs, nil
		} else if err != nil {
			return nil, b.parseError(err)
		}
		if len(doc.Content) != 1 {
			return nil, fault("malformed", "a YAML document without content", src.Span(start, start))
		}
		n, _, err := b.node(doc.Content[0], place{indent: -1})
		if err != nil {
			return nil, err
		}
		docs = append(docs, n)
	}
}

var yamlLine = pattern.New(`^yaml: line (\d+): `)

// parseError keeps yaml.v3's reason but no text of the file.
func (b *yamlBuilder) parseError(err error) error {
	reason, at := err.Error(), b.lines.start
	if m := yamlLine.FindStringSubmatch(reason); m != nil {
		reason = reason[len(m[0]):]
		if line, err := strconv.Atoi(m[1]); err == nil {
			at = b.lines.offset(line, 1)
		}
	}
	reason = strings.TrimPrefix(reason, "yaml: ")
	span := b.src.Span(at, at)
	switch {
	case strings.Contains(reason, "exceeded max depth"):
		return tooDeep(span)
	case strings.Contains(reason, "unknown anchor"):
		reason = "an alias whose anchor is not there"
	}
	return fault("malformed", analyzers.Untrusted(reason).String(), span)
}

func (b *yamlBuilder) tooAliased(at analyzers.Span) error {
	return fault("limit", "YAML aliases multiply the file's content beyond what is read", at)
}

// node builds n. Its Span leaves out anchors and tags.
func (b *yamlBuilder) node(n *yaml.Node, p place) (*Node, size, error) {
	return b.build(b.newNode(), n, p)
}

// build is node with the memory for it.
func (b *yamlBuilder) build(out *Node, n *yaml.Node, p place) (*Node, size, error) {
	mark := b.lines.offset(n.Line, n.Column)
	at := b.src.Span(mark, mark)
	if b.nodes++; b.nodes > MaxNodes {
		return nil, size{}, tooMany(at)
	}
	if n.Kind == yaml.AliasNode {
		return b.alias(n, mark, p)
	}
	var anchor *anchored
	if n.Anchor != "" {
		anchor = &anchored{}
		b.anchors[n] = anchor
	}
	total := size{nodes: 1}
	var err error
	switch n.Kind {
	case yaml.ScalarNode:
		err = b.scalar(out, n, mark, p)
		total.bytes = len(n.Value)
	case yaml.SequenceNode, yaml.MappingNode:
		if p.depth >= MaxDepth {
			return nil, size{}, tooDeep(at)
		}
		total, err = b.collection(out, n, mark, p)
		if err == nil && p.depth+total.height > MaxDepth {
			err = tooDeep(at)
		}
	default:
		err = fault("malformed", "a YAML node of an unknown kind", at)
	}
	if err != nil {
		return nil, size{}, err
	}
	if anchor != nil {
		anchor.node, anchor.size = out, total
	}
	return out, total, nil
}

// alias builds a stand-in that shares the anchor's content.
func (b *yamlBuilder) alias(n *yaml.Node, mark int, p place) (*Node, size, error) {
	end := mark + 1
	for end < len(b.src.Bytes) && isYAMLWord(b.src.Bytes[end]) {
		end++
	}
	span := b.src.Span(mark, end)
	target := b.anchors[n.Alias]
	if target == nil || target.node == nil {
		return nil, size{}, fault("limit", "a YAML alias inside of what it stands for", span)
	}
	if err := b.follow(target.size, span); err != nil {
		return nil, size{}, err
	}
	if p.depth+target.size.height > MaxDepth {
		return nil, size{}, tooDeep(span)
	}
	out := *target.node
	out.Key, out.KeySpan, out.Dup = analyzers.Text{}, analyzers.Span{}, false
	out.Span, out.Alias = span, true
	return &out, target.size, nil
}

// follow accounts for content that is reachable once more.
func (b *yamlBuilder) follow(s size, at analyzers.Span) error {
	b.aliased.nodes += s.nodes
	b.aliased.bytes += s.bytes
	if b.aliased.nodes > MaxAliased || b.aliased.bytes > MaxAliasedBytes {
		return b.tooAliased(at)
	}
	return nil
}

// collection fills in an object or array and returns its size.
func (b *yamlBuilder) collection(out *Node, n *yaml.Node, mark int, p place) (total size, err error) {
	text := b.src.Bytes
	out.Kind = Array
	if n.Kind == yaml.MappingNode {
		out.Kind = Object
	}
	first := len(text) // where the first key begins, which may have properties
	if out.Kind == Object && len(n.Content) > 0 {
		first = b.lines.offset(n.Content[0].Line, n.Content[0].Column)
	}
	start, _ := skipProperties(text, mark, first)
	inner := place{indent: p.indent, flow: p.flow || n.Style&yaml.FlowStyle != 0, depth: p.depth + 1}
	if !inner.flow {
		inner.indent = n.Column - 1
		if start != mark {
			inner.indent = b.lines.column(start)
		}
	}
	end := start
	total = size{nodes: 1, height: 1}
	if out.Kind == Array {
		end, err = b.elements(out, n, inner, &total, end)
	} else {
		end, err = b.memberList(out, n, inner, &total, end)
	}
	if err != nil {
		return size{}, err
	}
	// A mapping that begins where its key begins is a pair: [key: value].
	if bracket := closing(text, start); n.Style&yaml.FlowStyle != 0 && bracket != 0 && start != first {
		if end, err = b.closeFlow(max(end, start+1), bracket); err != nil {
			return size{}, err
		}
	}
	out.Span = b.src.Span(start, end)
	return total, nil
}

func closing(text []byte, start int) byte {
	if start < len(text) {
		switch text[start] {
		case '[':
			return ']'
		case '{':
			return '}'
		}
	}
	return 0
}

// closeFlow returns the offset behind the bracket that closes a collection
// whose last child ends at pos.
func (b *yamlBuilder) closeFlow(pos int, bracket byte) (int, error) {
	text := b.src.Bytes
	for pos = skipTrivia(text, pos); pos < len(text); pos = skipTrivia(text, pos) {
		switch text[pos] {
		case bracket:
			return pos + 1, nil
		case ',', ':', '?':
			pos++
		default:
			return 0, b.lost(pos)
		}
	}
	return 0, b.lost(pos)
}

// lost refuses a file whose places cannot be told: a wrong place would
// mislead more than none.
func (b *yamlBuilder) lost(pos int) error {
	return fault("malformed", "the place of a YAML value cannot be told", b.src.Span(pos, pos))
}

func (b *yamlBuilder) elements(out *Node, n *yaml.Node, p place, total *size, end int) (int, error) {
	out.Children = make([]*Node, 0, len(n.Content))
	for _, element := range n.Content {
		child, s, err := b.node(element, p)
		if err != nil {
			return 0, err
		}
		total.add(s)
		out.Children = append(out.Children, child)
		end = max(end, child.Span.End)
	}
	return end, nil
}

func (b *yamlBuilder) memberList(out *Node, n *yaml.Node, p place, total *size, end int) (int, error) {
	var merged []*Node
	out.Children = make([]*Node, 0, len(n.Content)/2)
	var scalarKey Node // what is kept of it is copied
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		into := &scalarKey
		if k.Kind == yaml.ScalarNode && k.Anchor == "" {
			scalarKey = Node{format: YAML}
		} else {
			into = b.newNode()
		}
		key, keySize, err := b.build(into, k, p)
		if err != nil {
			return 0, err
		}
		child, s, err := b.node(v, p)
		if err != nil {
			return 0, err
		}
		s.bytes += keySize.bytes
		end = max(end, key.Span.End, child.Span.End)
		if k.Kind == yaml.ScalarNode && k.Tag == "!!merge" {
			if sources, ok := mergeSources(child); ok {
				merged = append(merged, sources...)
				total.add(s)
				if err := b.follow(s, key.Span); err != nil {
					return 0, err
				}
				continue
			}
		}
		total.add(s)
		child.KeySpan = key.Span
		if child.Key = key.Text; key.Kind == Object || key.Kind == Array {
			child.Key = analyzers.Text{Value: analyzers.Untrusted(key.Span.Raw()), Span: key.Span}
		}
		out.Children = append(out.Children, child)
	}
	markDups(out.Children)
	if len(merged) > 0 {
		out.Children = merge(out.Children, merged)
	}
	return end, nil
}

// mergeSources is the mappings that the value of a merge key names
// (yaml.org/type/merge.html).
func mergeSources(n *Node) ([]*Node, bool) {
	if n.Kind == Object {
		return []*Node{n}, true
	}
	if n.Kind != Array {
		return nil, false
	}
	for _, child := range n.Children {
		if child.Kind != Object {
			return nil, false
		}
	}
	return n.Children, true
}

// merge appends the members of the sources that are not there yet: a written
// member wins over a merged one, an earlier source over a later one, and in
// one source the last of duplicate keys.
func merge(members, sources []*Node) []*Node {
	have := make(map[analyzers.Untrusted]int, len(members))
	for _, m := range members {
		have[m.Key.Value] = -1
	}
	for _, n := range sources {
		first := len(members)
		for _, m := range n.Children {
			copied := *m
			copied.Alias, copied.Dup = true, false
			if at, found := have[m.Key.Value]; !found {
				have[m.Key.Value] = len(members)
				members = append(members, &copied)
			} else if at >= first {
				members[at] = &copied
			}
		}
	}
	return members
}
