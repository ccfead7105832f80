// Package tree reads JSON, JSON with comments, TOML and YAML into one node
// type in which every key and every value knows its place in the file. It is
// the project's only configuration parser. Input is hostile: it is checked for
// size and encoding before any parser sees it, and depth, node count and alias
// expansion are bounded.
package tree

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Limits. Input beyond them is refused with an *Error, never cut short.
const (
	MaxYAMLBytes    = 1 << 20  // kind "oversized"; the YAML parser's cost is super-linear
	MaxBytes        = 16 << 20 // kind "oversized"; the other formats
	MaxDepth        = 256      // kind "depth": nested objects and arrays, aliases followed
	MaxNodes        = 300_000  // kind "limit": values in one file, aliases not followed
	MaxAliased      = 100_000  // kind "limit": values that YAML aliases and merge keys add
	MaxAliasedBytes = 16 << 20 // kind "limit": text that they add
)

// maxPath bounds the paths that Walk hands out, in bytes without the ellipsis.
const maxPath = 1024

// Kind is what a node holds. TOML dates and YAML timestamps are Strings.
type Kind uint8

const (
	Null Kind = iota
	Bool
	Number
	String
	Object
	Array
)

// Format is a notation.
type Format uint8

const (
	JSON  Format = iota // RFC 8259
	JSONC               // JSON with // and /* */ comments and trailing commas
	TOML                // TOML 1.0
	YAML                // YAML 1.1 as most Go programs read it
)

// Node is one value. All spans are in the file that was parsed.
//
// A node lies inside its parent's Span, with two exceptions. TOML tables: the
// Span of a table with a header runs from the header to the end of the table's
// own last line, and its sub-tables are elsewhere. YAML aliases: below a node
// with Alias everything is at the anchor.
type Node struct {
	Kind     Kind
	Key      analyzers.Text // decoded key under which an object holds this node, Span without quotes; zero otherwise
	Text     analyzers.Text // scalars: the decoded value, numbers, booleans and null as spelt; Span without quotes
	Span     analyzers.Span // whole value, with quotes or brackets; of an alias, the alias itself
	KeySpan  analyzers.Span // whole key, with quotes
	Children []*Node        // members of an object in file order, duplicates kept; elements of an array
	Dup      bool           // an earlier member of the same object has the same decoded key
	// Alias marks what YAML wrote elsewhere: an alias (*a), whose Kind, Text
	// and Children are the anchor's, or a member that a merge key (<<) brought
	// in, whose Key and Span are, too. Merged members follow the written ones;
	// one whose key is already there is left out, as YAML demands.
	Alias bool

	format Format
	loose  bool // JSONC: a comment or a trailing comma is inside
}

// Error says why a file was refused. It quotes at most one character of it.
type Error = analyzers.ParseError

func fault(kind, reason string, at analyzers.Span) *Error {
	return &Error{Kind: kind, Reason: reason, Span: at}
}

func tooDeep(at analyzers.Span) error {
	return fault("depth", "values are nested deeper than "+strconv.Itoa(MaxDepth), at)
}

func tooMany(at analyzers.Span) error {
	return fault("limit", "the file holds more than "+strconv.Itoa(MaxNodes)+" values", at)
}

// FormatOf is the format of a path by its extension. JSON files count as
// JSONC, because MCP clients tolerate comments and trailing commas; so does an
// unknown extension.
func FormatOf(path string) Format {
	switch path = strings.ToLower(path); {
	case strings.HasSuffix(path, ".toml"):
		return TOML
	case strings.HasSuffix(path, ".yaml"), strings.HasSuffix(path, ".yml"):
		return YAML
	}
	return JSONC
}

// Parse reads a file that holds one value. A YAML stream may hold more
// documents as long as they are empty; an empty stream is Null. The error is
// an *Error.
func Parse(src *analyzers.Source, format Format) (*Node, error) {
	docs, err := ParseDocs(src, format)
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 {
		end := src.Span(len(src.Bytes), len(src.Bytes))
		return &Node{Text: analyzers.Text{Span: end}, Span: end, format: format}, nil
	}
	for _, doc := range docs[1:] {
		if doc.Kind != Null {
			return nil, fault("malformed", "a second YAML document starts here, and only one is expected", doc.Span)
		}
	}
	return docs[0], nil
}

// ParseDocs reads every document of a YAML stream, none for an empty one. For
// the other formats it returns one node. The error is an *Error.
func ParseDocs(src *analyzers.Source, format Format) ([]*Node, error) {
	start, err := check(src, format)
	if err != nil {
		return nil, err
	}
	var root *Node
	switch format {
	case YAML:
		return parseYAML(src, start)
	case TOML:
		root, err = parseTOML(src, start)
	default:
		root, err = parseJSON(src, start, format)
	}
	if err != nil {
		return nil, err
	}
	return []*Node{root}, nil
}

const bom = "\xef\xbb\xbf"

// check refuses what no parser should see and returns the offset of the first
// byte behind a byte order mark.
func check(src *analyzers.Source, format Format) (start int, err error) {
	limit := MaxBytes
	if format == YAML {
		limit = MaxYAMLBytes
	}
	b := src.Bytes
	if len(b) > limit {
		return 0, fault("oversized", "the file has "+strconv.Itoa(len(b))+" bytes; at most "+strconv.Itoa(limit)+" are read in this format", src.Span(0, 0))
	}
	head := string(b[:min(len(b), 4)])
	if strings.HasPrefix(head, "\xff\xfe") || strings.HasPrefix(head, "\xfe\xff") || head == "\x00\x00\xfe\xff" {
		return 0, fault("encoding", "the file is UTF-16 or UTF-32; only UTF-8 is read", src.Span(0, len(head)))
	}
	if strings.HasPrefix(head, bom) {
		start = len(bom)
	}
	if strings.HasPrefix(string(b[start:min(len(b), start+len(bom))]), bom) {
		return 0, fault("encoding", "a second byte order mark", src.Span(start, start+len(bom)))
	}
	for i := start; i < len(b); {
		if b[i] == 0 {
			return 0, fault("encoding", "a NUL byte: the file is binary, or UTF-16 without a byte order mark", src.Span(i, i+1))
		}
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return 0, fault("encoding", "a byte that is not UTF-8", src.Span(i, i+1))
		}
		i += size
	}
	return start, nil
}

// IsObject reports whether n is there and an object.
func (n *Node) IsObject() bool { return n != nil && n.Kind == Object }

// IsArray reports whether n is there and an array.
func (n *Node) IsArray() bool { return n != nil && n.Kind == Array }

// IsString reports whether n is there and a string.
func (n *Node) IsString() bool { return n != nil && n.Kind == String }

// Str is the decoded text of a String, "" of everything else.
func (n *Node) Str() string {
	if !n.IsString() {
		return ""
	}
	return n.Text.Raw()
}

// Get follows keys through objects and returns nil where one is missing. Of
// duplicate keys it takes the last, as most decoders do.
func (n *Node) Get(keys ...string) *Node {
	for _, key := range keys {
		if !n.IsObject() {
			return nil
		}
		var found *Node
		for _, child := range n.Children {
			if child.Key.Raw() == key {
				found = child
			}
		}
		n = found
	}
	return n
}

// All returns every member of an object with that key.
func (n *Node) All(key string) []*Node {
	if !n.IsObject() {
		return nil
	}
	var all []*Node
	for _, child := range n.Children {
		if child.Key.Raw() == key {
			all = append(all, child)
		}
	}
	return all
}

// Repeats reports whether an object in n holds a key twice.
func (n *Node) Repeats() bool {
	for _, child := range n.Children {
		if child.Dup || len(child.Children) > 0 && child.Repeats() {
			return true
		}
	}
	return false
}

// Index is the i-th element of an array, nil where there is none.
func (n *Node) Index(i int) *Node {
	if !n.IsArray() || i < 0 || i >= len(n.Children) {
		return nil
	}
	return n.Children[i]
}

// Walk visits n and everything below it, depth first and in file order. The
// path of n is ""; below it is like "a.b[0].c". A path of more than 1 KiB ends
// in "…". When visit returns false, the node's children are left out.
func (n *Node) Walk(visit func(path string, n *Node) bool) {
	if n != nil {
		n.walk("", visit)
	}
}

func (n *Node) walk(path string, visit func(string, *Node) bool) {
	if !visit(path, n) {
		return
	}
	for i, child := range n.Children {
		if n.Kind == Array {
			child.walk(join(path, "", "["+strconv.Itoa(i)+"]"), visit)
		} else {
			child.walk(join(path, ".", child.Key.Raw()), visit)
		}
	}
}

// join keeps paths short: a hostile file could make them quadratic. A path of
// maxPath or more has been cut and grows no further.
func join(path, separator, step string) string {
	if len(path) >= maxPath {
		return path
	}
	if path == "" {
		separator = ""
	}
	if len(path)+len(separator)+len(step) < maxPath {
		return path + separator + step
	}
	path += separator + step[:min(len(step), maxPath)]
	return strings.ToValidUTF8(path[:min(len(path), maxPath)], "") + "…"
}

// markDups sets Dup on the members of one object.
func markDups(members []*Node) {
	if len(members) <= 8 {
		for i, m := range members {
			for _, earlier := range members[:i] {
				m.Dup = m.Dup || earlier.Key.Value == m.Key.Value
			}
		}
		return
	}
	seen := make(map[analyzers.Untrusted]struct{}, len(members))
	for _, m := range members {
		if _, m.Dup = seen[m.Key.Value]; !m.Dup {
			seen[m.Key.Value] = struct{}{}
		}
	}
}
