package runtime

import (
	"bytes"
	"slices"
	"sync"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/text"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// judge applies the rules of a scan to live traffic, so that a finding has the
// id that it would have in CI.
type judge struct {
	rules    func() []*rules.Rule
	manifest *manifest.Manifest

	once      sync.Once
	ready     bool
	all       []*rules.Rule
	ofText    []*rules.Rule // those that read what a server passes on
	looks     []*rules.Look // theirs, each once; nil where one of them reads everything
	statement *analyzers.Source
}

func (j *judge) prepare() {
	j.once.Do(func() {
		j.all = j.rules()
		for _, r := range j.all {
			if r.Messages {
				j.ofText = append(j.ofText, r)
			}
		}
		j.looks = looksOf(j.ofText)
		if j.manifest != nil {
			if b, err := j.manifest.Bytes(); err == nil {
				j.statement = &analyzers.Source{Path: "manifest", Bytes: b}
			}
		}
		j.ready = true
	})
	if !j.ready { // once does not try again, and without rules nothing is judged
		panic("the rules cannot be prepared")
	}
}

// overlap is how much of a long text is judged twice, so that nothing hides at
// the edge of a piece.
const overlap = 2 << 10

// piece is how much of a text the rules read at once.
const piece = 60 << 10

// fields are the texts below a value, in pieces, up to a budget of bytes. It is
// false when there is more.
func fields(path string, b []byte, at jsonrpc.Range, budget int) ([]analyzers.Field, bool) {
	src := &analyzers.Source{Path: path, Bytes: b}
	out := make([]analyzers.Field, 0, 4) // a result of one text has two
	for leaf := range jsonrpc.Texts(src, at) {
		raw := leaf.Text.Raw()
		if leaf.Key && ordinary[raw] || len(raw) == 0 {
			continue
		}
		if budget -= len(raw); budget < 0 {
			return out, false
		}
		f := analyzers.Field{Path: pointerPath(path, leaf.Pointer), Key: leaf.Key, Text: leaf.Text}
		if len(raw) <= piece {
			out = append(out, f)
			continue
		}
		for start := 0; start < len(raw); start += piece - overlap {
			end := min(start+piece, len(raw))
			f.Text = leaf.Text.Slice(start, end)
			out = append(out, f)
			if end == len(raw) {
				break
			}
		}
	}
	return out, true
}

// looksOf are the looks of rules, each once; nil where one of them has none.
func looksOf(all []*rules.Rule) []*rules.Look {
	var looks []*rules.Look
	for _, r := range all {
		switch {
		case r.Look == nil:
			return nil
		case r.Look != rules.NothingOvert && !slices.Contains(looks, r.Look):
			looks = append(looks, r.Look)
		}
	}
	return append(looks, rules.NothingOvert)
}

// glance is how long a value may be for a first look: a long one is rather not
// clear, and would be read twice.
const glance = 2 << 10

// clear reports that the rules find nothing in any of the texts below a value, by
// their first looks. Most messages need no more. Parts is how many of the texts
// are read as one, which is another matter (split).
func (j *judge) clear(m *jsonrpc.Message, at jsonrpc.Range, budget int) (clear bool, parts int) {
	if at.End-at.Start > min(budget, glance) {
		return false, 0
	}
	var room [16]glanced
	var buf [256]byte // for texts with escapes
	all, worth := room[:0], false
	for r, key := range jsonrpc.Strings(m.Bytes, at) {
		raw := m.Text(r, buf[:0])
		if ordinary[string(raw)] && (key || len(raw) < shortest) {
			continue
		}
		if len(all) == len(room) {
			return false, 0
		}
		said := string(raw)
		if part(said, key) {
			parts++
		}
		worth = worth || worthJudging(said)
		all = append(all, glanced{said, key})
	}
	if !worth {
		return true, parts
	}
	if j.prepare(); j.looks == nil {
		return false, 0
	}
	for _, g := range all {
		views := text.Overt(g.text)
		if views == nil {
			return false, 0
		}
		for _, look := range j.looks {
			if !look.Clear(views, g.key) {
				return false, 0
			}
		}
	}
	return true, parts
}

// glanced is a text and whether it is the key of a member.
type glanced struct {
	text string
	key  bool
}

// ordinary are the member names of MCP results.
var ordinary = map[string]bool{
	"content": true, "type": true, "text": true, "isError": true, "structuredContent": true, "_meta": true, "uri": true, "mimeType": true,
	"contents": true, "messages": true, "role": true, "resource": true, "annotations": true, "audience": true, "priority": true, "data": true,
	"blob": true, "name": true, "title": true, "description": true, "resultType": true, "message": true, "progress": true, "total": true,
	"progressToken": true, "level": true, "logger": true, "code": true, "completion": true, "values": true, "hasMore": true,
}

// pointerPath spells a JSON Pointer as the paths of fields are, behind head.
func pointerPath(head string, pointer []byte) string {
	b := append(make([]byte, 0, len(head)+len(pointer)+8), head...)
	for len(pointer) > 0 {
		token := pointer[1:] // behind the slash
		if i := bytes.IndexByte(token, '/'); i >= 0 {
			token = token[:i]
		}
		pointer = pointer[1+len(token):]
		switch {
		case len(token) == 0:
		case len(bytes.Trim(token, "0123456789")) == 0:
			b = append(append(append(b, '['), token...), ']')
		default:
			b = append(b, '.')
			for i := 0; i < len(token); i++ {
				if token[i] == '~' && i+1 < len(token) {
					i++
					b = append(b, "~/"[token[i]&1])
					continue
				}
				b = append(b, token[i])
			}
		}
	}
	return string(b)
}

// texts judges what a server passes on: kind is a Document's.
func (j *judge) texts(kind, called string, fields []analyzers.Field) []rules.Finding {
	if !slices.ContainsFunc(fields, func(f analyzers.Field) bool { return worthJudging(f.Text.Raw()) }) {
		return nil
	}
	j.prepare()
	of := &struct { // one piece of memory
		catalog   analyzers.Catalog
		document  analyzers.Document
		documents [1]*analyzers.Document
	}{document: analyzers.Document{Kind: kind, Name: analyzers.Text{Value: analyzers.Untrusted(called)}, Exposure: analyzers.Active, Fields: fields}}
	of.documents[0] = &of.document
	of.catalog.Documents = of.documents[:]
	return rules.Check(&of.catalog, j.ofText)
}

// shortest is the length of the shortest text that can order anything.
const shortest = 12

// worthJudging reports whether the rules can find anything in a text: a short
// one of plain characters says nothing.
func worthJudging(raw string) bool {
	if len(raw) >= shortest {
		return true
	}
	for i := range len(raw) {
		if raw[i] < ' ' || raw[i] > '~' {
			return true
		}
	}
	return false
}

// surface judges definitions by themselves: those of a server that has no
// manifest.
func (j *judge) surface(server string, s analyzers.Surface) []rules.Finding {
	j.prepare()
	return rules.Check(&analyzers.Catalog{Servers: []*analyzers.Server{live(server, s)}}, j.all)
}

// drift judges a surface against the manifest: what has changed, as a scan
// would report it.
func (j *judge) drift(server string, s analyzers.Surface) []rules.Finding {
	j.prepare()
	at := live(server, s)
	c := &analyzers.Catalog{Servers: []*analyzers.Server{at}}
	if j.statement != nil {
		c.Manifests = []*analyzers.Manifest{{Source: j.statement, Statement: j.statement, Status: analyzers.ManifestVerified, Named: true, For: at, Exposure: analyzers.Active}}
	}
	var out []rules.Finding
	for _, f := range rules.Check(c, j.all) {
		if f.Rule.Family() == "drf" {
			out = append(out, f)
		}
	}
	return out
}

func live(server string, s analyzers.Surface) *analyzers.Server {
	return &analyzers.Server{ID: server, Name: analyzers.Text{Value: analyzers.Untrusted(server)}, Format: "capture", Exposure: analyzers.Active, Surface: s}
}

// worst is the highest severity among findings.
func worst(found []rules.Finding) rules.Severity {
	level := rules.Severity(0)
	for _, f := range found {
		level = max(level, f.Severity)
	}
	return level
}

// definition reads one element of a list. It is nil for what has no name or
// cannot be read.
func definition(kind string, raw []byte) (*analyzers.Tool, *analyzers.Item) {
	root, err := tree.Parse(&analyzers.Source{Path: kind, Bytes: slices.Clone(raw)}, tree.JSON)
	if err != nil {
		return nil, nil
	}
	item, ok := capture.NewItem(kind, analyzers.Live, root)
	if !ok {
		return nil, nil
	}
	if kind == "tool" {
		t := capture.NewTool(item, root)
		return t, &t.Item
	}
	return nil, item
}
