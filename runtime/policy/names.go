package policy

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/registry"
)

// Schema is what policies can speak of, in Cedar's schema language. The type
// Arguments is left to each policy.
//
//go:embed schema.cedarschema
var Schema string

// schemaFor is the schema with a type of arguments.
func schemaFor(arguments string) (*resolved.Schema, error) {
	var s schema.Schema
	if err := s.UnmarshalCedar([]byte(Schema + "\ntype Arguments = " + arguments + ";\n")); err != nil {
		return nil, err
	}
	return s.Resolve()
}

// names holds a policy to the names that the registry declares.
func (c *checker) names() {
	for _, scope := range []ast.IsScopeNode{c.tree.Principal, c.tree.Action, c.tree.Resource} {
		switch s := scope.(type) {
		case ast.ScopeTypeEq:
			c.entity(s.Entity)
		case ast.ScopeTypeIn:
			c.entity(s.Entity)
		case ast.ScopeTypeIsIn:
			c.entity(s.Entity)
		case ast.ScopeTypeInSet:
			for _, e := range s.Entities {
				c.entity(e)
			}
		}
	}
	for _, condition := range c.tree.Conditions {
		ast.Inspect(ast.NewNode(condition.Body), func(n ast.IsNode) bool {
			switch n := n.(type) {
			case ast.NodeValue:
				c.value(n.Value)
			case ast.NodeTypeEquals:
				c.compared(n.BinaryNode)
			case ast.NodeTypeNotEquals:
				c.compared(n.BinaryNode)
			case ast.NodeTypeContains:
				c.compared(n.BinaryNode)
			case ast.NodeTypeContainsAny:
				c.compared(n.BinaryNode)
			case ast.NodeTypeContainsAll:
				c.compared(n.BinaryNode)
			}
			return true
		})
	}
}

func (c *checker) value(v types.Value) {
	switch v := v.(type) {
	case types.EntityUID:
		c.entity(v)
	case types.Set:
		for e := range v.All() {
			c.value(e)
		}
	}
}

// entity holds one to what the registry declares; clients, users and agents
// need no declaration.
func (c *checker) entity(uid types.EntityUID) {
	id := string(uid.ID)
	switch uid.Type {
	case "Unit", "Project", "Role":
		c.declared(strings.ToLower(string(uid.Type)), id)
	case "Server":
		if c.set.reg.Doc.Entry(id) == nil {
			c.add(registry.Error, c.at(id), "the registry has no entry %q; sallyport registry list names them", analyzers.Untrusted(id))
		}
	case "Action":
		switch k, ok := kinds[Action(id)]; {
		case !ok:
			c.add(registry.Error, c.at(id), "there is no action %q; known are %s", analyzers.Untrusted(id), strings.Join(actionNames(), ", "))
		case k.listing:
			c.add(registry.Error, c.at(id), "what may be listed follows from what may be used: write %q instead of %q", k.cedar, id)
		}
	}
}

// actionNames are the actions of policies.
func actionNames() []string {
	var out []string
	for a, k := range kinds {
		if !k.listing {
			out = append(out, string(a))
		}
	}
	slices.Sort(out)
	return out
}

// declared adds a problem when the registry declares no such name.
func (c *checker) declared(what, id string) {
	doc := c.set.reg.Doc
	labels := map[string][]registry.Label{"environment": doc.Environments, "role": doc.Roles, "zone": doc.Zones}[what]
	has := slices.ContainsFunc(labels, func(l registry.Label) bool { return l.ID == id })
	switch what {
	case "unit":
		_, has = c.set.org.parents[id]
	case "project":
		_, has = c.set.org.units[id]
	}
	if !has {
		c.add(registry.Error, c.at(id), "the registry declares no %s %q", what, analyzers.Untrusted(id))
	}
}

// compared holds the literals that a member of the context is compared with to
// what the registry declares.
func (c *checker) compared(b ast.BinaryNode) {
	for _, sides := range [][2]ast.IsNode{{b.Left, b.Right}, {b.Right, b.Left}} {
		a, ok := sides[0].(ast.NodeTypeAccess)
		if !ok || !isContext(a.Arg) {
			continue
		}
		switch what := strings.TrimSuffix(string(a.Value), "s"); what {
		case "unit", "project", "environment", "role", "zone":
			for _, id := range literals(sides[1]) {
				c.declared(what, id)
			}
		}
	}
}

// literals are the strings of a literal.
func literals(n ast.IsNode) []string {
	var out []string
	switch n := n.(type) {
	case ast.NodeValue:
		if s, ok := n.Value.(types.String); ok {
			out = append(out, string(s))
		}
	case ast.NodeTypeSet:
		for _, e := range n.Elements {
			out = append(out, literals(e)...)
		}
	}
	return out
}

var (
	ofAction = pattern.New(` in context for Action::"[^"]*"`)
	missing  = pattern.New("^attribute (`[^`]*`).* not found$")
	quoted   = pattern.New("`([^`]*)`")
)

// maxMessage bounds what Cedar says of types, in bytes.
const maxMessage = 300

// types holds a policy to the schema.
func (c *checker) types() {
	arguments := c.rule.uses.shape.String()
	s := c.schemas[arguments]
	if s == nil {
		var err error
		if s, err = schemaFor(arguments); err != nil {
			c.add(registry.Error, c.rule.Span, "the arguments that it names have no type: %s", analyzers.Untrusted(err.Error()))
			return
		}
		c.schemas[arguments] = s
	}
	err := validate.New(s).Policy("", c.tree)
	if err == nil {
		return
	}
	seen := map[string]bool{}
	for message := range strings.SplitSeq(err.Error(), "\n") {
		message = missing.ReplaceAllString(ofAction.ReplaceAllString(message, ""), "there is no attribute $1")
		if message = strings.TrimSpace(message); seen[message] || message == "" {
			continue
		}
		seen[message] = true
		at := c.rule.Span
		name := ""
		if m := quoted.FindStringSubmatch(message); m != nil {
			name = m[1]
			if i := strings.LastIndexByte(name, '.'); i >= 0 {
				name = name[i+1:]
			}
			at = c.at(name)
		}
		switch {
		case strings.HasPrefix(message, "unable to find an applicable action"):
			c.add(registry.Warning, c.at("resource"), "this policy can never match: no action has such a principal and such a resource; what a server offers is in it: resource in Server::\"ID\"")
		case strings.HasPrefix(message, "unable to guarantee safety of access to optional attribute"):
			c.add(registry.Error, at, "%s is not always there: ask for it first, as in \"context has x && context.x == 1\"", analyzers.Untrusted(name))
		default:
			if len(message) > maxMessage {
				message = strings.ToValidUTF8(message[:maxMessage], "") + "…"
			}
			c.add(registry.Error, at, "%s", analyzers.Untrusted(message))
		}
	}
}

// canMatch reports whether some action is left over when everything that is
// not known is assumed to hold.
func (c *checker) canMatch() bool {
	for a, k := range kinds {
		if k.listing {
			continue
		}
		env := eval.Env{
			Entities:  types.EntityMap{},
			Principal: eval.Variable("principal"),
			Action:    types.NewEntityUID("Action", types.String(a)),
			Resource:  eval.Variable("resource"),
			Context:   eval.Variable("context"),
		}
		if _, keep := eval.PartialPolicy(env, c.tree); keep {
			return true
		}
	}
	return false
}
