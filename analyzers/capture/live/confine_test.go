//go:build linux

package live_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers/capture/live"
)

// confinable skips a test where the confinement is not to be had; CI has it.
func confinable(t *testing.T) {
	t.Helper()
	if _, err := live.Prepare(request(t, "sdk")); err != nil {
		t.Skip(err)
	}
}

// Nothing that a server tries against this machine works, and what it needs
// is there: the server lists a tool for everything else.
func TestConfined(t *testing.T) {
	confinable(t)
	dir := t.TempDir()
	secret, socket := filepath.Join(dir, "secret"), filepath.Join(dir, "s")
	if err := os.WriteFile(secret, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	unix, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	t.Setenv("GIVEN", "away")
	t.Setenv("KEPT", "back")
	r := request(t, "snoops", "file:"+secret, tcp.Addr().String(), "file:"+socket, strconv.Itoa(os.Getpid()))
	r.Env = []string{"GIVEN"}
	c := captured(t, r)
	if got := names(c, "tool"); got != "looked" {
		t.Errorf("a confined server could: %s\n%s", got, c.Stderr)
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != "kept" {
		t.Errorf("%q %v", b, err)
	}
	// The test of the test: without the confinement it gets all of that.
	r.Unconfined, r.Once = true, true
	for _, name := range []string{"read a stranger's file", "connect to the machine", "connect to a socket file", "see the test's process", "be outside"} {
		if got := names(captured(t, r), "tool"); !strings.Contains(got, name) {
			t.Errorf("an unconfined server could not %s, only: %s", name, got)
		}
	}
}

// What is shown can be read and not written.
func TestShown(t *testing.T) {
	confinable(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "data"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := request(t, "sdk")
	r.Argv = []string{"sh", "-c", "cat " + dir + "/data >&2; echo y > " + dir + "/data; exit 9"}
	r.Read = []string{dir}
	_, err := take(t, r)
	var f *live.Failure
	if !errors.As(err, &f) || !strings.HasPrefix(string(f.Stderr), "x") || !strings.Contains(string(f.Stderr), "Read-only file system") {
		t.Errorf("%v %s", err, f.Stderr)
	}
	// A cache is there, takes writes, and forgets them.
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".npm"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".npm", "cached"), []byte("warm"), 0o600); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "npx"), []byte("#!/bin/sh\ncat ~/.npm/cached >&2\necho cold > ~/.npm/cached && cat ~/.npm/cached >&2\nexit 9\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r = request(t, "sdk")
	r.Argv = []string{filepath.Join(bin, "npx"), "-y", "a@1.0.0"}
	r.Getenv = func(name string) string { return map[string]string{"HOME": home, "PATH": os.Getenv("PATH")}[name] }
	_, err = take(t, r)
	if !errors.As(err, &f) || string(f.Stderr) != "warmcold\n" || !strings.Contains(f.Hint, "--allow-network") {
		t.Errorf("%v %s", err, f.Stderr)
	}
	if b, err := os.ReadFile(filepath.Join(home, ".npm", "cached")); err != nil || string(b) != "warm" {
		t.Errorf("%q %v", b, err)
	}
}

// marked is how many processes have a mark among their arguments.
func marked(mark string) int {
	n := 0
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range found {
		if line, err := os.ReadFile(name); err == nil && bytes.Contains(line, []byte(mark)) {
			n++
		}
	}
	return n
}

// until waits for something that has to come; a minute is never.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// Everything that a server has started ends with the capture, sessions of
// their own included.
func TestTreeEnds(t *testing.T) {
	for _, unconfined := range []bool{false, true} {
		r := request(t, "forks", "mark-"+rand.Text())
		if r.Unconfined = unconfined; !unconfined {
			confinable(t)
		}
		if c := captured(t, r); c.Count("tool") != 3 {
			t.Errorf("%v %s", c.Incomplete, c.Stderr)
		}
		until(t, "processes of the server live on", func() bool { return marked(r.Argv[3]) == 0 })
	}
}

// And when we are killed.
func TestTreeEndsWithUs(t *testing.T) {
	for _, how := range []string{"confined", "unconfined"} {
		if how == "confined" {
			confinable(t)
		}
		mark := "mark-" + rand.Text()
		c := exec.Command(os.Args[0], "serve", "captures", mark, how)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		until(t, "the server does not start", func() bool { return marked(mark) >= 5 }) // us, it and its three
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		until(t, "processes of the server live on", func() bool { return marked(mark) == 0 })
	}
}

// Memory and processes of the whole tree are limited.
func TestLimits(t *testing.T) {
	confinable(t)
	for _, name := range []string{"memory", "bomb"} {
		r := request(t, name)
		if r.Timeout = time.Minute; name == "bomb" {
			r.Timeout = 2 * time.Second
		}
		_, err := take(t, r)
		var f *live.Failure
		if !errors.As(err, &f) || strings.Contains(string(f.Stderr), "got all of it") {
			t.Errorf("%s: %v", name, err)
		}
		until(t, "processes of the server live on", func() bool { return marked("serve\x00"+name) == 0 })
	}
}
