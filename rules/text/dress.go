package text

import (
	"html"
	"strings"
	"unicode"
)

// entity decodes the HTML character reference that s begins with, through any
// number of times that its ampersand is itself encoded. Named ones need their
// semicolon, for much that is no HTML has an ampersand. size is 0 for none.
func entity(s string) (text string, size int) {
	const longest = 32 // of a name (HTML5 13.5)
	i := 1
	for strings.HasPrefix(s[i:], "amp;") {
		i += len("amp;")
	}
	stop := min(len(s), i+longest)
	j := i
	numeric := j < stop && s[j] == '#'
	if numeric {
		j++
		if j < stop && s[j]|0x20 == 'x' {
			j++
		}
	}
	digits := j
	for j < stop && alnum(s[j]) && (!numeric || hexDigit(s[j]) >= 0) {
		j++
	}
	closed := j < len(s) && s[j] == ';'
	if j > digits && (closed || numeric) {
		name := s[i:j]
		if numeric && s[digits-1] == '#' { // decimal: its digits end where letters begin
			j = digits
			for j < stop && classes[s[j]] == classDigit {
				j++
			}
			closed = j < len(s) && s[j] == ';'
			name = s[i:j]
		}
		if decoded := html.UnescapeString("&" + name + ";"); j > digits && decoded != "&"+name+";" {
			if closed {
				j++
			}
			return decoded, j
		}
	}
	if i > 1 {
		return "&", i
	}
	return "", 0
}

// undress takes Markdown and the tags that only dress text off the cells: code
// and emphasis marks, backslashes before punctuation, brackets around the text
// of links. Lists, headings, images, globs, names with underscores and all
// other tags stay.
func (n *normaliser) undress() {
	in, out := n.cells, n.next[:0]
	at := func(i int) rune {
		if i < 0 || i >= len(in) {
			return ' '
		}
		return in[i].r
	}
	bracket := -1 // the last open one in out
	for i := 0; i < len(in); {
		c := in[i]
		switch c.r {
		case '`':
			i++
			continue
		case '~':
			if at(i+1) == '~' {
				i += 2
				continue
			}
		case '*', '_':
			j := i + 1
			for at(j) == c.r {
				j++
			}
			if emphasis(c.r, at(i-1), at(j)) {
				i = j
				continue
			}
			out = append(out, in[i:j]...)
			i = j
			continue
		case '\\':
			if next := at(i + 1); next != '\\' && next < 0x80 && punctuation(next) {
				out = append(out, cell{next, c.from, in[i+1].to, true})
				i += 2
				continue
			}
		case '[':
			bracket = len(out)
			if i > 0 && at(i-1) == '!' {
				bracket = -1
			}
		case ']':
			if at(i+1) == '(' && bracket >= 0 {
				out = append(out[:bracket], out[bracket+1:]...)
				out = append(out, cell{' ', c.from, c.to, true})
				bracket = -1
				i++
				continue
			}
		case '<':
			if size := dressTag(in[i:]); size > 0 {
				i += size
				continue
			}
		}
		out = append(out, c)
		i++
	}
	n.cells, n.next = out, n.cells
}

// emphasis reports whether a run of mark between prev and next is emphasis.
func emphasis(mark, prev, next rune) bool {
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	if mark == '_' {
		return !(word(prev) && word(next)) && (word(prev) || word(next))
	}
	switch {
	case prev == '/' || next == '/' || next == '.' && !word(prev): // globs, comments of code
		return false
	case unicode.IsDigit(prev) && unicode.IsDigit(next):
		return false
	}
	return word(prev) || word(next) || strings.ContainsRune(`.:;!?,)]"'`, prev) || strings.ContainsRune(`(["'<`, next)
}

var dressTags = map[string]bool{"b": true, "i": true, "u": true, "s": true, "em": true, "strong": true, "span": true, "font": true, "mark": true,
	"small": true, "big": true, "sub": true, "sup": true, "wbr": true, "bdo": true, "bdi": true, "tt": true, "code": true, "ins": true}

// dressTag is the length of the tag, or of the comment without a letter, that
// cells begin with; 0 for none.
func dressTag(cells []cell) int {
	const longest = 256
	var name [8]byte
	i, n := 1, 0
	comment := len(cells) > 3 && cells[1].r == '!' && cells[2].r == '-' && cells[3].r == '-'
	if comment {
		i = 4
	} else {
		if i < len(cells) && cells[i].r == '/' {
			i++
		}
		for ; i < len(cells) && n < len(name) && cells[i].r < 0x80 && letter(byte(cells[i].r)); i++ {
			name[n] = byte(cells[i].r) | 0x20
			n++
		}
		if !dressTags[string(name[:n])] {
			return 0
		}
	}
	for first := i; i < len(cells) && i < longest; i++ {
		switch r := cells[i].r; {
		case r == '>':
			return i + 1
		case r == '<', comment && unicode.IsLetter(r):
			return 0
		case !comment && i == first && r != ' ' && r != '/':
			return 0
		}
	}
	return 0
}
