package text

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// decoder takes one layer of encoding off a text: every encoded run at once or,
// where there is none, the clauses that are turned round.
type decoder struct {
	src         mapped
	size        int // of the raw text
	left        int // bytes that may still be decoded
	notes       *notebook
	out         draft
	copied      int // how much of src is in out, or left out of it
	wrapped     int // end of the lines that were tried as one run
	found       bool
	short       bool // left did not suffice
	first, last int  // raw range of what was decoded
}

// layer is the text without the layer, and whether there was one.
func (d *decoder) layer() (mapped, bool) {
	d.runs()
	if !d.found {
		d.turns()
	}
	if !d.found {
		return mapped{}, false
	}
	d.out.copy(d.src, d.copied, len(d.src.text))
	return d.out.done(d.size), true
}

// replace puts text in the place of src.text[start:end].
func (d *decoder) replace(start, end int, text string) {
	if len(text) > d.left {
		d.short = true
		return
	}
	d.left -= len(text)
	d.out.copy(d.src, d.copied, start)
	d.copied = end
	from, to := d.src.back.Range(start, end)
	d.out.add([]byte(text), from, to, false)
	if !d.found {
		d.first = from
	}
	d.found, d.last = true, to
}

func (d *decoder) note(kind NoteKind, start, end int, decoded string) {
	from, to := d.src.back.Range(start, end)
	d.notes.add(kind, from, to, decoded)
}

// runs replaces what is encoded byte by byte, and armoured runs.
func (d *decoder) runs() {
	s := d.src.text
	for i := 0; i < len(s); {
		c := s[i]
		switch classes[c] {
		case classLetter, classDigit, classArmour:
			i = d.token(i)
			continue
		case classDress:
			if c == '%' || c == '\\' || c == '=' {
				if end := d.escapes(i); end > i {
					i = end
					continue
				}
			}
		}
		i++
	}
}

// token looks at the run of base64's letters that begins at start, and returns
// where to go on.
func (d *decoder) token(start int) int {
	s := d.src.text
	end := armourEnd(s, start)
	if stop := pairsEnd(s, start); stop > end {
		if b := unhex(s[start:stop]); readable(b) {
			d.armoured(Hex, start, stop, b)
		}
		return stop
	}
	if end-start < shortestArmour {
		return end
	}
	token := s[start:end]
	if h := strings.TrimPrefix(strings.TrimPrefix(token, "0x"), "0X"); len(h) >= shortestArmour {
		if b := unhex(h); readable(b) {
			d.armoured(Hex, start, end, b)
			return end
		}
	}
	if !armour(token) {
		return end
	}
	stop := end
	if start >= d.wrapped {
		stop = wrapped(s, start, end)
		d.wrapped = stop
	}
	for _, stop := range [...]int{stop, end} {
		if b := unbase64(s[start:stop]); b != nil {
			for k := 0; k < 2 && stop < len(s) && s[stop] == '='; k++ {
				stop++
			}
			d.armoured(Base64, start, stop, b)
			return stop
		}
	}
	return end
}

// armoured replaces a run that was encoded as a whole; its text stands on lines
// of its own.
func (d *decoder) armoured(kind NoteKind, start, end int, b []byte) {
	text := string(b)
	d.note(kind, start, end, text)
	d.replace(start, end, "\n"+strings.ToValidUTF8(text, "")+"\n")
}

func armourByte(c byte) bool {
	k := classes[c]
	return k == classLetter || k == classDigit || k == classArmour
}

func armourEnd(s string, i int) int {
	for i < len(s) && armourByte(s[i]) {
		i++
	}
	return i
}

// wrapped is the end of a base64 run that goes on over lines: lines of equal
// length, as encoders write them, and a shorter last one.
func wrapped(s string, start, end int) int {
	width := end - start
	if width < 32 || width%4 != 0 {
		return end
	}
	for {
		next := end
		for next < len(s) && (s[next] == '\n' || blankByte(s[next])) {
			next++
		}
		stop := armourEnd(s, next)
		switch n := stop - next; {
		case next == end || n == 0 || n > width:
			return end
		case n < width:
			if n%4 == 0 || stop < len(s) && s[stop] == '=' {
				return stop
			}
			return end
		}
		end = stop
	}
}

// pairsEnd is the end of a run of hexadecimal pairs that one sign parts, or 0.
func pairsEnd(s string, i int) int {
	pair := func(i int) bool {
		return i+2 <= len(s) && hexDigit(s[i]) >= 0 && hexDigit(s[i+1]) >= 0 && (i+2 == len(s) || !alnum(s[i+2]))
	}
	if !pair(i) || i+2 == len(s) || strings.IndexByte(" :-,", s[i+2]) < 0 {
		return 0
	}
	sep, pairs := s[i+2], 1
	i += 2
	for i < len(s) && s[i] == sep && pair(i+1) {
		i += 3
		pairs++
	}
	if pairs < shortestArmour/2 {
		return 0
	}
	return i
}

// armour reports whether the first letters of a long token decode to the
// beginning of a text. It allocates nothing.
func armour(token string) bool {
	return hexText(token) || len(token) > shortestArmour+1 && token[0] == '0' && token[1]|0x20 == 'x' && hexText(token[2:]) || base64Text(token)
}

func hexText(token string) bool {
	var b [shortestArmour / 2]byte
	for i := range b {
		hi, lo := hexDigit(token[2*i]), hexDigit(token[2*i+1])
		if hi < 0 || lo < 0 {
			return false
		}
		b[i] = byte(hi<<4 | lo)
	}
	return promising(b[:])
}

func base64Text(token string) bool {
	var b [12]byte
	for i := 0; i < shortestArmour; i += 4 {
		v := 0
		for _, c := range []byte(token[i : i+4]) {
			d := sextet(c)
			if d < 0 {
				return false
			}
			v = v<<6 | d
		}
		b[i/4*3], b[i/4*3+1], b[i/4*3+2] = byte(v>>16), byte(v>>8), byte(v)
	}
	return promising(b[:])
}

func sextet(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 26
	case c >= '0' && c <= '9':
		return int(c-'0') + 52
	case c == '+' || c == '-':
		return 62
	case c == '/' || c == '_':
		return 63
	}
	return -1
}

// promising reports whether b may be how a text begins, in UTF-8 or in UTF-16.
func promising(b []byte) bool {
	zeros := 0
	for i, c := range b {
		if i%2 == 1 && c == 0 {
			zeros++
		}
	}
	if zeros*2 >= len(b)-2 {
		return true
	}
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && utf8.FullRune(b) || r < ' ' && !textControl(r) || r == 0x7f {
			return false
		}
		b = b[size:]
	}
	return true
}

func textControl(r rune) bool { return r == '\n' || r == '\t' || r == '\r' || r == 0x1b }

// readable reports whether b is text: valid UTF-8 without controls, at least
// three in five runes of it letters, digits or spaces. All of ASCII that can be
// printed will do.
func readable(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	words, all, ascii := 0, 0, true
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 || r < ' ' && !textControl(r) || r == 0x7f {
			return false
		}
		ascii = ascii && r < 0x80
		all++
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsSpace(r) || unicode.IsMark(r) {
			words++
		}
		b = b[size:]
	}
	return ascii || words*5 >= all*3
}

// unhex decodes pairs of hexadecimal digits, parted or not; nil where s is
// something else.
func unhex(s string) []byte {
	b := make([]byte, 0, min(len(s)/2, 64))
	for i := 0; i < len(s); {
		if hexDigit(s[i]) < 0 && len(b) > 0 {
			i++
			continue
		}
		if i+1 >= len(s) || hexDigit(s[i]) < 0 || hexDigit(s[i+1]) < 0 {
			return nil
		}
		b = append(b, byte(hexDigit(s[i])<<4|hexDigit(s[i+1])))
		i += 2
	}
	return b
}

// unbase64 decodes a run in either alphabet, white space inside of it or not,
// if text comes out of it.
func unbase64(s string) []byte {
	clean := make([]byte, 0, len(s))
	for _, c := range []byte(s) {
		switch {
		case c == '-':
			c = '+'
		case c == '_':
			c = '/'
		case !armourByte(c):
			continue
		}
		clean = append(clean, c)
	}
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	n, err := base64.RawStdEncoding.Decode(clean, clean)
	if err != nil {
		return nil
	}
	b := clean[:n]
	if len(b)%2 == 0 && wideText(b) {
		units := make([]uint16, 0, len(b)/2)
		for i := 0; i < len(b); i += 2 {
			units = append(units, uint16(b[i])|uint16(b[i+1])<<8)
		}
		b = []byte(string(utf16.Decode(units)))
	}
	if !readable(b) {
		return nil
	}
	return b
}

// wideText reports whether b looks like UTF-16 of mostly ASCII.
func wideText(b []byte) bool {
	zeros := 0
	for i := 1; i < len(b); i += 2 {
		if b[i] == 0 {
			zeros++
		}
	}
	return zeros*3 >= len(b)
}

// escapes replaces the escapes in a row that begin at start, rune by rune, and
// returns their end. It notes them where letters and digits are escaped that
// need not be.
func (d *decoder) escapes(start int) int {
	s := d.src.text
	kind, i, needless := Percent, start, 0
	var decoded []byte
	for i < len(s) {
		var text string
		size := 0
		switch s[i] {
		case '%':
			text, size = escapedBytes(s[i:], "%")
		case '=':
			if i > start || quotedRun(s, i) > 0 {
				text, size = escapedBytes(s[i:], "=")
				kind = Quoted
			}
		case '\\':
			text, size = backslashed(s[i:])
			kind = Escape
		}
		if size == 0 {
			break
		}
		if c := text[0]; c < 0x80 && alnum(c) && size > 2 {
			needless++
		}
		d.replace(i, i+size, text)
		if len(decoded) < longestDecoded {
			decoded = append(decoded, text...)
		}
		i += size
	}
	if needless >= 3 {
		d.note(kind, start, i, string(decoded))
	}
	return i
}

// quotedRun is the length of three or more bytes in quoted-printable, or 0.
func quotedRun(s string, i int) int {
	n := 0
	for i+2 < len(s) && s[i] == '=' && hexDigit(s[i+1]) >= 0 && hexDigit(s[i+2]) >= 0 && n < 9 {
		i += 3
		n += 3
	}
	if n < 9 {
		return 0
	}
	return n
}

// escapedBytes decodes the bytes of one rune, each mark and two hexadecimal digits.
func escapedBytes(s, mark string) (string, int) {
	var b [utf8.UTFMax]byte
	n, step := 0, len(mark)+2
	for n < len(b) && len(s) >= (n+1)*step {
		e := s[n*step : (n+1)*step]
		hi, lo := hexDigit(e[len(mark)]), hexDigit(e[len(mark)+1])
		if e[:len(mark)] != mark || hi < 0 || lo < 0 {
			break
		}
		b[n] = byte(hi<<4 | lo)
		n++
		if r, size := utf8.DecodeRune(b[:n]); size == n && (r != utf8.RuneError || size > 1) {
			if r < ' ' && !textControl(r) {
				return "", 0
			}
			return string(r), n * step
		}
	}
	return "", 0
}

// backslashed decodes one escape of JSON, JavaScript, C or Python, written out.
func backslashed(s string) (string, int) {
	if len(s) < 2 {
		return "", 0
	}
	hex := func(i, n int) rune {
		if len(s) < i+n {
			return -1
		}
		r := rune(0)
		for _, c := range []byte(s[i : i+n]) {
			v := hexDigit(c)
			if v < 0 {
				return -1
			}
			r = r<<4 | rune(v)
		}
		return r
	}
	r, size := rune(-1), 0
	switch s[1] {
	case 'n', 'r':
		return "\n", 2
	case 't':
		return " ", 2
	case 'x':
		return escapedBytes(s, `\x`)
	case 'U':
		r, size = hex(2, 8), 10
	case 'u':
		if len(s) > 2 && s[2] == '{' {
			end := strings.IndexByte(s[:min(len(s), 10)], '}')
			if end < 4 {
				return "", 0
			}
			r, size = hex(3, end-3), end+1
			break
		}
		r, size = hex(2, 4), 6
		if utf16.IsSurrogate(r) && len(s) >= 12 && s[6:8] == `\u` {
			if low := hex(8, 4); low >= 0 {
				r, size = utf16.DecodeRune(r, low), 12
			}
		}
	}
	if r < 0 || r < ' ' && !textControl(r) || !utf8.ValidRune(r) {
		return "", 0
	}
	return string(r), size
}
