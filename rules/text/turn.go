package text

import (
	"strings"
	"unicode/utf8"
)

// common are words that English sentences and directives are made of. They
// tell text that was turned round from text that was not.
const common = "the and you your all any this that with for from are have must will to of in is it do use not but when then them their what which " +
	"ignore previous instructions instruction forget send read file files user users system prompt tool tools call before after always never " +
	"tell secret password key keys data follow execute run delete reveal output print write upload message everything other only also into please"

const longestTurned = 12

type turnedForm uint8

const (
	upright turnedForm = 1 << iota
	rotated
	backward
)

// is tells, as a number to count with, whether a word is common in the given
// form, and not as it stands.
func (f turnedForm) is(form turnedForm) int {
	if f&(form|upright) == form {
		return 1
	}
	return 0
}

// turnedWords tells of a packed word what it is: common as it stands, when its
// letters are rotated by 13, when it is written backwards. Forms that are words
// of their own are left out. Collisions go to the next entry.
var turnedWords = func() (t [512]struct {
	word uint64
	form turnedForm
}) {
	put := func(word string, form turnedForm) {
		key := pack(word)
		i := slot(key)
		for t[i].word != 0 && t[i].word != key {
			i = (i + 1) % len(t)
		}
		t[i].word = key
		t[i].form |= form
	}
	for _, s := range strings.Fields("be on no are era or ton nur va vs si ti ni od uny") {
		put(s, upright)
	}
	for _, s := range strings.Fields(common) {
		put(s, upright)
		b := []byte(s)
		for i := range b {
			b[i] = rot13(b[i])
		}
		put(string(b), rotated)
		for i := range b {
			b[i] = s[len(s)-1-i]
		}
		put(string(b), backward)
	}
	return t
}()

// turnedEnds says by first and last letter (a is 1) and length what may be
// common when it is turned, so that few words have to be looked up.
var turnedEnds = func() (t [32][32]uint16) {
	for _, e := range turnedWords {
		if e.form&(rotated|backward) == 0 || e.form&upright != 0 {
			continue
		}
		n, first := 0, uint64(0)
		for w := e.word; w != 0; w >>= 5 {
			n, first = n+1, w
		}
		t[first][e.word&31] |= 1 << n
	}
	return t
}()

// pack is a word of at most longestTurned ASCII letters in five bits each.
func pack(word string) uint64 {
	key := uint64(0)
	for i := range len(word) {
		key = key<<5 | uint64(word[i]&31)
	}
	return key
}

func slot(key uint64) int { return int(key * 0x9e3779b97f4a7c15 >> 55) }

// lookup is what turnedWords says of a word of ASCII letters.
func lookup(word string) turnedForm {
	key := pack(word)
	for i := slot(key); turnedWords[i].word != 0; i = (i + 1) % len(turnedWords) {
		if turnedWords[i].word == key {
			return turnedWords[i].form
		}
	}
	return 0
}

func rot13(c byte) byte {
	switch {
	case c >= 'a' && c <= 'z':
		return 'a' + (c-'a'+13)%26
	case c >= 'A' && c <= 'Z':
		return 'A' + (c-'A'+13)%26
	}
	return c
}

// turns replaces the clauses that are English only when turned round: two
// common words at the least, every fourth word, and none as it stands.
func (d *decoder) turns() {
	s := d.src.text
	for _, c := range Clauses(s) {
		clause := s[c.Start:c.End]
		words, plain, rot, back := 0, 0, 0, 0
		for i := 0; i < len(clause); {
			j := i
			for j < len(clause) && letter(clause[j]) {
				j++
			}
			if j == i {
				i++
				continue
			}
			words++
			if n := j - i; n > 1 && n <= longestTurned {
				form := lookup(clause[i:j])
				plain += form.is(upright)
				rot += form.is(rotated)
				back += form.is(backward)
			}
			i = j
		}
		if plain > 0 || max(rot, back) < 2 || max(rot, back)*4 < words {
			continue
		}
		if rot >= back {
			d.rotate(c.Start, c.End)
		} else {
			d.reverse(c.Start, c.End)
		}
	}
}

// rotate undoes ROT13, letter by letter.
func (d *decoder) rotate(start, end int) {
	if end-start > d.left {
		d.short = true
		return
	}
	d.left -= end - start
	b := []byte(d.src.text[start:end])
	for i := range b {
		b[i] = rot13(b[i])
	}
	d.out.copy(d.src, d.copied, start)
	d.out.copyAs(string(b), d.src, start, end)
	d.copied = end
	d.turned(ROT13, start, end, string(b))
}

// reverse turns a clause round; its inside has no order that a map could keep.
func (d *decoder) reverse(start, end int) {
	s := d.src.text[start:end]
	b := make([]byte, 0, len(s))
	for len(s) > 0 {
		r, size := utf8.DecodeLastRuneInString(s)
		b = utf8.AppendRune(b, r)
		s = s[:len(s)-size]
	}
	if len(b) > d.left {
		d.short = true
		return
	}
	d.replace(start, end, string(b))
	d.turned(Reversed, start, end, string(b))
}

func (d *decoder) turned(kind NoteKind, start, end int, decoded string) {
	from, to := d.src.back.Range(start, end)
	if !d.found {
		d.first = from
	}
	d.found, d.last = true, to
	d.note(kind, start, end, decoded)
}
