package judge

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// magic begins a model and says its version. All numbers are little-endian.
//
//	magic
//	the lexicon's identity: 8 bytes
//	the bias in each role, the number of concepts, of slots of the five tables
//	(stems, first words, pairs of stems; beginnings of stems and pairs of stems
//	that the glossary knows), and of entries of the glossary: 4 bytes each
//	the weights of each concept, and of each pair of two, row by row
//	the tables, slot by slot: the key, 8 bytes (of pairs 4); the weights of a
//	feature, or the number of an entry of the glossary in the place of the first;
//	of a stem also what the glossary knows of it (known), 2 bytes
//	the entries: their concepts, 8 bytes a word of a set; their stems' slots and
//	one more, 2 bytes each, 0 for none
//
// A weight is in thousandths, 2 bytes, and none without the feature. A key of 0
// is an empty slot. Every stem that the glossary names is in the table of stems.
const magic = "sallyport model 2\n\x00\x00\x00\x00\x00\x00"

// lexiconID tells lexicons apart whose concepts have other numbers.
func lexiconID() uint64 { return keyOf(strings.Join(words.names, " ")) }

// EncodeModel returns the form that the judge reads of the glossary and of a
// model that is written as text: a line a feature, its name and its weight in
// each role in thousandths, with tabs between them. "bias" is the weight of
// nothing.
func EncodeModel(content string) ([]byte, error) {
	e := encoder{glossary: glosses()}
	n := 0
	for line := range strings.Lines(content) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest, _ := strings.Cut(line, "\t")
		var w [Roles]int16
		for role := range w {
			var cell string
			cell, rest, _ = strings.Cut(rest, "\t")
			weight, err := strconv.Atoi(cell)
			if err != nil || weight <= none || weight > math.MaxInt16 {
				return nil, fmt.Errorf("model:%d: a weight is a whole number below %d", n, math.MaxInt16)
			}
			w[role] = int16(weight)
		}
		if err := e.add(name, w); err != nil {
			return nil, fmt.Errorf("model:%d: %w", n, err)
		}
	}
	e.gloss()
	return e.bytes()
}

// encoder holds the features of a model in the order of the text.
type encoder struct {
	glossary    *glossary
	bias        [Roles]int16
	concepts    map[int][Roles]int16 // concept a at a, pair of a and b behind them, row by row
	stems       entries
	known       []known // by stem: what the glossary knows of it
	first       entries
	one, other  []uint64 // the stems of each pair
	pairWeights [][Roles]int16
}

// entries are keys with their weights.
type entries struct {
	keys    []uint64
	weights [][Roles]int16
	place   map[uint64]int
}

func (e *entries) put(key uint64, w [Roles]int16) {
	if i, ok := e.place[key]; ok {
		e.weights[i] = w
		return
	}
	if e.place == nil {
		e.place = map[uint64]int{}
	}
	e.place[key] = len(e.keys)
	e.keys, e.weights = append(e.keys, key), append(e.weights, w)
}

func (e *encoder) add(name string, w [Roles]int16) error {
	if e.concepts == nil {
		e.concepts = map[int][Roles]int16{}
	}
	kind, rest, _ := strings.Cut(name, " ")
	one, other, two := strings.Cut(rest, "~")
	switch {
	case name == "bias":
		e.bias = w
	case kind == "w" && rest != "":
		e.stem(rest)
		e.stems.put(keyOf(rest), w)
	case kind == "f" && rest != "":
		e.first.put(keyOf(rest), w)
	case kind == "b" && one != "" && other != "":
		e.stem(one)
		e.stem(other)
		e.one, e.other = append(e.one, keyOf(one)), append(e.other, keyOf(other))
		e.pairWeights = append(e.pairWeights, w)
	case kind == "c":
		c, err := words.class(rest)
		if err != nil {
			return err
		}
		e.concepts[int(c)] = w
	case kind == "p" && two:
		a, err := words.class(one)
		if err != nil {
			return err
		}
		b, err := words.class(other)
		if err != nil {
			return err
		}
		e.concepts[len(words.names)*(1+int(a))+int(b)] = w
	default:
		return fmt.Errorf("unknown feature %q", name)
	}
	return nil
}

// stem makes sure that a stem has a place.
func (e *encoder) stem(word string) {
	if _, ok := e.stems.place[keyOf(word)]; !ok {
		e.stems.put(keyOf(word), noWeights())
		e.known = append(e.known, e.glossary.known(word))
	}
}

// gloss adds the stems that only the glossary knows.
func (e *encoder) gloss() {
	for _, word := range slices.Sorted(maps.Keys(e.glossary.whole)) {
		e.stem(word)
	}
	for _, p := range e.glossary.sortedPairs() {
		e.stem(p.one)
		e.stem(p.other)
	}
	for _, entry := range e.glossary.entries {
		for _, word := range entry.words {
			e.stem(word)
		}
	}
}

func noWeights() (w [Roles]int16) {
	for role := range w {
		w[role] = none
	}
	return w
}

func (e *encoder) bytes() ([]byte, error) {
	stems, places := e.stems.lay(stemWidth, e.known)
	if len(stems)/stemWidth >= math.MaxUint16 {
		return nil, errors.New("more stems than a pair can name")
	}
	var pairs, begun, glossed entries
	for i := range e.one {
		pairs.put(pairOf(places[e.one[i]], places[e.other[i]]), e.pairWeights[i])
	}
	for _, begin := range slices.Sorted(maps.Keys(e.glossary.begun)) {
		begun.put(keyOf(begin), [Roles]int16{int16(e.glossary.begun[begin])})
	}
	for _, p := range e.glossary.sortedPairs() {
		glossed.put(pairOf(places[keyOf(p.one)], places[keyOf(p.other)]), [Roles]int16{int16(e.glossary.pairs[p])})
	}
	tables := [][]byte{stems, e.first.table(wide), pairs.table(narrow), begun.table(wide), glossed.table(narrow)}
	out := binary.LittleEndian.AppendUint64([]byte(magic), lexiconID())
	for _, w := range e.bias {
		out = binary.LittleEndian.AppendUint32(out, uint32(int32(w)))
	}
	concepts := len(words.names)
	out = binary.LittleEndian.AppendUint32(out, uint32(concepts))
	for i, width := range tableWidths {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(tables[i])/width))
	}
	out = binary.LittleEndian.AppendUint32(out, uint32(len(e.glossary.entries)))
	for i := range concepts * (1 + concepts) {
		w, ok := e.concepts[i]
		if !ok {
			w = noWeights()
		}
		out = appendWeights(out, w)
	}
	for _, t := range tables {
		out = append(out, t...)
	}
	for _, entry := range e.glossary.entries {
		for _, set := range entry.concepts[:ownConcepts/64] {
			out = binary.LittleEndian.AppendUint64(out, set)
		}
		if len(entry.words) > mostMeanings {
			return nil, fmt.Errorf("glossary: %q has more than %d words", entry.words, mostMeanings)
		}
		for i := range mostMeanings {
			slot := int32(-1)
			if i < len(entry.words) {
				slot = places[keyOf(entry.words[i])]
			}
			out = binary.LittleEndian.AppendUint16(out, uint16(slot+1))
		}
	}
	return out, nil
}

func appendWeights(b []byte, weights [Roles]int16) []byte {
	for _, w := range weights {
		b = binary.LittleEndian.AppendUint16(b, uint16(w))
	}
	return b
}

func (e *entries) table(width int) []byte {
	out, _ := e.lay(width, nil)
	return out
}

// lay lays the entries out in slots of a width, twice as many as there are
// entries, and tells the slot of each key. What is known, if anything, stands
// behind the weights.
func (e *entries) lay(width int, knowns []known) ([]byte, map[uint64]int32) {
	slots := 2*len(e.keys) + 1
	out := make([]byte, slots*width)
	places := map[uint64]int32{}
	taken := make([]bool, slots)
	for i, key := range e.keys {
		at := home(key, slots)
		for taken[at] {
			at = (at + 1) % slots
		}
		taken[at], places[key] = true, int32(at)
		slot := out[at*width:][:0]
		if width == narrow {
			slot = binary.LittleEndian.AppendUint32(slot, uint32(key))
		} else {
			slot = binary.LittleEndian.AppendUint64(slot, key)
		}
		slot = appendWeights(slot, e.weights[i])
		if knowns != nil {
			binary.LittleEndian.AppendUint16(slot, uint16(knowns[i]))
		}
	}
	return out, places
}
