// Command eval judges the corpus of fixtures/corpus with the program itself and
// prints recall per technique and false alarms per kind, for the items that the
// lexicon was tuned on and for those kept back. It fails when a figure falls
// below its floor.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

type item struct {
	ID, Label, Kind, Technique, Split string
	Text                              string
	Tool                              map[string]any
}

type verdict struct {
	ID       string
	Severity string
}

// count is how many of how many.
type count struct{ n, of int }

func (c count) with(hit bool) count {
	c.of++
	if hit {
		c.n++
	}
	return c
}

func (c count) String() string {
	return fmt.Sprintf("%4d of %4d  %5.1f%%", c.n, c.of, 100*float64(c.n)/float64(max(c.of, 1)))
}

func main() {
	recall := flag.Float64("recall", 0, "fail below this share of malicious test items at medium or above")
	alarms := flag.Float64("alarms", 100, "fail above this percentage of benign test items at medium or above")
	verbose := flag.Bool("v", false, "list the items that are judged wrongly")
	flag.Parse()
	if err := eval(*recall, *alarms, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "eval:", err)
		os.Exit(1)
	}
}

func eval(recall, alarms float64, verbose bool) error {
	items, err := read("fixtures/corpus/*.jsonl")
	if err != nil {
		return err
	}
	found, err := judge(items)
	if err != nil {
		return err
	}
	type key struct{ split, group string }
	hits, totals := map[key]count{}, map[string]count{}
	for _, it := range items {
		hit := found[it.ID] == "medium" || found[it.ID] == "high" || found[it.ID] == "critical"
		group := "malicious " + it.Technique
		if it.Label == "benign" {
			group = "benign    " + it.Kind
		}
		k, split := key{it.Split, group}, it.Split+" "+it.Label
		hits[k], totals[split] = hits[k].with(hit), totals[split].with(hit)
		if verbose && hit == (it.Label == "benign") {
			fmt.Printf("%s %s %s %s: %.300q%.300q\n", it.ID, it.Split, group, found[it.ID], it.Text, it.Tool["description"])
		}
	}
	keys := slices.SortedFunc(maps.Keys(hits), func(a, b key) int {
		return slices.Compare([]string{a.split, a.group}, []string{b.split, b.group})
	})
	for _, k := range keys {
		fmt.Printf("%-5s %-40s %s\n", k.split, k.group, hits[k])
	}
	for _, k := range slices.Sorted(maps.Keys(totals)) {
		fmt.Printf("%-46s %s\n", k, totals[k])
	}
	test := totals["test malicious"]
	if got := float64(test.n) / float64(max(test.of, 1)); got < recall {
		return fmt.Errorf("recall on the test items is %.3f, below %.3f", got, recall)
	}
	test = totals["test benign"]
	if got := 100 * float64(test.n) / float64(max(test.of, 1)); got > alarms {
		return fmt.Errorf("false alarms on the test items are %.2f%%, above %.2f%%", got, alarms)
	}
	return nil
}

func read(pattern string) ([]item, error) {
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("no corpus at %s", pattern)
	}
	var items []item
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for line := range bytes.Lines(content) {
			var it item
			if err := json.Unmarshal(line, &it); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			items = append(items, it)
		}
	}
	return items, nil
}

// judge runs every item through `sallyport judge` and returns the severities.
func judge(items []item) (map[string]string, error) {
	var in bytes.Buffer
	for _, it := range items {
		row := map[string]any{"id": it.ID, "text": it.Text}
		if it.Tool != nil {
			row = maps.Clone(it.Tool)
			row["id"] = it.ID
		}
		line, err := json.Marshal(row)
		if err != nil {
			return nil, err
		}
		in.Write(append(line, '\n'))
	}
	cmd := exec.Command("go", "run", "./cmd/sallyport", "judge", "-")
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var v verdict
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return nil, err
		}
		found[v.ID] = v.Severity
	}
	return found, lines.Err()
}
