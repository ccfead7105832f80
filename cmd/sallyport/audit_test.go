package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sallyport-mcp/sallyport/runtime/audit"
	seen "github.com/sallyport-mcp/sallyport/runtime/observed"
)

// decisions are the records of a short session, the last one hostile.
func decisions() []*audit.Record {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	server := &audit.Server{Entry: "files", Name: "files", Argv: []string{"npx", "-y", "@acme/files@1.2.3"}, Surface: "sha256:aa"}
	unknown := &audit.Server{Name: "mail", Argv: []string{"npx", "-y", "mail"}}
	who := &audit.Who{User: "alice", Client: "claude-code"}
	list := []*audit.Record{
		{Decision: audit.Start, Direction: audit.Shim, Server: server, Enforced: true},
		{Decision: audit.Allow, Direction: audit.ClientToServer, Method: "tools/call", Name: "read_file", Server: server, Enforced: true, Duration: 20 * time.Microsecond},
		{Decision: audit.Deny, Direction: audit.ClientToServer, Method: "tools/call", Name: "delete_file", Server: server, Enforced: true, Rule: "registry/tools", Reason: "tool delete_file is denied by entry files"},
		{Decision: audit.Deny, Direction: audit.ClientToServer, Method: "initialize", Server: unknown, Rule: "reg-unknown", Reason: "no entry matches this server"},
		{Decision: audit.Change, Direction: audit.ServerToClient, Method: "tools/call", Name: "read\x1b[2J|file\u202e", Server: server, Enforced: true, Rule: "dsc-hidden", Reason: "hidden text was taken out",
			Findings: []audit.Finding{{RuleID: "dsc-hidden", Severity: "high", Field: "result.content[0].text"}}},
		{Decision: audit.End, Direction: audit.Shim, Server: server, Enforced: true},
	}
	for i, r := range list {
		r.Time, r.Session, r.Mode, r.Who, r.Protocol = at.Add(time.Duration(i)*time.Second), "s1", "enforce", who, "2025-11-25"
		r.RequestID = json.RawMessage(fmt.Sprint(i))
	}
	return list
}

// writeAuditLog writes a log with the state beside it: auditlog FILE STATE [MAXBYTES]
func writeAuditLog(ts *testscript.TestScript, _ bool, args []string) {
	o := audit.Options{StateDir: ts.MkAbs(args[1]), Now: func() time.Time { return time.Date(2026, 11, 22, 10, 1, 0, 0, time.UTC) }}
	if len(args) > 2 {
		_, err := fmt.Sscan(args[2], &o.MaxBytes)
		ts.Check(err)
	}
	l, err := audit.Open(ts.MkAbs(args[0]), o)
	ts.Check(err)
	for _, r := range decisions() {
		ts.Check(l.Write(r))
	}
	ts.Check(l.Close())
}

// saveObserved saves what a shim would have seen: observed DIR NAME CMD...
func saveObserved(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(seen.Save(ts.MkAbs(args[0]), seen.Server{Name: args[1], Argv: args[2:],
		Tools: []json.RawMessage{json.RawMessage(`{"name":"read_file","description":"Reads a file of the project.","inputSchema":{"type":"object"}}`)}}))
}

// syncBuffer is a buffer that one goroutine fills and another reads.
type syncBuffer struct {
	sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.Lock()
	defer b.Unlock()
	return b.Buffer.Write(p)
}

func (b *syncBuffer) has(s string) bool {
	b.Lock()
	defer b.Unlock()
	return strings.Contains(b.String(), s)
}

// TestAuditFollow: tail -f prints what comes, through rotations.
func TestAuditFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := audit.Open(path, audit.Options{StateDir: t.TempDir(), MaxBytes: 3000})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var stdout syncBuffer
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"audit", "tail", "-f", path}, strings.NewReader(""), &stdout, io.Discard, os.Getenv)
	}()
	for i := range 12 {
		r := decisions()[1]
		r.Name = fmt.Sprintf("tool_%d.", i)
		if err := l.Write(r); err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			if stdout.has(r.Name) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if !stdout.has(r.Name) {
			t.Fatalf("%s did not come", r.Name)
		}
	}
	cancel()
	if code := <-done; code != exitClean {
		t.Error(code)
	}
	if files, err := audit.Files(path); err != nil || len(files) < 3 {
		t.Error("not rotated", files, err)
	}
}

// TestAuditTailBad: what is no log is no panic, and nothing of it reaches the
// terminal.
func TestAuditTailBad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	content := "\x1b[2J\n{}\n[1]\nnull\n{\"kind\":\"decision\"}\n{\"kind\":\"decision\",\"decision\":\"\\u001b[2Jdeny\",\"server\":{},\"who\":{}}\n" + strings.Repeat("x", 3<<20) + "\nhalf"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{nil, {"--json"}, {"--denied"}, {"-n", "0"}, {"-n", "2"}} {
		var stdout bytes.Buffer
		code := run(context.Background(), append(append([]string{"audit", "tail"}, flags...), path), strings.NewReader(""), &stdout, io.Discard, os.Getenv)
		if code != exitClean || strings.Contains(stdout.String(), "\x1b") || stdout.Len() > 10000 {
			t.Errorf("%v: %d %q", flags, code, stdout.String())
		}
	}
	if err := (&tailer{p: &program{stdout: failingWriter{}}}).run(context.Background(), path, 5, false); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// replaceIn replaces text in a file: replace OLD NEW FILE
func replaceIn(ts *testscript.TestScript, _ bool, args []string) {
	content := ts.ReadFile(args[2])
	if !strings.Contains(content, args[0]) {
		ts.Fatalf("no %q in %s", args[0], args[2])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Replace(content, args[0], args[1], 1)), 0o600))
}

// cutLines takes the last lines off a file: cut FILE N
func cutLines(ts *testscript.TestScript, _ bool, args []string) {
	lines := strings.SplitAfter(ts.ReadFile(args[0]), "\n")
	n := 0
	_, err := fmt.Sscan(args[1], &n)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(lines[:len(lines)-1-n], "")), 0o600))
}
