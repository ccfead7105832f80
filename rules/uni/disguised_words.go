package uni

import (
	_ "embed"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

//go:embed disguised_words.md
var disguisedWordsPage string

// DisguisedWords flags words that are written so that a filter does not see
// them.
var DisguisedWords = rules.Rule{
	ID:         "disguised-words",
	Title:      "Words are written so that filters do not see them",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{451, 1007},
	Covers:     []string{"UNI-011", "UNI-005"},
	Page:       disguisedWordsPage,
	Messages:   true,
	Look:       rules.NothingOvert,
	Check:      checkDisguisedWords,
}

func checkDisguisedWords(pass *rules.Pass) {
	for _, t := range texts(pass) {
		var turned, first text.Note
		letters := 0 // of the words of one disguise
		kind := text.NoteKind(0)
		seen, words := [text.Limit + 1]int{}, [text.Limit + 1]int{}
		start := [text.Limit + 1]text.Note{}
		t.notes(func(n text.Note) {
			switch n.Kind {
			case text.ROT13, text.Reversed:
				if turned.End == 0 && phrase(n.Decoded) {
					turned = n
				}
			case text.Leet, text.Spaced, text.Lookalike, text.Styled:
				if n.Kind == text.Styled {
					n.Decoded = plain(t.Field.Text.Raw()[n.Start:n.End])
				}
				weight := spelt(n)
				if weight == 0 {
					return
				}
				if seen[n.Kind] == 0 {
					start[n.Kind] = n
				}
				seen[n.Kind] += weight
				words[n.Kind]++
				if seen[n.Kind] > letters && (n.Kind != text.Leet || words[n.Kind] > 1) { // one is a name
					letters, kind, first = seen[n.Kind], n.Kind, start[n.Kind]
				}
			}
		})
		switch {
		case turned.End > 0:
			how := "backwards"
			if turned.Kind == text.ROT13 {
				how = "with its letters rotated by 13"
			}
			pass.Report(t.Finding(turned.Start, turned.End, "%s holds a sentence written %s (%q). Write it out, or remove it.", t.Where(), how, shown(turned.Decoded)))
		case letters >= enough[kind] && kind != 0:
			f := t.Finding(first.Start, first.End, "%s holds words written %s (%q). Write them in plain letters.", t.Where(), hows[kind], shown(first.Decoded))
			if kind == text.Styled {
				f.Severity = rules.Info // bold by other letters: mostly ornament
			} else if letters < 2*enough[kind] {
				f.Severity = rules.Low
			}
			pass.Report(f)
		}
	}
}

// enough is how many disguised letters of one kind are no name and no accident.
var enough = map[text.NoteKind]int{text.Leet: 12, text.Spaced: 8, text.Lookalike: 4, text.Styled: 6}

var hows = map[text.NoteKind]string{
	text.Leet:      "with digits and signs for letters",
	text.Spaced:    "with their letters set apart",
	text.Lookalike: "with letters of another script that look the same",
	text.Styled:    "with letters from blocks of symbols",
}

// spelt counts the letters of a note that may be a disguised word.
func spelt(n text.Note) int {
	vowels, rising := 0, true
	for i := range len(n.Decoded) {
		if i > 1 && n.Kind == text.Leet && n.Decoded[i] < 'a' && n.Decoded[i-1] >= 'a' {
			return 0 // a name in camel case, or base64
		}
		switch n.Decoded[i] | 0x20 {
		case 'a', 'e', 'i', 'o', 'u':
			vowels++
		}
		rising = rising && (i == 0 || n.Decoded[i] > n.Decoded[i-1])
	}
	size := len(n.Decoded)
	if vowels == 0 || rising && size > 3 || n.Kind != text.Spaced && size < 4 || vowels*6 < size {
		return 0 // initials, a list of letters
	}
	return size
}

// plain is styled text in plain letters; "" for full-width letters, which belong
// in Chinese and Japanese.
func plain(styled string) string {
	if len(styled) > 1024 || !strings.ContainsFunc(styled, func(r rune) bool {
		return r >= 0x80 && (r < 0xff01 || r > 0xff5e) && unicode.IsOneOf([]*unicode.RangeTable{unicode.Latin, unicode.So, unicode.Lu, unicode.Ll}, r)
	}) {
		return ""
	}
	return strings.ToLower(norm.NFKC.String(styled))
}

// phrase reports whether decoded text has three words of three letters: the
// units "GB" and "TB" are "to" and "go" by chance.
func phrase(decoded string) bool {
	words := 0
	for w := range strings.FieldsFuncSeq(decoded, func(r rune) bool { return !unicode.IsLetter(r) }) {
		if len(w) >= 3 {
			words++
		}
	}
	return words >= 3
}
