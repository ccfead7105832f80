package mux

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// separator stands between a server and a name of its own.
const separator = "__"

const (
	longestName = 64 // of what is offered: clients refuse longer ones
	longestSlug = 24
)

// Slugs are the names of servers in what is offered: letters, digits, "-" and
// single "_", none at the beginning or the end, so that the first separator of
// an offered name ends the slug. Names that would be the same, but for case, or
// that are reserved get a hash of the name they are made of; they are different
// for different names.
func Slugs(names []string) []string {
	out := make([]string, len(names))
	for digits := 0; digits <= 64; digits = max(8, 2*digits) {
		count := map[string]int{}
		for i, n := range names {
			if digits == 0 {
				out[i] = slug(n, 0)
			}
			count[strings.ToLower(out[i])]++
		}
		again := false
		for i, n := range names {
			key := strings.ToLower(out[i])
			if count[key] > 1 || key == "" || key == "sallyport" {
				out[i], again = slug(n, max(8, 2*digits)), true
			}
		}
		if !again {
			break
		}
	}
	return out
}

// slug is the readable part of a name, with so many digits of its hash; a name
// that is cut has some in any case.
func slug(name string, digits int) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	s := strings.Trim(b.String(), "_")
	if len(s) > longestSlug {
		s, digits = strings.TrimRight(s[:longestSlug-9], "_"), max(digits, 8)
	}
	if digits > 0 {
		s = strings.Trim(s+"-"+hash(name)[:min(digits, 64)], "-")
	}
	return s
}

func hash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// tail is how many digits of its hash end a name that was made shorter.
const tail = 16

// Offer is what a client sees of a server's name. A name that would be longer
// than clients take is cut and ends in "_" and digits of a hash; so does every
// name that ends so by itself, so that none can be taken for a shortened one.
func Offer(slug, name string) string {
	whole := slug + separator + name
	if len(whole) <= longestName && !hashed(name) {
		return whole
	}
	cut := max(0, longestName-tail-1-len(slug)-len(separator))
	if cut = min(cut, len(name)); cut < len(name) {
		for cut > 0 && !utf8.RuneStart(name[cut]) {
			cut--
		}
	}
	return slug + separator + name[:cut] + "_" + hash(slug, name)[:tail]
}

// hashed reports whether a name ends like one that was made shorter.
func hashed(name string) bool {
	if len(name) <= tail || name[len(name)-tail-1] != '_' {
		return false
	}
	return strings.Trim(name[len(name)-tail:], "0123456789abcdef") == ""
}

// split is the other way: the slug and the name of what is offered whole. It is
// false for a shortened name, which only a list can tell.
func split(offered string) (slug, name string, ok bool) {
	slug, name, ok = strings.Cut(offered, separator)
	return slug, name, ok && name != "" && Offer(slug, name) == offered
}
