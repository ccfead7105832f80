package analyzers

import (
	"bytes"
	"sort"
	"sync"
	"unicode/utf8"
)

// Source is one file, read once. Path is slash-separated and relative to the
// scan root, so the same finding has the same fingerprint on every machine.
// Bytes must not change after the first Span is resolved.
type Source struct {
	Path  string
	Bytes []byte

	index sync.Once
	lines []int  // byte offset of the first byte of each line
	marks []mark // inside long lines
}

// mark is a place in a long line: the UTF-16 code units between the line's
// start and a byte offset. It keeps a place in a minified file cheap.
type mark struct{ offset, units int }

const markStep = 4096 // bytes

// Span is a half-open byte range [Start, End) of a Source. The zero Span, with
// a nil Source, means "no place in a file".
type Span struct {
	Source     *Source
	Start, End int
}

// Position is a place as people and SARIF count it: Line and Column are
// 1-based and Column counts UTF-16 code units (SARIF 2.1.0, 3.30.4,
// columnKind utf16CodeUnits).
type Position struct{ Line, Column int }

// Span returns the range [start, end) clamped to the file.
func (src *Source) Span(start, end int) Span {
	start = min(max(start, 0), len(src.Bytes))
	return Span{src, start, min(max(end, start), len(src.Bytes))}
}

// Begin is the position of the first byte of the span; the zero Position when
// the span is in no file.
func (s Span) Begin() Position { return s.Source.position(s.Start) }

// Finish is the position just behind the last byte of the span.
func (s Span) Finish() Position { return s.Source.position(s.End) }

// IsZero reports whether the span is in no file.
func (s Span) IsZero() bool { return s.Source == nil }

// Path is the span's file, "" when it is in none.
func (s Span) Path() string {
	if s.Source == nil {
		return ""
	}
	return s.Source.Path
}

// Raw is the bytes inside the span. They are the file's own: do not change them.
func (s Span) Raw() []byte {
	if s.Source == nil {
		return nil
	}
	return s.Source.Bytes[s.Start:s.End]
}

// Line returns the bytes of the 1-based line without its line ending, and the
// offset of its first byte. It returns nil for a line the file does not have.
func (src *Source) Line(line int) (text []byte, offset int) {
	src.buildIndex()
	if line < 1 || line > len(src.lines) {
		return nil, 0
	}
	start, end := src.lines[line-1], len(src.Bytes)
	if line < len(src.lines) {
		end = src.lines[line]
	}
	return bytes.TrimRight(src.Bytes[start:end], "\r\n"), start
}

func (src *Source) position(offset int) Position {
	if src == nil {
		return Position{}
	}
	src.buildIndex()
	line := sort.SearchInts(src.lines, offset+1) - 1
	from := mark{offset: src.lines[line]}
	if i := sort.Search(len(src.marks), func(i int) bool { return src.marks[i].offset > offset }) - 1; i >= 0 && src.marks[i].offset > from.offset {
		from = src.marks[i]
	}
	return Position{Line: line + 1, Column: from.units + UTF16Len(src.Bytes[from.offset:offset]) + 1}
}

// buildIndex finds the lines: they end in LF, CRLF or a lone CR.
func (src *Source) buildIndex() {
	src.index.Do(func() {
		src.lines = []int{0}
		for i, b := range src.Bytes {
			if b == '\n' || b == '\r' && (i+1 == len(src.Bytes) || src.Bytes[i+1] != '\n') {
				src.markLine(src.lines[len(src.lines)-1], i)
				src.lines = append(src.lines, i+1)
			}
		}
		src.markLine(src.lines[len(src.lines)-1], len(src.Bytes))
	})
}

func (src *Source) markLine(start, end int) {
	for units := 0; end-start > markStep; {
		stop := start + markStep
		for start < stop {
			r, size := utf8.DecodeRune(src.Bytes[start:end])
			if units++; r >= 0x10000 {
				units++
			}
			start += size
		}
		src.marks = append(src.marks, mark{start, units})
	}
}

// UTF16Len counts the UTF-16 code units of b; an invalid byte counts as one.
func UTF16Len(b []byte) int {
	n := 0
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if n++; r >= 0x10000 {
			n++
		}
		b = b[size:]
	}
	return n
}
