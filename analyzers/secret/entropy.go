package secret

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strings"
)

// HighEntropy reports whether a value that nobody named is random enough to be
// a credential: 20 or more characters of one token alphabet, of several
// classes, with the Shannon entropy of random text of that length. Digests,
// UUIDs, paths, addresses, versions, identifiers and encoded text are not.
func HighEntropy(value string) bool {
	v := strings.TrimSpace(value)
	if len(v) < 20 || len(v) > 4096 || !(url64 | slash | equals).all(v) || Placeholder(v) {
		return false
	}
	body := strings.TrimRight(v, "=")
	n := count(body)
	if strings.IndexByte(body, '=') >= 0 || n.digit == 0 || n.letters() == 0 || uuid(v) || digest(v) || wordy(v) {
		return false
	}
	if hexdigits(body) {
		return false // a commit, a checksum, an identifier: nobody can tell
	}
	if n.lower == 0 || n.upper == 0 {
		return n.digit >= 4 && len(body) >= 24 && entropy(body) > 3.7 && pieces(body)
	}
	if plain, err := base64.RawStdEncoding.DecodeString(body); err == nil && (printable(plain) || media(plain)) {
		return false
	}
	return n.lower >= 3 && n.upper >= 3 && n.digit >= 2 && entropy(body) > threshold(len(body)) && pieces(body)
}

// threshold is what random base64 of n characters reaches nearly always.
func threshold(n int) float64 {
	switch {
	case n < 24:
		return 3.6
	case n < 40:
		return 3.9
	}
	return 4.3
}

// entropy is Shannon's, in bits a character.
func entropy(text string) (bits float64) {
	var times [256]int
	for i := 0; i < len(text); i++ {
		times[text[i]]++
	}
	for _, t := range times {
		if t > 0 {
			p := float64(t) / float64(len(text))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}

// pieces reports whether some part between separators is itself long and
// mixed: names with hyphens and paths are not.
func pieces(text string) bool {
	for _, p := range strings.FieldsFunc(text, func(r rune) bool { return r == '-' || r == '_' || r == '/' || r == '+' }) {
		if n := count(p); len(p) >= 8 && n.digit > 0 && n.letters() > 0 && !wordy(p) && !tailed(p) {
			return true
		}
	}
	return false
}

// tailed reports whether p is a word with a number behind it.
func tailed(p string) bool {
	end := (lower | upper).run(p, 0, len(p))
	return end > 2 && digit.all(p[end:]) && plainWord(p[:end])
}

// random is HighEntropy for a place that already says credential: shorter
// values and hexadecimal ones count.
func random(v string) bool {
	if len(v) < 16 || len(v) > 4096 || !token.all(v) || Placeholder(v) {
		return false
	}
	n := count(v)
	switch {
	case uuid(v):
		return true
	case n.letters() == 0 || n.distinct < 8 || wordy(v) || strings.Count(v, "/") > 3:
		return false
	case n.digit == 0:
		return len(v) >= 20 && n.lower > 3 && n.upper > 3 && n.other < 3 && !camel(v)
	}
	return entropy(v) > 2.9 && (pieces(v) || n.digit >= 4 && n.other == 0)
}

func uuid(v string) bool {
	if len(v) != 36 || v[8] != '-' || v[13] != '-' || v[18] != '-' || v[23] != '-' {
		return false
	}
	return hexdigits(strings.ReplaceAll(v, "-", ""))
}

func hexdigits(v string) bool {
	_, err := hex.DecodeString(v + v[:len(v)%2])
	return err == nil
}

// digest reports whether v says of itself that it is a checksum.
func digest(v string) bool {
	for _, p := range []string{"sha1-", "sha256-", "sha384-", "sha512-", "md5-", "h1:", "sha256:", "sha512:", "SHA256:"} {
		if strings.HasPrefix(v, p) {
			return true
		}
	}
	return false
}

// media reports whether decoded bytes start as an image, an archive or a
// module does.
func media(b []byte) bool {
	for _, magic := range []string{"\x89PNG", "\xff\xd8\xff", "GIF8", "RIFF", "PK\x03\x04", "\x1f\x8b", "%PDF", "\x00asm", "wOF2", "\x00\x00\x01\x00"} {
		if strings.HasPrefix(string(b), magic) {
			return true
		}
	}
	return false
}
