package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// reads is what a policy reads of the context.
type reads struct {
	context map[string]bool // members, without arguments
	any     bool            // it reads arguments
	all     bool            // everything, also what it does not name
	many    bool            // more, or deeper, than is checked
	count   int             // of the shape's members
	names   map[string]bool // arguments
	shape   *shape          // as which types it takes them
}

// shape is the type that a policy takes an argument for: the arguments of a
// call have whatever types a tool wants, and Cedar checks policies against
// types.
type shape struct {
	kind    string            // a type of Cedar; "" for a record
	members map[string]*shape // of a record
}

// String is the type in Cedar's schema language.
func (s *shape) String() string {
	switch {
	case len(s.members) > 0 || s.kind == "":
		var b strings.Builder
		b.WriteString("{")
		for i, name := range slices.Sorted(maps.Keys(s.members)) {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(quote(name) + "?: " + s.members[name].String())
		}
		return b.String() + "}"
	}
	return s.kind
}

func readsOf(p *ast.Policy) reads {
	r := reads{context: map[string]bool{}, names: map[string]bool{}, shape: &shape{}}
	for _, c := range p.Conditions {
		r.walk(c.Body, "Bool")
	}
	return r
}

// isContext reports whether n is the variable context.
func isContext(n ast.IsNode) bool {
	v, ok := n.(ast.NodeTypeVariable)
	return ok && v.Name == "context"
}

// path is the way from context.arguments down to n.
func path(n ast.IsNode) (names []string, ok bool) {
	for {
		a, isAccess := n.(ast.NodeTypeAccess)
		if !isAccess {
			return nil, false
		}
		if isContext(a.Arg) {
			slices.Reverse(names)
			return names, a.Value == "arguments"
		}
		names = append(names, string(a.Value))
		n = a.Arg
	}
}

// note records that the argument at a path is taken for a type; "" only that
// it is there.
func (r *reads) note(names []string, kind string) {
	r.any = true
	if len(names) == 0 {
		r.all = r.all || kind != ""
		return
	}
	if r.many = r.many || len(names) > maxPath || r.count >= maxReads; r.many {
		return
	}
	r.names[names[0]] = true
	at := r.shape
	for _, name := range names {
		if at.members == nil {
			at.members = map[string]*shape{}
		}
		if at.members[name] == nil {
			at.members[name] = &shape{kind: "String"}
			r.count++
		}
		at = at.members[name]
	}
	if kind != "" {
		at.kind = kind
	}
}

// walk notes what an expression reads whose value is taken for a type of
// Cedar.
func (r *reads) walk(n ast.IsNode, want string) {
	if names, ok := path(n); ok {
		r.note(names, want)
		return
	}
	both := func(b ast.BinaryNode, left, right string) {
		r.walk(b.Left, left)
		r.walk(b.Right, right)
	}
	switch n := n.(type) {
	case ast.NodeTypeAccess:
		if isContext(n.Arg) {
			r.context[string(n.Value)] = true
		} else {
			r.walk(n.Arg, "")
		}
	case ast.NodeTypeHas:
		switch names, ok := path(n.Arg); {
		case ok:
			r.note(append(names, string(n.Value)), "")
		case isContext(n.Arg):
			r.context[string(n.Value)] = true
		default:
			r.walk(n.Arg, "")
		}
	case ast.NodeTypeVariable:
		if n.Name == "context" {
			r.any, r.all = true, true
		}
	case ast.NodeTypeAnd:
		both(n.BinaryNode, "Bool", "Bool")
	case ast.NodeTypeOr:
		both(n.BinaryNode, "Bool", "Bool")
	case ast.NodeTypeNot:
		r.walk(n.Arg, "Bool")
	case ast.NodeTypeIfThenElse:
		r.walk(n.If, "Bool")
		r.walk(n.Then, want)
		r.walk(n.Else, want)
	case ast.NodeTypeLike:
		r.walk(n.Arg, "String")
	case ast.NodeTypeEquals:
		both(n.BinaryNode, typeOf(n.Right), typeOf(n.Left))
	case ast.NodeTypeNotEquals:
		both(n.BinaryNode, typeOf(n.Right), typeOf(n.Left))
	case ast.NodeTypeLessThan:
		both(n.BinaryNode, "Long", "Long")
	case ast.NodeTypeLessThanOrEqual:
		both(n.BinaryNode, "Long", "Long")
	case ast.NodeTypeGreaterThan:
		both(n.BinaryNode, "Long", "Long")
	case ast.NodeTypeGreaterThanOrEqual:
		both(n.BinaryNode, "Long", "Long")
	case ast.NodeTypeAdd:
		both(n.BinaryNode, "Long", "Long")
	case ast.NodeTypeSub:
		both(n.BinaryNode, "Long", "Long")
	case ast.NodeTypeMult:
		both(n.BinaryNode, "Long", "Long")
	case ast.NodeTypeNegate:
		r.walk(n.Arg, "Long")
	case ast.NodeTypeContains:
		both(n.BinaryNode, "Set<"+typeOf(n.Right)+">", elementType(n.Left))
	case ast.NodeTypeContainsAll:
		both(n.BinaryNode, "Set<"+elementType(n.Right)+">", "Set<"+elementType(n.Left)+">")
	case ast.NodeTypeContainsAny:
		both(n.BinaryNode, "Set<"+elementType(n.Right)+">", "Set<"+elementType(n.Left)+">")
	case ast.NodeTypeIsEmpty:
		r.walk(n.Arg, "Set<String>")
	case ast.NodeTypeExtensionCall:
		// lessThan and its like compare decimals.
		for _, a := range n.Args {
			r.walk(a, "decimal")
		}
	default:
		r.inside(n)
	}
}

// inside walks what an expression without a type of its own holds.
func (r *reads) inside(n ast.IsNode) {
	first := true
	ast.Inspect(ast.NewNode(n), func(child ast.IsNode) bool {
		if first {
			first = false
			return true
		}
		r.walk(child, "String")
		return false
	})
}

// typeOf is the type of a literal; "String" of anything else.
func typeOf(n ast.IsNode) string {
	switch n := n.(type) {
	case ast.NodeValue:
		switch n.Value.(type) {
		case types.Long:
			return "Long"
		case types.Boolean:
			return "Bool"
		}
	case ast.NodeTypeNegate:
		return "Long"
	case ast.NodeTypeExtensionCall:
		return "decimal"
	case ast.NodeTypeSet:
		return "Set<" + elementType(n) + ">"
	}
	return "String"
}

func elementType(n ast.IsNode) string {
	switch n := n.(type) {
	case ast.NodeTypeSet:
		if len(n.Elements) > 0 {
			return typeOf(n.Elements[0])
		}
	case ast.NodeValue:
		if set, ok := n.Value.(types.Set); ok {
			for v := range set.All() {
				return typeOf(ast.NodeValue{Value: v})
			}
		}
	}
	return "String"
}
