package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestGolden(t *testing.T) {
	for _, c := range []struct {
		file  string
		write func(*bytes.Buffer, *Report) error
	}{
		{"report.txt", func(b *bytes.Buffer, r *Report) error { return writeText(b, r, Options{}) }},
		{"report.color.txt", func(b *bytes.Buffer, r *Report) error { return writeText(b, r, Options{Color: true}) }},
		{"report.json", func(b *bytes.Buffer, r *Report) error { return writeJSON(b, r, Options{}) }},
	} {
		var got bytes.Buffer
		if err := c.write(&got, Build(sample())); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", "golden", c.file)
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s differs (go test -update rewrites it):\n%s", path, got.Bytes())
		}
	}
}

func textOf(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := writeText(&b, r, Options{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTextSummary(t *testing.T) {
	servers := []*analyzers.Server{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	for _, c := range []struct {
		name    string
		catalog analyzers.Catalog
		want    string
	}{
		{"nothing found", analyzers.Catalog{Servers: servers, Clients: []*analyzers.Client{{Name: "x"}, {Name: "y"}}, Stats: analyzers.Stats{Files: 41}},
			"0 findings in 3 servers of 2 clients; 41 files read, 0 tools seen\n"},
		{"nothing there", analyzers.Catalog{}, "0 findings in 0 servers of 0 clients; 0 files read, 0 tools seen\n"},
		{"a note", analyzers.Catalog{Gaps: []analyzers.Gap{{Path: "a\nb", Reason: "r"}}},
			"not read: a\\u{a}b: r\n\n0 findings in 0 servers of 0 clients; 0 files read, 0 tools seen\n  1 gap\n"},
		{"a blocking gap", analyzers.Catalog{Servers: servers[:1], Gaps: []analyzers.Gap{{Reason: "no file", Blocking: true}}},
			"not read: no file [blocking]\n\n0 findings in 1 server of 0 clients; 0 files read, 0 tools seen\n  1 gap, 1 blocking: the scan is incomplete\n"},
	} {
		got := textOf(t, Build(Input{Catalog: &c.catalog}))
		if got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
		for _, word := range []string{"clean", "no problem", "safe"} {
			if strings.Contains(got, word) {
				t.Errorf("%s: says %q", c.name, word)
			}
		}
	}
}

// A finding of a saved report has no frame, and one about no file no place.
func TestTextWithoutFrame(t *testing.T) {
	r := &Report{Findings: []Finding{
		{RuleID: "some-rule", Severity: "high", Message: "first.", Path: "a.json", StartLine: 3, StartColumn: 7, Flow: []Related{{Message: "here", Path: "b", StartLine: 1, StartColumn: 2}, {Message: "there", Path: "c"}}},
		{RuleID: "##[x]", Severity: "##", Message: "second."},
	}}
	want := `high[some-rule]: first.
 --> a.json:3:7
  = step 1: b:1:2: here
  = step 2: c: there
  = help: sallyport explain some-rule

none[#\u{23}[x]]: second.
  = help: sallyport explain #\u{23}[x]

2 findings in 0 servers of 0 clients; 0 files read, 0 tools seen
  1 high
`
	if got := textOf(t, r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

var hostileNames = map[string]string{
	"ANSI":         "x\x1b[2J\x1b]0;owned\x07\u009b31m",
	"line break":   "x\n::set-output name=a::b\r\n0 findings\u2028\u2029\u0085",
	"bidi":         "x\u202eevil\u2066\u200f",
	"log command":  "##[add-mask]a ##[stop-commands]b",
	"tags":         "x\U000e0041\U000e0042\ufe0f\u200b",
	"no UTF-8":     "x\xff\xfe\xc3",
	"a megabyte":   strings.Repeat(strings.Repeat("A", 61)+"\u200b", 1<<14),
	"placeholders": "%s%n%!d ${x} {{y}}",
}

// reportNaming holds name in every place that a target can fill.
func reportNaming(name string) *Report {
	src := &analyzers.Source{Path: name, Bytes: []byte("{\"" + name + "\": 1}")}
	text := analyzers.Text{Value: analyzers.Untrusted(name), Span: src.Span(2, 2+len(name))}
	server := &analyzers.Server{ID: name, Name: text, Command: text, Args: []analyzers.Text{text}, URL: text, Env: []analyzers.Var{{Name: text}},
		Surface: analyzers.Surface{Instructions: text, Tools: []*analyzers.Tool{{Item: analyzers.Item{Kind: "tool", Name: text, Description: text, Span: text.Span}}}}}
	rule := &rules.Rule{ID: "some-rule", Severity: rules.High, Confidence: rules.Firm}
	return Build(Input{
		Targets: []Target{{URI: name}},
		Catalog: &analyzers.Catalog{
			Clients: []*analyzers.Client{{Name: name, Source: src, Servers: []*analyzers.Server{server}}},
			Servers: []*analyzers.Server{server},
			Gaps:    []analyzers.Gap{{Path: name, Kind: name, Reason: name}},
		},
		Findings: []rules.Finding{{Rule: rule, Severity: rules.High, Confidence: rules.Firm, Server: name, Tool: name, Subject: name, Message: name, Span: text.Span,
			Related: []rules.Related{{Message: name, Span: text.Span}}, Fix: &rules.Fix{Description: name, Replacement: name, Span: text.Span}}},
		Skipped: []Skipped{{RuleID: "some-rule", Reason: name}},
	})
}

func TestTextHostile(t *testing.T) {
	for kind, name := range hostileNames {
		got := textOf(t, reportNaming(name))
		if len(got) > 200<<10 {
			t.Errorf("%s: %d bytes", kind, len(got))
		}
		lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
		if len(lines) != 15 {
			t.Errorf("%s: %d lines:\n%.2000s", kind, len(lines), got)
		}
		for _, line := range lines {
			if line != analyzers.Untrusted(line).String() {
				t.Errorf("%s: a terminal would obey or hide part of %.200q", kind, line)
			}
			if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") {
				t.Errorf("%s: a job's log would obey %.200q", kind, line)
			}
		}
	}
}
