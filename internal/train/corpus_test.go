package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/internal/corpus"
)

// TestRefusesFresh wants the trainer to stop at a fresh item, wherever it lies,
// and not to open the file of the fresh items at all.
func TestRefusesFresh(t *testing.T) {
	const item = `{"id":"mal-9001","label":"malicious","kind":"result","technique":"override","split":"fresh","text":"words that nothing may learn"}` + "\n"
	t.Chdir(t.TempDir())
	write := func(name, content string) {
		t.Helper()
		name = filepath.Join("fixtures/corpus", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("phrases/a.txt", "# malicious override tool\nA phrase of the trainer's own.\n")
	write("results.jsonl", strings.Replace(item, `"fresh"`, `"tune"`, 1))
	write("fresh.jsonl", "no JSON: whoever opens this file fails\n")
	write("languages.jsonl", "no JSON either\n")
	if items, err := corpus.Items(); err != nil || len(items) != 1 {
		t.Errorf("without the fresh file: %d items, %v; want 1", len(items), err)
	}
	write("results.jsonl", item)
	if _, err := readCorpus(); err == nil || !strings.Contains(err.Error(), "split fresh") {
		t.Errorf("a fresh item among the others: %v, want a refusal", err)
	}
	write("results.jsonl", strings.Replace(item, `"fresh"`, `"languages"`, 1))
	if _, err := readCorpus(); err == nil || !strings.Contains(err.Error(), "split languages") {
		t.Errorf("an item of languages.jsonl among the others: %v, want a refusal", err)
	}
}

// TestDoesNotAskForFresh keeps the one way to the fresh items out of the trainer.
func TestDoesNotAskForFresh(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, kept := range []string{"fresh", "corpus.Languages"} {
			if strings.Contains(strings.ToLower(string(content)), strings.ToLower(kept)) {
				t.Errorf("%s speaks of %s; these items are not for learning", name, kept)
			}
		}
	}
}

// TestNoPhraseIsFresh looks for phrases that were copied out of kept items.
func TestNoPhraseIsFresh(t *testing.T) {
	t.Chdir("../..")
	items, err := corpus.Fresh()
	if err != nil {
		t.Fatal(err)
	}
	languages, err := corpus.Languages()
	if err != nil {
		t.Fatal(err)
	}
	items = append(items, languages...)
	var fresh strings.Builder
	for _, it := range items {
		allStrings(&fresh, it.Row())
	}
	phrases, err := corpus.Phrases()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.ToLower(fresh.String())
	for i, p := range phrases {
		if len(p.Text) >= 30 && strings.Contains(all, strings.ToLower(p.Text)) {
			t.Errorf("phrase %d (%s, %s) stands in a kept item", i, p.File, p.Topic)
		}
	}
}

// allStrings writes every string of a definition on a line of its own.
func allStrings(b *strings.Builder, v any) {
	switch v := v.(type) {
	case string:
		b.WriteString(v + "\n")
	case []any:
		for _, e := range v {
			allStrings(b, e)
		}
	case map[string]any:
		for _, e := range v {
			allStrings(b, e)
		}
	}
}
