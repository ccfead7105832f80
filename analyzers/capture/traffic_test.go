package capture_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
)

// said is "server kind name path=text,path=text" of every document.
func said(c *analyzers.Catalog) string {
	var out []string
	for _, d := range c.Documents {
		var fields []string
		for _, f := range d.Fields {
			sign := "="
			if f.Key {
				sign = "?"
			}
			fields = append(fields, f.Path+sign+f.Text.Raw())
		}
		out = append(out, fmt.Sprintf("%s %s %q %s", d.Server.Name, d.Kind, d.Name, strings.Join(fields, ",")))
	}
	return strings.Join(out, "\n")
}

func readAs(t testing.TB, p, content string) (*analyzers.Catalog, error) {
	t.Helper()
	var c analyzers.Catalog
	a := capture.Analyzer()
	if a.Match(p) != analyzers.Candidate || !a.Sniff([]byte(content)) {
		return &c, analyzers.ErrForeign
	}
	err := a.Analyze(analyzers.File{Source: &analyzers.Source{Path: p, Bytes: []byte(content)}, Exposure: analyzers.Project}, &c)
	checkPlaces(t, &c, content)
	return &c, err
}

// checkPlaces: a text that is spelt as in the file lies at its own bytes.
func checkPlaces(t testing.TB, c *analyzers.Catalog, content string) {
	t.Helper()
	check := func(path string, text analyzers.Text) {
		s := text.Span
		if s.IsZero() || s.Start < 0 || s.Start > s.End || s.End > len(content) {
			t.Fatalf("%s at [%d,%d) of %d bytes", path, s.Start, s.End, len(content))
		}
		if text.Map == nil && content[s.Start:s.End] != text.Raw() {
			t.Fatalf("%s is %q, its place holds %q", path, text.Raw(), content[s.Start:s.End])
		}
	}
	for _, d := range c.Documents {
		if d.Server == nil || d.Source == nil || d.Span.IsZero() || d.Exposure == "" {
			t.Fatalf("%s lacks its server, source, place or exposure", d.Kind)
		}
		for _, f := range d.Fields {
			check(f.Path, f.Text)
		}
	}
	for _, s := range c.Servers {
		s.Surface.Fields(func(_ *analyzers.Item, f analyzers.Field) { check(f.Path, f.Text) })
	}
}

const (
	hello = `{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"acme","version":"1"},"instructions":"Be kind."}}`
	call  = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find","arguments":{"path":"x"}}}`
	found = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"A page."}],"isError":false}}`
)

func TestMessages(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"result": {`[` + hello + `,` + call + `,` + found + `]`, `acme result "find" result.content[0].text=A page.`},
		"result with all": {`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"image","data":"` + strings.Repeat("QUJD", 90) + `","mimeType":"image/png"},{"type":"resource","resource":{"uri":"file:///a","text":"Inside","blob":"AAAA"}},{"type":"resource_link","uri":"file:///b","name":"b","description":"A link"}],"structuredContent":{"note":"Hi","n":1}}}`,
			`saved result "" result.content[0].mimeType=image/png,result.content[1].resource.uri=file:///a,result.content[1].resource.text=Inside,result.content[2].uri=file:///b,result.content[2].name=b,result.content[2].description=A link,result.structuredContent.note?note,result.structuredContent.note=Hi,result.structuredContent.n?n`},
		"odd result": {`[` + call + `,{"jsonrpc":"2.0","id":1,"result":{"content":[{"text":"No type."}]}}]`, `saved result "find" result.content[0].text=No type.`},
		"prompt": {`[{"jsonrpc":"2.0","id":"a","method":"prompts/get","params":{"name":"review"}},{"jsonrpc":"2.0","id":"a","result":{"description":"D","messages":[{"role":"user","content":{"type":"text","text":"Review."}}]}}]`,
			`saved prompt "review" result.description=D,result.messages[0].content.text=Review.`},
		"resource": {`[{"jsonrpc":"2.0","id":2,"method":"resources/read","params":{"uri":"file:///a"}},{"jsonrpc":"2.0","id":2,"result":{"contents":[{"uri":"file:///a","mimeType":"text/plain","text":"T"},{"uri":"file:///b","blob":"AAAA"}]}}]`,
			`saved resource "file:///a" result.contents[0].uri=file:///a,result.contents[0].mimeType=text/plain,result.contents[0].text=T,result.contents[1].uri=file:///b`},
		"error":      {`[` + call + `,{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"No.","data":{"hint":"Try"}}}]`, `saved error "find" error.message=No.,error.data.hint?hint,error.data.hint=Try`},
		"completion": {`[` + call + `,{"jsonrpc":"2.0","id":3,"result":{"completion":{"values":["one","two"]}}}]`, `saved completion "" result.completion.values[0]=one,result.completion.values[1]=two`},
		"progress":   {`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1,"message":"Half."}}`, `saved progress "" params.message=Half.`},
		"log":        {`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","logger":"db","data":"Said."}}`, `saved log "db" params.data=Said.`},
		"task":       {`{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"1","statusMessage":"Busy."}}`, `saved progress "" params.statusMessage=Busy.`},
		"elicitation": {`{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"Who?","requestedSchema":{"type":"object","properties":{"pin":{"type":"string","title":"Your PIN"}}},"url":"https://x.example/a"}}`,
			`saved elicitation "" params.message=Who?,params.requestedSchema.type=object,params.requestedSchema.properties.pin?pin,params.requestedSchema.properties.pin.type=string,params.requestedSchema.properties.pin.title=Your PIN,params.url=https://x.example/a`},
		"sampling": {`{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"systemPrompt":"You are.","messages":[{"role":"user","content":{"type":"text","text":"Say."}}],"tools":[{"name":"t","description":"d"}],"maxTokens":9}}`,
			`saved sampling "" params.systemPrompt=You are.,params.messages[0].content.text=Say.,params.tools[0].name=t,params.tools[0].description=d`},
		"asked inside of a result": {`{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":{"message":"Who?"}}},"requestState":"s"}}`,
			`saved elicitation "" result.inputRequests.k.params.message=Who?`},
		"a model's answer": {`[` + call + `,{"jsonrpc":"2.0","id":9,"result":{"role":"assistant","model":"m","content":[{"type":"text","text":"Mine."}]}}]`, ``},
		"envelopes": {`[{"direction":"in","server":"beta","message":` + found + `},{"type":"rpc","data":[` + call + `,{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"No."}}]}]`,
			`beta result "" result.content[0].text=A page.` + "\n" + `saved error "find" error.message=No.`},
		"history": {`{"history":[{"request":{"method":"tools/call","params":{"name":"find"}},"response":{"content":[{"type":"text","text":"Here."}]}}],"jsonrpc":"kept"}`, `saved result "find" result.content[0].text=Here.`},
		"escapes": {`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"a\nb\u0041"}]}}`, "saved result \"\" result.content[0].text=a\nbA"},
	} {
		got, err := readAs(t, "x/saved.tools.json", c.content)
		if err != nil || said(got) != c.want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, err, said(got), c.want)
		}
		// The same, one message a line and behind a log's prefix.
		if list, ok := strings.CutPrefix(c.content, "["); ok && strings.HasSuffix(list, "]") {
			continue // commas inside of messages: see TestLines
		}
		line := "2026-01-02T03:04:05Z [acme] [info] {note} " + c.content + " { metadata: undefined }\r\n"
		got, err = readAs(t, "x/saved.log", "Starting {\n\n"+line)
		if err != nil || said(got) != c.want {
			t.Errorf("%s in a log: %v\ngot  %s\nwant %s", name, err, said(got), c.want)
		}
	}
}

// TestLines: definitions and messages in JSON Lines belong to one server, and a
// list that is asked for twice is there once, unless it has changed.
func TestLines(t *testing.T) {
	list := `{"jsonrpc":"2.0","id":2,"result":{"tools":[` + tool + `]}}`
	changed := strings.Replace(list, "Finds.", "Finds all.", 1)
	content := strings.Join([]string{call, hello, list, list, "", "# a note", changed, found, `[` + call + `,` + found + `]`, call + found}, "\n")
	for _, p := range []string{"saved.jsonl", "saved.ndjson", "saved.log", "saved.json"} {
		c, err := readAs(t, p, content)
		if err != nil || summary(c) != `acme:2,0,0,0,"Be kind."` {
			t.Errorf("%s: %s, %v", p, summary(c), err)
		}
		one := `acme result "find" result.content[0].text=A page.`
		if want := strings.Join([]string{one, one, one}, "\n"); said(c) != want {
			t.Errorf("%s: %s", p, said(c))
		}
	}
}

// TestBroken: what is cut is said, and the rest is read.
func TestBroken(t *testing.T) {
	for name, c := range map[string]struct{ content, kind, place string }{
		"cut":        {call + "\n" + found[:60] + "\n" + found, "malformed", found[:60]},
		"not JSON":   {call + "\n" + strings.Replace(found, "false", "nope", 1) + "\n" + found, "malformed", ""},
		"not UTF-8":  {call + "\n" + strings.Replace(found, "A page", "\xff", 1) + "\n" + found, "malformed", "\xff"},
		"deep":       {call + "\n" + `{"jsonrpc":"2.0","id":1,"result":` + strings.Repeat("[", 400) + strings.Repeat("]", 400) + "}\n" + found, "malformed", ""},
		"one of two": {call + "\n" + strings.Replace(found, "false", "nope", 1) + found, "malformed", ""},
	} {
		got, err := readAs(t, "x.jsonl", c.content)
		var parse *analyzers.ParseError
		if !errors.As(err, &parse) || parse.Kind != c.kind || c.place != "" && string(parse.Span.Raw()) != c.place {
			t.Errorf("%s: %v", name, err)
		}
		if len(got.Documents) != 1 {
			t.Errorf("%s: %d documents", name, len(got.Documents))
		}
	}
}

// TestOthers: other protocols on JSON-RPC, other logs, and data sets.
func TestOthers(t *testing.T) {
	for name, c := range map[string]struct{ path, content string }{
		"LSP":          {"lsp.log", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"processId":1,"capabilities":{}}}` + "\n" + `{"jsonrpc":"2.0","id":1,"result":{"capabilities":{"hoverProvider":true}}}` + "\n" + `{"jsonrpc":"2.0","id":2,"result":{"contents":{"kind":"markdown","value":"Text"}}}`},
		"Ethereum":     {"rpc.jsonl", `{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[]}` + "\n" + `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"execution reverted"}}`},
		"A2A":          {"a2a.json", `[{"jsonrpc":"2.0","id":1,"method":"message/send","params":{}},{"jsonrpc":"2.0","id":1,"result":{"kind":"message","role":"agent","parts":[{"kind":"text","text":"x"}]}}]`},
		"a package":    {"package.json", `{"name":"x","keywords":["jsonrpc"],"dependencies":{"jsonrpc-lite":"1"}}`},
		"training":     {"train.jsonl", `{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function"}]}` + "\n" + `{"messages":[]}`},
		"a log":        {"app.log", `GET /tools {"a":1}` + "\n"},
		"empty":        {"empty.log", ""},
		"only braces":  {"x.log", strings.Repeat("{", 1000) + `"jsonrpc":`},
		"requests":     {"http.json", `{"request":{"method":"POST"},"response":{"content":[{"type":"text","text":"x"}]},"jsonrpc":1}`},
		"no protocol":  {"x.json", `{"id":1,"method":"ping","jsonrpc":"2.0"}`},
		"another file": {"notes.md", found},
	} {
		if c, err := readAs(t, c.path, c.content); !errors.Is(err, analyzers.ErrForeign) {
			t.Errorf("%s: %v\n%s", name, err, said(c))
		}
	}
}

// TestHostileTraffic: what would take quadratic time is read, and what is left
// out is said.
func TestHostileTraffic(t *testing.T) {
	if testing.Short() {
		t.Skip("reads megabytes")
	}
	for name, c := range map[string]struct{ content, kind string }{
		"braces in front":    {strings.Repeat("{", 1<<20) + found + "\n" + found, "malformed"},
		"pairs in front":     {strings.Repeat("{}", 1<<19) + found, ""},
		"one id for all":     {strings.Repeat(`{"jsonrpc":"2.0","id":1,"method":"tools/call"}`+"\n", 30_000) + found, ""},
		"many values":        {strings.Repeat(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":["a",2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0]}}`+"\n", 12_500), "limit"},
		"values on one line": {strings.Repeat(found, 28_000), "limit"},
		"many strings":       {`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"x"}],"structuredContent":[` + strings.Repeat(`"x",`, 60_000) + `"x"]}}`, "limit"},
		"messages together":  {strings.Repeat(found, 5_000), ""},
	} {
		got, err := readAs(t, "x.log", c.content)
		kind := ""
		var parse *analyzers.ParseError
		if errors.As(err, &parse) {
			kind = parse.Kind
		}
		if kind != c.kind {
			t.Errorf("%s: %v", name, err)
		}
		if len(got.Documents) == 0 {
			t.Errorf("%s: nothing was read", name)
		}
	}
}

// TestTrafficSecrets: a credential in a message belongs to the server.
func TestTrafficSecrets(t *testing.T) {
	token := "ghp_" + "Zk3vQ9xT1bN7mW5rL8cJ2hF6dS4gA0pYeUiO"
	c, err := readAs(t, "x.jsonl", call+"\n"+strings.Replace(found, "A page", token, 1))
	if err != nil || len(c.Secrets) != 1 {
		t.Fatalf("%v, %d secrets", err, len(c.Secrets))
	}
	if s := c.Secrets[0]; string(s.Text.Span.Raw()) != token || s.Server != c.Documents[0].Server || s.Key != "result.content[0].text" || s.Exposure != analyzers.Project {
		t.Errorf("%s %s at %q", s.Where, s.Key, s.Text.Span.Raw())
	}
}

func FuzzTraffic(f *testing.F) {
	f.Add(hello + "\n" + call + "\n" + found)
	f.Add(`[{"message":` + found + `},{"request":` + call + `,"response":{"content":[{"type":"text","text":"\u200b"}]}}]`)
	f.Add(`x {"a": {"jsonrpc":"2.0","id":1,"result":{"inputRequests":{"k":{"method":"sampling/createMessage","params":{"tools":[{}]}}}}} "`)
	f.Add(`0"jsonrpc":0{`)
	f.Fuzz(func(t *testing.T, content string) {
		_, _ = readAs(t, "x.jsonl", content)
		_, _ = readAs(t, "x.json", content)
	})
}
