package analyzers_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/all"
	"github.com/sallyport-mcp/sallyport/analyzers/origin"
)

const config = `{"mcpServers": {"a": {"command": "npx", "args": ["acme@1.0.0"]}}}`

// tree writes files into a new directory and returns it. A path that ends in
// "/" is a directory, a content that begins with "-> " a symbolic link.
func tree(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		path, content := filepath.Join(dir, files[i]), files[i+1]
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(target, path)
		} else if strings.HasSuffix(files[i], "/") {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func load(t *testing.T, target string) *analyzers.Catalog {
	t.Helper()
	o, err := origin.Open(target)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	c, err := analyzers.Load(context.Background(), o.Tree, all.Analyzers(), analyzers.Limits{Jobs: 4})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func servers(c *analyzers.Catalog) []string {
	out := []string{}
	for _, s := range c.Servers {
		out = append(out, s.ID)
	}
	return out
}

func gaps(c *analyzers.Catalog) []string {
	out := []string{}
	for _, g := range c.Gaps {
		out = append(out, fmt.Sprintf("%s %s %v", g.Path, g.Kind, g.Blocking))
	}
	return out
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestLinks(t *testing.T) {
	outside := tree(t, ".mcp.json", config, "dir/.mcp.json", config)
	dir := tree(t,
		"real/.mcp.json", config,
		"linked.json", "-> real/.mcp.json",
		".mcp.json", "-> real/.mcp.json", // a client would follow it
		".cursor", "-> shared",
		"shared/mcp.json", config,
		"up/loop", "-> ..",
		"self", "-> self",
		"a/.mcp.json", "-> "+filepath.Join(outside, ".mcp.json"),
		"b/notes.txt", "-> "+filepath.Join(outside, ".mcp.json"),
		"c", "-> "+filepath.Join(outside, "dir"),
		"d/.mcp.json", "-> nowhere",
		"e/.mcp.json", "-> ../../../../../../etc/hosts",
	)
	c := load(t, dir)
	same(t, "servers", servers(c), []string{".cursor/mcp.json#a", ".mcp.json#a", "linked.json#a", "real/.mcp.json#a", "shared/mcp.json#a"})
	same(t, "gaps", gaps(c), []string{
		"a/.mcp.json escape true", "b/notes.txt escape false", "c escape false",
		"d/.mcp.json unreadable true", "e/.mcp.json escape true", "self escape false",
	})
}

// A chain of directories, each with two links to the next, has 2^30 paths.
func TestLinkBomb(t *testing.T) {
	var files []string
	for i := range 30 {
		files = append(files, fmt.Sprintf("d%d/l", i), fmt.Sprintf("-> ../d%d", i+1), fmt.Sprintf("d%d/r", i), fmt.Sprintf("-> ../d%d", i+1))
	}
	c := load(t, tree(t, append(files, "d30/.mcp.json", config)...))
	if len(c.Servers) < 1 || c.Stats.Seen > 5000 {
		t.Errorf("%d servers, %d entries", len(c.Servers), c.Stats.Seen)
	}
}

func TestSpecialFiles(t *testing.T) {
	dir := tree(t, "x/", "")
	if err := syscall.Mkfifo(filepath.Join(dir, ".mcp.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "x", "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	same(t, "gaps", gaps(load(t, dir)), []string{".mcp.json special true"})
	same(t, "gaps of the FIFO itself", gaps(load(t, filepath.Join(dir, ".mcp.json"))), []string{".mcp.json special true"})
}

// denied is a tree in which some names may not be opened, whoever asks: root,
// as whom CI may run, can open everything else.
type denied struct {
	fstest.MapFS
	names []string
}

func (d denied) Open(name string) (fs.File, error) {
	if slices.Contains(d.names, name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return d.MapFS.Open(name)
}

func (d denied) ReadDir(name string) ([]fs.DirEntry, error) {
	if slices.Contains(d.names, name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return d.MapFS.ReadDir(name)
}

func TestUnreadable(t *testing.T) {
	fsys := denied{fstest.MapFS{
		".mcp.json":        {Data: []byte(config)},
		"data.json":        {Data: []byte("{}")},
		"locked/.mcp.json": {Data: []byte(config)},
	}, []string{".mcp.json", "data.json", "locked"}}
	c, err := analyzers.Load(context.Background(), analyzers.Tree{FS: fsys}, all.Analyzers(), analyzers.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "gaps", gaps(c), []string{".mcp.json unreadable true", "data.json unreadable false", "locked unreadable true"})
}

func TestHuge(t *testing.T) {
	dir := tree(t, ".mcp.json", "{", "data.json", "{")
	for _, name := range []string{".mcp.json", "data.json"} {
		if err := os.Truncate(filepath.Join(dir, name), 1<<30); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "gaps", gaps(load(t, dir)), []string{".mcp.json oversized true", "data.json oversized false"})
}

func TestHostileNames(t *testing.T) {
	dir := tree(t, "a\nb\x1b[31m\u202e/.mcp.json", config)
	same(t, "servers", servers(load(t, dir)), []string{"a\nb\x1b[31m\u202e/.mcp.json#a"})
}

// Every way of breaking a recognised file ends in a gap that blocks.
func TestBroken(t *testing.T) {
	deep := strings.Repeat("[", 100_000)
	for name, content := range map[string]string{
		"truncated":      config[:30],
		"empty":          "",
		"deep":           `{"mcpServers":` + deep,
		"deep and whole": `{"mcpServers":` + deep + strings.Repeat("]", 100_000) + "}",
		"not UTF-8":      "{\"mcpServers\": {\"a\xff\": {}}}",
		"UTF-16":         "\xff\xfe{\x00\"\x00m\x00\"\x00",
		"UTF-16 bare":    "{\x00\"\x00m\x00\"\x00:\x001\x00}\x00",
		"NUL":            "{\"mcpServers\": {\"a\x00\": {}}}",
		"a list":         "[]",
		"two values":     "{} {}",
	} {
		c := load(t, tree(t, ".mcp.json", content))
		if len(c.Gaps) != 1 || !c.Gaps[0].Blocking || c.Gaps[0].Reason == "" {
			t.Errorf("%s: gaps %+v", name, c.Gaps)
		}
	}
	laughs := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'i'; c++ {
		laughs += fmt.Sprintf("%c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 8), c-1)
	}
	c := load(t, tree(t, ".continue/config.yaml", laughs+"mcpServers: *i\n"))
	if len(c.Gaps) != 1 || !c.Gaps[0].Blocking {
		t.Errorf("alias bomb: gaps %+v", c.Gaps)
	}
	if c := load(t, tree(t, ".mcp.json", "\xef\xbb\xbf"+config)); len(c.Gaps) != 0 || len(c.Servers) != 1 {
		t.Errorf("a byte order mark is no fault: %+v", c.Gaps)
	}
}

func TestOnly(t *testing.T) {
	dir := tree(t, "settings.conf", config, "notes.md", "# notes", "broken.json", `{"tools": [{"inputSchema"`)
	same(t, "servers", servers(load(t, filepath.Join(dir, "settings.conf"))), []string{"settings.conf#a"})
	same(t, "gaps", gaps(load(t, filepath.Join(dir, "notes.md"))), []string{"notes.md malformed true"})
	same(t, "gaps", gaps(load(t, filepath.Join(dir, "broken.json"))), []string{"broken.json malformed true"})
}

// The answer does not depend on the number of jobs.
func TestOrder(t *testing.T) {
	fsys := fstest.MapFS{}
	for i := range 200 {
		fsys[fmt.Sprintf("d%03d/.mcp.json", i)] = &fstest.MapFile{Data: []byte(config)}
		fsys[fmt.Sprintf("d%03d/bad.json", i)] = &fstest.MapFile{Data: []byte(`{"mcpServers": `)}
	}
	var first *analyzers.Catalog
	for _, jobs := range []int{1, 3, 8} {
		c, err := analyzers.Load(context.Background(), analyzers.Tree{FS: fsys, Exposure: analyzers.Project}, all.Analyzers(), analyzers.Limits{Jobs: jobs})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = c
		}
		if !reflect.DeepEqual(servers(c), servers(first)) || !reflect.DeepEqual(gaps(c), gaps(first)) || len(servers(c)) != 200 || len(gaps(c)) != 200 {
			t.Errorf("%d jobs: another answer", jobs)
		}
	}
}

func TestLimits(t *testing.T) {
	fsys := fstest.MapFS{"a/b/c/.mcp.json": {Data: []byte(config)}}
	for i := range 20 {
		fsys[fmt.Sprintf("f%02d/.mcp.json", i)] = &fstest.MapFile{Data: []byte(config)}
	}
	for name, limits := range map[string]analyzers.Limits{
		"entries": {Files: 10}, "depth": {Depth: 2}, "held": {HeldBytes: 200}, "facts": {Facts: 20}, "file": {FileBytes: 10},
	} {
		c, err := analyzers.Load(context.Background(), analyzers.Tree{FS: fsys}, all.Analyzers(), limits)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Gaps) == 0 || !c.Gaps[0].Blocking || len(c.Servers) == 21 {
			t.Errorf("%s: %d servers, gaps %v", name, len(c.Servers), gaps(c))
		}
	}
}
