// Package cases holds policies to decisions that people wrote down (Parse,
// Check) and to decisions that were made before (Read, Recorded).
package cases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

// Kind is the kind of a file of cases; its apiVersion is the registry's. The
// JSON Schema is docs/schema/policy-test.v1.schema.json.
const Kind = "PolicyTest"

// Case is one request and the decision that is expected.
type Case struct {
	Name string
	// Server is an entry's id, a URL, a purl, an image or a command line;
	// Argv is a command line word by word. One of the two is set.
	Server  string
	Argv    []string
	Surface string // "sha256:HEX"; "" for that of the entry
	Request policy.Request

	Allow  bool
	Rule   string   // "": any
	Status string   // "": any
	Redact []string // nil: any

	Span analyzers.Span
}

// Parse reads a file of cases. Names of people and places are those of doc.
// The error is a registry.Problems.
func Parse(src *analyzers.Source, doc *registry.Document, today string) ([]*Case, error) {
	root, err := tree.Parse(src, tree.YAML)
	if err != nil {
		problem := registry.Problem{Level: registry.Error, Message: err.Error(), Span: src.Span(0, 0)}
		if bad, ok := err.(*tree.Error); ok {
			problem.Message, problem.Span = bad.Reason, bad.Span
		}
		return nil, registry.Problems{problem}
	}
	r := &reader{doc: doc, today: today}
	var version, kind string
	var list *tree.Node
	r.object(root, "the file", fields{
		{"apiVersion", r.text(&version)}, {"kind", r.text(&kind)}, {"today", r.date}, {"cases", func(n *tree.Node) { list = n }},
	})
	switch {
	case len(r.problems) > 0:
	case version != registry.APIVersion || kind != Kind:
		r.wrong(root, "a file of cases begins with \"apiVersion: %s\" and \"kind: %s\"", registry.APIVersion, Kind)
	case !list.IsArray() || len(list.Children) == 0:
		r.wrong(root, "the file has no cases")
	default:
		for i, n := range list.Children {
			r.one(i, n)
		}
	}
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return r.cases, nil
}

type reader struct {
	doc      *registry.Document
	today    string
	cases    []*Case
	problems registry.Problems
}

type fields []struct {
	key  string
	read func(*tree.Node)
}

func (r *reader) wrong(n *tree.Node, format string, args ...any) {
	if len(r.problems) < registry.MaxProblems {
		span := n.KeySpan
		if span.IsZero() {
			span = n.Span
		}
		r.problems = append(r.problems, registry.Problem{Level: registry.Error, Message: fmt.Sprintf(format, args...), Span: span})
	}
}

func (r *reader) object(n *tree.Node, what string, known fields) {
	if !n.IsObject() {
		r.wrong(n, "%s is a map", what)
		return
	}
	for _, m := range n.Children {
		i := slices.IndexFunc(known, func(f struct {
			key  string
			read func(*tree.Node)
		}) bool {
			return f.key == m.Key.Raw()
		})
		switch {
		case i < 0:
			var keys []string
			for _, f := range known {
				keys = append(keys, f.key)
			}
			r.wrong(m, "unknown key %q in %s; the keys are %s", m.Key, what, strings.Join(keys, ", "))
		case m.Dup:
			r.wrong(m, "key %q stands twice", m.Key)
		default:
			known[i].read(m)
		}
	}
}

func (r *reader) text(into *string) func(*tree.Node) {
	return func(n *tree.Node) {
		if n.IsObject() || n.IsArray() || n.Kind == tree.Null {
			r.wrong(n, "%q must be text", n.Key)
			return
		}
		*into = n.Text.Raw()
	}
}

func (r *reader) texts(into *[]string) func(*tree.Node) {
	return func(n *tree.Node) {
		if !n.IsArray() {
			r.wrong(n, "%q must be a list", n.Key)
			return
		}
		*into = []string{}
		for _, item := range n.Children {
			*into = append(*into, item.Text.Raw())
		}
	}
}

func (r *reader) date(n *tree.Node) {
	if r.text(&r.today)(n); !registry.ValidDate(r.today) {
		r.wrong(n, "%q must be a date, YYYY-MM-DD", n.Key)
	}
}

// one reads a case.
func (r *reader) one(i int, n *tree.Node) {
	c := &Case{Span: n.Span, Name: fmt.Sprintf("case %d", i+1)}
	q := &c.Request
	q.Today = r.today
	var action, tool, name, expect string
	r.object(n, "a case", fields{
		{"name", r.text(&c.Name)},
		{"who", func(n *tree.Node) {
			var s string
			r.text(&s)(n)
			who, err := r.doc.ParseWho(s)
			if err != nil {
				r.wrong(n, "%s", err)
			}
			q.Who = who
		}},
		{"user", r.text(&q.User)},
		{"agent", r.text(&q.Agent)},
		{"clientInfo", r.text(&q.ClientInfo)},
		{"server", func(n *tree.Node) {
			if n.IsArray() {
				r.texts(&c.Argv)(n)
			} else {
				r.text(&c.Server)(n)
			}
		}},
		{"surface", r.text(&c.Surface)},
		{"action", r.text(&action)},
		{"tool", r.text(&tool)},
		{"target", r.text(&name)},
		{"arguments", func(n *tree.Node) {
			b, err := n.JSON()
			if err != nil || !n.IsObject() {
				r.wrong(n, "%q must be a map, as the arguments of a call are", n.Key)
			}
			q.Arguments = b
		}},
		{"zone", r.text(&q.Zone)},
		{"risk", r.text(&q.Risk)},
		{"protocol", r.text(&q.Protocol)},
		{"expect", r.text(&expect)},
		{"rule", r.text(&c.Rule)},
		{"status", r.text(&c.Status)},
		{"redact", r.texts(&c.Redact)},
	})
	if !n.IsObject() {
		return
	}
	q.Action, q.Name = policy.Action(action), name
	switch {
	case tool != "" && name != "":
		r.wrong(n, "%q names a tool and a target; use one", analyzers.Untrusted(c.Name))
	case tool != "":
		q.Name = tool
		if action == "" {
			q.Action = policy.CallTool
		}
	case action == "":
		q.Action = policy.Connect
	}
	switch {
	case c.Server == "" && len(c.Argv) == 0:
		r.wrong(n, "%q names no server", analyzers.Untrusted(c.Name))
	case !q.Action.Valid():
		r.wrong(n, "%q: there is no action %q", analyzers.Untrusted(c.Name), analyzers.Untrusted(action))
	case expect != "allow" && expect != "deny":
		r.wrong(n, "%q must expect allow or deny", analyzers.Untrusted(c.Name))
	}
	c.Allow = expect == "allow"
	r.cases = append(r.cases, c)
}

// Check says in what a decision differs from what is expected; nothing when it
// does not.
func (c *Case) Check(d policy.Decision) []string {
	var out []string
	differ := func(what, want, got string) {
		out = append(out, fmt.Sprintf("%s: want %s, got %s", what, analyzers.Untrusted(want), analyzers.Untrusted(got)))
	}
	if c.Allow != d.Allowed {
		differ("decision", word(c.Allow), word(d.Allowed))
	}
	if c.Rule != "" && c.Rule != d.Rule {
		got := d.Rule
		if got == "" {
			got = "none"
		}
		differ("rule", c.Rule, got)
	}
	if c.Status != "" && c.Status != string(d.Status) {
		differ("status", c.Status, string(d.Status))
	}
	if c.Redact != nil && !slices.Equal(slices.Sorted(slices.Values(c.Redact)), slices.Sorted(slices.Values(d.Redact))) {
		differ("redact", fmt.Sprint(c.Redact), fmt.Sprint(d.Redact))
	}
	return out
}

func word(allowed bool) string {
	if allowed {
		return "allow"
	}
	return "deny"
}
