package seal

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"github.com/sigstore/sigstore-go/pkg/bundle"
)

func TestSignKeys(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"ECDSA": newKey(t), "Ed25519": ed, "RSA": rsaKey} {
		b, err := Sign(context.Background(), aStatement(), ManifestType, Signer{Key: key})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(b) > 2000 || b[len(b)-1] != '\n' || bytes.Count(b, []byte("\n")) != 1 {
			t.Errorf("%s: not one line: %q", name, b)
		}
		_, err = mustVerifier(t, Policy{Key: key.Public()}).Verify(b, Expect{Now: now})
		wants(t, err, "")
	}
}

// broken is the key of a KMS that signs something else.
type broken struct{ crypto.Signer }

func (b broken) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return b.Signer.Sign(r, append([]byte{digest[0] ^ 1}, digest[1:]...), o)
}

// jwt is an unsigned token; nobody here checks it.
func jwt() string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(`{"sub":"repo:acme/server"}`)) + ".c2VjcmV0"
}

func TestSignRefuses(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const url = "https://service.invalid"
	log1, log2 := []Log{{url, 1}}, []Log{{url, 2}}
	for name, s := range map[string]Signer{
		"nothing":                   {},
		"a weak kind of key":        {Key: p384},
		"a token for nobody":        {Token: jwt()},
		"no token":                  {Key: newKey(t), Services: Services{CA: url}},
		"no time":                   {Token: jwt(), Services: Services{CA: url, Logs: log2}},
		"no time, no log":           {Token: jwt(), Services: Services{CA: url}},
		"a log of another version":  {Key: newKey(t), Services: Services{Logs: []Log{{url, 3}}}},
		"plain http":                {Token: jwt(), Services: Services{CA: "http://service.invalid", Logs: log1}},
		"plain http to the log":     {Key: newKey(t), Services: Services{Logs: []Log{{"http://10.0.0.1", 1}}}},
		"plain http to a timestamp": {Key: newKey(t), Services: Services{TimestampAuthorities: []string{"http://10.0.0.1/"}}},
		"a password in a URL":       {Key: newKey(t), Services: Services{Logs: []Log{{"https://me:secret@service.invalid", 1}}}},
		"no URL":                    {Key: newKey(t), Services: Services{Logs: []Log{{"service", 1}}}},
	} {
		_, err := Sign(context.Background(), aStatement(), ManifestType, s)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(name, "plain http") && !errors.Is(err, ErrPlainHTTP) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Sign(context.Background(), aStatement(), ManifestType, Signer{Key: broken{newKey(t)}}); err == nil {
		t.Error("a signature of something else comes out")
	}
	_, err = Sign(context.Background(), []byte(`{"tools":[]}`), ManifestType, Signer{Key: newKey(t)})
	wants(t, err, Malformed)
}

// services answers for a certificate authority and a log of version 1, the two
// that a bundle needs at the least.
func (w *world) services(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	fail := func(rw http.ResponseWriter, err error) { http.Error(rw, err.Error(), http.StatusBadRequest) }
	mux.HandleFunc("POST /api/v2/signingCert", func(rw http.ResponseWriter, r *http.Request) {
		var asked struct {
			PublicKeyRequest struct {
				PublicKey struct{ Content string }
			}
		}
		if r.Header.Get("Authorization") != "Bearer "+jwt() {
			http.Error(rw, "no certificate for "+r.Header.Get("Authorization"), http.StatusUnauthorized) // a careless service
			return
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			fail(rw, err)
			return
		}
		block, _ := pem.Decode([]byte(asked.PublicKeyRequest.PublicKey.Content))
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			fail(rw, err)
			return
		}
		leaf := w.certificate(t, forgery{}, key)
		var answer struct {
			Embedded struct {
				Chain struct {
					Certificates []string `json:"certificates"`
				} `json:"chain"`
			} `json:"signedCertificateEmbeddedSct"`
		}
		answer.Embedded.Chain.Certificates = []string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))}
		if err := json.NewEncoder(rw).Encode(answer); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("POST /api/v1/log/entries", func(rw http.ResponseWriter, r *http.Request) {
		var asked struct {
			Spec struct {
				ProposedContent struct {
					Envelope  string
					Verifiers [][]byte
				}
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			fail(rw, err)
			return
		}
		var sealed struct {
			Payload     []byte
			PayloadType string
			Signatures  []struct{ Sig []byte }
		}
		if err := json.Unmarshal([]byte(asked.Spec.ProposedContent.Envelope), &sealed); err != nil {
			fail(rw, err)
			return
		}
		block, _ := pem.Decode(asked.Spec.ProposedContent.Verifiers[0])
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			fail(rw, err)
			return
		}
		read, err := bundle.NewBundle(&protobundle.Bundle{
			MediaType:            MediaType,
			VerificationMaterial: &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: leaf.Raw}}},
			Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
				Payload: sealed.Payload, PayloadType: sealed.PayloadType, Signatures: []*protodsse.Signature{{Sig: sealed.Signatures[0].Sig}}}},
		})
		if err != nil {
			fail(rw, err)
			return
		}
		envelope, err := read.Envelope()
		if err != nil {
			fail(rw, err)
			return
		}
		made, err := w.GenerateTlogEntry(leaf, envelope.RawEnvelope(), sealed.Signatures[0].Sig, time.Now().Unix(), true)
		if err != nil {
			fail(rw, err)
			return
		}
		entry := w.finish(t, made.TransparencyLogEntry())
		proof := entry.InclusionProof
		hashes := []string{}
		for _, h := range proof.Hashes {
			hashes = append(hashes, hex.EncodeToString(h))
		}
		const uuid = "0000000000000000000000000000000000000000000000000000000000000000"
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("ETag", uuid)
		rw.Header().Set("Location", "/api/v1/log/entries/"+uuid)
		rw.WriteHeader(http.StatusCreated)
		err = json.NewEncoder(rw).Encode(map[string]any{uuid: map[string]any{
			"body": entry.CanonicalizedBody, "integratedTime": entry.IntegratedTime, "logIndex": entry.LogIndex, "logID": hex.EncodeToString(entry.LogId.KeyId),
			"verification": map[string]any{
				"signedEntryTimestamp": entry.InclusionPromise.SignedEntryTimestamp,
				"inclusionProof": map[string]any{"checkpoint": proof.Checkpoint.Envelope, "hashes": hashes, "logIndex": proof.LogIndex,
					"rootHash": hex.EncodeToString(proof.RootHash), "treeSize": proof.TreeSize},
			},
		}})
		if err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// TestKeyless goes to a certificate authority and a log of version 1 and back.
func TestKeyless(t *testing.T) {
	w := newWorld(t)
	server := w.services(t)
	with := Signer{Token: jwt(), Services: Services{CA: server.URL, Logs: []Log{{server.URL, 1}}}, Root: &Root{w}}
	b, err := Sign(context.Background(), aStatement(), ManifestType, with)
	if err != nil {
		t.Fatal(err)
	}
	r, err := mustVerifier(t, Policy{Root: &Root{w}, Identity: `https://github\.com/acme/server/.*`, Issuer: actions}).Verify(b, Expect{Now: now})
	wants(t, err, "")
	if r.Identity != workflow || r.Time.IsZero() {
		t.Errorf("%+v", r)
	}

	// Another instance's root does not vouch for it: nothing comes out.
	stranger := newWorld(t)
	if err := stranger.found(); err != nil {
		t.Fatal(err)
	}
	other := with
	other.Root = &Root{stranger}
	if b, err := Sign(context.Background(), aStatement(), ManifestType, other); err == nil || b != nil {
		t.Error("signed although the trusted root does not vouch for it")
	}

	// A service that repeats the token does not get it into the log of a build.
	other = with
	other.Token = jwt() + "eA"
	if _, err := Sign(context.Background(), aStatement(), ManifestType, other); err == nil || strings.Contains(err.Error(), other.Token) {
		t.Errorf("the token is in the error: %v", err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Sign(ctx, aStatement(), ManifestType, with); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestWorkflowToken(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch {
		case r.URL.Path == "/away":
			http.Redirect(w, r, "/token", http.StatusFound)
		case r.URL.Path == "/huge":
			if _, err := w.Write(bytes.Repeat([]byte(" "), 2<<20)); err != nil {
				return
			}
		case r.URL.Path == "/none":
			if _, err := w.Write([]byte(`{}`)); err != nil {
				t.Error(err)
			}
		case r.Header.Get("Authorization") != "Bearer runner" || r.URL.Query().Get("audience") != audience || r.URL.Query().Get("x") != "1":
			w.WriteHeader(http.StatusForbidden)
		default:
			if err := json.NewEncoder(w).Encode(map[string]string{"value": jwt()}); err != nil {
				t.Error(err)
			}
		}
	}))
	defer server.Close()
	token, err := WorkflowToken(context.Background(), server.URL+"/token?x=1", "runner")
	if err != nil || token != jwt() {
		t.Errorf("%q %v", token, err)
	}
	for _, bad := range []string{"/token", "/away", "/huge", "/none"} {
		if _, err := WorkflowToken(context.Background(), server.URL+bad, "runner"); err == nil {
			t.Errorf("%s: accepted", bad)
		}
	}
	before := asked.Load()
	if _, err := WorkflowToken(context.Background(), "http://runner.invalid/token", "runner"); !errors.Is(err, ErrPlainHTTP) || asked.Load() != before {
		t.Errorf("plain http: %v", err)
	}
}

func TestLoadServices(t *testing.T) {
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	service := func(url string, version int, start string) string {
		return `{"url":"` + url + `","majorApiVersion":` + string(rune('0'+version)) + `,"validFor":{"start":"` + start + `"},"operator":"` + url + `"}`
	}
	const old, later = "2024-01-01T00:00:00Z", "2030-01-01T00:00:00Z"
	head := `{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"`
	s, err := LoadServices([]byte(head+`,"caUrls":[`+service("https://a", 1, later)+`,`+service("https://b", 1, old)+`],"rekorTlogUrls":[`+service("https://c", 1, old)+`,`+service("https://d", 2, old)+`],"rekorTlogConfig":{"selector":"ALL"},"tsaUrls":[`+service("https://e", 1, old)+`],"tsaConfig":{"selector":"ANY"}}`), at)
	if err != nil {
		t.Fatal(err)
	}
	if s.CA != "https://b" || len(s.Logs) != 1 || s.Logs[0] != (Log{"https://d", 2}) || len(s.TimestampAuthorities) != 1 {
		t.Errorf("%+v", s)
	}
	// A config without selectors is not a reason to crash.
	if _, err := LoadServices([]byte(head+`,"rekorTlogUrls":[`+service("https://c", 1, old)+`]}`), at); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{``, `{}`, head + `,"caUrls":[` + service("https://a", 1, later) + `]}`, head + `,"caUrls":[` + service("https://a", 9, old) + `]}`} {
		if _, err := LoadServices([]byte(bad), at); err == nil {
			t.Errorf("accepted %s", bad)
		}
	}
}

func BenchmarkSignKey(b *testing.B) {
	key := newKey(b)
	for b.Loop() {
		if _, err := Sign(context.Background(), aStatement(), ManifestType, Signer{Key: key}); err != nil {
			b.Fatal(err)
		}
	}
}
