package judge

import (
	_ "embed"
	"fmt"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

//go:embed glossary.txt
var glossaryText string

// glossary says in English what words of other languages mean (glossary.txt).
// A word that it knows counts for the model as the English one, too, and as its
// concepts, so that what was learned of one language holds in the others.
// Techniques do not see it: they know how English puts its words together.
type glossary struct {
	whole   *table // by stem: the number of an entry
	begun   *table // by the first runes of a stem
	pairs   *table // by two stems, one behind the other
	seconds *table // by the second of these
	entries []gloss
}

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
	n := strings.Count(content, " ")
	g := &glossary{whole: newTable(n / 2), begun: newTable(n / 4), pairs: newTable(n / 8), seconds: newTable(n / 8)}
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
				g.whole.put(keyOf(stem), isEnglish)
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
			first, last := s.words[0], s.words[len(s.words)-1]
			r, _ := utf8.DecodeRuneInString(one)
			switch {
			case undivided(r) && !two:
				if len(s.words) > 2 { // three characters: two pairs
					g.pair(first, s.words[1], id)
				} else {
					g.whole.put(keyOf(first), id)
				}
			case two:
				s.read(lower(other))
				if len(s.words) == 0 {
					return nil, fmt.Errorf("glossary:%d: %q is no word", line, word)
				}
				g.pair(last, s.words[0], id)
			case star:
				low := bare(lower(begin))
				if n := utf8.RuneCountInString(low); n < shortestBegin || n > longestBegin {
					return nil, fmt.Errorf("glossary:%d: %q has %d letters, want %d to %d", line, word, n, shortestBegin, longestBegin)
				}
				g.begun.put(keyOf(low), id)
			default:
				g.whole.put(keyOf(first), id)
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
	g.words = append(g.words, s.words...)
	for _, h := range words.find(english, nil) {
		g.concepts.add(h.class)
	}
	return g
}

func pairKey(one, other string) uint64 { return keyOf(one)*0x9e3779b97f4a7c15 ^ keyOf(other) }

func (g *glossary) pair(one, other string, id int32) {
	g.pairs.put(pairKey(one, other), id)
	g.seconds.put(keyOf(other), 0)
}

// read calls visit with what the words of a clause mean.
func (g *glossary) read(words []string, visit func(*gloss)) {
	for i, w := range words {
		g.meanings(g.known(w), words, i, visit)
	}
}

// meanings calls visit with what is known of words[i].
func (g *glossary) meanings(k known, words []string, i int, visit func(*gloss)) {
	if k&endsPair != 0 && i > 0 {
		if id := g.pairs.get(pairKey(words[i-1], words[i])); id >= 0 {
			visit(&g.entries[id])
		}
	}
	if id := k >> 2; id > 0 {
		visit(&g.entries[id-1])
	}
}

// known is what the glossary knows of a word: the number of its entry and one
// more, in the bits above asked and endsPair.
type known int32

const (
	asked    known = 1 << iota // the word was looked up
	endsPair                   // it is the second word of a pair
)

func (g *glossary) known(w string) known {
	k := asked
	if g.seconds.get(keyOf(w)) >= 0 {
		k |= endsPair
	}
	if id := g.of(w); id >= 0 {
		k |= known(id+1) << 2
	}
	return k
}

// memo remembers what the glossary knows of the stems that a model knows, most
// of which are English. It is filled as they are met.
type memo struct {
	once  sync.Once
	known []atomic.Int32 // by the number of a stem
}

// of is what the glossary knows of a word that the model knows as stem id.
func (m *memo) of(g *glossary, id int32, w string) known {
	if k := known(m.known[id].Load()); k != 0 {
		return k
	}
	k := g.known(w)
	m.known[id].Store(int32(k))
	return k
}

// gloss adds what the words of a clause mean to its features and concepts.
func (m *model) gloss(r *reader, all []found, concepts *set) []found {
	g := glosses()
	m.memo.once.Do(func() { m.memo.known = make([]atomic.Int32, m.stems.slots) })
	visit := func(e *gloss) {
		for _, w := range e.words {
			if slot, weights := m.stems.get(keyOf(w)); slot >= 0 {
				all = append(all, found{m.stems.before + slot, weightIn(weights, r.role)})
			}
		}
		concepts.join(e.concepts)
	}
	for i, w := range r.words {
		k := known(0)
		if r.ids[i] >= 0 {
			k = m.memo.of(g, r.ids[i], w)
		} else {
			k = g.known(w)
		}
		if k != asked {
			g.meanings(k, r.words, i, visit)
		}
	}
	return all
}

// of is the entry of a word, negative without one: the whole word's before that of
// its longest beginning.
func (g *glossary) of(w string) int32 {
	if id := g.whole.get(keyOf(w)); id != -1 || len(w) < shortestBegin {
		return id
	}
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
		if id := g.begun.get(keyOf(w[:ends[n]])); id >= 0 {
			return id
		}
	}
	return -1
}

// table is a map from keys other than 0 to numbers that is faster than Go's own.
type table struct {
	slots []slot
	shift int // of a product of 64 bits, to the number of a slot
	n     int
}

type slot struct {
	key   uint64 // 0: empty
	value int32
}

// newTable has room for n keys; it grows.
func newTable(n int) *table {
	size := bits.Len(uint(2*n + 1))
	return &table{slots: make([]slot, 1<<size), shift: 64 - size}
}

// find is the slot of a key, or the empty one where it has to go.
func (t *table) find(key uint64) *slot {
	for i := int(key * 0x9e3779b97f4a7c15 >> t.shift); ; i++ {
		s := &t.slots[i&(len(t.slots)-1)]
		if s.key == key || s.key == 0 {
			return s
		}
	}
}

// get returns the number of a key, -1 without.
func (t *table) get(key uint64) int32 {
	if s := t.find(key); s.key == key {
		return s.value
	}
	return -1
}

func (t *table) put(key uint64, value int32) {
	if 2*t.n >= len(t.slots) {
		more := newTable(len(t.slots))
		for _, s := range t.slots {
			if s.key != 0 {
				more.put(s.key, s.value)
			}
		}
		*t = *more
	}
	s := t.find(key)
	if s.key == 0 {
		t.n++
	}
	*s = slot{key, value}
}
