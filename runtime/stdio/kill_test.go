//go:build linux

package stdio_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
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
	command, launched := server(cmp.Or(os.Getenv("STDIO_WAY"), "well")), os.Getenv("STDIO_LAUNCHER") != ""
	if launched {
		command.Args = []string{"sh", "-c", `exec 3<&0; "$0" "$1" <&3 & c=$!; echo $c >"$2"; trap 'kill $c' TERM; wait`, command.Path, command.Args[1], filepath.Join(dir, "launched")}
		command.Path = "/bin/sh"
	}
	err = stdio.Run(context.Background(), stdio.Options{
		Session: session(t, runtime.Enforce), Command: command, Launcher: launched, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Record: log.Write,
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
		wantGone(t, filepath.Join(dir, "pid"))
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

// wantGone wants the process to end whose id a file holds.
func wantGone(t *testing.T, file string) {
	t.Helper()
	pid := numberIn(t, file)
	if !eventually(func() bool {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ") // init has not waited for it yet
	}) {
		t.Errorf("the process %s goes on", pid)
		if n, err := strconv.Atoi(pid); err == nil {
			_ = syscall.Kill(n, syscall.SIGKILL)
		}
	}
}

func numberIn(t *testing.T, file string) string {
	t.Helper()
	var b []byte
	if !eventually(func() (there bool) {
		b, _ = os.ReadFile(file)
		return len(b) > 0
	}) {
		t.Fatal("no " + file)
	}
	return strings.TrimSpace(string(b))
}

func eventually(is func() bool) bool {
	for wait := time.Millisecond; wait < 20*time.Second; wait *= 2 {
		if is() {
			return true
		}
		time.Sleep(wait)
	}
	return false
}

// TestKilledStubborn: a server that heeds neither the end of its input nor
// SIGTERM goes with a shim that is killed; what a launcher has started, too, if
// it heeds SIGTERM.
func TestKilledStubborn(t *testing.T) {
	for _, c := range []struct{ way, launcher, file string }{{"deaf", "", "pid"}, {"lingering", "yes", "launched"}} {
		dir := t.TempDir()
		shim := exec.Command(os.Args[0], dir)
		shim.Env = append(os.Environ(), "STDIO_TEST=shim", "STDIO_WAY="+c.way, "STDIO_LAUNCHER="+c.launcher)
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
		fmt.Fprintln(in, initialize)
		if _, err := bufio.NewReader(out).ReadBytes('\n'); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(in, initialized)
		pid := numberIn(t, filepath.Join(dir, c.file))
		if c.way == "deaf" {
			fmt.Fprintln(in, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tides"}}`)
			if !eventually(func() bool { return ignores(pid, syscall.SIGTERM) }) {
				t.Fatal("the server heeds SIGTERM")
			}
		}
		_ = syscall.Kill(shim.Process.Pid, syscall.SIGKILL)
		_, _ = io.Copy(io.Discard, out)
		_ = shim.Wait()
		wantGone(t, filepath.Join(dir, c.file))
	}
}

// ignores reports whether a process ignores a signal (proc_pid_status(5)).
func ignores(pid string, s syscall.Signal) bool {
	b, _ := os.ReadFile("/proc/" + pid + "/status")
	_, rest, _ := strings.Cut(string(b), "SigIgn:\t")
	line, _, _ := strings.Cut(rest, "\n")
	set, err := strconv.ParseUint(line, 16, 64)
	return err == nil && set&(1<<(s-1)) != 0
}

// TestThreads: the signal of a dead parent is tied to a thread of the shim, and
// threads that end do not end the server.
func TestThreads(t *testing.T) {
	c := start(t, stdio.Options{Command: server("well")})
	c.begin()
	var done sync.WaitGroup
	for range 50 {
		done.Go(func() { goruntime.LockOSThread() }) // its thread ends with it
	}
	done.Wait()
	c.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tides"}}`)
	if got := c.answer("1"); !strings.Contains(got, `"result"`) {
		t.Error(got)
	}
}
