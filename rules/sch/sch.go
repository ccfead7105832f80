// Package sch holds the rules on the schemas of tools: what a tool asks a model
// for, and what its schema lets through. Orders in the texts of a schema are
// judged by package judge, like all other texts.
package sch

import (
	"fmt"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

// param is one input of a tool, at any depth of its input schema. Inputs whose
// names are words of JSON Schema ("name", "title") are not told apart from
// these and are left out.
type param struct {
	server *analyzers.Server
	tool   *analyzers.Tool
	name   analyzers.Text
	path   string
	inside []analyzers.Field // the strings of its schema
}

// mostInside bounds how many strings of one parameter are looked at.
const mostInside = 256

// params calls visit with every input of every tool, in the order of the file.
func params(pass *rules.Pass, visit func(param)) {
	tools(pass, func(s *analyzers.Server, t *analyzers.Tool) {
		for i, f := range t.Fields {
			if f.Key && isParam(f) {
				end := i + 1
				for end < len(t.Fields) && end-i < mostInside && under(t.Fields[end].Path, f.Path) {
					end++
				}
				visit(param{s, t, f.Text, f.Path, t.Fields[i+1 : end]})
			}
		}
	})
}

func tools(pass *rules.Pass, visit func(*analyzers.Server, *analyzers.Tool)) {
	for _, s := range pass.Catalog.Servers {
		for _, t := range s.Surface.Tools {
			visit(s, t)
		}
	}
}

// isParam reports whether a key is a member of the object "properties" of an
// input schema.
func isParam(f analyzers.Field) bool {
	parent, ok := strings.CutSuffix(f.Path, f.Text.Raw())
	return ok && strings.HasPrefix(parent, "inputSchema.") && strings.HasSuffix(parent, ".properties.")
}

// under reports whether a path leads to something inside of another.
func under(path, of string) bool {
	return len(path) > len(of) && path[:len(of)] == of && (path[len(of)] == '.' || path[len(of)] == '[') || path == of
}

// member is the string that the parameter's own schema has under a keyword.
func (p param) member(keyword string) analyzers.Text {
	for _, f := range p.inside {
		if !f.Key && len(f.Path) == len(p.path)+1+len(keyword) && f.Path[len(p.path)] == '.' && strings.HasSuffix(f.Path, keyword) {
			return f.Text
		}
	}
	return analyzers.Text{}
}

// limited reports whether the parameter's schema says which strings it takes.
func (p param) limited() bool {
	for _, f := range p.inside {
		if rest := f.Path[len(p.path):]; strings.HasPrefix(rest, ".enum[") || rest == ".const" || rest == ".pattern" {
			return true
		}
	}
	return false
}

// textual reports whether the parameter takes a string.
func (p param) textual() bool {
	for _, f := range p.inside {
		rest := f.Path[len(p.path):]
		if rest == ".type" {
			return f.Text.Value == "string"
		}
		if strings.HasPrefix(rest, ".type[") || strings.HasPrefix(rest, ".anyOf[") || strings.HasPrefix(rest, ".oneOf[") {
			if f.Text.Value == "string" {
				return true
			}
		}
	}
	return len(p.inside) == 0
}

// required reports whether the object around the parameter requires it.
func (p param) required() bool {
	parent := strings.TrimSuffix(p.path, "properties."+p.name.Raw()) + "required["
	for _, f := range p.tool.Fields {
		if f.Text.Value == p.name.Value && strings.HasPrefix(f.Path, parent) {
			return true
		}
	}
	return false
}

// finding starts a finding about a place of the parameter.
func (p param) finding(span analyzers.Span, format string, args ...any) rules.Finding {
	f := rules.OnServer(p.server, span, p.path, format, args...)
	f.Tool = p.tool.Name.Raw()
	return f
}

// longestName is the longest name that is taken apart.
const longestName = 64

// words writes a name in lower case with underscores between its words:
// "sshKeyContent" and "SSH-key content" are ssh_key_content. Longer names are
// cut.
func words(into *[2 * longestName]byte, name string) []byte {
	out := into[:0]
	for i := 0; i < len(name) && i < longestName; i++ {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			lower := i > 0 && (name[i-1] >= 'a' && name[i-1] <= 'z' || name[i-1] >= '0' && name[i-1] <= '9')
			last := i > 0 && name[i-1] >= 'A' && name[i-1] <= 'Z' && i+1 < len(name) && name[i+1] >= 'a' && name[i+1] <= 'z'
			if len(out) > 0 && out[len(out)-1] != '_' && (lower || last) {
				out = append(out, '_')
			}
			out = append(out, c+'a'-'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= 0x80:
			out = append(out, c)
		default:
			if len(out) > 0 && out[len(out)-1] != '_' {
				out = append(out, '_')
			}
		}
	}
	if len(out) > 0 && out[len(out)-1] == '_' {
		out = out[:len(out)-1]
	}
	return out
}

// longestPurpose bounds how much of a description says what a tool is for.
const longestPurpose = 4096

// about reports whether the tool's name, title or description has one of the
// terms: whether a parameter is the tool's business.
func about(t *analyzers.Tool, terms []string) bool {
	for _, text := range [...]analyzers.Text{t.Name, t.Title, t.Description} {
		raw := text.Raw()
		low := strings.ToLower(raw[:min(len(raw), longestPurpose)])
		for _, term := range terms {
			if strings.Contains(low, term) {
				return true
			}
		}
	}
	return false
}

// tally collects what is said once for a server.
type tally struct {
	names []string // "run (command)", the first few
	count int
	at    analyzers.Span
}

const mostNames = 5

func (t *tally) add(at analyzers.Span, name string) {
	if t.count++; t.count == 1 {
		t.at = at
	}
	if len(t.names) < mostNames {
		t.names = append(t.names, name)
	}
}

// String lists what was collected.
func (t *tally) String() string {
	list := strings.Join(t.names, ", ")
	if more := t.count - len(t.names); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}
