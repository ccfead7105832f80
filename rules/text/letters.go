package text

import (
	"strings"
	"unicode"

	"github.com/sallyport-mcp/sallyport/rules/confusable"
)

// scope tells what a text writes in scripts whose letters pass for Latin ones.
type scope uint8

const (
	unknown scope = iota
	none          // nothing but what passes for Latin
	real          // words that do not
)

// similar reports whether r belongs to a script that has lookalikes of Latin letters.
func similar(r rune) bool {
	return r >= 0x370 && r <= 0x58f || r >= 0x13a0 && r <= 0x13fd || r >= 0xab70 && r <= 0xabbf || r >= 0x1f00 && r <= 0x1fff ||
		r >= 0x2c80 && r <= 0x2cff || r >= 0xa4d0 && r <= 0xa4ff || r >= 0xa640 && r <= 0xa69f
}

// guise is what the letters of a word make of it.
type guise struct {
	latin bool // letters of Latin, as they are
	alike bool // letters of another script, or another form, that pass for Latin ones
	other bool // letters of such a script that do not
	apart bool // alike by letters that no language writes words with
}

func (g *guise) take(r rune) {
	if !unicode.IsLetter(r) {
		return
	}
	_, alike := confusable.Letter(r)
	switch {
	case r < 0x80, r == '\u0131': // the dotless i of Turkish
		g.latin = true
	case alike:
		g.alike = true
		g.apart = g.apart || !similar(r)
	case similar(r):
		g.other = true
	case unicode.Is(unicode.Latin, r):
		g.latin = true
	}
}

// lookalikes folds the words that mix scripts, and those that are written
// wholly in lookalikes where nothing says that the script is meant: a word of
// Russian that could be read as Latin stays Russian between Russian words.
func (n *normaliser) lookalikes() {
	type word struct {
		start, end int
		guise
	}
	var words []word
	foreign, latin := false, false
	for i := 0; i < len(n.cells); {
		w := word{start: i}
		for i < len(n.cells) && (unicode.IsLetter(n.cells[i].r) || unicode.IsDigit(n.cells[i].r)) {
			w.take(n.cells[i].r)
			i++
		}
		if w.end = i; w.end == w.start {
			i++
			continue
		}
		words = append(words, w)
		foreign = foreign || w.other && !w.latin
		latin = latin || w.latin && !w.alike
	}
	plain := func(i int) bool { return i < 0 || i >= len(words) || words[i].latin && !words[i].other }
	for i, w := range words {
		if !w.alike {
			continue
		}
		fold := w.latin || w.apart
		if !fold && !w.other {
			switch {
			case foreign:
				fold = len(words) > 1 && plain(i-1) && plain(i+1)
			case latin:
				fold = true
			default:
				fold = !n.writesForeign()
			}
		}
		if !fold {
			continue
		}
		n.word = n.word[:0]
		for k := w.start; k < w.end; k++ {
			if to, ok := confusable.Letter(n.cells[k].r); ok {
				n.cells[k].r = to
			}
			n.word = append(n.word, string(n.cells[k].r)...)
		}
		if !w.other {
			n.note(Lookalike, n.cells[w.start].from, n.cells[w.end-1].to, string(n.word))
		}
	}
}

// writesForeign reports whether any word of the source is of a script that has
// lookalikes and could not be read as Latin.
func (n *normaliser) writesForeign() bool {
	if n.foreign == unknown {
		n.foreign = none
		var g guise
		for _, r := range n.src.text {
			if unicode.IsLetter(r) {
				g.take(r)
			} else {
				if g.other && !g.latin {
					break
				}
				g = guise{}
			}
		}
		if g.other && !g.latin {
			n.foreign = real
		}
	}
	return n.foreign == real
}

// longestLeet bounds the words that are taken for leetspeak.
const longestLeet = 24

// leet reports whether a word of ASCII letters, digits and signs is written
// with some of these for letters, as names of things (sha256, k8s, log4j,
// v1beta1, a commit) are not.
func leet(word string) bool {
	letters, groups, inner, hex := 0, 0, 0, true
	for i := 0; i < len(word); {
		if letter(word[i]) {
			hex = hex && hexDigit(word[i]) >= 0
			letters++
			i++
			continue
		}
		j := i
		for j < len(word) && !letter(word[j]) {
			if unleet(word, j) == 0 {
				return false
			}
			hex = hex && hexDigit(word[j]) >= 0
			j++
		}
		groups++
		if j-i > 2 {
			return false
		}
		if i > 0 && j < len(word) {
			if word[i-1]|0x20 == 'v' && (i == 1 || word[i-2]|0x20 == 'p') {
				return false // v1beta1, ipv4addr
			}
			if last := word[j] | 0x20; len(word)-j == 1 && (last == 'x' || word[i:j] == "4" && last == 'j' || word[i:j] == "3" && last == 'd') {
				return false // openapi30x, log4j, Model3D
			}
			if word[i-1] >= 'a' && word[j] <= 'Z' {
				return false // Convert2Text
			}
			if word[i] == '@' && i > 3 && groups == 1 {
				return false // an address
			}
			inner++
		}
		i = j
	}
	return inner > 0 && letters >= 2 && len(word) >= 4 && (letters >= 3 || groups >= 2) && !(hex && len(word) >= 6)
}

// unleet is the letter that word[i] stands for, 0 for none. A 1 is l behind a
// vowel and before most, i elsewhere.
func unleet(word string, i int) byte {
	switch word[i] {
	case '0':
		return 'o'
	case '3':
		return 'e'
	case '4', '@':
		return 'a'
	case '5', '$':
		return 's'
	case '7':
		return 't'
	case '!':
		return 'i'
	case '1':
		switch {
		case i > 0 && (vowel(word[i-1]) || word[i-1] == '1'),
			i > 0 && i+1 < len(word) && vowel(word[i+1]) && word[i+1] != '0' && word[i+1]|0x20 != 'o':
			return 'l'
		}
		return 'i'
	}
	return 0
}

func vowel(c byte) bool {
	switch c | 0x20 {
	case 'a', 'e', 'i', 'o', 'u', 'y':
		return true
	}
	return c == '0' || c == '3' || c == '4'
}

// leetspeak writes the words of the line that are leetspeak in letters.
func (n *normaliser) leetspeak() {
	part := func(i int) bool {
		r := n.cells[i].r
		return r < 0x80 && (alnum(byte(r)) || r == '@' || r == '$' || r == '!')
	}
	for i := 0; i < len(n.cells); {
		start, odd := i, false
		n.word = n.word[:0]
		for i < len(n.cells) && part(i) {
			c := byte(n.cells[i].r)
			odd = odd || !letter(c)
			n.word = append(n.word, c)
			i++
		}
		size := len(n.word)
		for size > 0 && n.word[size-1] == '!' {
			size--
		}
		address := i+1 < len(n.cells) && n.cells[i].r == '.' && part(i+1)
		if odd && size <= longestLeet {
			word := string(n.word[:size])
			if leet(word) && !(address && strings.ContainsRune(word, '@')) {
				for k := range word {
					if !letter(word[k]) {
						n.word[k] = unleet(word, k)
						n.cells[start+k].r = rune(n.word[k])
					}
				}
				n.note(Leet, n.cells[start].from, n.cells[start+size-1].to, string(n.word[:size]))
			}
		}
		if i == start {
			i++
		}
	}
}

// spaced joins letters that are set apart by one and the same sign: four or
// more, or three by full stops. Two spaces and more part the words.
func (n *normaliser) spaced() {
	in, out := n.cells, n.next[:0]
	single := func(i int) bool {
		return i < len(in) && alphabetic(in[i].r) && (i == 0 || !wordRune(in[i-1].r)) && (i+1 == len(in) || !wordRune(in[i+1].r))
	}
	for i := 0; i < len(in); {
		if !single(i) || i+2 >= len(in) || !separates(in[i+1].r) {
			out = append(out, in[i])
			i++
			continue
		}
		sep, letters, mark := in[i+1].r, 1, len(out)
		out = append(out, in[i])
		end := i + 1 // of what is taken
		for {
			j := end
			for j < len(in) && in[j].r == sep {
				j++
			}
			if !single(j) || j-end == 0 || j-end > 1 && sep != ' ' {
				break
			}
			if j-end > 1 {
				out = append(out, in[end])
			}
			out = append(out, in[j])
			letters++
			end = j + 1
		}
		if letters < 3 || letters == 3 && sep != '.' {
			out = append(out[:mark], in[i:end]...)
		} else if letters > 3 {
			n.word = n.word[:0]
			for _, c := range out[mark:] {
				n.word = append(n.word, string(c.r)...)
			}
			n.note(Spaced, in[i].from, in[end-1].to, string(n.word))
		}
		i = end
	}
	n.cells, n.next = out, n.cells
}

func separates(r rune) bool {
	switch r {
	case ' ', '.', '-', '_', '|', '+', '\u00b7', '\u2022':
		return true
	}
	return false
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// alphabetic reports whether r is a letter of a script in which one letter is
// hardly ever a word.
func alphabetic(r rune) bool {
	return r < 0x80 && letter(byte(r)) || r >= 0xc0 && r <= 0x58f && unicode.IsLetter(r)
}
