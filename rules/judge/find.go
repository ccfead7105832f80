package judge

import (
	"strings"
	"unicode/utf8"
)

// The functions of this file stand in for the regular expressions of patterns
// that nearly every text would have to run. The tests hold them to those.

func digit(b byte) bool { return b-'0' <= 9 }
func small(b byte) bool { return b-'a' <= 'z'-'a' }

// wordByte reports whether b is a \w of a regular expression.
func wordByte(b byte) bool { return small(b) || digit(b) || b == '_' || b-'A' <= 'Z'-'A' }

// space reports whether b is a \s of a regular expression.
func space(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' || b == '\f' }

func next(low string, i int) byte {
	if i+1 < len(low) {
		return low[i+1]
	}
	return 0
}

func before(low string, i int) byte {
	if i > 0 {
		return low[i-1]
	}
	return 0
}

func mayBeAddress(low string, i int) bool {
	if low[i] == '+' {
		return digit(next(low, i))
	}
	a, b := before(low, i), next(low, i)
	return (wordByte(a) || a == '.' || a == '+' || a == '-') && (wordByte(b) || b == '-')
}

func mayBeAccount(low string, i int) bool {
	a := before(low, i)
	return digit(a) || low[i] == '%' && a == ' ' && i > 1 && digit(low[i-2])
}

func mayBeFrame(low string, i int) bool {
	if low[i] == '<' {
		return strings.IndexByte("/|ishaocn", next(low, i)) >= 0
	}
	return strings.IndexByte("/isaobp", next(low, i)) >= 0
}

func mayBeTool(low string, i int) bool {
	return small(next(low, i)) || low[i] == '_' && digit(next(low, i))
}

// findTool finds the name of a tool: words with underscores between, or in
// quotes with underscores or dashes; or one word in quotes that a tool or
// function is called.
func findTool(low string, from int) (start, end int) {
	for i := from; i < len(low); i++ {
		switch c := low[i]; {
		case c == '\'' || c == '"' || c == '`':
			if e := quotedTool(low, i); e > 0 {
				return i, e
			}
		case wordByte(c) && !wordByte(before(low, i)):
			if e := joined(low, i); e > 0 {
				return i, e
			}
		}
	}
	return -1, -1
}

// joined returns the end of the word at i if it is several with underscores
// between, 0 otherwise.
func joined(low string, i int) int {
	if !small(low[i]) {
		return 0
	}
	several := false
	for i++; i < len(low); i++ {
		switch c := low[i]; {
		case small(c) || digit(c):
		case c == '_':
			if low[i-1] == '_' {
				return 0
			}
			several = true
		case wordByte(c):
			return 0
		default:
			if !several || low[i-1] == '_' {
				return 0
			}
			return i
		}
	}
	if !several || low[i-1] == '_' {
		return 0
	}
	return i
}

// quotedTool returns the end of the name in quotes at i, 0 without one.
func quotedTool(low string, i int) int {
	if !small(next(low, i)) {
		return 0
	}
	parts, letters := 1, true
	for k := i + 2; k < len(low); k++ {
		switch c := low[k]; {
		case small(c):
		case digit(c):
			letters = false
		case c == '_' || c == '-':
			if low[k-1] == '_' || low[k-1] == '-' {
				return 0
			}
			parts++
		case c == '\'' || c == '"' || c == '`':
			if parts > 1 && low[k-1] != '_' && low[k-1] != '-' {
				return k + 1
			}
			if rest := low[k+1:]; parts == 1 && letters && k-i-1 >= 4 && k-i-1 <= 20 {
				for _, kind := range [...]string{" tool", " function"} {
					if strings.HasPrefix(rest, kind) {
						return k + 1 + len(kind)
					}
				}
			}
			return 0
		default:
			return 0
		}
	}
	return 0
}

func mayBeQuoted(low string, i int) bool { return i == 0 || opensQuote(low[i-1]) }

func opensQuote(b byte) bool { return space(b) || b == '(' || b == '[' || b == ':' || b == '=' }

// findQuotation finds what stands between quotation marks and is longer than a
// name, with the character in front of it and the one behind.
func findQuotation(low string, from int) (start, end int) {
	for i := from; i < len(low); i++ {
		quote, size := rune(low[i]), 1
		switch {
		case quote == '"' || quote == '\'':
		case quote == 0xe2 && strings.HasPrefix(low[i:], "“"):
			quote, size = '"', len("“")
		default:
			continue
		}
		if i == from && i > 0 || i > 0 && !opensQuote(low[i-1]) {
			continue
		}
		if e := quotation(low, i+size, quote); e > 0 {
			return max(0, i-1), e
		}
	}
	return -1, -1
}

// quotation returns the end of a quotation whose text begins at i, 0 without
// one.
func quotation(low string, i int, quote rune) int {
	const fewest = 20 // characters
	n := 0
	for i < len(low) {
		r, size := rune(low[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(low[i:])
		}
		switch closes := r == '”' && quote == '"' || r == quote; {
		case n == 0 && size == 1 && space(low[i]):
			return 0
		case closes && n >= fewest:
			i += size
			if i == len(low) {
				return i
			}
			if c := low[i]; space(c) || strings.IndexByte(").,;:!?]", c) >= 0 {
				return i + 1
			}
			return 0
		case r == '"' || r == '”' || r == quote:
			return 0
		}
		n++
		i += size
	}
	if n < fewest {
		return 0
	}
	return i
}
