package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/sallyport-mcp/sallyport/internal/corpus"
)

// measureTexts judges tools and texts, each alone.
func measureTexts(name string) error {
	content, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var rows []map[string]any
	var sources []string
	for line := range bytes.Lines(content) {
		var r struct {
			Source, Name, Description, Content string
			InputSchema                        json.RawMessage
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		row := map[string]any{"name": r.Name, "description": r.Description}
		switch {
		case r.Content != "":
			row = map[string]any{"text": r.Content}
		case len(r.InputSchema) > 0 && string(r.InputSchema) != "null":
			row["inputSchema"] = r.InputSchema
		}
		rows, sources = append(rows, row), append(sources, r.Source)
	}
	verdicts, err := corpus.Judge(rows)
	if err != nil {
		return err
	}
	type tally struct{ rows, medium, high int }
	tallies := map[string]*tally{"all": {}}
	for i := range verdicts {
		if tallies[sources[i]] == nil {
			tallies[sources[i]] = &tally{}
		}
		for _, t := range []*tally{tallies["all"], tallies[sources[i]]} {
			t.rows++
			if verdicts[i].Stops() {
				t.medium++
			}
			if verdicts[i].Blocks() {
				t.high++
			}
		}
	}
	fmt.Printf("%s\n%-32s %6s %14s %14s\n", name, "source", "rows", ">=medium", ">=high")
	for _, s := range slices.Sorted(maps.Keys(tallies)) {
		t := tallies[s]
		fmt.Printf("%-32s %6d %14s %14s\n", s, t.rows, share(t.medium, t.rows), share(t.high, t.rows))
	}
	return nil
}
