package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

// planted are two secrets: one that only its value gives away and one that
// only its shape does. They are made up.
const (
	plantedValue = "correcthorse"
	plantedShape = "ghp_" + "q7RtZ2mVx9LbK4sYw1NcH8dJf6GpE3uTa5Wo"
)

var hostileText = "x " + plantedValue + " y " + plantedShape + " z"

// plant puts both secrets into every string below v.
func plant(v reflect.Value, depth int) {
	switch v.Type() {
	case reflect.TypeFor[*analyzers.Source]():
		v.Set(reflect.ValueOf(&analyzers.Source{Path: hostileText, Bytes: []byte("a\n" + hostileText + "\n" + hostileText)}))
		return
	case reflect.TypeFor[analyzers.Span]():
		src := &analyzers.Source{Path: hostileText, Bytes: []byte("a\n" + hostileText + "\n" + hostileText)}
		v.Set(reflect.ValueOf(src.Span(6, 20)))
		return
	case reflect.TypeFor[json.RawMessage]():
		quoted, _ := json.Marshal(hostileText)
		v.Set(reflect.ValueOf(json.RawMessage(fmt.Sprintf(`{%s: [%s, {"n": 5}, null, true]}`, quoted, quoted))))
		return
	case reflect.TypeFor[*rules.Rule](), reflect.TypeFor[analyzers.OffsetMap]():
		return
	case reflect.TypeFor[*analyzers.Client]():
		if depth > 3 {
			return // a server leads back to its client
		}
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostileText)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		plant(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		plant(v.Index(0), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			plant(v.Field(i), depth+1)
		}
	}
}

func TestNoSecretLeaves(t *testing.T) {
	in := Input{Catalog: &analyzers.Catalog{}}
	plant(reflect.ValueOf(&in.Catalog).Elem(), 0)
	plant(reflect.ValueOf(&in.Targets).Elem(), 0)
	plant(reflect.ValueOf(&in.Skipped).Elem(), 0)
	plant(reflect.ValueOf(&in.Findings).Elem(), 0)
	in.Version = hostileText
	in.Catalog.Secrets = []analyzers.Secret{{Text: analyzers.Text{Value: plantedValue}}}
	rule := &rules.Rule{ID: "some-rule"}
	in.Findings[0].Rule = rule
	in.Findings = append(in.Findings, rules.Finding{Rule: rule, Severity: rules.High, Span: in.Catalog.Clients[0].Source.Span(2, 9), Message: hostileText})

	r := Build(in)
	if len(r.Catalog.Servers) != 1 || len(r.Catalog.Servers[0].Surface.Tools) != 1 || len(r.Findings) != 2 || r.Findings[0].frame == nil {
		t.Fatalf("the report is not full: %+v", r)
	}
	masked := 0
	each(reflect.ValueOf(r).Elem(), "", func(v reflect.Value, name string) {
		if v.Kind() == reflect.String && strings.Contains(v.String(), mask) {
			masked++
		}
	})
	if masked < 40 {
		t.Errorf("only %d strings are masked", masked)
	}
	check := func(where, output string) {
		for _, s := range []string{plantedValue, plantedShape, plantedShape[4:], plantedShape[:12]} {
			if strings.Contains(output, s) {
				t.Errorf("%s holds %q:\n%.3000s", where, s, output)
			}
		}
	}
	for _, format := range Formats {
		var b bytes.Buffer
		if err := format.Write(&b, r, Options{Rules: []*rules.Rule{rule}}); err != nil {
			t.Fatal(err)
		}
		check(format.Name, b.String())
	}
	check("the report", fmt.Sprintf("%+v %+v", r, *r.Findings[0].frame))
}

// The walk over the report must know every kind of field that there is: what
// it does not know it empties.
func TestReportHasKnownKindsOnly(t *testing.T) {
	var visit func(typ reflect.Type)
	visit = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Bool, reflect.Int, reflect.Int64, reflect.String, reflect.Uint8:
		case reflect.Slice, reflect.Pointer:
			visit(typ.Elem())
		case reflect.Struct:
			for i := range typ.NumField() {
				f := typ.Field(i)
				if f.Type == reflect.TypeFor[*frame]() {
					continue
				}
				if !f.IsExported() {
					t.Errorf("%s.%s is not exported: nothing masks it", typ, f.Name)
				}
				if f.Type == reflect.TypeFor[[]byte]() {
					t.Errorf("%s.%s: bytes are not masked", typ, f.Name)
				}
				visit(f.Type)
			}
		default:
			t.Errorf("%s: each does not know the kind %s", typ, typ.Kind())
		}
	}
	visit(reflect.TypeFor[Report]())
}

func TestWordsNameFields(t *testing.T) {
	fields := map[string]bool{}
	var visit func(typ reflect.Type)
	visit = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Slice, reflect.Pointer:
			visit(typ.Elem())
		case reflect.Struct:
			for i := range typ.NumField() {
				fields[typ.Name()+"."+typ.Field(i).Name] = true
				visit(typ.Field(i).Type)
			}
		}
	}
	visit(reflect.TypeFor[Report]())
	for name := range words {
		if !fields[name] {
			t.Errorf("words: the report has no %s", name)
		}
	}
	for name := range shapes {
		if !fields[name] {
			t.Errorf("shapes: the report has no %s", name)
		}
	}
}

func maskerOf(values ...string) *masker {
	c := &analyzers.Catalog{}
	for _, v := range values {
		c.Secrets = append(c.Secrets, analyzers.Secret{Text: analyzers.Text{Value: analyzers.Untrusted(v)}})
	}
	return newMasker(c)
}

func TestMaskString(t *testing.T) {
	long := "q7RtZ2mVx9LbK4sYw1NcH8dJf6GpE3uTa5WoXq3vB8nM2zLk7Jh" +
		"äöüäöüäöüäöüäöüä" + "tail"
	for _, c := range []struct {
		name   string
		values []string
		in     string
		want   string
	}{
		{"none", nil, "nothing here", "nothing here"},
		{"value", []string{"hunter2x"}, "a hunter2x b", "a **** b"},
		{"twice, side by side", []string{"hunter2x"}, "hunter2xhunter2x", "****"},
		{"part of a word", []string{"hunter2x"}, "prehunter2xpost", "pre****post"},
		{"longest first", []string{"abcd", "abcdefgh"}, "abcdefgh abcdef", "**** ****ef"},
		{"overlapping values", []string{"abcdef", "defghi"}, "abcdefghi", "****"},
		{"shorter than four", []string{"abc"}, "abc abc", "abc abc"},
		{"four characters", []string{"ab界d"}, "-ab界d-", "-****-"},
		{"long", []string{long}, "<" + long + ">", "<****>"},
		{"long, cut short", []string{long}, long[:63] + "…", "****…"},
		{"escaped", []string{"ab\x1b[cd\n"}, `"ab\u{1b}[cd\u{a}" and ` + `"ab\x1b[cd\n"`, `"****" and "****"`},
		{"in a query", []string{"p w/d&1"}, "?k=p+w%2Fd%261&x=p%20w%2Fd&1 p w/d&1", "?k=****&x=**** ****"},
		{"surrounding space", []string{" hunter2x\n"}, "hunter2x", "****"},
		{"stars", []string{"****"}, "a **** b", "a **** b"},
		{"spelt by the mask itself", []string{"hunter2x", "a****b"}, "ahunter2xb", "****"},
		{"shape", nil, "key " + plantedShape + ".", "key ****."},
	} {
		if got := maskerOf(c.values...).string(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestMaskOwnPlace(t *testing.T) {
	_, in := sourceOf("a.json", `["--pin=987", "--n=987"]`)
	at := in(`--pin=987`)
	m := newMasker(&analyzers.Catalog{Secrets: []analyzers.Secret{{Text: at.Slice(6, 9)}}})
	if got := m.text(at); got != "--pin=****" {
		t.Errorf("its own place: %q", got)
	}
	if got := m.text(in("--n=987")); got != "--n=987" {
		t.Errorf("another place: %q", got)
	}
	if got := m.text(analyzers.Text{Value: "987"}); got != "987" {
		t.Errorf("no place: %q", got)
	}
}

// Too short to be masked by its value, so every text must be masked by place.
func TestBuildMasksOwnPlaces(t *testing.T) {
	src := &analyzers.Source{Path: "a.json", Bytes: []byte("<987>")}
	text := analyzers.Text{Value: "<987>", Span: src.Span(0, 5)}
	item := analyzers.Item{Kind: "prompt", Name: text, Title: text, Description: text}
	r := Build(Input{Catalog: &analyzers.Catalog{
		Secrets: []analyzers.Secret{{Text: text.Slice(1, 4)}},
		Servers: []*analyzers.Server{{
			Name: text, Command: text, Args: []analyzers.Text{text}, URL: text, Remotes: []analyzers.Text{text}, Env: []analyzers.Var{{Name: text}},
			Surface: analyzers.Surface{Instructions: text, Tools: []*analyzers.Tool{{Item: item}}, Prompts: []*analyzers.Item{&item}},
		}},
	}})
	if got := string(jsonOf(t, r)); strings.Contains(got, "987") || strings.Count(got, "<****>") != 13 {
		t.Errorf("%d masked in\n%s", strings.Count(got, "<****>"), got)
	}
}

func TestMaskOwnPlaceInEscapes(t *testing.T) {
	// The value is written as é=\u0031\u00322 in the file: é=122.
	raw := `é=\u0031\u00322!`
	src := &analyzers.Source{Bytes: []byte(`"` + raw + `"`)}
	whole := analyzers.Text{Value: "é=122!", Span: src.Span(1, 1+len(raw))}
	for _, at := range [][2]int{{0, 0}, {3, 3}, {4, 9}, {5, 15}, {7, 17}} {
		whole.Map = append(whole.Map, analyzers.Mark{Decoded: at[0], Raw: at[1]})
	}
	for _, c := range []struct {
		start, end int
		want       string
	}{{3, 6, "é=****!"}, {3, 4, "é=****22!"}, {4, 6, "é=1****!"}, {0, 7, "****"}, {6, 7, "é=122****"}} {
		m := newMasker(&analyzers.Catalog{Secrets: []analyzers.Secret{{Text: whole.Slice(c.start, c.end)}}})
		if got := m.text(whole); got != c.want {
			t.Errorf("[%d,%d): %q, want %q", c.start, c.end, got, c.want)
		}
	}
}

func TestMaskJSON(t *testing.T) {
	m := maskerOf("hunter2x", "12345678")
	for _, c := range []struct{ in, want string }{
		{`{"b": 1, "a": [ ]}`, `{"b": 1, "a": [ ]}`}, // untouched, byte for byte
		{`{"b":1.50,"b":{"hunter2x":["a hunter2x",null,true,-1e9]},"c":"<&>"}`, `{"b":1.50,"b":{"****":["a ****",null,true,-1e9]},"c":"<&>"}`},
		{`"h\u0075nter2x"`, `"****"`},
		{`[12345678,{},[],[[]],{"k":{}}]`, `["****",{},[],[[]],{"k":{}}]`},
		{`{"a":`, `{}`},
		{``, ``},
	} {
		if got := string(m.json(json.RawMessage(c.in))); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

// A password that is one of the program's own words must not take the words
// out of the report.
func TestWordsStay(t *testing.T) {
	in := sample()
	for _, w := range []string{"critical", "high", "medium", "stdio", "none", "declares", "unpinned-package", "cafe", "sallyport", "directory"} {
		in.Catalog.Secrets = append(in.Catalog.Secrets, analyzers.Secret{Text: analyzers.Text{Value: analyzers.Untrusted(w)}})
	}
	got, want := Build(in), Build(sample())
	for i, f := range want.Findings {
		g := got.Findings[i]
		if g.RuleID != f.RuleID || g.Severity != f.Severity || g.Fingerprint != f.Fingerprint {
			t.Errorf("finding %d: %+v, want %+v", i, g, f)
		}
	}
	if got.Catalog.Servers[0].Transport != "stdio" || got.Catalog.Edges[0].Kind != "declares" || got.Tool.Name != "sallyport" {
		t.Errorf("words are masked: %+v", got)
	}
}

func FuzzMask(f *testing.F) {
	f.Add("hunter2x", "a hunter2x b", "")
	f.Add("ab\x1b[cd\n", "x", "y")
	f.Add(strings.Repeat("é", 40), "é", "\xff")
	f.Fuzz(func(t *testing.T, value, before, after string) {
		m := maskerOf(value)
		if len([]rune(value)) < shortestValue || strings.Trim(value, "*") == "" {
			return
		}
		if got := m.string(before + value + after); strings.Contains(got, value) {
			t.Errorf("%q is in %q", value, got)
		}
	})
}
