// Package corpus reads fixtures/corpus, what the text judge learns from and is
// measured on. Run it in the repository's root. fixtures/corpus/README.md says
// what the files hold.
package corpus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Phrase is one to three sentences with a label of their own.
type Phrase struct {
	File      string // "a-data"
	Malicious bool
	Topic     string // the technique, or of a benign one the reason to look twice
	Kind      string // tool, param, instructions, prompt, document, result, ...
	Text      string
}

// Phrases reads phrases/*.txt: "# malicious|benign TOPIC KIND" opens a section,
// every other line is a phrase. A line that stands twice counts once.
func Phrases() ([]Phrase, error) {
	names, err := files("phrases/*.txt")
	if err != nil {
		return nil, err
	}
	var all []Phrase
	seen := map[string]bool{}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		section := Phrase{File: strings.TrimSuffix(filepath.Base(name), ".txt")}
		n := 0
		for line := range strings.Lines(string(content)) {
			n++
			line = strings.TrimSpace(line)
			switch f := strings.Fields(line); {
			case line == "" || seen[line]:
			case line[0] == '#' && len(f) == 4 && (f[1] == "malicious" || f[1] == "benign"):
				section.Malicious, section.Topic, section.Kind = f[1] == "malicious", f[2], f[3]
			case section.Kind == "":
				return nil, fmt.Errorf("%s:%d: a phrase before the first section", name, n)
			default:
				seen[line] = true
				p := section
				p.Text = line
				all = append(all, p)
			}
		}
	}
	return all, nil
}

// Item is a whole definition or text with a label.
type Item struct {
	ID, Label, Technique, Kind, Split string
	Language, Disguise                string
	Text                              string
	Tool                              map[string]any // instead of Text
}

// Malicious reports the item's label.
func (it *Item) Malicious() bool { return it.Label == "malicious" }

// Row is the item as `sallyport judge` reads it.
func (it *Item) Row() map[string]any {
	if it.Tool != nil {
		return maps.Clone(it.Tool)
	}
	return map[string]any{"text": it.Text}
}

// dresses are the disguises that are a form of writing, not a pretext, and the
// techniques of honest items that have such a form for a reason.
var dresses = strings.Fields(`base64 bidi control-chars fake-markup hex homoglyph html-comment
	json-in-text leetspeak markdown percent-encoding reversed rot13 spacing split-fields tag-chars
	variation-selectors zero-width encoded-payload tokenizer`)

// Dressed reports whether what decides the label stands elsewhere than in plain
// prose: in markup, an encoding, invisible characters, halves or the schema.
func (it *Item) Dressed() bool {
	return slices.Contains(dresses, it.Disguise) || slices.Contains(dresses, it.Technique) ||
		strings.HasPrefix(it.Technique, "schema-")
}

// kept are the splits that measure the judge and do nothing else. Each has a
// file of its name, which holds no other items.
var kept = []string{"fresh", "languages"}

// Items reads *.jsonl without the items of a kept split. One of them in another
// file is an error, so nothing that calls Items can come to learn from them.
func Items() ([]*Item, error) {
	names, err := files("*.jsonl")
	if err != nil {
		return nil, err
	}
	var all []*Item
	for _, name := range names {
		if slices.Contains(kept, strings.TrimSuffix(filepath.Base(name), ".jsonl")) {
			continue
		}
		items, err := read(name)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			if slices.Contains(kept, it.Split) {
				return nil, fmt.Errorf("%s: %s is of split %s, which nothing is learned from or tuned on; it belongs into %[3]s.jsonl", name, it.ID, it.Split)
			}
		}
		all = append(all, items...)
	}
	return all, nil
}

// Fresh reads the items of fresh.jsonl, Languages those of languages.jsonl.
func Fresh() ([]*Item, error)     { return only("fresh") }
func Languages() ([]*Item, error) { return only("languages") }

// only reads the items of a kept split.
func only(split string) ([]*Item, error) {
	names, err := files(split + ".jsonl")
	if err != nil {
		return nil, err
	}
	items, err := read(names[0])
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		if it.Split != split {
			return nil, fmt.Errorf("%s: %s is of split %s, want %s", names[0], it.ID, it.Split, split)
		}
	}
	return items, nil
}

// read reads one file of items.
func read(name string) ([]*Item, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var all []*Item
	for line := range bytes.Lines(content) {
		it := &Item{}
		if err := json.Unmarshal(line, it); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, it)
	}
	return all, nil
}

// Result is a harmless text, as a tool may return it.
type Result struct{ ID, Kind, Language, Text string }

// Tune reports whether the text is of a template that may be learned from: one
// of even number. What was written by hand may not.
func (r *Result) Tune() bool {
	parts := strings.Split(r.ID, "-")
	if len(parts) != 3 {
		return false
	}
	n, err := strconv.Atoi(parts[1])
	return err == nil && n%2 == 0
}

// First reports whether the text is the first of its template: the others
// differ in names and numbers.
func (r *Result) First() bool { return strings.HasSuffix(r.ID, "-1") }

// Harmless generates the harmless results and adds those written by hand.
func Harmless() ([]*Result, error) {
	made, err := exec.Command("go", "run", "./fixtures/corpus/harmless/gen").Output()
	if err != nil {
		return nil, fmt.Errorf("fixtures/corpus/harmless/gen: %w", err)
	}
	hand, err := os.ReadFile("fixtures/corpus/harmless/hand.jsonl")
	if err != nil {
		return nil, err
	}
	var all []*Result
	lines := bufio.NewScanner(bytes.NewReader(append(made, hand...)))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		r := &Result{}
		if err := json.Unmarshal(lines.Bytes(), r); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, lines.Err()
}

// Page is one of the project's own rule pages, which describe attacks and show
// them. Half of them, by a hash of the name, may be learned from.
type Page struct {
	Name, Text string
	Tune       bool `json:"-"`
}

// Pages reads docs/rules.
func Pages() ([]*Page, error) {
	names, err := filepath.Glob("docs/rules/*.md")
	if err != nil {
		return nil, err
	}
	var all []*Page
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		h := fnv.New32a()
		h.Write([]byte(filepath.Base(name)))
		all = append(all, &Page{filepath.Base(name), string(content), h.Sum32()%2 == 0})
	}
	return all, nil
}

// pagesCopy holds the pages as they were learned from: a page may change
// without a new model.
const pagesCopy = "fixtures/corpus/harmless/pages.jsonl"

// LearnedPages reads the copy of the half that is learned from.
func LearnedPages() ([]*Page, error) {
	content, err := os.ReadFile(pagesCopy)
	if err != nil {
		return nil, err
	}
	var all []*Page
	for line := range bytes.Lines(content) {
		p := &Page{Tune: true}
		if err := json.Unmarshal(line, p); err != nil {
			return nil, fmt.Errorf("%s: %w", pagesCopy, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// CopyPages makes the copy anew from docs/rules.
func CopyPages() error {
	all, err := Pages()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for _, p := range all {
		if p.Tune {
			if err := enc.Encode(p); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(pagesCopy, out.Bytes(), 0o644)
}

func files(pattern string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join("fixtures/corpus", pattern))
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("no fixtures/corpus/%s: run this in the repository's root", pattern)
	}
	return names, err
}
