package sallyport_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
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
	{"analyzers", []string{"analyzers"}, []string{"net", "os", "os/exec"}},
	{"manifest", []string{"analyzers"}, []string{"net", "os", "os/exec"}},
	{"rules", []string{"analyzers", "manifest"}, []string{"net", "os", "os/exec", "time"}},
}

// remote is the package that reads targets over the network.
const remote = "analyzers/origin/github"

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

// TestNoExecution: the program has nothing linked in with which to start
// another program or load code, and what a scan of local targets is made of has
// nothing with which to open a connection, neither in our packages nor in
// anybody else's. The one way to the network is the package of remote targets.
func TestNoExecution(t *testing.T) {
	linked := list(t, "-deps", "./cmd/sallyport")
	if len(linked) < 100 {
		t.Fatalf("only %d packages found", len(linked))
	}
	for _, barred := range []string{"os/exec", "plugin"} {
		if _, ok := linked[barred]; ok {
			t.Errorf("the program links %s", barred)
		}
	}
	args := []string{"-deps"}
	for name := range list(t, "./analyzers/...", "./rules/...", "./manifest/...", "./cmd/sallyport/internal/...") {
		if name != remote {
			args = append(args, "./"+name)
		}
	}
	linked = list(t, args...)
	for _, barred := range []string{"net", "net/http", "os/exec", "plugin", "crypto/tls"} {
		if _, ok := linked[barred]; ok {
			t.Errorf("a scan of local targets links %s", barred)
		}
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
