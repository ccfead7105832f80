package origin

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.invalid"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", args, err, out)
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Git's rules hold for what git does not track, and for nothing else.
func TestIgnored(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	write(t, dir, map[string]string{
		".gitignore":             "*.log\n/build/\nhidden/\n!keep.log\n# comment\nsecret.json\n",
		"sub/.gitignore":         "local.json\n",
		"hidden/tracked.json":    "{}",
		"hidden/deep/other.json": "{}",
		"secret.json":            "{}",
		"sub/local.json":         "{}",
		"build/out.json":         "{}",
	})
	git(t, dir, "add", "-f", ".gitignore", "hidden/tracked.json", "secret.json")
	target, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	for name, want := range map[string]bool{
		"a.log": true, "keep.log": false, "sub/b.log": true, "sub/local.json": true, "local.json": false,
		"build": true, "sub/build": false,
		"secret.json": false, "hidden": false, "hidden/tracked.json": false, // tracked in spite of the rule
		"hidden/deep": true,
	} {
		dir := name == "build" || name == "hidden" || name == "hidden/deep" || name == "sub/build"
		if got := target.Tree.Skip(name, dir); got != want {
			t.Errorf("%s is ignored: %v, want %v", name, got, want)
		}
	}
}

// Without a readable index an ignore file hides nothing.
func TestIgnoreFileAlone(t *testing.T) {
	for name, index := range map[string]string{"none": "", "garbage": "DIRC\x00\x00\x00\x09nonsense"} {
		dir := t.TempDir()
		write(t, dir, map[string]string{".gitignore": "*", ".mcp.json": "{}"})
		if index != "" {
			write(t, dir, map[string]string{".git/index": index})
		}
		target, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer target.Close()
		if target.Tree.Skip != nil {
			t.Errorf("index %s: the ignore file is believed", name)
		}
	}
}

func TestConfined(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	write(t, outside, map[string]string{"x": "secret"})
	write(t, dir, map[string]string{"inside": "ok"})
	for link, to := range map[string]string{"absolute": filepath.Join(outside, "x"), "relative": "../../../../../../../../etc/hosts", "ok": "inside"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	target, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	for name, want := range map[string]bool{"absolute": false, "relative": false, "../" + filepath.Base(outside) + "/x": false, "ok": true, "inside": true} {
		f, err := target.Tree.FS.Open(name)
		if (err == nil) != want {
			t.Errorf("open %s: %v", name, err)
		}
		if err == nil {
			f.Close()
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	for target, hint := range map[string]string{
		filepath.Join(dir, "none"): "name a directory",
		"npm:acme@1.0.0":           "unpack the artefact",
		"a\x1b[31m":                "name a directory",
	} {
		_, err := Open(target)
		var wrong *UsageError
		if !errors.As(err, &wrong) || !strings.Contains(wrong.Hint, hint) || strings.Contains(wrong.Problem, "\x1b") {
			t.Errorf("%q: %v", target, err)
		}
	}
	if got := reason(&fs.PathError{Op: "open", Path: "p", Err: fs.ErrPermission}); got != fs.ErrPermission {
		t.Error(got)
	}
}

// FuzzIndex: no index makes the scan fail, and what cannot be read hides
// nothing.
func FuzzIndex(f *testing.F) {
	dir := f.TempDir()
	if out, err := exec.Command("sh", "-c", "cd "+dir+" && git init -q && touch a && git add a && cat .git/index").Output(); err == nil {
		f.Add(out)
	}
	f.Add([]byte("DIRC\x00\x00\x00\x02\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, index []byte) {
		dir := t.TempDir()
		write(t, dir, map[string]string{".git/index": string(index), ".gitignore": "*"})
		target, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer target.Close()
		if target.Tree.Skip != nil {
			target.Tree.Skip("x/y", false)
		}
	})
}
