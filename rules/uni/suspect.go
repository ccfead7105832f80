package uni

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// Thresholds of package text: white space that pushes text out of sight, and
// the shortest run that is decoded.
const (
	wide     = 80
	tall     = 16
	shortest = 16
)

// suspect is a look at each byte that says whether a text with notes may be
// disguised: what ordinary texts hold, Markdown among them, is not. It
// allocates nothing.
func suspect(s string) bool {
	var (
		token, word     int // where the current run of base64's letters, and of letters and digits, began
		digits          bool
		singles, pairs  int
		rotated, turned int
		blank, lines    int
	)
	for i, size := 0, 1; i <= len(s); i += size {
		c := byte(' ') // the end of the text ends everything
		if i < len(s) {
			c = s[i]
		}
		size = 1
		if c >= 0x80 {
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			switch {
			case r >= 0xc0 && r <= 0x17f && r != 0xd7 && r != 0xf7 && r != 0x131: // letters with accents
				token = i + size
				continue
			case !tame(r):
				return true
			}
			c = ','
		}
		if c|0x20 >= 'a' && c|0x20 <= 'z' {
			continue
		}
		if c >= '0' && c <= '9' {
			digits = true
			continue
		}
		if n := i - word; n > 0 {
			blank, lines = 0, 0
			w := s[word:i]
			switch {
			case n == 1:
				if singles++; singles > 4 {
					return true
				}
			case n >= 4 && digits && leet(w):
				return true
			case !digits && n <= len("instructions"):
				r, b := backToFront(w)
				if rotated, turned = rotated+r, turned+b; rotated > 1 || turned > 1 {
					return true
				}
				fallthrough
			default:
				singles = 0
			}
			if n == 2 && hex(w[0]) && hex(w[1]) {
				if pairs++; pairs >= shortest/2 {
					return true
				}
			} else {
				pairs = 0
			}
		}
		word, digits = i+size, false
		if c == '+' || c == '/' || c == '-' || c == '_' {
			blank, lines = 0, 0
			continue
		}
		if i-token >= shortest && armour(s[token:i]) {
			return true
		}
		token = i + size
		switch {
		case c == ' ':
			blank++
		case c == '\t':
			blank += 8
		case c == '\n':
			blank = 0
			lines++
		case c == '\r' && i+1 < len(s) && s[i+1] == '\n':
		case c < ' ' || c == 0x7f:
			return true
		default:
			if escaped(s[i:]) || (c == '@' || c == '$' || c == '!') && i > 0 && dressed(s, i) {
				return true
			}
			blank, lines = 0, 0
		}
		if blank >= wide || lines >= tall {
			return true
		}
	}
	return false
}

// tame reports whether a character is one that texts in English have too, or one
// of Chinese, Japanese or Korean, and takes no part in a disguise.
func tame(r rune) bool {
	return r == 0xa7 || r == 0xab || r == 0xb0 || r == 0xb7 || r == 0xbb || r == 0xd7 || r == 0xf7 || // signs of Latin-1
		r >= 0x2010 && r <= 0x2027 || r == 0x20ac || // punctuation
		r >= 0x2190 && r <= 0x21ff || r >= 0x2500 && r <= 0x25ff || r >= 0x2600 && r <= 0x27bf || // arrows, boxes, symbols
		r >= 0x1f300 && r <= 0x1faff && (r < 0x1f3fb || r > 0x1f3ff) && r != 0x1f3f4 || // emoji
		r >= 0x3001 && r <= 0x30fe || r >= 0x4e00 && r <= 0x9fff || r >= 0xac00 && r <= 0xd7a3
}

// escaped reports whether s begins with an escape that is not needed: of a
// letter or a digit, or one in a row of them.
func escaped(s string) bool {
	switch s[0] {
	case '%', '=':
		if len(s) < 3 || !hex(s[1]) || !hex(s[2]) {
			return false
		}
		return s[0] == '%' && alnum(nibble(s[1])<<4|nibble(s[2])) || len(s) > 3 && s[3] == s[0]
	case '\\':
		return len(s) > 3 && (s[1] == 'u' || s[1] == 'x' || s[1] == 'U') && (s[2] == '{' || hex(s[2]) && hex(s[3]))
	}
	return false
}

// dressed reports whether a sign stands for a letter: p@ssw0rd, acce$s.
func dressed(s string, i int) bool {
	before, after := i, i+1
	if after < len(s) && strings.IndexByte("@$!", s[after]) >= 0 {
		return true
	}
	for before > 0 && alnum(s[before-1]) {
		before--
	}
	for after < len(s) && after-i < 24 && alnum(s[after]) {
		after++
	}
	address := s[i] == '@' && after+1 < len(s) && s[after] == '.' && alnum(s[after+1])
	return i > before && after > i+1 && !address
}

func alnum(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }

func hex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// leet reports whether a digit that passes for a letter stands between letters.
func leet(word string) bool {
	if len(word) > 24 {
		return false
	}
	for i := 1; i+1 < len(word); i++ {
		if strings.IndexByte("013457", word[i]) >= 0 && word[i+1] > '9' {
			return true
		}
	}
	return false
}

// armour reports whether a long token begins like the base64 or hexadecimal
// form of a text.
func armour(token string) bool {
	var in, out [shortest]byte
	if len(token) > 1 && token[0] == '0' && token[1]|0x20 == 'x' {
		token = token[2:]
	}
	if len(token) < shortest {
		return false
	}
	pairs := true
	for i := range shortest {
		c := token[i]
		pairs = pairs && hex(c)
		switch c {
		case '-':
			c = '+'
		case '_':
			c = '/'
		}
		in[i] = c
	}
	if pairs {
		return printable(func(i int) byte { return nibble(in[2*i])<<4 | nibble(in[2*i+1]) }, shortest/2)
	}
	n, err := base64.RawStdEncoding.Decode(out[:], in[:])
	return err == nil && printable(func(i int) byte { return out[i] }, n)
}

func nibble(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// printable reports whether n bytes may be how a text begins: printable ASCII,
// other letters of UTF-8 among it, or UTF-16.
func printable(at func(int) byte, n int) bool {
	plain, zeros := 0, 0
	for i := range n {
		switch c := at(i); {
		case c >= ' ' && c < 0x7f, c == '\n', c == '\t', c == '\r', c == 0x1b:
			plain++
		case c == 0 && i%2 == 1:
			zeros++
		case c >= 0x80:
			if i+1 < n && c >= 0xc2 && at(i+1)&0xc0 == 0x80 || i > 0 && at(i-1) >= 0x80 || i == n-1 {
				plain++
			}
		}
	}
	return plain == n || zeros*2 >= n-3
}

// backToFront counts a word that is common when its letters are rotated by 13,
// or when it is written backwards.
func backToFront(word string) (rotated, backward int) {
	var b [16]byte
	n := copy(b[:], word)
	for i := range b[:n] {
		b[i] |= 0x20
	}
	switch string(b[:n]) {
	case "gur", "naq", "lbh", "lbhe", "nyy", "nal", "guvf", "gung", "jvgu", "sbe", "sebz", "unir", "zhfg", "abg", "hfr", "vtaber", "cerivbhf", "vafgehpgvba", "vafgehpgvbaf", "sbetrg",
		"fraq", "ernq", "svyr", "svyrf", "hfre", "hfref", "flfgrz", "cebzcg", "gbby", "gbbyf", "pnyy", "orsber", "nsgre", "nyjnlf", "arire", "gryy", "frperg", "cnffjbeq", "xrl", "xrlf", "qngn",
		"sbyybj", "rkrphgr", "eha", "qryrgr", "erirny", "bhgchg", "cevag", "jevgr", "hcybnq", "zrffntr", "rirelguvat", "bgure", "bayl", "nyfb", "vagb", "cyrnfr":
		return 1, 0
	case "eht", "dna", "uoy", "ruoy", "lla", "yna", "siht", "taht", "htiw", "rof", "morf", "evah", "tsum", "esu", "erongi", "suoiverp", "noitcurtsni", "snoitcurtsni", "tegrof",
		"dnes", "daer", "elif", "selif", "resu", "sresu", "metsys", "tpmorp", "loot", "sloot", "llac", "erofeb", "retfa", "syawla", "reven", "llet", "terces", "drowssap", "yek", "syek", "atad",
		"wollof", "etucexe", "nur", "eteled", "laever", "tuptuo", "tnirp", "etirw", "daolpu", "egassem", "gnihtyreve", "rehto", "ylno", "osla", "otni", "esaelp":
		return 0, 1
	}
	return 0, 0
}
