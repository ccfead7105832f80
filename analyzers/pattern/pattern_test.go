package pattern

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestExpressions compiles the expression of every call of New and of every
// function of ours that hands its last argument to it.
func TestExpressions(t *testing.T) {
	root := filepath.Join("..", "..")
	found := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(content), "/analyzers/pattern\"") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, content, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			name := ""
			switch f := call.Fun.(type) {
			case *ast.SelectorExpr:
				if p, ok := f.X.(*ast.Ident); ok && p.Name == "pattern" {
					name = f.Sel.Name
				}
			case *ast.Ident:
				name = f.Name
			}
			if name != "New" && name != "newProbe" {
				return true
			}
			expression, ok := constant(call.Args[len(call.Args)-1])
			if !ok {
				return true // a parameter: its callers are looked at
			}
			found++
			if _, err := regexp.Compile(expression); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			return true
		})
		return nil
	})
	if err != nil || found < 30 {
		t.Fatalf("%d expressions, %v", found, err)
	}
}

// constant is the value of a string literal, or of several joined.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		a, okA := constant(e.X)
		b, okB := constant(e.Y)
		return a + b, okA && okB
	}
	return "", false
}

func TestPattern(t *testing.T) {
	p := New(`^a(b+)`)
	if !p.MatchString("abb") || p.MatchString("b") || p.FindStringIndex("abbc")[1] != 3 || p.FindStringSubmatch("abb")[1] != "bb" {
		t.Error("not the matches of package regexp")
	}
}
