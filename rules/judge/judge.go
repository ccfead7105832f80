// Package judge weighs what a text makes a model do. Each clause is read as
// the set of concepts that its words stand for (lexicon.txt); a technique is
// data that says which concepts together are a way to turn a model against its
// user (techniques/*.yaml). Weak signs of several techniques add up; a clause
// that describes or forbids such a thing weighs less. It knows no wording of
// any attack.
package judge

import (
	"math/bits"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

// Judge holds techniques. It is immutable and safe for concurrent use.
type Judge struct {
	techniques []*Technique
	words      *lexicon
	byConcept  [maxConcepts][]rule // conditions by a concept that they need
	counted    []rule              // those over a whole text
	learned    int                 // the technique that the model speaks for, -1 without one
	model      *model
	scratch    sync.Pool
}

// rule is a condition of a technique. What most clauses fail on lies beside it.
type rule struct {
	all       set
	technique int
	*condition
}

// New returns a judge of a pack's techniques.
func New(pack *Pack) *Judge {
	j := &Judge{techniques: pack.Techniques, words: pack.words, learned: -1}
	for i, t := range j.techniques {
		for k := range t.when {
			c := &t.when[k]
			if c.times > 0 {
				j.counted = append(j.counted, rule{c.all, i, c})
			} else {
				j.byConcept[c.needs()] = append(j.byConcept[c.needs()], rule{c.all, i, c})
			}
		}
		if t.learned {
			j.learned, j.model = i, defaultModel()
		}
	}
	var tallied set
	for _, c := range j.counted {
		tallied.add(c.counted)
	}
	j.scratch.New = func() any {
		return &scratch{tallied: tallied, best: make([]Sign, len(pack.Techniques)), reader: &reader{}, aside: &reader{}}
	}
	return j
}

// scratch is the memory of one judgement.
type scratch struct {
	best    []Sign
	total   [maxConcepts]int // of those of tallied
	tallied set              // what conditions count
	used    bool             // best and total hold something
	hits    []hit
	*reader
	aside *reader // for a part of a clause
}

// Sign is a technique found in a text, with the clause that shows it most.
type Sign struct {
	Technique  *Technique
	Weight     float64
	Start, End int // the clause, in bytes of the text
	// Mentioned: the clause warns of the technique, quotes or forbids it.
	Mentioned bool
	// Quoted: a document shows it as somebody else's words, or is about attacks.
	Quoted bool

	direct bool // an order to the reader that names what to take, or where to
}

// beats reports whether s says more of a technique than another sign. One that
// is quoted gives way to a sign half its weight that is not: what a document
// shows does not hide what it says.
func (s *Sign) beats(other *Sign) bool { return s.rank() > other.rank() }

func (s *Sign) rank() float64 {
	if s.Quoted {
		return s.Weight / 2
	}
	return s.Weight
}

// The levels of a sum of weights.
const (
	lowAt    = 2.0
	mediumAt = 3.0
	highAt   = 4.0
)

// Level is the severity that signs come to together. What is quoted or mentioned
// comes to medium at most: it does not block, and it does not pass in silence.
func Level(signs []Sign) rules.Severity {
	said, quoted, mentioned := 0.0, 0.0, 0.0
	for _, s := range signs {
		switch {
		case s.Mentioned:
			mentioned += s.Weight
		case s.Quoted:
			quoted += s.Weight
		default:
			said += s.Weight
		}
	}
	switch all := said + quoted + min(mentioned, mentionedAtMost); {
	case said >= highAt:
		return rules.High
	case all >= mediumAt:
		return rules.Medium
	case all >= lowAt:
		return rules.Low
	}
	return 0
}

// mentionedAtMost bounds what all mentions add: a document about attacks may
// name every one of them.
const mentionedAtMost = 0.9

// quoteFactor is how much an example, a warning or a detector's description
// weighs.
const quoteFactor = 0.3

// Setting is where a text stands.
type Setting struct {
	Role  Role
	Names []string // of the definition and of its parameters
	// Siblings are the server's own tools: an order among these is the server's
	// business.
	Siblings *Siblings

	opens   bool     // the text begins by saying what a tool is for
	subject *subject // of the definition; nil where the text stands alone
	layout  *layout  // of the raw text of a document; nil for all others
}

// Text returns the signs of a text that stands alone, the strongest of each
// technique, in the order of the techniques.
func (j *Judge) Text(in Setting, content string) []Sign {
	if in.Role == InText {
		in.layout = &layout{}
		in.layout.read(content)
	}
	signs, windows := j.read(in, &text.View{Text: content}, lower(content))
	if len(windows) > 0 {
		p := j.purpose(in, []string{content})
		best := Sign{}
		for _, w := range windows {
			w.text = content[w.start:w.end]
			if s := j.strange(in, w, p); s.beats(&best) {
				best = s
			}
		}
		if best.Weight > 0 {
			signs = append(signs, best)
		}
	}
	return signs
}

// shortestClause is the length below which a clause says nothing.
const shortestClause = 4

// concepts returns those of a clause: all, and those outside of quotations; and
// whether it speaks of attacks as one who defends.
func (m *scratch) concepts(clause, low string, colon, shown bool) (here, outside set, defends bool) {
	nested := slices.ContainsFunc(m.hits, func(h hit) bool { return h.class == addressClass || h.class == quotationClass })
	for _, h := range m.hits {
		here.add(h.class)
		quoted := nested && inside(m.hits, h)
		if !quoted || h.class >= firstPattern && h.class < headlineClass {
			outside.add(h.class)
		}
		if !quoted {
			if !shown && m.tallied.has(h.class) {
				m.total[h.class]++
				m.used = true
			}
			defends = defends || h.class == defenceClass
		}
	}
	own := formOf(clause, low, colon, m.hits)
	here.join(own)
	outside.join(own)
	return here, outside, defends
}

// formOf is what the form of a clause says: it is an order, it has a headline.
// A clause without a colon has none.
func formOf(clause, low string, colon bool, hits []hit) (form set) {
	if colon && headlined(clause) {
		form.add(headlineClass)
	}
	if imperativeFrom(0, low, hits) || colon && imperative(low, hits) {
		form.add(imperativeClass)
	}
	return form
}

// forbids reports whether a clause forbids an action: a negation right in
// front of it, or a refusal behind.
func forbids(hits []hit) bool {
	const near = 6 // bytes, as in "not to read"
	for _, n := range hits {
		if n.class == refusedClass {
			return true
		}
		if n.class != negClass {
			continue
		}
		for _, h := range hits {
			if actions.has(h.class) && h.start >= n.end && h.start-n.end <= near {
				return true
			}
		}
	}
	return false
}

// needs is a concept without which the condition does not hold: the last of
// the lexicon, which begins with those that every text has.
func (c *condition) needs() class {
	for word := len(c.all) - 1; word >= 0; word-- {
		if set := c.all[word]; set != 0 {
			return class(word<<6 + bits.Len64(set) - 1)
		}
	}
	return slices.Max(c.sequence)
}

// holds reports whether the condition holds of the clause that r reads, which
// has all of c.all.
func (c *condition) holds(r *reading, here set) bool {
	if here.any(c.none) || !r.previous.all(c.previous) {
		return false
	}
	for _, group := range c.any {
		if !here.any(group) {
			return false
		}
	}
	for _, group := range c.around {
		if !here.any(group) && !r.mentions(group) {
			return false
		}
	}
	return len(c.sequence) == 0 || inOrder(r.m.hits, c.sequence, c.gap)
}

// within reports whether the clause's own words, without those that it quotes,
// are enough for the condition.
func (c *condition) within(outside set) bool {
	if !outside.all(c.all) {
		return false
	}
	for _, group := range c.any {
		if !outside.any(group) {
			return false
		}
	}
	for _, k := range c.sequence {
		if !outside.has(k) {
			return false
		}
	}
	return true
}

// heading reports whether a clause opens a section: a Markdown heading, or a
// short line that ends in a colon.
func heading(clause string) bool {
	return clause[0] == '#' || len(clause) < 80 && clause[len(clause)-1] == ':'
}

// inOrder reports whether the classes stand behind one another, each at most
// gap bytes behind the end of the one before.
func inOrder(hits []hit, sequence []class, gap int) bool {
	for _, h := range hits {
		if h.class == sequence[0] && (len(sequence) == 1 || follows(hits, h.end, sequence[1:], gap)) {
			return true
		}
	}
	return false
}

func follows(hits []hit, from int32, sequence []class, gap int) bool {
	for _, h := range hits {
		if h.class == sequence[0] && h.start >= from && int(h.start-from) <= gap &&
			(len(sequence) == 1 || follows(hits, h.end, sequence[1:], gap)) {
			return true
		}
	}
	return false
}

// The concepts that the judge itself asks for.
var (
	addressClass    = mustClass("address")
	quotationClass  = mustClass("quotation")
	headlineClass   = mustClass("headline")
	imperativeClass = mustClass("imperative")
	defenceClass    = mustClass("defence")
	negClass        = mustClass("neg")
	refusedClass    = mustClass("refused")
	speechClass     = mustClass("speech")
	toolNameClass   = mustClass("tool-name")

	actions  = mustSet("read", "send", "exec", "override", "change", "remove", "use", "download", "handover")
	concrete = mustSet("credential-file", "shell", "substitution", "retired", "rigged", "also") // what makes even a defensive sentence an order
)

// memory is how many clauses back a text is still about the same thing.
const memory = 6

// imperative reports whether a clause has an action right behind its first colon.
func imperative(low string, hits []hit) bool {
	colon := strings.Index(low, ": ")
	return colon > 0 && colon+2 < len(low) && letter(low[colon+2]) && imperativeFrom(colon+2, low, hits)
}

// imperativeFrom reports whether a clause begins with an action, behind the mark of
// a list and words of politeness or order: "3. Send ...", "Then upload ...".
func imperativeFrom(start int, low string, hits []hit) bool {
	for start < len(low) && (low[start] < 'a' || low[start] > 'z') {
		start++
	}
	if space := strings.IndexByte(low[start:], ' '); space > 0 {
		switch strings.TrimSuffix(low[start:start+space], ",") {
		case "then", "please", "also", "always", "now", "next", "finally", "first", "silently":
			start += space + 1
		}
	}
	for _, h := range hits {
		if int(h.start) != start {
			continue
		}
		verb := low[h.start:h.end] // "Reads" tells what a tool does; "Read" has it done
		if actions.has(h.class) && (!strings.HasSuffix(verb, "s") || strings.HasSuffix(verb, "ss")) {
			return true
		}
	}
	return false
}

// inside reports whether a word stands in an address or a quotation, where it
// says nothing about the clause.
func inside(hits []hit, h hit) bool {
	for _, other := range hits {
		if (other.class == addressClass || other.class == quotationClass) && other.start <= h.start && h.end <= other.end {
			return true
		}
	}
	return false
}

func headlined(clause string) bool {
	colon := strings.IndexByte(clause, ':')
	if colon <= 5 {
		return false
	}
	// Most colons are not behind capitals, and then the expression need not run.
	if c := clause[colon-1]; !upper(c) && c != ' ' && c != '-' && c != ')' {
		return false
	}
	return headline.MatchString(clause[:colon+1])
}

// clauseEnd is the end of the clause that begins at start: behind the sign that
// ends a sentence, or at the end of a line that the next one does not go on
// from, and never further than longestClause bytes. It also tells what kinds of
// bytes it met on the way.
func clauseEnd(text string, start int) (end int, met byteKind) {
	const longestClause = 600
	end = min(start+longestClause, len(text))
	for i := start; i < end; i++ {
		kind := byteKinds[text[i]]
		met |= kind
		if kind&endsClause == 0 {
			continue
		}
		switch c := text[i]; c {
		case '\n':
			if !goesOn(text, start, i) {
				return i + 1, met
			}
		case '.', '!', '?', ';':
			if i+1 == len(text) || blank(text[i+1]) || text[i+1] == '"' {
				return i + 1, met
			}
		default:
			for _, stop := range [...]string{"。", "！", "？", "；", "।", "؟", "۔"} {
				if stop[0] == c && strings.HasPrefix(text[i:], stop) {
					return i + len(stop), met
				}
			}
		}
	}
	for end < len(text) && text[end]&0xc0 == 0x80 {
		end++
	}
	return end, met
}

// byteKind is what a byte may be to a clause.
type byteKind uint8

const (
	endsClause   byteKind = 1 << iota // its end begins with it
	breaks                            // white space other than a space
	marksPattern                      // a mark of a pattern, of one byte
	colons
)

var byteKinds = func() (t [256]byteKind) {
	for _, c := range "\n.!?;\u00e3\u00ef\u00e0\u00d8\u00db" { // the last: of signs in UTF-8 the first byte
		t[c] |= endsClause
	}
	for _, c := range "\n\t" {
		t[c] |= breaks
	}
	for c, patterns := range marksOf {
		if patterns != 0 {
			t[c] |= marksPattern
		}
	}
	t[':'] |= colons
	return t
}()

// goesOn reports whether the sentence goes on behind the line end at i, as in
// text that is broken into lines of one width.
func goesOn(text string, start, i int) bool {
	const narrowest = 24 // bytes: shorter lines are lists, verses, tables
	if i == start || text[i-1] != ',' && !latin(text[i-1]) {
		return false
	}
	if strings.IndexByte(text[start:i], '\n') < 0 { // else it has gone on before
		if line := text[max(0, i-narrowest):i]; len(line) < narrowest || strings.IndexByte(line, '\n') >= 0 {
			return false
		}
	}
	shouted := upper(text[i-1])
	for i++; i < len(text) && (text[i] == ' ' || text[i] == '\t'); i++ {
	}
	switch next := text[min(i, len(text)-1)]; {
	case i == len(text):
		return false
	case upper(next):
		return shouted && i+1 < len(text) && (upper(text[i+1]) || text[i+1] == ' ')
	}
	return latin(text[i]) || strings.IndexByte("'\"`(~", text[i]) >= 0
}

func upper(b byte) bool { return b >= 'A' && b <= 'Z' }

func latin(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

// trim leaves white space out of [start, end).
func trim(text string, start, end int) (int, int) {
	for start < end && blank(text[start]) {
		start++
	}
	for end > start && blank(text[end-1]) {
		end--
	}
	return start, end
}

func blank(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

// unbroken is a clause with spaces for other white space of one byte: words may
// stand on two lines or in two columns.
func unbroken(clause string) string {
	if strings.IndexByte(clause, '\n') < 0 && strings.IndexByte(clause, '\t') < 0 {
		return clause
	}
	return oneSpace.Replace(clause)
}

var oneSpace = strings.NewReplacer("\n", " ", "\t", " ")

// lower is a text in lower case with every byte in its place, which
// strings.ToLower does not promise for some letters of other scripts.
func lower(s string) string {
	if low := strings.ToLower(s); len(low) == len(s) {
		return low
	}
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
