package github

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/all"
	"github.com/sallyport-mcp/sallyport/internal/githubtest"
)

const someCommit = "0123456789abcdef0123456789abcdef01234567"

// packed is an archive of headers, each with its content.
func packed(entries ...any) []byte {
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	w := tar.NewWriter(zipped)
	for i := 0; i < len(entries); i += 2 {
		h, content := entries[i].(tar.Header), entries[i+1].(string)
		if h.Typeflag == tar.TypeReg || h.Typeflag == 0 {
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			panic(err)
		}
		io.WriteString(w, content)
	}
	w.Close()
	zipped.Close()
	return b.Bytes()
}

func regular(name string) tar.Header   { return tar.Header{Name: name, Mode: 0o644} }
func directory(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeDir} }
func link(name, to string) tar.Header {
	return tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeSymlink}
}

func TestUnpack(t *testing.T) {
	const config = `{"mcpServers": {}}`
	for name, test := range map[string]struct {
		archive []byte
		want    string   // "Kind: part of the reason"; "" for read
		held    []string // files
	}{
		"honest":                 {archive: packed(directory("a-b-c/"), "", regular("a-b-c/.mcp.json"), config, regular("a-b-c/main.c"), "int main;", directory("a-b-c/d/"), "", regular("a-b-c/d/x.json"), config), held: []string{".mcp.json", "d/x.json"}},
		"nothing in it":          {archive: packed(directory("a-b-c/"), "")},
		"no header, no entry":    {archive: packed()},
		"up":                     {archive: packed(regular("a/../.mcp.json"), config), want: "escape: "},
		"up at once":             {archive: packed(regular("../a/.mcp.json"), config), want: "escape: "},
		"far up":                 {archive: packed(regular("a/b/../../../etc/.mcp.json"), config), want: "escape: "},
		"absolute":               {archive: packed(regular("/a/.mcp.json"), config), want: "escape: "},
		"double slash":           {archive: packed(regular("a//.mcp.json"), config), want: "escape: "},
		"dot":                    {archive: packed(regular("./a/.mcp.json"), config), want: "escape: "},
		"no directory around":    {archive: packed(regular(".mcp.json"), config), want: "escape: "},
		"long":                   {archive: packed(regular("a/"+strings.Repeat("d/", 3000)+".mcp.json"), config), want: "escape: "},
		"hidden characters":      {archive: packed(regular("a/\u202e/../x"), config), want: `escape: refused: the archive holds a path that git does not write: a/\u{202e}/../x`},
		"twice":                  {archive: packed(regular("a/.mcp.json"), config, regular("a/.mcp.json"), config), want: "malformed: refused: the archive holds a path twice"},
		"twice, once a link":     {archive: packed(link("a/.mcp.json", "x"), "", regular("a/.mcp.json"), config), want: "malformed: "},
		"twice, link behind":     {archive: packed(regular("a/.mcp.json"), config, link("a/.mcp.json", "x"), ""), want: "malformed: "},
		"file below a file":      {archive: packed(regular("a/.mcp.json"), config, regular("a/.mcp.json/.mcp.json"), config), want: "malformed: "},
		"file for a directory":   {archive: packed(regular("a/x.json/.mcp.json"), config, regular("a/x.json"), config), want: "malformed: "},
		"directory for a file":   {archive: packed(regular("a/.mcp.json"), config, directory("a/.mcp.json/"), ""), want: "malformed: "},
		"hard link":              {archive: packed(tar.Header{Name: "a/.mcp.json", Linkname: "/etc/passwd", Typeflag: tar.TypeLink}, ""), want: "malformed: "},
		"device":                 {archive: packed(tar.Header{Name: "a/.mcp.json", Typeflag: tar.TypeChar}, ""), want: "malformed: "},
		"pipe":                   {archive: packed(tar.Header{Name: "a/.mcp.json", Typeflag: tar.TypeFifo}, ""), want: "malformed: "},
		"another commit":         {archive: packed(tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": strings.Repeat("f", 40)}}, ""), want: "malformed: the archive is of another commit"},
		"link of no length":      {archive: packed(link("a/x", strings.Repeat("y", 5000)), ""), want: "limit: "},
		"entries":                {archive: packed(many(60)...), want: "limit: more than 50 entries"},
		"oversized and named":    {archive: packed(regular("a/.mcp.json"), strings.Repeat(" ", 3000)), held: []string{".mcp.json"}},
		"no UTF-8":               {archive: packed(regular("a/\xff/.mcp.json"), config, regular("a/.mcp.json"), config), held: []string{".mcp.json"}},
		"in installed ones":      {archive: packed(regular("a/node_modules/x/.mcp.json"), config, regular("a/.mcp.json"), config), held: []string{".mcp.json"}},
		"text behind the end":    {archive: append(packed(regular("a/.mcp.json"), config), "behind"...), want: "truncated: "},
		"another gzip behind it": {archive: append(packed(regular("a/.mcp.json"), config), packed(regular("a/x.json"), config)...), held: []string{".mcp.json"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := defaultLimits()
			l.entries, l.file = 50, 2000
			s, err := unpack(bytes.NewReader(test.archive), all.Analyzers(), &l, nil, someCommit)
			if test.want != "" {
				p := (&Client{}).explain(errOr(err))
				if err == nil || !strings.HasPrefix(p.Kind+": "+p.Reason, test.want) {
					t.Errorf("%v, want %s", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var held []string
			fs.WalkDir(s.files, ".", func(name string, d fs.DirEntry, err error) error {
				if d.Type().IsRegular() {
					held = append(held, name)
				}
				return err
			})
			if !slices.Equal(held, test.held) {
				t.Errorf("held %q, want %q", held, test.held)
			}
		})
	}
}

func errOr(err error) error {
	if err == nil {
		return &Problem{Kind: "none"}
	}
	return err
}

func many(n int) (entries []any) {
	for range n {
		entries = append(entries, directory("a/d/"), "")
	}
	return entries
}

// Bombs are refused while they are read.
func TestBombs(t *testing.T) {
	l := defaultLimits()
	zeros := func(n int64) []byte {
		var b bytes.Buffer
		zipped, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		w := tar.NewWriter(zipped)
		w.WriteHeader(&tar.Header{Name: "a/zeros", Size: n})
		block := make([]byte, 1<<20)
		for ; n > 0; n -= int64(len(block)) {
			w.Write(block)
		}
		w.Close()
		zipped.Close()
		return b.Bytes()
	}(100 << 20)
	if _, err := unpack(bytes.NewReader(zeros), all.Analyzers(), &l, nil, someCommit); err == nil || !strings.Contains(err.Error(), "unpacks to more") {
		t.Errorf("%d bytes that become 100 MiB: %v", len(zeros), err)
	}
	noise := make([]byte, 2<<20)
	rand.Read(noise)
	l.unpacked = 1 << 20
	if _, err := unpack(bytes.NewReader(packed(regular("a/noise"), string(noise))), all.Analyzers(), &l, nil, someCommit); err == nil {
		t.Error("more than the limit on what is unpacked")
	}

	// What is kept is bounded; what is beyond it is said.
	l = defaultLimits()
	l.held = 1000
	big := `{"mcpServers": {}}` + strings.Repeat(" ", 600)
	s, err := unpack(bytes.NewReader(packed(regular("a/a/.mcp.json"), big, regular("a/b/.mcp.json"), big, regular("a/c/.mcp.json"), "{}")), all.Analyzers(), &l, nil, someCommit)
	if err != nil || len(s.gaps) != 1 || s.gaps[0].Path != "b/.mcp.json" || !s.gaps[0].Blocking {
		t.Errorf("%v %+v", err, s.gaps)
	}
}

// A repository reads like its checkout: the same catalog, wherever the bytes
// come from.
func TestLikeACheckout(t *testing.T) {
	repo := &githubtest.Repo{Name: "api", Files: map[string]string{
		".mcp.json":                 declares("files", "x@1.0.0"),
		"AGENTS.md":                 "Be kind.",
		"CLAUDE.md":                 "-> AGENTS.md",
		"GEMINI.md":                 "-> docs/for-agents.txt",
		"docs/for-agents.txt":       "Be brief.",
		".cursor":                   "-> config/editor",
		"config/editor/mcp.json":    declares("editor", "y@1.0.0"),
		"pkg/.vscode/mcp.json":      `{"servers": {}}`,
		"pkg/.mcp.json":             "-> ../../../etc/passwd",
		"loop/a":                    "-> b",
		"loop/b":                    "-> a",
		"loop/.mcp.json":            "-> a",
		"lost/.mcp.json":            "-> nowhere.json",
		"node_modules/x/.mcp.json":  declares("hidden", "z"),
		"src/main.go":               "package main",
		"src/link.go":               "-> main.go",
		"examples/broken/.mcp.json": "{",
		"README.md":                 "Nothing for a model.",
		"docs/README.md":            "-> ../README.md",
	}}
	s := serve(t, repo)
	_, remote := load(t, client(t, s), "github:acme/api")

	dir := t.TempDir()
	for name, content := range repo.Files {
		name = filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(name), 0o755)
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			if err := os.Symlink(target, name); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	local, err := analyzers.Load(t.Context(), analyzers.Tree{FS: root.FS(), Prefix: "acme/api", Exposure: analyzers.Project}, all.Analyzers(), analyzers.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := withoutStats(remote), withoutStats(local); a != b {
		t.Errorf("from GitHub:\n%s\nfrom a checkout:\n%s", a, b)
	}
}

func withoutStats(c *analyzers.Catalog) string {
	s := told(c)
	return s[:strings.LastIndex(s[:len(s)-1], "\n")+1]
}

// .gitattributes cannot hide a file from the scan, nor show it another one.
func TestAttributes(t *testing.T) {
	files := map[string]string{
		".gitattributes": "* export-ignore",
		".mcp.json":      declares("hidden", "x@1.0.0"),
		".cursor/mcp.json": `{"mcpServers": {
			// $Format:%x0a$ "shown": {"command": "npx"} }}
			"real": {"command": "npx", "args": ["y@1.0.0"]}}}`,
		"GEMINI.md":     "-> note.txt",
		"note.txt":      "Be brief.",
		"crlf.mcp.json": "{\"mcpServers\":\n{}}",
		"src/main.go":   "package main",
	}
	repo := &githubtest.Repo{Name: "api", Files: files,
		Ignored:     []string{".gitattributes", ".mcp.json", "GEMINI.md", "note.txt", "src/main.go"},
		Substituted: map[string]string{".cursor/mcp.json": "{\"mcpServers\": {\n\"shown\": {\"command\": \"npx\"} }}", "crlf.mcp.json": "{\"mcpServers\":\r\n{}}"}}
	s := serve(t, repo)
	_, catalog := load(t, client(t, s), "github:acme/api")
	if got, want := servers(catalog), []string{"acme/api/.cursor/mcp.json#real", "acme/api/.mcp.json#hidden"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if len(catalog.Documents) != 1 {
		t.Errorf("documents %+v", catalog.Documents)
	}
	if n := s.Asked("/git/blobs/"); n != 4 {
		t.Errorf("%d files fetched", n)
	}

	// Too many to fetch one by one: said, and blocking.
	for _, i := range "abcdefgh" {
		files[string(i)+"/.mcp.json"] = declares("hidden", string(i))
		repo.Ignored = append(repo.Ignored, string(i)+"/.mcp.json")
	}
	c := client(t, s)
	c.limits.blobs = 5
	_, catalog = load(t, c, "github:acme/api")
	if got := gapAt(t, catalog, "acme/api"); !strings.HasPrefix(got, "!limit: ") {
		t.Error(got)
	}

	// Where GitHub cannot list the commit, that is a note.
	c = client(t, s)
	s.Before = refuse("/git/trees/")
	_, catalog = load(t, c, "github:acme/api")
	if got := gapAt(t, catalog, "acme/api"); !strings.HasPrefix(got, "unavailable: the commit's own listing could not be read") {
		t.Error(got)
	}
}

func TestMemory(t *testing.T) {
	m := newMemory()
	for name, content := range map[string]string{"a/b/c.txt": "one", "a/d.txt": "two", "e": ""} {
		if !m.add(name, &node{mode: 0o644, size: int64(len(content)), content: []byte(content)}) {
			t.Fatal(name)
		}
	}
	if err := fstest.TestFS(m, "a/b/c.txt", "a/d.txt", "e"); err != nil {
		t.Error(err)
	}
	for name, to := range map[string]string{"file": "a/d.txt", "dir": "a", "a/up": "..", "out": "../x", "root": "/etc", "self": "self", "lost": "none"} {
		m.add(name, &node{mode: fs.ModeSymlink | 0o777, link: to})
	}
	for name, want := range map[string]string{"file": "two", "dir/b/c.txt": "one", "a/up/a/up/dir/d.txt": "two"} {
		if got, err := fs.ReadFile(m, name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"out", "root", "self", "lost", "out/a", "../e", "/e", "e/x", "file/x"} {
		if _, err := m.Open(name); err == nil {
			t.Errorf("%s opens", name)
		}
	}
	if m.add("e/x", &node{mode: 0o644}) || m.add("e", &node{mode: 0o644}) || m.add("a", &node{mode: 0o644}) {
		t.Error("something was put where something is")
	}
	if entries, err := fs.ReadDir(m, "dir/b"); err != nil || len(entries) != 1 || entries[0].Name() != "c.txt" {
		t.Errorf("%v %v", entries, err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(packed(directory("a/"), "", regular("a/.mcp.json"), `{"mcpServers": {}}`, link("a/CLAUDE.md", "AGENTS.md"), ""), false)
	f.Add(packed(regular("a/../x"), "y"), false)
	f.Add([]byte("a/.mcp.json"), true)
	tools := all.Analyzers()
	f.Fuzz(func(t *testing.T, b []byte, zip bool) {
		if zip { // the mutator does not get past gzip's checksum
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			w.Write(b)
			w.Close()
			b = z.Bytes()
		}
		l := defaultLimits()
		l.entries, l.held, l.file = 100, 1<<16, 1<<14
		s, err := unpack(bytes.NewReader(b), tools, &l, nil, someCommit)
		if err != nil {
			return
		}
		for name, n := range s.files.nodes {
			if !fs.ValidPath(name) || n.name != path.Base(name) {
				t.Errorf("path %q", name)
			}
		}
		if s.held > l.held {
			t.Errorf("%d bytes are held", s.held)
		}
		if err := s.link(tools, nil, func(string, string) error { return nil }); err != nil {
			t.Error(err)
		}
		if _, err := analyzers.Load(t.Context(), analyzers.Tree{FS: s.files}, tools, analyzers.Limits{}); err != nil {
			t.Error(err)
		}
	})
}

// refuse answers requests whose path holds part as a server in trouble does.
func refuse(part string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, part) {
			return false
		}
		githubtest.Fail(w, http.StatusServiceUnavailable, "Service Unavailable")
		return true
	}
}
