package pkg

import (
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

// resemblance says how one name came out of another; "" when it did not. It
// takes one step: swapped or dropped separators, characters that look alike, or one
// typing error in a part of the name that is long enough to tell.
func resemblance(a, b spelling) string {
	name, known := a.name, b.name
	switch {
	case name == known, len(name) > 128, len(b.squeezed) < 6:
		return ""
	case a.squeezed == b.squeezed:
		return "separators moved"
	case a.folded == b.folded:
		return "characters that look alike"
	}
	kind, at := edit(name, known)
	if kind == "" {
		return ""
	}
	part, first := partAt(known, at)
	switch {
	case strings.ContainsAny(name[min(at, len(name)-1):min(at+1, len(name))], "0123456789") || at < len(known) && known[at] >= '0' && known[at] <= '9':
		return "" // context7 and context8 are two numbers, not an error
	case kind == "another letter" && (len(part) < 6 || first):
		return "" // slack and stack, docker and locker are two words
	case len(part) < 5 && !generic.Has(part):
		return ""
	}
	return kind
}

// spelling is a name with what is left of it without separators, and of that
// with the characters folded that look alike.
type spelling struct{ name, squeezed, folded string }

func spell(name string) spelling {
	squeezed := squeeze(name)
	return spelling{name, squeezed, lookalikes.Replace(squeezed)}
}

// generic are the words of which most names of servers are made: an error in
// one of them is an error, a name made of them alone names nothing.
var generic = pattern.Words("mcp server servers client tool tools api model context protocol modelcontextprotocol remote proxy agent ai cli sdk app hub")

// distinctive reports whether a name has a part that is its own.
func distinctive(name string) bool {
	for _, part := range strings.FieldsFunc(name, separator) {
		if !generic.Has(part) || part == "modelcontextprotocol" {
			return true
		}
	}
	return false
}

func separator(r rune) bool { return r == '-' || r == '_' || r == '.' || r == '/' || r == '@' }

func squeeze(name string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(name), separator), "")
}

// lookalikes folds what passes for another letter in print.
var lookalikes = strings.NewReplacer("0", "o", "1", "l", "i", "l", "3", "e", "4", "a", "5", "s", "vv", "w", "rn", "m")

// edit compares two names letter by letter: kind is what one typing error did
// (optimal string alignment distance 1), at is its place in b.
func edit(a, b string) (kind string, at int) {
	for at < len(a) && at < len(b) && a[at] == b[at] {
		at++
	}
	restA, restB := a[at:], b[at:]
	switch {
	case len(a) == len(b) && len(restA) > 1 && restA[0] == restB[1] && restA[1] == restB[0] && restA[2:] == restB[2:]:
		return "letters swapped", at
	case len(a) == len(b) && restA[1:] == restB[1:]:
		return "another letter", at
	case len(a) == len(b)+1 && restA[1:] == restB:
		return "a letter too many", at
	case len(a)+1 == len(b) && restA == restB[1:]:
		return "a letter left out", at
	}
	return "", 0
}

// partAt is the part of a name, between separators, around an offset; first
// tells whether the offset is at its beginning.
func partAt(name string, at int) (part string, first bool) {
	at = min(at, len(name))
	start := strings.LastIndexFunc(name[:at], separator) + 1
	end := strings.IndexFunc(name[at:], separator)
	if end < 0 {
		end = len(name) - at
	}
	return name[start : at+end], at == start
}
