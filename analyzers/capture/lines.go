package capture

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// lines reads the messages of a log: one JSON object a line, whatever stands
// around it. bad is the first line that holds a message which is cut or broken.
func (r *reader) lines() (all []envelope, bad *analyzers.ParseError) {
	content := r.file.Bytes
	nodes := 0
	for at := 0; at < len(content); {
		end := len(content)
		if i := bytes.IndexByte(content[at:], '\n'); i >= 0 {
			end = at + i
		}
		if framed(content[at:end]) {
			err := r.line(at, end, func(root *tree.Node) bool {
				if nodes += count(root); nodes > tree.MaxNodes {
					return false
				}
				all = envelopes(root, analyzers.Text{}, 0, all)
				return true
			})
			if nodes > tree.MaxNodes {
				return all, &analyzers.ParseError{Kind: "limit", Reason: fmt.Sprintf("the messages hold more than %d values; the rest is not read", tree.MaxNodes)}
			}
			if bad == nil {
				bad = err
			}
		}
		at = end + 1
	}
	return all, bad
}

// framed reports whether the bytes hold the version member of a JSON-RPC
// message.
func framed(content []byte) bool {
	for key := []byte(`"jsonrpc"`); ; {
		i := bytes.Index(content, key)
		if i < 0 {
			return false
		}
		content = content[i+len(key):]
		if rest := bytes.TrimLeft(content[:min(len(content), 16)], " \t\r\n"); len(rest) > 0 && rest[0] == ':' {
			return true
		}
	}
}

// maxFailed is how many braces of a line may begin nothing: what a log writes
// around a message may hold some.
const maxFailed = 8

// line calls visit with the messages in the line [at, end) until it returns
// false. bad says that something which looked like one is not whole.
func (r *reader) line(at, end int, visit func(*tree.Node) bool) (bad *analyzers.ParseError) {
	content := r.file.Bytes
	var open *analyzers.ParseError // a brace without its end: of the log's own, if a message follows
	for failed := 0; failed < maxFailed; {
		i := bytes.IndexByte(content[at:end], '{')
		if i < 0 {
			break
		}
		if i > 0 && content[at+i-1] == '[' {
			i--
		}
		at += i
		size := objectEnd(content[at:end])
		if size < 0 {
			if open == nil && framed(content[at:end]) {
				open = &analyzers.ParseError{Kind: "malformed", Reason: "a JSON-RPC message that does not end on its line", Span: r.file.Span(at, end)}
			}
			at, failed = at+1, failed+1
			if content[at-1] == '[' {
				at++ // the brace behind it fails as well
			}
			continue
		}
		if framed(content[at : at+size]) {
			root, err := tree.Parse(&analyzers.Source{Path: r.file.Path, Bytes: content[at : at+size]}, tree.JSON)
			if err != nil {
				bad = moved(err, r.file.Source, at)
				failed++
			} else {
				rebase(root, r.file.Source, at)
				if open = nil; !visit(root) {
					return nil
				}
			}
		}
		at += size
	}
	if bad == nil {
		bad = open
	}
	return bad
}

// moved is the error of parsing the bytes at offset, as one about the file. Its
// kind is the same for all: logs break off anywhere, and no client reads them.
func moved(err error, src *analyzers.Source, offset int) *analyzers.ParseError {
	var parse *analyzers.ParseError
	if !errors.As(err, &parse) {
		return &analyzers.ParseError{Kind: "malformed", Reason: "a JSON-RPC message that cannot be read", Span: src.Span(offset, offset)}
	}
	return &analyzers.ParseError{Kind: "malformed", Reason: "a JSON-RPC message that cannot be read: " + parse.Reason, Span: src.Span(offset+parse.Span.Start, offset+parse.Span.End)}
}

// objectEnd is the length of the JSON value that content begins with, told by
// its brackets alone; -1 when it does not end.
func objectEnd(content []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(content); i++ {
		switch c := content[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// rebase moves a tree that was parsed from the bytes at offset to the file.
func rebase(n *tree.Node, src *analyzers.Source, offset int) {
	for _, s := range []*analyzers.Span{&n.Span, &n.KeySpan, &n.Text.Span, &n.Key.Span} {
		if !s.IsZero() {
			*s = src.Span(s.Start+offset, s.End+offset)
		}
	}
	for _, child := range n.Children {
		rebase(child, src, offset)
	}
}

// count is how many values a tree holds.
func count(n *tree.Node) int {
	sum := 1
	for _, child := range n.Children {
		sum += count(child)
	}
	return sum
}
