package live_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture/live"
)

func remote(t *testing.T, h http.Handler, path string) live.Request {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return live.Request{URL: s.URL + path, Timeout: 10 * time.Second, Getenv: os.Getenv}
}

// The SDK's servers over HTTP: both eras, JSON and event streams, sessions, and
// the old transport.
func TestHTTP(t *testing.T) {
	old := &mcp.ServerOptions{SupportedProtocolVersions: []string{"2025-06-18"}, PageSize: 2}
	one := func(o *mcp.ServerOptions) func(*http.Request) *mcp.Server {
		s := server(o)
		return func(*http.Request) *mcp.Server { return s }
	}
	for _, test := range []struct {
		name      string
		handler   http.Handler
		transport analyzers.Transport
		version   string
	}{
		{"stateless", mcp.NewStreamableHTTPHandler(one(nil), &mcp.StreamableHTTPOptions{Stateless: true}), analyzers.HTTP, "2026-07-28"},
		{"stateless JSON", mcp.NewStreamableHTTPHandler(one(nil), &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true}), analyzers.HTTP, "2026-07-28"},
		{"session", mcp.NewStreamableHTTPHandler(one(old), nil), analyzers.HTTP, "2025-06-18"},
		{"session JSON", mcp.NewStreamableHTTPHandler(one(old), &mcp.StreamableHTTPOptions{JSONResponse: true}), analyzers.HTTP, "2025-06-18"},
		{"sse", mcp.NewSSEHandler(one(nil), nil), analyzers.SSE, "2025-11-25"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := captured(t, remote(t, test.handler, "/mcp"))
			if c.Transport != test.transport || c.ProtocolVersion != test.version || c.Name() != "orchard" {
				t.Errorf("%s %s %s", c.Transport, c.ProtocolVersion, c.Name())
			}
			if got := names(c, "tool") + "|" + names(c, "prompt") + "|" + names(c, "resource") + "|" + names(c, "template"); got != "tree_count tree_list tree_water|plan|orchard://map|orchard://row/{n}" {
				t.Error(got)
			}
			if len(c.Incomplete) > 0 || c.Unstable() {
				t.Error(c.Incomplete, observed(c))
			}
			if s := read(t, c).Servers[0]; s.URL.Raw() != c.Plan.URL || s.Transport != test.transport {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A legacy server is told the version that was agreed on, and headers come from
// variables.
func TestHeaders(t *testing.T) {
	t.Setenv("ORCHARD_AUTH", "Bearer q8Zr4Lw1"+"Xb7Nt5Vc")
	s := server(&mcp.ServerOptions{SupportedProtocolVersions: []string{"2025-06-18"}})
	inner := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
	var later atomic.Int64
	r := remote(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != os.Getenv("ORCHARD_AUTH") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Header.Get("Mcp-Session-Id") != "" && r.Header.Get("Mcp-Protocol-Version") == "2025-06-18" {
			later.Add(1)
		}
		inner.ServeHTTP(w, r)
	}), "/mcp")
	_, err := take(t, r)
	var f *live.Failure
	if !errors.As(err, &f) || !strings.Contains(f.Problem, "HTTP 401") || !strings.Contains(f.Hint, "--header Authorization=") {
		t.Errorf("%v", err)
	}
	r.Headers = map[string]string{"Authorization": "ORCHARD_AUTH"}
	if c := captured(t, r); c.Count("tool") != 3 || later.Load() < 4 {
		t.Errorf("%d tools, %d requests with the version", c.Count("tool"), later.Load())
	}
}

// Whatever is at the other end, there is an answer, in time and memory.
func TestHostileHTTP(t *testing.T) {
	t.Setenv("ORCHARD_AUTH", "Bearer q8Zr4Lw1"+"Xb7Nt5Vc")
	var stolen atomic.Bool
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { stolen.Store(true) }))
	defer thief.Close()
	stream := func(w http.ResponseWriter, events ...string) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, e := range events {
			fmt.Fprint(w, e)
			w.(http.Flusher).Flush()
		}
	}
	for name, test := range map[string]struct {
		serve   http.HandlerFunc
		problem string
	}{
		"page":    {func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>Hello</html>") }, "does not answer as an MCP server"},
		"nothing": {http.NotFound, "does not answer as an MCP server"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
		}, "leads to another one"},
		"endpoint": {func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			stream(w, "event: endpoint\ndata: "+thief.URL+"/steal\n\n")
			<-r.Context().Done()
		}, "does not answer as an MCP server"},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for block := []byte(strings.Repeat(" ", 1<<20)); r.Context().Err() == nil; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, "more than 64 MiB"},
		"long event": {func(w http.ResponseWriter, r *http.Request) {
			stream(w, "data: "+strings.Repeat("x", 9<<20))
		}, "does not answer as an MCP server"},
		"silent": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then the end of the connection is seen
			<-r.Context().Done()
		}, "in time"},
		"error": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"`+strings.Repeat("x", 10_000)+`"}}`)
		}, "does not answer as an MCP server"},
	} {
		t.Run(name, func(t *testing.T) {
			r := remote(t, test.serve, "/mcp")
			r.Headers = map[string]string{"Authorization": "ORCHARD_AUTH"}
			if name == "silent" {
				r.Timeout = time.Second
			}
			_, err := take(t, r)
			var f *live.Failure
			if !errors.As(err, &f) || !strings.Contains(f.Problem, test.problem) || len(f.Problem) > 600 || f.Hint == "" {
				t.Errorf("%v", err)
			}
			if stolen.Load() {
				t.Error("another server was talked to")
			}
		})
	}
}
