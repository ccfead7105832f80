package shim

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-mcp/sallyport/internal/mcptest"
	"github.com/sallyport-mcp/sallyport/runtime"
)

// TestMain is the server, too.
func TestMain(m *testing.M) {
	if os.Getenv("SALLYPORT_TEST_SERVER") != "" {
		mcptest.Main()
	}
	os.Exit(m.Run())
}

const capture = `{"tools":[{"name":"tides","description":"Returns the hours of high and low water.","inputSchema":{"type":"object"}}]}`

func document(argv []string, status string) string {
	return fmt.Sprintf("apiVersion: sallyport/v1\nkind: Registry\nname: test\nservers:\n  - id: harbour\n    status: %s\n    match: {argv: [%q, %q]}\n    evidence: {approvedBy: a, approvedAt: \"2026-01-01\", reason: it leaks}\n", status, argv[0], argv[1])
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// running is a shim with a client at its ends.
type running struct {
	t    *testing.T
	in   io.WriteCloser
	out  *bufio.Reader
	code chan int
	log  bytes.Buffer
	id   int
}

func start(t *testing.T, args ...string) *running {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	r := &running{t: t, in: inW, out: bufio.NewReader(outR), code: make(chan int, 1)}
	go func() {
		code := Run(context.Background(), args, World{Stdin: inR, Stdout: outW, Stderr: &r.log, Env: append(os.Environ(), "SALLYPORT_TEST_SERVER=1")})
		_ = outW.Close()
		r.code <- code
	}()
	t.Cleanup(func() {
		_ = inW.Close()
		_ = outR.Close()
		<-r.code
	})
	r.call(`"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`)
	_, _ = io.WriteString(inW, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n")
	return r
}

func (r *running) call(method string) string {
	r.id++
	if _, err := fmt.Fprintf(r.in, `{"jsonrpc":"2.0","id":%d,"method":%s}`+"\n", r.id, method); err != nil {
		r.t.Fatal(err, r.log.String())
	}
	line, err := r.out.ReadString('\n')
	if err != nil {
		r.t.Fatal(err, r.log.String())
	}
	return line
}

// TestRevocation: a denial counts for a server that runs, soon after the file
// was written, and an approval that cannot be read is none.
func TestRevocation(t *testing.T) {
	for name, second := range map[string]string{"denied": "denied", "garbage": ""} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			write(t, at("capture.json"), capture)
			argv := []string{os.Args[0], at("capture.json")}
			write(t, at("registry.yaml"), document(argv, "approved"))
			r := start(t, append([]string{"--registry", at("registry.yaml"), "--name", "harbour", "--state", at("state"), "--"}, argv...)...)
			if got := r.call(`"tools/call","params":{"name":"tides","arguments":{}}`); !strings.Contains(got, `"result"`) {
				t.Fatal(got, r.log.String())
			}
			changed := "servers: ]["
			if second != "" {
				changed = document(argv, second)
			}
			write(t, at("registry.yaml"), changed)
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				got := r.call(`"tools/call","params":{"name":"tides","arguments":{}}`)
				if strings.Contains(got, `"error"`) {
					if want := map[string]string{"denied": "it leaks", "garbage": "shim/registry"}[name]; !strings.Contains(got, want) {
						t.Errorf("%s; want %s", got, want)
					}
					return
				}
				if time.Now().After(end) {
					t.Fatal("the server still answers")
				}
			}
		})
	}
}

// TestServers: a client's configuration says what is started.
func TestServers(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("capture.json"), capture)
	argv := []string{os.Args[0], at("capture.json")}
	write(t, at("registry.yaml"), document(argv, "approved"))
	write(t, at(".mcp.json"), fmt.Sprintf(`{"mcpServers":{"other":{"command":"none"},"harbour":{"command":%q,"args":[%q]}}}`, argv[0], argv[1]))
	r := start(t, "--registry", at("registry.yaml"), "--servers", at(".mcp.json"), "--name", "harbour", "--state", at("state"))
	if got := r.call(`"tools/list"`); !strings.Contains(got, `"tides"`) {
		t.Error(got, r.log.String())
	}
	var log bytes.Buffer
	if code := Run(context.Background(), []string{"--registry", at("registry.yaml"), "--servers", at(".mcp.json"), "--name", "absent"}, World{Stderr: &log}); code != exitUsage || !strings.Contains(log.String(), "it declares other, harbour") {
		t.Errorf("%d %s", code, log.String())
	}
}

// TestSeveral: two servers behind one connection; one ends, the other goes on.
func TestSeveral(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("capture.json"), capture)
	argv := []string{os.Args[0], at("capture.json")}
	write(t, at("registry.yaml"), document(argv, "approved"))
	write(t, at(".mcp.json"), fmt.Sprintf(`{"mcpServers":{"east":{"command":%[1]q,"args":[%[2]q]},"west":{"command":%[1]q,"args":[%[2]q]}}}`, argv[0], argv[1]))
	r := start(t, "--registry", at("registry.yaml"), "--servers", at(".mcp.json"), "--state", at("state"))
	if got := r.call(`"tools/list"`); !strings.Contains(got, `"east__tides"`) || !strings.Contains(got, `"west__tides"`) {
		t.Fatal(got)
	}
	if got := r.call(`"tools/call","params":{"name":"east__tides","arguments":{"exit":3}}`); !strings.Contains(got, "shim/server-lost") {
		t.Fatal(got)
	}
	for _, want := range []string{"notifications/tools/list_changed", "the server east has ended"} {
		if news, err := r.out.ReadString('\n'); err != nil || !strings.Contains(news, want) {
			t.Fatal(news, err)
		}
	}
	if got := r.call(`"tools/call","params":{"name":"east__tides","arguments":{}}`); !strings.Contains(got, "shim/server-lost") {
		t.Fatal(got)
	}
	if got := r.call(`"tools/call","params":{"name":"west__tides","arguments":{}}`); !strings.Contains(got, `"result"`) {
		t.Fatal(got)
	}
	if got := r.call(`"tools/list"`); strings.Contains(got, `"east__tides"`) || !strings.Contains(got, `"west__tides"`) {
		t.Fatal(got)
	}
}

// TestExpand: variables of a declaration are filled in as clients do it.
func TestExpand(t *testing.T) {
	environment := func(name string) string { return map[string]string{"A": "1"}[name] }
	for value, want := range map[string]string{
		"plain": "plain", "$A": "$A", "${A}": "1", "x${env:A}y${A}": "x1y1", "${B:-2}": "2", "${A:-2}": "1", "${B}": "",
		"${input:token}": "refused", "${": "refused", "${}": "refused", "${A": "refused",
	} {
		got, ok := expand(value, environment)
		if !ok {
			got = "refused"
		}
		if got != want {
			t.Errorf("%s: %q; want %q", value, got, want)
		}
	}
}

// TestItself: a configuration that starts Sallyport on itself starts nothing.
func TestItself(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at(".mcp.json"), fmt.Sprintf(`{"mcpServers":{"all":{"command":"sallyport","args":["run","--mode","observe","--registry","r.yaml","--servers",%q]}}}`, at(".mcp.json")))
	var log bytes.Buffer
	if code := Run(context.Background(), []string{"--registry", at("registry.yaml"), "--servers", at(".mcp.json")}, World{Stderr: &log}); code != exitUsage || !strings.Contains(log.String(), "it is Sallyport itself") {
		t.Errorf("%d %s", code, log.String())
	}
}

// TestEnvironmentOfDeclaration: what a declaration sets reaches the server, as
// far as it brings no code into it.
func TestEnvironmentOfDeclaration(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at(".mcp.json"), `{"mcpServers":{"a":{"command":"none","env":{"TOKEN":"${FROM}","NODE_OPTIONS":"-r ./x.js"}},"b":{"command":"none"}}}`)
	o, err := parse([]string{"--registry", at("registry.yaml"), "--servers", at(".mcp.json")}, World{Env: []string{"FROM=outside"}})
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	say := func(format string, args ...any) { said += fmt.Sprintf(format, args...) }
	if got := o.several[0].environment(World{Env: []string{"FROM=outside"}}, &runtime.Guard{}, say); fmt.Sprint(got) != "[FROM=outside TOKEN=outside]" || !strings.Contains(said, "NODE_OPTIONS") {
		t.Error(got, said)
	}
	if got := o.several[1].environment(World{}, &runtime.Guard{}, say); len(got) != 0 {
		t.Error(got)
	}
}
