package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers/clientconfig"
	"github.com/sallyport-mcp/sallyport/registry"
)

// write writes files below a directory and returns it.
func write(t testing.TB, dir string, files map[string]string) string {
	t.Helper()
	for name, content := range files {
		name = filepath.Join(dir, name)
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(content, "#!") {
			mode = 0o755
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func real(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func mustOpen(t *testing.T, argv []string, dir string, env ...string) *Executable {
	t.Helper()
	e, err := Open(argv, dir, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// TestOpen finds what os/exec would start, and refuses what it refuses.
func TestOpen(t *testing.T) {
	dir := write(t, real(t), map[string]string{
		"bin/tool": "#!/bin/sh\necho tool\n", "first/tool": "not executable", "lib/real": "#!/usr/bin/env node\r\nx", "work/app.js": "app", "work/sub/run": "#!/bin/sh\n",
		"empty/.keep": "",
	})
	if err := os.Symlink("../lib/real", filepath.Join(dir, "bin/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bin/folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := "PATH=" + strings.Join([]string{dir + "/first", dir + "/bin"}, string(os.PathListSeparator))
	for _, test := range []struct {
		argv        []string
		dir         string
		path        string
		interpreter string
		script      string
	}{
		{[]string{"tool"}, "", "bin/tool", "/bin/sh", ""},
		{[]string{"link", "a"}, "", "lib/real", "/usr/bin/env node", ""},
		{[]string{dir + "/bin/tool"}, "", "bin/tool", "/bin/sh", ""},
		{[]string{"./run"}, dir + "/work/sub", "work/sub/run", "/bin/sh", ""},
		{[]string{"../sub/run"}, dir + "/work/sub", "work/sub/run", "/bin/sh", ""},
	} {
		e := mustOpen(t, test.argv, test.dir, "PATH=/nowhere", path)
		if e.Path != filepath.Join(dir, test.path) || e.Interpreter != test.interpreter || e.Script != nil {
			t.Errorf("%v: %+v", test.argv, e)
		}
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	write(t, dir, map[string]string{"node": "#!" + sh + "\n"})
	e := mustOpen(t, []string{dir + "/node", "app.js"}, dir+"/work")
	if e.Script == nil || e.Script.Path != dir+"/work/app.js" {
		t.Fatalf("%+v", e.Script)
	}
	if err := errors.Join(e.Hash(), e.Script.Hash()); err != nil || e.Script.Digest != digest("app") || e.Digest != digest("#!"+sh+"\n") {
		t.Error(e.Digest, e.Script.Digest, err)
	}
	id := registry.Command([]string{dir + "/node", "app.js"})
	if err := e.Describe(&id, true, true); err != nil || "sha256:"+id.FileSHA256 != e.Digest || "sha256:"+id.ScriptSHA256 != digest("app") {
		t.Errorf("%+v %v", id, err)
	}
	if e := mustOpen(t, []string{dir + "/node", "missing.js"}, dir+"/work"); e.Script != nil {
		t.Error("a script that is not there is open")
	} else if err := e.Describe(&id, false, true); !errors.Is(err, ErrUnread) || id.ScriptSHA256 != registry.Missing {
		t.Errorf("%+v %v", id, err)
	}
	for _, test := range []struct {
		argv []string
		dir  string
		path string
		want string
	}{
		{nil, "", path, "no command"},
		{[]string{""}, "", path, "no command"},
		{[]string{"nothing"}, "", path, "no program nothing along PATH"},
		{[]string{"nothing"}, "", "", "no program nothing along PATH"},
		{[]string{"tool"}, "", "PATH=" + dir + "/first", "permission denied"},
		{[]string{"./first/tool"}, dir, path, "permission denied"},
		{[]string{"./bin/folder"}, dir, path, "is a directory"},
		{[]string{"tool"}, dir + "/bin", "PATH=.", "only relative to the working directory"},
		{[]string{"tool"}, dir + "/bin", "PATH=", "no program"},
		{[]string{"tool"}, dir, "PATH=bin", "only relative to the working directory"},
		{[]string{"evil\u202e\x1b[2J"}, dir, path, `evil\u{202e}\u{1b}[2J`},
	} {
		if e, err := Open(test.argv, test.dir, []string{test.path}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v %v, want %q", test.argv, e, err, test.want)
		}
	}
}

// TestHeld: what was hashed is what is started, whatever is put in its place.
func TestHeld(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux starts an open file")
	}
	truth, err := exec.LookPath("true")
	if err != nil {
		t.Skip("no true")
	}
	good, err := os.ReadFile(truth)
	if err != nil {
		t.Fatal(err)
	}
	dir := real(t)
	name := filepath.Join(dir, "server")
	if err := os.WriteFile(name, good, 0o755); err != nil {
		t.Fatal(err)
	}
	e := mustOpen(t, []string{name}, "")
	if err := e.Hash(); err != nil || e.Digest != digest(string(good)) {
		t.Fatal(e.Digest, err)
	}
	if err := os.Rename(name, name+".old"); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"server": "#!/bin/sh\nexit 7\n"})
	path, inherit, held := e.Start(3)
	if !held || len(inherit) != 1 {
		t.Fatal(path, inherit, held)
	}
	cmd := &exec.Cmd{Path: path, Args: []string{name}, ExtraFiles: inherit}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the other file was started: %v %s", err, out)
	}
	if err := e.Unchanged(); !errors.Is(err, ErrChanged) {
		t.Errorf("the swap is not seen: %v", err)
	}
}

func TestUnchanged(t *testing.T) {
	for name, change := range map[string]func(dir string) error{
		"written over": func(dir string) error { return os.WriteFile(dir+"/app.js", []byte("bpp"), 0o644) },
		"replaced":     func(dir string) error { return os.Rename(dir+"/other.js", dir+"/app.js") },
		"removed":      func(dir string) error { return os.Remove(dir + "/app.js") },
		"the program":  func(dir string) error { return os.WriteFile(dir+"/node", []byte("#!/bin/sh\nx"), 0o755) },
		"led elsewhere": func(dir string) error {
			return errors.Join(os.Rename(dir+"/app.js", dir+"/a.js"), os.Symlink("a.js", dir+"/app.js"))
		},
	} {
		dir := write(t, real(t), map[string]string{"node": "#!/bin/sh\n", "app.js": "app", "other.js": "app"})
		e := mustOpen(t, []string{dir + "/node", "app.js"}, dir)
		if path, inherit, held := e.Start(3); held || inherit != nil || path != dir+"/node" {
			t.Error("a script is started by its descriptor:", path, inherit, held)
		}
		if err := e.Unchanged(); err != nil {
			t.Fatal(err)
		}
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		if err := e.Unchanged(); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWeak(t *testing.T) {
	commit := strings.Repeat("0a", 20)
	for _, test := range []struct{ line, want string }{
		{"npx -y @acme/files@1.2.3 /srv", "npx fetches @acme/files@1.2.3 at the start, and dependencies as they are served that day"},
		{"npx -y @acme/files", "npx starts whatever version of @acme/files is served that day"},
		{"npx @acme/files@latest", "npx starts whatever version of @acme/files@latest is served that day"},
		{"npx -p good@1.0.0 -p other good", "npx starts whatever version of other is served that day"},
		{"npx github:acme/files", "npx starts whatever the branch or tag of github:acme/files is that day"},
		{"bunx acme", "bunx starts whatever version of acme is served that day"},
		{"uvx acme-query==2.0.1", "uvx fetches acme-query==2.0.1 at the start, and dependencies as they are served that day"},
		{"uvx --from git+https://g.example/acme/q@main q", "uvx starts whatever the branch or tag of git+https://g.example/acme/q@main is that day"},
		{"uvx --from git+https://g.example/acme/q@" + commit + " q", "uvx fetches git+https://g.example/acme/q@" + commit + " at the start, and dependencies as they are that day"},
		{"pipx run acme", "pipx starts whatever version of acme is served that day"},
		{"docker run -i --rm ghcr.io/acme/x:1.2", "docker starts whatever image ghcr.io/acme/x:1.2 names that day"},
		{"env A=b npx acme", "npx starts whatever version of acme is served that day"},
		{"docker run -i --rm ghcr.io/acme/x@sha256:" + commit + commit[:24], ""},
		{"node server.js", ""},
		{"node node_modules/acme/index.js", ""},
		{"./serve --all", ""},
		{"mcp-remote https://a.example/mcp", ""},
	} {
		why, weak := Weak(strings.Fields(test.line))
		if why != test.want || weak != (test.want != "") {
			t.Errorf("%s: %v %q, want %q", test.line, weak, why, test.want)
		}
	}
	if _, weak := Weak(nil); weak {
		t.Error("no command is weak")
	}
}

func TestClientOf(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"/opt/x/node_modules/@anthropic-ai/claude-code-linux-x64/claude", "claude-code"},
		{"/usr/bin/node --no-warnings /usr/lib/node_modules/@anthropic-ai/claude-code/cli.js", "claude-code"},
		{"/usr/bin/node /usr/local/bin/gemini", "gemini"},
		{"/usr/bin/node /home/a/node_modules/.bin/server", ""},
		{"/opt/codex/codex", "codex"},
		{"/home/a/.vscode-server/cli/servers/x/server/node --type=extensionHost", "vscode"},
		{"/usr/share/code/code --type=utility", "vscode"},
		{"/usr/bin/node-claude /x/@openai/codex/y", ""},
		{`C:\Program\Cursor.exe`, "cursor"},
		{"/usr/bin/python3.11 -m x", ""},
		{"/usr/bin/node", ""},
		{"/opt/zed/zed-editor (deleted)", "zed"},
	} {
		line := strings.Split(test.line, " ")
		if strings.HasSuffix(test.line, "(deleted)") {
			line = []string{test.line}
		}
		if got := clientOf(line); got != test.want {
			t.Errorf("%s: %q, want %q", test.line, got, test.want)
		}
	}
	rows := clientconfig.Clients()
	for _, table := range []map[string]string{programs, packages} {
		for what, name := range table {
			if !slices.Contains(rows, name) {
				t.Errorf("%s is client %q, which no row of clientconfig has", what, name)
			}
		}
	}
}

// TestParent asks in a process of its own: that one's parent is this test,
// started through a shell and through a program that is called like a client.
func TestParent(t *testing.T) {
	if os.Getenv("IDENTITY_PARENT") != "" {
		c, err := Parent()
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("\n" + strings.Join([]string{"caller", c.User, c.Process, c.Client}, "|") + "\n")
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("the parent's executable is read on Linux")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	me, err := Parent()
	if err != nil || me.User == "" || me.UID != os.Getuid() {
		t.Errorf("%+v %v", me, err)
	}
	cmd := exec.Command("sh", "-c", `"$0" -test.run=^TestParent$ -test.v; true`, self)
	cmd.Env = append(os.Environ(), "IDENTITY_PARENT=1")
	out, err := cmd.CombinedOutput()
	if real, _ := filepath.EvalSymlinks(self); err != nil || !strings.Contains(string(out), "caller|"+me.User+"|"+real+"|\n") {
		t.Errorf("%v %s", err, out)
	}
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		e, err := Open([]string{"sh", "-c", "true"}, "", os.Environ())
		if err != nil {
			b.Fatal(err)
		}
		e.Close()
	}
}

func BenchmarkHash(b *testing.B) {
	name := filepath.Join(b.TempDir(), "program")
	if err := os.WriteFile(name, make([]byte, 100<<20), 0o755); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(100 << 20)
	for b.Loop() {
		e, err := Open([]string{name}, "", nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := e.Hash(); err != nil {
			b.Fatal(err)
		}
		e.Close()
	}
}
