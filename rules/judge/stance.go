package judge

import (
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

// A text may order, and it may tell of orders: a handbook, a rule's page, the
// README of a scanner. What tells never comes to high. The signs of it are in
// the form of the text and around the sentence, not in what stands before an
// order: "for example:" buys nothing.

// layout is how a document is laid out.
type layout struct {
	shown    []stretch // lines that show something: block quotes and code; ascending
	explains bool      // it has the sections of a text that explains
}

type stretch struct{ start, end int }

// fewestSections is how many Markdown headings a text has that explains.
const fewestSections = 3

// read reads the lines of a Markdown document.
func (l *layout) read(text string) {
	l.shown = l.shown[:0]
	fenced, headings := false, 0
	for start := 0; start < len(text); {
		end := len(text)
		if i := strings.IndexByte(text[start:], '\n'); i >= 0 {
			end = start + i + 1
		}
		line := strings.TrimRight(text[start:end], "\n")
		bare := strings.TrimLeft(line, " \t")
		fence := strings.HasPrefix(bare, "```") || strings.HasPrefix(bare, "~~~")
		if fence {
			fenced = !fenced
		}
		switch {
		case fenced, fence, strings.HasPrefix(bare, ">"), len(bare) > 0 && (len(line)-len(bare) >= 4 || line[0] == '\t'):
			if n := len(l.shown); n > 0 && l.shown[n-1].end == start {
				l.shown[n-1].end = end
			} else {
				l.shown = append(l.shown, stretch{start, end})
			}
		case headed(line):
			headings++
		}
		start = end
	}
	l.explains = headings >= fewestSections
}

// headed reports whether a line is a Markdown heading (CommonMark, 4.2).
func headed(line string) bool {
	n := 0
	for n < len(line) && line[n] == '#' {
		n++
	}
	return n > 0 && n <= 6 && len(line) > n+1 && line[n] == ' '
}

// shows reports whether the line of the byte at offset i shows something.
func (l *layout) shows(i int) bool {
	k := sort.Search(len(l.shown), func(k int) bool { return l.shown[k].end > i })
	return k < len(l.shown) && l.shown[k].start <= i
}

// fewestSpeeches is how many clauses of a story say who speaks, "said the door",
// before one more is taken for a part of the story.
const fewestSpeeches = 3

// quotes reports whether a document does not say a clause in its own name: it
// shows it, tells of it, or is a story and says who speaks.
func (r *reading) quotes(c *clause) bool {
	if c.told == 0 {
		c.told = -1
		if c.shown || r.in.layout != nil && (r.tells(c) || r.speeches > fewestSpeeches && c.here.has(speechClass)) {
			c.told = 1
		}
	}
	return c.told > 0
}

// introduced is the model's score of what stands behind the first colon of a
// clause: "an attack says:" does not make an order less of one.
func (r *reading) introduced(c *clause) float64 {
	colon := strings.Index(c.low, ": ")
	if colon < 0 {
		return math.Inf(-1)
	}
	rest := c.low[colon+2:]
	var here set
	for _, h := range r.m.hits {
		if int(h.start) > colon {
			here.add(h.class)
		}
	}
	if c.here.has(imperativeClass) {
		here.add(imperativeClass)
	}
	r.m.aside.next(r.in.Role)
	r.m.aside.learn(r.model, rest, here)
	if len(r.m.aside.words) < fewestWords {
		return math.Inf(-1)
	}
	score, _ := r.model.scores(r.m.aside)
	return score
}

// direct reports whether a clause gives its reader an order in plain words, and
// says what to take or where to bring it. A text about attacks shows such a thing
// in quotation marks or in code.
func (r *reading) direct(c *clause) bool {
	return c.here.any(ordering) && c.outside.any(payload) && !r.quotes(c) && !c.here.has(quotationClass)
}

var (
	ordering = mustSet("must", "imperative")
	payload  = mustSet("address", "credential-file", "account")
)

// tells reports whether a clause of a document speaks of others, and asks for
// nothing: outside of its quotations it does not mean its reader, and it begins
// with one of those whom texts about servers speak of; or it stands in a section
// whose heading asks what, why or when, and names something.
func (r *reading) tells(c *clause) bool {
	if !r.in.layout.explains || c.outside.any(addresses) {
		return false
	}
	subject, before, names, n := "", "", false, 0
	for _, part := range unquoted(c.low, r.m.hits) {
		for word := range strings.FieldsFuncSeq(part, func(r rune) bool { return r != '\'' && (r < 'a' || r > 'z') }) {
			switch n++; n {
			case 1:
				subject = word
			case 2: // "mail the letter" asks, "letters for the user" names
				names = !subjects.Has(word)
			}
			switch {
			case readers.Has(word), word == "this" && strings.HasPrefix(before, "read"):
				return false
			case strings.HasPrefix(word, "model") && definite.Has(subject): // "a text that tells the model" is about texts
				return false
			}
			before = word
		}
	}
	return subjects.Has(subject) || names && r.asked
}

// asks reports whether a heading, in lower case, asks what is, why or when; not
// what to do.
func asks(heading string) bool {
	words := strings.Fields(strings.TrimLeft(heading, "#*_ "))
	return len(words) > 1 && asking.Has(words[0]) && words[1] != "to"
}

// unquoted are the parts of a clause that are no quotation.
func unquoted(low string, hits []hit) []string {
	var parts []string
	from := int32(0)
	for _, h := range hits {
		if h.class == quotationClass && h.start >= from {
			parts = append(parts, low[from:h.start])
			from = h.end
		}
	}
	return append(parts, low[from:])
}

// addresses are the concepts of a clause that asks something of its reader.
var addresses = mustSet("must", "imperative", "authority", "unasked")

// subjects are the words with which a clause begins that tells, definite those of
// them that may stand for the text itself or for who reads it.
var (
	subjects = pattern.Words("the it its they their he she this that these those there a an every each some many most no none such what whatever which who one two several few both " +
		"server servers tool tools client clients parameter parameters text description descriptions attacker attackers attack attacks package packages image images command commands injection")
	definite = pattern.Words("the it its they their he she this that these those there")
)

// readers are the words for whoever reads, and what they are told with.
var readers = pattern.Words("you your yours yourself please let's i me my we us our reader readers assistant assistants agent agents ai ais llm llms bot bots crawler crawlers shall ought")

// asking are the words with which the heading begins of a section that explains.
var asking = pattern.Words("what why when")

// defended reports whether something around the clause bears out that it speaks
// of attacks as one who defends: the clause is the one that says what the text is
// for, one before it speaks so, too, or the definition is about attacks.
func (r *reading) defended() bool {
	return r.defences > 0 || r.clauses == 0 && (r.in.opens || r.in.subject == nil) || r.in.subject != nil && r.in.subject.defends(r.words)
}

// subject is what a definition says of itself: its names, and the clauses that
// its title and its description begin with.
type subject struct {
	names  []string
	fields []analyzers.Field
}

// defends reports whether it is about attacks.
func (s *subject) defends(words *lexicon) bool {
	about := func(text string) bool {
		return slices.ContainsFunc(words.find(lower(text), nil), func(h hit) bool { return h.class == defenceClass })
	}
	for _, f := range s.fields {
		if f.Path != "description" && f.Path != "title" {
			continue
		}
		raw := f.Text.Raw()
		if end, _ := clauseEnd(raw, 0); about(raw[:end]) {
			return true
		}
	}
	return slices.ContainsFunc(s.names, func(name string) bool { return about(spaced(name)) })
}
