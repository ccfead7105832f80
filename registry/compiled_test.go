package registry

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

const now = today + "T12:00:00Z"

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func compiled(t testing.TB, r *Registry, key ed25519.PrivateKey) []byte {
	t.Helper()
	b, err := r.Encode(Provenance{Source: sumOf(r.Doc.Source.Bytes)}, key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustLoadCompiled(t testing.TB, b []byte, trust Trust) *Registry {
	t.Helper()
	r, _, err := LoadCompiled(&analyzers.Source{Path: "r.json", Bytes: b}, trust)
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return r
}

// pools are what random documents and servers are drawn from: small, so that
// they meet.
var (
	poolArgv   = []string{"npx -y acme@1.0.0", "npx -y acme@1.1.0", "npx acme", "uvx tool@2.0", "docker run -i ghcr.io/acme/x@sha256:" + strings.Repeat("0", 64), "./run.sh --all", "node server.js", "sh -c ls", "mcp-remote https://mcp.acme.example/v1"}
	poolPURL   = []string{"pkg:npm/acme@1.0.0", "pkg:npm/acme@1.1.0", "pkg:pypi/tool@2.0"}
	poolAny    = []string{"pkg:npm/acme", "pkg:pypi/tool"}
	poolURL    = []string{"https://mcp.acme.example/v1", "https://mcp.acme.example/*", "https://other.example/x"}
	poolImage  = []string{"ghcr.io/acme/x@sha256:" + strings.Repeat("0", 64), "ghcr.io/acme/x@sha256:" + strings.Repeat("1", 64)}
	poolDigest = []string{"sha256:" + strings.Repeat("a", 64), "sha256:" + strings.Repeat("b", 64)}
	poolWho    = []Who{{}, {Unit: "acme"}, {Unit: "cards"}, {Unit: "labs"}, {Project: "billing"}, {Project: "billing", Environment: "prod", Roles: []string{"lead"}}, {Unit: "payments", Environment: "dev", Roles: []string{"intern", "lead"}, Client: "cursor"}}
	poolEnv    = []string{"PATH", "NODE_OPTIONS"}
	poolTools  = []string{"", "read", "write", "drop"}
)

func randomRegistry(r *mathrand.Rand) []byte {
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	maybe := func(n int) bool { return r.IntN(n) == 0 }
	some := func(list []string) string {
		var out []string
		for _, s := range list {
			if maybe(2) {
				out = append(out, s)
			}
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	var b strings.Builder
	b.WriteString("apiVersion: sallyport/v1\nkind: Registry\nname: \"N \\u2028 <&> \\\"\"\n" + organisation + "servers:\n")
	for i := range 1 + r.IntN(8) {
		status := pick([]string{"approved", "approved", "denied", "quarantined"})
		fmt.Fprintf(&b, "- id: %s\n  status: %s\n  match:\n", pick([]string{"acme", "tool", "s"})+fmt.Sprint("-", i), status)
		if what := r.IntN(5); what == 0 {
			quoted, _ := json.Marshal(strings.Fields(pick(poolArgv)))
			fmt.Fprintf(&b, "    argv: %s\n", quoted)
			if maybe(2) {
				fmt.Fprintf(&b, "    env: %s\n", some(poolEnv))
			}
			if maybe(3) {
				fmt.Fprintf(&b, "    %s: %s\n", pick([]string{"fileSha256", "scriptSha256"}), pick(poolDigest)[7:])
			}
			if maybe(3) && status != "denied" {
				fmt.Fprintf(&b, "    integrity: [%s, %q]\n", pick(poolDigest), "sha512-"+strings.Repeat("A+/", 28)+"AA==")
			}
		} else if what == 1 {
			list := poolPURL
			if status != "approved" {
				list = append(poolAny, poolPURL...)
			}
			fmt.Fprintf(&b, "    purl: %q\n", pick(list))
		} else if what == 2 {
			fmt.Fprintf(&b, "    image: %q\n", pick(poolImage))
		} else if what == 3 {
			fmt.Fprintf(&b, "    url: %q\n", pick(poolURL))
		} else {
			fmt.Fprintf(&b, "    purl: %q\n    url: %q\n", pick(poolPURL), pick(poolURL))
		}
		if maybe(2) {
			fmt.Fprintf(&b, "  manifest: {digest: %q}\n", pick(poolDigest))
		}
		for key, value := range map[string]string{
			"units": "[" + pick([]string{"acme", "payments", "cards", "labs"}) + "]", "projects": "[billing]", "environments": "[" + pick([]string{"dev", "prod"}) + "]",
			"roles": "[" + pick([]string{"lead", "intern"}) + "]", "clients": "[cursor]", "limits": "{callsPerMinute: 3, seconds: 2}", "redaction": "[secrets]", "transport": "http",
			"tools":    "{" + pick([]string{"allow: ", "deny: "}) + some([]string{"read", "write"}) + pick([]string{"", ", dispatch: [{tool: do, name: c.n, arguments: c.a}, {tool: run, code: js}]"}) + "}",
			"evidence": "{until: " + pick([]string{"2020-01-01", today, "2999-12-31"}) + ", reason: " + pick([]string{"plain", `"odd <&> \u202e \U0001F600"`}) + ", approvedBy: alice}",
		} {
			if maybe(3) {
				fmt.Fprintf(&b, "  %s: %s\n", key, value)
			}
		}
	}
	return []byte(b.String())
}

func randomIdentity(r *mathrand.Rand) Identity {
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	id := Identity{}
	switch r.IntN(5) {
	case 0, 1:
		id = Command(strings.Fields(pick(poolArgv)))
	case 2:
		id.Packages = []string{pick(poolPURL)}
	case 3:
		id.Images = []string{pick(poolImage)}
	case 4:
		id.URL = strings.Replace(pick(poolURL), "*", "deep/er", 1)
	}
	id.Name = pick([]string{"", "acme-0", "tool-1", "s-2"})
	if r.IntN(3) == 0 {
		id.Surface = pick(poolDigest)
	}
	if r.IntN(4) == 0 {
		id.Env = []string{pick(poolEnv)}
	}
	if r.IntN(3) == 0 {
		id.FileSHA256, id.ScriptSHA256 = pick(poolDigest)[7:], pick(poolDigest)[7:]
	}
	if r.IntN(4) == 0 {
		id.Client = "cursor"
	}
	return id
}

// said is a decision without the places in a file.
func said(d Decision) Decision {
	if d.Entry != nil {
		e := d.Entry
		d.Entry = &Entry{ID: e.ID, Status: e.Status, Transport: e.Transport, Match: e.Match, Manifest: e.Manifest, Tools: e.Tools, Limits: e.Limits, Redaction: e.Redaction, Zone: e.Zone,
			Evidence: Evidence{Until: e.Evidence.Until, ApprovedBy: e.Evidence.ApprovedBy, Reason: e.Evidence.Reason}}
	}
	return d
}

// A compiled registry decides as its source does: for every server, person,
// tool and day, to the last word.
func TestCompiledDecidesAlike(t *testing.T) {
	r := mathrand.New(mathrand.NewPCG(4, 2))
	usable, seen := 0, map[Status]int{}
	for range 250 {
		src := &analyzers.Source{Path: "r.yaml", Bytes: randomRegistry(r)}
		source, _, err := Load(src, today)
		if err != nil {
			var list Problems
			if !errors.As(err, &list) || !strings.Contains(err.Error(), "say different things") {
				t.Fatalf("%v\n%s", err, src.Bytes)
			}
			continue
		}
		usable++
		b := compiled(t, source, nil)
		other := mustLoadCompiled(t, b, Trust{Now: now})
		for range 40 {
			id, who, tool := randomIdentity(r), poolWho[r.IntN(len(poolWho))], poolTools[r.IntN(len(poolTools))]
			on := []string{"2019-01-01", today, "2026-11-23", "3000-01-01"}[r.IntN(4)]
			want, got := source.Decide(id, who, tool, on), other.Decide(id, who, tool, on)
			if !reflect.DeepEqual(said(want), said(got)) {
				t.Fatalf("%+v for %s, tool %q, on %s:\nsource   %+v\ncompiled %+v\n%s\n%s", id, who, tool, on, want, got, src.Bytes, b)
			}
			seen[got.Status]++
			want, got = source.Surface(id.Name, poolDigest[0], who, on), other.Surface(id.Name, poolDigest[0], who, on)
			if !reflect.DeepEqual(said(want), said(got)) {
				t.Fatalf("surface of %q:\nsource   %+v\ncompiled %+v\n%s", id.Name, want, got, src.Bytes)
			}
		}
		for _, s := range []string{"unit=cards,role=lead", "project=billing", "unit=nowhere", "environment=prod", "client=other", "role=none", "unit=labs,project=billing"} {
			want, errWant := source.Doc.ParseWho(s)
			got, errGot := other.Doc.ParseWho(s)
			if !reflect.DeepEqual(want, got) || fmt.Sprint(errWant) != fmt.Sprint(errGot) {
				t.Fatalf("%s: %v %v, %v %v", s, want, errWant, got, errGot)
			}
		}
		// Compiled again it is the same.
		again, err := other.Encode(Provenance{Source: sumOf(src.Bytes)}, nil)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%v\n%s\n%s", err, b, again)
		}
	}
	for _, s := range []Status{Approved, Denied, Quarantined, Unapproved, Expired, Changed} {
		if seen[s] < 20 {
			t.Errorf("only %d decisions are %s", seen[s], s)
		}
	}
	if usable < 100 {
		t.Errorf("only %d documents were usable", usable)
	}
}

func TestCompiledTrust(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mallory, hers, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	source := mustLoad(t, organisation+"servers: [{id: web, match: {url: \"https://a.example\"}, status: denied}]\n")
	p := Provenance{Source: sumOf(source.Doc.Source.Bytes), SignedBy: "sha256:x", Serial: 7, Issued: "2026-01-01T00:00:00Z", Expires: "2026-12-01T00:00:00Z"}
	signed, err := source.Encode(p, private)
	if err != nil {
		t.Fatal(err)
	}
	unsigned, err := source.Encode(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := source.Encode(p, hers)
	if err != nil {
		t.Fatal(err)
	}
	change := func(b []byte, edit func(*compiledFile)) []byte {
		var f compiledFile
		if err := json.Unmarshal(b, &f); err != nil {
			t.Fatal(err)
		}
		edit(&f)
		out, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	swap := func(old, with string) []byte {
		return change(unsigned, func(f *compiledFile) {
			if !bytes.Contains(f.Payload, []byte(old)) {
				t.Fatalf("no %s in %s", old, f.Payload)
			}
			f.Payload = bytes.Replace(f.Payload, []byte(old), []byte(with), 1)
		})
	}
	for _, c := range []struct {
		name  string
		bytes []byte
		trust Trust
		want  error // nil: accepted
	}{
		{"signed", signed, Trust{Key: public, MinSerial: 7, Now: now}, nil},
		{"signed, nobody asks", signed, Trust{Key: nil, MinSerial: 0, Now: now}, nil},
		{"unsigned, nobody asks", unsigned, Trust{Key: nil, MinSerial: 0, Now: now}, nil},
		{"unsigned", unsigned, Trust{Key: public, MinSerial: 0, Now: now}, ErrUnsigned},
		{"another key", forged, Trust{Key: public, MinSerial: 0, Now: now}, ErrUnsigned},
		{"another key is expected", signed, Trust{Key: mallory, MinSerial: 0, Now: now}, ErrUnsigned},
		{"another key under our name", change(forged, func(f *compiledFile) { f.KeyID = KeyID(public) }), Trust{Key: public, MinSerial: 0, Now: now}, ErrUnsigned},
		{"half a key", signed, Trust{Key: public[:16], MinSerial: 0, Now: now}, ErrUnsigned},
		{"changed payload", change(signed, func(f *compiledFile) { f.Payload = bytes.Replace(f.Payload, []byte("denied"), []byte("approved"), 1) }), Trust{Key: public, MinSerial: 0, Now: now}, ErrUnsigned},
		{"signed without its domain", change(unsigned, func(f *compiledFile) { f.KeyID, f.Signature = KeyID(public), ed25519.Sign(private, f.Payload) }), Trust{Key: public, MinSerial: 0, Now: now}, ErrUnsigned},
		{"older", signed, Trust{Key: public, MinSerial: 8, Now: now}, ErrOutdated},
		{"expired", signed, Trust{Key: public, MinSerial: 0, Now: "2026-12-01T00:00:00Z"}, ErrOutdated},
		{"expired, and taken", signed, Trust{Key: public, Now: "2026-12-01T00:00:00Z", Expired: true}, nil},
		{"older, and expired ones are taken", signed, Trust{Key: public, MinSerial: 8, Now: now, Expired: true}, ErrOutdated},
		{"a second before", signed, Trust{Key: public, MinSerial: 0, Now: "2026-11-30T23:59:59Z"}, nil},
		{"another version", change(signed, func(f *compiledFile) { f.Version = 2 }), Trust{Key: public, MinSerial: 0, Now: now}, ErrCompiledForm},
		{"another kind", change(signed, func(f *compiledFile) { f.Kind = "x" }), Trust{Key: nil, MinSerial: 0, Now: now}, ErrCompiledForm},
		{"the source", source.Doc.Source.Bytes, Trust{Key: nil, MinSerial: 0, Now: now}, ErrCompiledForm},
		{"nothing", nil, Trust{Key: nil, MinSerial: 0, Now: now}, ErrCompiledForm},
		{"something behind", append(bytes.Clone(unsigned), '{'), Trust{Key: nil, MinSerial: 0, Now: now}, ErrCompiledForm},
		{"spaces", bytes.Replace(unsigned, []byte(":"), []byte(": "), 1), Trust{Key: nil, MinSerial: 0, Now: now}, ErrCompiledForm},
		{"a member in capitals", bytes.Replace(unsigned, []byte(`"kind"`), []byte(`"Kind"`), 1), Trust{Key: nil, MinSerial: 0, Now: now}, ErrCompiledForm},
		{"unknown member inside", swap(`"id":"web"`, `"id":"web","x":1`), Trust{Key: nil, MinSerial: 0, Now: now}, ErrCompiledForm},
		{"a member twice inside", swap(`"status":"denied"`, `"status":"denied","status":"approved"`), Trust{Key: nil, MinSerial: 0, Now: now}, ErrCompiledForm},
		{"no source", swap(p.Source, "sha256:0"), Trust{Key: nil, MinSerial: 0, Now: now}, ErrCompiledForm},
		{"too large", make([]byte, MaxCompiled+1), Trust{Key: nil, MinSerial: 0, Now: now}, ErrCompiledForm},
	} {
		_, from, err := LoadCompiled(&analyzers.Source{Path: "r.json", Bytes: c.bytes}, c.trust)
		if !errors.Is(err, c.want) || c.want == nil && (err != nil || from != p) {
			t.Errorf("%s: %+v, %v; want %v", c.name, from, err, c.want)
		}
	}
	for name, b := range map[string][]byte{
		"strange status":  swap(`"status":"denied"`, `"status":"expired"`),
		"no match":        swap(`,"url":"https://a.example"`, ``),
		"undeclared unit": swap(`"url":"https://a.example"`, `"url":"https://a.example","units":["x"]`),
		"for nobody":      swap(`"url":"https://a.example"`, `"url":"https://a.example","units":[]`),
		"a circle":        swap(`{"id":"acme"}`, `{"id":"acme","in":"cards"}`),
		"a unit twice":    swap(`{"id":"acme"}`, `{"id":"acme"},{"id":"acme"}`),
		"no day":          swap(`"status":"denied"`, `"status":"denied"`), // with no time below
	} {
		trust := Trust{Now: now}
		if name == "no day" {
			trust.Now = ""
		}
		_, _, err := LoadCompiled(&analyzers.Source{Path: "r.json", Bytes: b}, trust)
		if err == nil || err.Error() == "" {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestParseKey(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if got, err := ParseKey(text); err != nil || !got.Equal(public) || KeyID(got) != sumOf(der) {
		t.Errorf("%v %v", got, err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{nil, der, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der[:40]})} {
		if _, err := ParseKey(b); err == nil {
			t.Errorf("%q is a key", b)
		}
	}
}

func FuzzLoadCompiled(f *testing.F) {
	f.Add(compiled(f, mustLoad(f, organisation+"servers: [{id: web, match: {url: \"https://a.example\"}, status: denied}]\n"), nil), false)
	r, _, err := Load(&analyzers.Source{Path: "r.yaml", Bytes: full(f)}, today)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(compiled(f, r, nil), false)
	f.Add([]byte(`{"source":"sha256:`+strings.Repeat("0", 64)+`","servers":[{"id":"a","status":"denied","purl":"pkg:npm/a"}]}`), true)
	f.Fuzz(func(t *testing.T, b []byte, payload bool) {
		if payload {
			b, _ = json.Marshal(compiledFile{Kind: compiledKind, Version: compiledVersion, Payload: b})
		}
		r, p, err := LoadCompiled(&analyzers.Source{Path: "r.json", Bytes: b}, Trust{Now: now})
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		again, err := r.Encode(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Decide(Command([]string{"npx", "a"}), Who{}, "", today)
		if _, _, err := LoadCompiled(&analyzers.Source{Path: "r.json", Bytes: again}, Trust{Now: now}); err != nil {
			t.Errorf("%v\n%s\n%s", err, b, again)
		}
	})
}

func BenchmarkLoadCompiled(b *testing.B) {
	r, _, err := Load(&analyzers.Source{Path: "r.yaml", Bytes: large(1000)}, today)
	if err != nil {
		b.Fatal(err)
	}
	content := compiled(b, r, nil)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		mustLoadCompiled(b, content, Trust{Now: now})
	}
}
