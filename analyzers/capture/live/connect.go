package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// connection is what one connection has shown.
type connection struct {
	transport    analyzers.Transport
	version      string
	serverInfo   json.RawMessage
	capabilities json.RawMessage
	instructions json.RawMessage
	lists        [][]Definition
	observations []Observation
	messages     []json.RawMessage
	incomplete   []string
	stderr       []byte
}

// connection makes one connection. With an earlier one, it goes the way that
// led to that one and reads the lists once.
func (p *Plan) connection(ctx context.Context, earlier *connection) (*connection, error) {
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	times := 2
	if p.Once || earlier != nil {
		times = 1
	}
	probe := earlier == nil || earlier.version == modern
	var c *connection
	var err error
	if p.URL != "" {
		c, err = p.overHTTP(ctx, earlier, probe, times)
	} else {
		c, err = p.overStdio(ctx, probe, times)
	}
	if outer.Err() != nil {
		return nil, outer.Err()
	}
	return c, err
}

// overStdio starts the server. One that ends at the first request it does not
// know is started again without that request.
func (p *Plan) overStdio(ctx context.Context, probe bool, times int) (*connection, error) {
	proc, err := p.start()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, proc.kill)
	l := newLines(proc.stdout, proc.stdin)
	s := newSession(ctx, p, l)
	err = s.handshake(ctx, probe)
	var c *connection
	if err == nil {
		c = s.read(ctx, times)
	}
	stop()
	wait := time.Millisecond
	if s.over(ctx) { // the report of its end is on the way
		wait = grace
	}
	ended := proc.end(wait)
	s.close()
	switch {
	case err == nil:
	case probe && errors.Is(err, errEnded) && ctx.Err() == nil:
		return p.overStdio(ctx, false, times)
	default:
		return nil, p.failed(err, ended, proc.stderr.tail())
	}
	c.transport, c.stderr = analyzers.Stdio, proc.stderr.tail()
	if n := l.noise.Load(); n > 0 {
		c.observations = append(c.observations, Observation{Kind: "noise", Subject: "standard output", Detail: fmt.Sprintf("lines that are no messages: %d", n)})
	}
	if len(c.incomplete) > 0 && ended != "" {
		c.incomplete = append(c.incomplete, "the process "+ended)
	}
	return c, nil
}

// overHTTP connects by Streamable HTTP in the newer and in the older era, and
// then by HTTP+SSE where the server knows neither.
func (p *Plan) overHTTP(ctx context.Context, earlier *connection, probe bool, times int) (*connection, error) {
	u, err := url.Parse(p.URL)
	if err != nil {
		return nil, err
	}
	type way struct {
		transport analyzers.Transport
		probe     bool
	}
	ways := []way{{analyzers.HTTP, true}, {analyzers.HTTP, false}, {analyzers.SSE, false}}
	if earlier != nil {
		ways = []way{{earlier.transport, probe}}
	}
	var last error
	for _, way := range ways {
		w := newWeb(p, u)
		c, err := func() (*connection, error) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			var conn mcp.Connection
			var err error
			if way.transport == analyzers.SSE {
				conn, err = w.sse(ctx)
			} else {
				conn, err = w.streamable(ctx)
			}
			if err != nil {
				return nil, err
			}
			s := newSession(ctx, p, conn)
			s.onFixed = func(version string) { w.version.Store(version) }
			defer s.close()
			if err := s.handshake(ctx, way.probe); err != nil {
				return nil, err
			}
			return s.read(ctx, times), nil
		}()
		status := int(w.status.Load())
		if err == nil {
			c.transport = way.transport
			return c, nil
		}
		switch {
		case status == http.StatusUnauthorized || status == http.StatusForbidden:
			return nil, &Failure{Problem: fmt.Sprintf("the server wants to know who asks (HTTP %d)", status), Hint: `put "Bearer TOKEN" into a variable and add --header Authorization=VARIABLE`}
		case ctx.Err() != nil:
			return nil, &Failure{Problem: fmt.Sprintf("no capture within %s: %s", p.Timeout, clip(err.Error())), Hint: "allow more with --timeout"}
		}
		if last == nil || way.transport != analyzers.SSE {
			last = err
		}
	}
	return nil, &Failure{Problem: "the server does not answer as an MCP server: " + clip(last.Error()), Hint: "check the URL; it is that of the MCP endpoint, often ending in /mcp or /sse"}
}

// read takes everything that a session shows.
func (s *session) read(ctx context.Context, times int) *connection {
	c := &connection{version: s.version, serverInfo: s.serverInfo, capabilities: s.capabilities, instructions: s.instructions}
	for range times {
		found, odd, missing := s.surface(ctx)
		c.lists = append(c.lists, found)
		if c.incomplete = missing; len(c.lists) == 1 {
			c.observations = odd
		}
		if len(missing) > 0 {
			break
		}
	}
	for len(c.lists) < times {
		c.lists = append(c.lists, nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, method := range s.order {
		c.observations = append(c.observations, Observation{Kind: "request", Subject: method, Detail: fmt.Sprintf("asked of its client, and refused; times: %d", s.requests[method])})
		if method == "ping" {
			c.observations[len(c.observations)-1].Detail = fmt.Sprintf("asked of its client, and answered; times: %d", s.requests[method])
		}
	}
	c.messages = s.messages
	return c
}

// failed says why there is no capture, and what to do about it.
func (p *Plan) failed(err error, ended string, stderr []byte) *Failure {
	f := &Failure{Problem: "the server gave no answer that could be read: " + clip(err.Error()), Stderr: stderr, Hint: "start it as its documentation says; --verbose shows what it writes to standard error"}
	if ended != "" && errors.Is(err, errEnded) {
		f.Problem = "the server " + ended + " before it answered"
	}
	if p.Confinement != "namespaces" {
		return f
	}
	l := p.Launch
	switch fetches := caches[l.Program] != nil; {
	case strings.Contains(ended, "limit"):
		f.Hint = "a server that needs more than that has to be started with --unconfined-unsafe"
	case l.Program == "docker" || l.Program == "podman" || l.Program == "nerdctl":
		f.Hint = "a container's engine cannot be reached from the confinement, which would be none: --unconfined-unsafe starts " + l.Program + " as any client would"
	case fetches && !p.Network:
		f.Hint = l.Program + " fetches what it starts, and the network is off: start it once outside so that its cache holds the package in this version, or add --allow-network"
	case !p.Network:
		f.Hint = "it may need a file that it cannot see (--read PATH), a variable (--env NAME) or the network (--allow-network)"
	default:
		f.Hint = "it may need a file that it cannot see (--read PATH) or a variable (--env NAME)"
	}
	return f
}

// ended reports whether an error says only that the other side is gone.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, os.ErrClosed) ||
		errors.Is(err, fs.ErrClosed) || errors.Is(err, mcp.ErrConnectionClosed) || err != nil && (strings.Contains(err.Error(), "broken pipe") || strings.Contains(err.Error(), "file already closed"))
}

// maxStderr is how much of the end of standard error is kept.
const maxStderr = 16 << 10

// tail keeps the end of what is written to it.
type tail struct {
	buf bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > maxStderr {
		p = p[len(p)-maxStderr:]
	}
	t.buf.Write(p)
	if extra := t.buf.Len() - 2*maxStderr; extra > 0 {
		t.buf.Next(t.buf.Len() - maxStderr)
	}
	return n, nil
}

func (t *tail) tail() []byte {
	b := t.buf.Bytes()
	return bytes.Clone(b[max(0, len(b)-maxStderr):])
}
