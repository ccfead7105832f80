package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// makeKeypair writes NAME.key and NAME.pub: keypair NAME [PASSWORD]. No private
// key is in the repository.
func makeKeypair(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: keypair NAME [PASSWORD]")
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	var key crypto.Signer = p256
	if strings.HasPrefix(args[0], "ed25519-") {
		_, key, err = ed25519.GenerateKey(rand.Reader)
		ts.Check(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	kind := "PRIVATE KEY"
	if len(args) > 1 {
		kind = string(cryptoutils.EncryptedSigstorePrivateKeyPEMType)
		private, err = cryptoutils.MarshalPrivateKeyToEncryptedDER(key, func(bool) ([]byte, error) { return []byte(args[1]), nil })
	}
	ts.Check(err)
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".key"), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: private}), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".pub"), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o644))
}

// TestAttached: of the manifests beside an image the newest counts that
// verifies and names the image.
func TestAttached(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	defer server.Close()
	image := strings.TrimPrefix(server.URL, "http://") + "/acme/server:v1"
	ref, err := name.ParseReference(image)
	if err != nil {
		t.Fatal(err)
	}
	content, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, content); err != nil {
		t.Fatal(err)
	}
	digest, err := content.Digest()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir) // nobody's logins
	at := func(file string) string { return filepath.Join(dir, file) }
	write := func(file string, content []byte) {
		t.Helper()
		if err := os.WriteFile(at(file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keys(t, dir, "us", "mallory")
	sallyport := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		var out, problems bytes.Buffer
		if code := run(context.Background(), append([]string{"manifest"}, args...), strings.NewReader(""), &out, &problems, func(string) string { return "" }); code != want {
			t.Fatalf("%v: exit code %d, want %d\n%s%s", args, code, want, &out, &problems)
		}
		return out.String(), problems.String()
	}
	attach := func(who string, serial int, digest string) (stderr string) {
		t.Helper()
		write("m.json", fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"server","digest":{"sha256":%q}}],"predicateType":"https://sallyport.dev/manifest/v1","predicate":{"serial":%d,"issued":"2026-01-02T03:04:05Z"}}`, digest, serial))
		sallyport(0, "sign", at("m.json"), "--key", at(who+".key"), "-o", at("b.json"))
		_, stderr = sallyport(0, "attach", at("b.json"), "--image", image)
		return stderr
	}
	verify := []string{"verify", "--image", image, "--key", at("us.pub")}

	if _, stderr := sallyport(1, verify...); !strings.Contains(stderr, "no manifest is attached") || !strings.Contains(stderr, "manifest attach BUNDLE --image") {
		t.Errorf("nothing is attached: %s", stderr)
	}
	for serial, who := range map[int]string{3: "us", 9: "us", 7: "us", 12: "mallory"} {
		if stderr := attach(who, serial, digest.Hex); stderr != "" {
			t.Error(stderr)
		}
	}
	other := strings.Repeat("0", 64)
	if stderr := attach("us", 15, other); !strings.Contains(stderr, "does not name the image's digest") {
		t.Errorf("about another image: %q", stderr)
	}
	if stdout, _ := sallyport(0, verify...); !strings.Contains(stdout, "serial   9,") || !strings.Contains(stdout, image+"@"+digest.String()) {
		t.Errorf("not the newest of ours:\n%s", stdout)
	}
	if stdout, _ := sallyport(0, append(verify, "--subject", "sha256:"+other)...); !strings.Contains(stdout, "serial   15,") {
		t.Errorf("not the one about something else:\n%s", stdout)
	}
	if _, stderr := sallyport(1, append(verify, "--min-serial", "10")...); !strings.Contains(stderr, "refused: ") {
		t.Error(stderr)
	}
}

// keys writes NAME.key and NAME.pub.
func keys(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, who := range names {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		public, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		for name, block := range map[string]*pem.Block{".key": {Type: "PRIVATE KEY", Bytes: private}, ".pub": {Type: "PUBLIC KEY", Bytes: public}} {
			if err := os.WriteFile(filepath.Join(dir, who+name), pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
