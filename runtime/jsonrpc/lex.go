package jsonrpc

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// str reads the string at s.i and says in s.start, s.end, s.escaped and
// s.ascii what it found.
func (s *Scanner) str(loose bool) bool {
	b, i := s.b, s.i+1
	s.start, s.escaped, s.ascii = i, false, true
	for {
		// Eight bytes at a time until one is a quote, a backslash, a control
		// character or not ASCII; the lowest bit set is exact.
		for i+8 <= len(b) {
			x := binary.LittleEndian.Uint64(b[i:])
			quote, slash := x^ones*'"', x^ones*'\\'
			hit := ((quote-ones)&^quote | (slash-ones)&^slash | (x-ones*' ')&^x | x) & highs
			if hit != 0 {
				i += bits.TrailingZeros64(hit) / 8
				break
			}
			i += 8
		}
		if i >= len(b) {
			return s.fail(Syntax, len(b))
		}
		switch c := b[i]; {
		case c == '"':
			s.end, s.i = i, i+1
			return true
		case c == '\\':
			s.escaped = true
			n, r := escape(b[i:], loose)
			if r != 0 {
				return s.fail(r, i)
			}
			i += n
		case c < ' ':
			if (c == '\n' || c == '\r') && !s.opt.LineBreaks {
				return s.fail(LineBreak, i)
			}
			return s.fail(Syntax, i)
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return s.fail(UTF8, i)
			}
			s.ascii = false
			i += n
		}
	}
}

// escape checks the escape that b begins with and returns its length: of both
// halves for a surrogate pair.
func escape(b []byte, loose bool) (int, Reason) {
	if len(b) < 2 {
		return 0, Syntax
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, 0
	case 'u':
	default:
		return 0, Syntax
	}
	u := hex4(b[2:])
	switch {
	case u < 0:
		return 0, Syntax
	case u < 0xd800 || u >= 0xe000:
		return 6, 0
	case u < 0xdc00 && len(b) >= 12 && b[6] == '\\' && b[7] == 'u':
		if low := hex4(b[8:]); low >= 0xdc00 && low < 0xe000 {
			return 12, 0
		}
	}
	if loose {
		return 6, 0
	}
	return 0, Surrogate
}

// hex4 is the value of four hexadecimal digits, -1 when they are none.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	v := rune(0)
	for _, c := range b[:4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		v = v<<4 | rune(c)
	}
	return v
}

// number reads the number at s.i by the grammar of RFC 8259, section 6. It is
// refused when a double cannot hold its magnitude.
func (s *Scanner) number() bool {
	start := s.i
	if s.at('-') {
		s.i++
	}
	whole := 1
	if s.at('0') {
		s.i++
	} else if whole = s.digits(); whole == 0 {
		return s.fail(Syntax, s.i)
	}
	if s.at('.') {
		s.i++
		if s.digits() == 0 {
			return s.fail(Syntax, s.i)
		}
	}
	power, negative := 0, false
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		s.i++
		if negative = s.at('-'); negative || s.at('+') {
			s.i++
		}
		from := s.i
		if s.digits() == 0 {
			return s.fail(Syntax, s.i)
		}
		for _, c := range s.b[from:s.i] {
			power = min(power*10+int(c-'0'), 1000)
		}
	}
	switch {
	case s.i-start > s.opt.MaxNumber:
		return s.fail(LongNumber, start)
	case power > 400:
		return s.fail(HugeNumber, start)
	case negative, whole+power < 300:
		return whole < 300 || s.finite(start)
	}
	return s.finite(start)
}

func (s *Scanner) digits() int {
	from := s.i
	for s.i < len(s.b) && s.b[s.i]-'0' <= 9 {
		s.i++
	}
	return s.i - from
}

// finite decides the rare number whose magnitude its length does not show.
func (s *Scanner) finite(start int) bool {
	if _, err := strconv.ParseFloat(string(s.b[start:s.i]), 64); err != nil {
		return s.fail(HugeNumber, start)
	}
	return true
}
