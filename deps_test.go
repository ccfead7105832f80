package sallyport_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sallyport-mcp/sallyport"

// walls is the import table of docs/architecture.md: what a package below
// the first column may import of ours, and what it must not reach. The first
// matching row holds.
var walls = []struct {
	below  string
	may    []string // ours, besides its own tree
	barred []string // of all others
}{
	{"analyzers/origin/github", []string{"analyzers"}, []string{"os/exec"}},
	{"analyzers/origin", []string{"analyzers"}, []string{"net"}},
	{live, []string{"analyzers"}, nil},
	{"analyzers", []string{"analyzers"}, []string{"net", "os", "os/exec"}},
	{"manifest/seal", []string{"analyzers", "manifest"}, []string{"os", "os/exec"}},
	{"manifest", []string{"analyzers"}, []string{"net", "os", "os/exec"}},
	{"registry/remote", []string{"analyzers", "manifest", "registry"}, []string{"os", "os/exec"}},
	{"registry", []string{"analyzers", "manifest", "rules"}, []string{"net", "os", "os/exec", "time"}},
	{"rules/reg", []string{"analyzers", "manifest", "registry", "rules"}, []string{"net", "os", "os/exec", "time"}},
	{"rules/catalog", []string{"analyzers", "manifest", "rules"}, []string{"net", "os", "os/exec", "time"}},
	{"rules", []string{"analyzers", "manifest"}, []string{"net", "os", "os/exec", "time"}},
	{"runtime/stdio", []string{"analyzers", "runtime"}, []string{"net"}},
	{"runtime/mux", []string{"runtime", "runtime/audit", "runtime/jsonrpc"}, []string{"net", "os/exec"}},
	{"runtime/telemetry", []string{"runtime/audit"}, []string{"os/exec"}},
	{"runtime", []string{"analyzers", "manifest", "rules", "registry"}, []string{"net", "os/exec"}},
}

// gates are the packages and libraries with which a connection can be opened
// or a program started, and who may import them.
var gates = map[string][]string{
	module + "/manifest/seal":                 {"cmd/sallyport", "registry/remote"},
	module + "/registry/remote":               {"cmd/sallyport"},
	module + "/" + remote:                     {"cmd/sallyport"},
	module + "/runtime/telemetry":             {"cmd/sallyport"},
	"go.opentelemetry.io/":                    {"runtime/telemetry"},
	"github.com/prometheus/":                  {"runtime/telemetry"},
	module + "/" + live:                       {"cmd/sallyport"},
	"github.com/modelcontextprotocol/go-sdk/": {live},
	"github.com/google/go-github/":            {"registry/remote", remote},
	"github.com/sigstore/":                    {"manifest/seal"},
	"github.com/google/go-containerregistry/": {"manifest/seal", "registry/remote", "cmd/sallyport", "internal/sigstoretest"},
}

// online are the files of cmd/sallyport that may import what is behind a gate
// or reaches the network: none of them is on the way of a scan.
var online = []string{"seal.go", "manifest_fetch.go", "registry_sign.go", "registry_oci.go", "registry_serve.go", "registry_pr.go", "registry_compile.go", "github.go", "run.go", "inspect.go"}

// remote is the package that reads targets over the network.
const remote = "analyzers/origin/github"

// live is the package that starts servers and talks to them.
const live = "analyzers/capture/live"

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath string
	Imports    []string
}

func list(t *testing.T, args ...string) map[string]pkg {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports"}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]pkg{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(p.ImportPath, module+"/")] = p
	}
}

func under(name, root string) bool { return name == root || strings.HasPrefix(name, root+"/") }

// TestWalls holds the arrows between packages: direct imports of ours against
// the table, and what is barred through all of our own packages.
func TestWalls(t *testing.T) {
	all := list(t, "./...")
	for name := range all {
		for _, wall := range walls {
			if !under(name, wall.below) {
				continue
			}
			seen := map[string]bool{}
			var reach func(string, []string)
			reach = func(from string, path []string) {
				for _, dep := range all[from].Imports {
					ours, isOurs := strings.CutPrefix(dep, module+"/")
					if !isOurs {
						for _, b := range wall.barred {
							if dep == b || b == "net" && strings.HasPrefix(dep, "net/") && dep != "net/url" && dep != "net/netip" {
								t.Errorf("%s reaches %s: %s", name, dep, strings.Join(append(path, from, dep), " -> "))
							}
						}
						continue
					}
					allowed := under(ours, wall.below)
					for _, m := range wall.may {
						allowed = allowed || under(ours, m)
					}
					if from == name && !allowed {
						t.Errorf("%s must not import %s", name, ours)
					}
					// The named exceptions may do what their importers may not.
					if !seen[ours] && ours != "analyzers/origin" {
						seen[ours] = true
						reach(ours, append(path, from))
					}
				}
			}
			reach(name, nil)
			break
		}
	}
	for name := range all {
		if under(name, "analyzers") && name != "analyzers/origin" {
			for _, dep := range all[name].Imports {
				if dep == module+"/analyzers/origin" {
					t.Errorf("%s must not import analyzers/origin: analyzers are given their bytes", name)
				}
			}
		}
		if name != "cmd/sallyport" {
			for _, dep := range all[name].Imports {
				if dep == module+"/"+remote {
					t.Errorf("%s must not import %s: only a target of the command line leads there", name, remote)
				}
			}
		}
	}
}

// TestGates: what can open a connection is imported where it is meant to be.
func TestGates(t *testing.T) {
	behind := func(dep string) (string, bool) {
		for gate := range gates {
			if dep == gate || strings.HasSuffix(gate, "/") && strings.HasPrefix(dep, gate) {
				return gate, true
			}
		}
		return "", false
	}
	for name, p := range list(t, "./...") {
		for _, dep := range p.Imports {
			if gate, ok := behind(dep); ok && !slices.Contains(gates[gate], name) {
				t.Errorf("%s must not import %s", name, dep)
			}
		}
	}
	files, err := filepath.Glob("cmd/sallyport/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || slices.Contains(online, filepath.Base(name)) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			dep := strings.Trim(i.Path.Value, `"`)
			if _, ok := behind(dep); ok || dep == "net" || strings.HasPrefix(dep, "net/") && dep != "net/url" || dep == "os/exec" {
				t.Errorf("%s imports %s; only %v may", name, dep, online)
			}
		}
	}
}

// TestShim: the small program is built without cgo, and has nothing linked in
// that could speak to a network, check a Sigstore bundle or read source code.
func TestShim(t *testing.T) {
	linked := list(t, "-deps", "./cmd/sallyport-shim")
	for name := range linked {
		for _, barred := range []string{
			"net/http", "crypto/tls", "manifest/seal", "registry/remote", "runtime/telemetry", "analyzers/capture/live", "analyzers/origin", "analyzers/code",
			"github.com/sigstore", "github.com/google", "github.com/modelcontextprotocol", "go.opentelemetry.io",
		} {
			if under(name, barred) {
				t.Errorf("the shim links %s", name)
			}
		}
	}
	if _, ok := linked["internal/shim"]; !ok {
		t.Fatal("the shim does not link its own package")
	}
	build := exec.Command("go", "build", "-o", filepath.Join(t.TempDir(), "sallyport-shim"), "./cmd/sallyport-shim")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestShimStart: what starts beside every server compiles no regular expression
// at its start; analyzers/pattern does so at first use.
func TestShimStart(t *testing.T) {
	looked := 0
	for name := range list(t, "-deps", "./cmd/sallyport-shim") {
		files, err := filepath.Glob(filepath.Join(filepath.FromSlash(name), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			looked++
			for _, d := range f.Decls {
				if _, isFunc := d.(*ast.FuncDecl); isFunc {
					continue
				}
				ast.Inspect(d, func(n ast.Node) bool {
					if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "MustCompile" {
						t.Errorf("%s: a regular expression that is compiled at the start: use pattern.New", file)
					}
					_, later := n.(*ast.FuncLit)
					return !later
				})
			}
		}
	}
	if looked < 100 {
		t.Errorf("only %d files found", looked)
	}
}

// TestNoExecution: nothing that a scan is made of has a library linked in with
// which to start another program, load code or open a connection, neither ours
// nor anybody else's. What the program does when it runs is in TestAlone.
func TestNoExecution(t *testing.T) {
	args := []string{"-deps"}
	for name := range list(t, "./analyzers/...", "./rules/...", "./manifest", "./cmd/sallyport/internal/...") {
		if name != remote && name != live {
			args = append(args, "./"+name)
		}
	}
	linked := list(t, args...)
	if len(linked) < 100 {
		t.Fatalf("only %d packages found", len(linked))
	}
	for _, barred := range []string{"net", "net/http", "os/exec", "plugin", "crypto/tls"} {
		if _, ok := linked[barred]; ok {
			t.Errorf("a scan of local targets links %s", barred)
		}
	}
	if _, ok := list(t, "-deps", "./cmd/sallyport")["plugin"]; ok {
		t.Error("the program links plugin")
	}
}

// TestDependencies: every direct dependency has its line of reason.
func TestDependencies(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	direct := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllSubmatch(mod, -1) {
		direct[string(m[1])] = true
		if !bytes.Contains(doc, []byte("`"+string(m[1])+"`")) {
			t.Errorf("docs/dependencies.md gives no reason for %s", m[1])
		}
	}
	if len(direct) == 0 {
		t.Fatal("no direct dependency found in go.mod")
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllSubmatch(doc, -1) {
		if !direct[string(m[1])] {
			t.Errorf("docs/dependencies.md speaks of %s, which go.mod does not require directly", m[1])
		}
	}
}
