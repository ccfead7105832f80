package registry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// MaxProblems bounds the problems that are kept of one document.
const MaxProblems = 100

// entryNodes are the places that edits need.
type entryNodes struct{ self, evidence, manifest *tree.Node }

// Parse reads a document and checks its form: unknown keys, wrong types,
// undeclared names, matches that name nothing exactly. Anchors and aliases are
// refused, because a reviewer must see what holds where it holds. The error is
// a Problems.
func Parse(src *analyzers.Source) (*Document, error) {
	root, err := tree.Parse(src, tree.YAML)
	if err != nil {
		problem := Problem{Level: Error, Message: err.Error(), Span: src.Span(0, 0)}
		if bad, ok := err.(*tree.Error); ok {
			problem.Message, problem.Span = bad.Reason, bad.Span
		}
		return nil, Problems{problem}
	}
	r := &reader{doc: &Document{Source: src}}
	r.document(root)
	if len(r.problems) == 0 {
		r.references()
	}
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return r.doc, nil
}

type reader struct {
	doc      *Document
	problems Problems
}

func (r *reader) wrong(n *tree.Node, format string, args ...any) {
	if len(r.problems) < MaxProblems {
		span := n.KeySpan
		if span.IsZero() {
			span = n.Span
		}
		r.problems = append(r.problems, Problem{Error, fmt.Sprintf(format, args...), span})
	}
}

type fields []field

// field is a key and how its value is read.
type field struct {
	key  string
	read func(*tree.Node)
}

func (f fields) find(key string) func(*tree.Node) {
	for i := range f {
		if f[i].key == key {
			return f[i].read
		}
	}
	return nil
}

// object reads a map, each key at most once and none that is not known.
func (r *reader) object(n *tree.Node, what string, known fields) {
	if !n.IsObject() {
		r.wrong(n, "%s is a map; its keys are %s", what, keys(known))
		return
	}
	for _, m := range n.Children {
		read := known.find(m.Key.Raw())
		switch {
		case n.Alias || m.Alias:
			r.wrong(m, "aliases and merge keys are not read in a registry; write the value out, so that a reviewer sees it")
		case read == nil:
			r.wrong(m, "unknown key %q in %s; the keys are %s", m.Key, what, keys(known))
		case m.Dup:
			r.wrong(m, "key %q stands twice", m.Key)
		default:
			read(m)
		}
	}
}

func keys(known fields) string {
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.key
	}
	return strings.Join(names, ", ")
}

func (r *reader) list(n *tree.Node, visit func(*tree.Node)) {
	if !n.IsArray() {
		r.wrong(n, "%q must be a list", n.Key)
		return
	}
	if n.Alias {
		r.wrong(n, "aliases are not read in a registry; write the list out, so that a reviewer sees it")
		return
	}
	for _, item := range n.Children {
		visit(item)
	}
}

// text reads a scalar. Numbers and dates are texts, too: "until: 2027-01-31".
func (r *reader) text(n *tree.Node) string {
	switch {
	case n.IsObject() || n.IsArray() || n.Kind == tree.Null || n.Kind == tree.Bool:
		r.wrong(n, "must be text")
		return ""
	case n.Alias:
		r.wrong(n, "aliases are not read in a registry; write the value out, so that a reviewer sees it")
		return ""
	case len(n.Text.Raw()) > maxText:
		r.wrong(n, "longer than %d bytes", maxText)
		return ""
	}
	return n.Text.Raw()
}

const (
	maxText  = 8 << 10
	maxItems = 10_000
)

func (r *reader) str(into *string) func(*tree.Node) {
	return func(n *tree.Node) { *into = r.text(n) }
}

// strs reads a list of texts without repetitions; it is never nil.
func (r *reader) strs(into *[]string) func(*tree.Node) {
	return func(n *tree.Node) {
		*into = []string{}
		seen := map[string]bool{}
		r.list(n, func(item *tree.Node) {
			s := r.text(item)
			if seen[s] {
				r.wrong(item, "%q stands twice in the list", item.Text)
			}
			seen[s] = true
			*into = append(*into, s)
		})
	}
}

// words reads a list of texts in which the same may stand twice.
func (r *reader) words(into *[]string) func(*tree.Node) {
	return func(n *tree.Node) {
		*into = []string{}
		r.list(n, func(item *tree.Node) { *into = append(*into, r.text(item)) })
	}
}

func (r *reader) number(into *int, most int) func(*tree.Node) {
	return func(n *tree.Node) {
		v, err := strconv.Atoi(n.Text.Raw())
		if n.Kind != tree.Number || err != nil || v < 0 || v > most {
			r.wrong(n, "must be a whole number from 0 to %d", most)
			return
		}
		*into = v
	}
}

var (
	dateForm  = pattern.New(`^\d{4}-\d{2}-\d{2}$`)
	nameForm  = pattern.New(`^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$`)
	spaceForm = pattern.New(`^[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+$`)
	hexForm   = pattern.New(`^[0-9a-f]{64}$`)
	findForm  = pattern.New(`^(info|low|medium|high|critical) [a-z0-9-]+$`)
)

// isID reports whether s is an id: letters, digits, dots, dashes and
// underscores, the first a letter or a digit, 128 at most.
func isID(s string) bool {
	for i := range len(s) {
		c := s[i]
		alphanumeric := c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !alphanumeric && (i == 0 || c != '.' && c != '-' && c != '_') {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

// isDigest reports whether s is "sha256:" and 64 lower-case hexadecimal digits.
func isDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

func (r *reader) formed(into *string, form func(string) bool, want string) func(*tree.Node) {
	return func(n *tree.Node) {
		if *into = r.text(n); !form(*into) {
			r.wrong(n, "%q must be %s", n.Key, want)
		}
	}
}

func (r *reader) id(into *string) func(*tree.Node) {
	return r.formed(into, isID, "letters, digits, dots, dashes and underscores, 128 at most")
}

func (r *reader) date(into *string) func(*tree.Node) {
	return func(n *tree.Node) {
		if *into = r.text(n); !ValidDate(*into) {
			r.wrong(n, "%q must be a date, YYYY-MM-DD", n.Key)
		}
	}
}

// ValidDate reports whether s is a day of the calendar, YYYY-MM-DD.
func ValidDate(s string) bool {
	if !dateForm.MatchString(s) {
		return false
	}
	y, _ := strconv.Atoi(s[:4])
	m, _ := strconv.Atoi(s[5:7])
	d, _ := strconv.Atoi(s[8:])
	if m < 1 || m > 12 {
		return false
	}
	days := [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[m-1]
	if m == 2 && y%4 == 0 && (y%100 != 0 || y%400 == 0) {
		days = 29
	}
	return d >= 1 && d <= days
}

func (r *reader) oneOf(into *string, words ...string) func(*tree.Node) {
	return func(n *tree.Node) {
		if *into = r.text(n); !slices.Contains(words, *into) {
			r.wrong(n, "%q must be one of: %s", n.Key, strings.Join(words, ", "))
		}
	}
}

func (r *reader) document(root *tree.Node) {
	d := r.doc
	var version, kind string
	r.object(root, "the registry", fields{
		{"apiVersion", r.oneOf(&version, APIVersion)},
		{"kind", r.oneOf(&kind, Kind)},
		{"name", r.str(&d.Name)},
		{"namespace", r.formed(&d.Namespace, spaceForm.MatchString, `a reverse domain name, such as "com.example"`)},
		{"approvers", r.strs(&d.Approvers)},
		{"units", r.units},
		{"projects", r.projects},
		{"environments", r.labels(&d.Environments, "an environment")},
		{"roles", r.labels(&d.Roles, "a role")},
		{"zones", r.labels(&d.Zones, "a zone")},
		{"clients", r.labels(&d.Clients, "a client")},
		{"servers", r.servers},
	})
	if root.IsObject() && len(r.problems) == 0 && (version == "" || kind == "") {
		r.wrong(root, "a registry begins with \"apiVersion: %s\" and \"kind: %s\"", APIVersion, Kind)
	}
}

func (r *reader) labels(into *[]Label, what string) func(*tree.Node) {
	return func(n *tree.Node) {
		r.each(n, what, into, func() fields { return nil })
	}
}

// each reads a list of things with an id.
func (r *reader) each(n *tree.Node, what string, into *[]Label, more func() fields) {
	seen := map[string]bool{}
	r.list(n, func(item *tree.Node) {
		l := Label{Span: item.Span}
		known := append(fields{{"id", r.id(&l.ID)}, {"description", r.str(&l.Description)}}, more()...)
		r.object(item, what, known)
		switch {
		case !item.IsObject():
		case l.ID == "":
			r.wrong(item, "%s needs an id", what)
		case seen[l.ID]:
			r.wrong(item, "id %q stands twice", l.ID)
		}
		seen[l.ID] = true
		*into = append(*into, l)
	})
}

func (r *reader) units(n *tree.Node) {
	var labels []Label
	var rest []Unit
	r.each(n, "a unit", &labels, func() fields {
		rest = append(rest, Unit{})
		i := len(rest) - 1
		return fields{
			{"parent", func(n *tree.Node) { r.id(&rest[i].Parent)(n) }},
			{"approvers", func(n *tree.Node) { r.strs(&rest[i].Approvers)(n) }},
		}
	})
	for i := range labels {
		rest[i].Label = labels[i]
	}
	r.doc.Units = rest
}

func (r *reader) projects(n *tree.Node) {
	var labels []Label
	var rest []Project
	r.each(n, "a project", &labels, func() fields {
		rest = append(rest, Project{})
		i := len(rest) - 1
		return fields{
			{"unit", func(n *tree.Node) { r.id(&rest[i].Unit)(n) }},
			{"repositories", func(n *tree.Node) { r.strs(&rest[i].Repositories)(n) }},
		}
	})
	for i := range labels {
		rest[i].Label = labels[i]
	}
	r.doc.Projects = rest
}

func (r *reader) servers(n *tree.Node) {
	r.doc.servers, r.doc.serversKey, r.doc.empty = n.Span, n.KeySpan, n.IsArray() && len(n.Children) == 0
	seen := map[string]bool{}
	r.list(n, func(item *tree.Node) {
		if len(r.doc.Servers) >= maxItems {
			return
		}
		e := r.entry(item)
		if e.ID != "" && seen[e.ID] {
			r.wrong(item, "the id %q stands twice among the servers", e.ID)
		}
		seen[e.ID] = true
		r.doc.Servers = append(r.doc.Servers, e)
	})
	if n.IsArray() && len(n.Children) > maxItems {
		r.wrong(n, "more than %d servers", maxItems)
	}
}

func (r *reader) dispatch(n *tree.Node, t *Tools) {
	var d Dispatch
	before := len(r.problems)
	r.object(n, "a tool that calls others", fields{{"tool", r.str(&d.Tool)}, {"name", r.str(&d.Name)}, {"arguments", r.str(&d.Arguments)}, {"code", r.str(&d.Code)}})
	if len(r.problems) > before {
		return
	}
	if problem := d.check(); problem != "" {
		r.wrong(n, "%s", problem)
	} else if slices.ContainsFunc(t.Dispatch, func(o Dispatch) bool { return o.Tool == d.Tool }) {
		r.wrong(n, "tool %q stands twice under dispatch", analyzers.Untrusted(d.Tool))
	}
	t.Dispatch = append(t.Dispatch, d)
}

// check says what is wrong with a dispatch, "" when nothing is.
func (d Dispatch) check() string {
	parent := func(path string) string { return path[:strings.LastIndexByte(path, '.')+1] }
	switch {
	case d.Tool == "":
		return "a dispatch needs the tool that calls others"
	case (d.Name == "") == (d.Code == ""):
		return "a dispatch needs either the argument that names the other tool (name), or the one that holds code (code)"
	case d.Name == "" && d.Arguments != "":
		return "arguments belongs to a name"
	case d.Arguments != "" && parent(d.Arguments) != parent(d.Name):
		return "name and arguments stand beside each other: calls.tool and calls.arguments"
	}
	return ""
}

func (r *reader) entry(n *tree.Node) *Entry {
	e := &Entry{Span: n.Span}
	e.node.self = n
	var status, transport string
	var match *tree.Node
	before := len(r.problems)
	r.object(n, "a server", fields{
		{"id", r.id(&e.ID)},
		{"name", r.formed(&e.Name, nameForm.MatchString, `a name of an MCP registry, such as "com.example/files"`)},
		{"description", r.str(&e.Description)},
		{"transport", r.oneOf(&transport, "stdio", "http", "sse")},
		{"match", func(n *tree.Node) { match = n; r.match(n, &e.Match) }},
		{"status", r.oneOf(&status, string(Approved), string(Denied), string(Quarantined))},
		{"manifest", func(n *tree.Node) { e.node.manifest = n; r.manifest(n, &e.Manifest) }},
		{"environments", r.scope(&e.Environments)},
		{"units", r.scope(&e.Units)},
		{"projects", r.scope(&e.Projects)},
		{"roles", r.scope(&e.Roles)},
		{"clients", r.scope(&e.Clients)},
		{"tools", func(n *tree.Node) {
			r.object(n, "tools", fields{
				{"allow", r.strs(&e.Tools.Allow)}, {"deny", r.strs(&e.Tools.Deny)},
				{"dispatch", func(n *tree.Node) { r.list(n, func(item *tree.Node) { r.dispatch(item, &e.Tools) }) }},
			})
		}},
		{"limits", func(n *tree.Node) {
			r.object(n, "limits", fields{
				{"callsPerMinute", r.number(&e.Limits.CallsPerMinute, 1_000_000)}, {"concurrent", r.number(&e.Limits.Concurrent, 100_000)},
				{"resultBytes", r.number(&e.Limits.ResultBytes, 1<<30)}, {"seconds", r.number(&e.Limits.Seconds, 86_400)},
			})
		}},
		{"redaction", func(n *tree.Node) {
			r.strs(&e.Redaction)(n)
			for _, word := range e.Redaction {
				if !slices.Contains(RedactionKinds(), word) {
					r.wrong(n, "redaction knows %s, and no %q", strings.Join(RedactionKinds(), ", "), analyzers.Untrusted(word))
				}
			}
		}},
		{"zone", r.id(&e.Zone)},
		{"evidence", func(n *tree.Node) { e.node.evidence = n; r.evidence(n, &e.Evidence) }},
	})
	e.Status, e.Transport = Status(status), analyzers.Transport(transport)
	if !n.IsObject() || len(r.problems) > before {
		return e
	}
	switch {
	case e.ID == "":
		r.wrong(n, "a server needs an id")
	case match == nil:
		r.wrong(n, "server %q needs a match: argv, purl, url or image", e.ID)
	case status == "":
		r.wrong(n, "server %q needs a status: approved, denied or quarantined", e.ID)
	default:
		if err := e.Match.check(e.Status); err != nil {
			r.wrong(match, "server %q: %s", e.ID, err)
		}
	}
	return e
}

// scope reads a list that narrows an entry. An empty one would read like "for
// nobody" and mean "for all".
func (r *reader) scope(into *[]string) func(*tree.Node) {
	return func(n *tree.Node) {
		r.strs(into)(n)
		if n.IsArray() && len(n.Children) == 0 {
			r.wrong(n, "%q is empty; leave it out for all, or name some", n.Key)
		}
	}
}

func (r *reader) match(n *tree.Node, m *Match) {
	r.object(n, "match", fields{
		{"argv", r.words(&m.Argv)}, {"purl", r.str(&m.PURL)}, {"url", r.str(&m.URL)}, {"image", r.str(&m.Image)}, {"env", r.strs(&m.Env)},
		{"fileSha256", r.str(&m.FileSHA256)}, {"scriptSha256", r.str(&m.ScriptSHA256)}, {"integrity", r.scope(&m.Integrity)},
	})
}

func (r *reader) manifest(n *tree.Node, m *Manifest) {
	r.object(n, "manifest", fields{
		{"digest", r.formed(&m.Digest, isDigest, `"sha256:" and 64 lower-case hexadecimal digits`)},
		{"capabilities", r.formed(&m.Capabilities, isDigest, `"sha256:" and 64 lower-case hexadecimal digits`)},
		{"path", r.str(&m.Path)},
	})
	if n.IsObject() && m.Digest == "" {
		r.wrong(n, "a manifest needs its digest")
	}
}

func (r *reader) evidence(n *tree.Node, e *Evidence) {
	r.object(n, "evidence", fields{
		{"score", func(n *tree.Node) {
			var v int
			r.number(&v, 100)(n)
			e.Score = &v
		}},
		{"findings", func(n *tree.Node) {
			r.strs(&e.Findings)(n)
			for _, f := range e.Findings {
				if !findForm.MatchString(f) {
					r.wrong(n, "a finding is written SEVERITY RULE, such as \"high download-and-run\"")
				}
			}
		}},
		{"suggestion", r.oneOf(&e.Suggestion, "approve", "review", "deny")},
		{"approvedBy", r.str(&e.ApprovedBy)},
		{"approvedAt", r.date(&e.ApprovedAt)},
		{"until", r.date(&e.Until)},
		{"reason", r.str(&e.Reason)},
	})
}

// references checks that every name is declared and that the units are a
// forest.
func (r *reader) references() {
	d := r.doc
	fail := func(span analyzers.Span, format string, args ...any) {
		if len(r.problems) < MaxProblems {
			r.problems = append(r.problems, Problem{Error, fmt.Sprintf(format, args...), span})
		}
	}
	parent := map[string]string{}
	for _, u := range d.Units {
		parent[u.ID] = u.Parent
	}
	for _, u := range d.Units {
		if _, ok := parent[u.Parent]; u.Parent != "" && !ok {
			fail(u.Span, "unit %q has the parent %q, which is not declared among the units", u.ID, u.Parent)
		}
	}
	state := map[string]int{} // 1: on the path, 2: leads to a root
	for _, u := range d.Units {
		var path []string
		at := u.ID
		for at != "" && state[at] == 0 {
			state[at] = 1
			path = append(path, at)
			at = parent[at]
		}
		if at != "" && state[at] == 1 {
			fail(u.Span, "the parents of unit %q lead back to unit %q", u.ID, at)
		}
		for _, id := range path {
			state[id] = 2
		}
	}
	for _, p := range d.Projects {
		if _, ok := parent[p.Unit]; p.Unit != "" && !ok {
			fail(p.Span, "project %q belongs to the unit %q, which is not declared", p.ID, p.Unit)
		}
	}
	sets := map[string]map[string]bool{
		"unit": {}, "project": {}, "environment": labelSet(d.Environments), "role": labelSet(d.Roles),
		"zone": labelSet(d.Zones), "client": labelSet(d.Clients),
	}
	for _, u := range d.Units {
		sets["unit"][u.ID] = true
	}
	for _, p := range d.Projects {
		sets["project"][p.ID] = true
	}
	for _, e := range d.Servers {
		for _, use := range []struct {
			kind string
			ids  []string
		}{{"unit", e.Units}, {"project", e.Projects}, {"environment", e.Environments}, {"role", e.Roles}, {"client", e.Clients}, {"zone", nonEmpty(e.Zone)}} {
			for _, id := range use.ids {
				if !sets[use.kind][id] {
					fail(e.Span, "server %q names the %s %q, which is not declared under %ss", e.ID, use.kind, analyzers.Untrusted(id), use.kind)
				}
			}
		}
	}
}

func labelSet(list []Label) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, l := range list {
		set[l.ID] = true
	}
	return set
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
