// Command measure runs the program over a labelled set and prints what came of
// it per source. A row is a JSON object with source, id, name and content (a
// configuration, scanned as a file of its own), or with -text description and
// inputSchema (a tool, judged alone) or content alone (a text), one a line. The
// sets are not part of this repository.
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing/fstest"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/all"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/catalog"
)

type row struct{ Source, ID, Name, Content string }

// tally is what came of the rows of one source.
type tally struct {
	rows, recognised, gaps int
	worst                  [rules.Critical + 1]int
}

func (t *tally) atLeast(s rules.Severity) (n int) {
	for level := s; level <= rules.Critical; level++ {
		n += t.worst[level]
	}
	return n
}

func main() {
	texts := flag.Bool("text", false, "rows are tools and texts, not configurations")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/measure [-text] ROWS.jsonl...")
		os.Exit(2)
	}
	run := measure
	if *texts {
		run = measureTexts
	}
	for _, name := range flag.Args() {
		if err := run(name); err != nil {
			fmt.Fprintln(os.Stderr, "measure:", err)
			os.Exit(1)
		}
	}
}

func measure(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	sources, byRule := map[string]*tally{}, map[string]int{}
	total := &tally{}
	sources["all"] = total
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if sources[r.Source] == nil {
			sources[r.Source] = &tally{}
		}
		if err := judge(r, byRule, total, sources[r.Source]); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	fmt.Printf("%s\n%-28s %6s %10s %8s %8s %6s %6s\n", name, "source", "rows", "recognised", ">=high", ">=medium", "none", "gaps")
	for _, s := range slices.Sorted(maps.Keys(sources)) {
		t := sources[s]
		fmt.Printf("%-28s %6d %10d %8s %8s %6d %6d\n", s, t.rows, t.recognised,
			share(t.atLeast(rules.High), t.rows), share(t.atLeast(rules.Medium), t.rows), t.worst[0], t.gaps)
	}
	for _, id := range slices.SortedFunc(maps.Keys(byRule), func(a, b string) int { return cmp.Or(byRule[b]-byRule[a], cmp.Compare(a, b)) }) {
		fmt.Printf("  %5d %s\n", byRule[id], id)
	}
	return nil
}

func judge(r row, byRule map[string]int, tallies ...*tally) error {
	tree := fstest.MapFS{fileName(r): {Data: []byte(r.Content)}}
	c, err := analyzers.Load(context.Background(), analyzers.Tree{FS: tree, Exposure: analyzers.Project}, all.Analyzers(), analyzers.Limits{})
	if err != nil {
		return err
	}
	found := rules.Check(c, catalog.All())
	seen := map[string]bool{}
	for _, f := range found {
		if id := f.Rule.ID + " " + f.Severity.String(); !seen[id] {
			seen[id] = true
			byRule[id]++
		}
	}
	for _, t := range tallies {
		t.rows++
		t.worst[rules.Worst(found)]++
		if len(c.Clients)+len(c.Servers) > 0 {
			t.recognised++
		}
		if slices.ContainsFunc(c.Gaps, func(g analyzers.Gap) bool { return g.Blocking }) {
			t.gaps++
		}
	}
	return nil
}

var plainFile = regexp.MustCompile(`^[\w.@-][\w./@ -]*\.(json|jsonc|ya?ml|toml)$`)

// fileName is the name under which a client would read the row: its own where
// it has one, or the one that its content speaks for.
func fileName(r row) string {
	_, tail, _ := strings.Cut(r.ID, ":")
	for _, name := range []string{r.Name, tail} {
		if plainFile.MatchString(name) && !strings.Contains(name, "..") {
			return name
		}
	}
	text := strings.TrimSpace(r.Content)
	switch {
	case strings.HasPrefix(text, "[") && strings.Contains(text, "mcp_servers"):
		return ".codex/config.toml"
	case !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "["):
		return "config.yaml"
	case strings.Contains(text, `"mcpServers"`):
		return ".mcp.json"
	case strings.Contains(text, `"servers"`):
		return ".vscode/mcp.json"
	}
	return "config.json"
}

func share(n, of int) string { return fmt.Sprintf("%d %4.1f%%", n, 100*float64(n)/float64(max(of, 1))) }
