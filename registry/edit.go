package registry

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// ErrLayout is the answer to an edit of a document that is laid out in a way
// that cannot be edited without touching more than the edit.
var ErrLayout = errors.New("this layout cannot be edited by a program; make the change by hand")

// Edit is a change of a document: entries that were changed (by their ids) and
// entries that are new. Only what differs is written; every other byte,
// comments and blank lines included, stays as it is.
type Edit struct {
	Changed []*Entry
	Added   []*Entry
}

// IsZero reports whether the edit changes nothing.
func (ed *Edit) IsZero() bool { return len(ed.Changed)+len(ed.Added) == 0 }

// Apply returns the edited document. It reads back what it wrote: the answer
// says exactly what the edit asked for, or there is an error and no answer.
func (d *Document) Apply(ed Edit) ([]byte, error) {
	w := &writer{doc: d, newline: "\n"}
	if bytes.Contains(d.Source.Bytes, []byte("\r\n")) {
		w.newline = "\r\n"
	}
	want := map[string]string{}
	for _, e := range d.Servers {
		want[e.ID] = e.text()
	}
	for _, e := range ed.Changed {
		old := d.Entry(e.ID)
		if old == nil {
			return nil, fmt.Errorf("the registry has no server %q", analyzers.Untrusted(e.ID))
		}
		if old.text() != e.text() {
			w.entry(old, e)
			want[e.ID] = e.text()
		}
	}
	for _, e := range ed.Added {
		if want[e.ID] != "" {
			return nil, fmt.Errorf("the registry has a server %q already", analyzers.Untrusted(e.ID))
		}
		want[e.ID] = e.text()
	}
	w.add(ed.Added)
	out := w.result()
	again, err := Parse(&analyzers.Source{Path: d.Source.Path, Bytes: out})
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrLayout, err)
	}
	if len(again.Servers) != len(want) || d.head() != again.head() {
		return nil, ErrLayout
	}
	for i, e := range again.Servers {
		if e.text() != want[e.ID] || i < len(d.Servers) && e.ID != d.Servers[i].ID {
			return nil, ErrLayout
		}
	}
	return out, nil
}

// head is everything of a document but its servers.
func (d *Document) head() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q %q", d.Name, d.Namespace, d.Approvers)
	for _, u := range d.Units {
		fmt.Fprintf(&b, "\nunit %q %q %q %q", u.ID, u.Description, u.Parent, u.Approvers)
	}
	for _, p := range d.Projects {
		fmt.Fprintf(&b, "\nproject %q %q %q %q", p.ID, p.Description, p.Unit, p.Repositories)
	}
	for _, list := range [][]Label{d.Environments, d.Roles, d.Zones, d.Clients} {
		b.WriteString("\nlabels")
		for _, l := range list {
			fmt.Fprintf(&b, " %q %q", l.ID, l.Description)
		}
	}
	return b.String()
}

// New is an empty document.
func New(path string) *analyzers.Source {
	return &analyzers.Source{Path: path, Bytes: []byte("apiVersion: " + APIVersion + "\nkind: " + Kind + "\nservers: []\n")}
}

// writer collects replacements of the source's bytes.
type writer struct {
	doc     *Document
	newline string
	splices []splice
}

type splice struct {
	start, end int
	text       string
}

func (w *writer) splice(start, end int, text string) {
	w.splices = append(w.splices, splice{start, end, strings.ReplaceAll(text, "\n", w.newline)})
}

func (w *writer) result() []byte {
	slices.SortStableFunc(w.splices, func(a, b splice) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	src := w.doc.Source.Bytes
	var out []byte
	at := 0
	for _, s := range w.splices {
		if s.start < at {
			continue // overlapping edits: reading back will tell
		}
		out = append(append(out, src[at:s.start]...), s.text...)
		at = s.end
	}
	return append(out, src[at:]...)
}

// entry writes the members in which two versions of an entry differ.
func (w *writer) entry(old, now *Entry) { w.diff(old.node.self, old.members(), now.members()) }

// diff writes the differences between two versions of one map.
func (w *writer) diff(n *tree.Node, old, now []member) {
	if !n.IsObject() {
		return // a list or a scalar cannot be here: Parse read it as a map
	}
	was := map[string]member{}
	for _, m := range old {
		was[m.key] = m
	}
	if inFlow(n) {
		w.flow(n, was, now)
		return
	}
	kept := map[string]bool{}
	var added []member
	for _, m := range now {
		kept[m.key] = true
		at := n.Get(m.key)
		before, there := was[m.key]
		switch {
		case at == nil:
			added = append(added, m)
		case there && same(before, m):
		case m.inner != nil && at.IsObject():
			w.diff(at, before.inner, m.inner)
		case m.inner == nil && !at.IsObject() && at.Kind != tree.Null:
			w.replace(at, m.value)
		default:
			w.line(at, m)
		}
	}
	for _, at := range n.Children {
		if !kept[at.Key.Raw()] {
			w.remove(at)
		}
	}
	if len(added) > 0 && len(n.Children) > 0 {
		var b strings.Builder
		block(&b, added, strings.Repeat(" ", w.column(n.Children[0].KeySpan.Start)))
		last := n.Children[len(n.Children)-1]
		w.after(w.end(last), b.String())
	}
}

func same(a, b member) bool {
	return a.value == b.value && (a.inner == nil) == (b.inner == nil) && (a.inner == nil || inline(a.inner) == inline(b.inner))
}

func inFlow(n *tree.Node) bool {
	raw := n.Span.Raw()
	return len(raw) > 0 && raw[0] == '{'
}

// flow edits a map in braces.
func (w *writer) flow(n *tree.Node, was map[string]member, now []member) {
	var all []string
	clean := true // no member goes away: the others stay as they are written
	kept := map[string]bool{}
	for _, m := range now {
		kept[m.key] = true
	}
	for _, c := range n.Children {
		clean = clean && kept[c.Key.Raw()]
	}
	if !clean || len(n.Children) == 0 {
		w.splice(n.Span.Start, n.Span.End, inline(now))
		return
	}
	for _, m := range now {
		at := n.Get(m.key)
		value := m.value
		if m.inner != nil {
			value = inline(m.inner)
		}
		switch before, there := was[m.key]; {
		case at == nil:
			all = append(all, m.key+": "+value)
		case there && same(before, m):
		case m.inner != nil && at.IsObject():
			w.diff(at, before.inner, m.inner)
		default:
			w.replace(at, value)
		}
	}
	if len(all) > 0 {
		end := n.Children[len(n.Children)-1].Span.End
		w.splice(end, end, ", "+strings.Join(all, ", "))
	}
}

// replace writes a new value over an old one. A value over several lines
// takes its line breaks with it, and the last one stays.
func (w *writer) replace(at *tree.Node, value string) {
	start, end := at.Span.Start, at.Span.End
	src := w.doc.Source.Bytes
	for end > start && (src[end-1] == '\n' || src[end-1] == '\r') {
		end--
	}
	w.splice(start, end, value)
}

// line writes a member anew, from its key to the end of its value.
func (w *writer) line(at *tree.Node, m member) {
	var b strings.Builder
	block(&b, []member{m}, strings.Repeat(" ", w.column(at.KeySpan.Start)))
	text := strings.TrimSuffix(strings.TrimLeft(b.String(), " "), "\n")
	end := max(at.Span.End, w.colon(at))
	src := w.doc.Source.Bytes
	for end > at.KeySpan.End && (src[end-1] == '\n' || src[end-1] == '\r') {
		end--
	}
	w.splice(at.KeySpan.Start, end, text)
}

// colon is the offset behind the colon after a key.
func (w *writer) colon(at *tree.Node) int {
	i := bytes.IndexByte(w.doc.Source.Bytes[at.KeySpan.End:], ':')
	return at.KeySpan.End + i + 1
}

// remove takes out the lines of a member of a map in block style.
func (w *writer) remove(at *tree.Node) {
	src := w.doc.Source.Bytes
	start := bytes.LastIndexByte(src[:at.KeySpan.Start], '\n') + 1
	if strings.TrimLeft(string(src[start:at.KeySpan.Start]), " ") != "" {
		return // "- key: value": reading back will refuse
	}
	w.splice(start, w.lineEnd(w.end(at)), "")
}

// end is where a member ends: behind its value, or behind its colon.
func (w *writer) end(at *tree.Node) int { return max(at.Span.End, w.colon(at)) }

// lineEnd is the offset behind the line break at or after an offset, or the
// end of the file.
func (w *writer) lineEnd(at int) int {
	src := w.doc.Source.Bytes
	if at > 0 && at <= len(src) && src[at-1] == '\n' {
		return at
	}
	if i := bytes.IndexByte(src[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(src)
}

// after inserts whole lines behind the line in which an offset lies.
func (w *writer) after(at int, lines string) {
	at = w.lineEnd(at)
	if src := w.doc.Source.Bytes; at == len(src) && (at == 0 || src[at-1] != '\n') {
		lines = "\n" + lines
	}
	w.splice(at, at, lines)
}

// column is the 0-based column of an offset, in bytes.
func (w *writer) column(at int) int {
	return at - bytes.LastIndexByte(w.doc.Source.Bytes[:at], '\n') - 1
}

// add appends entries to the list of servers.
func (w *writer) add(entries []*Entry) {
	if len(entries) == 0 {
		return
	}
	d, src := w.doc, w.doc.Source.Bytes
	var b strings.Builder
	dash, separated := "  ", true
	switch {
	case d.servers.IsZero(): // no list yet
		b.WriteString("servers:\n")
	case d.empty:
	case len(d.servers.Raw()) > 0 && src[d.servers.Start] == '[':
		var parts []string
		for _, e := range entries {
			parts = append(parts, e.text())
		}
		end := d.Servers[len(d.Servers)-1].Span.End
		w.splice(end, end, ", "+strings.Join(parts, ", "))
		return
	default:
		first := d.Servers[0].Span.Start
		dash = strings.Repeat(" ", max(0, w.column(bytes.LastIndexByte(src[:first], '-'))))
		separated = w.blankBetween()
	}
	for i, e := range entries {
		var item strings.Builder
		block(&item, e.members(), dash+"  ")
		if separated && (i > 0 || len(d.Servers) > 0) {
			b.WriteString("\n")
		}
		b.WriteString(dash + "- " + strings.TrimLeft(item.String(), " "))
	}
	switch {
	case d.servers.IsZero():
		w.after(len(bytes.TrimRight(src, " \r\n\t")), b.String())
	case d.empty:
		colon := d.serversKey.End + bytes.IndexByte(src[d.serversKey.End:], ':') + 1
		w.splice(colon, d.servers.End, "\n"+strings.TrimSuffix(b.String(), "\n"))
	default:
		w.after(d.Servers[len(d.Servers)-1].Span.End, b.String())
	}
}

// blankBetween reports whether the document keeps empty lines between its
// servers.
func (w *writer) blankBetween() bool {
	servers := w.doc.Servers
	if len(servers) < 2 {
		return true
	}
	between := string(w.doc.Source.Bytes[servers[len(servers)-2].Span.End:servers[len(servers)-1].Span.Start])
	return strings.Contains(strings.ReplaceAll(between, "\r", ""), "\n\n")
}
