package capture_test

import (
	"fmt"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// What sallyport inspect writes says what was started; nothing else does.
func TestInspection(t *testing.T) {
	const head = `{"serverInfo":{"name":"acme"},"transport":"stdio","launch":{"command":"npx","args":["-y","@acme/files@1.2.3",7],"env":["TOKEN"]},"inspection":{"confinement":"namespaces"},`
	for name, c := range map[string]struct{ content, want string }{
		"command":       {head + `"tools":[` + tool + `]}`, "inspection stdio npx [-y @acme/files@1.2.3]  [TOKEN] [pkg:npm/%40acme/files@1.2.3] 1 tools"},
		"names alone":   {head + `"tools":[{"name":"a"},{"description":"nameless"}]}`, "inspection stdio npx [-y @acme/files@1.2.3]  [TOKEN] [pkg:npm/%40acme/files@1.2.3] 1 tools"},
		"with messages": {head + `"tools":[` + tool + `],"messages":[{"server":"acme","message":{"jsonrpc":"2.0","id":1,"method":"roots/list","params":{}}}]}`, "inspection stdio npx [-y @acme/files@1.2.3]  [TOKEN] [pkg:npm/%40acme/files@1.2.3] 1 tools"},
		"URL":           {`{"serverInfo":{"name":"acme"},"transport":"sse","url":"https://mcp.acme.example/sse","inspection":{},"tools":[` + tool + `]}`, "inspection sse  [] https://mcp.acme.example/sse [] [] 1 tools"},
		"no inspection": {`{"serverInfo":{"name":"acme"},"url":"https://mcp.acme.example/sse","launch":{"command":"npx"},"tools":[` + tool + `]}`, "capture   []  [] [] 1 tools"},
	} {
		got, err := read(t, c.content)
		if err != nil || len(got.Servers) != 1 {
			t.Errorf("%s: %v %v", name, got.Servers, err)
			continue
		}
		s := got.Servers[0]
		var env, purls []string
		for _, v := range s.Env {
			env = append(env, v.Name.Raw())
		}
		for _, p := range s.Packages {
			purls = append(purls, p.PURL)
		}
		if is := fmt.Sprintf("%s %s %s %v %s %v %v %d tools", s.Format, s.Transport, s.Command, s.Args, s.URL, env, purls, len(s.Surface.Tools)); is != c.want {
			t.Errorf("%s: %s; want %s", name, is, c.want)
		}
	}
	got, err := read(t, `{"launch":{"command":"npx","args":["--api-key","q8Zr4Lw1`+`Xb7Nt5Vc"]},"inspection":{},"tools":[`+tool+`]}`)
	if err != nil || len(got.Secrets) != 1 || got.Secrets[0].Server != got.Servers[0] || got.Secrets[0].Exposure != analyzers.Project {
		t.Errorf("%+v %v", got.Secrets, err)
	}
}
