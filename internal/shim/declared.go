package shim

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/clientconfig"
)

// declared reads the command lines of servers from a client's configuration:
// of the one that is named, or of all, or of those that are named.
func (o *options) declared(names []string, w World) error {
	content, err := os.ReadFile(o.servers)
	if err != nil {
		return hint("--servers FILE", "%s: %s", analyzers.Untrusted(o.servers), reason(err))
	}
	c, err := configuration(filepath.ToSlash(o.servers), content)
	if err != nil {
		return hint("a file such as .mcp.json", "%s: %s", analyzers.Untrusted(o.servers), err)
	}
	var there []string
	found := map[string]bool{}
	for _, s := range c.Servers {
		there = append(there, s.Name.String())
		name := s.Name.Raw()
		if len(names) > 0 && !slices.Contains(names, name) || found[name] {
			continue
		}
		if s.Launch == nil || s.Disabled {
			if len(names) > 0 {
				return hint("", "%s: server %q has no command, or is disabled", analyzers.Untrusted(o.servers), s.Name)
			}
			if !o.quiet {
				fmt.Fprintf(w.Stderr, "sallyport: %s is left out: it has no command, or is disabled\n", s.Name)
			}
			continue
		}
		if strings.HasPrefix(s.Launch.Program, "sallyport") && len(names) != 1 {
			// One that serves the file in which it stands would start itself for ever.
			if !o.quiet {
				fmt.Fprintf(w.Stderr, "sallyport: %s is left out: it is Sallyport itself\n", s.Name)
			}
			continue
		}
		found[name] = true
		each := *o
		each.name, each.argv, each.dir, each.several = name, nil, s.Cwd.Raw(), nil
		for _, word := range s.Launch.Argv {
			each.argv = append(each.argv, word.Raw())
		}
		each.env = nil
		for _, v := range s.Env {
			value, ok := expand(v.Value.Raw(), func(name string) string { return env(w, name) })
			if !ok {
				return hint("set it where sallyport starts, and leave it out here", "%s: server %q: only the client knows the value of the variable %q", analyzers.Untrusted(o.servers), s.Name, v.Name)
			}
			each.env = append(each.env, v.Name.Raw()+"="+value)
		}
		o.several = append(o.several, &each)
	}
	for _, name := range names {
		if !found[name] {
			return hint("it declares "+strings.Join(there, ", "), "%s declares no server %q", analyzers.Untrusted(o.servers), analyzers.Untrusted(name))
		}
	}
	if len(o.several) == 0 {
		return hint("it declares "+strings.Join(there, ", "), "%s declares no enabled server with a command", analyzers.Untrusted(o.servers))
	}
	if len(names) == 1 { // as without a configuration
		o.argv, o.dir, o.env, o.several = o.several[0].argv, o.several[0].dir, o.several[0].env, nil
	}
	return nil
}

// lockedWriter takes the lines of several servers.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// expand puts in what clients put into the values of variables: ${NAME},
// ${env:NAME} and ${NAME:-otherwise}. It is false for what only a client knows,
// such as ${input:token}.
func expand(value string, env func(string) string) (string, bool) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(value, "${")
		out.WriteString(before)
		if !found {
			return out.String(), true
		}
		inner, after, closed := strings.Cut(rest, "}")
		name, otherwise, _ := strings.Cut(strings.TrimPrefix(inner, "env:"), ":-")
		if !closed || name == "" || strings.Contains(name, ":") {
			return "", false
		}
		if set := env(name); set != "" {
			otherwise = set
		}
		out.WriteString(otherwise)
		value = after
	}
}

// configuration reads a client's configuration, whichever client's it is.
func configuration(name string, content []byte) (*analyzers.Catalog, error) {
	file := analyzers.File{Source: &analyzers.Source{Path: name, Bytes: content}, Exposure: analyzers.Active}
	err := error(analyzers.ErrForeign)
	for _, a := range clientconfig.Analyzers() {
		var c analyzers.Catalog
		if a.Match(name) == analyzers.Ignored {
			continue
		}
		switch fault := a.Analyze(file, &c); {
		case fault == nil && len(c.Servers) > 0:
			return &c, nil
		case fault != nil && !errors.Is(fault, analyzers.ErrForeign):
			err = fault
		}
	}
	return nil, err
}
