//go:build unix

// Command soak makes many calls through the shim while the server is killed
// again and again, restarts the shim as a client would, and holds what it has
// got against the audit log: every call is answered once, with its own result or
// an error, and recorded once; the log verifies. Linux only.
package main

import (
	"bufio"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
)

const (
	open   = 64  // calls without an answer at a time
	killed = 800 // the most answers of a server before it is killed
)

func main() {
	calls := flag.Int("calls", 100_000, "how many calls are made")
	flag.Parse()
	if err := run(*calls); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// soak is one run.
type soak struct {
	dir     string
	results []int // by call: how often it was answered with its result
	errors  []int // and with an error
	next    int   // the call that is made next
	again   []int // calls that no shim has read
	sent    int
	kills   int
	shims   int
}

func run(calls int) error {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &soak{dir: dir, results: make([]int, calls), errors: make([]int, calls)}
	if err := s.prepare(); err != nil {
		return err
	}
	began := time.Now()
	for s.next < calls || len(s.again) > 0 {
		if err := s.session(); err != nil {
			return err
		}
	}
	fmt.Printf("%d calls in %s: %d shims, %d kills of the server, %d calls sent again because no shim had read them\n",
		calls, time.Since(began).Round(time.Second), s.shims, s.kills, s.sent-calls)
	return s.verify()
}

func (s *soak) at(name string) string { return filepath.Join(s.dir, name) }

// prepare builds the programs and approves the server.
func (s *soak) prepare() error {
	for name, pkg := range map[string]string{"server": "./internal/mcptest/mcpserver", "shim": "./cmd/sallyport-shim"} {
		c := exec.Command("go", "build", "-trimpath", "-o", s.at(name), pkg)
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	content := []byte(`{"serverInfo":{"name":"soak"},"tools":[{"name":"echo","description":"Returns its text.","inputSchema":{"type":"object","properties":{"text":{"type":"string","description":"The text"}},"required":["text"]}}]}`)
	var c analyzers.Catalog
	if err := capture.Analyzer().Analyze(analyzers.File{Source: &analyzers.Source{Path: "capture.json", Bytes: content}}, &c); err != nil {
		return err
	}
	m, err := manifest.New(manifest.Options{
		Server: manifest.Server{Name: "soak"}, Surface: &c.Servers[0].Surface, Serial: 1,
		Issued: time.Now().UTC().Format(time.RFC3339), Expires: time.Now().UTC().AddDate(1, 0, 0).Format(time.RFC3339),
	})
	if err != nil {
		return err
	}
	statement, err := m.Bytes()
	if err != nil {
		return err
	}
	yaml := fmt.Sprintf(`apiVersion: sallyport/v1
kind: Registry
name: soak
servers:
  - id: soak
    status: approved
    match: {argv: [%q, %q]}
    manifest: {digest: "sha256:%s", path: manifest.json}
    evidence: {approvedBy: soak, approvedAt: "2026-01-01", reason: a test}
`, s.at("server"), s.at("capture.json"), m.Predicate.Surface)
	for name, b := range map[string][]byte{"capture.json": content, "manifest.json": statement, "registry.yaml": []byte(yaml)} {
		if err := os.WriteFile(s.at(name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// session is one shim, until its server was killed or no call is left.
func (s *soak) session() error {
	c := exec.Command(s.at("shim"), "run", "--registry", s.at("registry.yaml"), "--audit", s.at("audit.jsonl"), "--state", s.at("state"), "--quiet",
		"--", s.at("server"), s.at("capture.json"))
	in, err := c.StdinPipe()
	if err != nil {
		return err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	s.shims++
	watchdog := time.AfterFunc(5*time.Minute, func() { _ = c.Process.Kill() })
	defer watchdog.Stop()
	waiting, now := map[int]bool{}, make(chan struct{})
	ended := make(chan struct{})
	killer := make(chan bool, 1)
	go func() {
		<-now
		for dead := false; !dead; {
			select {
			case <-time.After(rand.N(time.Millisecond)): // it may not have begun yet
				dead = kill(c.Process.Pid)
			case <-ended:
				killer <- false
				return
			}
		}
		killer <- true
	}()
	err = s.talk(in, bufio.NewReader(out), waiting, now)
	_ = in.Close()
	_ = c.Wait() // the exit status of a killed server is not zero
	close(ended)
	if <-killer {
		s.kills++
	}
	for n := range waiting {
		s.again = append(s.again, n)
	}
	return err
}

// kill ends the shim's server, whatever it is doing.
func kill(shim int) bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", shim))
	for _, task := range tasks {
		b, _ := os.ReadFile(task)
		for pid := range strings.FieldsSeq(string(b)) {
			if n, err := strconv.Atoi(pid); err == nil {
				return syscall.Kill(n, syscall.SIGKILL) == nil
			}
		}
	}
	return false
}

// talk makes calls and reads answers until the shim ends or no call is left. It
// closes kill when it is the server's turn to die.
func (s *soak) talk(in io.Writer, out *bufio.Reader, waiting map[int]bool, kill chan<- struct{}) error {
	left := rand.N(killed)
	if left < killed/20 { // before or in the handshake
		left = 0
		close(kill)
	}
	defer func() {
		if left > 0 {
			close(kill)
		}
	}()
	const hello = `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"soak","version":"1"}}}` + "\n" +
		`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n"
	gone := func(err error) bool {
		return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed)
	}
	if _, err := io.WriteString(in, hello); err != nil && !gone(err) {
		return err
	}
	broken := false
	for greeted := false; ; {
		for greeted && !broken && len(waiting) < open {
			n, ok := s.take()
			if !ok {
				break
			}
			waiting[n] = true
			s.sent++
			if _, err := fmt.Fprintf(in, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"text":"call %d"}}}`+"\n", n, n); err != nil {
				if !gone(err) {
					return err
				}
				broken = true
			}
		}
		if greeted && len(waiting) == 0 {
			return nil
		}
		line, err := out.ReadBytes('\n')
		if left > 0 {
			if left--; left == 0 {
				close(kill)
			}
		}
		if err != nil {
			if len(line) > 0 {
				return fmt.Errorf("the shim ended inside a line: %q", line)
			}
			return nil
		}
		var m struct {
			ID     json.RawMessage
			Result json.RawMessage
			Error  json.RawMessage
		}
		if err := json.Unmarshal(line, &m); err != nil {
			return fmt.Errorf("the client got %q", line)
		}
		if string(m.ID) == `"hello"` {
			greeted = m.Error == nil
			continue
		}
		n, err := strconv.Atoi(string(m.ID))
		if err != nil || !waiting[n] {
			return fmt.Errorf("an answer to nothing: %q", line)
		}
		delete(waiting, n)
		switch {
		case m.Error != nil:
			s.errors[n]++
			broken = true // the server is lost: a client starts it again
		case strings.Contains(string(m.Result), fmt.Sprintf(`"call %d"`, n)):
			s.results[n]++
		default:
			return fmt.Errorf("the answer of another call: %q", line)
		}
	}
}

func (s *soak) take() (int, bool) {
	if len(s.again) > 0 {
		n := s.again[len(s.again)-1]
		s.again = s.again[:len(s.again)-1]
		return n, true
	}
	if s.next < len(s.results) {
		s.next++
		return s.next - 1, true
	}
	return 0, false
}

// verify holds the log against what the client has seen.
func (s *soak) verify() error {
	names, err := audit.Files(s.at("audit.jsonl"))
	if err != nil {
		return err
	}
	var files []audit.File
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		files = append(files, audit.File{Name: filepath.Base(name), Reader: f})
	}
	private, err := audit.Key(s.at("state"))
	if err != nil {
		return err
	}
	heads, err := audit.Heads(s.at("state"))
	if err != nil {
		return err
	}
	asked, allowed, refused := make([]int, len(s.results)), make([]int, len(s.results)), make([]int, len(s.results))
	report, err := audit.Verify(audit.VerifyOptions{
		Keys: []ed25519.PublicKey{private.Public().(ed25519.PublicKey)}, Heads: heads,
		Each: func(r *audit.Record, ok bool) {
			n, err := strconv.Atoi(string(r.RequestID))
			if !ok || err != nil || r.Method != "tools/call" {
				return
			}
			switch {
			case r.Direction == audit.ClientToServer && r.Decision == audit.Allow:
				asked[n]++
			case r.Direction == audit.ClientToServer: // refused at once
				asked[n]++
				refused[n]++
			case r.Decision == audit.Allow:
				allowed[n]++
			default:
				refused[n]++
			}
		},
	}, files...)
	if err != nil {
		return err
	}
	if report.Problem != nil {
		return fmt.Errorf("the log: %s", report.Problem)
	}
	failed, bad := 0, 0
	for n := range s.results {
		failed += s.errors[n]
		if s.results[n]+s.errors[n] != 1 || asked[n] != 1 || allowed[n] != s.results[n] || refused[n] != s.errors[n] {
			if bad++; bad <= 10 {
				fmt.Printf("call %d: %d results and %d errors; records: asked %d, answered %d, refused %d\n", n, s.results[n], s.errors[n], asked[n], allowed[n], refused[n])
			}
		}
	}
	fmt.Printf("%d results, %d errors; %d records in %d files, %d signatures, %d lost; %d calls not answered or recorded exactly once\n",
		len(s.results)-failed, failed, report.Records, report.Files, report.Checkpoints, report.Lost, bad)
	if bad > 0 || report.Lost > 0 || !report.Trusted {
		return errors.New("the log is not what the client saw")
	}
	return nil
}
