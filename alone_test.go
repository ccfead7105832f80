package sallyport_test

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAlone: a scan of local targets opens no socket and starts no process.
// The program itself is run and watched by strace; where that is not to be had,
// its descriptors and children are looked at again and again.
func TestAlone(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs strace or /proc")
	}
	if testing.Short() {
		t.Skip("builds the program")
	}
	program := filepath.Join(t.TempDir(), "sallyport")
	if out, err := exec.Command("go", "build", "-o", program, "./cmd/sallyport").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	watch := straced
	if err := exec.Command("strace", "-qq", "-o", os.DevNull, "true").Run(); err != nil {
		t.Logf("no strace (%v): looking at /proc", err)
		watch = sampled
	}
	for _, args := range [][]string{
		{"scan", "fixtures/demo", "--fail-on", "never"},
		{"scan", "fixtures/demo", "fixtures/clients", "--fail-on", "never", "--format", "sarif"},
		{"version"},
	} {
		if seen := watch(t, program, args...); len(seen) > 0 {
			t.Errorf("sallyport %s is not alone:\n%s", strings.Join(args, " "), strings.Join(seen, "\n"))
		}
	}
	// The watch itself: a command that has to open a connection, to a port
	// where nobody answers for a while, is seen doing so.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		time.Sleep(time.Second)
		silent.Close()
	}()
	key := filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(key, []byte(publicKey), 0o644); err != nil {
		t.Fatal(err)
	}
	if seen := watch(t, program, "manifest", "verify", "--image", silent.Addr().String()+"/a/b:c", "--key", key); len(seen) == 0 {
		t.Error("a connection was opened, and the watch saw nothing")
	}
}

// publicKey is a key like any other.
const publicKey = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
`

var (
	systemCall = regexp.MustCompile(`^\d+\s+(\w+)\(`)
	thread     = regexp.MustCompile(`CLONE_THREAD`)
)

// straced is every system call with which the program reaches for the network
// or starts a process, its own start left out.
func straced(t *testing.T, program string, args ...string) []string {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace")
	run(t, exec.Command("strace", append([]string{"-f", "-qq", "-o", trace, "-e", "trace=%network,execve,execveat,fork,vfork,clone,clone3", program}, args...)...))
	content, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	started := 0
	for line := range strings.Lines(string(content)) {
		m := systemCall.FindStringSubmatch(line)
		if m == nil { // a signal, the rest of a call
			continue
		}
		switch {
		case m[1] == "execve" && started == 0:
			started++
		case strings.HasPrefix(m[1], "clone") && thread.MatchString(line):
		default:
			seen = append(seen, strings.TrimSpace(line))
		}
	}
	if started == 0 {
		t.Fatalf("strace saw nothing at all: %q", content)
	}
	return seen
}

// sampled is every socket and every child that the program was seen with.
func sampled(t *testing.T, program string, args ...string) []string {
	t.Helper()
	cmd := exec.Command(program, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			t.Error(err)
		}
	}()
	seen := map[string]bool{}
	for {
		select {
		case <-ended:
			return slices.Sorted(maps.Keys(seen))
		default:
		}
		proc := fmt.Sprintf("/proc/%d", cmd.Process.Pid)
		fds, _ := filepath.Glob(proc + "/fd/*")
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:") {
				seen[to] = true
			}
		}
		children, _ := filepath.Glob(proc + "/task/*/children")
		for _, c := range children {
			if b, err := os.ReadFile(c); err == nil && len(strings.TrimSpace(string(b))) > 0 {
				seen["child "+strings.TrimSpace(string(b))] = true
			}
		}
	}
}

// run lets a program fail, as long as it ran.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
}
