package text

import (
	"encoding/binary"
	"strings"
)

// marks is what a first look finds worth a second one. A text without any is
// its own normal form but for the case of its letters.
type marks uint16

const (
	nonASCII marks = 1 << iota
	control        // control characters other than tab and line ends
	padding        // white space of padding's size
	entities       // of HTML
	dress          // anything else that the normaliser changes
	encoded        // what may be an encoded run
	turned         // words that are English when turned round
)

// White space as wide or as tall as this pushes text out of sight.
const (
	wide = 80 // columns
	tall = 16 // line ends
)

// shortestArmour is the shortest base64 or hexadecimal run that is decoded.
const shortestArmour = 16

// class of a byte: what survey does when it meets one.
type class uint8

const (
	classOther  class = iota // punctuation that never matters
	classLetter              // ASCII
	classDigit
	classArmour // + / - _ which base64 has besides letters and digits
	classSpace
	classDress // may be part of a disguise or of an encoding
	classTab
	classLine
	classReturn
	classControl
	classHigh // not ASCII
)

var classes = func() (t [256]class) {
	for i := range t {
		c := byte(i)
		switch {
		case c >= 0x80:
			t[i] = classHigh
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			t[i] = classLetter
		case c >= '0' && c <= '9':
			t[i] = classDigit
		case c == ' ':
			t[i] = classSpace
		case c == '\t':
			t[i] = classTab
		case c == '\n':
			t[i] = classLine
		case c == '\r':
			t[i] = classReturn
		case c < ' ' || c == 0x7f:
			t[i] = classControl
		case strings.IndexByte("+/-_", c) >= 0:
			t[i] = classArmour
		case strings.IndexByte("*`~\\[]<&%=@$!", c) >= 0:
			t[i] = classDress
		}
	}
	return t
}()

func alnum(c byte) bool { return classes[c] == classLetter || classes[c] == classDigit }

func letter(c byte) bool { return classes[c] == classLetter }

// survey looks at every byte of s once. It allocates nothing.
func survey(s string) marks {
	var seen marks
	word, token := 0, 0 // where the current word, and the current run of base64's letters, began
	digits := false     // in the word
	singles, pairs := 0, 0
	rot, back := 0, 0
	blank, lines := 0, 2 // white space since the last visible byte; two lines: a text begins at its margin
	for i := 0; i < len(s); i++ {
		c := s[i]
		k := classes[c]
		if k == classLetter {
			n := Letters(Eight(s, i) | blanks)
			for end := n; end == 8; n += end {
				end = Letters(Eight(s, i+n) | blanks)
			}
			// Most words stand between spaces, and then no count has to be kept.
			if i += n; n > 2 && n < shortestArmour && i-n == token && i+1 < len(s) && s[i] == ' ' && letter(s[i+1]) {
				if turnedEnds[s[token]&31][s[i-1]&31]>>(n&15)&1 != 0 && n <= longestTurned {
					form := lookup(s[token:i])
					rot, back = rot+form.is(rotated), back+form.is(backward)
				}
				singles, pairs, blank, lines = 0, 0, 1, 0
				word, token = i+1, i+1
				continue
			}
			i--
			continue
		}
		if k == classDigit {
			digits = true
			continue
		}
		if n := i - word; n > 0 {
			blank, lines = 0, 0
			switch {
			case n == 1:
				if singles++; singles >= 3 && letter(s[word]) {
					seen |= dress
				}
				digits = false
			case digits:
				singles = 0
				if n >= 3 && n <= longestLeet && leet(s[word:i]) {
					seen |= dress
				}
				digits = false
			default:
				singles = 0
				if n <= longestTurned && turnedEnds[s[word]&31][s[i-1]&31]>>(n&15)&1 != 0 {
					form := lookup(s[word:i])
					rot, back = rot+form.is(rotated), back+form.is(backward)
				}
			}
			if n != 2 {
				pairs = 0
			} else if pairs = paired(pairs, s[word:i]); pairs >= shortestArmour/2 {
				seen |= encoded
			}
		}
		word = i + 1
		if k == classArmour {
			if c == '_' && !(i > 0 && i+1 < len(s) && wordByte(s[i-1]) && wordByte(s[i+1])) {
				seen |= dress
			}
			blank, lines = 0, 0
			continue
		}
		if i-token >= shortestArmour && armour(s[token:i]) {
			seen |= encoded
		}
		token = i + 1
		switch k {
		case classSpace:
			if blank++; blank > 1 || lines > 0 || i+1 == len(s) || s[i+1] == '\n' {
				seen |= dress
				if blank >= wide {
					seen |= padding
				}
			}
			continue
		case classTab:
			seen |= dress
			if blank += 8; blank >= wide {
				seen |= padding
			}
			continue
		case classLine:
			blank = 0
			if lines++; lines > 2 {
				seen |= dress
				if lines >= tall {
					seen |= padding
				}
			}
			continue
		case classReturn:
			seen |= dress
			if i+1 == len(s) || s[i+1] != '\n' {
				seen |= control
			}
			continue
		case classControl:
			seen |= control | dress
		case classHigh:
			seen |= nonASCII | dress
		case classDress:
			seen |= dressed(s, i)
		}
		blank, lines = 0, 0
	}
	// The end of the text ends a word and a token too.
	if n := len(s) - word; n > 0 {
		switch {
		case n == 1 && letter(s[word]) && singles >= 2:
			seen |= dress
		case digits && n >= 3 && n <= longestLeet && leet(s[word:]):
			seen |= dress
		case !digits && n <= longestTurned:
			form := lookup(s[word:])
			rot, back = rot+form.is(rotated), back+form.is(backward)
		}
		if paired(pairs, s[word:]) >= shortestArmour/2 {
			seen |= encoded
		}
	}
	if len(s)-token >= shortestArmour && armour(s[token:]) {
		seen |= encoded
	}
	if rot >= 2 || back >= 2 {
		seen |= turned
	}
	return seen
}

// wordByte reports whether an underscore beside c may be part of a name.
func wordByte(c byte) bool { return alnum(c) || c == '_' }

// paired counts words in a row that are pairs of hexadecimal digits.
func paired(count int, word string) int {
	if len(word) == 2 && hexDigit(word[0]) >= 0 && hexDigit(word[1]) >= 0 {
		return count + 1
	}
	return 0
}

// dressed looks at the surroundings of a byte of classDress.
func dressed(s string, i int) marks {
	var prev, next byte = ' ', ' '
	if i > 0 {
		prev = s[i-1]
	}
	if i+1 < len(s) {
		next = s[i+1]
	}
	switch s[i] {
	case '*', '`':
		return dress
	case '~':
		if next == '~' {
			return dress
		}
	case '\\':
		if strings.IndexByte("uUxnrt", next) >= 0 {
			return encoded
		}
		if punctuation(rune(next)) {
			return dress
		}
	case ']':
		if next == '(' {
			return dress
		}
	case '<':
		if letter(next) || next == '/' || next == '!' {
			return dress
		}
	case '&':
		if letter(next) || next == '#' {
			return dress | entities
		}
	case '@', '$', '!':
		if (alnum(prev) || s[i] == '$' || s[i] == '@') && (alnum(next) || next == '@' || next == '$' || next == '!') {
			return dress
		}
	case '%':
		if i+2 < len(s) && hexDigit(next) >= 0 && hexDigit(s[i+2]) >= 0 {
			return encoded
		}
	case '=':
		if quotedRun(s, i) > 0 {
			return encoded
		}
	}
	return 0
}

// punctuation reports whether r is ASCII punctuation.
func punctuation(r rune) bool { return r > ' ' && r < 0x7f && !alnum(byte(r)) }

// hexDigit is the value of a hexadecimal digit, or -1.
func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// plainViews are the views of a text without marks.
func plainViews(raw string) []View {
	return []View{{Kind: Raw, Text: raw}, {Kind: Normal, Text: lowerASCII(raw)}}
}

// lowerASCII is strings.ToLower for ASCII, in half of the time.
func lowerASCII(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	var part [256]byte
	for len(s) > 0 {
		n := copy(part[:], s)
		lowerBytes(part[:n])
		b.Write(part[:n])
		s = s[n:]
	}
	return b.String()
}

func lowerBytes(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		seven := x &^ highs
		from, above := seven+(0x80-'A')*ones, seven+(0x7f-'Z')*ones
		binary.LittleEndian.PutUint64(b, x|(from&^above&^x&highs)>>2)
	}
	for i, c := range b {
		if c-'A' < 26 {
			b[i] = c | 0x20
		}
	}
}
