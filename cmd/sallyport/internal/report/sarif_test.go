package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/sallyport-mcp/sallyport/rules"
)

// ranRules is a catalog of three rules, one of which the reports never break.
func ranRules() []*rules.Rule {
	page := "# unpinned-package\n\n## What it finds\n\nA server that starts whatever\nversion the registry serves today.\n\n## Fix\n\n```json\n{\"args\": [\n  \"files@1.2.3\"]}\n```\n\n- pin an exact\n  version\n- or a digest\n"
	return []*rules.Rule{
		{ID: "unpinned-package", Title: "Server package is not pinned to an exact version", Severity: rules.Low, Confidence: rules.Certain, CWE: []int{1357, 79}, Covers: []string{"PIN-001"}, Page: page},
		{ID: "poisoned-tool-text", Title: "Tool text gives the model orders", Severity: rules.High, Confidence: rules.Likely, CWE: []int{94}, Covers: []string{"TXT-003"}, Page: "## What it finds\n\nText that gives orders.\n"},
		{ID: "template-file", Title: "The file is a template", Severity: rules.Info, Confidence: rules.Tentative, Covers: []string{"CFG-001"}, Page: "Context only.\n"},
	}
}

// plainReport has one finding of each shape and nothing hostile.
func plainReport() *Report {
	return &Report{
		SchemaVersion: "1",
		Tool:          Tool{Name: "sallyport", Version: "0.1.0"},
		Targets:       []Target{{URI: ".", Kind: "directory"}},
		Catalog: Catalog{Servers: []Server{
			{ID: "s1", Name: "files", Transport: "stdio", Launch: Launch{Command: "npx", Args: []string{"-y", "@acme/files"}}, Packages: []Package{{PURL: "pkg:npm/%40acme/files", Pin: "none"}}, Exposure: "project"},
			{ID: "s2", Name: "web", Transport: "http", URL: "https://mcp.example.com/mcp", Exposure: "project"},
			{ID: "s3", Name: "local", Transport: "stdio", Launch: Launch{Command: "sh", Args: []string{"-c", "cat x | sh"}}, Exposure: "project"},
		}},
		Findings: []Finding{
			{RuleID: "unpinned-package", Severity: "low", Confidence: "certain", Exposure: "project", Subject: "pkg:npm/%40acme/files", Server: "files",
				Message: `server "files" starts whatever version of @acme/files the registry serves today. Pin an exact version`,
				Path:    ".mcp.json", StartLine: 3, StartColumn: 53, EndLine: 3, EndColumn: 64, Fingerprint: "aa:1"},
			{RuleID: "poisoned-tool-text", Severity: "high", Confidence: "likely", Exposure: "project", Subject: "add", Server: "web", Tool: "add",
				Message: `tool "add" tells the model to read ${HOME}/.ssh/id_rsa. Do not use it.`,
				Path:    "captures/wéb 1.json", StartLine: 4, StartColumn: 20, EndLine: 9, EndColumn: 3, Fingerprint: "bb:1",
				Related: []Related{
					{Message: "the server is declared here", Path: ".mcp.json", StartLine: 5, StartColumn: 5, EndLine: 5, EndColumn: 10},
					{Path: "README.md", StartLine: 1, StartColumn: 1, EndLine: 1, EndColumn: 2},
				},
				Flow: []Related{
					{Message: "the configuration starts the server", Path: ".mcp.json", StartLine: 5, StartColumn: 5, EndLine: 5, EndColumn: 10},
					{Message: "the server offers the tool", Path: "captures/wéb 1.json", StartLine: 4, StartColumn: 20, EndLine: 4, EndColumn: 30},
				}},
			{RuleID: "template-file", Severity: "info", Confidence: "tentative", Exposure: "template", Message: "the registry entry has no file.", Subject: "pkg:npm/x", Fingerprint: "cc:1"},
			{RuleID: "unpinned-package", Severity: "medium", Confidence: "firm", Exposure: "project", Message: "the whole file is odd.", Path: "a/b.toml", Fingerprint: "dd:1"},
			{RuleID: "unpinned-package", Severity: "critical", Confidence: "firm", Exposure: "project", Message: "accepted.", Path: "a/b.toml", StartLine: 1, StartColumn: 1, EndLine: 1, EndColumn: 2, Fingerprint: "ee:1",
				Suppressed: &Suppressed{Kind: "baseline", Reason: "accepted"}},
		},
		Gaps: []Gap{
			{Path: "src/x.rb", Kind: "language", Reason: "no parser for this language", Blocking: false},
			{Path: "broken.json", Kind: "config", Reason: "unexpected end of file at line 3", Blocking: true},
		},
		SkippedRules: []Skipped{{RuleID: "known-malicious", Reason: "no advisory data"}},
		Stats:        Stats{Files: 7, Bytes: 900},
	}
}

func cleanReport() *Report {
	r := plainReport()
	r.Findings, r.Gaps, r.SkippedRules = nil, nil, nil
	return r
}

// hostile is text that means something in every medium.
const hostile = "x](https://evil.example/a) ![i](http://evil.example/b.png) <img src=x> @admin #1 GH-2 `code`` ``` | \\| {0} {{ }} ::error::boo\r\n::error file=a::pwned\n| a | b |\u202e\u200b\U000e0041 www.evil.example 100% $x$ &#64;team"

func hostileReport() *Report {
	r := plainReport()
	r.Targets[0].URI = "/home/u/" + hostile
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Message, f.Subject, f.Server, f.Tool, f.Suppressed = hostile, hostile, hostile, hostile, nil
		f.Path = strings.ReplaceAll(hostile, "\n", "/")
		for j := range f.Related {
			f.Related[j].Message = hostile
		}
		for j := range f.Flow {
			f.Flow[j].Message = hostile
		}
	}
	for i := range r.Gaps {
		r.Gaps[i] = Gap{Path: "a\n" + hostile, Kind: hostile, Reason: hostile, Blocking: true}
	}
	for i := range r.Catalog.Servers {
		s := &r.Catalog.Servers[i]
		s.Name, s.Transport, s.Exposure, s.URL = hostile, hostile, hostile, hostile
		s.Packages = []Package{{PURL: hostile, Pin: hostile}}
	}
	r.SkippedRules[0] = Skipped{RuleID: hostile, Reason: hostile}
	return r
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it again); got:\n%s", file, got)
	}
}

func sarifSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("testdata/sarif/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat = true
	if err := compiler.AddResource("sarif.json", bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// sarifOf is the one run of the report's output, which must fit the schema.
func sarifOf(t *testing.T, r *Report) (raw []byte, run map[string]any) {
	t.Helper()
	var b bytes.Buffer
	if err := writeSARIF(&b, r, Options{Rules: ranRules()}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), sarifParsed(t, b.Bytes())
}

func sarifParsed(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var log map[string]any
	if err := json.Unmarshal(raw, &log); err != nil {
		t.Fatal(err)
	}
	if err := sarifSchema(t).Validate(log); err != nil {
		t.Fatalf("%#v", err)
	}
	return log["runs"].([]any)[0].(map[string]any)
}

// at walks maps by key and arrays by index.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			v = v.(map[string]any)[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				t.Fatalf("no element %d in %v", step, v)
			}
			v = list[step]
		}
	}
	return v
}

func TestSARIFGolden(t *testing.T) {
	for name, r := range map[string]*Report{"findings": plainReport(), "clean": cleanReport(), "hostile": hostileReport()} {
		raw, _ := sarifOf(t, r)
		golden(t, "sarif/"+name+".sarif", raw)
	}
}

func TestSARIFSchemaIsEnforced(t *testing.T) {
	raw, _ := sarifOf(t, plainReport())
	var log map[string]any
	if err := json.Unmarshal(bytes.Replace(raw, []byte(`"level": "error"`), []byte(`"level": "critical"`), 1), &log); err != nil {
		t.Fatal(err)
	}
	if sarifSchema(t).Validate(log) == nil {
		t.Error("the schema lets an unknown level pass")
	}
}

func TestSARIFContract(t *testing.T) {
	raw, run := sarifOf(t, plainReport())
	for _, c := range []struct {
		what string
		want any
		path []any
	}{
		{"columns", "utf16CodeUnits", []any{"columnKind"}},
		{"category", "sallyport/./", []any{"automationDetails", "id"}},
		{"successful", false, []any{"invocations", 0, "executionSuccessful"}},
		{"blocking gap first", "error", []any{"invocations", 0, "toolExecutionNotifications", 0, "level"}},
		{"gap's file", "broken.json", []any{"invocations", 0, "toolExecutionNotifications", 0, "locations", 0, "physicalLocation", "artifactLocation", "uri"}},
		{"worst first", "poisoned-tool-text", []any{"results", 0, "ruleId"}},
		{"rule index", 1.0, []any{"results", 0, "ruleIndex"}},
		{"level", "error", []any{"results", 0, "level"}},
		{"links", `tool "add" tells the model to read ${HOME}/.ssh/id_rsa. Do not use it. See [the server is declared here](1), [README.md:1](2).`, []any{"results", 0, "message", "text"}},
		{"no arguments beside braces", nil, []any{"results", 0, "message", "arguments"}},
		{"encoded path", "captures/w%C3%A9b%201.json", []any{"results", 0, "locations", 0, "physicalLocation", "artifactLocation", "uri"}},
		{"base", "%SRCROOT%", []any{"results", 0, "locations", 0, "physicalLocation", "artifactLocation", "uriBaseId"}},
		{"first line only", map[string]any{"startLine": 4.0, "startColumn": 20.0}, []any{"results", 0, "locations", 0, "physicalLocation", "region"}},
		{"related id", 2.0, []any{"results", 0, "relatedLocations", 1, "id"}},
		{"flow", "the server offers the tool", []any{"results", 0, "codeFlows", 0, "threadFlows", 0, "locations", 1, "location", "message", "text"}},
		{"tool", "web/add", []any{"results", 0, "locations", 0, "logicalLocations", 1, "fullyQualifiedName"}},
		{"GitHub's fingerprint", "bb:1", []any{"results", 0, "partialFingerprints", "primaryLocationLineHash"}},
		{"our fingerprint", "bb:1", []any{"results", 0, "partialFingerprints", "sallyport/v1"}},
		{"whole file", map[string]any{"startLine": 1.0}, []any{"results", 1, "locations", 0, "physicalLocation", "region"}},
		{"text ends", "the whole file is odd.", []any{"results", 1, "message", "text"}},
		{"id", "finding", []any{"results", 1, "message", "id"}},
		{"argument", "the whole file is odd", []any{"results", 1, "message", "arguments", 0}},
		{"exact region", map[string]any{"startLine": 3.0, "startColumn": 53.0, "endColumn": 64.0}, []any{"results", 2, "locations", 0, "physicalLocation", "region"}},
		{"no file: subject", "pkg:npm/x", []any{"results", 3, "locations", 0, "logicalLocations", 0, "name"}},
		{"unused rule", "template-file", []any{"tool", "driver", "rules", 2, "id"}},
		{"description", "A server that starts whatever version the registry serves today.", []any{"tool", "driver", "rules", 0, "fullDescription", "text"}},
		{"score", "2.0", []any{"tool", "driver", "rules", 0, "properties", "security-severity"}},
		{"high score", "8.0", []any{"tool", "driver", "rules", 1, "properties", "security-severity"}},
		{"no score for info", nil, []any{"tool", "driver", "rules", 2, "properties", "security-severity"}},
		{"precision", "very-high", []any{"tool", "driver", "rules", 0, "properties", "precision"}},
		{"tags", []any{"security", "pin", "external/cwe/cwe-1357", "external/cwe/cwe-079"}, []any{"tool", "driver", "rules", 0, "properties", "tags"}},
		{"rule level", "note", []any{"tool", "driver", "rules", 0, "defaultConfiguration", "level"}},
	} {
		if got := at(t, run, c.path...); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: got %v, want %v", c.what, got, c.want)
		}
	}
	if n := len(run["results"].([]any)); n != 4 {
		t.Errorf("%d results, want 4: the suppressed one stays out", n)
	}
	again, _ := sarifOf(t, plainReport())
	if !bytes.Equal(raw, again) {
		t.Error("two writes of one report differ")
	}
}

func TestSARIFClean(t *testing.T) {
	_, clean := sarifOf(t, cleanReport())
	_, found := sarifOf(t, plainReport())
	if n := len(clean["results"].([]any)); n != 0 {
		t.Errorf("%d results", n)
	}
	if at(t, clean, "invocations", 0, "executionSuccessful") != true {
		t.Error("a clean scan was not successful")
	}
	if fmt.Sprint(at(t, clean, "tool")) != fmt.Sprint(at(t, found, "tool")) {
		t.Error("the rules depend on the findings")
	}
	if _, err := json.Marshal(clean); err != nil {
		t.Fatal(err)
	}
	// No rules and nothing at all is a valid file, too.
	var b bytes.Buffer
	if err := writeSARIF(&b, &Report{}, Options{}); err != nil {
		t.Fatal(err)
	}
	sarifParsed(t, b.Bytes())
}

func TestSARIFHostile(t *testing.T) {
	raw, run := sarifOf(t, hostileReport())
	link := regexp.MustCompile(`\]\(([^)]*)\)`)
	for _, result := range run["results"].([]any) {
		message := at(t, result, "message").(map[string]any)
		for _, m := range link.FindAllStringSubmatch(message["text"].(string), -1) {
			if m[1] != "1" && m[1] != "2" {
				t.Errorf("the message links to %q", m[1])
			}
		}
		if message["arguments"] != nil {
			t.Error("a text with braces has arguments")
		}
		if uri := at(t, result, "locations", 0, "physicalLocation", "artifactLocation", "uri").(string); strings.ContainsAny(uri, " <>\n\\`|{}") {
			t.Errorf("uri %q is not encoded", uri)
		}
	}
	if bytes.Contains(raw, []byte("/home/u")) {
		t.Error("an absolute target shows")
	}
	for _, r := range "\u202e\u200b\U000e0041" {
		if strings.ContainsRune(string(raw), r) {
			t.Errorf("%U is in the output", r)
		}
	}
}

func TestSARIFLimits(t *testing.T) {
	r := cleanReport()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		severity := "low"
		if i == 299 {
			severity = "critical"
		}
		r.Findings = append(r.Findings, Finding{RuleID: "unpinned-package", Severity: severity, Message: fmt.Sprint(random.Uint64(), random.Uint64()), Path: "a", Fingerprint: fmt.Sprint(i)})
	}
	for _, c := range []struct{ results, bytes, least, most int }{
		{100, sarifMaxBytes, 100, 100},
		{1000, sarifMaxBytes, 300, 300},
		{1000, 12_000, 20, 299},
		{1000, 10, 0, 0},
	} {
		var b bytes.Buffer
		if err := writeSARIFWithin(&b, r, Options{Rules: ranRules()}, c.results, c.bytes); err != nil {
			t.Fatal(err)
		}
		if size := compressed(b.Bytes(), c.bytes); size > c.bytes && c.least > 0 {
			t.Errorf("%v: %d bytes", c, size)
		}
		run := sarifParsed(t, b.Bytes())
		results := run["results"].([]any)
		if n := len(results); n < c.least || n > c.most {
			t.Errorf("%v: %d results", c, n)
		}
		if len(results) > 0 && at(t, results, 0, "level") != "error" {
			t.Errorf("%v: the critical finding was cut", c)
		}
		if said := bytes.Contains(b.Bytes(), []byte("left out, because")); said != (len(results) < 300) {
			t.Errorf("%v: notification is %v", c, said)
		}
	}
}

func TestUnwrap(t *testing.T) {
	for _, c := range []struct{ name, page, want string }{
		{"paragraph", "a\nb\n\nc\n", "a b\n\nc"},
		{"heading", "# h\na\nb", "# h\na b"},
		{"list", "- a\n  b\n- c\n1. d\n   e", "- a b\n- c\n1. d e"},
		{"fence", "a\n```sh\nx\ny\n```\nb\nc", "a\n```sh\nx\ny\n```\nb c"},
		{"table", "a\n\n| x |\n|---|\n| y |\n", "a\n\n| x |\n|---|\n| y |"},
		{"hard break", "a  \nb\nc\\\nd", "a  \nb c\\\nd"},
		{"indented code", "a\n\n    x\n    y\n", "a\n\n    x\n    y"},
		{"year is no item", "in\n2024 it was", "in 2024 it was"},
	} {
		if got := unwrap(c.page); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestInCheckout(t *testing.T) {
	for _, c := range []struct {
		targets []Target
		want    string
	}{
		{nil, "a/b.json"},
		{[]Target{{URI: ".", Kind: "directory"}}, "a/b.json"},
		{[]Target{{URI: "sub/dir", Kind: "directory"}}, "sub/dir/a/b.json"},
		{[]Target{{URI: "./sub/", Kind: "directory"}}, "sub/a/b.json"},
		{[]Target{{URI: "x/b.json", Kind: "file"}}, "x/a/b.json"},
		{[]Target{{URI: "/home/u/p", Kind: "directory"}}, "a/b.json"},
		{[]Target{{URI: "../p", Kind: "directory"}}, "a/b.json"},
		{[]Target{{URI: "p", Kind: "directory"}, {URI: "q", Kind: "directory"}}, "a/b.json"},
	} {
		if got := inCheckout(&Report{Targets: c.targets}, "a/b.json"); got != c.want {
			t.Errorf("%v: got %q, want %q", c.targets, got, c.want)
		}
	}
	for name, want := range map[string]string{"/a/.mcp.json": ".mcp.json", "../../x": "x", "..": ".", "/": ".", "": ".", "./a//b": "a/b"} {
		if got := relative(name); got != want {
			t.Errorf("relative(%q) = %q, want %q", name, got, want)
		}
	}
}
