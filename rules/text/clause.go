package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clause is a sentence, or a part of one that can stand alone, as byte offsets
// of the text that was cut. White space around it and the mark of a list item
// before it are left out; the sign that ends it is not.
type Clause struct {
	Start, End int
	// Wrapped says that a line end cut it where the sentence may go on: the
	// line ends in no punctuation, and a line of plain text follows.
	Wrapped bool
}

// Clauses cuts text at the ends of sentences and lines, at semicolons, and at
// colons that introduce at least three words. Full stops of paths, versions,
// numbers and abbreviations end nothing.
func Clauses(text string) []Clause { return AppendClauses(nil, text) }

// AppendClauses appends what Clauses returns to dst.
func AppendClauses(dst []Clause, text string) []Clause {
	start := 0
	cut := func(end int, wrapped bool) {
		from, to := trim(text, start, end)
		if from < to {
			dst = append(dst, Clause{from, to, wrapped})
		}
		start = end
	}
	for i := 0; i < len(text); {
		c := text[i]
		if c < 0x80 {
			i++
			switch c {
			case '\n':
				cut(i, wraps(text, start, i))
			case ';':
				if blankAfter(text, i) {
					cut(i, false)
				}
			case ':':
				if blankAfter(text, i) && introduces(text[i:]) {
					cut(i, false)
				}
			case '.', '!', '?':
				stop := i - 1
				i = closing(text, i)
				if blankAfter(text, i) && !(c == '.' && (abbreviated(text, start, stop) || numbered(text, start, stop))) {
					cut(i, false)
				}
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		i += size
		switch r {
		case '。', '｡', '！', '？', '；', '؟', '؛', '،', '۔', '।', '॥', '։', '።', '\u2028', '\u2029':
			i = closing(text, i)
			cut(i, false)
		case '…':
			if blankAfter(text, i) {
				cut(i, false)
			}
		}
	}
	cut(len(text), false)
	return dst
}

// blankAfter reports whether white space or the end follows, or a letter of a
// script that writes none between sentences.
func blankAfter(s string, i int) bool {
	if i >= len(s) || s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r' {
		return true
	}
	if s[i] < 0x80 {
		return false
	}
	r, _ := utf8.DecodeRuneInString(s[i:])
	return unicode.IsSpace(r) || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

// closing is the offset behind more signs of the end of a sentence, and behind
// quotes and brackets that close with it.
func closing(s string, i int) int {
	for i < len(s) {
		if s[i] < 0x80 {
			if strings.IndexByte(".!?\"')]}>*_`", s[i]) < 0 {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch r {
		case '”', '’', '»', '」', '』', '）', '。', '！', '？', '؟', '…':
			i += size
		default:
			return i
		}
	}
	return i
}

// abbreviated reports whether the full stop at dot, in the clause that begins
// at start, is part of an abbreviation.
func abbreviated(s string, start, dot int) bool {
	const longest = 8
	first := dot
	for first > start && dot-first <= longest && (letter(s[first-1]) || s[first-1] == '.') {
		first--
	}
	switch word := s[first:dot]; len(word) {
	case 1:
		return word != "i" && word != "I" && first > start && s[first-1] == ' ' // an initial
	case 2, 3, 4, 5, 6:
		switch strings.ToLower(word) {
		case "e.g", "i.e", "eg", "ie", "vs", "cf", "mr", "mrs", "ms", "dr", "prof", "approx", "incl", "excl", "resp", "fig", "ca", "viz", "al", "a.k.a", "u.s", "st", "z.b", "d.h", "bzw", "p.ej":
			return true
		}
	}
	return false
}

// numbered reports whether the full stop at dot belongs to the number of a list
// item, with which the clause begins.
func numbered(s string, start, dot int) bool {
	for start < dot && (s[start] == ' ' || s[start] == '\t') {
		start++
	}
	if dot == start || dot-start > 3 {
		return false
	}
	for _, c := range []byte(s[start:dot]) {
		if classes[c] != classDigit {
			return false
		}
	}
	return true
}

// introduces reports whether a colon stands before at least three words of its
// line or sentence.
func introduces(s string) bool {
	const far = 200
	words, in := 0, false
	for _, r := range s[:runeStart(s, min(len(s), far))] {
		switch {
		case unicode.IsLetter(r):
			if !in {
				if words++; words == 3 {
					return true
				}
			}
			in = true
		case r == '\n', r == ';', r == ':':
			return false
		default:
			in = in && r != ' '
		}
	}
	return false
}

// wraps reports whether the line end before end looks like that of a sentence
// that goes on.
func wraps(s string, start, end int) bool {
	i := end - 1
	for i > start && blankByte(s[i-1]) {
		i--
	}
	if i <= start || strings.IndexByte(".!?;:|>`", s[i-1]) >= 0 {
		return false
	}
	for end < len(s) && blankByte(s[end]) {
		end++
	}
	r, _ := utf8.DecodeRuneInString(s[end:])
	from, _ := trim(s, end, len(s[:end])+lineLength(s[end:]))
	return from == end && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '(' || r == '"' || r == '\'')
}

// lineLength is the length of the first line of s, as far as the mark of a list
// item reaches.
func lineLength(s string) int {
	s = s[:min(len(s), 8)]
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// trim leaves white space, and the mark of a list item at its beginning, out of
// [start, end).
func trim(s string, start, end int) (int, int) {
	start, end = trimBlank(s, start, end)
	switch {
	case start >= end:
	case s[start] == '-' || s[start] == '*' || s[start] == '+':
		if start+1 < end && s[start+1] == ' ' {
			start += 2
		}
	case strings.HasPrefix(s[start:end], "• "):
		start += len("• ")
	case classes[s[start]] == classDigit:
		i := start
		for i < end && i-start < 3 && classes[s[i]] == classDigit {
			i++
		}
		if i+1 < end && (s[i] == '.' || s[i] == ')') && s[i+1] == ' ' {
			start = i + 2
		}
	}
	return trimBlank(s, start, end)
}

func trimBlank(s string, start, end int) (int, int) {
	for start < end {
		r, size := utf8.DecodeRuneInString(s[start:end])
		if !unicode.IsSpace(r) {
			break
		}
		start += size
	}
	for start < end {
		r, size := utf8.DecodeLastRuneInString(s[start:end])
		if !unicode.IsSpace(r) {
			break
		}
		end -= size
	}
	return start, end
}
