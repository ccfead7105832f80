package text

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// cell is a rune on its way through the normaliser, with the source bytes that
// it came from.
type cell struct {
	r        rune
	from, to int32
	part     bool // of what the source bytes became
}

// longestChunk bounds what is held in cells at a time. A longer line is cut at
// white space, or where there is none, between runes.
const longestChunk = 32 << 10

// normaliser writes one source text in normal form, line by line.
type normaliser struct {
	src         mapped
	notes       *notebook
	out         draft
	cells, next []cell
	word        []byte
	lines       int   // line ends at the end of out
	foreign     scope // of the whole text
}

// normalise is src in normal form: nothing invisible, compatibility forms
// folded (NFKC), HTML entities decoded, marks on Latin letters and Markdown
// dress taken off, lookalikes, leetspeak and spaced letters undone, lower case,
// white space collapsed. Line ends stay, two in a row at the most.
func normalise(src mapped, size int, notes *notebook) mapped {
	n := normaliser{src: src, notes: notes}
	n.out.text = make([]byte, 0, len(src.text))
	n.out.back = make(Map, 0, len(src.text)/16+4)
	s := src.text
	for i := 0; i < len(s); {
		end, line := chunk(s, i)
		n.line(i, end)
		if i = end; line {
			n.lineEnd(i, i+1)
			i++
		}
	}
	return n.out.done(size)
}

// chunk is the end of the line that begins at start, or of what is held of it;
// line tells whether a line end follows.
func chunk(s string, start int) (end int, line bool) {
	window := s[start:min(start+longestChunk, len(s))]
	if i := strings.IndexByte(window, '\n'); i >= 0 {
		return start + i, true
	}
	if len(window) < longestChunk {
		return len(s), false
	}
	if i := strings.LastIndexByte(window, ' '); i > 0 {
		return start + i, false
	}
	return max(runeStart(s, start+len(window)), start+1), false
}

// unveil is src as far as encodings need it: without invisible characters,
// in compatibility form, entities decoded. Letters keep their case. changed
// tells whether that is more than src itself.
func unveil(src mapped, size int) (bare mapped, changed bool) {
	s := src.text
	if bare, _ := composed(s); bare {
		return src, false
	}
	n := normaliser{src: src, notes: &notebook{}}
	n.out.text = make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		end, line := chunk(s, i)
		n.unveil(i, end)
		if i = end; line {
			n.out.copy(src, i, i+1)
			i++
		}
	}
	return n.out.done(size), true
}

func (n *normaliser) unveil(start, end int) {
	s := n.src.text[:end]
	returned := start < end && s[end-1] == '\r'
	if returned { // a line end, as read has it
		end--
		defer func() { n.emit(cell{r: '\n', from: int32(end), to: int32(end + 1)}) }()
	}
	same, known := composed(s[start:end])
	switch {
	case same && !returned:
		n.out.copy(n.src, start, end)
		return
	case !known:
		n.read(start, end)
		n.compose()
		for _, c := range n.cells {
			n.emit(c)
		}
		return
	}
	forms, run := knownForms(), start
	for i := start; i < end; {
		if s[i] < 0x80 {
			if s[i] == '\t' {
				n.out.copy(n.src, run, i)
				n.emit(cell{r: ' ', from: int32(i), to: int32(i + 1)})
				run = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if f := forms.of(r); f.marks&fixed == 0 {
			n.out.copy(n.src, run, i)
			from, to, _ := n.src.back.find(i, i+size)
			n.out.add(f.bare.text(), from, to, false)
			run = i + size
		}
		i += size
	}
	n.out.copy(n.src, run, end)
}

// composed reports whether unveil leaves s as it is, and whether every rune of
// it has a form of its own.
func composed(s string) (same, known bool) {
	var forms forms
	same = true
	blanks := false // tabs and line ends of two bytes stay only where all else is ASCII
	for i := 0; i < len(s); {
		c := s[i]
		if classes[c] < classDress {
			i++
			continue
		}
		switch {
		case c >= 0x80:
			if forms == nil {
				forms = knownForms()
			}
			r, size := utf8.DecodeRuneInString(s[i:])
			marks := forms.of(r).marks
			if marks&calm == 0 {
				return false, false
			}
			same = same && marks&fixed != 0
			i += size
			continue
		case classes[c] == classControl,
			c == '\r' && (i+1 == len(s) || s[i+1] != '\n'),
			c == '&' && i+1 < len(s) && (letter(s[i+1]) || s[i+1] == '#'):
			return false, false
		}
		blanks = blanks || c == '\r' || c == '\t'
		i++
	}
	return same && !(blanks && forms != nil), true
}

func (n *normaliser) line(start, end int) {
	s := n.src.text
	for start < end && blankByte(s[start]) {
		start++
	}
	for start < end && blankByte(s[end-1]) {
		end--
	}
	if start == end || n.quickly(start, end) {
		return
	}
	n.carefully(start, end)
}

// carefully writes a line by way of cells, or as it is where it has no marks.
func (n *normaliser) carefully(start, end int) {
	s := n.src.text
	const all = nonASCII | control | dress
	if survey(s[start:end])&all == 0 {
		n.gap(start)
		n.out.copyAs(lowerASCII(s[start:end]), n.src, start, end)
		n.lines = 0
		return
	}
	n.read(start, end)
	if n.compose() {
		n.lookalikes()
	}
	n.undress()
	n.lower()
	n.leetspeak()
	n.spaced()
	n.write(start)
}

// gap puts a space between two chunks of one line.
func (n *normaliser) gap(at int) {
	if k := len(n.out.text); k > 0 && at > 0 && blankByte(n.src.text[at-1]) && n.out.text[k-1] != '\n' && n.out.text[k-1] != ' ' {
		from, to, _ := n.src.back.find(at-1, at)
		n.out.addByte(' ', from, to, false)
	}
}

func blankByte(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

func (n *normaliser) lineEnd(from, to int) {
	if n.lines < 2 {
		f, t, copied := n.src.back.find(from, to)
		n.out.addByte('\n', f, t, copied)
	}
	n.lines++
}

// read fills cells with what can be seen of the source bytes [start, end).
func (n *normaliser) read(start, end int) {
	n.cells = n.cells[:0]
	s := n.src.text[:end]
	put := func(r rune, from, to int) {
		switch {
		case r < 0x80:
			switch {
			case r == '\t':
				r = ' '
			case r == '\v', r == '\f', r == '\r':
				r = '\n'
			case r < ' ' && r != '\n', r == 0x7f:
				return
			}
		case r == 0x85, r == 0x2028, r == 0x2029:
			r = '\n'
		case blankLetter(r), unicode.IsSpace(r):
			r = ' '
		case vanishes(r):
			return
		case r >= 0x1f150 && r <= 0x1f169: // letters on black
			r = r - 0x1f150 + 'A'
		case r >= 0x1f170 && r <= 0x1f189:
			r = r - 0x1f170 + 'A'
		case r >= 0x1f1e6 && r <= 0x1f1ff: // letters that make flags
			r = r - 0x1f1e6 + 'A'
		}
		n.cells = append(n.cells, cell{r, int32(from), int32(to), false})
	}
	for i := start; i < end; {
		c := s[i]
		switch {
		case c == '&':
			if text, size := entity(s[i:]); size > 0 {
				for _, r := range text {
					put(r, i, i+size)
				}
				i += size
				continue
			}
		case c == 0x1b, c == 0xc2:
			if size := terminal(s[i:]); size > 0 {
				i += size
				continue
			}
		}
		if c < 0x80 {
			put(rune(c), i, i+1)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		put(r, i, i+size)
		i += size
	}
}

// compose brings cells into compatibility form (NFKC) and takes marks off that
// only dress a letter. It reports whether anything is left that is not ASCII,
// or was not.
func (n *normaliser) compose() bool {
	first := slices.IndexFunc(n.cells, func(c cell) bool { return c.r >= 0x80 })
	if first < 0 {
		return false
	}
	first = max(first-1, 0) // a mark changes the letter before it
	out := append(n.next[:0], n.cells[:first]...)
	var raw, form [256]byte
	styled := span{}
	for i := first; i < len(n.cells); {
		c := n.cells[i]
		j := i + 1
		for j < len(n.cells) && extends(n.cells[j].r) {
			j++
		}
		if j == i+1 && (c.r < 0x80 || uncomposed(c.r) || norm.NFKD.PropertiesString(string(c.r)).Decomposition() == nil) {
			if !dropped(c.r) {
				out = append(out, c)
			}
			i = j
			continue
		}
		// No letter needs more marks than these.
		const longest = 24
		b := raw[:0]
		for _, c := range n.cells[i:min(j, i+longest)] {
			b = utf8.AppendRune(b, c.r)
		}
		decomposed := norm.NFKD.Append(form[:0], b...)
		kept := b[:0]
		latin := false
		for len(decomposed) > 0 {
			r, size := utf8.DecodeRune(decomposed)
			decomposed = decomposed[size:]
			mark := unicode.Is(unicode.Mn, r)
			if !mark {
				latin = unicode.Is(unicode.Latin, r)
			}
			if !mark || !latin {
				kept = utf8.AppendRune(kept, r)
			}
		}
		from, to := c.from, n.cells[j-1].to
		for _, r := range string(norm.NFC.Bytes(kept)) {
			if !dropped(r) {
				out = append(out, cell{r, from, to, true})
			}
		}
		if unicode.IsLetter(c.r) && c.r >= 0x2100 || c.r >= 0x24b6 && c.r <= 0x24e9 {
			if last := len(out) - 1; last >= 0 && out[last].r < 0x80 && letter(byte(out[last].r)) {
				styled.extend(from, to)
			}
		}
		i = j
	}
	n.cells, n.next = out, n.cells
	if styled.count >= 3 {
		n.note(Styled, styled.from, styled.to, "")
	}
	return true
}

// uncomposed reports of the letters that are met most that they have no other form.
func uncomposed(r rune) bool {
	return r >= 0x3b1 && r <= 0x3c9 || r >= 0x410 && r <= 0x44f && r != 0x419 && r != 0x439 || r >= 0x5d0 && r <= 0x5ea || r >= 0x2010 && r <= 0x201f && r != 0x2011 && r != 0x2017 ||
		r >= 0x3041 && r <= 0x304a || r >= 0x4e00 && r <= 0x9fff
}

type span struct{ from, to, count int32 }

func (s *span) extend(from, to int32) {
	if s.count == 0 {
		s.from = from
	}
	s.to = to
	s.count++
}

// extends reports whether r belongs to the letter before it: a mark, or a part
// of a Korean syllable or of a half-width Japanese one.
func extends(r rune) bool {
	return r >= 0x300 && (unicode.Is(unicode.M, r) || r >= 0x1161 && r <= 0x11ff || r == 0xff9e || r == 0xff9f)
}

// dropped reports whether r is a mark that leaves a word the word it is: those
// on letters that have no composed form, vowel signs and stretching of Arabic
// and Hebrew.
func dropped(r rune) bool {
	switch {
	case r < 0x300:
		return false
	case r <= 0x36f, r >= 0x483 && r <= 0x489, r >= 0x591 && r <= 0x5bd, r == 0x640, r >= 0x64b && r <= 0x65f, r == 0x670,
		r >= 0x1ab0 && r <= 0x1aff, r >= 0x1dc0 && r <= 0x1dff, r >= 0x20d0 && r <= 0x20ff, r >= 0xfe20 && r <= 0xfe2f:
		return true
	}
	return false
}

// lower folds case, and what one way of writing has for another.
func (n *normaliser) lower() {
	out := n.next[:0]
	for _, c := range n.cells {
		switch {
		case c.r < 0x80:
			if c.r >= 'A' && c.r <= 'Z' {
				c.r |= 0x20
			}
		default:
			c.r = unicode.ToLower(c.r)
			if to, ok := plainly(c.r); ok {
				for _, r := range to {
					out = append(out, cell{r, c.from, c.to, true})
				}
				continue
			}
		}
		out = append(out, c)
	}
	n.cells, n.next = out, n.cells
}

// plainly is the ASCII that is commonly written for r.
func plainly(r rune) (string, bool) {
	switch r {
	case 'ß':
		return "ss", true
	case 'æ':
		return "ae", true
	case 'œ':
		return "oe", true
	case 'ø', 'ɵ':
		return "o", true
	case 'ł', 'ƚ', 'ɫ':
		return "l", true
	case 'đ', 'ɖ', 'ɗ':
		return "d", true
	case 'ħ', 'ɦ':
		return "h", true
	case 'ŧ', 'ƭ', 'ʈ':
		return "t", true
	case 'ɇ', 'ǝ':
		return "e", true
	case 'ı', 'ɨ':
		return "i", true
	case 'ƀ', 'ɓ':
		return "b", true
	case 'ƙ':
		return "k", true
	case 'ƥ':
		return "p", true
	case 'ɲ', 'ŋ':
		return "n", true
	case 'ʂ', 'ƨ':
		return "s", true
	case 'ʉ':
		return "u", true
	case 'ƈ', 'ȼ':
		return "c", true
	case 'ɠ':
		return "g", true
	case 'ς':
		return "σ", true
	case '\u2018', '\u2019', '\u201a', '\u201b', '\u2032', '\u00b4', '\u02bc', '\u02b9':
		return "'", true
	case '\u201c', '\u201d', '\u201e', '\u201f', '\u2033', '\u00ab', '\u00bb':
		return `"`, true
	case '\u2010', '\u2012', '\u2013', '\u2014', '\u2015', '\u2212':
		return "-", true
	case '\u2044', '\u2215':
		return "/", true
	}
	return "", false
}

// write appends the cells of the chunk that begins at start to the output.
func (n *normaliser) write(start int) {
	blank := -1 // the first of the spaces that are not written yet
	for i, c := range n.cells {
		switch c.r {
		case ' ':
			if blank < 0 {
				blank = i
			}
			continue
		case '\n':
			n.lineEnd(int(c.from), int(c.to))
		default:
			if k := len(n.out.text); blank >= 0 && k > 0 && n.out.text[k-1] != '\n' {
				n.emit(n.cells[blank])
			} else if i == 0 {
				n.gap(start)
			}
			n.emit(c)
			n.lines = 0
		}
		blank = -1
	}
}

func (n *normaliser) emit(c cell) {
	from, to, copied := n.src.back.find(int(c.from), int(c.to))
	copied = copied && !c.part
	if c.r < 0x80 {
		n.out.addByte(byte(c.r), from, to, copied)
		return
	}
	var b [utf8.UTFMax]byte
	n.out.add(b[:utf8.EncodeRune(b[:], c.r)], from, to, copied)
}

func (n *normaliser) note(kind NoteKind, from, to int32, decoded string) {
	start, end := n.src.back.Range(int(from), int(to))
	n.notes.add(kind, start, end, decoded)
}
