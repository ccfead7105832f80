package judge

import (
	"cmp"
	_ "embed"
	"errors"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync"
)

// modelData is model.txt in the form of encode.go, which is read in place: none
// of it is on the heap, and a page of it comes in when it is needed.
//
//go:embed model.bin
var modelData string

// model is a linear one: the weights of its features (see Features), learned
// from fixtures/corpus by internal/train. It decides by adding them up, so that
// the features which decided can be named.
//
// A feature is known by its number: the concepts come first, then their pairs,
// and the slots of the three tables. A stem is known by the number of its slot.
type model struct {
	bias     [Roles]float64
	concepts int
	known    set    // the concepts
	weights  string // of the concepts and of their pairs
	stems    hashed // by stem: the feature "w", or no feature
	first    hashed // by word: the feature "f"
	pairs    hashed // by the slots of two stems: the feature "b"
	features int
	memo     memo
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
	m, err := openModel(modelData)
	if err != nil {
		panic(err) // a file of our own; a test reads it
	}
	return m
})

// openModel looks at the head of a model.
func openModel(data string) (*model, error) {
	const head = len(magic) + 8 + 4*(int(Roles)+4)
	if len(data) < head || data[:len(magic)] != magic || load64(data[len(magic):]) != lexiconID() {
		return nil, errors.New("the model is not of this lexicon: go run ./internal/train -encode")
	}
	at := len(magic) + 8
	number := func() int { at += 4; return int(int32(load32(data[at-4:]))) }
	m := &model{}
	for role := range m.bias {
		m.bias[role] = thousandths(number())
	}
	m.concepts = number()
	for c := range m.concepts {
		m.known.add(class(c))
	}
	m.features = m.concepts * (1 + m.concepts)
	m.stems, m.first, m.pairs = hashed{width: wide}, hashed{width: wide}, hashed{width: narrow}
	tables := []*hashed{&m.stems, &m.first, &m.pairs}
	size := head + weighed*m.features
	for _, t := range tables {
		t.slots = number()
		size += t.width * t.slots
	}
	if size != len(data) {
		return nil, errors.New("the model has another length than it says: go run ./internal/train -encode")
	}
	m.weights, at = data[at:][:weighed*m.features], at+weighed*m.features
	for _, t := range tables {
		t.data, at = data[at:][:t.width*t.slots], at+t.width*t.slots
		t.before = int32(m.features)
		m.features += t.slots
	}
	return m, nil
}

// pairOf is the key of two stems in model.pairs.
func pairOf(a, b int32) uint64 { return uint64(a+1)<<16 | uint64(b+1) }

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

// hashed leads from keys other than 0 to slots: the key, in 4 or 8 bytes, and
// the weights of a feature. Where a key's own slot is taken it is in one of the
// next.
type hashed struct {
	data   string
	width  int // bytes of a slot
	slots  int
	before int32 // features that come before those of the table
}

// The bytes of a slot, and of the weights in it.
const (
	weighed = 2 * int(Roles)
	narrow  = 4 + weighed
	wide    = 8 + weighed
)

// home is the slot where a key of a table of n slots belongs.
func home(key uint64, n int) int {
	slot, _ := bits.Mul64(key*0x9e3779b97f4a7c15, uint64(n))
	return int(slot)
}

// get returns the slot of a key and the weights in it, -1 without.
func (t *hashed) get(key uint64) (int32, string) {
	for i := home(key, t.slots); ; i++ {
		if i == t.slots {
			i = 0
		}
		slot := t.data[i*wide:][:wide]
		switch load64(slot) {
		case key:
			return int32(i), slot[8:]
		case 0:
			return -1, ""
		}
	}
}

// getPair is get in the table of pairs.
func (t *hashed) getPair(key uint64) (int32, string) {
	for i := home(key, t.slots); ; i++ {
		if i == t.slots {
			i = 0
		}
		slot := t.data[i*narrow:][:narrow]
		switch load32(slot) {
		case uint32(key):
			return int32(i), slot[4:]
		case 0:
			return -1, ""
		}
	}
}

// concept is the feature of a concept, pair that of two in the order of the
// lexicon.
func (m *model) concept(a int, role Role) found {
	return found{int32(a), weightIn(m.weights[weighed*a:][:weighed], role)}
}

func (m *model) pair(a, b int, role Role) found {
	return m.concept(m.concepts*(1+a)+b, role)
}

// found is a feature of a clause with its weight in thousandths, none where the
// model does not know it.
type found struct {
	feature int32
	weight  int16
}

const none = math.MinInt16

func weightIn(weights string, role Role) int16 {
	two := weights[2*role:][:2]
	return int16(two[0]) | int16(two[1])<<8
}

func load32(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// reader adds up the features of one clause after the other.
type reader struct {
	stems
	role  Role
	found []found
	ids   []int32 // the slots of its words' stems, -1 without
	seen  seen
	// Sums of weights in thousandths, and numbers of features: of this clause,
	// and of this clause together with the one before.
	sum, before, together       int
	count, countBefore, counted int
}

// next begins another text.
func (r *reader) next(role Role) {
	r.role = role
	r.seen.text()
	r.sum, r.count = 0, 0
}

// seen is in which clause, counted over many texts, a feature was seen last.
type seen struct {
	clause []uint16 // by feature
	now    uint16
}

// text begins another text: what was seen before was not in the last clause.
func (s *seen) text() { s.forward(2) }

// next begins another clause.
func (s *seen) next() { s.forward(1) }

func (s *seen) forward(n uint16) {
	if s.now > math.MaxUint16-n {
		clear(s.clause)
		s.now = 1 // nothing was seen in it
	}
	s.now += n
}

// add reports whether a feature is new to this clause, and to the one before it.
func (s *seen) add(f int32) (here, before bool) {
	at := &s.clause[f]
	here, before = *at != s.now, *at+1 < s.now
	*at = s.now
	return here, before
}

// learn reads a clause.
func (r *reader) learn(m *model, low string, concepts set) {
	r.read(low)
	all := r.found[:0]
	if r.first != "" {
		if slot, weights := m.first.get(keyOf(r.first)); slot >= 0 {
			all = append(all, found{m.first.before + slot, weightIn(weights, r.role)})
		}
	}
	last := int32(-1)
	r.ids = r.ids[:0]
	for _, w := range r.words {
		slot, weights := m.stems.get(keyOf(w))
		r.ids = append(r.ids, slot)
		if slot >= 0 {
			all = append(all, found{m.stems.before + slot, weightIn(weights, r.role)})
			if last >= 0 {
				if pair, weights := m.pairs.getPair(pairOf(last, slot)); pair >= 0 {
					all = append(all, found{m.pairs.before + pair, weightIn(weights, r.role)})
				}
			}
		}
		last = slot
	}
	all = m.gloss(r, all, &concepts)
	for word := range concepts { // those of packs have no weight
		concepts[word] &= m.known[word]
	}
	for word, set := range concepts[:ownConcepts/64] {
		for ; set != 0; set &= set - 1 {
			a := word<<6 + bits.TrailingZeros64(set)
			all = append(all, m.concept(a, r.role))
			rest := concepts
			rest[word] = set & (set - 1)
			if word == 1 {
				rest[0] = 0
			}
			for word, set := range rest[:ownConcepts/64] {
				for ; set != 0; set &= set - 1 {
					all = append(all, m.pair(a, word<<6+bits.TrailingZeros64(set), r.role))
				}
			}
		}
	}
	r.found = all
	if r.seen.clause == nil {
		r.seen.clause = make([]uint16, m.features)
	}
	r.sumUp()
}

// sumUp adds up the weights of what was found, each feature once.
func (r *reader) sumUp() {
	r.seen.next()
	r.before, r.countBefore = r.sum, r.count
	sum, count := 0, 0
	together, counted := r.before, r.countBefore
	for _, f := range r.found {
		if f.weight == none {
			continue
		}
		here, before := r.seen.add(f.feature)
		if !here {
			continue
		}
		sum += int(f.weight)
		count++
		if before {
			together += int(f.weight)
			counted++
		}
	}
	r.sum, r.count, r.together, r.counted = sum, count, together, counted
}

func thousandths(n int) float64 { return float64(n) / 1000 }

// fewest is how many features a clause is taken to have at least: of two words
// nobody can tell.
const fewest = 6

// Scale is what the sum of the weights of n features is multiplied with: a long
// clause is not worse than a short one.
func Scale(n int) float64 { return 1 / math.Sqrt(math.Sqrt(float64(max(n, fewest)))) }

// scores is the logarithm of the odds that the clause is an order against the
// user's interest: alone, and together with the one before.
func (m *model) scores(r *reader) (alone, both float64) {
	return m.bias[r.role] + thousandths(r.sum)*Scale(r.count), m.bias[r.role] + thousandths(r.together)*Scale(r.counted)
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
	weights := ""
	kind, rest, _ := strings.Cut(name, " ")
	one, other, _ := strings.Cut(rest, "~")
	switch kind {
	case "w":
		_, weights = m.stems.get(keyOf(rest))
	case "f":
		_, weights = m.first.get(keyOf(rest))
	case "b":
		a, _ := m.stems.get(keyOf(one))
		if b, _ := m.stems.get(keyOf(other)); a >= 0 && b >= 0 {
			_, weights = m.pairs.getPair(pairOf(a, b))
		}
	case "c":
		weights = m.weights[weighed*int(mustClass(rest)):]
	case "p":
		weights = m.weights[weighed*(m.concepts*(1+int(mustClass(one)))+int(mustClass(other))):]
	}
	if weights == "" || weightIn(weights, role) == none {
		return 0, false
	}
	return thousandths(int(weightIn(weights, role))), true
}
