package config

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

func TestParse(t *testing.T) {
	got, err := Parse("s.yaml", []byte(`
fail-on: medium
baseline: base.txt
skip: [unpinned-package]
exclude:
  - {path: ./fixtures/, reason: ours}
suppress:
  - rule: cleartext-remote
    path: lab
    subject: http://x
    reason: isolated
    until: 2027-01-31
`))
	want := &Config{
		Path: "s.yaml", FailOn: "medium", Baseline: "base.txt", Skip: []string{"unpinned-package"},
		Exclude:  []Exclusion{{"fixtures", "ours"}},
		Suppress: []rules.Suppression{{Rule: "cleartext-remote", Path: "lab", Subject: "http://x", Reason: "isolated", Until: "2027-01-31"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, empty := range []string{"", "# nothing\n", "{}"} {
		if c, err := Parse("s.yaml", []byte(empty)); err != nil || c.FailOn != "" {
			t.Errorf("%q: %v", empty, err)
		}
	}
}

func TestWrong(t *testing.T) {
	for content, want := range map[string]string{
		"failon: low":                        `s.yaml:1:`,
		"fail-on: [low]":                     "must be text",
		"fail-on: low\nfail-on: high":        "stands twice",
		"[]":                                 "must be a map",
		"skip: x":                            "must be a list",
		"suppress: [x]":                      "a suppression is a map",
		"suppress: [{rule: x}]":              "needs a rule and a reason",
		"suppress: [{rule: x, reason: ' '}]": "needs a rule and a reason",
		"suppress: [{rule: x, rule: y}]":     "stands twice",
		"suppress: [{rule: x, why: y}]":      `unknown key "why"`,
		"suppress: [{rule: x, reason: y, until: soon}]": "YYYY-MM-DD",
		"exclude: [{path: a}]":                          "needs a path",
		"exclude: [{path: ., reason: x}]":               "needs a path",
		"a: b: c":                                       "s.yaml:",
		"fail-on: \"\x1b\xff\"":                         "s.yaml:",
	} {
		if c, err := Parse("s.yaml", []byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want %q", content, c, err, want)
		}
	}
}

func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	if c, err := Find(""); err != nil || c.Path != "" {
		t.Errorf("no file: %+v, %v", c, err)
	}
	if _, err := Find("named.yaml"); err == nil {
		t.Error("a named file that is not there is no error")
	}
	if err := os.WriteFile(DefaultFile, []byte("fail-on: low"), 0o644); err != nil {
		t.Fatal(err)
	}
	if c, err := Find(""); err != nil || c.FailOn != "low" {
		t.Errorf("the default file: %+v, %v", c, err)
	}
}

func TestBaseline(t *testing.T) {
	rule := &rules.Rule{ID: "some-rule", Severity: rules.High, Check: func(p *rules.Pass) {
		src := &analyzers.Source{Path: "a\nb", Bytes: []byte("x")}
		p.Report(rules.Finding{Span: src.Span(0, 1), Subject: "s"})
		p.Report(rules.Finding{Span: src.Span(0, 1), Subject: "t"})
	}}
	found := rules.Check(&analyzers.Catalog{}, []*rules.Rule{rule})
	var out bytes.Buffer
	if err := WriteBaseline(&out, found); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "base.txt")
	if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	base, err := ReadBaseline(name)
	if err != nil || len(base) != 2 || !base[found[0].Fingerprint] {
		t.Fatalf("%v, %v, from %q", base, err, &out)
	}
	if settled, _ := rules.Settle(found, nil, base, "2026-01-01"); rules.Worst(settled) != 0 {
		t.Error("a finding of the baseline counts")
	}
	if err := os.WriteFile(name, []byte("{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadBaseline(name); err == nil {
		t.Error("anything passes for a baseline")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("fail-on: low\nsuppress:\n  - {rule: a, reason: b}\n"))
	f.Add([]byte("exclude: &a [*a]"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if c, err := Parse("s.yaml", content); (c == nil) == (err == nil) {
			t.Errorf("%v, %v", c, err)
		}
	})
}
