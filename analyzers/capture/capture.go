// Package capture reads saved answers of MCP servers: tools/list and its
// siblings, as clients and inspectors save them. The shapes understood are a
// plain {"tools": [...], "instructions": "", "serverInfo": {}}, a bare list of
// definitions, JSON-RPC responses, lists of pages, and maps from a server's
// name to any of these. What sallyport inspect writes is the first of them, and
// says besides how the server was started or where it was reached: its Format
// is "inspection", that of all others "capture".
//
// It also reads saved traffic: JSON-RPC messages in a list, one a line (JSON
// Lines, logs of clients), each alone or in an envelope such as {"direction":
// "", "message": {}} or {"request": {}, "response": {}}. What a model or a
// person reads of them (results, prompts, resources, errors, progress, log
// entries, elicitation, sampling, completions) becomes Documents.
package capture

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// Analyzer returns the analyzer of captures. It knows them by content: no file
// name is theirs.
func Analyzer() analyzers.Analyzer {
	return analyzers.Analyzer{
		Name: "capture",
		Match: func(p string) analyzers.Match {
			switch path.Ext(p) {
			case ".json", ".jsonl", ".ndjson", ".log":
				return analyzers.Candidate
			}
			return analyzers.Ignored
		},
		Sniff:   sniff,
		Analyze: analyze,
	}
}

var members = []string{"tools", "prompts", "resources", "resourceTemplates", "instructions"}

func sniff(content []byte) bool {
	for _, m := range members {
		if bytes.Contains(content, []byte(`"`+m+`"`)) {
			return true
		}
	}
	return bytes.Contains(content, []byte(`"inputSchema"`)) || bytes.Contains(content, []byte(`"tools/call"`)) || framed(content)
}

func analyze(file analyzers.File, into *analyzers.Catalog) error {
	r := &reader{file: file, servers: map[string]*analyzers.Server{}}
	base, _, _ := strings.Cut(path.Base(file.Path), ".")
	stem := analyzers.Text{Value: analyzers.Untrusted(base)}
	root, err := tree.Parse(file.Source, tree.JSONC)
	var messages []envelope
	var bad *analyzers.ParseError
	switch {
	case err == nil:
		messages = envelopes(root, analyzers.Text{}, 0, nil)
	case framed(file.Bytes):
		messages, bad = r.lines()
	}
	docs, limited, traffic := r.readTraffic(messages, stem)
	if err != nil && !traffic {
		if path.Ext(file.Path) == ".json" && bytes.Contains(file.Bytes, []byte(`"inputSchema"`)) {
			return err
		}
		return analyzers.ErrForeign
	}
	if !traffic || ownSurface(root) {
		r.node(root, stem, 0)
	}
	if len(r.order) == 0 && !traffic {
		return analyzers.ErrForeign
	}
	into.Documents = append(into.Documents, docs...)
	if inspected(root) && len(r.order) > 0 {
		into.Secrets = append(into.Secrets, identify(r.named(root, stem), root)...)
	}
	for _, s := range r.order {
		into.Servers = append(into.Servers, s)
		into.Secrets = append(into.Secrets, Secrets(s)...)
	}
	for _, d := range docs {
		for _, f := range d.Fields {
			for _, found := range secret.InText("text", f.Path, f.Text) {
				found.Server, found.Exposure = d.Server, d.Exposure
				into.Secrets = append(into.Secrets, found)
			}
		}
	}
	if limited {
		return &analyzers.ParseError{Kind: "limit", Reason: fmt.Sprintf("the messages hold more than %d values; the rest is not judged", maxFields)}
	}
	if bad != nil {
		return bad
	}
	return nil
}

// ownSurface reports whether a file that holds messages is a capture beside.
func ownSurface(root *tree.Node) bool {
	if isMessage(root) {
		return false
	}
	if inspected(root) {
		return true
	}
	for _, key := range surfaces {
		if list := root.Get(key); list.IsArray() && definitions(list) {
			return true
		}
	}
	return false
}

// maxNesting bounds how deep an envelope may hide a surface: map of servers,
// list of pages, response, result.
const maxNesting = 5

type reader struct {
	file    analyzers.File
	servers map[string]*analyzers.Server
	order   []*analyzers.Server
	// once holds the definitions of saved traffic, where clients ask again and
	// again; nil keeps all.
	once map[string]bool
}

// node reads whatever n is, on behalf of the server called name.
func (r *reader) node(n *tree.Node, name analyzers.Text, depth int) {
	switch {
	case depth > maxNesting:
	case n.IsArray():
		if definitions(n) {
			r.items(r.server(name, n), "tool", n)
			return
		}
		for _, page := range n.Children {
			if page.IsObject() {
				r.node(page, name, depth+1)
			}
		}
	case n.IsObject():
		r.object(n, name, depth)
	}
}

func (r *reader) object(n *tree.Node, name analyzers.Text, depth int) {
	if result := n.Get("result"); result.IsObject() {
		r.node(result, name, depth+1)
		return
	}
	initialize := n.Get("initialize")
	name = called(n, name)
	found := false
	for _, part := range parts {
		if list := n.Get(part.key); list.IsArray() && (definitions(list) || inspected(n) || len(list.Children) == 0 && n.Get("serverInfo").IsObject()) {
			r.items(r.server(name, n), part.kind, list)
			found = true
		}
	}
	for _, greeting := range []*tree.Node{n, initialize} {
		if declared := Capabilities(greeting.Get("capabilities")); declared != nil && (found || greeting.Get("protocolVersion").IsString() || greeting.Get("supportedVersions").IsArray()) {
			r.server(name, n).Surface.Capabilities = declared
			found = true
		}
	}
	for _, instructions := range []*tree.Node{n.Get("instructions"), initialize.Get("instructions")} {
		if instructions.IsString() && (found || n.Get("serverInfo").IsObject() || n.Get("protocolVersion").IsString() || initialize.IsObject()) {
			r.server(name, n).Surface.Instructions = instructions.Text
			found = true
		}
	}
	if found {
		return
	}
	for _, child := range n.Children {
		if child.IsObject() || child.IsArray() && definitions(child) {
			r.node(child, child.Key, depth+1)
		}
	}
}

// called is what a capture says its server is called, or else name.
func called(n *tree.Node, name analyzers.Text) analyzers.Text {
	for _, info := range []*tree.Node{n.Get("serverInfo"), n.Get("initialize", "serverInfo"), n.Get("_meta", "io.modelcontextprotocol/serverInfo")} {
		if said := info.Get("name"); said.IsString() {
			return said.Text
		}
	}
	return name
}

// definitions reports whether a list holds definitions of a surface: objects
// with a name and something that says what it is for.
func definitions(list *tree.Node) bool {
	for _, n := range list.Children {
		if (n.Get("name").IsString() || n.Get("uri").IsString() || n.Get("uriTemplate").IsString()) &&
			(n.Get("inputSchema") != nil || n.Get("description").IsString() || n.Get("uri") != nil || n.Get("uriTemplate") != nil) {
			return true
		}
	}
	return false
}

func (r *reader) server(name analyzers.Text, n *tree.Node) *analyzers.Server {
	if s := r.servers[name.Raw()]; s != nil {
		return s
	}
	s := &analyzers.Server{Name: name, Format: "capture", Exposure: r.file.Exposure, Span: n.Span, KeySpan: name.Span}
	if s.KeySpan.IsZero() {
		s.KeySpan = r.file.Span(n.Span.Start, n.Span.Start+1)
	}
	r.servers[name.Raw()] = s
	r.order = append(r.order, s)
	return s
}

func (r *reader) items(s *analyzers.Server, kind string, list *tree.Node) {
	for _, n := range list.Children {
		if item, ok := NewItem(kind, analyzers.Captured, n); ok && !r.repeated(s, item) {
			add(&s.Surface, item, n)
		}
	}
}

func add(s *analyzers.Surface, item *analyzers.Item, n *tree.Node) {
	switch item.Kind {
	case "tool":
		s.Tools = append(s.Tools, NewTool(item, n))
	case "prompt":
		s.Prompts = append(s.Prompts, item)
	case "resource":
		s.Resources = append(s.Resources, item)
	case "template":
		s.Templates = append(s.Templates, item)
	}
}

// parts are the lists of a capture, and the kind of what they hold.
var parts = []struct{ key, kind string }{{"tools", "tool"}, {"prompts", "prompt"}, {"resources", "resource"}, {"resourceTemplates", "template"}, {"templates", "template"}}

// Surface reads a plain capture, {"tools": [...], "instructions": ""}, inside
// another document.
func Surface(n *tree.Node) analyzers.Surface {
	s := analyzers.Surface{Instructions: text(n.Get("instructions")), Capabilities: Capabilities(n.Get("capabilities"))}
	for _, part := range parts {
		list := n.Get(part.key)
		if !list.IsArray() {
			continue
		}
		for _, child := range list.Children {
			if item, ok := NewItem(part.kind, analyzers.Captured, child); ok {
				add(&s, item, child)
			}
		}
	}
	return s
}

// Secrets are the credentials in what a server shows.
func Secrets(s *analyzers.Server) []analyzers.Secret {
	var all []analyzers.Secret
	s.Surface.Fields(func(_ *analyzers.Item, f analyzers.Field) {
		for _, found := range secret.InText("text", f.Path, f.Text) {
			found.Server, found.Exposure = s, s.Exposure
			all = append(all, found)
		}
	})
	return all
}

// repeated reports whether the same definition was there before.
func (r *reader) repeated(s *analyzers.Server, item *analyzers.Item) bool {
	if r.once == nil {
		return false
	}
	key := item.Kind + "\x00" + s.Name.Raw() + "\x00" + string(item.Definition)
	if r.once[key] {
		return true
	}
	r.once[key] = true
	return false
}

// Name is what a definition of a kind is called: a resource by its URI, a
// template by its URI template, either by its name where it has none. An empty
// name is one: clients take it. It is false for what has no name.
func Name(kind string, n *tree.Node) (analyzers.Text, bool) {
	names := []string{"name"}
	switch kind {
	case "resource":
		names = []string{"uri", "name"}
	case "template":
		names = []string{"uriTemplate", "name"}
	}
	for _, key := range names {
		if v := n.Get(key); v.IsString() {
			return v.Text, true
		}
	}
	return analyzers.Text{}, false
}

// NewItem reads a definition of a surface from its JSON form. It is false for
// what has no name.
func NewItem(kind string, origin analyzers.Origin, n *tree.Node) (*analyzers.Item, bool) {
	item := &analyzers.Item{Kind: kind, Origin: origin, Span: n.Span}
	named := false
	if item.Name, named = Name(kind, n); !named {
		return nil, false
	}
	item.Title, item.Description = text(n.Get("title")), text(n.Get("description"))
	item.Fields = fields(n)
	definition, err := n.JSON()
	if err != nil {
		item.Unresolved = append(item.Unresolved, analyzers.Unresolved{Field: "", Reason: err.Error()})
	}
	item.Definition = definition
	return item, true
}

// NewTool adds what only tools have.
func NewTool(item *analyzers.Item, n *tree.Node) *analyzers.Tool {
	t := &analyzers.Tool{Item: *item}
	for key, into := range map[string]*[]byte{"inputSchema": (*[]byte)(&t.InputSchema), "outputSchema": (*[]byte)(&t.OutputSchema), "annotations": (*[]byte)(&t.Annotations)} {
		if v := n.Get(key); v != nil {
			*into, _ = v.JSON() // NewItem has said why, if it cannot be rendered
		}
	}
	return t
}

func text(n *tree.Node) analyzers.Text {
	if n.IsString() {
		return n.Text
	}
	return analyzers.Text{}
}

// fields returns every string of a definition, keys included but for the
// vocabulary of MCP and JSON Schema, which every server shares.
func fields(n *tree.Node) []analyzers.Field {
	var out []analyzers.Field
	n.Walk(func(p string, v *tree.Node) bool {
		if key := v.Key.Raw(); p != "" && key != "" && !vocabulary.Has(key) {
			out = append(out, analyzers.Field{Path: p, Key: true, Text: v.Key})
		}
		if v.IsString() && v.Text.Value != "" {
			out = append(out, analyzers.Field{Path: p, Text: v.Text})
		}
		return true
	})
	return out
}

// vocabulary is the member names of MCP definitions and of JSON Schema
// 2020-12.
var vocabulary = pattern.Words(`name title description inputSchema outputSchema annotations _meta icons
	readOnlyHint destructiveHint idempotentHint openWorldHint execution taskSupport arguments required uri uriTemplate mimeType size
	audience priority lastModified src sizes
	$schema $id $ref $defs $comment $anchor $dynamicRef $dynamicAnchor $vocabulary definitions type properties items enum const
	default examples format pattern minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength minItems maxItems
	uniqueItems contains minContains maxContains minProperties maxProperties additionalProperties patternProperties propertyNames
	dependentRequired dependentSchemas allOf anyOf oneOf not if then else prefixItems unevaluatedItems unevaluatedProperties
	contentEncoding contentMediaType contentSchema deprecated readOnly writeOnly nullable`)
