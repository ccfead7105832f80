package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-mcp/sallyport/manifest/seal"
)

const served1 = "apiVersion: sallyport/v1\nkind: Registry\nservers:\n- {id: web, match: {url: \"https://mcp.acme.example/v1\"}, status: approved}\n"

// The server answers from the file as it is now, and ends when it is asked to.
func TestServe(t *testing.T) {
	p := newPlace(t)
	p.write("r.yaml", served1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	said, stdout := io.Pipe()
	complaints, stderr := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, []string{"registry", "serve", "--registry", p.at("r.yaml"), "--listen", ":0"}, nil, stdout, stderr, os.Getenv)
		stdout.Close()
		stderr.Close()
		ended <- code
	}()
	lines := make(chan string, 100)
	go func() {
		for s := bufio.NewScanner(complaints); s.Scan(); {
			lines <- s.Text()
		}
		close(lines)
	}()
	first, err := bufio.NewReader(said).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(first), "serving ")
	if err != nil || !ok || !strings.HasPrefix(address, "http://127.0.0.1:") {
		t.Fatalf("%q %v", first, err)
	}
	wants(t, <-lines, "nobody's signature was checked")
	servers := func() string {
		t.Helper()
		response, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != 200 {
			t.Fatal(response.Status, err)
		}
		return string(body)
	}
	wants(t, servers(), `"registry.local/web"`)
	more := served1 + "- {id: more, match: {url: \"https://more.acme.example/v1\"}, status: approved}\n"
	p.write("r.yaml", more)
	wants(t, servers(), `"registry.local/web"`, `"registry.local/more"`)
	wants(t, <-lines, "was read again")
	p.write("r.yaml", "nonsense")
	wants(t, servers(), `"registry.local/more"`)
	wants(t, <-lines, "the last good one is served on")
	p.write("r.yaml", strings.Replace(more, "approved", "denied", 1))
	if body := servers(); strings.Contains(body, "/web") {
		t.Error("what is denied is served")
	}
	wants(t, <-lines, "was read again")
	cancel()
	if code := <-ended; code != exitClean {
		t.Errorf("ended with %d", code)
	}
}

func TestServeFiles(t *testing.T) {
	p := newPlace(t)
	p.write("r.yaml", served1)
	out := p.at("site")
	stdout, _ := p.run(0, "serve", "--registry", p.at("r.yaml"), "-o", out)
	wants(t, stdout, "files below")
	wants(t, p.read("site/v0.1/servers/registry.local/web/versions/latest"), "mcp.acme.example")
	wants(t, p.read("site/v0.1/servers/index.json"), `"count":1`)
	p.write("r.yaml", strings.Replace(served1, "approved", "denied", 1))
	p.run(0, "serve", "--registry", p.at("r.yaml"), "-o", out)
	if _, err := os.Stat(filepath.Join(out, "v0.1/servers/registry.local")); err == nil {
		t.Error("what is denied stayed")
	}
	wants(t, p.read("site/v0.1/servers/index.json"), `"servers":[]`)
	left, err := filepath.Glob(p.at(".sallyport-*"))
	if err != nil || len(left) > 0 {
		t.Error(left, err)
	}
	if err := os.Mkdir(p.at("mine"), 0o755); err != nil {
		t.Fatal(err)
	}
	p.write("mine/precious", "")
	_, stderr := p.run(2, "serve", "--registry", p.at("r.yaml"), "-o", p.at("mine"))
	wants(t, stderr, "holds something else")
	p.read("mine/precious")
	p.run(2, "serve", "--registry", p.at("r.yaml"))
	p.run(2, "serve", "--registry", p.at("r.yaml"), "--listen", "8642")
	p.run(2, "serve", "--registry", p.at("nowhere.yaml"), "--listen", ":0")
	p.run(2, "serve", "--registry", p.at("r.yaml"), "--listen", ":0", "-o", out)
	p.run(2, "serve", "--registry", p.at("r.yaml"), "--listen", ":0", "--as", "unit=nobody")
}

// With a policy only what verifies is served: at the start, after a change of
// the file alone, after a change of both, and not after the signature's end.
func TestServeSigned(t *testing.T) {
	p := newPlace(t)
	dir := filepath.Dir(p.at("r.yaml"))
	keys(t, dir, "us", "mallory")
	p.write("r.yaml", served1)
	sign := func(who, serial string, more ...string) {
		t.Helper()
		p.run(0, append([]string{"sign", p.at("r.yaml"), "--key", p.at(who + ".key"), "--serial", serial, "-o", p.at("r.sigstore.json")}, more...)...)
	}
	files := func(code int, more ...string) string {
		t.Helper()
		_, stderr := p.run(code, append([]string{"serve", "--registry", p.at("r.yaml"), "-o", p.at("site")}, more...)...)
		return stderr
	}
	policy := []string{"--bundle", p.at("r.sigstore.json"), "--key", p.at("us.pub")}
	wants(t, files(0), "nobody's signature was checked")
	wants(t, files(2, "--key", p.at("us.pub")), "needed together")
	wants(t, files(2, policy...), "cannot read")
	sign("mallory", "1")
	wants(t, files(1, policy...), "is refused: signature")
	sign("us", "2")
	if stderr := files(0, policy...); strings.Contains(stderr, "nobody") {
		t.Error(stderr)
	}
	wants(t, files(1, append(policy, "--min-serial", "3")...), "is refused: rollback")

	verifier := served{program: &program{stderr: io.Discard, stdin: strings.NewReader("")}, name: p.at("r.yaml"), bundle: p.at("r.sigstore.json")}
	key, err := os.ReadFile(p.at("us.pub"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := seal.LoadPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if verifier.verifier, err = seal.NewVerifier(seal.Policy{Key: public}); err != nil {
		t.Fatal(err)
	}
	if err := verifier.read(today()); err != nil {
		t.Fatal(err)
	}
	count := func() int {
		return strings.Count(string(verifier.current().Files()["v0.1/servers/index.json"]), `"version":`)
	}
	one := count()
	if one == 0 {
		t.Fatal("nothing is served")
	}
	p.write("r.yaml", served1+"- {id: more, match: {url: \"https://more.acme.example/v1\"}, status: approved}\n")
	if count() != one {
		t.Error("what nobody signed is served")
	}
	sign("us", "3")
	if count() != 2*one {
		t.Error("what is signed anew is not served")
	}
	sign("us", "2")
	if count() != 2*one || verifier.serial != 3 {
		t.Error("an older serial is taken")
	}
	verifier.expires = time.Now().Add(-time.Second)
	if count() != 0 {
		t.Error("the end of the signature is none")
	}
	sign("us", "4")
	if count() != 2*one {
		t.Error("a new signature does not help")
	}
}
