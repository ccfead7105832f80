package report

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// frame is the line of a file that a finding is about, fit for a terminal:
// secrets masked, hidden characters spelt out, tabs expanded, a long line cut
// down to what surrounds the span.
type frame struct {
	line         int    // 1-based
	text         string // printable
	start, width int    // of the carets, in cells
}

const (
	frameCells = 100
	// frameReach is how far from the start of a span the frame looks, in
	// bytes. Secrets are looked for further out, so that one at the edge is
	// seen as a whole.
	frameReach   = 1024
	frameContext = 4096
)

// widths does not ask the environment for its locale: the same scan prints
// the same frame everywhere.
var widths = &runewidth.Condition{StrictEmojiNeutral: true}

// piece is what the bytes [start, end) of a file look like.
type piece struct {
	text       string
	start, end int
}

// frame shows the first line of span; nil when it is in no file.
func (m *masker) frame(span analyzers.Span) *frame {
	if span.IsZero() {
		return nil
	}
	file := span.Source.Bytes
	from, to := lineAround(file, span.Start, frameContext)
	secrets := m.within(span.Source, from, to)
	for _, at := range m.find(string(file[from:to])) {
		secrets = append(secrets, interval{from + at.start, from + at.end})
	}
	secrets = merge(secrets)

	begin, end := lineAround(file, span.Start, frameReach)
	pieces := split(file[:end], begin, secrets)
	first, last := 0, 0 // the pieces that the carets point at
	for _, p := range pieces {
		if p.end <= span.Start {
			first++
		}
		if p.start < max(span.End, span.Start+1) {
			last++
		}
	}
	lo, hi := window(pieces, first, last)
	last = min(last, hi)

	var b strings.Builder
	if lo > 0 || !atLineStart(file, begin) {
		b.WriteString("…")
	}
	f := &frame{line: span.Begin().Line, width: 1}
	for i, p := range pieces[lo:hi] {
		if lo+i == first {
			f.start = widths.StringWidth(b.String())
		}
		b.WriteString(p.text)
		if lo+i == last-1 && first < last {
			f.width = max(widths.StringWidth(b.String())-f.start, 1)
		}
	}
	if first >= hi {
		f.start = widths.StringWidth(b.String())
	}
	if hi < len(pieces) || !atLineEnd(file, end) {
		b.WriteString("…")
	}
	if f.text = b.String(); len(m.find(f.text)) > 0 {
		return nil // what was changed above spells a secret anew
	}
	return f
}

// window chooses the pieces to show: those of the span and as much around
// them as fits.
func window(pieces []piece, first, last int) (lo, hi int) {
	width := func(from, to int) (n int) {
		for _, p := range pieces[from:to] {
			n += widths.StringWidth(p.text)
		}
		return n
	}
	if width(0, len(pieces)) <= frameCells {
		return 0, len(pieces)
	}
	const budget = frameCells - 2 // two dots
	before := max((budget-width(first, last))/2, budget/5)
	lo, hi = first, first
	used := 0
	for ; lo > 0 && used < before; lo-- {
		used += widths.StringWidth(pieces[lo-1].text)
	}
	for ; hi < len(pieces); hi++ {
		if used += widths.StringWidth(pieces[hi].text); used > budget {
			break
		}
	}
	for ; hi == len(pieces) && lo > 0; lo-- {
		if used += widths.StringWidth(pieces[lo-1].text); used > budget {
			break
		}
	}
	return lo, hi
}

// split takes the line apart from begin on.
func split(line []byte, begin int, secrets []interval) []piece {
	var out []piece
	for i := begin; i < len(line); {
		for len(secrets) > 0 && secrets[0].end <= i {
			secrets = secrets[1:]
		}
		if len(secrets) > 0 && secrets[0].start <= i {
			end := min(secrets[0].end, len(line))
			out = append(out, piece{mask, i, end})
			i = end
			continue
		}
		r, size := utf8.DecodeRune(line[i:])
		p := piece{string(r), i, i + size}
		switch {
		case r == '\t':
			p.text = "    "
		case r == '#' && i > begin && bytes.HasPrefix(line[i-1:], []byte("##[")):
			p.text = escapeRune(r)
		case analyzers.Hidden(r):
			p.text = escapeRune(r)
		}
		out = append(out, p)
		i += size
	}
	return out
}

// escapeRune spells a rune as analyzers.Untrusted does.
func escapeRune(r rune) string { return fmt.Sprintf(`\u{%x}`, r) }

// lineAround is the line that offset is in, without its line ending and no
// more than reach bytes to either side.
func lineAround(file []byte, offset, reach int) (start, end int) {
	start, end = max(offset-reach, 0), min(offset+reach, len(file))
	if i := bytes.LastIndexAny(file[start:offset], "\r\n"); i >= 0 {
		start += i + 1
	} else {
		start = runeStart(file, start, +1)
	}
	if i := bytes.IndexAny(file[offset:end], "\r\n"); i >= 0 {
		end = offset + i
	} else {
		end = runeStart(file, end, -1)
	}
	return min(start, offset), max(end, offset)
}

func atLineStart(file []byte, i int) bool {
	return i == 0 || file[i-1] == '\n' || file[i-1] == '\r'
}

func atLineEnd(file []byte, i int) bool {
	return i == len(file) || file[i] == '\n' || file[i] == '\r'
}
