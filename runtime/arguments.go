package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// schema is a tool's inputSchema as it was approved. What cannot be compiled
// within the limits is not used, and says so: then only names are compared.
type schema struct {
	compiled *jsonschema.Schema
	unused   string            // why it is not compiled; "" when it is
	names    map[string]string // of the top-level properties, by their folded form
	exact    map[string]bool   // the same, as they are
	plain    *plain            // the schema, where it says little enough; else nil
}

// The limits of a schema that is used (its author is not trusted): doubling
// allOf and deep nesting take the library minutes.
const (
	maxSchema      = 256 << 10 // bytes
	maxSchemaDepth = 64
	maxSchemaPaths = 10_000 // ways through $ref, allOf, anyOf and oneOf
)

var errRemote = errors.New("a schema that lies elsewhere is not fetched")

// newSchema compiles an inputSchema.
func newSchema(raw json.RawMessage) *schema {
	s := &schema{names: map[string]string{}, exact: map[string]bool{}}
	if len(raw) == 0 {
		s.unused = "the tool has no inputSchema"
		return s
	}
	root, err := decode(raw)
	if err != nil {
		s.unused = "the inputSchema is no JSON"
		return s
	}
	object, ok := root.(map[string]any)
	if !ok {
		s.unused = "the inputSchema is no object"
		return s
	}
	if properties, ok := object["properties"].(map[string]any); ok {
		for name := range properties {
			s.names[fold(name)], s.exact[name] = name, true
		}
	}
	if s.unused = lint(raw, object); s.unused != "" {
		return s
	}
	s.compiled, err = compile(raw)
	if err != nil {
		withoutPatterns(object, 0) // the library's patterns are RE2; JavaScript's are not
		if raw, err = json.Marshal(object); err == nil {
			s.compiled, err = compile(raw)
		}
	}
	if err != nil {
		s.compiled, s.unused = nil, "the inputSchema is no valid JSON Schema"
		return s
	}
	s.plain = newPlain(root)
	return s
}

func compile(raw []byte) (s *jsonschema.Schema, err error) {
	defer func() {
		if recover() != nil {
			s, err = nil, errors.New("the schema cannot be compiled")
		}
	}()
	c := jsonschema.NewCompiler()
	c.Draft = jsonschema.Draft2020 // MCP 2025-11-25: the default dialect
	c.LoadURL = func(string) (io.ReadCloser, error) { return nil, errRemote }
	if err := c.AddResource("mem:///schema.json", bytes.NewReader(raw)); err != nil {
		return nil, err
	}
	return c.Compile("mem:///schema.json")
}

// lint refuses what the library cannot evaluate in bounded time.
func lint(raw []byte, root map[string]any) string {
	if len(raw) > maxSchema {
		return fmt.Sprintf("the inputSchema has more than %d bytes", maxSchema)
	}
	l := linter{root: root, budget: maxSchemaPaths}
	l.walk(root, 0)
	return l.fault
}

type linter struct {
	root   map[string]any
	budget int
	fault  string
}

// walk follows every way through a schema, references too, as often as an
// evaluation may.
func (l *linter) walk(v any, depth int) {
	if l.fault != "" {
		return
	}
	if l.budget--; l.budget < 0 {
		l.fault = fmt.Sprintf("the inputSchema has more than %d ways through its references", maxSchemaPaths)
		return
	}
	if depth > maxSchemaDepth {
		l.fault = fmt.Sprintf("the inputSchema is nested more than %d deep", maxSchemaDepth)
		return
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			l.walk(e, depth+1)
		}
	case map[string]any:
		for key, e := range v {
			switch key {
			case "enum", "const", "default", "examples", "$defs", "definitions":
			case "$ref":
				// One that leads back to where it is allowed is walked until the
				// depth ends it; recursion over data is bounded by the data.
				if ref, ok := e.(string); ok && depth < maxSchemaDepth/2 {
					l.walk(l.at(ref), depth+1)
				}
			default:
				l.walk(e, depth+1)
			}
		}
	}
}

// at is what a local reference names, nil for others.
func (l *linter) at(ref string) any {
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	var v any = l.root
	for part := range strings.SplitSeq(path, "/") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[references.Replace(part)]
	}
	return v
}

// withoutPatterns takes out what only another dialect of regular expressions
// can read.
func withoutPatterns(v any, depth int) {
	if depth > maxSchemaDepth {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			withoutPatterns(e, depth+1)
		}
	case map[string]any:
		if _, ok := v["pattern"].(string); ok {
			delete(v, "pattern")
		}
		delete(v, "patternProperties")
		for _, e := range v {
			withoutPatterns(e, depth+1)
		}
	}
}

// check says what is wrong with arguments; "" when nothing is. The arguments
// are a JSON object, or nil where the call has none.
func (s *schema) check(b []byte, arguments jsonrpc.Range) string {
	for key := range jsonrpc.Members(b, arguments) {
		raw := key.In(b)
		if s.exact[string(raw[1:len(raw)-1])] {
			continue
		}
		name := string(raw[1 : len(raw)-1])
		if strings.IndexByte(name, '\\') >= 0 {
			_ = json.Unmarshal(raw, &name)
		}
		if declared, ok := s.names[fold(name)]; ok && declared != name {
			// encoding/json would read it as the declared one.
			return fmt.Sprintf("the argument %q is another spelling of %q", analyzers.Untrusted(name), analyzers.Untrusted(declared))
		}
	}
	if s.compiled == nil || s.plain != nil && s.plain.accepts(b, arguments) {
		return ""
	}
	raw := arguments.In(b)
	if raw == nil || string(raw) == "null" {
		raw = []byte("{}")
	}
	v, err := decode(raw)
	if err != nil {
		return "the arguments cannot be read"
	}
	return violation(s.compiled, v)
}

// violation is what a value does not fulfil, without quoting the value.
func violation(s *jsonschema.Schema, v any) (reason string) {
	defer func() {
		if recover() != nil {
			reason = "the arguments cannot be compared with the schema"
		}
	}()
	err := s.Validate(v)
	var invalid *jsonschema.ValidationError
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &invalid):
		return "the arguments cannot be compared with the schema"
	}
	for len(invalid.Causes) > 0 {
		invalid = invalid.Causes[0]
	}
	at := invalid.InstanceLocation
	if at == "" {
		at = "the arguments"
	}
	keyword := invalid.KeywordLocation[strings.LastIndexByte(invalid.KeywordLocation, '/')+1:]
	if keyword == "required" || keyword == "additionalProperties" {
		// The message names members, not values.
		return fmt.Sprintf("%s: %s", analyzers.Untrusted(at), analyzers.Untrusted(shorten(invalid.Message)))
	}
	return fmt.Sprintf("%s does not fulfil %q of the approved schema", analyzers.Untrusted(at), analyzers.Untrusted(keyword))
}

// maxExponent bounds a number: the library computes with exact fractions.
const maxExponent = 400

// decode reads JSON with exact numbers, within what the library can bear.
func decode(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return v, numbers(v)
}

func numbers(v any) error {
	switch v := v.(type) {
	case json.Number:
		_, exponent, ok := strings.Cut(strings.ToLower(string(v)), "e")
		digits := strings.TrimLeft(strings.TrimLeft(exponent, "+-"), "0")
		if ok && (len(digits) > 3 || len(digits) == 3 && digits > fmt.Sprint(maxExponent)) {
			return errors.New("a number is out of bounds")
		}
	case []any:
		for _, e := range v {
			if err := numbers(e); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, e := range v {
			if err := numbers(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// fold is a name as encoding/json compares it: letters of either case, the long
// s and the Kelvin sign are alike.
func fold(name string) string {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return kin.Replace(strings.ToLower(name))
		}
	}
	return strings.ToLower(name)
}

// kin are the letters that fold into ASCII.
var kin = strings.NewReplacer("ſ", "s", "K", "k")

// references undoes the escapes of a JSON Pointer.
var references = strings.NewReplacer("~1", "/", "~0", "~")

// shorten cuts text for a message.
func shorten(s string) string {
	const enough = 160
	if len(s) <= enough {
		return s
	}
	end := enough
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}
