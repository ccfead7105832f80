// Package drift says what a change of a server's surface means: whether it is
// cosmetic, says something else, lets a tool do less or more, turns a model
// against its user, or comes from somebody else. Package manifest says what
// differs; this package judges what the difference introduces, so that what
// was approved once is not brought up again.
package drift

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/capability"
)

// Class is what a change is.
type Class string

// The classes, as DESIGN.md names them. Of what has not changed ("none") there
// is no Change.
const (
	Cosmetic  Class = "cosmetic"             // white space, case, punctuation, Markdown, a typing error
	Text      Class = "text"                 // says something else
	Narrowing Class = "capability-narrowing" // takes or does less
	Expanding Class = "capability-expanding" // takes or does more
	Poisoned  Class = "poisoned"             // the new text, or the new shape, works against the user
	Identity  Class = "identity"             // another server, command, host or image
)

// Change is one difference with its judgement.
type Change struct {
	Op       manifest.Op
	Kind     string // "tool", "prompt", "resource", "template", "instructions", "capability", "server"
	Name     analyzers.Untrusted
	Field    analyzers.Untrusted // path in the definition, "" for the whole
	Class    Class
	Severity rules.Severity
	// Before and After are the place's value, short and as JSON where it is no
	// string; "" where it is not there.
	Before, After analyzers.Untrusted
	// Reason is one sentence: what has changed and why it matters. It is safe
	// to print.
	Reason string
	Span   analyzers.Span // in the file of the new surface, if there is one
}

// Side is a server at one time.
type Side struct {
	Server  manifest.Server
	Surface *analyzers.Surface // nil where only the identity is known
}

// Compare judges every difference between two sides, in the order of the new
// surface, the worst of one definition first.
func Compare(before, after Side) []Change {
	out := identity(before.Server, after.Server)
	if before.Surface == nil || after.Surface == nil {
		return out
	}
	c := newComparison(before, after)
	for _, p := range manifest.Diff(before.Surface, after.Surface) {
		found := c.pair(p)
		slices.SortStableFunc(found, func(a, b Change) int { return cmp.Compare(b.Severity, a.Severity) })
		out = append(out, found...)
	}
	return out
}

// Worst is the highest severity of changes, 0 for none.
func Worst(changes []Change) rules.Severity {
	worst := rules.Severity(0)
	for _, c := range changes {
		worst = max(worst, c.Severity)
	}
	return worst
}

// comparison is what judging one pair of surfaces needs to know of the rest.
type comparison struct {
	before, after Side
	judged        *judged
	reach         map[reach]bool // what the old surface could do
	known         map[string]bool
}

// reach is a thing that a tool can do.
type reach struct {
	label  capability.Label
	object capability.Object
}

func newComparison(before, after Side) *comparison {
	c := &comparison{before: before, after: after, judged: judge(before, after), reach: map[reach]bool{}, known: map[string]bool{}}
	for _, t := range before.Surface.Tools {
		c.known[strings.ToLower(t.Name.Raw())] = true
		for _, f := range facts(t) {
			c.reach[reach{f.Label, f.Object}] = true
		}
	}
	for _, t := range after.Surface.Tools {
		c.known[strings.ToLower(t.Name.Raw())] = true
	}
	return c
}

// facts is what a tool can do, by its text and by what it asks for. What rests
// on an annotation alone is judged with the annotations.
func facts(t *analyzers.Tool) []capability.Fact {
	return slices.DeleteFunc(append(capability.Of(t), capability.Asks(t)...), capability.Fact.Claimed)
}

// change starts a Change about a pair.
func change(p manifest.Pair, class Class, severity rules.Severity, format string, args ...any) Change {
	c := Change{Op: p.Op, Kind: p.Kind, Name: p.Name().Value, Class: class, Severity: severity, Reason: fmt.Sprintf(format, args...)}
	if p.New != nil {
		c.Span = p.New.Span
		if !p.New.Name.Span.IsZero() {
			c.Span = p.New.Name.Span
		}
	}
	return c
}

func (c *comparison) pair(p manifest.Pair) []Change {
	switch {
	case p.Kind == "capability":
		return []Change{declared(p)}
	case p.Fault != nil:
		return []Change{change(p, Poisoned, rules.High, "the definition has no single meaning (%s): readers of it differ in what they see", analyzers.Untrusted(p.Fault.Error()))}
	case p.Op == manifest.Removed && p.Kind != "instructions":
		out := change(p, Narrowing, rules.Low, "the %s is gone", p.Kind)
		out.Before = summary(p.Old)
		return []Change{out}
	case p.Op == manifest.Added && p.Kind != "instructions":
		return []Change{c.added(p)}
	case p.Op == manifest.Renamed:
		return []Change{c.renamed(p)}
	}
	var out []Change
	if p.Op == manifest.Swapped {
		s := change(p, Poisoned, rules.High, "the %s now has the body that %q had: what was approved under one name is done under another", p.Kind, p.Twin.Name)
		s.Before, s.After = summary(p.Old), summary(p.New)
		out = append(out, s)
	}
	for _, d := range p.Deltas {
		out = append(out, c.delta(p, d))
	}
	if p.Kind == "tool" {
		out = c.widened(p, out)
	}
	return c.object(p, out)
}

// added judges a definition that was not there.
func (c *comparison) added(p manifest.Pair) Change {
	out := change(p, Expanding, rules.Medium, "a %s that nobody has approved", p.Kind)
	out.After = summary(p.New)
	if p.Kind != "tool" {
		out.Severity = rules.Low
	}
	for _, t := range c.before.Surface.Tools {
		if p.Kind == "tool" && t.Name.Value == p.New.Name.Value {
			out.Class, out.Severity = Poisoned, rules.High
			out.Reason = "a second tool of this name: which of the two is called is up to the client"
			return out
		}
	}
	if t := toolOf(p.New, c.after.Surface); t != nil && len(c.before.Surface.Tools) > 0 {
		for _, f := range facts(t) {
			if !c.reach[reach{f.Label, f.Object}] && grave(f) {
				out.Severity = rules.High
				out.Reason = fmt.Sprintf("a tool that nobody has approved, and the server gains reach with it: it %s (%q)", does(f), f.Evidence())
				break
			}
		}
	}
	if o, ok := c.judged.worst(p.Kind, p.New.Name.Value); ok {
		out.object(o)
	} else if o, ok := c.suspectNew(p); ok {
		out.object(o)
	}
	return out
}

// grave reports whether nothing harmless looks like the fact.
func grave(f capability.Fact) bool {
	switch f.Label {
	case capability.Executes, capability.Pays:
		return true
	case capability.ReadsPrivate:
		return f.Object == capability.Secret
	case capability.ReachesOut:
		return f.Object == capability.HTTP || f.Object == capability.Mail || f.Object == capability.Upload
	}
	return false
}

func (c *comparison) renamed(p manifest.Pair) Change {
	out := change(p, Text, rules.Medium, "%s %q has this name now, with the same body: what was decided about the old name does not hold for it", p.Kind, p.Old.Name)
	out.Before, out.After = p.Old.Name.Value, p.New.Name.Value
	if p.Kind == "resource" || p.Kind == "template" {
		if was, is := hostOf(p.Old.Name.Raw()), hostOf(p.New.Name.Raw()); was != is {
			out.Class, out.Severity = Identity, rules.High
			out.Reason = fmt.Sprintf("the %s is read from %q now, and no longer from %q", p.Kind, analyzers.Untrusted(is), analyzers.Untrusted(was))
			return out
		}
	}
	if o, ok := c.judged.worst(p.Kind, p.New.Name.Value); ok {
		out.object(o)
	}
	return out
}

// object makes a change poisoned.
func (c *Change) object(o objection) {
	c.Class = Poisoned
	c.Severity = max(rules.High, o.severity)
	c.Reason = o.reason
	if !o.span.IsZero() {
		c.Span = o.span
	}
}

// delta judges one place that differs, by what part of a definition it is.
func (c *comparison) delta(p manifest.Pair, d manifest.Delta) Change {
	out := change(p, Text, rules.Low, "")
	out.Op, out.Field, out.Span = d.Op, analyzers.Untrusted(d.Field()), d.Span
	out.Before, out.After = short(d.Old), short(d.New)
	switch d.Part {
	case manifest.PartText:
		judgeText(&out, p, d)
	case manifest.PartAnnotations:
		judgeHint(&out, d)
	case manifest.PartSchema:
		judgeSchema(&out, p, d)
	default:
		judgeOther(&out, d)
	}
	return out
}

// widened adds the reach that the tool as a whole has gained.
func (c *comparison) widened(p manifest.Pair, out []Change) []Change {
	old, now := toolOf(p.Old, c.before.Surface), toolOf(p.New, c.after.Surface)
	if old == nil || now == nil {
		return out
	}
	had := map[reach]bool{}
	for _, f := range append(facts(old), capability.InDescription(old)...) {
		had[reach{f.Label, f.Object}] = true
	}
	for _, f := range facts(now) {
		if had[reach{f.Label, f.Object}] || !adds(f) {
			continue
		}
		for i := range out {
			if out[i].Class != Poisoned && covers(out[i].Field, f.Field.Path) {
				severity := rules.High
				if f.Object == capability.File && strings.HasPrefix(f.Field.Path, "inputSchema.") && !local(p.New, f.Field.Path) {
					severity = rules.Medium // a path may lead to anything
				}
				out[i].Class, out[i].Severity = Expanding, max(out[i].Severity, severity)
				out[i].Reason = fmt.Sprintf("with the change the tool %s (%q), which it did not do before", does(f), f.Evidence())
			}
		}
	}
	return out
}

// local reports whether a parameter speaks of files on the user's machine.
func local(item *analyzers.Item, path string) bool {
	for _, f := range item.Fields {
		if f.Path == path+".description" {
			words := strings.Join(wordsOf(f.Text.Raw()), " ")
			return oneOf(words, "local", "disk", "machine", "absolute", "upload", "attach", "attached", "read", "contents", "content", "home", "user")
		}
	}
	return false
}

// adds reports whether a tool that gains the fact has gained reach to what is
// private, or to execution, destruction, payment or the outside.
func adds(f capability.Fact) bool {
	switch f.Label {
	case capability.Executes, capability.Pays, capability.Destroys, capability.ChangesRights:
		return true
	case capability.ReadsPrivate:
		return f.Object == capability.Secret || f.Object == capability.File || f.Object == capability.Mail || f.Object == capability.Personal || f.Object == capability.Chat
	case capability.ReachesOut:
		return f.Object == capability.HTTP || f.Object == capability.Mail || f.Object == capability.Upload || f.Object == capability.Chat || f.Object == capability.Post
	}
	return false
}

func does(f capability.Fact) string {
	switch f.Label {
	case capability.ReadsPrivate:
		return "reads what is private"
	case capability.UntrustedContent:
		return "reads what strangers write"
	case capability.ReachesOut:
		return "sends data out"
	case capability.Destroys:
		return "deletes"
	case capability.Executes:
		return "runs commands or code"
	case capability.Pays:
		return "moves money"
	case capability.ChangesRights:
		return "changes rights"
	}
	return "writes"
}

// covers reports whether a field is, or holds, a place of the definition.
func covers(field analyzers.Untrusted, path string) bool {
	f := field.Raw()
	return f == path || strings.HasPrefix(path, f+".") || strings.HasPrefix(path, f+"[") || strings.HasPrefix(f, path+".") || strings.HasPrefix(f, path+"[")
}

// object raises the changes that the text judge and the rules on text object
// to; an objection that no change covers becomes one of its own.
func (c *comparison) object(p manifest.Pair, out []Change) []Change {
	name := p.Name().Value
	for _, o := range c.judged.of(p.Kind, name) {
		best := -1
		for i := range out {
			if covers(out[i].Field, o.field) && out[i].Field != "" && (best < 0 || len(out[i].Field) > len(out[best].Field)) {
				best = i
			}
		}
		if best < 0 || len(p.Deltas) == 0 {
			extra := change(p, Poisoned, rules.High, "")
			extra.Field = analyzers.Untrusted(o.field)
			extra.object(o)
			out = append(out, extra)
			continue
		}
		if out[best].Class != Poisoned || out[best].Severity < o.severity {
			out[best].object(o)
		}
	}
	return out
}

func toolOf(item *analyzers.Item, s *analyzers.Surface) *analyzers.Tool {
	for _, t := range s.Tools {
		if &t.Item == item {
			return t
		}
	}
	return nil
}

// summary is what a definition says of itself, short.
func summary(item *analyzers.Item) analyzers.Untrusted {
	if item == nil {
		return ""
	}
	if !item.Description.IsZero() {
		return cut(item.Description.Raw())
	}
	return cut(string(item.Definition))
}

// enough is how many bytes of a value are shown.
const enough = 400

func cut(s string) analyzers.Untrusted {
	if len(s) > enough {
		s = strings.ToValidUTF8(s[:enough], "") + "..."
	}
	return analyzers.Untrusted(s)
}

// short is a value for a reader.
func short(n *tree.Node) analyzers.Untrusted {
	if n == nil {
		return ""
	}
	return cut(whole(n))
}

func whole(n *tree.Node) string {
	if n == nil {
		return ""
	}
	if n.IsString() {
		return n.Text.Raw()
	}
	raw, err := n.JSON()
	var b bytes.Buffer
	if err != nil || json.Compact(&b, raw) != nil {
		return ""
	}
	return b.String()
}

// Of is what a manifest says of its server.
func Of(m *manifest.Manifest) Side {
	return Side{Server: m.Predicate.Server, Surface: m.Surface()}
}

// Now is a server as a scan sees it; secrets are those of the catalog.
func Now(s *analyzers.Server, secrets []analyzers.Secret) Side {
	out := Side{Server: manifest.ServerOf(s, secrets)}
	if Shown(s) {
		out.Surface = &s.Surface
	}
	return out
}

// Shown reports whether anything is known of a server's surface: an empty one
// is known where a capture says so.
func Shown(s *analyzers.Server) bool {
	return s.Format == "capture" || !s.Surface.Instructions.IsZero() || len(manifest.Items(&s.Surface)) > 0
}
