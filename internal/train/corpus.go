package main

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/sallyport-mcp/sallyport/internal/corpus"
	"github.com/sallyport-mcp/sallyport/rules/judge"
)

// examples is what the model learns from: the phrases, the tune half of the
// labelled items, of the harmless results and of the project's own pages. The
// other half is not read.
type examples struct {
	phrases []*phrase
	items   []*item
}

// phrase is one to three sentences with a label of their own.
type phrase struct {
	text     string
	bad      bool
	role     judge.Role
	language string // english, "Latin" for others in its letters, or the script
	features []int32
}

// item is a definition or a text with a label. Of a malicious one at least one
// window is malicious; nobody says which.
type item struct {
	bad      bool
	role     judge.Role
	windows  []string // clauses, and pairs of them
	features [][]int32
}

func readCorpus() (*examples, error) {
	c := &examples{}
	phrases, err := corpus.Phrases()
	if err != nil {
		return nil, err
	}
	for _, p := range phrases {
		c.phrases = append(c.phrases, &phrase{text: p.Text, bad: p.Malicious, role: roleOf(p.Kind), language: languageOf(p)})
	}
	items, err := corpus.Items()
	if err != nil {
		return nil, err
	}
	for _, row := range items {
		if row.Split == "tune" {
			it := &item{bad: row.Malicious(), role: roleOf(row.Kind)}
			it.add(row.Text)
			it.strings(row.Tool)
			c.items = append(c.items, it)
		}
	}
	results, err := corpus.Harmless()
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		if r.Tune() && r.First() {
			it := &item{role: judge.InText}
			it.add(r.Text)
			c.items = append(c.items, it)
		}
	}
	pages, err := corpus.LearnedPages()
	if err != nil {
		return nil, err
	}
	for _, p := range pages {
		it := &item{role: judge.InText}
		it.add(p.Text)
		c.items = append(c.items, it)
	}
	return c, nil
}

const english = "English"

// scripts are those whose phrases are counted by themselves in a report.
var scripts = []struct {
	name  string
	table *unicode.RangeTable
}{
	{"Japanese", unicode.Hiragana}, {"Japanese", unicode.Katakana}, {"Korean", unicode.Hangul}, {"Chinese", unicode.Han},
	{"Cyrillic", unicode.Cyrillic}, {"Arabic", unicode.Arabic}, {"Devanagari", unicode.Devanagari},
}

// languageOf is the group of languages that a phrase counts in. The names of the
// files say which are not in English.
func languageOf(p corpus.Phrase) string {
	if !strings.HasSuffix(p.File, "-languages") {
		return english
	}
	for _, s := range scripts {
		if strings.IndexFunc(p.Text, func(r rune) bool { return unicode.Is(s.table, r) }) >= 0 {
			return s.name
		}
	}
	return "Latin"
}

// roleOf is the role in which a model meets a text of a kind.
func roleOf(kind string) judge.Role {
	switch kind {
	case "tool", "param", "instructions":
		return judge.InDefinition
	}
	return judge.InText
}

// strings adds every string of a definition.
func (it *item) strings(v any) {
	switch v := v.(type) {
	case string:
		it.add(v)
	case []any:
		for _, e := range v {
			it.strings(e)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			it.strings(v[k])
		}
	}
}

// add adds the windows of a text.
func (it *item) add(text string) {
	if len(text) < 12 {
		return
	}
	clauses := judge.Clauses(text)
	it.windows = append(it.windows, clauses...)
	for i := 1; i < len(clauses); i++ {
		it.windows = append(it.windows, clauses[i-1]+"\n\n"+clauses[i])
	}
}

// vocabulary is the features that occur often enough.
type vocabulary struct {
	names []string
	id    map[string]int32
}

// rarest is in how many texts a feature must occur.
const rarest = 3

// index makes the vocabulary and turns every text into features.
func (c *examples) index() *vocabulary {
	count := map[string]int{}
	note := func(text string) {
		seen := map[string]bool{}
		judge.Features(text, func(name string) {
			if !seen[name] {
				seen[name] = true
				count[name]++
			}
		})
	}
	for _, p := range c.phrases {
		note(p.text)
	}
	for _, it := range c.items {
		for _, w := range it.windows {
			note(w)
		}
	}
	v := &vocabulary{id: map[string]int32{}}
	for _, name := range slices.Sorted(maps.Keys(count)) {
		if count[name] >= rarest {
			v.id[name] = int32(len(v.names))
			v.names = append(v.names, name)
		}
	}
	for _, p := range c.phrases {
		p.features = v.features(p.text)
	}
	for _, it := range c.items {
		for _, w := range it.windows {
			it.features = append(it.features, v.features(w))
		}
	}
	return v
}

func (v *vocabulary) features(text string) []int32 {
	var out []int32
	judge.Features(text, func(name string) {
		if id, ok := v.id[name]; ok {
			out = append(out, id)
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}
