package capture_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
)

const tool = `{"name":"find","description":"Finds.","inputSchema":{"type":"object","properties":{"path":{"type":"string","description":"Where","x-note":"n"}}}}`

func read(t testing.TB, content string) (*analyzers.Catalog, error) {
	t.Helper()
	var c analyzers.Catalog
	err := capture.Analyzer().Analyze(analyzers.File{Source: &analyzers.Source{Path: "x/saved.tools.json", Bytes: []byte(content)}, Exposure: analyzers.Project}, &c)
	return &c, err
}

func summary(c *analyzers.Catalog) string {
	var parts []string
	for _, s := range c.Servers {
		parts = append(parts, fmt.Sprintf("%s:%d,%d,%d,%d,%q", s.Name, len(s.Surface.Tools), len(s.Surface.Prompts), len(s.Surface.Resources), len(s.Surface.Templates), s.Surface.Instructions))
	}
	return strings.Join(parts, " ")
}

func TestShapes(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"plain":         {`{"tools":[` + tool + `],"instructions":"Use it."}`, `saved:1,0,0,0,"Use it."`},
		"with its name": {`{"serverInfo":{"name":"acme"},"tools":[` + tool + `]}`, `acme:1,0,0,0,""`},
		"bare list":     {`[` + tool + `,` + tool + `]`, `saved:2,0,0,0,""`},
		"response":      {`{"jsonrpc":"2.0","id":1,"result":{"tools":[` + tool + `]}}`, `saved:1,0,0,0,""`},
		"pages":         {`[{"result":{"tools":[` + tool + `],"nextCursor":"2"}},{"result":{"tools":[` + tool + `]}}]`, `saved:2,0,0,0,""`},
		"servers":       {`{"a":{"tools":[` + tool + `]},"b":[` + tool + `]}`, `a:1,0,0,0,"" b:1,0,0,0,""`},
		"initialize":    {`{"package":"p","initialize":{"serverInfo":{"name":"acme"},"instructions":"Hi."},"tools":[` + tool + `]}`, `acme:1,0,0,0,"Hi."`},
		"modern":        {`{"result":{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"acme"}},"tools":[` + tool + `]}}`, `acme:1,0,0,0,""`},
		"others":        {`{"prompts":[{"name":"p","description":"d"}],"resources":[{"uri":"file:///a","name":"a"}],"resourceTemplates":[{"uriTemplate":"file:///{x}","name":"t"}]}`, `saved:0,1,1,1,""`},
		"no tools":      {`{"serverInfo":{"name":"acme"},"tools":[]}`, `acme:0,0,0,0,""`},
		"comments":      {`{"tools":[` + tool + `,], /* saved by hand */}`, `saved:1,0,0,0,""`},
	} {
		got, err := read(t, c.content)
		if err != nil || summary(got) != c.want {
			t.Errorf("%s: %s, %v; want %s", name, summary(got), err, c.want)
		}
	}
}

func TestForeign(t *testing.T) {
	for _, content := range []string{
		`{"tools":["hammer","saw"]}`, `{"tools":{"build":"make"}}`, `{"name":"package","version":"1.0.0"}`, `[]`, `"tools"`, `{"instructions":"Assemble the shelf."}`, `{"tools":`,
	} {
		if c, err := read(t, content); !errors.Is(err, analyzers.ErrForeign) {
			t.Errorf("%s: %v, %s", content, err, summary(c))
		}
	}
	if _, err := read(t, `{"tools":[{"inputSchema":`); err == nil || errors.Is(err, analyzers.ErrForeign) {
		t.Errorf("a truncated capture: %v", err)
	}
}

// Every string of a definition is a field with its place; the vocabulary of
// JSON Schema is not.
func TestFields(t *testing.T) {
	c, err := read(t, `{"tools":[`+tool+`]}`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	c.Servers[0].Surface.Fields(func(_ *analyzers.Item, f analyzers.Field) {
		kind := "="
		if f.Key {
			kind = "?"
		}
		if string(f.Text.Span.Raw()) != f.Text.Raw() {
			t.Errorf("%s: the place holds %q", f.Path, f.Text.Span.Raw())
		}
		got = append(got, f.Path+kind+f.Text.Raw())
	})
	want := "name=find description=Finds. inputSchema.type=object inputSchema.properties.path?path inputSchema.properties.path.type=string " +
		"inputSchema.properties.path.description=Where inputSchema.properties.path.x-note?x-note inputSchema.properties.path.x-note=n"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
	if raw := string(c.Servers[0].Surface.Tools[0].Definition); raw != tool {
		t.Errorf("the definition is %s", raw)
	}
}

func FuzzCapture(f *testing.F) {
	f.Add([]byte(`{"serverInfo":{"name":"a"},"launch":{"command":"npx","args":["-y","a@1"]},"inspection":{},"tools":[{"name":"a"}],"messages":[{"server":"a","message":{"jsonrpc":"2.0","id":1,"method":"roots/list"}}]}`))
	f.Add([]byte(`{"tools":[` + tool + `]}`))
	f.Add([]byte(`{"a":{"result":{"tools":[{"name":"\u0061\ud83d\ude00","description":"\u200b","inputSchema":{"$ref":"#"}}]}}}`))
	f.Add([]byte(`[[{"name":"x","description":"y"}],{"resources":[{"uri":""}]}]`))
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := read(t, string(content))
		if err != nil {
			return
		}
		for _, s := range c.Servers {
			s.Surface.Fields(func(_ *analyzers.Item, field analyzers.Field) {
				if p := field.Text.Span; p.Start < 0 || p.Start > p.End || p.End > len(content) {
					t.Fatalf("%s at [%d,%d) of %d bytes", field.Path, p.Start, p.End, len(content))
				}
			})
		}
	})
}
