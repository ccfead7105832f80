package live

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// lines is a connection over standard input and output. The SDK's own ends at
// the first line that is no message, and what servers print there by mistake is
// common: here such lines are counted and passed over.
type lines struct {
	in      *bufio.Reader
	out     io.WriteCloser
	writing sync.Mutex
	queue   []jsonrpc.Message // the rest of a batch
	noise   atomic.Int64
	total   int
}

func newLines(stdout io.Reader, stdin io.WriteCloser) *lines {
	return &lines{in: bufio.NewReaderSize(stdout, 64<<10), out: stdin}
}

// Read returns the next message. It ends with the process, not with ctx.
func (l *lines) Read(context.Context) (jsonrpc.Message, error) {
	for len(l.queue) == 0 {
		line, err := l.line()
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			continue
		}
		var batch []json.RawMessage // 2025-03-26
		if line[0] != '[' || json.Unmarshal(line, &batch) != nil {
			batch = []json.RawMessage{line}
		}
		for _, raw := range batch {
			if m, err := jsonrpc.DecodeMessage(raw); err == nil {
				l.queue = append(l.queue, m)
			} else if l.noise.Add(1) > maxNoise {
				return nil, fmt.Errorf("more than %d lines of its output are no messages", maxNoise)
			}
		}
	}
	m := l.queue[0]
	l.queue = l.queue[1:]
	return m, nil
}

func (l *lines) line() ([]byte, error) {
	var line []byte
	for {
		part, err := l.in.ReadSlice('\n')
		line = append(line, part...)
		l.total += len(part)
		switch {
		case len(line) > maxMessage:
			return nil, fmt.Errorf("a line of its output is longer than %d MiB", maxMessage>>20)
		case l.total > maxReceived:
			return nil, fmt.Errorf("it wrote more than %d MiB", maxReceived>>20)
		case err == nil:
			return bytes.TrimSpace(line), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err // a line without its end is none
		}
	}
}

func (l *lines) Write(_ context.Context, m jsonrpc.Message) error {
	data, err := jsonrpc.EncodeMessage(m)
	if err != nil {
		return err
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	_, err = l.out.Write(append(data, '\n'))
	return err
}

func (l *lines) Close() error      { return l.out.Close() }
func (l *lines) SessionID() string { return "" }

// web is the way of all requests of one connection over HTTP. The SDK's
// transports are used for Streamable HTTP and HTTP+SSE; what they leave open is
// settled here: no other origin is talked to, whatever a redirect or an
// endpoint event says, bodies are bounded, and a negotiated legacy version is
// sent along, which they do only under the SDK's own client.
type web struct {
	origin  *url.URL
	header  http.Header
	base    http.RoundTripper
	version atomic.Value // string
	status  atomic.Int64 // of the last answer
	left    atomic.Int64 // bytes that may still be received
}

func newWeb(p *Plan, origin *url.URL) *web {
	base := http.DefaultTransport.(*http.Transport).Clone()
	w := &web{origin: origin, header: p.header, base: base}
	w.left.Store(maxReceived)
	return w
}

func (w *web) client() *http.Client { return &http.Client{Transport: w} }

func (w *web) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != w.origin.Scheme || r.URL.Host != w.origin.Host {
		return nil, fmt.Errorf("the server leads to another one, %s://%s", r.URL.Scheme, r.URL.Host)
	}
	r = r.Clone(r.Context())
	for name, values := range w.header {
		r.Header[name] = values
	}
	if v, _ := w.version.Load().(string); v != "" && r.Header.Get("Mcp-Protocol-Version") == "" {
		r.Header.Set("Mcp-Protocol-Version", v)
	}
	resp, err := w.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	w.status.Store(int64(resp.StatusCode))
	resp.Body = &bounded{resp.Body, w}
	return resp, nil
}

// bounded is a body that counts against all that a connection may receive.
type bounded struct {
	io.ReadCloser
	web *web
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.web.left.Add(-int64(n)) < 0 {
		return 0, fmt.Errorf("the server sent more than %d MiB", maxReceived>>20)
	}
	return n, err
}

func (w *web) streamable(ctx context.Context) (mcp.Connection, error) {
	t := &mcp.StreamableClientTransport{Endpoint: w.origin.String(), HTTPClient: w.client(), MaxRetries: -1, MaxEventSize: maxMessage}
	return t.Connect(ctx)
}

func (w *web) sse(ctx context.Context) (mcp.Connection, error) {
	t := &mcp.SSEClientTransport{Endpoint: w.origin.String(), HTTPClient: w.client(), MaxEventSize: maxMessage}
	return t.Connect(ctx)
}
