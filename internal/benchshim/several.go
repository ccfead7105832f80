package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/manifest"
)

// connection is `run --servers` over so many servers.
type connection struct {
	shim  string
	count int
	argv  []string

	start []time.Duration
	cpu   []time.Duration // from the start to the first list
	idle  []time.Duration // a second, while nothing is asked
	rss   int             // kB, the most of all rounds
}

// several measures `run --servers` with each number of servers, for each of the
// programs, in turn: how long it takes from the start to the list of all tools,
// and what memory it holds after a call of each server.
func several(counts, shims string) error {
	dir, err := os.MkdirTemp("", "benchshim")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := build(dir, [2]string{"server", "./internal/mcptest/mcpserver"}, [2]string{"shim", "./cmd/sallyport-shim"}); err != nil {
		return err
	}
	programs := []string{filepath.Join(dir, "shim")}
	if shims != "" {
		programs = append(strings.Split(shims, ","), programs...)
	}
	var all []*connection
	for _, count := range strings.Split(counts, ",") {
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 {
			return fmt.Errorf("-servers %q: numbers, such as 1,5,10", counts)
		}
		at := filepath.Join(dir, count)
		if err := prepareSeveral(dir, at, n); err != nil {
			return err
		}
		for _, program := range programs {
			all = append(all, &connection{shim: program, count: n, argv: []string{program, "run", "--registry", filepath.Join(at, "registry.json"), "--key", filepath.Join(at, "key.pem"),
				"--servers", filepath.Join(at, ".mcp.json"), "--audit", filepath.Join(at, "audit.jsonl"), "--state", filepath.Join(at, "state"), "--quiet"}})
		}
	}
	for range rounds {
		for _, c := range all {
			if err := c.round(); err != nil {
				return fmt.Errorf("%d servers: %w", c.count, err)
			}
		}
	}
	fmt.Printf("%8s %-30s %12s %12s %12s %10s\n", "servers", "program", "start", "CPU", "idle CPU/s", "RSS MB")
	for _, c := range all {
		fmt.Printf("%8d %-30s %12s %12s %12s %10.1f\n", c.count, filepath.Base(c.shim), median(c.start).Round(10*time.Microsecond), median(c.cpu), median(c.idle), float64(c.rss)/1024)
	}
	return nil
}

func (c *connection) round() error {
	t := time.Now()
	client, err := dial(c.argv)
	if err != nil {
		return err
	}
	defer client.close()
	if err := client.call(`"tools/list"`); err != nil {
		return err
	}
	pid := client.cmd.Process.Pid
	c.start, c.cpu = append(c.start, time.Since(t)), append(c.cpu, cpu(pid))
	for i := range c.count {
		call := fmt.Sprintf(`"tools/call","params":{"name":"s%d__look_up_%d","arguments":{"word":"ferry","size":1024}}`, i, i)
		for range 20 {
			if err := client.call(call); err != nil {
				return err
			}
		}
	}
	const quiet = 2 * time.Second
	before := cpu(pid)
	time.Sleep(quiet)
	c.idle = append(c.idle, (cpu(pid)-before)*time.Duration(time.Second)/quiet)
	c.rss = max(c.rss, resident(pid))
	return nil
}

// prepareSeveral writes what was approved of n servers.
func prepareSeveral(program, dir string, n int) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	entries, servers := "", []string{}
	for i := range n {
		content := strings.ReplaceAll(captured, `"look_up"`, fmt.Sprintf(`"look_up_%d"`, i))
		file := filepath.Join(dir, fmt.Sprintf("s%d.json", i))
		entry, err := approve(dir, fmt.Sprintf("s%d", i), []byte(content), filepath.Join(program, "server"), file)
		if err != nil {
			return err
		}
		entries += entry
		servers = append(servers, fmt.Sprintf(`"s%d":{"command":%q,"args":[%q]}`, i, filepath.Join(program, "server"), file))
	}
	if err := os.WriteFile(filepath.Join(dir, ".mcp.json"), []byte(`{"mcpServers":{`+strings.Join(servers, ",")+"}}"), 0o600); err != nil {
		return err
	}
	return compile(dir, entries)
}

// approve writes a server's capture and manifest, and returns its entry.
func approve(dir, id string, content []byte, program, file string) (string, error) {
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return "", err
	}
	var c analyzers.Catalog
	if err := capture.Analyzer().Analyze(analyzers.File{Source: &analyzers.Source{Path: "capture.json", Bytes: content}}, &c); err != nil {
		return "", err
	}
	m, err := manifest.New(manifest.Options{
		Server: manifest.Server{Name: id}, Surface: &c.Servers[0].Surface, Serial: 1,
		Issued: time.Now().UTC().Format(time.RFC3339), Expires: time.Now().UTC().AddDate(1, 0, 0).Format(time.RFC3339),
	})
	if err != nil {
		return "", err
	}
	b, err := m.Bytes()
	if err != nil {
		return "", err
	}
	entry := fmt.Sprintf("  - id: %s\n    status: approved\n    match: {argv: [%q, %q]}\n    manifest: {digest: \"sha256:%s\"}\n    evidence: {approvedBy: bench, approvedAt: \"2026-01-01\", reason: bench}\n", id, program, file, m.Predicate.Surface)
	return entry, os.WriteFile(filepath.Join(dir, id+".manifest.json"), b, 0o600)
}
