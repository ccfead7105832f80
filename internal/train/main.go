// Command train learns the weights of the judge's model from fixtures/corpus
// and writes rules/judge/model.txt. It reads nothing else, and the same corpus
// gives the same file.
//
//	go run ./internal/train          write the model
//	go run ./internal/train -check   fail when the model is not what the corpus gives
//	go run ./internal/train -encode  write only model.bin, of model.txt and the lexicon as they are; with
//	                                 -check, compare
//	go run ./internal/train -report  cross-validate, without writing
//	go run ./internal/train -pages   copy the rule pages that are learned from, before training
package main

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/sallyport-mcp/sallyport/internal/corpus"
	"github.com/sallyport-mcp/sallyport/rules/judge"
)

// The model as people review it, and as the judge reads it.
const (
	target  = "rules/judge/model.txt"
	encoded = "rules/judge/model.bin"
)

func main() {
	check := flag.Bool("check", false, "compare with the file instead of writing it")
	report := flag.Bool("report", false, "cross-validate and write nothing")
	pages := flag.Bool("pages", false, "copy the rule pages to learn from into fixtures/corpus first")
	only := flag.Bool("encode", false, "read the model instead of learning it")
	flag.Parse()
	if *only {
		if err := encode(*check); err != nil {
			fmt.Fprintln(os.Stderr, "train:", err)
			os.Exit(1)
		}
		return
	}
	if err := train(*check, *report, *pages); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func train(check, report, pages bool) error {
	if pages {
		if err := corpus.CopyPages(); err != nil {
			return err
		}
	}
	c, err := readCorpus()
	if err != nil {
		return err
	}
	v := c.index()
	if report {
		return crossValidate(c, v)
	}
	var models [judge.Roles]*model
	for role := range models {
		models[role] = fit(v, c, judge.Role(role))
	}
	text := write(v, models)
	if !check {
		fmt.Printf("%s: %d features, %d KB, of %d phrases and %d items\n", target, bytes.Count(text, []byte("\n"))-2, len(text)>>10, len(c.phrases), len(c.items))
		if err := os.WriteFile(target, text, 0o644); err != nil {
			return err
		}
		return encode(false)
	}
	old, err := os.ReadFile(target)
	if err != nil {
		return err
	}
	if !bytes.Equal(old, text) {
		return fmt.Errorf("%s is not what fixtures/corpus gives; run make train", target)
	}
	return nil
}

// encode writes the form of the model that the judge reads, or compares it.
func encode(check bool) error {
	text, err := os.ReadFile(target)
	if err != nil {
		return err
	}
	data, err := judge.EncodeModel(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	if !check {
		fmt.Printf("%s: %d KB\n", encoded, len(data)>>10)
		return os.WriteFile(encoded, data, 0o644)
	}
	if have, err := os.ReadFile(encoded); err != nil || !bytes.Equal(have, data) {
		return fmt.Errorf("%s is not what %s and the lexicon give; run: make docs", encoded, target)
	}
	return nil
}

// lightest is the weight, in thousandths, below which a feature is not worth
// its place.
const lightest = 60

// write prints a line a feature: its name and its weight in each role.
func write(v *vocabulary, models [judge.Roles]*model) []byte {
	var b strings.Builder
	b.WriteString("# Learned by internal/train from fixtures/corpus: a feature and its weight in each role, in thousandths.\n")
	line := func(name string, weight func(*model) float64) {
		var cells []string
		heavy := false
		for _, m := range models {
			w := int(math.Round(1000 * weight(m)))
			heavy = heavy || w >= lightest || w <= -lightest
			cells = append(cells, fmt.Sprint(w))
		}
		if heavy || name == "bias" {
			b.WriteString(name + "\t" + strings.Join(cells, "\t") + "\n")
		}
	}
	line("bias", func(m *model) float64 { return m.bias })
	for i, name := range v.names {
		line(name, func(m *model) float64 { return m.weights[i] })
	}
	return []byte(b.String())
}
