//go:build linux

package stdio_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goruntime "runtime"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules/catalog"
	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
	"github.com/sallyport-mcp/sallyport/runtime/stdio"
)

// The test binary is also the server and, for the test that kills it, the shim.
func TestMain(m *testing.M) {
	switch os.Getenv("STDIO_TEST") {
	case "server":
		serve(os.Args[1])
	case "shim":
		behindShim(os.Args[1])
	case "child":
		time.Sleep(time.Hour)
	default:
		os.Exit(m.Run())
	}
}

// serve answers as a server does until a call, and then fails in its way.
func serve(way string) {
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			if way == "stubborn" || way == "mute" {
				signal.Ignore(syscall.SIGTERM)
				time.Sleep(time.Hour)
			}
			if way == "lingering" {
				time.Sleep(time.Hour)
			}
			return
		}
		var m struct {
			ID     json.RawMessage
			Method string
		}
		if json.Unmarshal(line, &m) != nil || m.ID == nil {
			continue
		}
		answer := func(result string) string {
			return `{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":` + result + "}\n"
		}
		switch m.Method {
		case "initialize":
			if way == "exit at start" {
				fmt.Fprint(os.Stderr, "no licence was found")
				os.Exit(3)
			}
			fmt.Print(answer(`{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"t","version":"1"}}`))
		case "tools/list":
			fmt.Print(answer(`{"tools":[{"name":"tides","description":"Returns the hours of high and low water.","inputSchema":{"type":"object"}}]}`))
		case "ping":
			fmt.Print(answer(`{}`))
		case "tools/call":
			fail(way, answer(`{"content":[{"type":"text","text":"High water is at nine."}]}`))
		}
	}
}

func fail(way, answer string) {
	switch way {
	case "crash":
		os.Exit(7)
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Hour)
	case "no answer":
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Hour)
	case "garbage":
		os.Stdout.Write([]byte("\x00\xff\xfe listening on port 80\n{]\n[1,2]\n\"text\"\n{\"jsonrpc\":\"2.0\",\"id\":\"9\",\"result\":{}}\n"))
		fmt.Print(answer)
	case "half a line":
		fmt.Print(answer[:len(answer)/2])
		os.Exit(0)
	case "long line":
		fmt.Print(answer[:len(answer)-5])
		block := bytes.Repeat([]byte("tide and "), 1<<17)
		for range 90 {
			os.Stdout.Write(block)
		}
		fmt.Print(answer[len(answer)-5:])
	case "flood":
		block := bytes.Repeat([]byte("\x1b[31mthe tide is high\x1b[0m\r\n"), 1<<16)
		for range 30 {
			os.Stderr.Write(block)
		}
		fmt.Print(answer)
	case "mute":
		os.Stdout.Close()
	case "heir", "runaway":
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "STDIO_TEST=child")
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: way == "runaway"}
		if err := c.Start(); err != nil {
			panic(err)
		}
		if way == "runaway" {
			_ = os.WriteFile(os.Args[2], []byte(strconv.Itoa(c.Process.Pid)), 0o600)
		}
		os.Exit(4)
	default:
		fmt.Print(answer)
	}
}

// server is this binary as a server.
func server(way string, args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], append([]string{way}, args...)...)
	c.Env = append(os.Environ(), "STDIO_TEST=server")
	return c
}

// session is one of a server that is approved without a manifest.
func session(t testing.TB, mode runtime.Mode) *runtime.Session {
	t.Helper()
	return runtime.NewSession(guard(t, mode, "approved"), audit.Server{Name: "harbour"}, audit.Who{User: "tester"})
}

func guard(t testing.TB, mode runtime.Mode, status string) *runtime.Guard {
	t.Helper()
	yaml := "apiVersion: sallyport/v1\nkind: Registry\nname: test\nservers:\n  - id: harbour\n    status: " + status + "\n    match: {argv: [harbour]}\n    evidence: {approvedBy: a, approvedAt: \"2026-01-01\", reason: r}\n"
	reg, _, err := registry.Load(&analyzers.Source{Path: "registry.yaml", Bytes: []byte(yaml)}, "2026-11-22")
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := policy.Compile(reg)
	if err != nil {
		t.Fatal(err)
	}
	return runtime.NewGuard(runtime.Config{Policy: set, Identity: registry.Command([]string{"harbour"}), User: "tester", Mode: mode, Rules: catalog.All})
}

// client is a client of a run.
type client struct {
	t       testing.TB
	in      *os.File
	out     *os.File
	lines   *bufio.Reader
	early   map[string]string // answers that nobody has asked for yet
	stderr  *buffer
	cancel  context.CancelFunc
	ended   chan error
	mu      sync.Mutex
	records []audit.Record
}

// buffer is what is written to it.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// start runs a server behind the pump, with pipes as a client has them. When
// the test ends the run must have: no process and no goroutine is left.
func start(t testing.TB, o stdio.Options) *client {
	t.Helper()
	before := goruntime.NumGoroutine()
	c := &client{t: t, stderr: &buffer{}, early: map[string]string{}, ended: make(chan error, 1)}
	theirs, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in, c.out, c.lines = in, out, bufio.NewReaderSize(out, 1<<16)
	if o.Session == nil {
		o.Session = session(t, runtime.Enforce)
	}
	o.Stdin, o.Stdout, o.Stderr, o.Alone = theirs, ours, c.stderr, true
	if o.Grace == 0 {
		o.Grace = 20 * time.Second // nothing that behaves needs it, however slow the machine is
	}
	if o.Record == nil {
		o.Record = func(r *audit.Record) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			kept := *r
			kept.RequestID = bytes.Clone(r.RequestID)
			c.records = append(c.records, kept)
			return nil
		}
	}
	var ctx context.Context
	ctx, c.cancel = context.WithCancel(t.Context())
	go func() { c.ended <- stdio.Run(ctx, o) }()
	t.Cleanup(func() {
		c.cancel()
		in.Close()
		out.Close()
		theirs.Close()
		ours.Close()
		for wait := time.Millisecond; ; wait *= 2 {
			left := goruntime.NumGoroutine() - before
			if left <= 0 && len(children(t)) == 0 {
				return
			}
			if wait > 10*time.Second {
				stacks := make([]byte, 1<<20)
				t.Errorf("left behind: %d goroutines, processes %v\n%s", left, children(t), stacks[:goruntime.Stack(stacks, true)])
				return
			}
			time.Sleep(wait)
		}
	})
	return c
}

// children are the processes that this one has, zombies too.
func children(t testing.TB) []string {
	t.Helper()
	stats, err := os.ReadDir("/proc")
	if err != nil {
		t.Skip("needs /proc")
	}
	var out []string
	for _, d := range stats {
		stat, err := os.ReadFile("/proc/" + d.Name() + "/stat")
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(os.Getpid()) {
			out = append(out, d.Name()+" "+f[0])
		}
	}
	return out
}

func (c *client) send(frames ...string) {
	c.t.Helper()
	for _, f := range frames {
		if _, err := io.WriteString(c.in, f+"\n"); err != nil {
			c.t.Fatal(err)
		}
	}
}

// answer is what comes for an id, now or before.
func (c *client) answer(id string) string {
	c.t.Helper()
	for {
		if line, ok := c.early[id]; ok {
			delete(c.early, id)
			return line
		}
		line, err := c.lines.ReadString('\n')
		if err != nil {
			c.t.Fatalf("no answer to %s: %v", id, err)
		}
		var m struct{ ID json.RawMessage }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			c.t.Fatalf("the client got %q", line)
		}
		if _, twice := c.early[string(m.ID)]; twice {
			c.t.Errorf("a second answer: %q", line)
		}
		c.early[string(m.ID)] = line
	}
}

const (
	initialize  = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
	initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	call        = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tides"}}`
)

func (c *client) begin() {
	c.t.Helper()
	c.send(initialize)
	c.answer("0")
	c.send(initialized)
}

// end is how the run ends.
func (c *client) end() error {
	c.t.Helper()
	select {
	case err := <-c.ended:
		return err
	case <-time.After(time.Minute):
		stacks := make([]byte, 1<<20)
		c.t.Fatalf("the run does not end\n%s", stacks[:goruntime.Stack(stacks, true)])
		return nil
	}
}

// TestServers: whatever a server does, who waits for it gets one answer, and
// the run ends when the client goes.
func TestServers(t *testing.T) {
	for way, want := range map[string]string{
		"well":        `"High water is at nine."`,
		"crash":       `the server has ended (exit status 7)`,
		"killed":      `the server has ended (signal: killed)`,
		"garbage":     `"High water is at nine."`,
		"half a line": `the server has ended (exit status 0)`,
		"long line":   `the server sent a line that is too long`,
		"flood":       `"High water is at nine."`,
		"mute":        `the server has closed its output`,
		"stubborn":    `"High water is at nine."`,
		"heir":        `the server has ended (exit status 4)`,
	} {
		t.Run(way, func(t *testing.T) {
			c := start(t, stdio.Options{Command: server(way), Grace: patience(way)})
			c.begin()
			c.send(call)
			if got := c.answer("1"); !strings.Contains(got, want) {
				t.Errorf("%s", got)
			}
			if way == "long line" { // and is read on
				c.send(`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
				c.answer("2")
			}
			c.in.Close()
			err := c.end()
			if rest, _ := io.ReadAll(c.lines); len(rest) > 0 {
				t.Errorf("then came %q", rest)
			}
			var exit *exec.ExitError
			if failed := errors.As(err, &exit); failed == (way == "well" || way == "garbage" || way == "flood" || way == "half a line" || way == "long line") {
				t.Errorf("the run ended with %v", err)
			}
			if said := c.stderr.String(); strings.ContainsAny(said, "\x1b\r") || len(said) > 8<<20 {
				t.Errorf("%d bytes of standard error, or control characters in it", len(said))
			}
			once(t, c.records)
		})
	}
}

// patience is the grace of a server that uses it up; the default for others.
func patience(way string) time.Duration {
	if way == "stubborn" || way == "mute" || way == "deaf" {
		return 300 * time.Millisecond
	}
	return 0
}

// once: every request has one record of what became of it and one of its answer.
func once(t *testing.T, records []audit.Record) {
	t.Helper()
	asked, answered := map[string]int{}, map[string]int{}
	for _, r := range records {
		if r.Method == "" || len(r.RequestID) == 0 {
			continue
		}
		if r.Direction == audit.ClientToServer {
			asked[string(r.RequestID)]++
		} else {
			answered[string(r.RequestID)]++
		}
	}
	for _, id := range []string{"0", "1"} {
		if asked[id] != 1 || answered[id] != 1 {
			t.Errorf("request %s has %d records, its answer %d", id, asked[id], answered[id])
		}
	}
	if n := len(records); n < 2 || records[0].Decision != audit.Start || records[n-1].Decision != audit.End {
		t.Errorf("the session has no start or no end: %d records", n)
	}
}

// TestStart: what a server says before it ends is heard, and what waited for it
// is answered.
func TestStart(t *testing.T) {
	c := start(t, stdio.Options{Command: server("exit at start")})
	c.send(initialize)
	if got := c.answer("0"); !strings.Contains(got, "the server has ended (exit status 3)") {
		t.Errorf("%s", got)
	}
	if err := c.end(); err == nil || err.Error() != "exit status 3" {
		t.Errorf("the run ended with %v", err)
	}
	if got := c.stderr.String(); got != "no licence was found" {
		t.Errorf("standard error is %q", got)
	}
	none := start(t, stdio.Options{Command: exec.Command("/nonexistent/server")})
	if err := none.end(); err == nil || !strings.Contains(err.Error(), "the server does not start") {
		t.Errorf("the run ended with %v", err)
	}
}

// TestRunaway: a process that has left the server's group and holds its pipes
// holds up nothing. It is not ours to end.
func TestRunaway(t *testing.T) {
	file := t.TempDir() + "/pid"
	c := start(t, stdio.Options{Command: server("runaway", file)})
	t.Cleanup(func() {
		if b, err := os.ReadFile(file); err == nil {
			pid, _ := strconv.Atoi(string(b))
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	c.begin()
	c.send(call)
	// Its output is still open, but it has ended.
	c.in.Close()
	if got := c.answer("1"); !strings.Contains(got, "the server has ended (exit status 4)") {
		t.Errorf("%s", got)
	}
	if err := c.end(); err == nil {
		t.Error("the server's exit status is lost")
	}
}

// TestUnanswered: a server that does not answer, or does not even read, holds up
// neither the end of the client's input nor that of the run.
func TestUnanswered(t *testing.T) {
	large := strings.Repeat("the tide is high and ", 40<<10)
	filler := func(id int) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"tides","arguments":{"a":"%s"}}}`, id, large)
	}
	for _, way := range []string{"no answer", "deaf"} {
		t.Run(way, func(t *testing.T) {
			c := start(t, stdio.Options{Command: server(way), Grace: patience(way)})
			c.begin()
			c.send(call, filler(2), filler(3))
			c.in.Close()
			for _, id := range []string{"1", "2", "3"} {
				if got := c.answer(id); !strings.Contains(got, `"error"`) {
					t.Errorf("%s", got)
				}
			}
			_ = c.end()
			once(t, c.records)
		})
	}
	t.Run("stopped", func(t *testing.T) {
		c := start(t, stdio.Options{Command: server("deaf")})
		c.begin()
		c.send(call)
		for id := 2; id < 20; id++ {
			c.send(filler(id))
		}
		if got := c.answer("1"); !strings.Contains(got, "does not read what it is sent") {
			t.Errorf("%s", got)
		}
		c.in.Close()
		if err := c.end(); !errors.Is(err, stdio.ErrRefused) {
			t.Errorf("the run ended with %v", err)
		}
	})
}

// TestSeconds: a call that takes longer than the registry allows is answered,
// whether or not anything else happens.
func TestSeconds(t *testing.T) {
	s := runtime.NewSession(guard(t, runtime.Enforce, "approved\n    limits: {seconds: 1}"), audit.Server{Name: "harbour"}, audit.Who{User: "tester"})
	c := start(t, stdio.Options{Command: server("no answer"), Session: s})
	c.begin()
	c.send(call)
	if got := c.answer("1"); !strings.Contains(got, "more than the 1 seconds") {
		t.Errorf("%s", got)
	}
	c.send(`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	if got := c.answer("2"); !strings.Contains(got, `"result"`) {
		t.Errorf("%s", got)
	}
	c.in.Close()
	_ = c.end()
	once(t, c.records)
}

// TestClients: a client may go in any way.
func TestClients(t *testing.T) {
	t.Run("without reading", func(t *testing.T) {
		c := start(t, stdio.Options{Command: server("well")})
		c.begin()
		go func() { // until the run has ended: what it writes fills every buffer
			for id := 2; ; id++ {
				if _, err := fmt.Fprintf(c.in, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"tides"}}`+"\n", id); err != nil {
					return
				}
			}
		}()
		time.Sleep(200 * time.Millisecond)
		c.cancel() // as SIGTERM does
		_ = c.end()
	})
	t.Run("without reading, with calls open", func(t *testing.T) {
		c := start(t, stdio.Options{Command: server("no answer"), Grace: time.Second})
		c.begin()
		c.send(call)
		// Refusals until nothing more is taken: every buffer is full, and what
		// answers the call at the end must not wait for room.
		for id := 2; ; id++ {
			if err := c.in.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Fprintf(c.in, `{"jsonrpc":"2.0","id":%d,"method":"nope"}`+"\n", id); err != nil {
				break
			}
		}
		c.cancel()
		_ = c.end()
	})
	t.Run("closing its end", func(t *testing.T) {
		c := start(t, stdio.Options{Command: server("well")})
		c.begin()
		c.out.Close()
		c.send(call)
		_ = c.end() // although its input is open
	})
	t.Run("of a refused server", func(t *testing.T) {
		s := runtime.NewSession(guard(t, runtime.Enforce, "denied"), audit.Server{}, audit.Who{})
		c := start(t, stdio.Options{Session: s, Command: server("well")})
		c.send(initialize)
		if got := c.answer("0"); !strings.Contains(got, "Sallyport: initialize was not forwarded") {
			t.Errorf("%s", got)
		}
		if len(children(t)) > 0 {
			t.Error("the server was started")
		}
		c.cancel()
		if err := c.end(); !errors.Is(err, stdio.ErrRefused) {
			t.Errorf("the run ended with %v", err)
		}
	})
	t.Run("with a line too long", func(t *testing.T) {
		c := start(t, stdio.Options{Command: server("well"), MaxLine: 1 << 16})
		c.begin()
		c.send(`{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"` + strings.Repeat("a", 1<<20) + `"}}`)
		if got := c.answer("null"); !strings.Contains(got, `"error"`) {
			t.Errorf("%s", got)
		}
		c.send(call)
		c.answer("1")
		c.in.Close()
		if err := c.end(); err != nil {
			t.Error(err)
		}
	})
}

// TestUnrecorded: what cannot be recorded does not go on, and is answered.
func TestUnrecorded(t *testing.T) {
	for _, lossy := range []bool{false, true} {
		full := false
		var mu sync.Mutex
		c := start(t, stdio.Options{Command: server("well"), LossyAudit: lossy, Record: func(*audit.Record) error {
			mu.Lock()
			defer mu.Unlock()
			if full {
				return errors.New("no space left on device")
			}
			return nil
		}})
		c.begin()
		c.send(`{"jsonrpc":"2.0","id":2,"method":"ping"}`)
		c.answer("2")
		mu.Lock()
		full = true
		mu.Unlock()
		c.send(call, `{"jsonrpc":"2.0","id":3,"method":"made/up"}`)
		for _, id := range []string{"1", "3"} {
			if got := c.answer(id); strings.Contains(got, "the decision cannot be recorded") == lossy {
				t.Errorf("lossy %v: %s", lossy, got)
			}
		}
		c.in.Close()
		if err := c.end(); errors.Is(err, stdio.ErrRefused) == lossy {
			t.Errorf("lossy %v: the run ended with %v", lossy, err)
		}
	}
}
