package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport-mcp/sallyport/internal/corpus"
)

// kept prints how many of the items of a kept split are stopped: of the
// malicious ones that is recall, of the benign ones false alarms.
func kept(split string, items []*corpus.Item) error {
	rows := make([]map[string]any, len(items))
	for i, it := range items {
		rows[i] = it.Row()
	}
	verdicts, err := corpus.Judge(rows)
	if err != nil {
		return err
	}
	medium, high := map[string]count{}, map[string]count{}
	for i, it := range items {
		for _, group := range keptGroups(it) {
			group = fmt.Sprintf("%s %-10s %s", split, it.Label, group)
			medium[group] = medium[group].with(verdicts[i].Stops())
			high[group] = high[group].with(verdicts[i].Blocks())
		}
	}
	for _, group := range slices.Sorted(maps.Keys(medium)) {
		fmt.Printf("%-48s medium or above %s  high %s\n", group, medium[group], high[group])
	}
	return nil
}

// keptGroups are the totals in which an item counts.
func keptGroups(it *corpus.Item) []string {
	kind, dress, tongue := "text", "plain", "not en"
	if it.Tool != nil {
		kind = "tool"
	}
	if it.Dressed() {
		dress = "dressed"
	}
	if it.Language == "en" {
		tongue = "en"
	}
	groups := []string{"all", "form " + dress, "kind " + kind, "language " + tongue}
	if it.Language != "en" {
		groups = append(groups, "language not en: "+it.Language)
	}
	return groups
}
