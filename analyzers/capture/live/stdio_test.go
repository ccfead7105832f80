package live_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/analyzers/capture/live"
)

// request asks for one of the servers of the test binary.
func request(t *testing.T, args ...string) live.Request {
	t.Helper()
	return live.Request{
		Argv: append([]string{os.Args[0], "serve"}, args...), Dir: t.TempDir(), Timeout: 20 * time.Second, Version: "test",
		Getenv: func(name string) string {
			if name == "HOME" {
				return "/home/tester"
			}
			return os.Getenv(name)
		},
	}
}

// capture takes a capture, without the confinement where there is none to be
// had; what the confinement is worth is in confine_test.go.
func take(t *testing.T, r live.Request) (*live.Capture, error) {
	t.Helper()
	p, err := live.Prepare(r)
	if err != nil && r.URL == "" && !r.Unconfined && strings.Contains(err.Error(), "confined") {
		t.Log(err)
		r.Unconfined = true
		p, err = live.Prepare(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p.Capture(t.Context())
}

func captured(t *testing.T, r live.Request) *live.Capture {
	t.Helper()
	c, err := take(t, r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// read reads a capture as a scan does.
func read(t *testing.T, c *live.Capture) *analyzers.Catalog {
	t.Helper()
	doc, err := c.Document()
	if err != nil {
		t.Fatal(err)
	}
	into := &analyzers.Catalog{}
	if err := capture.Analyzer().Analyze(analyzers.File{Source: &analyzers.Source{Path: "capture.json", Bytes: doc}}, into); err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	return into
}

func observed(c *live.Capture) []string {
	var out []string
	for _, o := range c.Observations {
		out = append(out, o.Kind+": "+o.Subject+" "+o.Detail)
	}
	return out
}

func names(c *live.Capture, kind string) string {
	var out []string
	for _, d := range c.Definitions {
		if d.Kind == kind {
			out = append(out, d.Name)
		}
	}
	return strings.Join(out, " ")
}

// The SDK's own server shows the same in both eras, page by page too.
func TestEras(t *testing.T) {
	for _, test := range []struct{ name, version, instructions string }{
		{"sdk", "2026-07-28", ""}, {"legacy", "2025-06-18", `"Ask once."`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := captured(t, request(t, test.name))
			if c.ProtocolVersion != test.version || string(c.Instructions) != test.instructions || c.Name() != "orchard" || c.Transport != analyzers.Stdio {
				t.Errorf("%s %s %s %s", c.ProtocolVersion, c.Instructions, c.Name(), c.Transport)
			}
			if got := names(c, "tool") + "|" + names(c, "prompt") + "|" + names(c, "resource") + "|" + names(c, "template"); got != "tree_count tree_list tree_water|plan|orchard://map|orchard://row/{n}" {
				t.Error(got)
			}
			if len(c.Incomplete) > 0 || c.Unstable() || !c.Again || len(c.Observations) > 0 {
				t.Error(c.Incomplete, observed(c))
			}
			catalog := read(t, c)
			if len(catalog.Servers) != 1 {
				t.Fatal(catalog.Servers)
			}
			s := catalog.Servers[0]
			if s.Format != "inspection" || s.Command.Raw() != os.Args[0] || len(s.Args) != 2 || len(s.Surface.Tools) != 3 || s.Surface.Tools[0].Description.Raw() != "Does tree_count <b>&" {
				t.Errorf("%+v", s)
			}
		})
	}
}

// What a server asks of its client is refused, noted and kept to be judged.
func TestAsks(t *testing.T) {
	c := captured(t, request(t, "asking"))
	want := []string{
		"request: elicitation/create asked of its client, and refused; times: 1",
		"request: sampling/createMessage asked of its client, and refused; times: 1",
		"request: roots/list asked of its client, and refused; times: 1",
	}
	if got := observed(c); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	var kinds []string
	for _, d := range read(t, c).Documents {
		kinds = append(kinds, d.Kind)
	}
	if !slices.Contains(kinds, "elicitation") || !slices.Contains(kinds, "sampling") {
		t.Errorf("the judge sees %q", kinds)
	}
}

// Definitions are kept byte for byte, whatever is odd about them.
func TestRaw(t *testing.T) {
	c := captured(t, request(t, "odd"))
	doc, err := c.Document()
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{`{"name":"a","x-Vendor":{"n":9007199254740993,"f":1.50},"description":"\u003cb\u003e & <i>","inputSchema": {"type":"object"} }`, `{"description":"nameless"}`} {
		if !bytes.Contains(doc, []byte(raw)) {
			t.Errorf("%s is not in\n%s", raw, doc)
		}
	}
	want := []string{"nameless: a tool has no name, and is not judged", `duplicate: tool "a" is listed more than once`}
	if got := observed(c); !slices.Equal(got, want) || c.Unstable() {
		t.Errorf("%q", got)
	}
}

// Two captures of one server are the same bytes.
func TestSame(t *testing.T) {
	r := request(t, "legacy")
	var docs [2][]byte
	for i := range docs {
		doc, err := captured(t, r).Document()
		if err != nil {
			t.Fatal(err)
		}
		docs[i] = doc
	}
	if !bytes.Equal(docs[0], docs[1]) {
		t.Errorf("%s\n%s", docs[0], docs[1])
	}
}

// What differs between two lists, or two connections, is said; another
// spelling of the same is not.
func TestUnstable(t *testing.T) {
	c := captured(t, request(t, "late"))
	want := []string{`appeared: tool "steal" appeared only the second time it was asked`, `vanished: tool "steal" was missing in a second connection`}
	if got := observed(c); !slices.Equal(got, want) || !c.Unstable() || names(c, "tool") != "add steal" {
		t.Errorf("%q %s", got, names(c, "tool"))
	}
	c = captured(t, request(t, "shifty"))
	want = []string{`changed: tool "add" was another one in a second connection`}
	if got := observed(c); !slices.Equal(got, want) || !c.Unstable() {
		t.Errorf("%q", got)
	}
	r := request(t, "late")
	r.Once = true
	if c := captured(t, r); c.Unstable() || c.Again {
		t.Errorf("%q", observed(c))
	}
}

// A server that talks nonsense, too much or not at all ends within its bounds,
// with a reason.
func TestBounds(t *testing.T) {
	for _, test := range []struct {
		name       string
		problem    string // of the failure
		incomplete string
		tools      int
	}{
		{"garbage", "more than 1000 lines of its output are no messages", "", 0},
		{"long", "longer than 8 MiB", "", 0},
		{"storm", "in time", "", 0},
		{"silent", "in time", "", 0},
		{"dies", "ended with exit status 7 before it answered", "", 0},
		{"loop", "", "tools/list: the list has no end: page 4 leads back to the one behind page 1", 4},
		{"endless", "", "tools/list: the list has more than 1000 pages", 1000},
		{"deep", "", "tools/list: an answer that cannot be read: 1:", 0},
		{"asks-all", "", "tools/list: it wants something before it answers (input_required)", 0},
		{"picky", "", "", 3},
		{"banner", "", "", 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := request(t, test.name)
			if r.Timeout = 20 * time.Second; test.name == "silent" || test.name == "storm" {
				r.Timeout = 2 * time.Second
			}
			c, err := take(t, r)
			var f *live.Failure
			switch {
			case test.problem != "":
				if !errors.As(err, &f) || !strings.Contains(f.Problem, test.problem) || f.Hint == "" {
					t.Fatalf("%v", err)
				}
				return
			case err != nil:
				t.Fatal(err)
			}
			if got := fmt.Sprint(c.Incomplete); test.incomplete != "" && !strings.Contains(got, test.incomplete) || test.incomplete == "" && len(c.Incomplete) > 0 {
				t.Error(got)
			}
			if c.Count("tool") != test.tools {
				t.Errorf("%d tools", c.Count("tool"))
			}
			if test.name == "banner" && !strings.Contains(fmt.Sprint(observed(c)), "noise: standard output lines that are no messages: 2") {
				t.Error(observed(c))
			}
			if test.name == "asks-all" && len(c.Messages) == 0 {
				t.Error("what it wants is not kept")
			}
		})
	}
}

// Standard error is kept from its end, and does not keep anybody waiting.
func TestStderr(t *testing.T) {
	c := captured(t, request(t, "flood"))
	if len(c.Stderr) == 0 || len(c.Stderr) > 16<<10 || c.Count("tool") != 3 {
		t.Errorf("%d bytes of standard error, %d tools", len(c.Stderr), c.Count("tool"))
	}
	_, err := take(t, request(t, "dies"))
	var f *live.Failure
	if !errors.As(err, &f) || string(f.Stderr) != "no such \x1b[2Jmodule\n" {
		t.Errorf("%v", err)
	}
}

// A credential that the server was given does not come out again.
func TestLeak(t *testing.T) {
	r := request(t, "leaks")
	r.Env = []string{"ORCHARD_TOKEN"}
	getenv := r.Getenv
	r.Getenv = func(name string) string {
		if name == "ORCHARD_TOKEN" {
			return "q8Zr4Lw1" + "Xb7Nt5Vc"
		}
		return getenv(name)
	}
	c := captured(t, r)
	if doc, err := c.Document(); err == nil || !strings.Contains(err.Error(), "ORCHARD_TOKEN") || strings.Contains(err.Error(), "q8Zr4") {
		t.Errorf("%v\n%s", err, doc)
	}
	r = request(t, "sdk", "--api-key", "q8Zr4Lw1"+"Xb7Nt5Vc")
	doc, err := captured(t, r).Document()
	if err != nil || bytes.Contains(doc, []byte("q8Zr4")) || !bytes.Contains(doc, []byte(`"--api-key","***"`)) {
		t.Errorf("%v\n%s", err, doc)
	}
}

// What cannot be started is refused before anything is.
func TestPrepare(t *testing.T) {
	for name, change := range map[string]func(*live.Request){
		"no command":       func(r *live.Request) { r.Argv = nil },
		"no program":       func(r *live.Request) { r.Argv = []string{"no-such-program-anywhere"} },
		"is not set":       func(r *live.Request) { r.Env = []string{"NOT_THERE"} },
		"cannot show":      func(r *live.Request) { r.Read = []string{"/no/such/place"} },
		"is no URL":        func(r *live.Request) { r.URL = "ftp://example.com/" },
		"holds a password": func(r *live.Request) { r.URL = "https://a:b@example.com/mcp" },
		"is not encrypted": func(r *live.Request) { r.URL = "http://example.com/mcp" },
		"for the header \"X-A\"": func(r *live.Request) {
			r.URL = "https://example.com/mcp"
			r.Headers = map[string]string{"X-A": "NOT_THERE"}
		},
	} {
		r := request(t, "sdk")
		r.Getenv = func(string) string { return "" }
		change(&r)
		_, err := live.Prepare(r)
		var f *live.Failure
		if !errors.As(err, &f) || !strings.Contains(f.Problem, name) || f.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
