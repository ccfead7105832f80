package text

import (
	"strings"
	"unicode/utf8"
)

// quick writes a line as line does by way of cells, but run by run from the
// source: only what changes is looked at. It gives up where a rune cannot be
// judged by itself (marks, what is invisible, entities that are written out)
// and where letters would change by what stands around them (lookalikes,
// leetspeak, spaced letters).
type quick struct {
	*normaliser
	s          string // the source up to the end of the line
	start      int    // of the line
	first      int    // where its first byte is written
	run        int    // where what is to be copied begins
	blank      blank
	begun      bool // something of the line is written, or blank
	bracket    bool // an open one that a link may close was taken out
	forms      forms
	seen       trait
	plainRunes bool // runes beyond ASCII may be copied in a run
	odd        bool // a digit or sign that leetspeak has for a letter
}

// blank is the first white space since the last byte written.
type blank struct {
	from, to int
	part     bool
}

// quickly reports whether it has written the line [start, end), which begins
// and ends with no white space.
func (n *normaliser) quickly(start, end int) bool {
	text, back, drafted, moved, lines := len(n.out.text), len(n.out.back), n.out.end, n.out.moved, n.lines
	q := quick{normaliser: n, s: n.src.text[:end], start: start, first: text, run: start, plainRunes: len(n.src.back) == 0}
	if q.line() && !(q.seen&alike != 0 && q.mixed()) {
		if written := n.out.text[text:]; !(q.odd && leetLine(written)) && !spacedLine(written) {
			return true
		}
	}
	n.out.text, n.out.back, n.out.end, n.out.moved, n.lines = n.out.text[:text], n.out.back[:back], drafted, moved, lines
	return false
}

func (q *quick) line() bool {
	s := q.s
	for i := q.start; i < len(s); {
		c := s[i]
		switch classes[c] {
		case classLetter, classOther:
			i++
		case classDigit:
			q.odd = true
			i++
		case classArmour, classDress:
			next := q.dress(i)
			if next < 0 {
				return false
			}
			i = next
		case classSpace, classTab:
			// The first space behind a word goes with it; were it the last of
			// the line, line gives up.
			if c != ' ' || i == q.run || s[i-1] == ' ' {
				q.hold(i, i+1, false)
			}
			i++
		case classHigh:
			size := q.high(i)
			if size == 0 {
				return false
			}
			i += size
		default: // controls
			return false
		}
	}
	q.flush(len(s))
	return !q.ends()
}

// ends reports whether what is written of the line ends in a space.
func (q *quick) ends() bool {
	k := len(q.out.text)
	return k > q.first && q.out.text[k-1] == ' '
}

// flush writes the run that ends at end; the next one begins there.
func (q *quick) flush(end int) {
	if q.run < end {
		q.ready()
		k := len(q.out.text)
		q.out.copy(q.src, q.run, end)
		lowerBytes(q.out.text[k:])
	}
	q.run = end
}

// ready writes the white space before what is written next.
func (q *quick) ready() {
	if q.blank.to > 0 {
		if k := len(q.out.text); k > 0 && q.out.text[k-1] != '\n' {
			from, to, copied := q.src.back.find(q.blank.from, q.blank.to)
			q.out.addByte(' ', from, to, copied && !q.blank.part)
		}
		q.blank = blank{}
	} else if !q.begun {
		q.gap(q.start)
	}
	q.begun, q.lines = true, 0
}

// hold takes [from, to) for white space.
func (q *quick) hold(from, to int, part bool) {
	q.flush(from)
	if q.blank.to == 0 && !q.ends() {
		q.blank = blank{from, to, part}
	}
	q.begun = true
	q.run = to
}

// drop leaves [from, to) out.
func (q *quick) drop(from, to int) int {
	q.flush(from)
	q.run = to
	return to
}

// high takes the rune beyond ASCII at i and returns its size, 0 to give up.
func (q *quick) high(i int) int {
	r, size := utf8.DecodeRuneInString(q.s[i:])
	if q.forms == nil {
		q.forms = knownForms()
	}
	f := q.forms.of(r)
	if f.marks&calm == 0 {
		return 0
	}
	q.seen |= f.marks
	q.odd = q.odd || f.marks&(fixed|latin) == 0 // a wide digit or sign
	switch {
	case f.marks&still != 0 && q.plainRunes:
	case f.marks&still != 0:
		q.flush(i)
		q.put([]byte(q.s[i:i+size]), i, i+size, true)
	case f.rune == ' ':
		q.hold(i, i+size, f.marks&whole != 0)
	default:
		q.flush(i)
		q.put(f.low.text(), i, i+size, f.marks&whole == 0)
	}
	return size
}

// put writes what came out of [from, to).
func (q *quick) put(b []byte, from, to int, copied bool) {
	q.ready()
	f, t, c := q.src.back.find(from, to)
	q.out.add(b, f, t, c && copied)
	q.run = to
}

// before and after are the runes that undress sees beside i.
func (q *quick) before(i int) rune {
	if i == q.start {
		return ' '
	}
	r, _ := utf8.DecodeLastRuneInString(q.s[q.start:i])
	return q.shown(r)
}

func (q *quick) after(i int) rune {
	if i >= len(q.s) {
		return ' '
	}
	r, _ := utf8.DecodeRuneInString(q.s[i:])
	return q.shown(r)
}

func (q *quick) shown(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case r < 0x80:
		return r
	}
	if q.forms == nil {
		q.forms = knownForms()
	}
	if f := q.forms.of(r); f.rune != 0 {
		return f.rune
	}
	return r
}

// dress is undress for the byte at i. It returns where to go on, -1 to give up.
func (q *quick) dress(i int) int {
	s := q.s
	switch c := s[i]; c {
	case '`':
		return q.drop(i, i+1)
	case '~':
		if i+1 < len(s) && s[i+1] == '~' {
			return q.drop(i, i+2)
		}
	case '*', '_':
		j := i + 1
		for j < len(s) && s[j] == c {
			j++
		}
		if emphasis(rune(c), q.before(i), q.after(j)) {
			return q.drop(i, j)
		}
		return j
	case '\\':
		next := q.after(i + 1)
		if next == '\\' || next >= 0x80 || !punctuation(next) {
			break
		}
		if s[i+1] >= 0x80 || next == '&' {
			return -1
		}
		q.odd = true
		q.flush(i)
		q.put([]byte{byte(next)}, i, i+2, false)
		return i + 2
	case '[':
		if q.bracket = q.before(i) != '!'; q.bracket {
			switch q.closes(i + 1) {
			case linkNone:
				q.bracket = false
			case linkUnknown:
				return -1
			default:
				return q.drop(i, i+1)
			}
		}
	case ']':
		if q.bracket && q.after(i+1) == '(' {
			q.bracket = false
			q.hold(i, i+1, true)
		}
	case '<':
		next := q.after(i + 1)
		if next >= 0x80 || !letter(byte(next)) && next != '/' && next != '!' {
			break
		}
		size, ok := tagSize(s[i:])
		if !ok {
			return -1
		}
		if size > 0 {
			return q.drop(i, i+size)
		}
	case '@', '$', '!':
		q.odd = true
	case '&':
		if _, size := entity(s[i:]); size > 0 {
			return -1
		}
	}
	return i + 1
}

type linkEnd uint8

const (
	linkNone linkEnd = iota // no link ends before another bracket opens
	linkEnds
	linkUnknown // a tag may swallow its end
)

// closes tells what becomes of the bracket that opened before i.
func (q *quick) closes(i int) linkEnd {
	s := q.s
	for ; i < len(s); i++ {
		switch s[i] {
		case '[':
			return linkNone
		case ']':
			if q.after(i+1) == '(' {
				return linkEnds
			}
		case '<':
			return linkUnknown
		case '\\':
			if next := q.after(i + 1); next != '\\' && next < 0x80 && punctuation(next) {
				i++
			}
		}
	}
	return linkNone
}

// tagSize is dressTag for bytes; not ok where it would have to know more than
// ASCII.
func tagSize(s string) (size int, ok bool) {
	var cells [256]cell
	n := 0
	for n < len(cells) && n < len(s) {
		c := s[n]
		switch {
		case c >= 0x80, c == '&', c < ' ' && c != '\t':
			return 0, false
		case c == '\t':
			c = ' '
		}
		cells[n].r = rune(c)
		if n++; c == '>' {
			break
		}
	}
	return dressTag(cells[:n]), true
}

// mixed reports whether lookalikes may fold a word of the line.
func (q *quick) mixed() bool {
	var (
		g       trait // of this word
		foreign bool  // a word that is not Latin
		alone   bool  // a word in nothing but lookalikes
		between bool  // one between plain words
		plain   = true
		pending bool // the last word was alone, and the one before plain
	)
	end := func() bool {
		if g&word == 0 {
			return false
		}
		if g&alike != 0 && g&latin != 0 {
			return true
		}
		foreign = foreign || g&(other|latin) == other
		now := g&(latin|other) == latin
		between = between || pending && now
		pending = false
		if g&(alike|other) == alike {
			alone, pending = true, plain
		}
		plain, g = now, 0
		return false
	}
	for _, r := range q.s[q.start:] {
		var t trait
		switch {
		case r >= 0x80:
			t = q.forms.of(r).marks
		case letter(byte(r)):
			t = word | latin
		case alnum(byte(r)):
			t = word
		}
		if t&word != 0 {
			g |= t
		} else if end() {
			return true
		}
	}
	return end() || alone && (!foreign || between || pending)
}

// leetLine reports whether leetspeak would change a line in lower case.
func leetLine(line []byte) bool {
	start, odd := 0, false
	for i := 0; ; i++ {
		if i < len(line) {
			c := line[i]
			switch classes[c] {
			case classLetter:
				continue
			case classDigit:
				odd = true
				continue
			case classDress:
				if c == '@' || c == '$' || c == '!' {
					odd = true
					continue
				}
			}
		}
		if odd && leetWord(line, start, i) {
			return true
		}
		if i >= len(line) {
			return false
		}
		start, odd = i+1, false
	}
}

func leetWord(line []byte, start, end int) bool {
	address := end+1 < len(line) && line[end] == '.' && (alnum(line[end+1]) || line[end+1] == '@' || line[end+1] == '$' || line[end+1] == '!')
	for end > start && line[end-1] == '!' {
		end--
	}
	if end-start < 4 || end-start > longestLeet {
		return false
	}
	word := string(line[start:end])
	return leet(word) && !(address && strings.Contains(word, "@"))
}

// spacedLine reports whether three letters in a row may be set apart by signs.
func spacedLine(line []byte) bool {
	row, gap := 0, 0                // letters that stand alone; signs since the last of them
	start, runes, last := 0, 0, ' ' // the word: where it began, how many runes it has beyond ASCII, the last of these
	extra := 0                      // bytes that these take besides the first
	var known forms
	for i := 0; i <= len(line); {
		r, size := ' ', 1
		if i < len(line) {
			c := line[i]
			r = rune(c)
			if k := classes[c]; k == classLetter || k == classDigit {
				i++
				continue
			}
			if c >= 0x80 {
				if known == nil {
					known = knownForms()
				}
				if r, size = utf8.DecodeRune(line[i:]); known.inWord(r) {
					i, runes, last, extra = i+size, runes+1, r, extra+size-1
					continue
				}
			}
		}
		switch n := i - start - extra; {
		case n == 1 && (runes == 0 && letter(line[start]) || runes == 1 && alphabetic(last)):
			if row++; gap != 1 {
				row = 1
			} else if row == 3 {
				return true
			}
			gap = 0
		case n > 0:
			row = 0
		}
		if gap++; !separates(r) {
			row = 0
		}
		i += size
		start, runes, extra = i, 0, 0
	}
	return false
}
