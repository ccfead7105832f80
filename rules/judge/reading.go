package judge

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/rules/text"
)

// reading is one text on its way through the judge, clause by clause.
type reading struct {
	*Judge
	in   Setting
	text string
	back text.Map // to the raw text
	low  string   // in lower case
	m    *scratch

	clauses   int
	from      int // where the clause before begins
	previous  set
	recent    [memory]set
	forbidden bool // by the heading of the section
	asked     bool // by that heading: what, why, when
	defences  int  // clauses that speak of attacks as one who defends
	speeches  int  // clauses that say who says something
	windows   []window
}

// clause is one of them, with what is known of it.
type clause struct {
	start, end int
	low        string
	here       set  // its concepts
	outside    set  // those outside of quotations
	defends    bool // it speaks of attacks as one who defends
	shown      bool // the document shows it
	told       int8 // the document tells of it: 1, or not: -1; 0 before anybody asks
	forbids    bool
	factor     float64
	trust      trust
}

// trust is what the model thinks of the techniques in a clause.
type trust int

const (
	agreed    trust = iota // or it was not asked
	undecided              // nothing comes to high; what is beyond doubt comes to medium
	doubted                // what is not beyond doubt is a mention
)

// read returns the signs of a view, whose text low is in lower case, and the
// clauses that look most like an order against the user: whether they are
// depends on what the rest is about.
func (j *Judge) read(in Setting, view *text.View, low string) ([]Sign, []window) {
	m := j.scratch.Get().(*scratch)
	defer j.scratch.Put(m)
	if m.used { // seldom, and they are large
		clear(m.best)
		clear(m.total[:])
		m.used = false
	}
	m.next(in.Role)
	r := reading{Judge: j, in: in, text: view.Text, back: view.Map, low: low, m: m}
	for start := 0; start < len(r.text); {
		next, met := clauseEnd(r.text, start)
		if from, to := trim(r.text, start, next); to-from >= shortestClause {
			r.clause(from, to, met)
		}
		start = next
	}
	return r.signs()
}

// clause reads text[start:end], which has no bytes of other kinds than met.
func (r *reading) clause(start, end int, met byteKind) {
	c := clause{start: start, end: end, low: r.low[start:end], factor: 1}
	if met&breaks != 0 {
		c.low = unbroken(c.low)
	}
	marked := uint32(0)
	if met&marksPattern != 0 {
		marked = marks(c.low)
	}
	r.m.hits = r.words.findMarked(c.low, marked, r.m.hits[:0])
	if r.in.Siblings != nil {
		r.m.hits = slices.DeleteFunc(r.m.hits, func(h hit) bool {
			return h.class == toolNameClass && r.in.Siblings.names[strings.Trim(c.low[h.start:h.end], "`'\"")]
		})
	}
	if r.in.layout != nil {
		from, _ := r.back.Range(start, start+1)
		c.shown = r.in.layout.shows(from)
	}
	c.here, c.outside, c.defends = r.m.concepts(r.text[start:end], c.low, met&colons != 0, c.shown)
	if c.defends {
		if !c.here.any(concrete) && r.defended() {
			c.factor = quoteFactor
		}
		r.defences++
	}
	if c.here.has(speechClass) {
		r.speeches++
	}
	if heading(r.text[start:end]) {
		r.forbidden = c.outside.has(negClass) || c.outside.has(defenceClass)
		r.asked = asks(c.low)
	}
	c.forbids = r.forbidden || forbids(r.m.hits)
	if r.model != nil {
		r.ask(&c)
	}
	r.weigh(&c)
	r.recent[r.clauses%memory] = c.here
	r.clauses++
	r.previous, r.from = c.here, start
}

// ask asks the model.
func (r *reading) ask(c *clause) {
	r.m.learn(r.model, c.low, c.here)
	w := window{start: c.start, end: c.end, mentioned: c.factor < 1 || c.forbids}
	both := 0.0
	if w.score, both = r.model.scores(r.m.reader); r.clauses > 0 && both > w.score {
		w.start, w.score = r.from, both
	}
	if len(r.m.reader.words) >= fewestWords {
		if r.clauses == 0 && r.in.opens {
			w.score -= opening
		}
		if w.score >= suspicious {
			w.quoted, w.direct = r.quotes(c), r.direct(c)
			r.windows = keep(r.windows, w)
		}
	}
	if r.in.Role == InText && w.score < suspicious {
		w.score = max(w.score, r.introduced(c))
	}
	switch {
	case w.score < harmlessBelow[r.in.Role]:
		c.trust = doubted
	case r.in.Role == InText && w.score < suspicious:
		c.trust = undecided
	}
}

// weigh looks for the techniques that the clause shows.
func (r *reading) weigh(c *clause) {
	for word, set := range c.here {
		for ; set != 0; set &= set - 1 {
			for _, rule := range r.byConcept[word<<6+bits.TrailingZeros64(set)] {
				if c.here.all(rule.all) && rule.weight > r.m.best[rule.technique].rank() && rule.holds(r, c.here) {
					r.add(rule, c)
				}
			}
		}
	}
}

// mentions reports whether one of the few clauses before has one of the concepts.
func (r *reading) mentions(any set) bool {
	return slices.ContainsFunc(r.recent[:], func(here set) bool { return here.any(any) })
}

// add takes the weight of a condition that holds.
func (r *reading) add(rule rule, c *clause) {
	weight, mentioned := rule.weight*c.factor, c.factor < 1
	switch t := r.techniques[rule.technique]; {
	case r.forbidden, c.forbids && !t.Negative, !rule.within(c.outside), c.trust == doubted && rule.weight < beyondDoubt:
		weight, mentioned = rule.weight*quoteFactor, true
	case c.trust != agreed && rule.weight >= beyondDoubt:
		weight, mentioned = mediumAt, false
	}
	quoted := r.quotes(c) || c.trust == undecided && rule.weight < beyondDoubt
	if s := (Sign{r.techniques[rule.technique], weight, c.start, c.end, mentioned, quoted, r.direct(c)}); s.beats(&r.m.best[rule.technique]) {
		r.m.best[rule.technique] = s
		r.m.used = true
	}
}

// signs closes the reading.
func (r *reading) signs() ([]Sign, []window) {
	counted, best := r.counted, r.m.best
	if !r.m.used {
		counted, best = nil, nil
	}
	for _, c := range counted {
		if r.m.total[c.counted] >= c.times && c.weight > r.m.best[c.technique].Weight {
			r.m.best[c.technique] = Sign{r.techniques[c.technique], c.weight, 0, len(r.text), false, r.in.Role == InText, false}
		}
	}
	about := r.in.Role == InText && r.defences >= manyDefences
	for i := range r.windows {
		r.windows[i].quoted = r.windows[i].quoted || about && !r.windows[i].direct
	}
	var out []Sign
	for _, s := range best {
		if s.Weight > 0 {
			s.Quoted = s.Quoted || about && !s.direct
			out = append(out, s)
		}
	}
	return out, r.windows
}

// manyDefences is in how many clauses a text speaks of attacks that is about
// them.
const manyDefences = 3
