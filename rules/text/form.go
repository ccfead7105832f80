package text

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// form is what the normaliser makes of one rune that stands by itself.
type form struct {
	bare  runeform // composed, as unveil leaves it
	low   runeform // in lower case, as normalise leaves it
	rune  rune     // the composed one
	marks trait
}

// runeform is a few bytes of UTF-8.
type runeform struct {
	n     uint8
	bytes [utf8.UTFMax]byte
}

func (f *runeform) text() []byte { return f.bytes[:f.n] }

// trait is what has to be known of a rune to write it without a look at others.
type trait uint16

const (
	calm  trait = 1 << iota // it can be written by itself; without this, nothing else is known but drawn
	fixed                   // composing leaves it as it is
	still                   // lower case does, too
	drawn                   // it is seen, no white space, no mark, and not written from the right
	word                    // it is a letter or a digit
	latin                   // guise.latin
	alike                   // guise.alike or guise.apart
	other                   // guise.other
	whole                   // in lower case it is no copy of what stood there
)

// The runes whose forms are kept: those of European scripts, signs, kana, and
// the wide forms of ASCII. All runes of the stretches further below have one form.
var tabled = [...]struct{ first, end rune }{{0x80, 0x600}, {0x2000, 0x2800}, {0x3000, 0x3100}, {0xff00, 0xfff0}}

// forms are the forms of the runes of tabled, one stretch behind the other.
type forms []form

// knownForms takes a millisecond that text of ASCII does not need.
var knownForms = sync.OnceValue(func() forms {
	var all forms
	for _, t := range tabled {
		for r := t.first; r < t.end; r++ {
			all = append(all, formOf(r))
		}
	}
	return all
})

var (
	ideograph = form{marks: calm | fixed | still | drawn | word} // of Han and Hangul
	picture   = form{marks: calm | fixed | still | drawn}        // emoji
	wild      = form{}                                           // all others: marks, controls, rare scripts
)

// of returns the form of a rune beyond ASCII. The fields other than marks are
// not set for those that are still.
func (f forms) of(r rune) *form {
	switch {
	case r < 0x600:
		return &f[r-0x80]
	case r >= 0x4e00 && r <= 0x9fff, r >= 0xac00 && r <= 0xd7a3:
		return &ideograph
	case r >= 0x2000 && r < 0x2800:
		return &f[r-0x2000+(0x600-0x80)]
	case r >= 0x3000 && r < 0x3100:
		return &f[r-0x3000+(0x600-0x80)+0x800]
	case r >= 0xff00 && r < 0xfff0:
		return &f[r-0xff00+(0x600-0x80)+0x800+0x100]
	case r >= 0x1f300 && r <= 0x1f64f:
		return &picture
	}
	return &wild
}

// inWord is wordRune for what the normaliser wrote.
func (f forms) inWord(r rune) bool {
	if marks := f.of(r).marks; marks&calm != 0 {
		return marks&word != 0
	}
	return wordRune(r)
}

// formOf asks the normaliser itself.
func formOf(r rune) form {
	var f form
	if hiddenKind(r) == 0 && !unicode.IsSpace(r) && !unicode.Is(unicode.M, r) && !fromRight(r) {
		f.marks = drawn
	}
	n := normaliser{src: mapped{text: string(r)}, notes: &notebook{}}
	n.read(0, len(n.src.text))
	if len(n.cells) != 1 || extends(r) {
		return f // it vanishes, or belongs to the rune before
	}
	n.compose()
	if !f.bare.set(n.cells) || formsApart(n.cells) {
		return f
	}
	f.rune = n.cells[0].r
	for _, c := range n.cells {
		// Dress is taken off, lines end, and styled letters are noted, in
		// view of what stands around.
		if c.r != f.rune || c.r < ' ' || strings.ContainsRune("*_`~\\[]<", c.r) || r >= 0x2100 && c.r < 0x80 && letter(byte(c.r)) {
			return f
		}
	}
	own := n.cells[0] // all of them are equal
	n.lower()
	if !f.low.set(n.cells) {
		return f
	}
	f.marks |= calm | traits(f.rune)
	if own == (cell{r: r, to: own.to}) {
		f.marks |= fixed
		if n.cells[0] == own {
			f.marks |= still
		}
	}
	if n.cells[0].part {
		f.marks |= whole
	}
	return f
}

// formsApart reports whether the cells of one rune are letters, and more than
// one, or a letter that always passes for another.
func formsApart(cells []cell) bool {
	var g guise
	g.take(cells[0].r)
	return g.apart || len(cells) > 1 && wordRune(cells[0].r)
}

// set reports whether the cells have room in the form.
func (f *runeform) set(cells []cell) bool {
	b := f.bytes[:0]
	for _, c := range cells {
		if len(b)+utf8.RuneLen(c.r) > len(f.bytes) {
			return false
		}
		b = utf8.AppendRune(b, c.r)
	}
	f.n = uint8(len(b))
	return f.n > 0
}

// traits are those by which words are told apart.
func traits(r rune) (t trait) {
	var g guise
	g.take(r)
	if wordRune(r) {
		t |= word
	}
	if g.latin {
		t |= latin
	}
	if g.alike {
		t |= alike
	}
	if g.other {
		t |= other
	}
	return t
}
