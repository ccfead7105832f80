package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-mcp/sallyport/manifest/seal"
)

// place is a directory in which commands are run without a process.
type place struct {
	*testing.T
	dir string
	env map[string]string
}

func newPlace(t *testing.T) place {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir) // nobody's logins
	return place{t, dir, map[string]string{}}
}

func (p place) at(name string) string { return filepath.Join(p.dir, name) }

func (p place) write(name, content string) {
	p.Helper()
	if err := os.WriteFile(p.at(name), []byte(content), 0o600); err != nil {
		p.Fatal(err)
	}
}

func (p place) read(name string) string {
	p.Helper()
	b, err := os.ReadFile(p.at(name))
	if err != nil {
		p.Fatal(err)
	}
	return string(b)
}

// key writes NAME.key and NAME.pub: of Ed25519 when the name begins so, else
// of ECDSA.
func (p place) key(name string) {
	p.Helper()
	var private, public any
	var err error
	if strings.HasPrefix(name, "ed25519") {
		public, private, err = ed25519.GenerateKey(rand.Reader)
	} else {
		var key *ecdsa.PrivateKey
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err == nil {
			private, public = key, key.Public()
		}
	}
	if err != nil {
		p.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		p.Fatal(err)
	}
	open, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		p.Fatal(err)
	}
	p.write(name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	p.write(name+".pub", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: open})))
}

// run runs a command of registry and wants its exit code.
func (p place) run(want int, args ...string) (stdout, stderr string) {
	p.Helper()
	var out, problems bytes.Buffer
	if code := run(context.Background(), append([]string{"registry"}, args...), strings.NewReader(""), &out, &problems, func(name string) string { return p.env[name] }); code != want {
		p.Fatalf("%v: exit code %d, want %d\n%s%s", args, code, want, &out, &problems)
	}
	return out.String(), problems.String()
}

// wants fails unless every part is in a text.
func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

// An expired signature is refused: sign itself writes none.
func TestExpiredRegistry(t *testing.T) {
	p := newPlace(t)
	p.key("us")
	p.write("r.yaml", "apiVersion: sallyport/v1\nkind: Registry\n")
	key, err := seal.LoadKey([]byte(p.read("us.key")), "")
	if err != nil {
		t.Fatal(err)
	}
	then := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	statement, err := seal.RegistryStatement("r.yaml", []byte(p.read("r.yaml")), 3, then, then.AddDate(0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := seal.Sign(t.Context(), statement, seal.RegistryType, seal.Signer{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	p.write("b.json", string(bundle))
	_, stderr := p.run(1, "verify", p.at("r.yaml"), "--bundle", p.at("b.json"), "--key", p.at("us.pub"))
	wants(t, stderr, "refused: expired: it expired at 2026-01-03T03:04:05Z", "hint: ")
}
