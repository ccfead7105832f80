package judge

import (
	"cmp"
	_ "embed"
	"encoding/binary"
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
// A feature of words is known by its number: that of its slot in the first table,
// which is also how a stem is known, or in those behind it.
type model struct {
	bias     [Roles]float64
	concepts int
	own      set    // the concepts
	weights  string // of the concepts and of their pairs
	stems    hashed // by stem: the feature "w", or no feature; what the glossary knows of it
	first    hashed // by word: the feature "f"
	pairs    hashed // by the slots of two stems: the feature "b"
	begun    hashed // by the first runes of a stem: an entry of the glossary
	glossed  hashed // by the slots of two stems: an entry of the glossary
	entries  string // of the glossary
	features int    // of words
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
	const head = len(magic) + 8 + 4*(int(Roles)+2+len(tableWidths))
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
		m.own.add(class(c))
	}
	pairs := m.concepts * (1 + m.concepts)
	tables := [...]*hashed{&m.stems, &m.first, &m.pairs, &m.begun, &m.glossed}
	size := head + weighed*pairs
	for i, t := range tables {
		t.width, t.slots = tableWidths[i], number()
		size += t.width * t.slots
	}
	entries := number() * entryWidth
	if size += entries; size != len(data) {
		return nil, errors.New("the model has another length than it says: go run ./internal/train -encode")
	}
	m.weights, at = data[at:][:weighed*pairs], at+weighed*pairs
	for _, t := range tables {
		t.data, at = data[at:][:t.width*t.slots], at+t.width*t.slots
		t.before = int32(m.features)
		if t == &m.stems || t == &m.first || t == &m.pairs {
			m.features += t.slots
		}
	}
	m.entries = data[at:][:entries]
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
// what is known of it. Where a key's own slot is taken it is in one of the next.
type hashed struct {
	data   string
	width  int // bytes of a slot
	slots  int
	before int32 // features that come before those of the table
}

// The bytes of a slot, of the weights in it, and of an entry of the glossary.
const (
	weighed      = 2 * int(Roles)
	narrow       = 4 + weighed
	wide         = 8 + weighed
	stemWidth    = wide + 2
	entryWidth   = ownConcepts/8 + 2*mostMeanings
	mostMeanings = 4 // stems of an entry
)

// tableWidths are those of the five tables, in their order.
var tableWidths = [...]int{stemWidth, wide, narrow, wide, narrow}

// home is the slot where a key of a table of n slots belongs.
func home(key uint64, n int) int {
	slot, _ := bits.Mul64(key*0x9e3779b97f4a7c15, uint64(n))
	return int(slot)
}

// get returns the slot of a key and what is in it, -1 without.
func (t *hashed) get(key uint64) (int32, string) {
	for i := home(key, t.slots); ; i++ {
		if i == t.slots {
			i = 0
		}
		slot := t.data[i*t.width:][:t.width]
		switch load64(slot) {
		case key:
			return int32(i), slot[8:]
		case 0:
			return -1, ""
		}
	}
}

// getPair is get in a table of pairs.
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

// concept is the weight of a concept, pair that of two in the order of the
// lexicon: none where the model does not know them.
func (m *model) concept(a int, role Role) int16 { return weightIn(m.weights[weighed*a:], role) }

func (m *model) pair(a, b int, role Role) int16 { return m.concept(m.concepts*(1+a)+b, role) }

// none is the weight of what is no feature.
const none = math.MinInt16

func weightIn(weights string, role Role) int16 {
	two := weights[2*role:][:2]
	return int16(two[0]) | int16(two[1])<<8
}

// load32 and load64 read little-endian numbers, without a copy.
func load32(s string) uint32 { return binary.LittleEndian.Uint32([]byte(s)) }
func load64(s string) uint64 { return binary.LittleEndian.Uint64([]byte(s)) }

// reader adds up the features of one clause after the other.
type reader struct {
	stems
	role         Role
	seen         seen // the features of words
	concepts     set  // of this clause
	lastConcepts set
	// Sums of weights in thousandths, and numbers of features: of this clause,
	// and of this clause together with the one before.
	sum, before, together       int
	count, countBefore, counted int
}

// next begins another text.
func (r *reader) next(role Role) {
	r.role = role
	r.seen.text()
	r.concepts = set{}
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
	if r.seen.clause == nil {
		r.seen.clause = make([]uint16, m.features)
	}
	r.seen.next()
	r.before, r.countBefore = r.sum, r.count
	r.sum, r.count = 0, 0
	r.together, r.counted = r.before, r.countBefore
	if r.first != "" {
		if slot, content := m.first.get(keyOf(r.first)); slot >= 0 {
			r.feature(m.first.before+slot, weightIn(content, r.role))
		}
	}
	last := int32(-1)
	for i, key := range r.keys {
		slot, content := m.stems.get(key)
		if slot < 0 {
			m.unknown(r, r.at(i), &concepts)
		} else {
			r.feature(m.stems.before+slot, weightIn(content, r.role))
			if last >= 0 {
				if pair, content := m.pairs.getPair(pairOf(last, slot)); pair >= 0 {
					r.feature(m.pairs.before+pair, weightIn(content, r.role))
				}
			}
			if k := known(content[weighed]) | known(content[weighed+1])<<8; k != 0 {
				m.gloss(r, k, last, slot, &concepts)
			}
		}
		last = slot
	}
	r.weighConcepts(m, concepts)
}

// feature adds the weight of a feature of a word, once.
func (r *reader) feature(f int32, weight int16) {
	if weight == none {
		return
	}
	if here, before := r.seen.add(f); here {
		r.weigh(int(weight), before)
	}
}

// weigh adds the weight of a feature that is new to the clause before, too, or not.
func (r *reader) weigh(weight int, before bool) {
	r.sum += weight
	r.count++
	if before {
		r.together += weight
		r.counted++
	}
}

// unknown is gloss for a word whose stem the model does not know.
func (m *model) unknown(r *reader, w string, concepts *set) {
	if len(w) < shortestBegin {
		return
	}
	begins(w, func(begin string) bool {
		slot, content := m.begun.get(keyOf(begin))
		if slot >= 0 {
			m.meaning(r, int32(content[0])|int32(content[1])<<8, concepts)
		}
		return slot >= 0
	})
}

// gloss adds what a stem means, and it together with the one before, to the
// features and concepts of a clause.
func (m *model) gloss(r *reader, k known, last, slot int32, concepts *set) {
	if k&endsPair != 0 && last >= 0 {
		if pair, content := m.glossed.getPair(pairOf(last, slot)); pair >= 0 {
			m.meaning(r, int32(content[0])|int32(content[1])<<8, concepts)
		}
	}
	if id := k.entry(); id >= 0 {
		m.meaning(r, id, concepts)
	}
}

// meaning adds an entry of the glossary to a clause.
func (m *model) meaning(r *reader, id int32, concepts *set) {
	entry := m.entries[entryWidth*id:][:entryWidth]
	for word := range ownConcepts / 64 {
		concepts[word] |= load64(entry[8*word:])
	}
	for stems := entry[ownConcepts/8:]; len(stems) > 0; stems = stems[2:] {
		if slot := int32(stems[0]) | int32(stems[1])<<8; slot > 0 {
			r.feature(m.stems.before+slot-1, weightIn(m.stems.data[int(slot-1)*stemWidth+8:], r.role))
		}
	}
}

// weighConcepts adds the weights of concepts and of pairs of them.
func (r *reader) weighConcepts(m *model, concepts set) {
	for word := range concepts { // those of packs have no weight
		concepts[word] &= m.own[word]
	}
	r.lastConcepts, r.concepts = r.concepts, concepts
	for word, set := range concepts[:ownConcepts/64] {
		for ; set != 0; set &= set - 1 {
			a := word<<6 + bits.TrailingZeros64(set)
			had := r.lastConcepts.has(class(a))
			if w := m.concept(a, r.role); w != none {
				r.weigh(int(w), !had)
			}
			row := m.weights[weighed*m.concepts*(1+a):]
			rest := concepts
			rest[word] = set & (set - 1)
			if word == 1 {
				rest[0] = 0
			}
			for word, set := range rest[:ownConcepts/64] {
				for ; set != 0; set &= set - 1 {
					b := word<<6 + bits.TrailingZeros64(set)
					if w := weightIn(row[weighed*b:], r.role); w != none {
						r.weigh(int(w), !had || !r.lastConcepts.has(class(b)))
					}
				}
			}
		}
	}
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
	w := int16(none)
	of := func(slot int32, content string) {
		if slot >= 0 {
			w = weightIn(content, role)
		}
	}
	kind, rest, _ := strings.Cut(name, " ")
	one, other, _ := strings.Cut(rest, "~")
	switch kind {
	case "w":
		of(m.stems.get(keyOf(rest)))
	case "f":
		of(m.first.get(keyOf(rest)))
	case "b":
		a, _ := m.stems.get(keyOf(one))
		if b, _ := m.stems.get(keyOf(other)); a >= 0 && b >= 0 {
			of(m.pairs.getPair(pairOf(a, b)))
		}
	case "c":
		w = m.concept(int(mustClass(rest)), role)
	case "p":
		w = m.pair(int(mustClass(one)), int(mustClass(other)), role)
	}
	return thousandths(int(w)), w != none
}
