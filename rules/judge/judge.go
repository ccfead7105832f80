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
	actions    set // that a prohibition forbids
	concrete   set // what makes even a defensive sentence an order: a path, a command
}

// New returns a judge of the given techniques.
func New(techniques []*Technique) *Judge {
	j := &Judge{techniques: techniques}
	j.defence, _ = words.class("defence")
	j.neg, _ = words.class("neg")
	j.actions, _ = words.set([]string{"read", "send", "exec", "override", "change", "remove", "use"})
	j.concrete, _ = words.set([]string{"credential-file", "shell", "substitution", "retired", "rigged", "also"})
	return j
}

// Sign is a technique found in a text, with the clause that shows it most.
type Sign struct {
	Technique  *Technique
	Weight     float64
	Start, End int // the clause, in bytes of the text
}

// The levels of a sum of weights.
const (
	lowAt    = 2.0
	mediumAt = 3.0
	highAt   = 4.0
)

// Level is the severity that signs come to together.
func Level(signs []Sign) rules.Severity {
	sum := 0.0
	for _, s := range signs {
		sum += s.Weight
	}
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

// quoteFactor is how much an example, a warning or a detector's description
// weighs.
const quoteFactor = 0.3

// Text returns the signs of a text, the strongest of each technique, in the
// order of the techniques.
func (j *Judge) Text(text string) []Sign {
	best := make([]Sign, len(j.techniques))
	var total [64]int
	var hits []hit
	previous := set(0)
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
		here, quotes := set(0), set(0)
		for _, h := range hits {
			here |= 1 << h.class
			total[h.class]++
			if h.class == j.defence && !inside(hits, h) {
				quotes |= 1 << h.class
			}
		}
		if headlined(clause) {
			here |= 1 << headlineClass
		}
		factor := 1.0
		if quotes != 0 && !here.any(j.concrete) {
			factor = quoteFactor
		}
		forbids := j.forbids(hits)
		for i, t := range j.techniques {
			for _, c := range t.when {
				weight := c.weight * factor
				if forbids && !t.Negative {
					weight = c.weight * quoteFactor
				}
				if c.times == 0 && weight > best[i].Weight && c.holds(here, previous, hits) {
					best[i] = Sign{t, weight, start, start + len(clause)}
				}
			}
		}
		previous = here
		start = end
	}
	var out []Sign
	for i, t := range j.techniques {
		for _, c := range t.when {
			if c.times > 0 && total[c.counted] >= c.times && c.weight > best[i].Weight {
				best[i] = Sign{t, c.weight, 0, len(text)}
			}
		}
		if best[i].Weight > 0 {
			out = append(out, best[i])
		}
	}
	return out
}

// forbids reports whether a clause forbids an action: a negation right in
// front of it.
func (j *Judge) forbids(hits []hit) bool {
	const near = 6 // bytes, as in "not to read"
	for _, n := range hits {
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

func (c *condition) holds(here, previous set, hits []hit) bool {
	if !here.all(c.all) || here.any(c.none) || !previous.all(c.previous) {
		return false
	}
	for _, group := range c.any {
		if !here.any(group) {
			return false
		}
	}
	return len(c.sequence) == 0 || inOrder(hits, c.sequence, c.gap)
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
	addressClass, _   = words.class("address")
	quotationClass, _ = words.class("quotation")
	headlineClass, _  = words.class("headline")
)

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
