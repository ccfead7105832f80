// Command gen writes the documentation that follows from the code: one page a
// rule and their index in docs/rules, and the demo's output in README.md. With
// -check it writes nothing and fails when a page on disk differs.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/tools/txtar"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/all"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/catalog"
)

func main() {
	check := flag.Bool("check", false, "fail when a page differs instead of writing it")
	flag.Parse()
	readme, err := readme()
	if err != nil {
		fail(err)
	}
	pages := map[string]string{"docs/rules/README.md": index(), "README.md": readme}
	for _, r := range catalog.All() {
		page, err := rulePage(r)
		if err != nil {
			fail(err)
		}
		pages["docs/rules/"+r.ID+".md"] = page
	}
	stale := false
	onDisk, _ := filepath.Glob("docs/rules/*.md")
	for _, name := range onDisk {
		if _, ok := pages[filepath.ToSlash(name)]; ok {
			continue
		}
		if *check {
			fmt.Fprintln(os.Stderr, name, "belongs to no rule")
			stale = true
		} else if err := os.Remove(name); err != nil {
			fail(err)
		}
	}
	for name, page := range pages {
		if *check {
			if have, err := os.ReadFile(name); err != nil || string(have) != page {
				fmt.Fprintln(os.Stderr, name, "is not what the code says; run: make docs")
				stale = true
			}
		} else if err := os.WriteFile(name, []byte(page), 0o644); err != nil {
			fail(err)
		}
	}
	if stale {
		os.Exit(1)
	}
}

// readmeLines is how much of the demo the README shows.
const readmeLines = 34

// readme is README.md with the real output of the demo between its marks.
func readme() (string, error) {
	content, err := os.ReadFile("README.md")
	if err != nil {
		return "", err
	}
	const begin, end = "<!-- demo -->\n", "<!-- /demo -->"
	before, rest, ok := strings.Cut(string(content), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("README.md has lost its marks %q and %q", begin, end)
	}
	cmd := exec.Command("go", "run", "./cmd/sallyport", "scan", "fixtures/demo", "--fail-on", "never", "--color", "never")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	summary := lines[len(lines)-2:]
	shown := lines[:min(readmeLines, len(lines))]
	for len(shown) > 0 && shown[len(shown)-1] != "" { // whole findings only
		shown = shown[:len(shown)-1]
	}
	demo := "```\n$ sallyport scan fixtures/demo\n" + strings.Join(shown, "\n") + "\n...\n" + strings.Join(summary, "\n") + "\n```\n"
	return before + begin + demo + end + after, nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func index() string {
	var b strings.Builder
	b.WriteString(`# Rules

Each rule has a page with what it finds, why it matters, how to settle it and when to allow it; ` + "`sallyport explain ID`" + ` prints the same page.

**critical**: known malicious, or certain compromise. **high**: an attacker gains something if the file is used as it stands.
**medium**: one more condition is needed. **low**: hygiene with a security effect. **info**: context, never gates.
A finding in documentation, a template or test data is one level lower; it is never dropped.

| rule | severity | confidence | title | covers |
|---|---|---|---|---|
`)
	for _, r := range catalog.All() {
		fmt.Fprintf(&b, "| [%s](%s.md) | %s | %s | %s | %s |\n", r.ID, r.ID, r.Severity, r.Confidence, r.Title, strings.Join(r.Covers, ", "))
	}
	return b.String()
}

// rulePage is the rule's own page with its facts and an example: the first
// file of its fixture that fires, and what the rule says of it.
func rulePage(r *rules.Rule) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s.\n\nSeverity **%s**, confidence **%s**.", r.ID, r.Title, r.Severity, r.Confidence)
	for i, id := range r.CWE {
		if i == 0 {
			b.WriteString(" See")
		}
		fmt.Fprintf(&b, " CWE-%d", id)
	}
	fmt.Fprintf(&b, "\n\n%s", r.Page)
	example, err := example(r)
	if err != nil {
		return "", err
	}
	b.WriteString(example)
	return b.String(), nil
}

const maxExample = 1200

func example(r *rules.Rule) (string, error) {
	archive, err := txtar.ParseFile("fixtures/rules/" + r.ID + ".txtar")
	if err != nil {
		return "", err
	}
	for _, f := range archive.Files {
		rel, ok := strings.CutPrefix(f.Name, "bad/")
		if !ok || len(f.Data) > maxExample || bytes.Contains(f.Data, []byte("<U+")) || bytes.Contains(f.Data, []byte("<>")) || bytes.Contains(f.Data, []byte("<REPEAT")) {
			continue
		}
		var tree fs.FS
		if tree, err = txtar.FS(&txtar.Archive{Files: []txtar.File{{Name: rel, Data: f.Data}}}); err != nil {
			return "", err
		}
		c, err := analyzers.Load(context.Background(), analyzers.Tree{FS: tree, Exposure: analyzers.Project}, all.Analyzers(), analyzers.Limits{})
		if err != nil {
			return "", err
		}
		found := rules.Check(c, []*rules.Rule{r})
		if len(found) == 0 {
			continue
		}
		fence := "```"
		for bytes.Contains(f.Data, []byte(fence)) {
			fence += "`"
		}
		var b strings.Builder
		fmt.Fprintf(&b, "\n## Example\n`%s`:\n\n%s\n%s%s\n\n", rel, fence, f.Data, fence)
		for _, f := range found {
			p := f.Span.Begin()
			fmt.Fprintf(&b, "- line %d, column %d: **%s**. %s\n", p.Line, p.Column, f.Severity, strings.NewReplacer("<", "&lt;", "*", `\*`, "`", "'").Replace(f.Message))
		}
		return b.String(), nil
	}
	return "", nil
}
