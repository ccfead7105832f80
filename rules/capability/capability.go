// Package capability says what a tool can do, as far as its definition tells:
// which verbs and objects its name, title, description and parameters put
// together. It knows no wordings of attacks and judges nothing; a fact is what
// an honest reader would say the tool is for, with the words that say so.
//
// Names are cut at case, digits and punctuation. Of a description only the
// first sentence is read, because that is where honest tools say what they do
// and because later sentences mention what the tool does not do. A negated
// clause and the limit "read-only" take away what they name. The words are
// English. Every call is bounded: maxText bytes and maxWords words of each
// text are looked at, and every parameter's name once.
package capability

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Label is one thing that a tool can do.
type Label string

// The labels.
const (
	ReadsPrivate     Label = "reads-private"     // answers with data that is not for everybody
	UntrustedContent Label = "untrusted-content" // answers with text that strangers can write
	ReachesOut       Label = "reaches-out"       // sends data to where strangers can read it
	Writes           Label = "writes"            // creates or changes something
	Destroys         Label = "destroys"          // deletes or overwrites
	Executes         Label = "executes"          // runs commands or code
	Pays             Label = "pays"              // moves money
	ChangesRights    Label = "changes-rights"    // grants or takes access
)

// Object is the kind of thing that a label is about; "" where the definition
// names none.
type Object string

// The objects.
const (
	Secret   Object = "secret"
	File     Object = "file"
	Mail     Object = "mail"
	Chat     Object = "chat"
	Database Object = "database"
	Git      Object = "git"
	Personal Object = "personal" // calendar, contacts, browser data, notes
	Web      Object = "web"
	HTTP     Object = "http"  // a request to a free address
	Issue    Object = "issue" // issues, comments, reviews, tickets
	Post     Object = "post"  // what is published: posts, articles, gists
	Upload   Object = "upload"
	Shell    Object = "shell"
	Code     Object = "code"
	Money    Object = "money"
	Right    Object = "right"
)

// Fact is one label of a tool with its evidence: the decoded bytes
// [Start, End) of a field. The evidence of an annotation is the whole tool:
// its field has a path and no text.
type Fact struct {
	Label      Label
	Object     Object
	Field      analyzers.Field
	Start, End int
}

// Claimed reports whether the fact rests on an annotation alone.
func (f Fact) Claimed() bool { return f.Field.Text.Value == "" }

// Span is the evidence's place, zero for an annotation.
func (f Fact) Span() analyzers.Span { return f.Field.Text.At(f.Start, f.End) }

// Evidence is the words that the fact rests on.
func (f Fact) Evidence() analyzers.Untrusted { return f.Field.Text.Value[f.Start:f.End] }

// Of returns the facts about a tool, one a label and object, in a fixed order:
// those that the name shows, then title, description, parameters and
// annotations.
func Of(t *analyzers.Tool) []Fact {
	var r reader
	r.params(t.Fields)
	r.text("name", t.Name, false)
	r.text("title", t.Title, false)
	r.text("description", t.Description, true)
	if stated(t.Annotations).Destructive {
		r.add(Fact{Label: Destroys, Field: analyzers.Field{Path: "annotations.destructiveHint"}})
	}
	return r.facts
}

// InName returns the facts that the tool's name alone shows.
func InName(t *analyzers.Tool) []Fact { return alone("name", t.Name, false) }

// InSentence returns the facts that one sentence shows: the first of the text.
func InSentence(path string, text analyzers.Text) []Fact { return alone(path, text, true) }

func alone(path string, text analyzers.Text, sentence bool) []Fact {
	var r reader
	r.text(path, text, sentence)
	return r.facts
}

// OnlyLooks reports whether a name or title, or the first sentence of a
// description, speaks of looking at something and of nothing else: "List
// files". A verb that is also a noun settles nothing.
func OnlyLooks(text string, sentence bool) bool {
	var p phrase
	p.read(text, sentence)
	return p.verbs != 0 && p.verbs&^(look|read|fetch) == 0 && !p.tokens[p.first].soft
}

// hints is what a server says of a tool explicitly (MCP schema.ts,
// ToolAnnotations).
type hints struct{ Destructive bool }

func stated(annotations []byte) hints {
	if !bytes.Contains(annotations, []byte("destructiveHint")) {
		return hints{}
	}
	var a struct{ DestructiveHint, ReadOnlyHint bool }
	if json.Unmarshal(annotations, &a) != nil {
		return hints{}
	}
	return hints{Destructive: a.DestructiveHint && !a.ReadOnlyHint}
}

// reader gathers the facts of one tool.
type reader struct {
	facts []Fact
	// given holds the first parameter of each kind, by the kind's bit.
	given   [kinds]analyzers.Field
	objects object // the kinds of parameters that there are
}

func (r *reader) add(f Fact) {
	for _, have := range r.facts {
		if have.Label == f.Label && have.Object == f.Object {
			return
		}
	}
	r.facts = append(r.facts, f)
}

// params notes the tool's own parameters that say something.
func (r *reader) params(fields []analyzers.Field) {
	const prefix = "inputSchema.properties."
	for _, f := range fields {
		if !f.Key || len(f.Path) > len(prefix)+maxParam || !strings.HasPrefix(f.Path, prefix) {
			continue
		}
		kind, ok := parameter(f.Path[len(prefix):])
		if ok && r.objects&(1<<kind) == 0 {
			r.objects |= 1 << kind
			r.given[kind] = f
		}
	}
}

// text adds what one text shows.
func (r *reader) text(path string, text analyzers.Text, sentence bool) {
	if text.Value == "" {
		return
	}
	var p phrase
	p.read(text.Raw(), sentence)
	if p.verbs == 0 {
		return
	}
	field := analyzers.Field{Path: path, Text: text}
	for _, s := range senses {
		if p.verbs&s.verbs == 0 || p.objects&s.without != 0 || p.readOnly && s.acts {
			continue
		}
		verb, params := p.verb(s.verbs), s.params&r.objects
		if p.objects != 0 {
			params &^= 1 << paramPath // the path is that of what the text names
		}
		if s.object == "" {
			s.object = kindOf(p.objects)
		}
		objects := p.objects
		if s.direct {
			objects = p.direct
		}
		switch {
		case s.both && (params == 0 || p.objects&s.objects == 0):
		case s.objects == 0:
			r.add(Fact{s.label, s.object, field, verb.start, verb.end})
		case objects&s.objects != 0:
			start, end := evidence(verb, p.object(s.objects))
			r.add(Fact{s.label, s.object, field, start, end})
		case params != 0:
			r.add(r.paramFact(s))
		}
	}
}

func (r *reader) paramFact(s sense) Fact {
	for kind, f := range r.given {
		if s.params&r.objects&(1<<kind) != 0 {
			return Fact{s.label, s.object, f, 0, len(f.Text.Value)}
		}
	}
	return Fact{Label: s.label, Object: s.object}
}
