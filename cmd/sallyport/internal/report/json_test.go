package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

const schemaFile = "../../../../docs/schema/report.v1.schema.json"

func jsonOf(t *testing.T, r *Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := writeJSON(&b, r, Options{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestJSONFollowsSchema(t *testing.T) {
	schema, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.Draft = jsonschema.Draft2020
	c.LoadURL = func(url string) (io.ReadCloser, error) { return nil, errors.New("the schema loads " + url) }
	if err := c.AddResource("report.json", bytes.NewReader(schema)); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(data []byte) error {
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			return err
		}
		return compiled.Validate(v)
	}
	reports := map[string]*Report{"sample": Build(sample()), "empty": Build(Input{})}
	for kind, name := range hostileNames {
		reports[kind] = reportNaming(shorten(name, 1000))
	}
	for name, r := range reports {
		if err := validate(jsonOf(t, r)); err != nil {
			t.Errorf("%s: %#v", name, err)
		}
	}
	good := string(jsonOf(t, Build(sample())))
	for _, c := range []struct{ old, new string }{
		{`"severity": "high"`, `"severity": "severe"`},
		{`"schemaVersion": "1"`, `"schemaVersion": "2"`},
		{`"pin": "none"`, `"pin": "none", "extra": 1`},
		{`"transport": "stdio",`, ``},
		{`"skippedRules": [`, `"skippedRules": null, "x": [`},
	} {
		if bad := strings.Replace(good, c.old, c.new, 1); bad == good || validate([]byte(bad)) == nil {
			t.Errorf("the schema takes %s for %s", c.new, c.old)
		}
	}
}

// The schema and the Go types have the same members, all of them required,
// and the same words.
func TestSchemaMatchesTypes(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	type node struct {
		Ref        string           `json:"$ref"`
		Defs       map[string]*node `json:"$defs"`
		Type       string           `json:"type"`
		Required   []string         `json:"required"`
		Properties map[string]*node `json:"properties"`
		Additional *bool            `json:"additionalProperties"`
		Items      *node            `json:"items"`
		AnyOf      []*node          `json:"anyOf"`
		Enum       []string         `json:"enum"`
		Const      string           `json:"const"`
	}
	var root node
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	var compare func(path string, n *node, typ reflect.Type, field string)
	compare = func(path string, n *node, typ reflect.Type, field string) {
		if n == nil {
			t.Errorf("%s: not in the schema", path)
			return
		}
		if name, ok := strings.CutPrefix(n.Ref, "#/$defs/"); ok {
			used[name] = true
			compare(path, root.Defs[name], typ, field)
			return
		}
		want := ""
		switch typ.Kind() {
		case reflect.Pointer:
			if len(n.AnyOf) != 2 || n.AnyOf[1].Type != "null" {
				t.Errorf("%s: the schema has no null", path)
				return
			}
			compare(path, n.AnyOf[0], typ.Elem(), field)
			return
		case reflect.Slice:
			if typ == rawMessage {
				break // any JSON
			}
			want = "array"
			compare(path+"[]", n.Items, typ.Elem(), field)
		case reflect.Struct:
			want = "object"
			var names []string
			for i := range typ.NumField() {
				f := typ.Field(i)
				if !f.IsExported() {
					continue
				}
				name := f.Tag.Get("json")
				names = append(names, name)
				compare(path+"."+name, n.Properties[name], f.Type, typ.Name()+"."+f.Name)
			}
			if len(n.Properties) != len(names) {
				t.Errorf("%s: the schema has %d members, the type has %v", path, len(n.Properties), names)
			}
			slices.Sort(names)
			slices.Sort(n.Required)
			if !slices.Equal(names, n.Required) {
				t.Errorf("%s: required %v, want %v", path, n.Required, names)
			}
			if n.Additional == nil || *n.Additional {
				t.Errorf("%s: other members are allowed", path)
			}
		case reflect.String:
			want = "string"
			enum := n.Enum
			if n.Const != "" {
				enum, want = []string{n.Const}, n.Type
			}
			if list, ok := words[field]; ok != (enum != nil) || !slices.Equal(list, enum) {
				t.Errorf("%s: enum %q, the program's words are %q", path, enum, list)
			}
		case reflect.Int, reflect.Int64:
			want = "integer"
		case reflect.Bool:
			want = "boolean"
		}
		if n.Type != want {
			t.Errorf("%s: the schema says %q, the type is %s", path, n.Type, typ)
		}
	}
	compare("report", &root, reflect.TypeFor[Report](), "")
	for name := range root.Defs {
		if !used[name] {
			t.Errorf("$defs/%s is used nowhere", name)
		}
	}
}

func TestJSONHostile(t *testing.T) {
	for kind, name := range hostileNames {
		want := reportNaming(name)
		got := jsonOf(t, want)
		if !utf8.Valid(got) || !bytes.HasSuffix(got, []byte("\n}\n")) || bytes.Contains(got, []byte("##[")) {
			t.Errorf("%s: no UTF-8, no single newline at the end, or a log command", kind)
		}
		for _, r := range string(got) {
			if r != '\n' && analyzers.Hidden(r) {
				t.Errorf("%s: %U is not escaped", kind, r)
				break
			}
		}
		var back Report
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if exact := strings.ToValidUTF8(name, "\ufffd"); kind != "no UTF-8" && back.Findings[0].Message != exact {
			t.Errorf("%s: came back as %.100q", kind, back.Findings[0].Message)
		}
	}
}

func TestJSONKeepsMarkup(t *testing.T) {
	r := Build(Input{Targets: []Target{{URI: "<a href='x'>&</a> 日本 🦀"}}})
	if got := jsonOf(t, r); !bytes.Contains(got, []byte("<a href='x'>&</a> 日本 🦀")) {
		t.Errorf("escaped without need:\n%s", got)
	}
}
