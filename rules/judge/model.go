package judge

import (
	_ "embed"
	"fmt"
	"math"
	"math/bits"
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
	bias    float64
	words   map[string]int32 // known stems
	weights []float32        // by feature
	word    []int32          // by stem: the feature "w", -1 without
	first   map[string]int32 // by word: the feature "f"
	pair    map[uint64]int32 // of stems: the feature "b"
	concept [ownConcepts]int32
	both    [ownConcepts][ownConcepts]int32
}

var defaultModel = sync.OnceValue(func() *model {
	m, err := parseModel(modelText)
	if err != nil {
		panic(err) // a file of our own; a test reads it
	}
	return m
})

// parseModel reads a model: a line a feature, its name and its weight in
// thousandths with a tab between them. The line "bias" is the weight of nothing.
func parseModel(content string) (*model, error) {
	m := &model{words: map[string]int32{}, first: map[string]int32{}, pair: map[uint64]int32{}}
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
		name, value, _ := strings.Cut(line, "\t")
		weight, err := strconv.Atoi(value)
		if err != nil {
			return nil, fmt.Errorf("model:%d: a weight is a whole number", n)
		}
		if name == "bias" {
			m.bias = float64(weight) / 1000
			continue
		}
		if err := m.add(name, int32(len(m.weights))); err != nil {
			return nil, fmt.Errorf("model:%d: %w", n, err)
		}
		m.weights = append(m.weights, float32(weight)/1000)
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
		m.first[rest] = feature
	case kind == "b" && two:
		m.pair[uint64(m.stem(one))<<32|uint64(m.stem(other))] = feature
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
	id, ok := m.words[word]
	if !ok {
		id = int32(len(m.words))
		m.words[word] = id
		m.word = append(m.word, -1)
	}
	return id
}

// reader adds up the features of one clause after the other.
type reader struct {
	stems
	stamp []uint32 // by feature: the clause that had it last
	now   uint32   // this clause
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
func (r *reader) next() {
	if r.now > math.MaxUint32/2 {
		clear(r.stamp)
		r.now = 0
	}
	r.now += 2
	r.sum, r.count = 0, 0
}

// learn reads a clause.
func (r *reader) learn(m *model, low string, concepts set) {
	r.now++
	r.before, r.countBefore = r.sum, r.count
	r.sum, r.count = 0, 0
	r.together, r.counted = r.before, r.countBefore
	r.read(low)
	if r.first != "" {
		if f, ok := m.first[r.first]; ok {
			r.see(m, f)
		}
	}
	last := int32(-1)
	for i := range r.words {
		id, ok := m.words[string(r.at(i))]
		if !ok {
			last = -1
			continue
		}
		r.see(m, m.word[id])
		if last >= 0 {
			if f, ok := m.pair[uint64(last)<<32|uint64(id)]; ok {
				r.see(m, f)
			}
		}
		last = id
	}
	for word, set := range concepts[:ownConcepts/64] {
		for ; set != 0; set &= set - 1 {
			a := word<<6 + bits.TrailingZeros64(set)
			r.see(m, m.concept[a])
			rest := concepts
			rest[word] = set & (set - 1)
			if word == 1 {
				rest[0] = 0
			}
			for word, set := range rest[:ownConcepts/64] {
				for ; set != 0; set &= set - 1 {
					r.see(m, m.both[a][word<<6+bits.TrailingZeros64(set)])
				}
			}
		}
	}
}

func (r *reader) see(m *model, feature int32) {
	if feature < 0 || r.stamp[feature] == r.now {
		return
	}
	weight := float64(m.weights[feature])
	r.sum += weight
	r.count++
	if r.stamp[feature] != r.now-1 {
		r.together += weight
		r.counted++
	}
	r.stamp[feature] = r.now
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
	return m.bias + r.sum*Scale(r.count), m.bias + r.together*Scale(r.counted)
}
