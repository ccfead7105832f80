package text

import (
	"fmt"
	"math/bits"
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

// The bounds of an Automaton: entries of its transition table, 2 bytes each;
// states; and patterns that its states end, all together.
const (
	maxEntries = 8 << 20
	maxStates  = 1 << 16
	maxMatches = 4 << 20
)

// Automaton finds many literals in one pass (Aho and Corasick, 1975). It is a
// dense table over classes of bytes and is safe for concurrent use. The states
// that are met most, those near the root, lie together.
type Automaton struct {
	class    [256]uint8
	idle     [256]bool // bytes that lead from inside to inside
	letters  bool      // all letters do, and begins knows every pattern that a letter begins
	spaces   bool      // a space begins no pattern
	begins   filter
	shift    uint8    // of a state, to its row
	next     []uint16 // by state<<shift+class
	ending   uint16   // the first state that ends a pattern; all behind it do
	ends     []int32  // by state from ending on: where its patterns begin in matches
	matches  []int32
	patterns []Pattern
}

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
	width := a.classify()
	a.shift = uint8(bits.Len(uint(width - 1)))
	row := 1 << a.shift
	most := min(maxStates, maxEntries/row)

	// The trie: a row a state. A transition to 0 is none.
	states := min(a.states(), most)
	next := make([]uint16, 2*row, states*row)
	ending := make([][]int32, 2, states) // by state: the patterns that it ends
	free := map[uint16]bool{}            // children of root that begin a pattern which may stand inside of words
	for p, pattern := range patterns {
		if pattern.Text == "" {
			return nil, fmt.Errorf("automaton: pattern %d is empty", p)
		}
		state := root
		for i := range len(pattern.Text) {
			at := state<<a.shift + int(a.class[pattern.Text[i]])
			if next[at] == 0 {
				if len(ending) == most {
					return nil, fmt.Errorf("automaton: %d patterns need more than %d states; the limit was met at pattern %d", len(patterns), most, p)
				}
				next[at] = uint16(len(ending))
				next = next[:len(next)+row]
				ending = append(ending, nil)
			}
			state = int(next[at])
		}
		ending[state] = append(ending[state], int32(p))
		if first := next[a.class[pattern.Text[0]]]; !pattern.WordStart {
			free[first] = true
		}
	}

	// Breadth first: a state takes over the transitions and the patterns of the
	// longest suffix that is a state too, inside of a word where one is before it.
	fail := make([]uint16, len(ending))
	queue := append(make([]uint16, 0, len(ending)), root, inside)
	words := a.wordClasses()
	for c := range width {
		t := next[c]
		next[row+c] = t
		if t != root {
			queue = append(queue, t)
		}
		if !words[c] {
			continue
		}
		if !free[t] {
			next[row+c] = inside
		}
		if t == root {
			next[c] = inside
		} else {
			fail[t] = inside
		}
	}
	total := 0
	for k := 2; k < len(queue); k++ {
		s := int(queue[k])
		f := int(fail[s])
		ending[s] = append(ending[s], ending[f]...)
		if total += len(ending[s]); total > maxMatches {
			return nil, fmt.Errorf("automaton: the patterns hold each other more than %d times", maxMatches)
		}
		for c := range width {
			t, over := next[s<<a.shift+c], next[f<<a.shift+c]
			if t == 0 {
				next[s<<a.shift+c] = over
				continue
			}
			fail[t] = over
			queue = append(queue, t)
		}
	}
	for c := range a.idle {
		a.idle[c] = next[row+int(a.class[c])] == inside
	}
	space := int(a.class[' '])
	a.spaces = next[space] == root && next[row+space] == root
	a.letters = true
	for c := 'a'; c <= 'z'; c++ {
		a.letters = a.letters && a.idle[c]
	}
	for _, p := range patterns {
		a.begins.add(p.Text)
		a.letters = a.letters && len(p.Text) > 1
	}
	a.lay(next, ending, queue, total)
	return a, nil
}

// lay gives the states their numbers, breadth first, those that end a pattern
// behind all others.
func (a *Automaton) lay(next []uint16, ending [][]int32, queue []uint16, total int) {
	number := make([]uint16, len(queue))
	n := 0
	for _, ends := range [...]bool{false, true} {
		if ends {
			a.ending = uint16(n)
		}
		for _, s := range queue {
			if len(ending[s]) > 0 == ends {
				number[s] = uint16(n)
				n++
			}
		}
	}
	a.ends = make([]int32, 1, len(queue)-int(a.ending)+1)
	a.matches = make([]int32, 0, total)
	for _, s := range queue {
		if len(ending[s]) > 0 {
			a.matches = append(a.matches, ending[s]...)
			a.ends = append(a.ends, int32(len(a.matches)))
		}
	}
	a.next = make([]uint16, len(next))
	row := 1 << a.shift
	for s, n := range number {
		to := a.next[int(n)*row:][:row]
		for c, t := range next[s*row:][:row] {
			to[c] = number[t]
		}
	}
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
// those of words share class 1, the rest class 0. It returns how many there are.
func (a *Automaton) classify() (width int) {
	width = 2
	for _, p := range a.patterns {
		for i := range len(p.Text) {
			c := lowerByte(p.Text[i])
			if a.class[c] == 0 {
				a.class[c] = uint8(width)
				width++
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
	return width
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
	next, shift, state := a.next, a.shift&15, uint16(root)
	for i := 0; i < len(text); i++ {
		if state <= inside {
			if a.letters {
				eight := Eight(text, i)
				n := Letters(eight)
				if state == root && n > 0 && !a.begins.has(eight) {
					state = inside
				}
				if state == inside {
					if i += n; i == len(text) {
						return
					}
				}
			}
			if c := text[i]; c == ' ' && a.spaces {
				state = root
				continue
			} else if state == inside && a.idle[c] {
				continue
			}
		}
		if state = next[int(state)<<shift+int(a.class[text[i]])]; state < a.ending {
			continue
		}
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
	next, shift, state, any := a.next, a.shift&15, uint16(root), false
	for i := range len(text) {
		if state = next[int(state)<<shift+int(a.class[text[i]])]; state < a.ending {
			continue
		}
		for _, p := range a.endingAt(state) {
			if set[p>>6]&(1<<(p&63)) == 0 && a.bounded(p, text, i+1-len(a.patterns[p].Text), i+1) {
				set[p>>6] |= 1 << (p & 63)
				any = true
			}
		}
	}
	return any
}

func (a *Automaton) endingAt(state uint16) []int32 {
	k := state - a.ending
	return a.matches[a.ends[k]:a.ends[k+1]]
}

// filter knows the first bytes of patterns, two to five, by their hash, so that
// most words need not be looked at byte by byte.
type filter [1 << (filterBits - 6)]uint64

const filterBits = 15

// slot is that of what begins with the first n bytes of eight.
func (*filter) slot(eight uint64, n int) uint64 {
	return (eight | blanks) << (64 - 8*n) * 0x9e3779b97f4a7c15 >> (64 - filterBits) // letters in lower case, other bytes as it comes
}

func (f *filter) add(pattern string) {
	slot := f.slot(Eight(pattern, 0), min(max(len(pattern), 2), 5))
	f[slot>>6] |= 1 << (slot & 63)
}

// has reports whether a pattern of two bytes or more may begin with eight.
func (f *filter) has(eight uint64) bool {
	a, b, c, d := f.slot(eight, 2), f.slot(eight, 3), f.slot(eight, 4), f.slot(eight, 5)
	return (f[a>>6]>>(a&63)|f[b>>6]>>(b&63)|f[c>>6]>>(c&63)|f[d>>6]>>(d&63))&1 != 0
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
