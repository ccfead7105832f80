// Package judge weighs what a text makes a model do. Each clause is read as
// the set of concepts that its words stand for (lexicon.txt); a technique is
// data that says which concepts together are a way to turn a model against its
// user (techniques/*.yaml). Weak signs of several techniques add up; a clause
// that describes or forbids such a thing weighs less. It knows no wording of
// any attack.
package judge

import (
	"strings"

	"github.com/sallyport-mcp/sallyport/rules"
)

// Judge holds techniques. It is immutable and safe for concurrent use.
type Judge struct {
	techniques []*Technique
	defence    class
	neg        class
	refused    class
	actions    set // that a prohibition forbids
	concrete   set // what makes even a defensive sentence an order: a path, a command
}

// New returns a judge of the given techniques.
func New(techniques []*Technique) *Judge {
	j := &Judge{techniques: techniques}
	j.defence, _ = words.class("defence")
	j.neg, _ = words.class("neg")
	j.refused, _ = words.class("refused")
	j.actions, _ = words.set([]string{"read", "send", "exec", "override", "change", "remove", "use", "download", "handover"})
	j.concrete, _ = words.set([]string{"credential-file", "shell", "substitution", "retired", "rigged", "also"})
	return j
}

// Sign is a technique found in a text, with the clause that shows it most.
type Sign struct {
	Technique  *Technique
	Weight     float64
	Start, End int // the clause, in bytes of the text
	// Mentioned: the clause warns of the technique, quotes or forbids it.
	Mentioned bool
}

// The levels of a sum of weights.
const (
	lowAt    = 2.0
	mediumAt = 3.0
	highAt   = 4.0
)

// Level is the severity that signs come to together.
func Level(signs []Sign) rules.Severity {
	sum, mentioned := 0.0, 0.0
	for _, s := range signs {
		if s.Mentioned {
			mentioned += s.Weight
		} else {
			sum += s.Weight
		}
	}
	sum += min(mentioned, mentionedAtMost)
	switch {
	case sum >= highAt:
		return rules.High
	case sum >= mediumAt:
		return rules.Medium
	case sum >= lowAt:
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

// Text returns the signs of a text, the strongest of each technique, in the
// order of the techniques.
func (j *Judge) Text(text string) []Sign {
	best := make([]Sign, len(j.techniques))
	var total [maxConcepts]int
	var hits []hit
	clauses := 0
	forbidden := false // by the heading of the section
	previous, recent := set{}, [window]set{}
	for start := 0; start < len(text); {
		end := clauseEnd(text, start)
		clause := strings.TrimRight(text[start:end], " \t\r\n")
		start += len(clause) - len(strings.TrimLeft(clause, " \t\r\n"))
		clause = text[start : start+len(strings.TrimLeft(clause, " \t\r\n"))]
		if len(clause) < 4 {
			start = end
			continue
		}
		low := strings.ToLower(clause)
		if len(low) != len(clause) {
			low = asciiLower(clause)
		}
		hits = words.find(low, hits[:0])
		here, quotes := set{}, false
		outside := set{} // without the words of a quotation
		for _, h := range hits {
			here.add(h.class)
			quoted := inside(hits, h)
			if !quoted || int(h.class) >= len(words.names)-len(patterns)-2 {
				outside.add(h.class)
			}
			if quoted {
				continue
			}
			total[h.class]++
			if h.class == j.defence {
				quotes = true
			}
		}
		if heading(clause) {
			forbidden = outside.has(j.neg) || outside.has(j.defence)
		}
		if headlined(clause) {
			here.add(headlineClass)
			outside.add(headlineClass)
		}
		if j.imperative(clause, hits) {
			here.add(imperativeClass)
			outside.add(imperativeClass)
		}
		around := here
		for _, r := range recent {
			around.join(r)
		}
		factor := 1.0
		if quotes && !here.any(j.concrete) {
			factor = quoteFactor
		}
		forbids := forbidden || j.forbids(hits)
		for i, t := range j.techniques {
			for k := range t.when {
				c := &t.when[k]
				if !here.all(c.all) || c.weight <= best[i].Weight || c.times > 0 || !c.holds(here, previous, around, hits) {
					continue
				}
				weight, mentioned := c.weight*factor, factor < 1
				if forbidden || forbids && !t.Negative || !c.within(outside) {
					weight, mentioned = c.weight*quoteFactor, true
				}
				if weight > best[i].Weight {
					best[i] = Sign{t, weight, start, start + len(clause), mentioned}
				}
			}
		}
		recent[clauses%window] = here
		clauses++
		previous = here
		start = end
	}
	var out []Sign
	for i, t := range j.techniques {
		for _, c := range t.when {
			if c.times > 0 && total[c.counted] >= c.times && c.weight > best[i].Weight {
				best[i] = Sign{t, c.weight, 0, len(text), false}
			}
		}
		if best[i].Weight > 0 {
			out = append(out, best[i])
		}
	}
	return out
}

// forbids reports whether a clause forbids an action: a negation right in
// front of it, or a refusal behind.
func (j *Judge) forbids(hits []hit) bool {
	const near = 6 // bytes, as in "not to read"
	for _, n := range hits {
		if n.class == j.refused {
			return true
		}
		if n.class != j.neg {
			continue
		}
		for _, h := range hits {
			if j.actions.has(h.class) && h.start >= n.end && h.start-n.end <= near {
				return true
			}
		}
	}
	return false
}

func (c *condition) holds(here, previous, around set, hits []hit) bool {
	if !here.all(c.all) || here.any(c.none) || !previous.all(c.previous) {
		return false
	}
	for _, group := range c.around {
		if !around.any(group) {
			return false
		}
	}
	for _, group := range c.any {
		if !here.any(group) {
			return false
		}
	}
	return len(c.sequence) == 0 || inOrder(hits, c.sequence, c.gap)
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

var (
	addressClass, _    = words.class("address")
	quotationClass, _  = words.class("quotation")
	headlineClass, _   = words.class("headline")
	imperativeClass, _ = words.class("imperative")
)

// window is how many clauses back a text is still about the same thing.
const window = 6

// imperative reports whether a clause begins with an action, behind the mark of
// a list and words of politeness or order: "3. Send ...", "Then upload ...".
func (j *Judge) imperative(clause string, hits []hit) bool {
	start := 0
	for start < len(clause) && (clause[start] < 'A' || clause[start] > 'z' || clause[start] >= '[' && clause[start] <= '`') {
		start++
	}
	for _, polite := range []string{"then ", "please ", "also ", "always ", "now ", "next, ", "finally, ", "first, ", "silently ", "Then ", "Please ", "Also ", "Always ", "Now ", "Next, ", "Finally, ", "First, ", "Silently "} {
		if strings.HasPrefix(clause[start:], polite) {
			start += len(polite)
			break
		}
	}
	for _, h := range hits {
		if int(h.start) > start {
			break
		}
		verb := clause[h.start:h.end] // "Reads" tells what a tool does; "Read" has it done
		if int(h.start) == start && j.actions.has(h.class) && (!strings.HasSuffix(verb, "s") || strings.HasSuffix(verb, "ss")) {
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
	return colon > 5 && headline.MatchString(clause[:min(len(clause), colon+1)])
}

// clauseEnd is the end of the clause that begins at start: behind a full stop
// that ends a sentence, or at the end of the line, and never further than
// longestClause bytes.
func clauseEnd(text string, start int) int {
	const longestClause = 600
	for i := start; i < len(text) && i-start < longestClause; i++ {
		switch text[i] {
		case '\n':
			return i + 1
		case '.', '!', '?', ';':
			if i+1 == len(text) || text[i+1] == ' ' || text[i+1] == '\n' || text[i+1] == '"' {
				return i + 1
			}
		}
	}
	end := min(start+longestClause, len(text))
	for end < len(text) && text[end]&0xc0 == 0x80 {
		end++
	}
	return end
}

// asciiLower keeps every byte in its place, which strings.ToLower does not for
// some letters of other scripts.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
