package policy

import (
	"fmt"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Bounds of policy files. Cedar's parser and checker call themselves for what
// is nested, and nesting is all that can bring them down.
const (
	maxFileBytes = 256 << 10
	maxFileRules = 1000 // of all files
	maxRuleBytes = 16 << 10
	maxNesting   = 64 // brackets, conditions in conditions, members of members
	// The checker's time grows with the cube of what a policy asks for.
	maxHas   = 32
	maxReads = 32 // arguments that a policy names
	maxPath  = 16 // members of members of arguments
)

// token is a word, a string or one character of a policy, outside comments.
type token struct{ start, end int }

// tokens cuts Cedar text. What is no Cedar comes out as single characters: the
// parser has the last word.
func tokens(b []byte) []token {
	var out []token
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '/' && i+1 < len(b) && b[i+1] == '/':
			for i < len(b) && b[i] != '\n' {
				i++
			}
		case c == '"':
			start := i
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			i = min(i+1, len(b))
			out = append(out, token{start, i})
		case wordByte(c):
			start := i
			for i < len(b) && wordByte(b[i]) {
				i++
			}
			out = append(out, token{start, i})
		default:
			out = append(out, token{i, i + 1})
			i++
		}
	}
	return out
}

func wordByte(c byte) bool {
	return c == '_' || c-'0' <= 9 || c|0x20-'a' < 26
}

// checkShape refuses what is too large or nested too deep for the parser.
func checkShape(b []byte, all []token) (at token, err error) {
	if len(b) > maxFileBytes {
		return token{}, fmt.Errorf("the file has %d bytes, more than %d", len(b), maxFileBytes)
	}
	depth, ifs, has, dots, start := 0, 0, 0, 0, 0
	before := ""
	for _, t := range all {
		text := string(b[t.start:t.end])
		switch {
		case text == ".":
			dots++
		case before != ".":
			dots = 0
		}
		before = text
		switch text {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		case "if":
			ifs++
		case "has":
			has++
		case ";":
			ifs, has, start = 0, 0, t.end
		}
		if has > maxHas {
			return t, fmt.Errorf("a policy asks for more than %d members with has; write several policies", maxHas)
		}
		if depth > maxNesting || ifs > maxNesting || dots > maxNesting {
			return t, fmt.Errorf("nested deeper than %d", maxNesting)
		}
		if t.end-start > maxRuleBytes {
			return t, fmt.Errorf("a policy has more than %d bytes; write several", maxRuleBytes)
		}
	}
	return token{}, nil
}

// find is the place of a name in the policy at [start, end): where it is a
// member of something, else a word or a string; the policy's first word when
// it is not in it.
func find(src *analyzers.Source, all []token, start, end int, name string) analyzers.Span {
	first, found := token{-1, -1}, token{-1, -1}
	before := ""
	for _, t := range all {
		if t.start < start || t.start >= end {
			continue
		}
		if first.start < 0 {
			first = t
		}
		raw := string(src.Bytes[t.start:t.end])
		if raw == name || raw == quote(name) {
			if before == "." {
				return src.Span(t.start, t.end)
			}
			if found.start < 0 {
				found = t
			}
		}
		before = raw
	}
	if found.start < 0 {
		found = token{max(first.start, start), max(first.end, start)}
	}
	return src.Span(found.start, found.end)
}

// position is the offset of a 1-based line and column in characters.
func position(src *analyzers.Source, line, column int) int {
	text, offset := src.Line(line)
	n := 1
	for i := range string(text) {
		if n == column {
			return offset + i
		}
		n++
	}
	return offset + len(text)
}
