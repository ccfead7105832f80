package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// hiddenKind is the kind of a rune that is not drawn; 0 for all others, and for
// white space.
func hiddenKind(r rune) NoteKind {
	switch {
	case r < 0x7f:
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' {
			return Control
		}
		return 0
	case r == 0xad:
		return SoftHyphen
	case selector(r):
		return Selectors
	case r >= 0xe0000 && r <= 0xe007f:
		return Tags
	case direction(r):
		return Bidi
	case blankLetter(r):
		return Blank
	case r == utf8.RuneError:
		return Invalid
	case r == 0x34f || unicode.Is(unicode.Cf, r) || r == 0x17b4 || r == 0x17b5:
		if unicode.Is(unicode.Prepended_Concatenation_Mark, r) {
			return 0 // drawn: signs of numbers and verses
		}
		return ZeroWidth
	case unicode.Is(unicode.Co, r):
		return PrivateUse
	case unicode.IsSpace(r): // U+0085 among them
		return 0
	case unicode.IsControl(r):
		return Control
	}
	return 0
}

func selector(r rune) bool {
	return r >= 0xfe00 && r <= 0xfe0f || r >= 0xe0100 && r <= 0xe01ef || r >= 0x180b && r <= 0x180f && r != 0x180e
}

func direction(r rune) bool {
	return r == 0x200e || r == 0x200f || r == 0x61c || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

func blankLetter(r rune) bool {
	return r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0xffa0 || r == 0x2800
}

// vanishes reports whether the normaliser drops r, being no ASCII.
func vanishes(r rune) bool {
	return hiddenKind(r) != 0 && !blankLetter(r) || analyzers.Hidden(r) && !unicode.IsSpace(r)
}

// finder takes down what is hidden in a text.
type finder struct {
	src   mapped
	notes *notebook
	spelt draft // what tags and selectors spell
	last  int   // where the last of them ended
	rtl   int   // end of the last letter that is written from the right; -1 for none

	open []int // embeddings and isolates of this paragraph, by their place
}

// hidden notes what cannot be seen in src, and returns what tags and selectors
// spell, mapped to the raw text of size bytes.
func hidden(src mapped, size int, notes *notebook) mapped {
	f := finder{src: src, notes: notes, rtl: -1}
	f.scan()
	if len(f.spelt.text) == 0 {
		return mapped{}
	}
	return f.spelt.done(size)
}

func (f *finder) note(kind NoteKind, start, end int, decoded string) {
	from, to := f.src.back.Range(start, end)
	f.notes.add(kind, from, to, decoded)
}

func (f *finder) scan() {
	s := f.src.text
	prev := rune(-1)                // last rune that is drawn
	gap, columns, lines := -1, 0, 0 // white space
	marks, pile := 0, 0             // on the last letter
	var known forms
	for i := 0; i < len(s); {
		// What is drawn, for most of what stands in most texts is nothing else.
		r, size := rune(s[i]), 1
		seen := r > ' ' && r < 0x7f
		if r >= 0x80 {
			if known == nil {
				known = knownForms()
			}
			r, size = utf8.DecodeRuneInString(s[i:])
			seen = known.of(r).marks&drawn != 0
		}
		if seen {
			if gap >= 0 {
				f.padded(gap, i, columns, lines)
				gap = -1
			}
			if marks > 0 {
				f.piled(marks, pile, i, prev)
				marks = 0
			}
			prev = r
			i += size
			continue
		}
		if n := terminal(s[i:]); n > 0 {
			f.note(ANSI, i, i+n, strings.TrimLeft(s[i:i+n], "\x1b\u009b"))
			i += n
			continue
		}
		if kind := hiddenKind(r); kind != 0 {
			end := f.run(i, kind)
			f.judge(kind, i, end, prev)
			i = end
			continue
		}
		if r == '\r' && (i+1 == len(s) || s[i+1] != '\n') && i+1 < len(s) {
			f.note(Control, i, i+1, "")
		}
		if unicode.IsSpace(r) {
			if gap < 0 {
				gap, columns, lines = i, 0, 0
			}
			switch r {
			case '\n', 0x2029:
				f.endParagraph()
				columns, lines = 0, lines+1
			case '\t':
				columns += 8
			default:
				columns++
			}
			prev = r
			i += size
			continue
		}
		if gap >= 0 {
			f.padded(gap, i, columns, lines)
			gap = -1
		}
		if unicode.Is(unicode.M, r) {
			if marks == 0 {
				pile = i
			}
			marks++
		} else {
			f.piled(marks, pile, i, prev)
			marks = 0
			prev = r
			if r >= 0x590 && fromRight(r) {
				f.rtl = i + size
			}
		}
		i += size
	}
	f.piled(marks, pile, len(s), prev)
	f.endParagraph()
}

// padded notes white space that pushes what stands behind it out of sight.
func (f *finder) padded(start, end, columns, lines int) {
	if columns >= wide || lines >= tall {
		f.note(Padding, start, end, "")
	}
}

// piled notes marks in a number that no script needs on one letter.
func (f *finder) piled(marks, start, end int, base rune) {
	most := 3
	if base >= 0x370 {
		most = 6
	}
	if marks > most && !unicode.Is(unicode.Tibetan, base) {
		f.note(Combining, start, end, "")
	}
}

// run is the end of the stretch of one kind that begins at start.
func (f *finder) run(start int, kind NoteKind) int {
	s := f.src.text
	i := start
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		if hiddenKind(r) != kind || i > start && (kind == Bidi || terminal(s[i:]) > 0) {
			break
		}
		i += size
	}
	return i
}

// judge notes a stretch of one kind unless the script it stands in needs it.
func (f *finder) judge(kind NoteKind, start, end int, prev rune) {
	s := f.src.text
	r, size := utf8.DecodeRuneInString(s[start:])
	next, _ := utf8.DecodeRuneInString(s[end:])
	single := start+size == end
	decoded := ""
	switch kind {
	case Bidi:
		f.direct(r, start, end)
		return
	case Tags:
		if prev == 0x1f3f4 && flag(s[start:end]) {
			return
		}
		decoded = f.spell(start, end, func(r rune) rune { return r - 0xe0000 })
	case Selectors:
		if single && selects(r, prev) {
			return
		}
		decoded = f.spell(start, end, func(r rune) rune {
			switch {
			case r >= 0xe0100:
				return r - 0xe0100 + 16
			case r >= 0xfe00:
				return r - 0xfe00
			}
			return 0
		})
	case ZeroWidth:
		if start == 0 && r == 0xfeff && single || single && joins(r, prev, next) {
			return
		}
	case SoftHyphen:
		if single && divides(s, start, end) {
			return
		}
	}
	f.note(kind, start, end, decoded)
}

// spell appends what a run spells to what is spelt so far, where it is text.
func (f *finder) spell(start, end int, value func(rune) rune) string {
	var b []byte
	var at []int
	for i := start; i < end; {
		r, size := utf8.DecodeRuneInString(f.src.text[i:])
		if v := value(r); v < 0x100 && v != 1 && v != 0x7f { // neither the tag of languages nor the last tag
			b, at = append(b, byte(v)), append(at, i)
		}
		i += size
	}
	if len(b) == 0 || !readable(b) {
		return ""
	}
	// Runs that stand apart are lines of their own; one tag behind every
	// visible letter is not.
	const apart = 64
	if len(f.spelt.text) > 0 && start-f.last > apart {
		from, to := f.src.back.Range(start, start+1)
		f.spelt.addByte('\n', from, to, false)
	}
	for k, c := range b {
		stop := end
		if k+1 < len(at) {
			stop = at[k+1]
		}
		from, to := f.src.back.Range(at[k], stop)
		f.spelt.addByte(c, from, to, false)
	}
	f.last = end
	return string(b)
}

// direct takes a control of direction. Marks need a letter from the right
// nearby; embeddings and isolates need one, and their end; overrides have no
// use in text.
func (f *finder) direct(r rune, start, end int) {
	switch r {
	case 0x202d, 0x202e:
		f.open = append(f.open, -1-end)
		f.note(Bidi, start, end, "")
	case 0x202a, 0x202b, 0x2066, 0x2067, 0x2068:
		f.open = append(f.open, end)
		if !f.nearRight(start, end) {
			f.note(Bidi, start, end, "")
			f.open[len(f.open)-1] = -1 - end
		}
	case 0x202c, 0x2069:
		if len(f.open) == 0 {
			f.note(Bidi, start, end, "")
			return
		}
		f.open = f.open[:len(f.open)-1]
	default:
		if !f.nearRight(start, end) {
			f.note(Bidi, start, end, "")
		}
	}
}

// endParagraph notes what its paragraph left open.
func (f *finder) endParagraph() {
	for _, end := range f.open {
		if end >= 0 {
			f.note(Bidi, runeStart(f.src.text, end-1), end, "")
		}
	}
	f.open = f.open[:0]
}

// nearRight reports whether a letter that is written from the right stands
// within a few words of [start, end).
func (f *finder) nearRight(start, end int) bool {
	const near = 48
	if f.rtl >= 0 && start-f.rtl <= near {
		return true
	}
	s := f.src.text
	for _, r := range s[end:runeStart(s, min(end+near, len(s)))] {
		if fromRight(r) {
			return true
		}
	}
	return false
}

func fromRight(r rune) bool {
	return r >= 0x590 && r <= 0x8ff || r >= 0xfb1d && r <= 0xfdff || r >= 0xfe70 && r <= 0xfefc || r >= 0x10800 && r <= 0x10fff || r >= 0x1e800 && r <= 0x1efff
}

// flag reports whether tags behind a black flag name a region (UTS #51).
func flag(tags string) bool {
	n := 0
	for _, r := range tags {
		switch c := r - 0xe0000; {
		case c == 0x7f:
			return n >= 3 && n <= 6 && strings.HasSuffix(tags, "\U000e007f") && utf8.RuneCountInString(tags) == n+1
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z':
			n++
		default:
			return false
		}
	}
	return false
}

// selects reports whether a variation sequence of prev and r is a usual one.
func selects(r, prev rune) bool {
	switch {
	case r == 0xfe0f || r == 0xfe0e:
		return pictured(prev) || prev >= '0' && prev <= '9' || prev == '#' || prev == '*' || unicode.Is(unicode.So, prev) || unicode.Is(unicode.Sm, prev)
	case r >= 0xe0100:
		return unicode.Is(unicode.Han, prev)
	case r < 0xfe00:
		return unicode.Is(unicode.Mongolian, prev)
	}
	return r <= 0xfe02 && (unicode.In(prev, unicode.Han, unicode.Myanmar, unicode.Phags_Pa) || unicode.Is(unicode.Sm, prev))
}

// pictured reports whether r may be part of an emoji.
func pictured(r rune) bool {
	return r >= 0x1f000 && r <= 0x1faff || r >= 0x2190 && r <= 0x2bff || r == 0x3030 || r == 0x303d || r >= 0x3297 && r <= 0x3299 ||
		r == 0xa9 || r == 0xae || r == 0x203c || r == 0x2049 || r == 0x2122 || r == 0x2139
}

// joined are the scripts whose writing needs joiners, or breaks without space.
var joined = []*unicode.RangeTable{unicode.Arabic, unicode.Syriac, unicode.Mandaic, unicode.Nko, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi,
	unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Thai,
	unicode.Lao, unicode.Myanmar, unicode.Mongolian, unicode.Tibetan}

// joins reports whether one zero-width character has work to do between prev and next.
func joins(r, prev, next rune) bool {
	switch r {
	case 0x200d:
		return pictured(prev) && pictured(next) || unicode.In(prev, joined...)
	case 0x200c:
		return unicode.In(prev, joined...)
	case 0x200b, 0x2060, 0x180e:
		return unicode.In(prev, joined...) && unicode.In(next, joined...)
	}
	return false
}

// divides reports whether a soft hyphen stands where a word may be divided: two
// letters at the least on either side.
func divides(s string, start, end int) bool {
	for range 2 {
		r, size := utf8.DecodeLastRuneInString(s[:start])
		if !unicode.IsLetter(r) {
			return false
		}
		start -= size
		if r, size = utf8.DecodeRuneInString(s[end:]); !unicode.IsLetter(r) {
			return false
		}
		end += size
	}
	return true
}

// terminal is the length of the escape sequence (ECMA-48) that s begins with,
// 0 for none.
func terminal(s string) int {
	const longest = 256
	var i int
	switch {
	case s[0] == 0x1b && len(s) > 1:
		switch s[1] {
		case '[':
			i = 2
		case ']', 'P', '^', '_', 'X': // strings up to BEL or ST
			for i = 2; i < len(s) && i < longest; i++ {
				if s[i] == 0x07 {
					return i + 1
				}
				if s[i] == 0x1b {
					if i+1 < len(s) && s[i+1] == '\\' {
						return i + 2
					}
					break
				}
			}
			return 2 // without an end: the text behind it stays text
		default:
			if s[1] < ' ' || s[1] > '~' {
				return 1
			}
			return 2
		}
	case s[0] == 0x1b:
		return 1
	case strings.HasPrefix(s, "\u009b"):
		i = 2
	default:
		return 0
	}
	for ; i < len(s) && i < longest; i++ {
		switch {
		case s[i] >= '@' && s[i] <= '~':
			return i + 1
		case s[i] < ' ' || s[i] > '?':
			return i
		}
	}
	return i
}
