package secret

import (
	"slices"
	"strings"
)

// Split finds a provider's token that comes in parts: across texts that stand
// one behind the other, or in two of them in any order. At least a part of it is
// of parts[from:]. Only formats count whose prefix nothing else begins with.
func Split(parts []string, from int) (kind string, ok bool) {
	if len(parts) < 2 || from >= len(parts) {
		return "", false
	}
	var b strings.Builder
	ends := make([]int, len(parts))
	for i, p := range parts {
		if !hashed(p) {
			b.WriteString(p)
		}
		ends[i] = b.Len()
	}
	joined := b.String()
	begin := 0 // of what is new
	if from > 0 {
		begin = ends[from-1]
	}
	for _, m := range find(joined, false) {
		if slices.ContainsFunc(find(joined[:begin], false), func(old Match) bool { return old.Start == m.Start }) {
			continue // it was whole before
		}
		crosses := slices.ContainsFunc(ends, func(end int) bool { return m.Start < end && end < m.End })
		if crosses && m.End > begin && firm(joined[m.Start:m.End]) {
			return m.Kind, true
		}
	}
	for i, head := range parts {
		if !Opens(head) {
			continue
		}
		for j, tail := range parts {
			if i == j || i < from && j < from || bare(head) && hashed(tail) {
				continue
			}
			for _, m := range find(head+tail, false) {
				if m.Start < len(head) && m.End > len(head) && firm((head + tail)[m.Start:m.End]) {
					return m.Kind, true
				}
			}
		}
	}
	return "", false
}

// Fragment reports whether a text may be a part of a token: one word, and none
// of a language.
func Fragment(text string) bool {
	if len(text) < 2 || len(text) > 255 {
		return false
	}
	marked := len(text) <= 4 // a piece of a prefix
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z':
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
			marked = true
		case c == '.', c == '+', c == '=':
		default:
			return false
		}
	}
	return marked
}

// Opens reports whether a text has the prefix of a provider's token and may end
// inside it.
func Opens(text string) bool {
	for i := 0; i+4 <= len(text); i++ {
		if (i == 0 || !alnum.has(text[i-1])) && firm(text[i:]) {
			return true
		}
	}
	return false
}

// firm reports whether a token begins as nothing else does.
func firm(token string) bool {
	return len(token) >= 4 && slices.ContainsFunc(firmPrefixes[token[:4]], func(p string) bool { return strings.HasPrefix(token, p) })
}

// bare reports whether a text is a prefix and nothing of a token, as somebody
// writes it who looks for tokens.
func bare(text string) bool {
	return len(text) >= 4 && slices.Contains(firmPrefixes[text[:4]], text)
}

// hashed reports whether a text is written as hashes and UUIDs are.
func hashed(text string) bool { return len(text) >= 32 && (hexLow | dash).all(text) }

// firmPrefixes are those with which neither words nor locales begin, by their
// first four bytes.
var firmPrefixes = func() map[string][]string {
	out := map[string][]string{}
	for _, f := range formats {
		for _, p := range f.prefixes {
			if len(p) >= 4 && !slices.Contains([]string{"key-", "secret_", "dapi", "pul-", "api_org_"}, p) {
				out[p[:4]] = append(out[p[:4]], p)
			}
		}
	}
	return out
}()
