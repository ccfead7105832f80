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
	words   map[string]int32 // known stems
	word    []int32          // by stem: the feature "w", -1 without
	first   map[string]int32 // by word: the feature "f"
	pair    map[uint64]int32 // of stems: the feature "b"
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
	role  Role
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
	weight := float64(m.weights[feature][r.role])
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
	known := func(f int32, ok bool) int32 {
		if ok {
			return f
		}
		return -1
	}
	switch kind {
	case "w":
		if id, ok := m.words[rest]; ok {
			return m.word[id]
		}
	case "f":
		f, ok := m.first[rest]
		return known(f, ok)
	case "b":
		a, ok := m.words[one]
		b, both := m.words[other]
		if ok && both {
			f, ok := m.pair[uint64(a)<<32|uint64(b)]
			return known(f, ok)
		}
	case "c":
		return m.concept[mustClass(rest)]
	case "p":
		return m.both[mustClass(one)][mustClass(other)]
	}
	return -1
}
