package judge

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

//go:embed glossary.txt
var glossaryText string

// glossary says in English what words of other languages mean (glossary.txt).
// A word that it knows counts for the model as the English one, too, and as its
// concepts, so that what was learned of one language holds in the others.
// Techniques do not see it: they know how English puts its words together.
//
// It is read to learn and to explain; the judge finds it in model.bin.
type glossary struct {
	whole   map[string]int32   // by stem: the number of an entry, or isEnglish
	begun   map[string]int32   // by the first runes of a stem
	pairs   map[twoStems]int32 // by two stems, one behind the other
	seconds map[string]bool    // the second of these
	entries []gloss
}

type twoStems struct{ one, other string }

// gloss is what a word means.
type gloss struct {
	words    []string // stems
	concepts set
}

// The lengths, in runes, of what an entry with a star begins a word with.
const (
	shortestBegin = 3
	longestBegin  = 6
)

// isEnglish is the number of a word of English that looks like one of another
// language.
const isEnglish = -2

var glosses = sync.OnceValue(func() *glossary {
	g, err := parseGlossary(glossaryText)
	if err != nil {
		panic(err) // a file of our own; a test reads it
	}
	return g
})

// parseGlossary reads "english: word word", a line an entry. A star ends the
// beginning of a word; a tilde joins two words, one behind the other. Of three
// and more characters in a script without spaces the first three count. The
// entry "-" holds stems of English words that look like others.
func parseGlossary(content string) (*glossary, error) {
	g := &glossary{whole: map[string]int32{}, begun: map[string]int32{}, pairs: map[twoStems]int32{}, seconds: map[string]bool{}}
	known := map[string]int32{}
	var s stems
	line := 0
	for text := range strings.Lines(content) {
		line++
		text = strings.TrimSpace(text)
		if text == "" || text[0] == '#' {
			continue
		}
		english, list, ok := strings.Cut(text, ":")
		if !ok {
			return nil, fmt.Errorf("glossary:%d: no colon", line)
		}
		if english == "-" {
			for stem := range strings.FieldsSeq(list) {
				g.whole[stem] = isEnglish
			}
			continue
		}
		id, ok := known[english]
		if !ok {
			id = int32(len(g.entries))
			known[english] = id
			g.entries = append(g.entries, meaning(english))
		}
		for word := range strings.FieldsSeq(list) {
			begin, star := strings.CutSuffix(word, "*")
			one, other, two := strings.Cut(begin, "~")
			s.read(lower(one))
			if len(s.words) == 0 {
				return nil, fmt.Errorf("glossary:%d: %q is no word", line, word)
			}
			first, last := s.at(0), s.at(len(s.words)-1)
			r, _ := utf8.DecodeRuneInString(one)
			switch {
			case undivided(r) && !two:
				if len(s.words) > 2 { // three characters: two pairs
					g.pair(first, s.at(1), id)
				} else {
					g.whole[first] = id
				}
			case two:
				s.read(lower(other))
				if len(s.words) == 0 {
					return nil, fmt.Errorf("glossary:%d: %q is no word", line, word)
				}
				g.pair(last, s.at(0), id)
			case star:
				low := bare(lower(begin))
				if n := utf8.RuneCountInString(low); n < shortestBegin || n > longestBegin {
					return nil, fmt.Errorf("glossary:%d: %q has %d letters, want %d to %d", line, word, n, shortestBegin, longestBegin)
				}
				g.begun[low] = id
			default:
				g.whole[first] = id
			}
		}
	}
	return g, nil
}

// meaning is what an English word or phrase is to the model.
func meaning(english string) gloss {
	var g gloss
	var s stems
	s.read(english)
	g.words = s.list()
	for _, h := range words.find(english, nil) {
		g.concepts.add(h.class)
	}
	return g
}

func (g *glossary) pair(one, other string, id int32) {
	g.pairs[twoStems{one, other}] = id
	g.seconds[other] = true
}

func (g *glossary) sortedPairs() []twoStems {
	return slices.SortedFunc(maps.Keys(g.pairs), func(a, b twoStems) int {
		return cmp.Or(strings.Compare(a.one, b.one), strings.Compare(a.other, b.other))
	})
}

// read calls visit with what the words of a clause mean.
func (g *glossary) read(words []string, visit func(*gloss)) {
	for i, w := range words {
		if i > 0 {
			if id, ok := g.pairs[twoStems{words[i-1], w}]; ok {
				visit(&g.entries[id])
			}
		}
		if id := g.of(w); id >= 0 {
			visit(&g.entries[id])
		}
	}
}

// of is the entry of a word, negative without one: the whole word's before that of
// its longest beginning.
func (g *glossary) of(w string) int32 {
	if id, ok := g.whole[w]; ok {
		return id
	}
	id := int32(-1)
	begins(w, func(begin string) bool {
		n, ok := g.begun[begin]
		if ok {
			id = n
		}
		return ok
	})
	return id
}

// begins calls visit with each beginning of a word that an entry may have, the
// longest first, until it returns true.
func begins(w string, visit func(begin string) bool) {
	var ends [longestBegin + 1]int // of the first n runes
	n := 0
	for i := range w {
		if n <= longestBegin {
			ends[n] = i
		}
		n++
	}
	if n <= longestBegin {
		ends[n] = len(w)
	}
	for n = min(n, longestBegin); n >= shortestBegin; n-- {
		if visit(w[:ends[n]]) {
			return
		}
	}
}

// known is what the glossary knows of a stem: the number of its entry and one
// more, in the bits above endsPair.
type known uint16

// endsPair: the stem is the second one of a pair.
const endsPair known = 1

func (k known) entry() int32 { return int32(k>>1) - 1 }

func (g *glossary) known(w string) (k known) {
	if id := g.of(w); id >= 0 {
		k = known(id+1) << 1
	}
	if g.seconds[w] {
		k |= endsPair
	}
	return k
}
