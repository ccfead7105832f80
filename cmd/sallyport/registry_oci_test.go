package main

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	ociregistry "github.com/google/go-containerregistry/pkg/registry"
)

func TestPushPull(t *testing.T) {
	server := httptest.NewServer(ociregistry.New(ociregistry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	ref := strings.TrimPrefix(server.URL, "http://") + "/acme/registry:v1"
	p := newPlace(t)
	p.key("us")
	p.key("mallory")
	p.write("r.yaml", "apiVersion: sallyport/v1\nkind: Registry\nservers: []\n")
	p.run(0, "sign", p.at("r.yaml"), "--key", p.at("us.key"), "-o", p.at("b.json"), "--serial", "4")
	trust := []string{"--key", p.at("us.pub")}

	_, stderr := p.run(2, append([]string{"pull", ref, "-o", p.at("in")}, trust...)...)
	wants(t, stderr, "nothing was pulled from", "hint: sallyport registry push")
	_, stderr = p.run(0, "push", p.at("r.yaml"), "--to", ref)
	wants(t, stderr, "without a signature")
	_, stderr = p.run(1, append([]string{"pull", ref, "-o", p.at("in")}, trust...)...)
	wants(t, stderr, "is refused: malformed: it is not signed")

	stdout, stderr := p.run(0, "push", p.at("r.yaml"), p.at("b.json"), "--to", ref)
	digest := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(stdout)
	if stderr != "" || digest == "" {
		t.Fatalf("%s%s", stdout, stderr)
	}
	_, stderr = p.run(1, "pull", ref, "-o", p.at("in"), "--key", p.at("mallory.pub"))
	wants(t, stderr, "refused: signature")
	_, stderr = p.run(1, append([]string{"pull", ref, "-o", p.at("in"), "--min-serial", "5"}, trust...)...)
	wants(t, stderr, "refused: rollback")
	if _, err := os.Stat(p.at("in")); err == nil {
		t.Error("what was refused was written")
	}
	pinned, _, _ := strings.Cut(ref, ":v1")
	stdout, stderr = p.run(0, append([]string{"pull", pinned + "@" + digest, "-o", p.at("in")}, trust...)...)
	wants(t, stdout, "pulled "+digest)
	if stderr != "" || p.read("in/sallyport.registry.yaml") != p.read("r.yaml") || p.read("in/sallyport.registry.sigstore.json") != p.read("b.json") {
		t.Errorf("something else came back: %s", stderr)
	}
	p.run(0, "verify", p.at("in/sallyport.registry.yaml"), "--bundle", p.at("in/sallyport.registry.sigstore.json"), "--key", p.at("us.pub"))
	_, stderr = p.run(0, "pull", ref, "-o", p.at("unchecked"))
	wants(t, stderr, "nobody's signature was checked")

	// An unsigned one does not come beside an old signature.
	p.run(0, "push", p.at("r.yaml"), "--to", ref)
	_, stderr = p.run(2, "pull", ref, "-o", p.at("in"))
	wants(t, stderr, "belongs to an older registry")

	// Wrong use.
	_, stderr = p.run(2, "push", p.at("r.yaml"), p.at("b.json"), "--to", pinned+"@"+digest)
	wants(t, stderr, "a digest cannot be pushed to")
	p.write("other.yaml", "apiVersion: sallyport/v1\nkind: Registry\n")
	_, stderr = p.run(2, "push", p.at("other.yaml"), p.at("b.json"), "--to", ref)
	wants(t, stderr, "about another document", "hint: sallyport registry sign")
	p.run(2, "push", p.at("r.yaml"))
	p.run(2, "push", p.at("b.json"), "--to", ref)
	p.run(2, "pull", ref)
	p.run(2, "pull", "-o", p.at("in"))
	p.run(2, "pull", ref, "-o", p.at("in"), "--identity", "me")
	_, stderr = p.run(2, "push", p.at("r.yaml"), "--to", "A B")
	wants(t, stderr, "no reference")
}
