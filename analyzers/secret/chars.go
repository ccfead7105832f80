package secret

// class is a set of ASCII characters that the tokens of a format are made of.
type class uint16

const (
	lower class = 1 << iota
	upper
	digit
	underscore
	dash
	dot
	slash // and plus
	equals
	tilde
	hexLow // 0-9a-f

	alnum     = lower | upper | digit
	upperNum  = upper | digit
	lowerNum  = lower | digit
	alnumBar  = alnum | underscore
	alnumDash = alnum | dash
	url64     = alnum | underscore | dash // base64url without padding (RFC 4648, 5)
	base64ish = alnum | slash | equals
	token     = url64 | slash | equals | dot | tilde // token68 (RFC 9110, 11.2)
)

var classes = func() (t [256]class) {
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = lower, upper
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = digit | hexLow
	}
	for c := 'a'; c <= 'f'; c++ {
		t[c] |= hexLow
	}
	t['_'], t['-'], t['.'], t['='], t['~'] = underscore, dash, dot, equals, tilde
	t['/'], t['+'] = slash, slash
	return t
}()

func (c class) has(b byte) bool { return classes[b]&c != 0 }

// run returns the end of the run of c's characters that starts at i; it looks
// at no more than limit of them.
func (c class) run(text string, i, limit int) int {
	end := min(len(text), i+limit)
	for i < end && c.has(text[i]) {
		i++
	}
	return i
}

// all reports whether text is made of c alone.
func (c class) all(text string) bool { return c.run(text, 0, len(text)) == len(text) }

// counts is what a text is made of, for questions about its variety.
type counts struct{ lower, upper, digit, other, distinct int }

func count(text string) (n counts) {
	var seen [256]bool
	for i := 0; i < len(text); i++ {
		b := text[i]
		if !seen[b] {
			seen[b] = true
			n.distinct++
		}
		switch {
		case lower.has(b):
			n.lower++
		case upper.has(b):
			n.upper++
		case digit.has(b):
			n.digit++
		default:
			n.other++
		}
	}
	return n
}

func (n counts) letters() int { return n.lower + n.upper }

func lowerByte(b byte) byte {
	if upper.has(b) {
		b += 'a' - 'A'
	}
	return b
}

// hasPrefixFold is strings.HasPrefix without regard to the case of ASCII.
func hasPrefixFold(text, prefix string) bool {
	if len(text) < len(prefix) {
		return false
	}
	for i := 0; i < len(prefix); i++ {
		if lowerByte(text[i]) != lowerByte(prefix[i]) {
			return false
		}
	}
	return true
}
