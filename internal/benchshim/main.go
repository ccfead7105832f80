// Command benchshim measures what the shim adds to a server over standard input
// and output, against a raw byte pump, in one run: every check on, an audit log
// on disk, a manifest, a compiled and signed registry of 101 servers. Rounds of the three ways alternate; figures
// are medians.
package main

import (
	"bufio"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
)

const (
	rounds = 7
	calls  = 2000 // a round
	starts = 15
)

func main() {
	servers := flag.String("servers", "", "instead, what several servers behind one connection cost: numbers of them, such as 1,5,10")
	shims := flag.String("shims", "", "with -servers, other builds of sallyport-shim to compare with, separated by commas")
	flag.Parse()
	err := error(nil)
	if *servers != "" {
		err = several(*servers, *shims)
	} else {
		err = run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchshim:", err)
		os.Exit(1)
	}
}

// way is one way to the server.
type way struct {
	name string
	argv []string

	small, large []time.Duration // medians of rounds
	start        []time.Duration
	cpu          []time.Duration // of the process in between, a call; zero for direct
	cpuLarge     []time.Duration
	rss          int // kB, after the calls; the most of all rounds
}

func run() error {
	dir, err := os.MkdirTemp("", "benchshim")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := build(dir, [2]string{"server", "./internal/mcptest/mcpserver"}, [2]string{"pump", "./internal/benchshim/pump"}, [2]string{"shim", "./cmd/sallyport-shim"}); err != nil {
		return err
	}
	if err := prepare(dir); err != nil {
		return err
	}
	server := []string{at("server"), at("capture.json")}
	ways := []*way{
		{name: "direct", argv: server},
		{name: "pump", argv: append([]string{at("pump")}, server...)},
		{name: "shim", argv: append([]string{at("shim"), "run", "--registry", at("registry.json"), "--key", at("key.pem"), "--audit", at("audit.jsonl"), "--state", at("state"), "--quiet", "--"}, server...)},
	}
	for range rounds {
		for _, w := range ways {
			if err := w.round(); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
		}
	}
	for range starts {
		for _, w := range ways {
			if err := w.starting(); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
		}
	}
	return report(ways, at("shim"))
}

// build writes programs, each a name and a package, into dir.
func build(dir string, programs ...[2]string) error {
	for _, b := range programs {
		c := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, b[0]), b[1])
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	return nil
}

// captured is what the server shows.
const captured = `{"serverInfo":{"name":"bench"},"tools":[` +
	`{"name":"look_up","description":"Returns the entry of a word in the dictionary of the harbour.","inputSchema":{"type":"object","properties":{"word":{"type":"string","description":"The word"},"size":{"type":"integer","minimum":0,"description":"Length of the entry"},"language":{"type":"string","enum":["en","de"]}},"required":["word"],"additionalProperties":false}},` +
	`{"name":"list_words","description":"Lists the words of the dictionary.","inputSchema":{"type":"object"}}]}`

// prepare writes what was approved.
func prepare(dir string) error {
	entry, err := approve(dir, "bench", []byte(captured), filepath.Join(dir, "server"), filepath.Join(dir, "capture.json"))
	if err != nil {
		return err
	}
	return compile(dir, entry)
}

// compile writes the registry of these entries and of 100 others, as a real one
// has them, and the key of its compiled form.
func compile(dir, entries string) error {
	document := "apiVersion: sallyport/v1\nkind: Registry\nname: bench\nservers:\n"
	for i := range 100 {
		document += fmt.Sprintf("  - id: other-%d\n    status: approved\n    match: {argv: [npx, -y, \"@acme/server-%d@1.2.%d\"]}\n    evidence: {approvedBy: bench, approvedAt: \"2026-01-01\", reason: bench}\n", i, i, i)
	}
	document += entries
	source := filepath.Join(dir, "registry.yaml")
	if err := os.WriteFile(source, []byte(document), 0o600); err != nil {
		return err
	}
	r, _, err := registry.Load(&analyzers.Source{Path: source, Bytes: []byte(document)}, time.Now().UTC().Format(time.DateOnly))
	if err != nil {
		return err
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(document))
	compiled, err := r.Encode(registry.Provenance{Source: "sha256:" + hex.EncodeToString(digest[:]), Serial: 1}, private)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "registry.json"), compiled, 0o600)
}

// client is a session with a server.
type client struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	id  int
}

func dial(argv []string) (*client, error) {
	c := &client{cmd: exec.Command(argv[0], argv[1:]...)}
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReaderSize(out, 1<<17)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	if err := c.call(`"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}`); err != nil {
		return nil, err
	}
	_, err = io.WriteString(c.in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n")
	return c, err
}

// call sends a request and waits for its answer.
func (c *client) call(method string) error {
	c.id++
	if _, err := fmt.Fprintf(c.in, `{"jsonrpc":"2.0","id":%d,"method":%s}`+"\n", c.id, method); err != nil {
		return err
	}
	line, err := c.out.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !strings.Contains(string(line[:min(len(line), 60)]), `"result"`) {
		return fmt.Errorf("the answer is %.300s", line)
	}
	return nil
}

func (c *client) close() {
	_ = c.in.Close()
	_ = c.cmd.Wait()
}

func (w *way) round() error {
	c, err := dial(w.argv)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.call(`"tools/list"`); err != nil {
		return err
	}
	measure := func(n int, arguments string) (time.Duration, time.Duration, error) {
		request := `"tools/call","params":{"name":"look_up","arguments":` + arguments + `}`
		for range 50 {
			if err := c.call(request); err != nil {
				return 0, 0, err
			}
		}
		times := make([]time.Duration, n)
		before := cpu(c.cmd.Process.Pid)
		for i := range times {
			t := time.Now()
			if err := c.call(request); err != nil {
				return 0, 0, err
			}
			times[i] = time.Since(t)
		}
		return median(times), (cpu(c.cmd.Process.Pid) - before) / time.Duration(n), nil
	}
	small, spent, err := measure(calls, `{"word":"ferry","language":"en"}`)
	if err != nil {
		return err
	}
	large, spentLarge, err := measure(calls/4, `{"word":"ferry","size":10240}`)
	if err != nil {
		return err
	}
	w.small, w.large, w.cpu, w.cpuLarge = append(w.small, small), append(w.large, large), append(w.cpu, spent), append(w.cpuLarge, spentLarge)
	w.rss = max(w.rss, resident(c.cmd.Process.Pid))
	return nil
}

func (w *way) starting() error {
	t := time.Now()
	c, err := dial(w.argv)
	if err != nil {
		return err
	}
	w.start = append(w.start, time.Since(t))
	c.close()
	return nil
}

// cpu is the time that a process has used (Linux, proc(5)).
func cpu(pid int) time.Duration {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// resident is the memory that a process has now, in kB.
func resident(pid int) int {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	f := strings.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(f[0])
	return n
}

func median[T ~int64](list []T) T {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

func report(ways []*way, shim string) error {
	fmt.Printf("%-8s %12s %12s %12s %12s %10s\n", "", "call", "10 KB", "start", "CPU/call", "RSS MB")
	for _, w := range ways {
		fmt.Printf("%-8s %12s %12s %12s %12s %10.1f\n", w.name, median(w.small), median(w.large), median(w.start), median(w.cpu), float64(w.rss)/1024)
	}
	direct, pump, sp := ways[0], ways[1], ways[2]
	info, err := os.Stat(shim)
	if err != nil {
		return err
	}
	out := map[string]any{
		"callP50OverPump": ratio(median(sp.small), median(pump.small)),
		"cpuPerCallOver":  (median(sp.cpu) - median(pump.cpu)).String(),
		"cpuPer10KBOver":  (median(sp.cpuLarge) - median(pump.cpuLarge)).String(),
		"tenKBOverPump":   (median(sp.large) - median(pump.large)).String(),
		"startOverDirect": (median(sp.start) - median(direct.start)).String(),
		"rssMB":           float64(sp.rss) / 1024,
		"binaryMB":        float64(info.Size()) / 1e6,
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

func ratio(a, b time.Duration) string { return fmt.Sprintf("%.2f", float64(a)/float64(b)) }
