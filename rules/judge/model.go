package judge

import (
	"cmp"
	_ "embed"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed model.txt
var modelText string

// model is a linear one: the weights of its features (see Features), learned
// from fixtures/corpus by internal/train. It decides by adding them up, so that
// the features which decided can be named.
type model struct {
	bias    [Roles]float64
	weights [][Roles]float32 // by feature
	stems   *table           // by stem: its number
	word    []int32          // by the number of a stem: the feature "w", -1 without
	first   *table           // by word: the feature "f"
	pair    *table           // by the numbers of two stems: the feature "b"
	concept [ownConcepts]int32
	both    [ownConcepts][ownConcepts]int32
}

// Role is what a text is to the model that reads it. The same sentence may be
// normal in one and odd in the other.
type Role int

const (
	InDefinition Role = iota // says what a tool, prompt, resource or server is
	InText                   // everything else: results, documents, messages
	Roles                    // how many there are
)

var defaultModel = sync.OnceValue(func() *model {
	m, err := parseModel(modelText)
	if err != nil {
		panic(err) // a file of our own; a test reads it
	}
	return m
})

// parseModel reads a model: a line a feature, its name and its weight in each
// role in thousandths, with tabs between them. "bias" is the weight of nothing.
func parseModel(content string) (*model, error) {
	lines := strings.Count(content, "\n")
	m := &model{stems: newTable(lines / 2), first: newTable(lines / 8), pair: newTable(lines), weights: make([][Roles]float32, 0, lines)}
	for i := range m.concept {
		m.concept[i] = -1
		for k := range m.both {
			m.both[i][k] = -1
		}
	}
	n := 0
	for line := range strings.Lines(content) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest, _ := strings.Cut(line, "\t")
		var weights [Roles]float32
		for role := range weights {
			var cell string
			cell, rest, _ = strings.Cut(rest, "\t")
			weight, err := strconv.Atoi(cell)
			if err != nil {
				return nil, fmt.Errorf("model:%d: a weight is a whole number", n)
			}
			weights[role] = float32(weight) / 1000
		}
		if name == "bias" {
			for role, w := range weights {
				m.bias[role] = float64(w)
			}
			continue
		}
		if err := m.add(name, int32(len(m.weights))); err != nil {
			return nil, fmt.Errorf("model:%d: %w", n, err)
		}
		m.weights = append(m.weights, weights)
	}
	return m, nil
}

func (m *model) add(name string, feature int32) error {
	kind, rest, _ := strings.Cut(name, " ")
	one, other, two := strings.Cut(rest, "~")
	switch {
	case kind == "w":
		m.word[m.stem(rest)] = feature
	case kind == "f":
		m.first.put(keyOf(rest), feature)
	case kind == "b" && two:
		m.pair.put(pairOf(m.stem(one), m.stem(other)), feature)
	case kind == "c":
		c, err := words.class(rest)
		if err != nil {
			return err
		}
		m.concept[c] = feature
	case kind == "p" && two:
		a, err := words.class(one)
		if err != nil {
			return err
		}
		b, err := words.class(other)
		if err != nil {
			return err
		}
		m.both[a][b] = feature
	default:
		return fmt.Errorf("unknown feature %q", name)
	}
	return nil
}

func (m *model) stem(word string) int32 {
	id := m.stems.get(keyOf(word))
	if id < 0 {
		id = int32(len(m.word))
		m.stems.put(keyOf(word), id)
		m.word = append(m.word, -1)
	}
	return id
}

// pairOf is the key of two stems in model.pair.
func pairOf(a, b int32) uint64 { return uint64(a+1)<<32 | uint64(b+1) }

// keyOf is what the model knows a word by: its bytes, and of more than eight
// their hash, that of Fowler, Noll and Vo (FNV-1a). Whoever finds another word
// of the same key could as well have written the word itself.
func keyOf(s string) uint64 {
	if len(s) <= 8 {
		k := uint64(0)
		for i := range len(s) {
			k = k<<8 | uint64(s[i])
		}
		return k
	}
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
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

// reader adds up the features of one clause after the other.
type reader struct {
	stems
	role  Role
	stamp []uint32 // by feature: the clause that had it last
	now   uint32   // this clause
	found []int32  // its features, -1 for those that the model does not know
	// Sums of weights and numbers of features: of this clause, and of this
	// clause together with the one before.
	sum, before, together       float64
	count, countBefore, counted int
}

func newReader(m *model) *reader {
	r := &reader{}
	if m != nil {
		r.stamp = make([]uint32, len(m.weights))
	}
	return r
}

// next begins another text.
func (r *reader) next(role Role) {
	r.role = role
	if r.now > math.MaxUint32/2 {
		clear(r.stamp)
		r.now = 0
	}
	r.now += 2
	r.sum, r.count = 0, 0
}

// learn reads a clause.
func (r *reader) learn(m *model, low string, concepts set) {
	r.read(low)
	found := r.found[:0]
	if r.first != "" {
		found = append(found, m.first.get(keyOf(r.first)))
	}
	last := int32(-1)
	for _, w := range r.words {
		id := m.stems.get(keyOf(w))
		if id >= 0 {
			found = append(found, m.word[id])
			if last >= 0 {
				found = append(found, m.pair.get(pairOf(last, id)))
			}
		}
		last = id
	}
	for word, set := range concepts[:ownConcepts/64] {
		for ; set != 0; set &= set - 1 {
			a := word<<6 + bits.TrailingZeros64(set)
			found = append(found, m.concept[a])
			rest := concepts
			rest[word] = set & (set - 1)
			if word == 1 {
				rest[0] = 0
			}
			for word, set := range rest[:ownConcepts/64] {
				for ; set != 0; set &= set - 1 {
					found = append(found, m.both[a][word<<6+bits.TrailingZeros64(set)])
				}
			}
		}
	}
	r.found = found
	r.sumUp(m)
}

// sumUp adds up the weights of what was found, each feature once.
func (r *reader) sumUp(m *model) {
	r.now++
	r.before, r.countBefore = r.sum, r.count
	sum, count := 0.0, 0
	together, counted := r.before, r.countBefore
	for _, feature := range r.found {
		if feature < 0 || r.stamp[feature] == r.now {
			continue
		}
		weight := float64(m.weights[feature][r.role])
		sum += weight
		count++
		if r.stamp[feature] != r.now-1 {
			together += weight
			counted++
		}
		r.stamp[feature] = r.now
	}
	r.sum, r.count, r.together, r.counted = sum, count, together, counted
}

// fewest is how many features a clause is taken to have at least: of two words
// nobody can tell.
const fewest = 6

// Scale is what the sum of the weights of n features is multiplied with: a long
// clause is not worse than a short one.
func Scale(n int) float64 { return 1 / math.Sqrt(math.Sqrt(float64(max(n, fewest)))) }

// scores is the logarithm of the odds that the clause is an order against the
// user's interest: alone, and together with the one before.
func (m *model) scores(r *reader) (alone, both float64) {
	return m.bias[r.role] + r.sum*Scale(r.count), m.bias[r.role] + r.together*Scale(r.counted)
}

// Because is what a feature adds to a score.
type Because struct {
	Feature string // as in Features
	Weight  float64
}

// mostReasons is how many features an explanation names.
const mostReasons = 8

// Because names the features that decided on a sign of the model, the heaviest
// first; nothing for a sign of any other technique.
func (j *Judge) Because(role Role, s FieldSign) []Because {
	if !s.Technique.learned {
		return nil
	}
	var out []Because
	seen := map[string]bool{}
	Features(s.Evidence.Raw(), func(name string) {
		if w, ok := j.model.weight(role, name); ok && !seen[name] {
			out = append(out, Because{name, w})
		}
		seen[name] = true
	})
	scale := Scale(len(out))
	for i := range out {
		out[i].Weight = math.Round(1000*out[i].Weight*scale) / 1000
	}
	slices.SortStableFunc(out, func(a, b Because) int { return cmp.Compare(math.Abs(b.Weight), math.Abs(a.Weight)) })
	return out[:min(len(out), mostReasons)]
}

// weight is that of a feature by its name.
func (m *model) weight(role Role, name string) (float64, bool) {
	f := m.feature(name)
	if f < 0 {
		return 0, false
	}
	return float64(m.weights[f][role]), true
}

// feature is the number of a feature, -1 for one that the model does not know.
func (m *model) feature(name string) int32 {
	kind, rest, _ := strings.Cut(name, " ")
	one, other, _ := strings.Cut(rest, "~")
	switch kind {
	case "w":
		if id := m.stems.get(keyOf(rest)); id >= 0 {
			return m.word[id]
		}
	case "f":
		return m.first.get(keyOf(rest))
	case "b":
		if a, b := m.stems.get(keyOf(one)), m.stems.get(keyOf(other)); a >= 0 && b >= 0 {
			return m.pair.get(pairOf(a, b))
		}
	case "c":
		return m.concept[mustClass(rest)]
	case "p":
		return m.both[mustClass(one)][mustClass(other)]
	}
	return -1
}
