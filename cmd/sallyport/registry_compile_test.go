package main

import (
	"os"
	"testing"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
)

func TestCompile(t *testing.T) {
	p := newPlace(t)
	p.key("us")
	p.key("mallory")
	p.key("ed25519-local")
	p.write("r.yaml", served1)
	p.run(0, "sign", p.at("r.yaml"), "--key", p.at("us.key"), "-o", p.at("b.json"), "--serial", "9", "--expires", "2999-12-31")
	args := func(more ...string) []string {
		return append([]string{"compile", p.at("r.yaml"), "-o", p.at("out.json")}, more...)
	}
	stdout, stderr := p.run(0, args("--bundle", p.at("b.json"), "--key", p.at("us.pub"), "--sign-key", p.at("ed25519-local.key"))...)
	wants(t, stdout, "compiled 1 servers of sha256:", "serial 9, signed by sha256:")
	if stderr != "" {
		t.Error(stderr)
	}
	key, err := registry.ParseKey([]byte(p.read("ed25519-local.pub")))
	if err != nil {
		t.Fatal(err)
	}
	r, from, err := registry.LoadCompiled(&analyzers.Source{Path: "out.json", Bytes: []byte(p.read("out.json"))},
		registry.Trust{Key: key, MinSerial: 9, Now: time.Now().UTC().Format(time.RFC3339)})
	if err != nil || from.Serial != 9 || from.SignedBy == "" || from.Expires != "3000-01-01T00:00:00Z" || len(r.Doc.Servers) != 1 {
		t.Fatalf("%+v %v", from, err)
	}

	// Unsigned is said, twice: the source and the result.
	stdout, stderr = p.run(0, args()...)
	wants(t, stdout, "serial 0, unsigned")
	wants(t, stderr, "nobody's signature was checked", "the compiled form is not signed")

	// Refused: nothing is written.
	if err := os.Remove(p.at("out.json")); err != nil {
		t.Fatal(err)
	}
	_, stderr = p.run(1, args("--bundle", p.at("b.json"), "--key", p.at("mallory.pub"))...)
	wants(t, stderr, "refused: signature")
	_, stderr = p.run(1, args("--bundle", p.at("b.json"), "--key", p.at("us.pub"), "--min-serial", "10")...)
	wants(t, stderr, "refused: rollback")
	_, stderr = p.run(2, args("--key", p.at("us.pub"))...)
	wants(t, stderr, "needed together")
	p.run(2, args("--bundle", p.at("b.json"))...)
	p.run(2, args("--min-serial", "3")...)
	_, stderr = p.run(2, args("--sign-key", p.at("us.key"))...)
	wants(t, stderr, "signed with an Ed25519 key")
	p.run(2, "compile", p.at("r.yaml"))
	p.run(2, "compile", "-o", p.at("out.json"))
	p.write("r.yaml", served1+"# changed\n")
	_, stderr = p.run(1, args("--bundle", p.at("b.json"), "--key", p.at("us.pub"))...)
	wants(t, stderr, "refused: subject")
	if _, err := os.Stat(p.at("out.json")); err == nil {
		t.Error("what was refused was written")
	}
}
