package clientconfig

import (
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/launch"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// declarationReader reads one server's declaration, in any client's spelling.
type declarationReader struct {
	server  *analyzers.Server
	sse     bool // a url without a type means HTTP+SSE here
	http    bool
	secrets []analyzers.Secret
}

// member reads one member of the declaration. Where a key stands twice, the
// later one wins, as in most decoders; the rule on duplicate keys speaks of it.
func (d *declarationReader) member(n *tree.Node, prefix string) {
	s := d.server
	key := n.Key.Raw()
	switch key {
	case "command", "cmd", "path":
		d.command(n, prefix)
		return
	case "args", "arguments":
		if n.IsArray() {
			s.Args = texts(n)
			return
		}
	case "env", "envs", "environment":
		s.Env = append(s.Env, vars(n)...)
		return
	case "headers", "http_headers":
		s.Headers = append(s.Headers, vars(n)...)
		return
	case "requestOptions", "transport", "command.env":
		if n.IsObject() {
			for _, child := range n.Children {
				d.member(child, key+".")
			}
			return
		}
		if n.IsString() {
			d.transport(n.Str())
			return
		}
	case "url", "serverUrl", "httpUrl", "uri", "endpoint":
		if n.IsString() {
			s.URL = n.Text
			d.http = d.http || key == "httpUrl"
			d.sse = d.sse || key == "url" && strings.HasPrefix(s.Format, "gemini")
			return
		}
	case "type", "transportType":
		if n.IsString() {
			d.transport(n.Str())
			return
		}
	case "cwd", "workingDirectory":
		if n.IsString() {
			s.Cwd = n.Text
			return
		}
	case "disabled":
		s.Disabled = n.Text.Raw() == "true"
	case "enabled":
		s.Disabled = n.Text.Raw() == "false"
	}
	n.Walk(func(p string, leaf *tree.Node) bool {
		if leaf.IsObject() || leaf.IsArray() {
			return true
		}
		full := prefix + key
		if p != "" {
			full += separator(p) + p
		}
		s.Settings = append(s.Settings, analyzers.Setting{Path: full, Key: leaf.Key, Value: leaf.Text})
		d.secrets = append(d.secrets, secret.InVar("setting", leaf.Key.Raw(), leaf.Text)...)
		return true
	})
}

func separator(p string) string {
	if strings.HasPrefix(p, "[") {
		return ""
	}
	return "."
}

// command reads a program: a string, a list with its arguments, or an object
// with both.
func (d *declarationReader) command(n *tree.Node, prefix string) {
	s := d.server
	switch {
	case n.IsString():
		s.Command = n.Text
	case n.IsArray():
		if all := texts(n); len(all) > 0 {
			s.Command, s.Args = all[0], all[1:]
		}
	case n.IsObject() && prefix == "":
		for _, child := range n.Children {
			d.member(child, "command.")
		}
	}
}

func (d *declarationReader) transport(word string) {
	switch strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(word)) {
	case "stdio", "local":
		d.server.Transport = analyzers.Stdio
	case "http", "streamablehttp", "remote", "ws", "websocket":
		d.server.Transport = analyzers.HTTP
	case "sse":
		d.server.Transport = analyzers.SSE
	}
}

// finish draws the conclusions that need the whole declaration.
func (d *declarationReader) finish() {
	s := d.server
	switch {
	case s.Transport != "":
	case !s.Command.IsZero():
		s.Transport = analyzers.Stdio
	case s.URL.IsZero():
	case d.sse && !d.http, strings.HasSuffix(strings.TrimRight(s.URL.Raw(), "/"), "/sse"):
		s.Transport = analyzers.SSE
	default:
		s.Transport = analyzers.HTTP
	}
	if !s.Command.IsZero() {
		argv := append([]analyzers.Text{s.Command}, s.Args...)
		if len(s.Args) == 0 && strings.ContainsAny(strings.TrimSpace(s.Command.Raw()), " \t") {
			if words, _ := launch.Split(s.Command); len(words) > 0 {
				argv = words
			}
		}
		s.Launch = launch.Resolve(argv)
	}
	if !s.URL.IsZero() {
		s.Remotes = append(s.Remotes, s.URL)
	}
	if l := s.Launch; l != nil {
		s.Packages, s.Images = l.Packages, l.Images
		s.Remotes = append(s.Remotes, l.Remotes...)
		d.secrets = append(d.secrets, secret.InArgs(l.Argv)...)
	}
	d.secrets = append(d.secrets, secret.InText("url", "", s.URL)...)
	for _, v := range s.Env {
		d.secrets = append(d.secrets, secret.InVar("env", v.Name.Raw(), v.Value)...)
	}
	for _, v := range s.Headers {
		d.secrets = append(d.secrets, secret.InVar("header", v.Name.Raw(), v.Value)...)
	}
}

// texts returns the scalars of a list.
func texts(n *tree.Node) []analyzers.Text {
	var out []analyzers.Text
	for _, child := range n.Children {
		if !child.IsObject() && !child.IsArray() {
			out = append(out, child.Text)
		}
	}
	return out
}

// vars reads {"K": "V"}, [{"name": "K", "value": "V"}] and ["K=V"].
func vars(n *tree.Node) []analyzers.Var {
	var out []analyzers.Var
	for _, child := range n.Children {
		switch {
		case child.IsObject():
			if name := child.Get("name"); name.IsString() {
				v := analyzers.Var{Name: name.Text}
				if value := child.Get("value"); value != nil {
					v.Value = value.Text
				}
				out = append(out, v)
			}
		case child.IsArray():
		case n.IsArray():
			name, value, _ := strings.Cut(child.Text.Raw(), "=")
			out = append(out, analyzers.Var{Name: child.Text.Slice(0, len(name)), Value: child.Text.Slice(len(child.Text.Raw())-len(value), len(child.Text.Raw()))})
		default:
			out = append(out, analyzers.Var{Name: child.Key, Value: child.Text})
		}
	}
	return out
}
