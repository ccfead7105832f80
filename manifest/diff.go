package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// Op is what happened to a definition or to a place in it.
type Op string

// The operations.
const (
	Added   Op = "added"
	Removed Op = "removed"
	Changed Op = "changed"
	Renamed Op = "renamed" // the same body under another name
	Swapped Op = "swapped" // the name now has the body that another name had
)

// Part is what a place of a definition is to its reader, the parts of Digests.
type Part string

// The parts. Other is what only the whole covers.
const (
	PartText        Part = "text"
	PartSchema      Part = "schema"
	PartAnnotations Part = "annotations"
	PartOther       Part = "other"
)

// Pair is one definition in two surfaces. Old is nil for an added one, New for
// a removed one.
type Pair struct {
	Op       Op
	Kind     string // "tool", "prompt", "resource", "template", "instructions", "capability"
	Old, New *analyzers.Item
	// Twin is, of a swapped definition, the old one whose body it has.
	Twin *analyzers.Item
	// Fault says why the new definition cannot be compared.
	Fault  error
	Deltas []Delta // of what has changed, in the order of the new definition
}

// Name is the definition's name, the new one where there are two.
func (p Pair) Name() analyzers.Text {
	switch {
	case p.New != nil:
		return p.New.Name
	case p.Old != nil:
		return p.Old.Name
	}
	return analyzers.Text{Value: "instructions"}
}

// Delta is one place that differs. Path leads to it: keys of objects, "[i]" for
// elements. Old or New is nil where the place is not there.
type Delta struct {
	Op       Op
	Path     []string
	Part     Part
	Old, New *tree.Node
	// In is the schema that holds the place, in its new and its old form; nil
	// outside of schemas.
	InNew, InOld *tree.Node
	// Span is the place in the file of the new definition, or what is next to
	// it; zero when there is no file.
	Span analyzers.Span
	// Text is the new string with its place; zero for everything else.
	Text analyzers.Text
}

// Field is the path as analyzers.Field spells it.
func (d Delta) Field() string {
	var b strings.Builder
	for _, step := range d.Path {
		if b.Len() > 0 && step[0] != '[' {
			b.WriteByte('.')
		}
		b.WriteString(step)
	}
	return b.String()
}

// Key is the last step of the path.
func (d Delta) Key() string {
	if len(d.Path) == 0 {
		return ""
	}
	return d.Path[len(d.Path)-1]
}

// Diff pairs the definitions of two surfaces and lists what differs; what is
// equal is left out. It judges nothing. Fields that either side could not
// resolve are not compared.
func Diff(before, after *analyzers.Surface) []Pair {
	var out []Pair
	if p, ok := diffInstructions(before.Instructions, after.Instructions); ok {
		out = append(out, p)
	}
	out = append(out, diffCapabilities(before.Capabilities, after.Capabilities)...)
	for _, kind := range []string{"tool", "prompt", "resource", "template"} {
		out = append(out, diffKind(of(before, kind), of(after, kind))...)
	}
	return out
}

func of(s *analyzers.Surface, kind string) []*analyzers.Item {
	switch kind {
	case "prompt":
		return s.Prompts
	case "resource":
		return s.Resources
	case "template":
		return s.Templates
	}
	items := make([]*analyzers.Item, len(s.Tools))
	for i, t := range s.Tools {
		items[i] = &t.Item
	}
	return items
}

func diffInstructions(before, after analyzers.Text) (Pair, bool) {
	if before.Value == after.Value {
		return Pair{}, false
	}
	d := Delta{Op: Changed, Path: []string{"instructions"}, Part: PartText, Old: stringNode(before), New: stringNode(after), Span: after.Span, Text: after}
	switch {
	case before.Value == "":
		d.Op, d.Old = Added, nil
	case after.Value == "":
		d.Op, d.New = Removed, nil
	}
	return Pair{Op: d.Op, Kind: "instructions", Deltas: []Delta{d}}, true
}

func stringNode(t analyzers.Text) *tree.Node {
	return &tree.Node{Kind: tree.String, Text: t, Span: t.Span}
}

// side is a definition with what comparing needs.
type side struct {
	item  *analyzers.Item
	whole string // digest, "" without a canonical form
	body  string // digest without the name
	fault error
}

func sides(items []*analyzers.Item) []side {
	out := make([]side, len(items))
	for i, item := range items {
		s := side{item: item}
		var c []byte
		if c, s.fault = itemCanonical(item); s.fault == nil {
			s.whole, s.body = sum(item.Kind, c), bodyDigest(item.Kind, c)
		}
		out[i] = s
	}
	return out
}

// bodyDigest is the digest of a canonical definition without its name.
func bodyDigest(kind string, c []byte) string {
	name := `"name"`
	switch kind {
	case "resource":
		name = `"uri"`
	case "template":
		name = `"uriTemplate"`
	}
	s := splitter{in: c}
	var body []byte
	s.members(func(key []byte) {
		start := s.at
		s.skip()
		if string(key) != name {
			body = append(append(append(body, key...), ':'), c[start:s.at]...)
			body = append(body, '\n')
		}
	})
	return sum(kind+"/body", body)
}

// diffKind pairs by name, then what is left by body.
func diffKind(olds, news []*analyzers.Item) []Pair {
	before, after := sides(olds), sides(news)
	byName, byBody := map[analyzers.Untrusted][]int{}, map[string][]int{}
	for i, s := range before {
		byName[s.item.Name.Value] = append(byName[s.item.Name.Value], i)
		if s.body != "" {
			byBody[s.body] = append(byBody[s.body], i)
		}
	}
	taken := make([]bool, len(before))
	pairs := make([]Pair, len(after))
	same := make([]bool, len(after))
	match := make([]int, len(after))
	for i, s := range after { // equal ones first, so that a second one of the name is the new one
		match[i] = -1
		for _, k := range byName[s.item.Name.Value] {
			if !taken[k] && s.whole != "" && before[k].whole == s.whole {
				taken[k], same[i], match[i] = true, true, k
				break
			}
		}
	}
	for i, s := range after {
		for _, k := range byName[s.item.Name.Value] {
			if match[i] < 0 && !taken[k] {
				taken[k], match[i] = true, k
			}
		}
	}
	for i, s := range after {
		switch {
		case same[i]:
			continue
		case match[i] >= 0:
			old := before[match[i]]
			p := Pair{Op: Changed, Kind: s.item.Kind, Old: old.item, New: s.item, Fault: cmp.Or(s.fault, old.fault)}
			for _, k := range byBody[s.body] {
				if s.body != "" && s.body != old.body && before[k].item.Name.Value != s.item.Name.Value {
					p.Op, p.Twin = Swapped, before[k].item
				}
			}
			if p.Fault == nil {
				p.Deltas = deltas(old.item, s.item)
			}
			pairs[i] = p
		default:
			p := Pair{Op: Added, Kind: s.item.Kind, New: s.item, Fault: s.fault}
			for _, k := range byBody[s.body] {
				if s.body != "" && !taken[k] && !slices.ContainsFunc(after, func(o side) bool { return o.item.Name.Value == before[k].item.Name.Value }) {
					taken[k] = true
					p.Op, p.Old = Renamed, before[k].item
					break
				}
			}
			pairs[i] = p
		}
	}
	var out []Pair
	for _, p := range pairs {
		if p.Op != "" && (p.Op != Changed || p.Fault != nil || len(p.Deltas) > 0) {
			out = append(out, p)
		}
	}
	for i, s := range before {
		if !taken[i] {
			out = append(out, Pair{Op: Removed, Kind: s.item.Kind, Old: s.item})
		}
	}
	return out
}

// root parses a definition, from its own place in the file where that holds it.
func root(item *analyzers.Item) (n *tree.Node, shift analyzers.Span) {
	if raw := item.Span.Raw(); len(raw) > 0 && item.Origin != analyzers.Static {
		if n, err := tree.Parse(&analyzers.Source{Bytes: raw}, tree.JSONC); err == nil && n.IsObject() {
			return n, item.Span
		}
	}
	n, err := tree.Parse(&analyzers.Source{Bytes: item.Definition}, tree.JSON)
	if err != nil {
		return nil, analyzers.Span{}
	}
	return n, analyzers.Span{}
}

// differ compares two definitions.
type differ struct {
	kind    string
	new     *analyzers.Item
	at      analyzers.Span // of the new definition
	unknown []string       // fields that a side could not resolve
	static  bool           // a side was read from source: a member that it lacks is not known
	out     []Delta
	path    []string
	inOld   *tree.Node
	inNew   *tree.Node
}

// mostDeltas bounds what is listed of one definition.
const mostDeltas = 500

func deltas(before, after *analyzers.Item) []Delta {
	d := &differ{kind: after.Kind, new: after}
	a, _ := root(before)
	b, at := root(after)
	d.at = at
	for _, item := range []*analyzers.Item{before, after} {
		for _, u := range item.Unresolved {
			d.unknown = append(d.unknown, u.Field)
		}
		d.static = d.static || item.Origin == analyzers.Static
	}
	if a.IsObject() && b.IsObject() {
		d.object(a, b, data, PartOther)
	}
	if len(d.out) == 0 && !d.static && len(d.unknown) == 0 {
		return []Delta{{Op: Changed, Part: PartOther, Old: a, New: b, Span: after.Span}} // no objects
	}
	return d.out
}

func (d *differ) add(op Op, part Part, a, b *tree.Node) {
	if len(d.out) == mostDeltas {
		return
	}
	delta := Delta{Op: op, Path: slices.Clone(d.path), Part: part, Old: a, New: b, InOld: d.inOld, InNew: d.inNew}
	delta.Span = d.new.Name.Span
	if b != nil && !d.at.IsZero() {
		delta.Span = d.at.Source.Span(d.at.Start+b.Span.Start, d.at.Start+b.Span.End)
		if op == Added && !b.KeySpan.IsZero() {
			delta.Span = d.at.Source.Span(d.at.Start+b.KeySpan.Start, d.at.Start+b.KeySpan.End)
		}
	} else if b == nil && d.inNew != nil && !d.at.IsZero() {
		delta.Span = d.at.Source.Span(d.at.Start+d.inNew.Span.Start, d.at.Start+d.inNew.Span.Start+1)
	}
	if b.IsString() {
		delta.Text = b.Text
		if !d.at.IsZero() {
			delta.Text.Span = d.at.Source.Span(d.at.Start+b.Text.Span.Start, d.at.Start+b.Text.Span.End)
		} else {
			delta.Text.Span, delta.Text.Map = analyzers.Span{}, nil
		}
	}
	d.out = append(d.out, delta)
}

// member says what the member of a place is, depth keys down: the shape below it
// and its part.
func (d *differ) member(depth int, in shape, part Part, key string, v *tree.Node) (shape, Part) {
	if depth == 0 {
		switch key {
		case "title", "description":
			return data, PartText
		case "name":
			if d.kind == "resource" || d.kind == "template" {
				return data, PartText
			}
		case "inputSchema", "outputSchema":
			return schema, PartSchema
		case "arguments":
			return arguments, PartSchema
		case "annotations":
			return notes, PartAnnotations
		}
		return data, PartOther
	}
	next, written := in.below(key)
	if written && v.IsString() {
		return data, PartText
	}
	return next, part
}

func (d *differ) resolved() bool {
	field := Delta{Path: d.path}.Field()
	return !slices.ContainsFunc(d.unknown, func(u string) bool {
		return u != "" && (field == u || strings.HasPrefix(field, u+".") || strings.HasPrefix(field, u+"["))
	})
}

func (d *differ) object(a, b *tree.Node, in shape, part Part) {
	inOld, inNew := d.inOld, d.inNew
	if in == schema {
		d.inOld, d.inNew = a, b
	}
	depth := len(d.path)
	olds, news := membersOf(a), membersOf(b)
	visit := func(key string, x, y *tree.Node) {
		d.path = append(d.path[:depth], key)
		if !d.resolved() || d.static && depth == 0 && (x == nil || y == nil) {
			return
		}
		next, p := d.member(depth, in, part, key, cmp.Or(y, x))
		d.value(x, y, next, p)
	}
	for _, y := range b.Children {
		if key := y.Key.Raw(); news[key] == y {
			visit(key, olds[key], y)
		}
	}
	for _, x := range a.Children {
		if key := x.Key.Raw(); olds[key] == x && news[key] == nil {
			visit(key, x, nil)
		}
	}
	d.path = d.path[:depth]
	d.inOld, d.inNew = inOld, inNew
}

func membersOf(n *tree.Node) map[string]*tree.Node {
	m := make(map[string]*tree.Node, len(n.Children))
	for _, c := range n.Children {
		m[c.Key.Raw()] = c
	}
	return m
}

func (d *differ) value(a, b *tree.Node, in shape, part Part) {
	if in == schemaList && (a.IsObject() || b.IsObject()) {
		in = schema
	}
	switch {
	case a == nil && b == nil, a != nil && b != nil && equal(a, b):
	case a == nil:
		d.add(Added, part, nil, b)
	case b == nil:
		d.add(Removed, part, a, nil)
	case a.IsObject() && b.IsObject() && len(a.Children) > 0 && len(b.Children) > 0:
		d.object(a, b, in, part)
	case a.IsArray() && b.IsArray() && objects(a) && objects(b):
		d.list(a, b, in, part)
	default:
		d.add(Changed, part, a, b)
	}
}

func objects(list *tree.Node) bool {
	return len(list.Children) > 0 && !slices.ContainsFunc(list.Children, func(n *tree.Node) bool { return !n.IsObject() })
}

// list compares lists of objects: arguments by their names, others by what is
// equal, and what is left in order.
func (d *differ) list(a, b *tree.Node, in shape, part Part) {
	next := data
	switch in {
	case schemaList:
		next = schema
	case arguments:
		next = argument
	}
	depth := len(d.path)
	taken := make([]bool, len(a.Children))
	match := make([]*tree.Node, len(b.Children))
	pass := func(fits func(x, y *tree.Node) bool) {
		for i, y := range b.Children {
			for k, x := range a.Children {
				if match[i] == nil && !taken[k] && fits(x, y) {
					match[i], taken[k] = x, true
				}
			}
		}
	}
	if len(a.Children)*len(b.Children) <= 1<<16 {
		pass(equal)
		if in == arguments {
			pass(func(x, y *tree.Node) bool { return x.Get("name").Str() == y.Get("name").Str() })
		} else {
			pass(func(x, y *tree.Node) bool { return true })
		}
	}
	for i, y := range b.Children {
		d.path = append(d.path[:depth], "["+strconv.Itoa(i)+"]")
		d.value(match[i], y, next, part)
	}
	for k, x := range a.Children {
		if !taken[k] {
			d.path = append(d.path[:depth], "["+strconv.Itoa(k)+"]")
			d.value(x, nil, next, part)
		}
	}
	d.path = d.path[:depth]
}

// equal compares values as RFC 8785 does: neither order of members nor
// spelling counts.
func equal(a, b *tree.Node) bool {
	x, errX := a.JSON()
	y, errY := b.JSON()
	if errX != nil || errY != nil {
		return false
	}
	if string(x) == string(y) {
		return true
	}
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case tree.String:
		return a.Text.Value == b.Text.Value
	case tree.Bool, tree.Null:
		return a.Text.Value == b.Text.Value
	case tree.Number: // as members of an object, which has a canonical form
		x, y = fmt.Appendf(nil, "[%s]", x), fmt.Appendf(nil, "[%s]", y)
	}
	cx, errX := canonical(x)
	cy, errY := canonical(y)
	return errX == nil && errY == nil && string(cx) == string(cy)
}
