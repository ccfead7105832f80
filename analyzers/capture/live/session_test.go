package live

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// recorded is the capture of a server whose output is known: each request is
// answered by what comes next of it, up to the line with its answer, or all of it.
func recorded(t testing.TB, output []byte, wait time.Duration) *Capture {
	p := &Plan{Request: Request{Argv: []string{"server"}, Timeout: time.Minute, ClientName: "test"}, Confinement: "none"}
	in, out := io.Pipe()
	queue := make(chan []byte, 100)
	go func() {
		for part := range queue {
			if _, err := out.Write(part); err != nil {
				continue
			}
		}
		out.Close()
	}()
	left := bytes.SplitAfter(output, []byte("\n"))
	closed := false
	answer := func(request []byte) {
		var r struct{ ID json.RawMessage }
		if json.Unmarshal(request, &r) != nil || len(r.ID) == 0 || closed || bytes.Contains(request, []byte(`"result"`)) || bytes.Contains(request, []byte(`"error"`)) {
			return
		}
		var part []byte
		for len(left) > 0 {
			line := left[0]
			part, left = append(part, line...), left[1:]
			if answers(line, string(r.ID)) {
				break
			}
		}
		if queue <- part; len(left) == 0 {
			closed = true
			close(queue)
		}
	}
	l := newLines(in, writerFunc(answer))
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	s := newSession(ctx, p, l)
	defer func() { in.Close(); s.close() }()
	if s.handshake(ctx, false) != nil {
		return nil
	}
	r := s.read(ctx, 1)
	c := &Capture{Plan: p, Transport: analyzers.Stdio, ProtocolVersion: r.version, ServerInfo: r.serverInfo, Capabilities: r.capabilities, Instructions: r.instructions,
		Definitions: r.lists[0], Observations: r.observations, Messages: r.messages, Incomplete: r.incomplete}
	c.look()
	return c
}

// answers reports whether a line holds the answer to a request.
func answers(line []byte, id string) bool {
	var batch []json.RawMessage
	if json.Unmarshal(line, &batch) != nil {
		batch = []json.RawMessage{bytes.TrimSpace(line)}
	}
	for _, raw := range batch {
		if m, err := jsonrpc.DecodeMessage(raw); err == nil {
			if r, ok := m.(*jsonrpc.Response); ok && fmt.Sprint(r.ID.Raw()) == id {
				return true
			}
		}
	}
	return false
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }
func (f writerFunc) Close() error                { return nil }

const good = `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"a"},"instructions":"x\u003c"}}
{"jsonrpc":"2.0","id":2,"result":{}}
{"jsonrpc":"2.0","id":3,"result":{"tools":[{"name":"a","x":1.50,"description":"<&>"},{"name":"b"}]}}
{"jsonrpc":"2.0","id":4,"error":{"code":-32601,"message":"no"}}
{"jsonrpc":"2.0","id":5,"error":{"code":-32601,"message":"no"}}
[{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage"},{"jsonrpc":"2.0","id":6,"error":{"code":-32601,"message":"no"}}]
`

// FuzzSession: whatever a server writes, the capture ends, holds the server's
// own bytes, and is JSON that can be read again.
func FuzzSession(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(strings.ReplaceAll(good, `"x":1.50`, `"x":1,"x":2`)))
	f.Add([]byte(strings.ReplaceAll(good, `"name":"b"}]`, `"name":"b"}],"nextCursor":"1"`)))
	f.Add([]byte(strings.ReplaceAll(good, `{"name":"b"}`, `{"name":"\ud800"},7`)))
	f.Add([]byte("Hello\n{]\n" + good))
	f.Add([]byte(strings.ReplaceAll(good, `"name":"b"`, `"name":""`)))
	f.Add([]byte(strings.ReplaceAll(good, `"name":"b"`, `"name":7`)))
	f.Fuzz(func(t *testing.T, output []byte) {
		if len(output) > 1<<16 {
			return
		}
		c := recorded(t, output, 50*time.Millisecond)
		if c == nil {
			return
		}
		doc, err := c.Document()
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(doc) {
			t.Fatalf("no JSON:\n%s", doc)
		}
		for _, d := range c.Definitions {
			if !bytes.Contains(output, d.Raw) || !bytes.Contains(doc, d.Raw) {
				t.Fatalf("%s is not what the server wrote", d.Raw)
			}
		}
		src := &analyzers.Source{Path: "capture.json", Bytes: doc}
		if _, err := tree.Parse(src, tree.JSON); err != nil {
			return // too deep, too many values: said by whoever reads it
		}
		into := &analyzers.Catalog{}
		if err := capture.Analyzer().Analyze(analyzers.File{Source: src}, into); err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		named := 0
		for _, d := range c.Definitions {
			if d.Kind == "tool" && !d.Nameless {
				named++
			}
		}
		read := 0
		for _, s := range into.Servers {
			read += len(s.Surface.Tools)
		}
		if read > named || read < named && len(c.Messages) == 0 {
			t.Fatalf("%d tools are read of %d:\n%s", read, named, doc)
		}
	})
}

func TestRecorded(t *testing.T) {
	c := recorded(t, []byte(good), time.Minute)
	if c == nil || c.Count("tool") != 2 || string(c.Definitions[0].Raw) != `{"name":"a","x":1.50,"description":"<&>"}` || len(c.Incomplete) > 0 || len(c.Messages) != 1 {
		t.Errorf("%+v", c)
	}
}

func TestSameText(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{`{"a":1,"b":[1.0]}`, ` {"b": [1], "a":1e0}`, true},
		{`"\u0061"`, `"a"`, true},
		{`{"a":1}`, `{"a":2}`, false},
		{`[1,2]`, `[2,1]`, false},
		{`{"a":1}`, `{"a":1,"b":null}`, false},
		{`{"a":1,"a":2}`, `{"a":2}`, false},
		{``, ``, true},
		{`"x"`, ``, false},
	} {
		if got := same(json.RawMessage(test.a), json.RawMessage(test.b)); got != test.same {
			t.Errorf("%s and %s: same is %v", test.a, test.b, got)
		}
	}
}
