package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sallyport-mcp/sallyport/analyzers/capture/live"
	"github.com/sallyport-mcp/sallyport/internal/mcptest"
)

func TestMain(m *testing.M) {
	supervise()
	testscript.Main(m, map[string]func(){"sallyport": main, "mcpserver": mcptest.Main, "orchard-mcp": serveOrchard, "pier-mcp": servePier})
}

// TestScripts runs the scripts of testdata. They read like the manual: each
// says what a person types and sees.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Condition: func(name string) (bool, error) {
			if name != "confinable" { // CI is; some systems bar namespaces
				return false, fmt.Errorf("unknown condition %q", name)
			}
			_, err := live.Prepare(live.Request{Argv: []string{os.Args[0]}, Dir: "/", Getenv: os.Getenv})
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":     runForCode,
			"fifo":     makeFIFO,
			"write":    writeEscaped,
			"same":     sameContent,
			"keypair":  makeKeypair,
			"auditlog": writeAuditLog,
			"observed": saveObserved,
			"replace":  replaceIn,
			"cut":      cutLines,
		},
	})
}

// runForCode runs sallyport and wants the exit code: code 3 scan .
func runForCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: code N [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("sallyport", args[1:]...)
	got := 0
	if err != nil {
		if _, scanErr := fmt.Sscanf(err.Error(), "exit status %d", &got); scanErr != nil {
			ts.Fatalf("%v", err)
		}
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// makeFIFO makes a pipe that nobody writes to: fifo PATH
func makeFIFO(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o755))
	ts.Check(syscall.Mkfifo(ts.MkAbs(args[0]), 0o644))
}

// writeEscaped writes a file from a Go string, for bytes that a script cannot
// hold: write PATH '"\xff"'
func writeEscaped(ts *testscript.TestScript, _ bool, args []string) {
	content, err := strconv.Unquote(args[1])
	ts.Check(err)
	name, err := strconv.Unquote(`"` + args[0] + `"`)
	ts.Check(err)
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(name)), 0o755))
	ts.Check(os.WriteFile(ts.MkAbs(name), []byte(content), 0o644))
}

// sameContent compares files byte by byte: same A B...
func sameContent(ts *testscript.TestScript, neg bool, args []string) {
	first := ts.ReadFile(args[0])
	for _, name := range args[1:] {
		if (ts.ReadFile(name) == first) == neg {
			ts.Fatalf("%s and %s: same content is %v", args[0], name, neg)
		}
	}
}

// The program is a value: it can be run without a process.
func TestRun(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), []string{"version"}, strings.NewReader(""), &stdout, &stderr, func(string) string { return "" })
	if code != exitClean || stdout.String() != "sallyport "+version+"\n" || stderr.Len() != 0 {
		t.Errorf("%d %q %q", code, &stdout, &stderr)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if code := run(ctx, []string{"scan", t.TempDir()}, nil, &stdout, &stderr, os.Getenv); code != exitIncomplete {
		t.Errorf("an interrupted scan ends with %d", code)
	}
}
