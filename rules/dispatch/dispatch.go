// Package dispatch recognises tools that call other tools: what is named in
// their arguments is what is really done ("call_tool", "mcp-exec", code mode).
package dispatch

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Shape is how a tool's arguments say what it calls.
type Shape struct {
	// Name is the argument that names the other tool, Arguments the one beside
	// it with the arguments of that. Both may lie deeper, behind dots.
	Name, Arguments string
	// Code is an argument with code that calls tools by name; then the others
	// are "".
	Code string
}

// Of recognises a tool by its inputSchema: an argument that can only be a
// tool's name beside one for its arguments, at the top or in the elements of a
// list; a plainer "name" only where the tool says by its own name that it calls
// tools; code only where the tool says that the code can call tools.
func Of(tool *analyzers.Tool) (Shape, bool) {
	if len(tool.InputSchema) == 0 || len(tool.InputSchema) > maxSchema {
		return Shape{}, false
	}
	s := read(tool.InputSchema)
	calls := calling(tool.Name.Raw())
	if found, ok := s.pair("", calls); ok {
		return found, true
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if strings.IndexByte(name, '.') >= 0 {
			continue
		}
		if found, ok := read(read(s.Properties[name]).Items).pair(name+".", calls); ok {
			return found, true
		}
	}
	said := strings.ToLower(tool.Description.Raw())
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := read(s.Properties[name])
		text := said + " " + strings.ToLower(p.Description)
		if codes[plain(name)] && p.is("string") && (calls || strings.Contains(text, "tools") && (strings.Contains(text, "call") || strings.Contains(text, "functions"))) {
			return Shape{Code: name}, true
		}
	}
	return Shape{}, false
}

// maxSchema bounds what is read.
const maxSchema = 256 << 10

// schema is what counts of a JSON Schema.
type schema struct {
	Type        any
	Description string
	Properties  map[string]json.RawMessage
	Items       json.RawMessage
}

// read is the schema of a text; members of another form are as if they were not
// there.
func read(raw json.RawMessage) *schema {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(raw, &members)
	s := &schema{Items: members["items"]}
	_ = json.Unmarshal(members["type"], &s.Type)
	_ = json.Unmarshal(members["description"], &s.Description)
	_ = json.Unmarshal(members["properties"], &s.Properties)
	return s
}

// is reports whether a value may be of a type.
func (s *schema) is(kind string) bool {
	switch t := s.Type.(type) {
	case nil:
		return true
	case string:
		return t == kind
	case []any:
		return slices.Contains(t, any(kind))
	}
	return false
}

// pair finds a tool's name and its arguments among the properties.
func (s *schema) pair(path string, calls bool) (Shape, bool) {
	name, arguments := "", ""
	for _, p := range slices.Sorted(maps.Keys(s.Properties)) {
		v := read(s.Properties[p])
		if strings.IndexByte(p, '.') >= 0 {
			continue
		}
		switch word := plain(p); {
		case v.is("string") && (names[word] || calls && looseNames[word] && name == ""):
			name = p
		case (v.is("object") || v.is("string")) && parameters[word]:
			arguments = p
		}
	}
	if name == "" || arguments == "" {
		return Shape{}, false
	}
	return Shape{Name: path + name, Arguments: path + arguments}, true
}

// plain is a name without what sets its words apart.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '_' || r == '-' || r == ' ':
			return -1
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// calling reports whether a tool's name says that it calls tools.
func calling(name string) bool {
	name = plain(name)
	for _, verb := range []string{"call", "execute", "exec", "run", "invoke", "use", "dispatch"} {
		for _, object := range []string{"tool", "tools", "mcp", "mcptool", "function", "capability"} {
			if strings.HasSuffix(name, verb+object) || strings.HasSuffix(name, object+verb) {
				return true
			}
		}
	}
	return false
}

func words(list string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(list) {
		set[word] = true
	}
	return set
}

// The names of arguments, in their plain form.
var (
	names      = words("tool toolname toolid toolslug targettool mcptool mcptoolname functionname")
	looseNames = words("name method function action id slug command operation")
	parameters = words("arguments args params parameters input inputs toolargs toolarguments toolinput toolparams toolparameters payload kwargs inputdata data")
	codes      = words("code script source program javascript typescript python")
)
