// Command newrule lays out a new rule: its stem, its fixture and its line in
// the catalog. What it writes compiles and leaves a red test, which says what
// to do next.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var idForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)+$`)

func main() {
	if len(os.Args) != 3 || !idForm.MatchString(os.Args[1]) {
		fmt.Fprintln(os.Stderr, "usage: make rule ID=kebab-case-name FAMILY=cfg")
		os.Exit(2)
	}
	if err := create(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func create(id, family string) error {
	dir := filepath.Join("rules", family)
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("no family %q: its folder would be %s; families are packages listed in rules/catalog/catalog.go", family, dir)
	}
	words := strings.Split(id, "-")
	stem := strings.Join(words, "_")
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	name := strings.Join(words, "")
	local := strings.ToLower(name[:1]) + name[1:]
	expand := strings.NewReplacer("«id»", id, "«FAMILY»", strings.ToUpper(family), "«family»", family, "«stem»", stem, "«Name»", name, "«name»", local).Replace
	files := map[string]string{
		filepath.Join(dir, stem+".go"):                  expand(source),
		filepath.Join(dir, stem+".md"):                  page,
		filepath.Join("fixtures", "rules", id+".txtar"): fixture,
	}
	for path := range files {
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("%s exists already", path)
		}
	}
	for path, content := range files {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
		fmt.Println("wrote", path)
	}
	return list(family, name)
}

// list adds the rule to the catalog, behind the last one of its family.
func list(family, name string) error {
	const path = "rules/catalog/catalog.go"
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(string(content), "\n")
	last := -1
	for i, line := range lines {
		if strings.HasPrefix(line, "\t&"+family+".") {
			last = i
		}
	}
	if last < 0 {
		return fmt.Errorf("%s lists no rule of family %s: add &%s.%s by hand", path, family, family, name)
	}
	lines = slices.Insert(lines, last+1, "\t&"+family+"."+name+",")
	fmt.Println("wrote", path)
	return os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644)
}

const source = `package «family»

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed «stem».md
var «name»Page string

// «Name» flags servers that ...
var «Name» = rules.Rule{
	ID:         "«id»",
	Title:      "One line that says what is wrong",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	Covers:     []string{"«FAMILY»-001"},
	Page:       «name»Page,
	Check:      check«Name»,
}

func check«Name»(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		_ = s // pass.Report(rules.OnServer(s, s.Command.Span, "subject", "server %q ... . Do this instead.", s.Name))
	}
}
`

const page = `## What it finds

## Why it matters

## Fix

## When to allow it
`

const fixture = `What fires and what must not.

-- bad/.mcp.json --
{"mcpServers": {"a": {"command": "node", "args": ["server.js"]}}}
-- good/.mcp.json --
{"mcpServers": {"a": {"command": "node", "args": ["server.js"]}}}
-- want --
bad/.mcp.json:1:1 medium subject
`
