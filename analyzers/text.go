package analyzers

import (
	"fmt"
	"sort"
	"strings"
	"unicode"
)

// Untrusted is text that an attacker may have written: names, arguments, tool
// descriptions. Printing it is safe by default: String escapes control,
// bidirectional and invisible runes. Rules match on Raw.
type Untrusted string

// Raw is the text as it was decoded. It is for matching, never for printing.
func (u Untrusted) Raw() string { return string(u) }

// String is the text with every rune that a terminal would obey or hide
// written as \u{hex}; it holds no line break.
func (u Untrusted) String() string {
	clean := true
	for _, r := range u {
		if Hidden(r) {
			clean = false
			break
		}
	}
	if clean {
		return string(u)
	}
	var b strings.Builder
	for _, r := range u {
		if Hidden(r) {
			fmt.Fprintf(&b, `\u{%x}`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Format prints the escaped text for every verb; %q puts quotes around it.
func (u Untrusted) Format(f fmt.State, verb rune) {
	if verb == 'q' {
		fmt.Fprint(f, `"`+u.String()+`"`)
		return
	}
	fmt.Fprint(f, u.String())
}

// Hidden reports whether a reader of r would see nothing, or something other
// than r: control and format characters, bidirectional controls, tags,
// variation selectors, blank letters, private use, and U+FFFD, which stands
// for bytes that are no text.
func Hidden(r rune) bool {
	switch {
	case r == ' ':
		return false
	case r < 0x7f:
		return r < ' '
	case r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0, r == 0x2800:
		return true // letters and symbols that are drawn as nothing
	case r == unicode.ReplacementChar:
		return true // a byte that is no text
	case r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0000 && r <= 0xe0fff:
		return true // variation selectors, tags
	}
	return !unicode.IsPrint(r)
}

// Text is a decoded string of a file with its place. Span covers the value's
// raw bytes without quotes. The zero Text means "not there".
type Text struct {
	Value Untrusted
	Span  Span
	// Map leads from Value back to the raw bytes; nil when they are equal.
	Map OffsetMap
}

// IsZero reports whether the text was not there at all; an empty string that
// was written in a file is not zero.
func (t Text) IsZero() bool { return t.Value == "" && t.Span.IsZero() }

// Raw is short for t.Value.Raw().
func (t Text) Raw() string { return string(t.Value) }

// String is the printable form of the value.
func (t Text) String() string { return t.Value.String() }

// Format prints the text as its value does.
func (t Text) Format(f fmt.State, verb rune) { t.Value.Format(f, verb) }

// At is the raw place of the decoded bytes [start, end) of Value: of the whole
// escape where one of them came out of an escape.
func (t Text) At(start, end int) Span {
	if t.Span.IsZero() {
		return Span{}
	}
	start = min(max(start, 0), len(t.Value))
	end = min(max(end, start), len(t.Value))
	from, to := t.Map.raw(start, false), t.Map.raw(end, true)
	return t.Span.Source.Span(min(t.Span.Start+from, t.Span.End), min(t.Span.Start+max(from, to), t.Span.End))
}

// Slice is the part [start, end) of the text, in decoded bytes, as a Text.
func (t Text) Slice(start, end int) Text {
	if t.Span.IsZero() {
		return Text{Value: t.Value[start:end]}
	}
	return Text{Value: t.Value[start:end], Span: t.At(start, end), Map: t.Map.slice(start, end)}
}

// OffsetMap leads from decoded offsets to raw ones. Its marks ascend; the
// first is {0, r} and the last is {len(decoded), len(raw)}. Between two marks
// both sides advance byte by byte when the distances are equal; otherwise the
// stretch is one escape, which has no inside. A nil map is the identity.
type OffsetMap []Mark

// Mark pairs an offset in the decoded string with the offset of the same place
// in the raw bytes of the Text's Span.
type Mark struct{ Decoded, Raw int }

// raw returns the raw offset of a decoded one. Inside an escape it is the
// escape's start, or its end when end is asked for.
func (m OffsetMap) raw(offset int, end bool) int {
	if len(m) == 0 {
		return offset
	}
	// The last mark at or before offset. For an end, a boundary belongs to the
	// stretch before it, so that raw bytes that decode to nothing (a YAML
	// fold, a line continuation) are not swallowed.
	i := sort.Search(len(m), func(i int) bool {
		if end && offset > 0 {
			return m[i].Decoded >= offset
		}
		return m[i].Decoded > offset
	}) - 1
	i = min(max(i, 0), len(m)-1)
	if i == len(m)-1 {
		return m[i].Raw
	}
	from, to := m[i], m[i+1]
	if to.Decoded-from.Decoded == to.Raw-from.Raw {
		return from.Raw + offset - from.Decoded
	}
	if end && offset > from.Decoded {
		return to.Raw
	}
	return from.Raw
}

func (m OffsetMap) slice(start, end int) OffsetMap {
	if len(m) == 0 {
		return nil
	}
	from := m.raw(start, false)
	out := OffsetMap{{0, 0}}
	for _, mark := range m {
		if mark.Decoded > start && mark.Decoded < end {
			out = append(out, Mark{mark.Decoded - start, mark.Raw - from})
		}
	}
	return append(out, Mark{end - start, m.raw(end, true) - from})
}
