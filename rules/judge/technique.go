package judge

import (
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"

	"github.com/sallyport-mcp/sallyport/analyzers"
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

// Default returns every technique of the program, sorted by id.
var Default = sync.OnceValue(func() []*Technique {
	all, err := techniques()
	if err != nil {
		panic(err) // a file of our own is broken; a test reads them all
	}
	return all
})

func techniques() ([]*Technique, error) {
	names, err := fs.Glob(techniqueFiles, "techniques/*.yaml")
	if err != nil {
		return nil, err
	}
	var all []*Technique
	for _, name := range names {
		content, err := techniqueFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		t, err := ParseTechnique(name, content)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// ParseTechnique reads a technique. Unknown keys and concepts are errors with
// their place.
func ParseTechnique(name string, content []byte) (*Technique, error) {
	root, err := tree.Parse(&analyzers.Source{Path: name, Bytes: content}, tree.YAML)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}
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
		case "fires":
			t.Fires = texts(n)
		case "silent":
			t.Silent = texts(n)
		case "when":
			for _, item := range n.Children {
				c, cerr := parseCondition(name, item)
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
	if t.ID == "" || t.Title == "" || len(t.when) == 0 && !t.learned || len(t.Covers) == 0 || len(t.Fires) == 0 || len(t.Silent) == 0 || len(page) != 4 {
		return nil, wrong(name, root, "a technique needs id, title, covers, when, fires, silent, finds, why, fix and allow")
	}
	t.Page = fmt.Sprintf("## What it finds\n%s\n\n## Why it matters\n%s\n\n## Fix\n%s\n\n## When to allow it\n%s\n", page["finds"], page["why"], page["fix"], page["allow"])
	return t, nil
}

func parseCondition(name string, n *tree.Node) (c condition, err error) {
	c.gap = defaultGap
	for _, m := range n.Children {
		switch m.Key.Raw() {
		case "weight":
			if c.weight, err = strconv.ParseFloat(m.Text.Raw(), 64); err != nil {
				return c, wrong(name, m, "weight must be a number")
			}
		case "all":
			c.all, err = words.set(texts(m))
		case "none":
			c.none, err = words.set(texts(m))
		case "previous":
			c.previous, err = words.set(texts(m))
		case "any":
			c.any, err = groups(m)
		case "around":
			c.around, err = groups(m)
		case "sequence":
			for _, item := range texts(m) {
				k, kerr := words.class(item)
				if kerr != nil {
					return c, wrong(name, m, "%s", kerr)
				}
				c.sequence = append(c.sequence, k)
			}
		case "gap":
			c.gap, err = strconv.Atoi(m.Text.Raw())
		case "counted":
			c.counted, err = words.class(m.Str())
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
func groups(n *tree.Node) ([]set, error) {
	var out []set
	for _, item := range n.Children {
		if !item.IsArray() {
			return nil, fmt.Errorf("%s is a list of lists: one of each must be there", n.Key)
		}
		group, err := words.set(texts(item))
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
