// Command bench measures a scan against reading the same tree: both in one
// run, in turn, each as a process of its own, by the operating system's
// accounting. It prints medians and ratios; it judges nothing.
package main

import (
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	files := flag.Int("files", 5000, "files of the tree")
	runs := flag.Int("runs", 7, "counted runs of each")
	read := flag.String("read", "", "only read every file of `DIR` (used by the bench itself)")
	flag.Parse()
	if *read != "" {
		must(readTree(*read))
		return
	}
	must(bench(*files, *runs))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// readTree is the yardstick: list every directory and read every file.
func readTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		_, err = os.ReadFile(path)
		return err
	})
}

func bench(files, runs int) error {
	work, err := os.MkdirTemp("", "sallyport-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	tree := filepath.Join(work, "tree")
	size, err := makeTree(tree, files)
	if err != nil {
		return err
	}
	sallyport := filepath.Join(work, "sallyport")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", sallyport, "./cmd/sallyport").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %v\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var reads, scans, ratios []float64
	var walls []time.Duration
	var memory int64
	for i := range runs + 1 { // the first of each warms the cache
		r, err := measure(self, "-read", tree)
		if err != nil {
			return err
		}
		s, err := measure(sallyport, "scan", tree, "--fail-on", "never", "--format", "json")
		if err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		reads, scans = append(reads, r.cpu.Seconds()*1000), append(scans, s.cpu.Seconds()*1000)
		ratios = append(ratios, s.cpu.Seconds()/r.cpu.Seconds())
		walls, memory = append(walls, s.wall), max(memory, s.memory)
	}
	slices.Sort(walls)
	fmt.Printf("tree: %d files, %.1f MB; %d runs of each, in turn; %s, %d processors\n", files, float64(size)/1e6, runs, runtime.Version(), runtime.NumCPU())
	fmt.Printf("%-22s %8s %8s %8s\n", "", "min", "median", "max")
	row("read, CPU ms", reads)
	row("scan, CPU ms", scans)
	row("ratio scan/read", ratios)
	fmt.Printf("scan, wall median: %v; peak memory: %.0f MB\n", walls[len(walls)/2].Round(time.Millisecond), float64(memory)/1e6)
	return nil
}

func row(name string, values []float64) {
	slices.Sort(values)
	fmt.Printf("%-22s %8.2f %8.2f %8.2f\n", name, values[0], values[len(values)/2], values[len(values)-1])
}

type usage struct {
	cpu, wall time.Duration
	memory    int64 // bytes
}

func measure(program string, args ...string) (usage, error) {
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return usage{}, fmt.Errorf("%s: %w", filepath.Base(program), err)
	}
	u := usage{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), wall: time.Since(start)}
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.memory = int64(r.Maxrss) * 1024
	}
	return u, nil
}

// makeTree writes a believable repository: mostly source, a tenth JSON and
// YAML that is nobody's configuration, and a client's file in every hundredth
// directory. It is the same on every machine.
func makeTree(root string, files int) (size int64, err error) {
	random := rand.New(rand.NewPCG(1, 2))
	line := "func handle(request Request) (Response, error) { return process(request.Body) } // routine\n"
	for i := range files {
		dir := filepath.Join(root, fmt.Sprintf("pkg%02d", i%40), fmt.Sprintf("mod%02d", i/40%25))
		name, content := fmt.Sprintf("file%04d.go", i), strings.Repeat(line, 10+random.IntN(120))
		switch {
		case i%100 == 7:
			dir = filepath.Join(dir, ".cursor")
			name = "mcp.json"
			content = fmt.Sprintf(`{"mcpServers": {"s%d": {"command": "npx", "args": ["-y", "acme-tool-%d@1.0.%d"], "env": {"LEVEL": "info", "TOKEN": "${TOKEN}"}}}}`, i, i, i%9)
		case i%100 == 8:
			name = fmt.Sprintf("tools%04d.json", i)
			content = `{"tools": [` + strings.TrimSuffix(strings.Repeat(`{"name": "find_item", "description": "Finds an item by its number and returns where it is.", "inputSchema": {"type": "object", "properties": {"number": {"type": "string", "description": "The number"}}}},`, 20), ",") + `]}`
		case i%10 == 3:
			name = fmt.Sprintf("data%04d.json", i)
			content = `{"rows": [` + strings.TrimSuffix(strings.Repeat(`{"id": 17, "label": "north", "values": [1, 2, 3]},`, 80), ",") + `]}`
		case i%10 == 4:
			name = fmt.Sprintf("deploy%04d.yaml", i)
			content = strings.Repeat("- name: step\n  run: make build\n", 60)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return 0, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return 0, err
		}
		size += int64(len(content))
	}
	return size, nil
}
