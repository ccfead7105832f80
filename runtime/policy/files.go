package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/registry"
)

// file is a policy file while it is read.
type file struct {
	set      *Set
	src      *analyzers.Source
	tokens   []token
	problems []registry.Problem
	ids      map[string]bool
	schemas  map[string]*resolved.Schema // by the type of the arguments
}

func (f *file) add(level registry.Level, at analyzers.Span, format string, args ...any) {
	if len(f.problems) < registry.MaxProblems {
		f.problems = append(f.problems, registry.Problem{Level: level, Message: fmt.Sprintf(format, args...), Span: at})
	}
}

// parseError is the form in which cedar-go says where it stopped.
var parseError = pattern.New(`^parser error: parse error at (?:<input>:|[^"]*?)(\d+):(\d+) "(?s:.*?)": (.*)$`)

// readFile reads the policies of a file and says what is wrong with them.
func (s *Set) readFile(src *analyzers.Source) (rules, []registry.Problem) {
	f := &file{set: s, src: src, ids: map[string]bool{}, schemas: map[string]*resolved.Schema{}}
	if !utf8.Valid(src.Bytes) {
		f.add(registry.Error, src.Span(0, 0), "the file is not UTF-8")
		return nil, f.problems
	}
	f.tokens = tokens(src.Bytes)
	if at, err := checkShape(src.Bytes, f.tokens); err != nil {
		f.add(registry.Error, src.Span(at.start, at.end), "%s", err)
		return nil, f.problems
	}
	list, err := parse(src.Bytes)
	if err != nil {
		at, message := 0, err.Error()
		if m := parseError.FindStringSubmatch(message); m != nil {
			line, _ := strconv.Atoi(m[1])
			column, _ := strconv.Atoi(m[2])
			at, message = position(src, line, column), m[3]
		}
		f.add(registry.Error, src.Span(at, at), "no Cedar policy: %s", analyzers.Untrusted(message))
		return nil, f.problems
	}
	if len(list) == 0 {
		f.add(registry.Warning, src.Span(0, 0), "the file holds no policy")
	}
	var out rules
	for i, p := range list {
		end := len(src.Bytes)
		if i+1 < len(list) {
			end = list[i+1].Position().Offset
		}
		out = append(out, f.rule(i, p, p.Position().Offset, end))
	}
	return out, f.problems
}

// parse reads Cedar; a fault of the parser is an error like others.
func parse(b []byte) (list cedar.PolicyList, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the parser failed on it")
		}
	}()
	return cedar.NewPolicyListFromBytes("", b)
}

// rule reads the policy at [start, end).
func (f *file) rule(i int, p *cedar.Policy, start, end int) *rule {
	for _, t := range f.tokens {
		if t.start >= start && f.src.Bytes[t.start] == ';' {
			end = t.end
			break
		}
	}
	span := f.src.Span(start, end)
	before := len(f.problems)
	r := &rule{cedar: p, Policy: Policy{Permit: p.Effect() == cedar.Permit, Text: string(span.Raw()), Span: span}}
	tree := (*ast.Policy)(p.AST())
	c := &checker{file: f, rule: r, tree: tree}
	name := c.annotations(fmt.Sprintf("policy%d", i))
	r.Rule = analyzers.Untrusted(f.src.Path).String() + "#" + name
	if f.ids[name] {
		f.add(registry.Error, c.at("id"), "two policies of the file have the id %q", analyzers.Untrusted(name))
	}
	f.ids[name] = true
	if r.uses = readsOf(tree); r.uses.many {
		f.add(registry.Error, c.at("arguments"), "a policy reads at most %d arguments, %d levels deep; write several", maxReads, maxPath)
	}
	c.names()
	if !slices.ContainsFunc(f.problems[before:], func(p registry.Problem) bool { return p.Level == registry.Error }) {
		c.types()
		c.effect()
	}
	return r
}

// checker looks at one policy.
type checker struct {
	*file
	rule *rule
	tree *ast.Policy
}

// at is where a name stands in the policy.
func (c *checker) at(name string) analyzers.Span {
	return find(c.src, c.tokens, c.rule.Span.Start, c.rule.Span.End, name)
}

// isWord reports whether s can be the id of a policy.
func isWord(s string) bool {
	const also = "._-"
	return s != "" && len(s) <= 128 && !strings.Contains(also, s[:1]) &&
		strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf || !wordByte(byte(r)) && !strings.ContainsRune(also, r) }) < 0
}

// annotations reads what stands before a policy, and returns its id.
func (c *checker) annotations(id string) string {
	r := c.rule
	number := func(into *int, at analyzers.Span, value string) {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > 1<<30 {
			c.add(registry.Error, at, "a limit is a whole number from 1, in quotes")
		}
		*into = n
	}
	for _, a := range c.tree.Annotations {
		key, value, at := string(a.Key), string(a.Value), c.at(string(a.Key))
		if !r.Permit && slices.Contains([]string{"override", "redact", "callsPerMinute", "concurrent", "resultBytes", "seconds"}, key) {
			c.add(registry.Error, at, "@%s belongs on a permit: a forbid only refuses", key)
			continue
		}
		switch key {
		case "id":
			if !isWord(value) {
				c.add(registry.Error, at, "an id is letters, digits, dots, dashes and underscores, 128 at most")
				continue
			}
			id = value
		case "reason":
			r.reason = value
		case "owner":
			r.owner = value
		case "description":
		case "override":
			if r.Override = value == "registry"; !r.Override {
				c.add(registry.Error, at, `only @override("registry") is known`)
			}
		case "redact":
			for word := range strings.SplitSeq(value, ",") {
				if word = strings.TrimSpace(word); !slices.Contains(registry.RedactionKinds(), word) {
					c.add(registry.Error, at, "@redact knows %s, with commas between them", strings.Join(registry.RedactionKinds(), ", "))
				}
				r.redact = append(r.redact, word)
			}
		case "callsPerMinute":
			number(&r.limits.CallsPerMinute, at, value)
		case "concurrent":
			number(&r.limits.Concurrent, at, value)
		case "resultBytes":
			number(&r.limits.ResultBytes, at, value)
		case "seconds":
			number(&r.limits.Seconds, at, value)
		default:
			c.add(registry.Warning, at, "@%s says nothing here; known are id, reason, description, owner, override, redact, callsPerMinute, concurrent, resultBytes, seconds", analyzers.Untrusted(key))
		}
	}
	return id
}

// effect warns of a policy that changes no decision.
func (c *checker) effect() {
	r := c.rule
	bare := r.Permit && !r.Override && len(r.redact) == 0 && r.limits == registry.Limits{}
	switch {
	case bare:
		c.add(registry.Warning, c.at("permit"), `this permit has no effect: the registry says what is approved; write a forbid to narrow it, or mark it @override("registry") to admit more`)
	case !c.canMatch():
		c.add(registry.Warning, c.at(cmp.Or(map[bool]string{true: "permit"}[r.Permit], "forbid")), "this policy can never match")
	}
	if !r.Override {
		return
	}
	c.add(registry.Note, c.at("override"), "OVERRIDE: this permit admits what the registry does not approve; denials and quarantines hold all the same")
	if in, ok := c.tree.Resource.(ast.ScopeTypeIn); ok && in.Entity.Type == "Server" {
		if e := c.set.reg.Doc.Entry(string(in.Entity.ID)); e != nil && e.Status != registry.Approved {
			c.add(registry.Warning, c.at(e.ID), "entry %q is %s, and an override does not lift that", e.ID, e.Status)
		}
	}
}
