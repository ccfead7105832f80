package text

import (
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Pattern is a literal that an Automaton looks for. Letters of ASCII match in
// either case; all others have to be folded as the text is (see Fold).
type Pattern struct {
	Text string
	// WordStart and WordEnd ask that no letter, digit, mark or underscore
	// stands before, or behind, the match.
	WordStart, WordEnd bool
}

// Literals are patterns that match anywhere.
func Literals(words ...string) []Pattern {
	out := make([]Pattern, len(words))
	for i, w := range words {
		out[i].Text = w
	}
	return out
}

// Words are patterns that match whole words.
func Words(words ...string) []Pattern {
	out := make([]Pattern, len(words))
	for i, w := range words {
		out[i] = Pattern{w, true, true}
	}
	return out
}

// maxEntries bounds the transition table of an Automaton: 4 bytes each.
const maxEntries = 4 << 20

// Automaton finds many literals in one pass (Aho and Corasick, 1975). It is a
// dense table over classes of bytes and is safe for concurrent use.
type Automaton struct {
	class    [256]uint8
	idle     [256]bool // bytes that lead from inside to inside
	width    uint32    // classes
	next     []uint32  // by state*width+class: state*width, with hit set where the state ends a pattern
	ends     []int32   // by state: where its patterns begin in matches
	matches  []int32
	patterns []Pattern
}

const hit = 1 << 31

// The states in which no pattern has begun: root, and inside of a word, where
// those that ask for a WordStart cannot begin.
const (
	root   = 0
	inside = 1
)

// NewAutomaton builds an automaton; patterns are known by their index. The
// error says which pattern is empty, or that they need too large a table (16 MB).
func NewAutomaton(patterns []Pattern) (*Automaton, error) {
	a := &Automaton{patterns: append([]Pattern(nil), patterns...)}
	a.classify()
	width := int(a.width)

	// The trie: a row a state. A transition to 0 is none.
	states := a.states()
	a.next = make([]uint32, 2*width, min(states*width, maxEntries))
	ending := make([][]int32, 2, states) // by state: the patterns that it ends
	free := map[uint32]bool{}            // children of root that begin a pattern which may stand inside of words
	for p, pattern := range patterns {
		if pattern.Text == "" {
			return nil, fmt.Errorf("automaton: pattern %d is empty", p)
		}
		state := root
		for i := range len(pattern.Text) {
			at := state*width + int(a.class[pattern.Text[i]])
			if a.next[at] == 0 {
				if len(a.next)+width > maxEntries {
					return nil, fmt.Errorf("automaton: %d patterns need more than %d entries of a table; the limit was met at pattern %d", len(patterns), maxEntries, p)
				}
				a.next[at] = uint32(len(ending))
				a.next = a.next[:len(a.next)+width]
				ending = append(ending, nil)
			}
			state = int(a.next[at])
		}
		ending[state] = append(ending[state], int32(p))
		if first := a.next[a.class[pattern.Text[0]]]; !pattern.WordStart {
			free[first] = true
		}
	}

	// Breadth first: a state takes over the transitions and the patterns of the
	// longest suffix that is a state too, inside of a word where one is before it.
	fail := make([]uint32, len(ending))
	queue := make([]uint32, 0, len(ending))
	words := a.wordClasses()
	for c := range width {
		t := a.next[c]
		a.next[width+c] = t
		if t != root {
			queue = append(queue, t)
		}
		if !words[c] {
			continue
		}
		if !free[t] {
			a.next[width+c] = inside
		}
		if t == root {
			a.next[c] = inside
		} else {
			fail[t] = inside
		}
	}
	total := 0
	for k := 0; k < len(queue); k++ {
		s := int(queue[k])
		f := int(fail[s])
		ending[s] = append(ending[s], ending[f]...)
		if total += len(ending[s]); total > maxEntries {
			return nil, fmt.Errorf("automaton: the patterns hold each other more than %d times", maxEntries)
		}
		for c := range width {
			t, over := a.next[s*width+c], a.next[f*width+c]
			if t == 0 {
				a.next[s*width+c] = over
				continue
			}
			fail[t] = over
			queue = append(queue, t)
		}
	}

	a.ends = make([]int32, len(ending)+1)
	a.matches = make([]int32, 0, total)
	for s, patterns := range ending {
		a.ends[s] = int32(len(a.matches))
		a.matches = append(a.matches, patterns...)
	}
	a.ends[len(ending)] = int32(len(a.matches))
	for c := range a.idle {
		a.idle[c] = a.next[width+int(a.class[c])] == inside
	}
	for i, t := range a.next {
		a.next[i] = t * a.width
		if len(ending[t]) > 0 {
			a.next[i] |= hit
		}
	}
	return a, nil
}

// states is how many the patterns need: what each adds to the one that sorts
// before it, so that the table is made once.
func (a *Automaton) states() int {
	sorted := make([]string, len(a.patterns))
	for i, p := range a.patterns {
		sorted[i] = lowerASCII(p.Text)
	}
	slices.Sort(sorted)
	n, before := 2, ""
	for _, s := range sorted {
		same := 0
		for same < len(s) && same < len(before) && s[same] == before[same] {
			same++
		}
		n += len(s) - same
		before = s
	}
	return n
}

// classify gives every byte that patterns use a class of its own; of all others
// those of words share class 1, the rest class 0.
func (a *Automaton) classify() {
	a.width = 2
	for _, p := range a.patterns {
		for i := range len(p.Text) {
			c := lowerByte(p.Text[i])
			if a.class[c] == 0 {
				a.class[c] = uint8(a.width)
				a.width++
			}
		}
	}
	for c := range a.class {
		if a.class[c] == 0 && wordByte(lowerByte(byte(c))) {
			a.class[c] = 1
		}
	}
	for c := 'A'; c <= 'Z'; c++ {
		a.class[c] = a.class[c|0x20]
	}
}

// wordClasses tells of a class whether it is of bytes of words: of ASCII, since
// of other scripts a byte does not tell.
func (a *Automaton) wordClasses() (words [256]bool) {
	for c := range a.class {
		words[a.class[c]] = words[a.class[c]] || wordByte(byte(c))
	}
	return words
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// Len is the number of patterns.
func (a *Automaton) Len() int { return len(a.patterns) }

// Scan calls visit for every match: of pattern, at text[start:end], in the
// order of their ends, longer ones first. It stops when visit returns false.
// It allocates nothing.
func (a *Automaton) Scan(text string, visit func(pattern, start, end int) bool) {
	next, state := a.next, uint32(root)
	for i := 0; i < len(text); i++ {
		if state == a.width*inside && a.idle[text[i]] {
			continue
		}
		state = next[state+uint32(a.class[text[i]])]
		if state&hit == 0 {
			continue
		}
		state &^= hit
		for _, p := range a.endingAt(state) {
			start := i + 1 - len(a.patterns[p].Text)
			if a.bounded(p, text, start, i+1) && !visit(int(p), start, i+1) {
				return
			}
		}
	}
}

// Hits sets the bit of every pattern that matches: pattern p is bit p%64 of
// set[p/64]; set needs (Len()+63)/64 words. It reports whether it set any, and
// allocates nothing.
func (a *Automaton) Hits(text string, set []uint64) bool {
	next, state, any := a.next, uint32(root), false
	for i := range len(text) {
		state = next[state+uint32(a.class[text[i]])]
		if state&hit == 0 {
			continue
		}
		state &^= hit
		for _, p := range a.endingAt(state) {
			if set[p>>6]&(1<<(p&63)) == 0 && a.bounded(p, text, i+1-len(a.patterns[p].Text), i+1) {
				set[p>>6] |= 1 << (p & 63)
				any = true
			}
		}
	}
	return any
}

func (a *Automaton) endingAt(state uint32) []int32 {
	s := state / a.width
	return a.matches[a.ends[s]:a.ends[s+1]]
}

// bounded reports whether a match keeps to the words that its pattern asks for.
func (a *Automaton) bounded(p int32, text string, start, end int) bool {
	pattern := &a.patterns[p]
	return !(pattern.WordStart && wordBefore(text, start)) && !(pattern.WordEnd && wordAfter(text, end))
}

func wordBefore(s string, i int) bool {
	if i == 0 {
		return false
	}
	if s[i-1] < 0x80 {
		return wordByte(s[i-1])
	}
	r, _ := utf8.DecodeLastRuneInString(s[:i])
	return inWord(r)
}

func wordAfter(s string, i int) bool {
	if i == len(s) {
		return false
	}
	if s[i] < 0x80 {
		return wordByte(s[i])
	}
	r, _ := utf8.DecodeRuneInString(s[i:])
	return inWord(r)
}

func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}
