//go:build linux

package stdio_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/stdio"
)

// behindShim is a shim with an audit log, as a process that can be killed.
func behindShim(dir string) {
	log, err := audit.Open(filepath.Join(dir, "audit.jsonl"), audit.Options{StateDir: filepath.Join(dir, "state"), CheckpointEvery: 10})
	if err != nil {
		panic(err)
	}
	t := &testing.T{}
	err = stdio.Run(context.Background(), stdio.Options{
		Session: session(t, runtime.Enforce), Command: server("well"), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Record: log.Write,
		Answered: func(pid int) *runtime.Refusal {
			_ = os.WriteFile(filepath.Join(dir, "pid"), []byte(strconv.Itoa(pid)), 0o600)
			return nil
		},
	})
	if err != nil {
		panic(err)
	}
	if err := log.Close(); err != nil {
		panic(err)
	}
}

// TestKilled: when the shim is killed its server goes too, and the log holds
// every answer that the client has got.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	answered := 0
	for round := range 5 {
		shim := exec.Command(os.Args[0], dir)
		shim.Env = append(os.Environ(), "STDIO_TEST=shim")
		in, err := shim.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := shim.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := shim.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		read := func() bool {
			_, err := lines.ReadBytes('\n')
			return err == nil
		}
		fmt.Fprintln(in, initialize)
		if !read() {
			t.Fatal("no handshake")
		}
		fmt.Fprintln(in, initialized)
		go func() {
			for id := 1; ; id++ {
				if _, err := fmt.Fprintf(in, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"tides"}}`+"\n", id); err != nil {
					return
				}
			}
		}()
		for range 50 * (round + 1) {
			if !read() {
				t.Fatal("no answer")
			}
			answered++
		}
		_ = syscall.Kill(shim.Process.Pid, syscall.SIGKILL)
		for read() { // what is still in the pipe
			answered++
		}
		_, _ = io.Copy(io.Discard, out)
		_ = shim.Wait()
		b, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err != nil {
			t.Fatal(err)
		}
		gone := false
		for wait := time.Millisecond; wait < 20*time.Second && !gone; wait *= 2 {
			time.Sleep(wait)
			stat, err := os.ReadFile("/proc/" + string(b) + "/stat")
			gone = err != nil || strings.Contains(string(stat), ") Z ") // init has not waited for it yet
		}
		if !gone {
			t.Errorf("the server %s goes on", b)
		}
	}
	f, err := os.Open(filepath.Join(dir, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	recorded := 0
	report, err := audit.Verify(audit.VerifyOptions{Each: func(r *audit.Record, ok bool) {
		to, from := audit.ServerToClient, audit.ClientToServer
		if ok && r.Method == "tools/call" && (r.Direction == to && r.Decision == audit.Allow || r.Direction == from && r.Decision == audit.Deny) {
			recorded++ // an answer of the server, or ours: it asks more than may be open
		}
	}}, audit.File{Name: "audit.jsonl", Reader: f})
	if err != nil {
		t.Fatal(err)
	}
	if report.Problem != nil || report.Lost > 0 {
		t.Errorf("%+v", report)
	}
	if recorded < answered {
		t.Errorf("the client got %d answers, the log has %d", answered, recorded)
	}
}
