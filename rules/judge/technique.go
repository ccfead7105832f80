package judge

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed techniques/*.yaml
var techniqueFiles embed.FS

// Technique is one way of making a model act against its user, as a rule: data
// alone, in a YAML file of its own.
type Technique struct {
	ID, Title  string
	Confidence rules.Confidence
	CWE        []int
	Covers     []string
	Page       string
	Negative   bool     // a negation is part of the technique, and lifts nothing
	Fires      []string // must be judged medium or above, and by this technique
	Silent     []string // must not
	learned    bool     // the model speaks for it
	when       []condition
}

// condition is one shape of the technique: what a clause must hold.
type condition struct {
	weight   float64
	all      set
	any      []set // one of each
	none     set
	previous set     // in the clause before
	around   []set   // one of each in the clause or the few before it
	sequence []class // in this order, each at most gap bytes behind the one before
	gap      int
	times    int // over the whole text, instead of a clause
	counted  class
}

const defaultGap = 48 // bytes

// Pack is techniques with the words that they speak in.
type Pack struct {
	Techniques []*Technique
	words      *lexicon
}

// Default is the program's own techniques, sorted by id.
var Default = sync.OnceValue(func() *Pack {
	own, err := fs.Sub(techniqueFiles, "techniques")
	if err != nil {
		panic(err)
	}
	p, err := (&Pack{words: words}).With(own)
	if err != nil {
		panic(err) // a file of our own is broken; a test reads them all
	}
	return p
})

// MaxPack bounds the files of a pack.
const MaxPack = 500

// With returns the pack and the techniques of a folder's .yaml files. The form
// of a file is docs/techniques.md and docs/schema/technique.v1.schema.json.
// Errors name the file and the place.
func (p *Pack) With(folder fs.FS) (*Pack, error) {
	names, err := fs.Glob(folder, "*.yaml")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 || len(names) > MaxPack {
		return nil, fmt.Errorf("%d .yaml files; a pack has 1 to %d", len(names), MaxPack)
	}
	roots := make([]*tree.Node, len(names))
	concepts := map[string][]string{}
	for i, name := range names {
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		if roots[i], err = tree.Parse(&analyzers.Source{Path: name, Bytes: content}, tree.YAML); err != nil {
			return nil, fmt.Errorf("%s:%w", name, err)
		}
		if err := readConcepts(name, roots[i].Get("concepts"), concepts); err != nil {
			return nil, err
		}
	}
	out := &Pack{Techniques: slices.Clone(p.Techniques)}
	if out.words, err = p.words.with(concepts); err != nil {
		return nil, err
	}
	for i, name := range names {
		t, err := out.technique(name, roots[i])
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out.Techniques, func(other *Technique) bool { return other.ID == t.ID }) {
			return nil, wrong(name, roots[i].Get("id"), "there is a technique %q already", t.ID)
		}
		if t.learned && slices.ContainsFunc(out.Techniques, func(other *Technique) bool { return other.learned }) {
			return nil, wrong(name, roots[i].Get("learned"), "the model speaks for one technique only; describe yours with when")
		}
		out.Techniques = append(out.Techniques, t)
	}
	slices.SortFunc(out.Techniques, func(a, b *Technique) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// readConcepts adds the concepts of a file: a map from a name to words.
func readConcepts(file string, n *tree.Node, into map[string][]string) error {
	if n == nil {
		return nil
	}
	for _, c := range n.Children {
		name := c.Key.Raw()
		if into[name] != nil {
			return wrong(file, c, "the concept %q is defined twice", name)
		}
		for _, w := range texts(c) {
			if text := strings.TrimSuffix(w, "*"); len(text) < 2 || text != lower(text) {
				return wrong(file, c, "a word has two letters or more, in lower case: %q", w)
			}
			into[name] = append(into[name], w)
		}
		if len(into[name]) == 0 {
			return wrong(file, c, "the concept %q has no words", name)
		}
	}
	return nil
}

// idForm is that of every rule: it reads well after "allow".
var idForm = pattern.New(`^[a-z][a-z0-9]*(-[a-z0-9]+)+$`)

// technique reads one file. Unknown keys and concepts are errors.
func (p *Pack) technique(name string, root *tree.Node) (*Technique, error) {
	t := &Technique{Confidence: rules.Likely}
	page := map[string]string{}
	for _, n := range root.Children {
		err := error(nil)
		switch key := n.Key.Raw(); key {
		case "id":
			t.ID = n.Str()
		case "title":
			t.Title = n.Str()
		case "confidence":
			var ok bool
			if t.Confidence, ok = rules.ParseConfidence(n.Str()); !ok {
				err = wrong(name, n, "unknown confidence")
			}
		case "cwe":
			for _, item := range n.Children {
				id, _ := strconv.Atoi(item.Text.Raw())
				t.CWE = append(t.CWE, id)
			}
		case "covers":
			t.Covers = texts(n)
		case "finds", "why", "fix", "allow":
			page[key] = strings.TrimSpace(n.Str())
		case "negative":
			t.Negative = n.Text.Raw() == "true"
		case "learned":
			t.learned = n.Text.Raw() == "true"
		case "concepts": // read before
		case "fires":
			t.Fires = texts(n)
		case "silent":
			t.Silent = texts(n)
		case "when":
			for _, item := range n.Children {
				c, cerr := p.condition(name, item)
				if cerr != nil {
					return nil, cerr
				}
				t.when = append(t.when, c)
			}
		default:
			err = wrong(name, n, "unknown key %q", n.Key)
		}
		if err != nil {
			return nil, err
		}
	}
	if t.ID == "" || t.Title == "" || len(t.when) == 0 && !t.learned || len(t.Fires) == 0 || len(t.Silent) == 0 || len(page) != 4 {
		return nil, wrong(name, root, "a technique needs id, title, when, fires, silent, finds, why, fix and allow")
	}
	if !idForm.MatchString(t.ID) {
		return nil, wrong(name, root.Get("id"), "an id is two words or more in lower case with hyphens between: %q", t.ID)
	}
	t.Page = fmt.Sprintf("## What it finds\n%s\n\n## Why it matters\n%s\n\n## Fix\n%s\n\n## When to allow it\n%s\n", page["finds"], page["why"], page["fix"], page["allow"])
	return t, nil
}

func (p *Pack) condition(name string, n *tree.Node) (c condition, err error) {
	c.gap = defaultGap
	for _, m := range n.Children {
		switch m.Key.Raw() {
		case "weight":
			if c.weight, err = strconv.ParseFloat(m.Text.Raw(), 64); err != nil {
				return c, wrong(name, m, "weight must be a number")
			}
		case "all":
			c.all, err = p.words.set(texts(m))
		case "none":
			c.none, err = p.words.set(texts(m))
		case "previous":
			c.previous, err = p.words.set(texts(m))
		case "any":
			c.any, err = p.groups(m)
		case "around":
			c.around, err = p.groups(m)
		case "sequence":
			for _, item := range texts(m) {
				k, kerr := p.words.class(item)
				if kerr != nil {
					return c, wrong(name, m, "%s", kerr)
				}
				c.sequence = append(c.sequence, k)
			}
		case "gap":
			c.gap, err = strconv.Atoi(m.Text.Raw())
		case "counted":
			c.counted, err = p.words.class(m.Str())
		case "times":
			c.times, err = strconv.Atoi(m.Text.Raw())
		default:
			return c, wrong(name, m, "unknown key %q in a condition", m.Key)
		}
		if err != nil {
			return c, wrong(name, m, "%s", err)
		}
	}
	if len(c.sequence) == 0 && c.all == (set{}) && c.times == 0 {
		return c, wrong(name, n, "a condition needs all, sequence or times")
	}
	if c.weight <= 0 {
		return c, wrong(name, n, "a condition needs a weight above 0")
	}
	return c, nil
}

// groups reads a list of lists: one of each must be there.
func (p *Pack) groups(n *tree.Node) ([]set, error) {
	var out []set
	for _, item := range n.Children {
		if !item.IsArray() {
			return nil, fmt.Errorf("%s is a list of lists: one of each must be there", n.Key)
		}
		group, err := p.words.set(texts(item))
		if err != nil {
			return nil, err
		}
		out = append(out, group)
	}
	return out, nil
}

func texts(n *tree.Node) []string {
	var out []string
	for _, item := range n.Children {
		out = append(out, item.Text.Raw())
	}
	return out
}

func wrong(name string, n *tree.Node, format string, args ...any) error {
	p := n.Span.Begin()
	return fmt.Errorf("%s:%d:%d: %s", name, p.Line, p.Column, fmt.Sprintf(format, args...))
}
