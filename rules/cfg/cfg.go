// Package cfg holds the rules on client configuration: what starts, how, with
// which rights, and what the client agrees to in advance.
package cfg

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

// line is one command line that a client runs by itself: a server's or a
// hook's.
type line struct {
	server *analyzers.Server // nil for a hook
	client *analyzers.Client
	launch *analyzers.Launch
	hook   analyzers.Hook
}

// lines visits every command line of the catalog.
func lines(c *analyzers.Catalog, visit func(line)) {
	for _, s := range c.Servers {
		if s.Launch != nil {
			visit(line{server: s, client: s.Client, launch: s.Launch})
		}
	}
	for _, client := range c.Clients {
		for _, h := range client.Hooks {
			if h.Launch != nil {
				visit(line{client: client, launch: h.Launch, hook: h})
			}
		}
	}
}

// finding starts a finding about the line; format is told who runs it.
func (l line) finding(span analyzers.Span, subject, format string, args ...any) rules.Finding {
	args = append([]any{l.who()}, args...)
	if l.server != nil {
		return rules.OnServer(l.server, span, subject, format, args...)
	}
	return rules.OnClient(l.client, span, subject, format, args...)
}

func (l line) who() string {
	if l.server != nil {
		return `server "` + l.server.Name.String() + `"`
	}
	return `hook "` + analyzers.Untrusted(l.hook.Event).String() + `"`
}

// ofProject reports whether the line is a hook that a repository brings: the
// rule project-hook weighs those.
func (l line) ofProject() bool {
	return l.server == nil && l.client.Scope == analyzers.ScopeProject
}

// code returns what an interpreter is given on the line: a hook's whole
// command, since a shell reads it, or the launch's inline code.
func (l line) code() analyzers.Text {
	if l.server == nil {
		return l.hook.Command
	}
	return l.launch.Inline
}

// at is the first place in the line's own words, for findings about the whole.
func (l line) at() analyzers.Span {
	if l.server == nil {
		return l.hook.Command.Span
	}
	return l.launch.Argv[0].Span
}

// settings visits the settings of every server, and those of every client with
// a nil server.
func settings(c *analyzers.Catalog, visit func(client *analyzers.Client, server *analyzers.Server, s analyzers.Setting)) {
	for _, server := range c.Servers {
		for _, s := range server.Settings {
			visit(server.Client, server, s)
		}
	}
	for _, client := range c.Clients {
		for _, s := range client.Settings {
			visit(client, nil, s)
		}
	}
}

// on starts a finding about a server's setting, or a client's where server is
// nil.
func on(client *analyzers.Client, server *analyzers.Server, span analyzers.Span, subject, format string, args ...any) rules.Finding {
	if server != nil {
		return rules.OnServer(server, span, subject, format, args...)
	}
	return rules.OnClient(client, span, subject, format, args...)
}

// words takes a name apart: SOME_NAME, --some-name and someName are some, name.
func words(name string) []string {
	if len(name) > 256 {
		return nil
	}
	var out []string
	start, lower := -1, false
	for i, r := range name {
		letter := unicode.IsLetter(r) || unicode.IsDigit(r)
		if start >= 0 && (!letter || lower && unicode.IsUpper(r)) {
			out = append(out, strings.ToLower(name[start:i]))
			start = -1
		}
		if letter && start < 0 {
			start = i
		}
		lower = unicode.IsLower(r)
	}
	if start >= 0 {
		out = append(out, strings.ToLower(name[start:]))
	}
	return out
}

var (
	yes = pattern.Words("1 true yes on y t all any enable enabled full always *")
	no  = pattern.Words("0 false no off n f none disable disabled never")
)

func truthy(value string) bool { return yes.Has(strings.ToLower(strings.TrimSpace(value))) }
func falsy(value string) bool  { return no.Has(strings.ToLower(strings.TrimSpace(value))) }

// outside returns the host of a URL that leads off this machine. It is false
// for a placeholder, which has no host yet.
func outside(value string) (host string, ok bool) {
	if len(value) > 4096 || !strings.Contains(value, "://") {
		return "", false
	}
	u, err := url.Parse(strings.TrimSpace(value))
	if err != nil {
		return "", false
	}
	switch u.Scheme {
	case "http", "https", "ws", "wss", "ftp", "tcp", "udp":
	default:
		return "", false
	}
	host = strings.ToLower(u.Hostname())
	return host, host != "" && !loopback(host) && !strings.ContainsAny(host, "${}<>%")
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "host.docker.internal" || host == "host.containers.internal" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.IsLoopback() || addr.IsUnspecified())
}

// under reports whether a host is a domain or inside it.
func under(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// option takes an argument apart: --name=value, or --name and what follows.
// ok is false for what is no option.
func option(args []analyzers.Text, i int) (name string, value analyzers.Text, ok bool) {
	word := args[i].Raw()
	if len(word) < 2 || word[0] != '-' || strings.ContainsAny(word[:min(len(word), 3)], " \t") {
		return "", analyzers.Text{}, false
	}
	name, _, has := strings.Cut(word, "=")
	switch {
	case has:
		value = args[i].Slice(len(name)+1, len(word))
	case i+1 < len(args) && !strings.HasPrefix(args[i+1].Raw(), "-"):
		value = args[i+1]
	}
	return name, value, true
}

// own returns the arguments that reach the started program itself, and
// whether it runs in a container, whose files are not this machine's.
func own(l *analyzers.Launch) (args []analyzers.Text, contained bool) {
	if len(l.Inner) == 0 {
		return nil, len(l.Images) > 0
	}
	return l.Inner[1:], len(l.Images) > 0
}

// temporary reports whether a path lies where any program of the machine, or
// a browser's download, may put a file.
func temporary(path string) bool {
	if len(path) > 4096 {
		return false
	}
	p := strings.ToLower(strings.ReplaceAll(path, `\`, "/"))
	for _, dir := range [...]string{"/tmp/", "/var/tmp/", "/dev/shm/", "/private/tmp/", "$tmpdir/", "${tmpdir}/", "%temp%/", "%tmp%/", "$env:temp/"} {
		if strings.HasPrefix(p, dir) || p+"/" == dir {
			return true
		}
	}
	for _, dir := range [...]string{"/appdata/local/temp/", ":/windows/temp/", ":/temp/", "/users/public/", "/downloads/"} {
		if i := strings.Index(p, dir); i >= 0 && (dir != ":/temp/" || i == 1) && (dir != "/downloads/" || strings.Count(p[:i], "/") <= 2) {
			return true
		}
	}
	return false
}
