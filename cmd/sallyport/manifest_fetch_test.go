package main

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// TestFetch: a manifest in an image, as a layout, an archive or in a registry,
// is fetched, and a scan compares with it.
func TestFetch(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir) // nobody's logins
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(at(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sallyport := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		var out, problems bytes.Buffer
		if code := run(context.Background(), args, strings.NewReader(""), &out, &problems, func(string) string { return "" }); code != want {
			t.Fatalf("%v: exit code %d, want %d\n%s%s", args, code, want, &out, &problems)
		}
		return out.String(), problems.String()
	}
	const tools = `{"serverInfo":{"name":"box"},"tools":[{"name":"lift","description":"Lifts the lid of the box.","inputSchema":{"type":"object"}}]}`
	write("made/box.json", tools)
	sallyport(0, "manifest", "generate", at("made/box.json"), "-o", at("box.manifest.json"))
	statement, err := os.ReadFile(at("box.manifest.json"))
	if err != nil {
		t.Fatal(err)
	}

	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, err := range []error{
		w.WriteHeader(&tar.Header{Name: "app/box.manifest.json", Mode: 0o644, Size: int64(len(statement))}),
		func() error { _, err := w.Write(statement); return err }(), w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	content, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, content)
	if err != nil {
		t.Fatal(err)
	}
	p, err := layout.Write(at("layout"), empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.AppendImage(image); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("registry.example/acme/box:v1")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(at("image.tar"), tag, image); err != nil {
		t.Fatal(err)
	}

	for _, from := range []string{"oci-layout:" + at("layout"), "docker-archive:" + at("image.tar") + ":v1"} {
		stdout, stderr := sallyport(0, "manifest", "fetch", from, "--offline", "-o", at("got.json"))
		if !strings.Contains(stdout, "app/box.manifest.json of image") || !strings.Contains(stderr, "nobody's signature was checked") {
			t.Errorf("%s: %s%s", from, stdout, stderr)
		}
		if got, err := os.ReadFile(at("got.json")); err != nil || !bytes.Equal(got, statement) {
			t.Errorf("%s: %v", from, err)
		}
		// The server has another name here: the only one that shows anything.
		write("repo/now.json", strings.Replace(tools, `"box"`, `"renamed"`, 1))
		sallyport(0, "scan", at("repo"), "--manifest", from, "--only", "changed-text", "--fail-on", "low", "--offline")
		write("repo/now.json", strings.Replace(tools, "the lid of", "everything out of", 1))
		if stdout, _ := sallyport(1, "scan", at("repo"), "--manifest", from, "--only", "changed-text", "--fail-on", "low", "--offline"); !strings.Contains(stdout, `tool "lift"`) {
			t.Error(stdout)
		}
	}
	if _, stderr := sallyport(2, "manifest", "fetch", "registry.example/acme/box:v1", "--offline"); !strings.Contains(stderr, "--offline forbids") {
		t.Error(stderr)
	}
	if _, stderr := sallyport(2, "scan", at("repo"), "--manifest", "oci:registry.example/acme/box:v1", "--offline"); !strings.Contains(stderr, "--offline forbids") {
		t.Error(stderr)
	}
	if _, stderr := sallyport(2, "manifest", "fetch", "oci-layout:"+at("repo")); !strings.Contains(stderr, "neither index.json nor manifest.json") {
		t.Error(stderr)
	}

	// Attached in a registry, signed.
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	defer server.Close()
	where := strings.TrimPrefix(server.URL, "http://") + "/acme/box:v1"
	ref, err := name.ParseReference(where)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	keys(t, dir, "us", "mallory")
	for _, who := range []string{"mallory", "us"} {
		sallyport(0, "manifest", "sign", at("box.manifest.json"), "--key", at(who+".key"), "-o", at(who+".json"))
		sallyport(0, "manifest", "attach", at(who+".json"), "--image", where)
	}
	if _, stderr := sallyport(2, "manifest", "fetch", where); !strings.Contains(stderr, "has 2 manifests") {
		t.Error(stderr)
	}
	sallyport(0, "manifest", "fetch", where, "--key", at("us.pub"), "-o", at("fetched.json"))
	ours, err := os.ReadFile(at("us.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(at("fetched.json")); err != nil || !bytes.Equal(got, ours) {
		t.Error("not ours", err)
	}
	stdout, _ := sallyport(1, "scan", at("repo"), "--manifest", "oci:"+where, "--manifest-key", at("us.pub"), "--only", "changed-text", "--only", "untrusted-manifest", "--fail-on", "low")
	if !strings.Contains(stdout, `tool "lift"`) || strings.Contains(stdout, "untrusted-manifest") && !strings.Contains(stdout, "rules skipped") {
		t.Error(stdout)
	}
}
