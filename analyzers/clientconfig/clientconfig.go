// Package clientconfig reads the files in which MCP clients declare servers,
// and the settings and hooks beside them: a table of formats (formats.go) and
// one reader that knows every spelling of a declaration.
package clientconfig

import (
	"bytes"
	"path"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/analyzers/launch"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// Analyzers returns one analyzer a row of the table and one for files that
// only their content gives away.
func Analyzers() []analyzers.Analyzer {
	var all []analyzers.Analyzer
	for _, f := range formats {
		all = append(all, analyzers.Analyzer{
			Name:    "clientconfig/" + f.client,
			Match:   analyzers.MatchTail(f.files...),
			Analyze: f.analyze,
		})
	}
	return append(all, analyzers.Analyzer{
		Name:    "clientconfig/" + generic.client,
		Match:   configLike,
		Sniff:   declaresServers,
		Analyze: generic.analyze,
	}, markdown)
}

func configLike(p string) analyzers.Match {
	switch path.Ext(p) {
	case ".json", ".jsonc", ".json5", ".toml", ".yaml", ".yml":
		return analyzers.Candidate
	}
	return analyzers.Ignored
}

// declaresServers looks for a key that holds declarations: quoted, as JSON
// writes it, at the start of a YAML line or in a TOML table's head.
func declaresServers(content []byte) bool {
	for _, key := range []string{"mcpServers", "mcp_servers", "context_servers", "mcp-servers", `"mcp"`} {
		for rest := content; ; {
			i := bytes.Index(rest, []byte(key))
			if i < 0 {
				break
			}
			before, after := byte('\n'), byte(0)
			if i > 0 {
				before = rest[i-1]
			}
			rest = rest[i+len(key):]
			if len(rest) > 0 {
				after = rest[0]
			}
			if key == `"mcp"` || before == '"' && after == '"' || before == '.' && after == '"' ||
				(before == '\n' || before == '[') && (after == ':' || after == '.' || after == ']') {
				return true
			}
		}
	}
	return false
}

func (f format) analyze(file analyzers.File, into *analyzers.Catalog) error {
	root, err := f.parse(file.Source)
	if err != nil || root == nil {
		return err
	}
	if !root.IsObject() {
		return &analyzers.ParseError{Kind: "malformed", Reason: "the top level is not an object, so no client reads it", Span: root.Span}
	}
	f.read(file, root, into)
	return nil
}

// read adds one document's servers, settings and hooks.
func (f format) read(file analyzers.File, root *tree.Node, into *analyzers.Catalog) []Declaration {
	r := reader{format: f, file: file, into: into, claimed: map[*tree.Node]bool{}}
	r.client = &analyzers.Client{Name: f.client, Exposure: file.Exposure, Scope: f.scope, Source: file.Source}
	for _, chain := range f.servers {
		if chain == "" && len(r.client.Servers) > 0 {
			continue
		}
		for _, holder := range lookup(root, chain) {
			r.declarations(holder, chain == "")
		}
	}
	if f.byContent && len(r.client.Servers) == 0 {
		return nil // the key meant something else
	}
	if shown := root.Get(f.surface); f.surface != "" && shown.IsObject() && len(r.client.Servers) == 1 {
		r.claimed[shown] = true
		r.surface(shown)
	}
	if shown := root.Get(f.surface); f.surface != "" && shown.IsObject() && len(r.client.Servers) == 1 {
		r.claimed[shown] = true
		r.surface(shown)
	}
	r.settings(root)
	r.hooks(root.Get("hooks"))
	r.repeats(root)
	into.Clients = append(into.Clients, r.client)
	return r.declared
}

// parse reads the file, or the YAML head of a Markdown file: then the rest is
// blanked, so that every place stays true. No head means nothing to read.
func (f format) parse(src *analyzers.Source) (*tree.Node, error) {
	if !f.frontMatter {
		return tree.Parse(src, tree.FormatOf(src.Path))
	}
	start, end, ok := frontMatter(src.Bytes)
	if !ok {
		return nil, nil
	}
	return tree.Parse(blanked(src, start, end), tree.YAML)
}

// frontMatter finds the bytes between a first line "---" and the next one.
func frontMatter(content []byte) (start, end int, ok bool) {
	body := bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	start = len(content) - len(body)
	first, rest, found := bytes.Cut(body, []byte("\n"))
	if !found || strings.TrimRight(string(first), "\r \t") != "---" {
		return 0, 0, false
	}
	start += len(first) + 1
	for end = start; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		if strings.TrimRight(string(line), "\r \t") == "---" {
			return start, end, true
		}
		end += len(rest) - len(after)
		rest = after
	}
	return 0, 0, false
}

// lookup follows a dotted chain of keys; "*" is every member, "" the node
// itself. A literal key with dots ("amp.mcpServers") is tried first. All
// duplicates of a key are followed: clients differ in which they take.
func lookup(n *tree.Node, chain string) []*tree.Node {
	if chain == "" {
		return []*tree.Node{n}
	}
	if !n.IsObject() {
		return nil
	}
	if found := n.All(chain); len(found) > 0 {
		return found
	}
	key, rest, _ := strings.Cut(chain, ".")
	next := n.All(key)
	if key == "*" {
		next = n.Children
	}
	var out []*tree.Node
	for _, child := range next {
		if key == chain {
			out = append(out, child)
		} else {
			out = append(out, lookup(child, rest)...)
		}
	}
	return out
}

// reader reads one file.
type reader struct {
	format  format
	file    analyzers.File
	into    *analyzers.Catalog
	client  *analyzers.Client
	claimed map[*tree.Node]bool // declarations, which are no settings

	declared []Declaration
}

// declarations reads a map or a list of servers. A bare map, where a file's
// whole top level is the map, holds only what looks like a declaration.
func (r *reader) declarations(holder *tree.Node, bare bool) {
	if !holder.IsObject() && !holder.IsArray() {
		return
	}
	if holder.IsObject() && (holder.Get("command").IsString() || holder.Get("transport").IsObject()) {
		r.declaration(holder, bare) // a single one, where a list was expected
		return
	}
	if !bare {
		r.claimed[holder] = true
	}
	for _, child := range holder.Children {
		r.declaration(child, bare)
	}
}

func (r *reader) declaration(n *tree.Node, bare bool) {
	if !n.IsObject() || bare && !declared(n) {
		return
	}
	r.claimed[n] = true
	s := &analyzers.Server{
		Name: n.Key, KeySpan: n.KeySpan, Span: n.Span,
		Client: r.client, Format: r.format.client, Exposure: r.file.Exposure,
	}
	if name := n.Get("name"); s.Name.IsZero() && name.IsString() {
		s.Name, s.KeySpan = name.Text, name.Span
	}
	if s.KeySpan.IsZero() {
		s.KeySpan = n.Span
	}
	d := declarationReader{server: s}
	for _, member := range n.Children {
		d.member(member, "")
	}
	d.finish()
	secrets := d.secrets
	for i := range secrets {
		secrets[i].Server, secrets[i].Exposure = s, s.Exposure
	}
	r.into.Secrets = append(r.into.Secrets, secrets...)
	r.into.Servers = append(r.into.Servers, s)
	r.client.Servers = append(r.client.Servers, s)
	r.declared = append(r.declared, Declaration{s, n})
}

// declared reports whether an object says how to reach a server.
func declared(n *tree.Node) bool {
	for _, key := range []string{"command", "cmd", "url", "serverUrl", "httpUrl", "uri"} {
		if v := n.Get(key); v.IsString() || v.IsArray() || v.IsObject() {
			return true
		}
	}
	return false
}

// surface reads what the one server of the file shows.
func (r *reader) surface(n *tree.Node) {
	s := r.client.Servers[0]
	s.Surface = capture.Surface(n)
	r.into.Secrets = append(r.into.Secrets, capture.Secrets(s)...)
}

// settings flattens what is not a declaration. The commands of hooks are kept
// apart.
func (r *reader) settings(root *tree.Node) {
	root.Walk(func(p string, n *tree.Node) bool {
		if r.claimed[n] || isHookCommand(p, n) {
			return false
		}
		if n.IsObject() || n.IsArray() {
			return true
		}
		r.client.Settings = append(r.client.Settings, analyzers.Setting{Path: p, Key: n.Key, Value: n.Text})
		for _, s := range secret.InVar("setting", n.Key.Raw(), n.Text) {
			s.Exposure = r.file.Exposure
			r.into.Secrets = append(r.into.Secrets, s)
		}
		return true
	})
}

func isHookCommand(p string, n *tree.Node) bool {
	return strings.HasPrefix(p, "hooks.") && n.Key.Raw() == "command" && n.IsString()
}

// hooks reads {"Event": [{"matcher": "", "hooks": [{"type":"command",
// "command":""}]}]} and the flatter shape {"event": [{"command": ""}]}.
func (r *reader) hooks(n *tree.Node) {
	if !n.IsObject() {
		return
	}
	for _, event := range n.Children {
		event.Walk(func(_ string, m *tree.Node) bool {
			if m.Key.Raw() == "command" && m.IsString() {
				words, _ := launch.Split(m.Text)
				r.client.Hooks = append(r.client.Hooks, analyzers.Hook{Event: event.Key.Raw(), Command: m.Text, Launch: launch.Resolve(words)})
				for _, s := range secret.InText("hook", event.Key.Raw(), m.Text) {
					s.Exposure = r.file.Exposure
					r.into.Secrets = append(r.into.Secrets, s)
				}
			}
			return true
		})
	}
}

// repeats notes every key that stands twice in one object.
func (r *reader) repeats(root *tree.Node) {
	root.Walk(func(p string, n *tree.Node) bool {
		if !n.IsObject() {
			return true
		}
		first := map[string]analyzers.Text{}
		for _, child := range n.Children {
			key := child.Key.Raw()
			if child.Dup {
				r.client.Repeats = append(r.client.Repeats, analyzers.Repeat{Path: p, Key: child.Key, First: first[key]})
			} else {
				first[key] = child.Key
			}
		}
		return true
	})
}
