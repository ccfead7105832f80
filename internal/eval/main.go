// Command eval judges fixtures/corpus with the program itself and prints recall
// per technique, false alarms per kind, precision and recall per rule, and what
// the harmless results come to; for what the judge was tuned on, and for what
// was kept back. It fails when a figure of the kept half falls below its floor.
//
// With -fresh or -languages it judges the items of that split instead and prints
// totals alone: never an item, a technique or a rule, from which one could learn
// what to change.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/sallyport-mcp/sallyport/internal/corpus"
)

// floors are what the kept half must come to, in percent.
type floors struct{ recall, alarms, harmless, pages float64 }

func main() {
	var f floors
	flag.Float64Var(&f.recall, "recall", 0, "fail below this percentage of malicious items at medium or above")
	flag.Float64Var(&f.alarms, "alarms", 100, "fail above this percentage of benign items at medium or above")
	flag.Float64Var(&f.harmless, "harmless", 100, "fail above this percentage of harmless results at high or above")
	flag.Float64Var(&f.pages, "pages", 100, "fail above this percentage of the project's own rule pages, those not learned from, at high or above")
	verbose := flag.Bool("v", false, "list what of the tune half is judged wrongly")
	onlyFresh := flag.Bool("fresh", false, "print recall and false alarms of the fresh items alone, without a floor")
	onlyLanguages := flag.Bool("languages", false, "print the same of the items in other languages than English")
	flag.Parse()
	run := func() error { return eval(f, *verbose) }
	switch {
	case *onlyFresh:
		run = func() error { return only("fresh", corpus.Fresh) }
	case *onlyLanguages:
		run = func() error { return only("languages", corpus.Languages) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "eval:", err)
		os.Exit(1)
	}
}

// only judges the items of a kept split.
func only(split string, read func() ([]*corpus.Item, error)) error {
	items, err := read()
	if err != nil {
		return err
	}
	return kept(split, items)
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

func (c count) percent() float64 { return 100 * float64(c.n) / float64(max(c.of, 1)) }

func (c count) String() string { return fmt.Sprintf("%4d of %4d  %5.1f%%", c.n, c.of, c.percent()) }

func eval(f floors, verbose bool) error {
	items, err := corpus.Items()
	if err != nil {
		return err
	}
	rows := make([]map[string]any, len(items))
	for i, it := range items {
		rows[i] = it.Row()
	}
	verdicts, err := corpus.Judge(rows)
	if err != nil {
		return err
	}
	groups, totals := map[string]count{}, map[string]count{}
	byRule := map[string]map[string]count{} // by split and rule, by label
	for i, it := range items {
		hit := verdicts[i].Stops()
		group := it.Technique
		if !it.Malicious() {
			group = it.Kind
		}
		group = fmt.Sprintf("%-5s %-10s %s", it.Split, it.Label, group)
		groups[group] = groups[group].with(hit)
		total := it.Split + " " + it.Label
		totals[total] = totals[total].with(hit)
		for _, rule := range verdicts[i].Rules() {
			key := it.Split + " " + rule
			if byRule[key] == nil {
				byRule[key] = map[string]count{}
			}
			byRule[key][it.Label] = byRule[key][it.Label].with(true)
		}
		if verbose && it.Split == "tune" && hit != it.Malicious() {
			fmt.Printf("%s %s %s: %.300q%.300q\n", it.ID, group, verdicts[i].Severity, it.Text, it.Tool["description"])
		}
	}
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		fmt.Printf("%-46s %s\n", g, groups[g])
	}
	fmt.Println("\nper rule, at medium or above:")
	for _, key := range slices.Sorted(maps.Keys(byRule)) {
		bad, good := byRule[key]["malicious"].n, byRule[key]["benign"].n
		split, _, _ := bytes.Cut([]byte(key), []byte(" "))
		of := totals[string(split)+" malicious"].of
		fmt.Printf("%-46s precision %s  recall %s\n", key, count{bad, bad + good}, count{bad, of})
	}
	fmt.Println()
	for _, k := range slices.Sorted(maps.Keys(totals)) {
		fmt.Printf("%-46s %s\n", k, totals[k])
	}
	harmless, pages, err := harmless()
	if err != nil {
		return err
	}
	switch recall, alarms := totals["test malicious"].percent(), totals["test benign"].percent(); {
	case recall < f.recall:
		return fmt.Errorf("recall on the test items is %.1f%%, below %.1f%%", recall, f.recall)
	case alarms > f.alarms:
		return fmt.Errorf("false alarms on the test items are %.1f%%, above %.1f%%", alarms, f.alarms)
	case pages > f.pages:
		return fmt.Errorf("rule pages at high are %.1f%%, above %.1f%%", pages, f.pages)
	case harmless > f.harmless:
		return fmt.Errorf("harmless results at high are %.2f%%, above %.2f%%", harmless, f.harmless)
	}
	return nil
}

// harmless judges the harmless results and the project's own rule pages as
// results, and returns the percentages at high of those that were not learned
// from.
func harmless() (results, pages float64, err error) {
	all, err := corpus.Harmless()
	if err != nil {
		return 0, 0, err
	}
	own, err := corpus.Pages()
	if err != nil {
		return 0, 0, err
	}
	var rows []map[string]any
	var groups []string
	add := func(text, group string, tune bool) {
		rows = append(rows, map[string]any{"text": text})
		half := "test "
		if tune {
			half = "tune "
		}
		groups = append(groups, half+group)
	}
	for _, r := range all {
		add(r.Text, "harmless results", r.Tune())
	}
	for _, p := range own {
		add(p.Text, "rule pages", p.Tune)
	}
	verdicts, err := corpus.Judge(rows)
	if err != nil {
		return 0, 0, err
	}
	high, medium := map[string]count{}, map[string]count{}
	for i, group := range groups {
		high[group] = high[group].with(verdicts[i].Blocks())
		medium[group] = medium[group].with(verdicts[i].Stops())
	}
	for _, group := range slices.Sorted(maps.Keys(high)) {
		fmt.Printf("%-46s high %s  medium or above %s\n", group, high[group], medium[group])
	}
	return high["test harmless results"].percent(), high["test rule pages"].percent(), nil
}
