package catalog_test

import (
	"context"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/all"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/catalog"
	"github.com/sallyport-mcp/sallyport/rules/reg"
	"github.com/sallyport-mcp/sallyport/rules/said"
)

var update = flag.Bool("update", false, "rewrite the want section of each fixture")

const fixtures = "../../fixtures/rules"

// TestFixtures runs each rule, alone, on its own fixture: it must fire at the
// wanted places and be silent everywhere outside bad/.
func TestFixtures(t *testing.T) {
	for _, rule := range catalog.All() {
		t.Run(rule.ID, func(t *testing.T) {
			path := filepath.Join(fixtures, rule.ID+".txtar")
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatalf("every rule needs a fixture: %v", err)
			}
			last := len(archive.Files) - 1
			if last < 1 || archive.Files[last].Name != "want" {
				t.Fatalf("%s: the last section must be want", path)
			}
			want := string(archive.Files[last].Data)
			tree, err := txtar.FS(&txtar.Archive{Files: expand(archive.Files[:last])})
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			bad, good := false, false
			for _, f := range rules.Check(load(t, tree), bind(t, rule, archive)) {
				p := f.Span.Begin()
				fmt.Fprintf(&got, "%s:%d:%d %s %s\n", f.Span.Path(), p.Line, p.Column, f.Severity, analyzers.Untrusted(f.Subject))
				bad = true
				if !strings.HasPrefix(f.Span.Path(), "bad/") {
					t.Errorf("false alarm outside bad/: %s: %s", f.Span.Path(), f.Message)
				}
			}
			for _, f := range archive.Files[:last] {
				good = good || strings.HasPrefix(f.Name, "good/")
			}
			if !bad || !good {
				t.Errorf("%s: needs bad/ files that fire and good/ files that do not", path)
			}
			if *update {
				archive.Files[last].Data = []byte(got.String())
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got.String() != want {
				t.Errorf("got:\n%s\nwant:\n%s", &got, want)
			}
		})
	}
}

// TestMessages: a rule that does not say that it reads messages has nothing to
// say about one, whatever stands in it: all that the fixtures have servers and
// documents say.
func TestMessages(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(fixtures, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatal(err, len(paths))
	}
	message := &analyzers.Document{Kind: "result", Exposure: analyzers.Active}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := txtar.FS(&txtar.Archive{Files: expand(archive.Files[:len(archive.Files)-1])})
		if err != nil {
			t.Fatal(err)
		}
		said.Each(load(t, tree), func(text said.Text) { message.Fields = append(message.Fields, text.Field) })
	}
	spoken := map[string]bool{}
	for _, f := range rules.Check(&analyzers.Catalog{Documents: []*analyzers.Document{message}}, catalog.All()) {
		if spoken[f.Rule.ID] = true; !f.Rule.Messages {
			t.Errorf("%s says of a message: %s", f.Rule.ID, f.Message)
		}
	}
	if len(spoken) < 20 {
		t.Errorf("only %d rules say anything of %d texts", len(spoken), len(message.Fields))
	}
}

// bind gives a rule on the registry the document of its fixture.
func bind(t *testing.T, rule *rules.Rule, archive *txtar.Archive) []*rules.Rule {
	t.Helper()
	list := []*rules.Rule{rule}
	for _, f := range archive.Files {
		if f.Name == registry.DefaultFile {
			r, _, err := registry.Load(&analyzers.Source{Path: f.Name, Bytes: f.Data}, "2026-11-22")
			if err != nil {
				t.Fatal(err)
			}
			return reg.Bind(list, r, registry.Who{}, "2026-11-22")
		}
	}
	return list
}

var (
	codePoint = regexp.MustCompile(`<U\+([0-9A-F]{4,6})>`)
	repeated  = regexp.MustCompile(`<REPEAT:([^:>]+):(\d+)>`)
	joint     = "<>"
)

// expand makes fixture text readable and safe to keep in a repository: <U+202E>
// stands for a character that an editor would hide, <> for nothing (it cuts a
// credential in two, so that no whole one is stored) and <REPEAT:ab:9> for a
// long run.
func expand(files []txtar.File) []txtar.File {
	out := make([]txtar.File, len(files))
	for i, f := range files {
		s := codePoint.ReplaceAllStringFunc(string(f.Data), func(m string) string {
			var r rune
			fmt.Sscanf(m, "<U+%X>", &r)
			return string(r)
		})
		s = repeated.ReplaceAllStringFunc(s, func(m string) string {
			parts := repeated.FindStringSubmatch(m)
			var n int
			fmt.Sscanf(parts[2], "%d", &n)
			return strings.Repeat(parts[1], n)
		})
		out[i] = txtar.File{Name: f.Name, Data: []byte(strings.ReplaceAll(s, joint, ""))}
	}
	return out
}

func load(t *testing.T, tree fs.FS) *analyzers.Catalog {
	t.Helper()
	c, err := analyzers.Load(context.Background(), analyzers.Tree{FS: tree, Exposure: analyzers.Project}, all.Analyzers(), analyzers.Limits{Jobs: 2})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	idForm  = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)+$`)
	rowForm = regexp.MustCompile(`^(CFG|SEC|TRN|PKG|IMG|REG|DSC|UNI|SHD|SCH|DRF|FLW|SRC)-\d{3}$|^(AGT|CI|RDY|COV)$`)
)

// TestCatalog checks what the compiler cannot: that every declared rule is
// listed and that its data and page are whole.
func TestCatalog(t *testing.T) {
	listed := map[string]bool{}
	for _, r := range catalog.All() {
		if listed[r.ID] {
			t.Errorf("%s is listed twice", r.ID)
		}
		listed[r.ID] = true
		if !idForm.MatchString(r.ID) {
			t.Errorf("%s: an id is kebab-case of two words or more", r.ID)
		}
		if r.Title == "" || strings.HasSuffix(r.Title, ".") || r.Severity == 0 || r.Confidence == 0 || r.Check == nil || len(r.Covers) == 0 {
			t.Errorf("%s: title (without full stop), severity, confidence, covers and check are required", r.ID)
		}
		for _, row := range r.Covers {
			if !rowForm.MatchString(row) {
				t.Errorf("%s: covers %q, which is no row of the detection table", r.ID, row)
			}
		}
		at := -1
		for _, h := range []string{"## What it finds\n", "## Why it matters\n", "## Fix\n", "## When to allow it\n"} {
			i := strings.Index(r.Page, h)
			if i <= at {
				t.Errorf("%s: page lacks %q, or has it out of order", r.ID, strings.TrimSpace(h))
			}
			at = i
		}
	}
	for _, name := range globGo(t) {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if id := declaredRule(n); id != "" && !listed[id] {
				t.Errorf("%s: rule %q is not in the list of catalog.go", name, id)
			}
			return true
		})
	}
	files, _ := filepath.Glob(filepath.Join(fixtures, "*.txtar"))
	for _, f := range files {
		if id := strings.TrimSuffix(filepath.Base(f), ".txtar"); !listed[id] {
			t.Errorf("%s belongs to no rule", f)
		}
	}
}

// TestCovered: of the families that are whole, every row of the detection table
// has a rule.
func TestCovered(t *testing.T) {
	covered := map[string]bool{}
	for _, r := range catalog.All() {
		for _, row := range r.Covers {
			covered[row] = true
		}
	}
	for family, rows := range map[string]int{"DSC": 27, "UNI": 14, "SHD": 8, "SCH": 10, "FLW": 18} {
		for n := 1; n <= rows; n++ {
			if row := fmt.Sprintf("%s-%03d", family, n); !covered[row] {
				t.Errorf("no rule covers %s", row)
			}
		}
	}
}

func globGo(t *testing.T) []string {
	names, err := filepath.Glob("../*/*.go")
	if err != nil || len(names) < 2 {
		t.Fatal("no rule files found", err)
	}
	return names
}

// declaredRule returns the ID of a rules.Rule literal.
func declaredRule(n ast.Node) string {
	lit, ok := n.(*ast.CompositeLit)
	if !ok {
		return ""
	}
	if sel, ok := lit.Type.(*ast.SelectorExpr); !ok || sel.Sel.Name != "Rule" {
		return ""
	}
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "ID" {
			if v, ok := kv.Value.(*ast.BasicLit); ok {
				return strings.Trim(v.Value, `"`)
			}
		}
	}
	return ""
}
