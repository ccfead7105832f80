package identity

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// tarball is a package's archive as npm's registry serves it.
func tarball(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: "package/" + name, Size: int64(len(content)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// npx lays a package out as npx does, and returns the cache and the integrity.
func npx(t testing.TB, archived bool, files map[string]string) (cache, integrity string) {
	t.Helper()
	cache = real(t)
	archive := tarball(t, files)
	sum := sha512.Sum512(archive)
	integrity = "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	digits := hex.EncodeToString(sum[:])
	if archived {
		write(t, cache, map[string]string{"_cacache/content-v2/sha512/" + digits[:2] + "/" + digits[2:4] + "/" + digits[4:]: string(archive)})
	}
	tree := "_npx/0a/node_modules/"
	for name, content := range files {
		write(t, cache, map[string]string{tree + "@acme/files/" + name: content})
	}
	write(t, cache, map[string]string{
		tree + ".package-lock.json": `{"packages":{
			"node_modules/@acme/files":{"version":"1.2.3","integrity":"` + integrity + `"},
			"node_modules/alias":{"name":"evil","version":"6.6.6","integrity":"` + integrity + `"},
			"node_modules/bare":{"version":"1.0.0"}}}`,
		tree + "alias/index.js":    "evil",
		tree + "bare/index.js":     "bare",
		tree + "unlisted/index.js": "unlisted",
	})
	if err := os.MkdirAll(filepath.Join(cache, tree, ".bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../@acme/files/dist/index.js", filepath.Join(cache, tree, ".bin", "files")); err != nil {
		t.Fatal(err)
	}
	return cache, integrity
}

var content = map[string]string{"bin.js": "#!/usr/bin/env node\r\nx\r\n", "package.json": `{"name":"@acme/files"}`, "dist/index.js": "#!/bin/sh\nread line\n", "dist/lib.js": "lib", ".gitignore": "x"}

func TestNPM(t *testing.T) {
	cache, integrity := npx(t, true, content)
	tree := cache + "/_npx/0a/node_modules/"
	write(t, tree, map[string]string{"@acme/files/bin.js": "#!/usr/bin/env node\nx\r\n"}) // as npm writes it
	want := Package{PURL: "pkg:npm/%40acme/files@1.2.3", Version: "1.2.3", Integrity: integrity, Path: tree + "@acme/files", Basis: Files}
	for _, file := range []string{tree + ".bin/files", "dist/lib.js", tree + "@acme/files/dist/index.js"} {
		if p, err := npmPackage(file, tree+"@acme/files"); err != nil || p == nil || *p != want {
			t.Errorf("%s: %+v %v", file, p, err)
		}
	}
	if p, err := npmPackage(tree+"alias/index.js", ""); p == nil || p.PURL != "pkg:npm/evil@6.6.6" || !errors.Is(err, ErrAltered) {
		t.Errorf("an alias with another's integrity: %+v %v", p, err)
	}
	if p, err := npmPackage(tree+"bare/index.js", ""); err != nil || p.Integrity != "" || p.Basis != Installer {
		t.Errorf("%+v %v", p, err)
	}
	if p, err := npmPackage(tree+"unlisted/index.js", ""); p != nil || !errors.Is(err, ErrAltered) {
		t.Errorf("a package that the lockfile does not have: %+v %v", p, err)
	}
	for _, file := range []string{"/bin/sh", tree + ".package-lock.json", cache + "/nothing", ""} {
		if p, err := npmPackage(file, "/"); p != nil || err != nil {
			t.Errorf("%s: %+v %v", file, p, err)
		}
	}
	// Without the archive the lockfile's word stands; with it, every byte counts.
	alone, _ := npx(t, false, content)
	if p, err := npmPackage(alone+"/_npx/0a/node_modules/.bin/files", ""); err != nil || p.Basis != Installer || p.Integrity != integrity && p.Integrity == "" {
		t.Errorf("%+v %v", p, err)
	}
	for name, edit := range map[string]func() error{
		"edited":  func() error { return os.WriteFile(tree+"@acme/files/dist/lib.js", []byte("lib2"), 0o644) },
		"removed": func() error { return os.Remove(tree + "@acme/files/dist/lib.js") },
		"led out": func() error { return os.Symlink("/etc/passwd", tree+"@acme/files/dist/lib.js") },
	} {
		cache, _ := npx(t, true, content)
		tree = cache + "/_npx/0a/node_modules/"
		if name == "led out" {
			os.Remove(tree + "@acme/files/dist/lib.js")
		}
		if err := edit(); err != nil {
			t.Fatal(err)
		}
		if p, err := npmPackage(tree+".bin/files", ""); p == nil || !errors.Is(err, ErrAltered) || !strings.Contains(err.Error(), "dist/lib.js differs") {
			t.Errorf("%s: %+v %v", name, p, err)
		}
	}
}

func recordLine(name, content string) string {
	sum := sha256.Sum256([]byte(content))
	return fmt.Sprintf("%s,sha256=%s,%d\n", name, base64.RawURLEncoding.EncodeToString(sum[:]), len(content))
}

// uv lays a distribution out as uvx does.
func uv(t testing.TB, digest string) (cache string) {
	t.Helper()
	cache = real(t)
	info := "acme_query-2.0.1.dist-info/"
	module, script := "print(1)\n", "#!/bin/sh\n'''exec' python \"$0\"\n"
	fromWheel := recordLine("acme_query/__init__.py", module) + recordLine(info+"METADATA", "Name: acme-query\n")
	site := "archive-v0/EnvEnvEnvEnvEnv1/lib/python3.11/site-packages/"
	write(t, cache, map[string]string{
		"archive-v0/EnvEnvEnvEnvEnv1/pyvenv.cfg":            "uv = 0\n",
		"archive-v0/EnvEnvEnvEnvEnv1/bin/query":             script,
		site + "acme_query/__init__.py":                     module,
		site + info + "METADATA":                            "Name: acme-query\n",
		site + info + "RECORD":                              recordLine("../../../bin/query", script) + fromWheel + info + "RECORD,,\n",
		"archive-v0/WheelWheelWheel1/" + info + "RECORD":    fromWheel + info + "RECORD,,\n",
		"archive-v0/OtherOtherOther1/" + info + "RECORD":    recordLine("acme_query/__init__.py", "print(2)\n"),
		"wheels-v8/pypi/acme-query/2.0.1-py2-none-any.http": "\x95\xb0OtherOtherOther1\x91\x81\xa6Sha256\xd9\x40" + strings.Repeat("0", 64) + "\xd9\x21x.whl\x00",
		"wheels-v8/pypi/acme-query/2.0.1-py3-none-any.http": "\x95\xb0WheelWheelWheel1\x91\x81\xa6Sha256\xd9\x40" + digest + "\xd9\x21x.whl\x00",
	})
	return cache
}

func TestPython(t *testing.T) {
	digest := strings.Repeat("ab", 32)
	cache := uv(t, digest)
	env := cache + "/archive-v0/EnvEnvEnvEnvEnv1"
	info := env + "/lib/python3.11/site-packages/acme_query-2.0.1.dist-info"
	want := Package{PURL: "pkg:pypi/acme-query@2.0.1", Version: "2.0.1", Integrity: "sha256:" + digest, Path: info, Basis: Files}
	for _, file := range []string{env + "/bin/query", "lib/python3.11/site-packages/acme_query/__init__.py"} {
		if p, err := pythonPackage(file, env); err != nil || p == nil || *p != want {
			t.Errorf("%s: %+v %v", file, p, err)
		}
	}
	if p, err := pythonPackage("/bin/sh", ""); p != nil || err != nil {
		t.Error(p, err)
	}
	write(t, env, map[string]string{"bin/query": "#!/bin/sh\nevil\n"})
	if _, err := pythonPackage(env+"/bin/query", ""); !errors.Is(err, ErrAltered) {
		t.Error(err)
	}
	// A RECORD that fits an edited module is no longer the wheel's.
	cache = uv(t, digest)
	env = cache + "/archive-v0/EnvEnvEnvEnvEnv1"
	site := env + "/lib/python3.11/site-packages/"
	script, _ := os.ReadFile(env + "/bin/query")
	write(t, site, map[string]string{"acme_query/__init__.py": "evil\n", "acme_query-2.0.1.dist-info/RECORD": recordLine("../../../bin/query", string(script)) + recordLine("acme_query/__init__.py", "evil\n")})
	if p, err := pythonPackage(env+"/bin/query", ""); err != nil || p.Integrity != "" || p.Basis != Files {
		t.Errorf("%+v %v", p, err)
	}
}

// TestResolved walks real processes: a shell in the part of the launcher's,
// below it the package's script.
func TestResolved(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are read on Linux")
	}
	cache, integrity := npx(t, true, content)
	tree := cache + "/_npx/0a/node_modules/"
	start := func(line string) (int, func()) {
		t.Helper()
		cmd := exec.Command("sh", "-c", "echo up; "+line+"; true")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		return cmd.Process.Pid, func() { in.Close(); _ = cmd.Wait() }
	}
	resolved := func(pid int, want ...string) (found []Package, err error) {
		for range 1000 { // the shell answers before what it starts is there
			if found, err = Resolved(pid, want); !errors.Is(err, ErrUnresolved) || !strings.Contains(err.Error(), "nothing yet") && !strings.Contains(err.Error(), "runs no file") {
				break
			}
		}
		return found, err
	}
	pid, stop := start("sh " + tree + ".bin/files")
	defer stop()
	found, err := resolved(pid, "sha256:"+strings.Repeat("0", 64), integrity)
	if err != nil || len(found) != 1 || found[0].PURL != "pkg:npm/%40acme/files@1.2.3" || found[0].Basis != Files {
		t.Fatalf("%+v %v", found, err)
	}
	if found, err := Resolved(pid, nil); err != nil || len(found) != 1 {
		t.Errorf("%+v %v", found, err)
	}
	other := "sha512-" + strings.Repeat("A", 86) + "=="
	if found, err := Resolved(pid, []string{other}); !errors.Is(err, ErrOther) || len(found) != 1 || !strings.Contains(err.Error(), integrity) {
		t.Errorf("%+v %v", found, err)
	}
	// One beside it that is no package.
	script := write(t, real(t), map[string]string{"own.sh": "read line\n"}) + "/own.sh"
	both, stop := start("exec 3<&0; sh " + script + " <&3 & sh " + tree + ".bin/files; wait")
	defer stop()
	for range 1000 {
		if _, err = Resolved(both, []string{integrity}); errors.Is(err, ErrUnresolved) && strings.Contains(err.Error(), "own.sh is in no installed package") {
			break
		}
	}
	if err == nil {
		t.Error("a process that is no package goes unseen")
	}
	if _, err := Resolved(1<<30, nil); !errors.Is(err, ErrUnresolved) {
		t.Error(err)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte("a.py,sha256=abc,1\n\"a,b\",,\n"))
	f.Add([]byte("a,md5=x,1\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		files, err := record(content)
		if err == nil && len(files) > bytes.Count(content, []byte("\n"))+bytes.Count(content, []byte("\r"))+1 {
			t.Fatal("more files than lines")
		}
	})
}

func FuzzPointer(f *testing.F) {
	f.Add([]byte("\x95\xb0WheelWheelWheel1\x91\x81\xa6Sha256\xd9\x40" + strings.Repeat("ab", 32)))
	f.Add([]byte("\x95\xbf"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if dir, digest := pointer(content); (dir != "" || digest != "") && (len(digest) != 64 || len(dir) > 31) {
			t.Fatal(dir, digest)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add(tarball(f, map[string]string{"a": "b", "../c": "d"}))
	f.Fuzz(func(t *testing.T, archive []byte) {
		files, err := unpack(bytes.NewReader(archive))
		for name := range files {
			if err == nil && (strings.HasPrefix(name, "/") || strings.HasPrefix(name, "..")) {
				t.Fatalf("%q", name)
			}
		}
	})
}
