package judge

import (
	"math/bits"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/rules/text"
)

// Features are what the model (model.txt) looks at in a clause: its words,
// without their endings; pairs of neighbours; the word that it begins with; the
// concepts of the lexicon, and pairs of these. A feature is known by its name:
//
//	w forward        a word
//	b forward~copy   two words, one behind the other
//	f forwards       the first word, with its ending
//	c send           a concept
//	p dialogue~send  two concepts of one clause, in the order of the lexicon
//
// Numbers, addresses, paths and identifiers are words of their own: <num>,
// <url>, <mail>, <path>, <id>. Latin letters have no marks: an attacker can leave
// them out, and the normal view of package text does.

// stems reads the words of a clause. It keeps its memory between clauses.
type stems struct {
	low   string   // the clause
	keys  []uint64 // of each word without its ending, as keyOf has it
	words []word   // the words themselves
	made  []string // those that are not taken from the clause as they stand
	first string   // the first word with its ending
}

// word is where a word without its ending stands in the clause, or, with a
// negative end, its place in made. It has no pointer, so that keeping it costs
// the collector nothing.
type word struct{ start, end int32 }

func (s *stems) add(w string) {
	s.keys, s.words = append(s.keys, keyOf(w)), append(s.words, word{int32(len(s.made)), -1})
	s.made = append(s.made, w)
}

// at is the word with a number.
func (s *stems) at(i int) string {
	if w := s.words[i]; w.end >= 0 {
		return s.low[w.start:w.end]
	}
	return s.made[s.words[i].start]
}

// list is all words.
func (s *stems) list() []string {
	list := make([]string, len(s.words))
	for i := range list {
		list[i] = s.at(i)
	}
	return list
}

// read takes the words of a lower-cased clause.
func (s *stems) read(low string) {
	low = bare(low)
	s.low, s.keys, s.words, s.made, s.first = low, s.keys[:0], s.words[:0], s.made[:0], ""
	for i := 0; i < len(low); {
		c := low[i]
		switch {
		case c >= 'a' && c <= 'z':
			eight := text.Eight(low, i)
			end := i + text.Letters(eight)
			if end == i+8 {
				for end < len(low) && letterKinds[low[end]] == asciiLetter {
					end++
				}
			}
			if end < len(low) && !endsWord[low[end]] && !stops(low, end) {
				i = s.run(low, i)
				continue
			}
			if len(s.words) == 0 {
				s.first = low[i:end]
			}
			n := end - i
			if n > 4 {
				n = min(stemEnd(low[i:end]), longestWord)
			}
			s.words = append(s.words, word{int32(i), int32(i + n)})
			s.keys = append(s.keys, bits.ReverseBytes64(eight)>>(64-8*n))
			i = end
		case c >= '0' && c <= '9' || c == '~' || c == '/':
			i = s.run(low, i)
		case c < 0x80:
			i++
		default:
			i = s.foreign(low, i)
		}
	}
}

// stops reports whether the full stop or colon at i ends a word for run.
func stops(low string, i int) bool {
	if low[i] != '.' && low[i] != ':' {
		return false
	}
	b := next(low, i)
	return !small(b) && !digit(b) && b != '/'
}

// longestWord is the length of the longest stem in bytes of ASCII, or in runes;
// Cyrillic words have longer endings.
const (
	longestWord     = 7
	longestCyrillic = 6
)

// run reads what has no white space inside, and returns its end.
func (s *stems) run(low string, i int) int {
	end := i
	var slash, dot, at, scheme, under, digits, quote bool
	kinds := letterKind(0)
	for end < len(low) {
		if k := letterKinds[low[end]]; k != 0 {
			if k == highLetter {
				r, size := utf8.DecodeRuneInString(low[end:])
				if undivided(r) || !unicode.IsLetter(r) && !unicode.IsMark(r) {
					goto done
				}
				end += size - 1
			}
			kinds |= k
			end++
			continue
		}
		switch c := low[end]; {
		case c >= '0' && c <= '9':
			digits = true
		case c == '_':
			under = true
		case c == '/' || c == '~':
			slash = true
		case c == '@':
			at = true
		case c == '\'' && end+1 < len(low) && low[end+1] >= 'a' && low[end+1] <= 'z':
			quote = true
		case (c == '.' || c == ':') && end+1 < len(low) && (low[end+1] >= 'a' && low[end+1] <= 'z' || low[end+1] >= '0' && low[end+1] <= '9' || low[end+1] == '/'):
			dot = true
			scheme = scheme || strings.HasPrefix(low[end:], "://")
		case scheme && (c == '?' || c == '=' || c == '&' || c == '{' || c == '}' || c == '%' || c == '-' || c == '#'):
		default:
			goto done
		}
		end++
	}
done:
	word := low[i:end]
	if under { // that of emphasis is none
		word = strings.TrimRight(word, "_")
		under = strings.IndexByte(word, '_') >= 0
	}
	switch {
	case scheme:
		s.add("<url>")
	case at && dot:
		s.add("<mail>")
	case slash && len(word) > 1 && (word[0] == '/' || word[0] == '~'):
		s.add("<path>")
	case slash || under || dot:
		if under {
			s.add("<id>")
		}
		s.parts(word)
	case digits:
		s.add("<num>")
	default:
		if len(s.words) == 0 {
			s.first = word
		}
		if quote {
			word = unelided(word)
		}
		s.letters(word, kinds&highLetter == 0)
	}
	return max(end, i+1)
}

// unelided is a word of French or Italian without the article, pronoun or
// preposition that an apostrophe joins to it: l'utilisateur, dell'utente.
func unelided(word string) string {
	before, rest, _ := strings.Cut(word, "'")
	switch before {
	case "l", "d", "n", "s", "j", "m", "t", "c", "qu", "lorsqu", "puisqu", "jusqu", "quelqu", "un", "all", "dall", "dell", "nell", "sull", "quell", "quest":
		return rest
	}
	return word
}

// letterKind says of a byte what letter of a word it is.
type letterKind uint8

const (
	asciiLetter letterKind = 1 << iota // in lower case
	highLetter                         // part of one of another script
)

var letterKinds = func() (t [256]letterKind) {
	for c := range t {
		if c >= 'a' && c <= 'z' {
			t[c] = asciiLetter
		} else if c >= 0x80 {
			t[c] = highLetter
		}
	}
	return t
}()

// endsWord are bytes of ASCII behind which run would not read on.
var endsWord = func() (t [256]bool) {
	for c := range t[:0x80] {
		t[c] = letterKinds[c] == 0 && (c < '0' || c > '9') && strings.IndexByte("_/~@'.:", byte(c)) < 0
	}
	return t
}()

// parts adds what an identifier, an alternative or a file's name is made of.
func (s *stems) parts(word string) {
	const most = 8
	for n := 0; n < most && word != ""; n++ {
		i := strings.IndexAny(word, "_/.:~")
		part := word
		if i >= 0 {
			part, word = word[:i], word[i+1:]
		} else {
			word = ""
		}
		if part != "" {
			s.part(part)
		}
	}
}

// part adds a word without its ending.
func (s *stems) part(w string) {
	if w[0] <= '9' {
		s.add("<num>")
		return
	}
	ascii := true
	for i := range len(w) {
		ascii = ascii && w[i] < 0x80
	}
	s.letters(w, ascii)
}

// letters is part for one that begins with a letter.
func (s *stems) letters(w string, ascii bool) {
	w = strings.TrimSuffix(w, "'s")
	if !ascii {
		s.add(firstRunes(w, longestWord))
		return
	}
	s.add(stem(w))
}

// stem is an English word without its ending.
func stem(w string) string { return w[:min(stemEnd(w), longestWord)] }

// stemEnd is where the ending of an English word begins.
func stemEnd(w string) int {
	n := len(w)
	if n <= 4 {
		return n
	}
	switch w[n-1] {
	case 'g':
		if n > 5 && w[n-3:] == "ing" {
			return n - 3
		}
	case 'd':
		if w[n-2] == 'e' {
			return n - 2
		}
	case 's':
		switch w[n-2] {
		case 's':
		case 'e':
			return n - 2
		default:
			return n - 1
		}
	case 'y':
		if w[n-2] == 'l' {
			return n - 2
		}
	case 'e':
		return n - 1
	}
	return n
}

// The runes that bare writes in another way: letters with marks, spaces, what is
// invisible, and the signs that each language has for quotation marks and dashes.
var bared = [...]struct{ first, end rune }{{0xa0, 0x250}, {0x1e00, 0x1f00}, {0x2000, 0x2070}}

// bareForms are the forms of the runes of bared, as the normal view has them.
var bareForms = sync.OnceValue(func() map[rune]string {
	forms := map[rune]string{}
	for _, t := range bared {
		for r := t.first; r < t.end; r++ {
			f := text.Fold(string(r))
			if unicode.IsSpace(r) {
				f = " "
			}
			if f != string(r) {
				forms[r] = f
			}
		}
	}
	return forms
})

// bare is a lower-cased clause without the marks of Latin letters.
func bare(low string) string {
	first := text.ASCII(low)
	for first < len(low) && !maybeBared[low[first]] {
		first++
	}
	if first == len(low) {
		return low
	}
	forms := bareForms()
	out := append(make([]byte, 0, len(low)), low[:first]...)
	for _, r := range low[first:] {
		switch f, ok := forms[r]; {
		case ok:
			out = append(out, f...)
		case r >= 0x300 && r < 0x370 && len(out) > 0 && out[len(out)-1] < 0x80: // a mark by itself
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return string(out)
}

// maybeBared are the bytes with which a rune begins that bare may change.
var maybeBared = func() (t [256]bool) {
	for c := 0xc2; c <= 0xcd; c++ {
		t[c] = true
	}
	t[0xe1], t[0xe2] = true, true
	return t
}()

// foreign reads letters of other scripts: words where the script divides them,
// pairs of characters where it does not.
func (s *stems) foreign(low string, i int) int {
	r, size := utf8.DecodeRuneInString(low[i:])
	if !unicode.IsLetter(r) {
		return i + size
	}
	if undivided(r) {
		next, n := utf8.DecodeRuneInString(low[i+size:])
		if undivided(next) {
			s.add(low[i : i+size+n])
		} else {
			s.add(low[i : i+size])
		}
		return i + size
	}
	end := i
	for end < len(low) {
		r, n := utf8.DecodeRuneInString(low[end:])
		if !unicode.IsLetter(r) && !unicode.IsMark(r) || undivided(r) {
			break
		}
		end += n
	}
	if end == i {
		return i + size
	}
	if word := low[i:end]; r >= 0x600 && r < 0x700 {
		s.add(arabicStem(word))
	} else if r >= 0x400 && r < 0x530 {
		s.add(firstRunes(word, longestCyrillic))
	} else {
		s.add(firstRunes(word, longestWord))
	}
	return end
}

// undivided reports whether a letter is of a script without spaces between
// words, or of Hangul, whose words grow at their end.
func undivided(r rune) bool {
	return r >= 0xac00 && r < 0xd7a4 || r >= 0x2e80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || r >= 0xe00 && r < 0xe80
}

// arabicStem is a word in Arabic letters without vowel signs, its article, the
// particles written in one with it and the commonest endings: "light10" of
// Larkey, Ballesteros and Connell, Improving Stemming for Arabic (2002).
func arabicStem(word string) string {
	b := make([]rune, 0, 16)
	for _, r := range word {
		switch {
		case unicode.IsMark(r) || r == 'ـ':
			continue
		case r == 'أ' || r == 'إ' || r == 'آ':
			r = 'ا'
		case r == 'ى' || r == 'ی':
			r = 'ي'
		case r == 'ة':
			r = 'ه'
		case r == 'ک':
			r = 'ك'
		}
		b = append(b, r)
	}
	w := string(b)
	const shortest = 2 * 3 // bytes: three letters stay
	if rest, ok := strings.CutPrefix(w, "و"); ok && len(rest) >= shortest {
		w = rest
	}
	for _, p := range [...]string{"بال", "كال", "فال", "لل", "ال"} {
		if rest, ok := strings.CutPrefix(w, p); ok && len(rest) >= shortest {
			w = rest
			break
		}
	}
	for _, e := range [...]string{"ها", "ان", "ات", "ون", "ين", "يه", "ه", "ي"} {
		if rest, ok := strings.CutSuffix(w, e); ok && len(rest) >= shortest {
			w = rest
		}
	}
	return firstRunes(w, longestWord)
}

func firstRunes(w string, n int) string {
	for i := range w {
		if n == 0 {
			return w[:i]
		}
		n--
	}
	return w
}

// Features calls visit with the name of every feature of a text, clause by
// clause; the same name may come again.
func Features(content string, visit func(name string)) {
	var s stems
	var hits []hit
	for _, clause := range Clauses(content) {
		low := unbroken(lower(clause))
		s.read(low)
		list := s.list()
		for i, w := range list {
			visit("w " + w)
			if i == 0 && s.first != "" {
				visit("f " + s.first)
			} else if i > 0 {
				visit("b " + list[i-1] + "~" + w)
			}
		}
		hits = words.find(low, hits[:0])
		here := formOf(clause, low, true, hits)
		for _, h := range hits {
			here.add(h.class)
		}
		glosses().read(list, func(g *gloss) {
			for _, w := range g.words {
				visit("w " + w)
			}
			here.join(g.concepts)
		})
		for a := range words.names {
			if !here.has(class(a)) {
				continue
			}
			visit("c " + words.names[a])
			for b := a + 1; b < len(words.names); b++ {
				if here.has(class(b)) {
					visit("p " + words.names[a] + "~" + words.names[b])
				}
			}
		}
	}
}

// Clauses cuts a text as the judge does.
func Clauses(text string) []string {
	var out []string
	for start := 0; start < len(text); {
		next, _ := clauseEnd(text, start)
		if from, to := trim(text, start, next); to-from >= shortestClause {
			out = append(out, text[from:to])
		}
		start = next
	}
	return out
}
