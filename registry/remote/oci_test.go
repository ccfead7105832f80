package remote

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ociregistry "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/sallyport-mcp/sallyport/manifest/seal"
)

const aDocument = "apiVersion: sallyport/v1\nkind: Registry\nservers: []\n"

// anOCIRegistry is a real one when SALLYPORT_TEST_OCI names its HOST:PORT.
func anOCIRegistry(t *testing.T) string {
	if host := os.Getenv("SALLYPORT_TEST_OCI"); host != "" {
		return host
	}
	server := httptest.NewServer(ociregistry.New(ociregistry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func aBundle(t *testing.T, document string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	statement, err := seal.RegistryStatement("r.yaml", []byte(document), 1, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := seal.Sign(t.Context(), statement, seal.RegistryType, seal.Signer{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

func TestPushPull(t *testing.T) {
	at := anOCIRegistry(t) + "/acme/registry"
	bundle := aBundle(t, aDocument)
	first, err := Push(t.Context(), seal.Registry{}, at+":v1", []byte(aDocument), nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Push(t.Context(), seal.Registry{}, at+":v1", []byte(aDocument), bundle)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Push(t.Context(), seal.Registry{}, at+":v1", []byte(aDocument), bundle); err != nil || again != second {
		t.Errorf("the same content again: %s, %v; want %s", again, err, second)
	}
	for _, c := range []struct {
		from, digest string
		bundle       []byte
	}{{at + ":v1", second, bundle}, {at + "@" + first, first, nil}, {at + ":v1@" + second, second, bundle}} {
		a, err := Pull(t.Context(), seal.Registry{}, c.from)
		if err != nil {
			t.Errorf("%s: %v", c.from, err)
			continue
		}
		if a.Digest != c.digest || string(a.Document) != aDocument || !bytes.Equal(a.Bundle, c.bundle) {
			t.Errorf("%s: %s %q, %d bytes of signature", c.from, a.Digest, a.Document, len(a.Bundle))
		}
	}
	for name, c := range map[string]struct {
		to     string
		bundle []byte
		want   error
	}{
		"a digest":          {at + "@" + first, nil, ErrPinned},
		"another's bundle":  {at + ":v1", aBundle(t, aDocument+"# more"), new(seal.Refusal)},
		"no bundle":         {at + ":v1", []byte("{}"), new(seal.Refusal)},
		"no reference":      {"UPPER CASE", nil, nil},
		"too long document": {at + ":big", nil, nil},
	} {
		document := []byte(aDocument)
		if name == "too long document" {
			document = make([]byte, maxDocument+1)
		}
		_, err := Push(t.Context(), seal.Registry{}, c.to, document, c.bundle)
		var refusal *seal.Refusal
		if _, wantRefusal := c.want.(*seal.Refusal); err == nil || wantRefusal && !errors.As(err, &refusal) || !wantRefusal && c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("push with %s: %v", name, err)
		}
	}
	if _, err := Pull(t.Context(), seal.Registry{}, at+":nothing"); !errors.Is(err, ErrNotFound) {
		t.Errorf("pull of nothing: %v", err)
	}
	if _, err := Pull(t.Context(), seal.Registry{}, at+"@sha256:"+strings.Repeat("0", 64)); !errors.Is(err, ErrNotFound) {
		t.Errorf("pull of a digest that is not there: %v", err)
	}
}

// What is in an OCI registry may be anything.
func TestPullRefuses(t *testing.T) {
	host := anOCIRegistry(t)
	at := host + "/acme/hostile"
	pushed, err := Push(t.Context(), seal.Registry{}, at+":good", []byte(aDocument), aBundle(t, aDocument))
	if err != nil {
		t.Fatal(err)
	}
	good, err := remote.Get(reference(t, at+"@"+pushed))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*v1.Manifest){
		"another artifact":  func(m *v1.Manifest) { m.ArtifactType = "application/vnd.example" },
		"no artifact type":  func(m *v1.Manifest) { m.ArtifactType = "" },
		"another layer":     func(m *v1.Manifest) { m.Layers[0].MediaType = "text/plain" },
		"another signature": func(m *v1.Manifest) { m.Layers[1].MediaType = "text/plain" },
		"three layers":      func(m *v1.Manifest) { m.Layers = append(m.Layers, m.Layers[1]) },
		"a large document":  func(m *v1.Manifest) { m.Layers[0].Size = maxDocument + 1 },
		"a size below zero": func(m *v1.Manifest) { m.Layers[0].Size = -1 },
		"the wrong size":    func(m *v1.Manifest) { m.Layers[0].Size-- },
		"swapped layers":    func(m *v1.Manifest) { m.Layers[0].Digest, m.Layers[1].Digest = m.Layers[1].Digest, m.Layers[0].Digest },
		"a large manifest":  func(m *v1.Manifest) { m.Annotations["a"] = strings.Repeat("a", maxManifest) },
	} {
		var m v1.Manifest
		if err := json.Unmarshal(good.Manifest, &m); err != nil {
			t.Fatal(err)
		}
		change(&m)
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Put(reference(t, at+":bad"), rawManifest(raw)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if a, err := Pull(t.Context(), seal.Registry{}, at+":bad"); err == nil {
			t.Errorf("%s: pulled %s", name, a.Digest)
		}
	}
	image, err := random.Image(10, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(reference(t, at+":image"), image); err != nil {
		t.Fatal(err)
	}
	if _, err := Pull(t.Context(), seal.Registry{}, at+":image"); !errors.Is(err, ErrNotRegistry) {
		t.Errorf("an image: %v", err)
	}
}

// A registry that serves other bytes than the digest names is caught, for
// manifests and for layers.
func TestPullLies(t *testing.T) {
	inner := ociregistry.New(ociregistry.Logger(log.New(io.Discard, "", 0)))
	lie := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && lie != "" && strings.Contains(r.URL.Path, lie) {
			recorded := httptest.NewRecorder()
			inner.ServeHTTP(recorded, r)
			body := bytes.Replace(recorded.Body.Bytes(), []byte("sallyport"), []byte("sallypurt"), 1)
			for key, values := range recorded.Header() {
				w.Header()[key] = values
			}
			w.WriteHeader(recorded.Code)
			_, _ = w.Write(body)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer server.Close()
	at := strings.TrimPrefix(server.URL, "http://") + "/a/b"
	digest, err := Push(t.Context(), seal.Registry{}, at+":v1", []byte(aDocument), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ lie, from string }{{"/blobs/", at + ":v1"}, {"/blobs/", at + "@" + digest}, {"/manifests/", at + "@" + digest}} {
		if lie = ""; c.lie != "" {
			if _, err := Pull(t.Context(), seal.Registry{}, c.from); err != nil {
				t.Fatal(err)
			}
		}
		lie = c.lie
		if a, err := Pull(t.Context(), seal.Registry{}, c.from); err == nil {
			t.Errorf("%s of %s: pulled %q", c.lie, c.from, a.Document)
		}
	}
}

// Without TLS nothing leaves this machine unless that is said.
func TestPlainHTTP(t *testing.T) {
	asked := ""
	at := seal.Registry{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked = cmp.Or(asked, r.URL.Scheme)
		if r.URL.Scheme == "http" {
			t.Errorf("asked %s", r.URL)
		}
		return nil, errors.New("no route")
	})}
	if _, err := Pull(t.Context(), at, "192.168.0.1:5000/a/b:v1"); !errors.Is(err, seal.ErrPlainHTTP) || asked != "https" {
		t.Errorf("asked %q, %v", asked, err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func reference(t *testing.T, s string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func FuzzLayersOf(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"` + ArtifactType + `","layers":[{"mediaType":"` + ArtifactType + `","size":3,"digest":"sha256:` + strings.Repeat("0", 64) + `"}]}`))
	f.Add([]byte(`{"layers":[{"digest":null}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		layers, err := layersOf(raw)
		if (err == nil) != (len(layers) > 0) {
			t.Errorf("%d layers, %v", len(layers), err)
		}
		for _, l := range layers {
			if l.Size < 1 || l.Size > seal.MaxBundle || types.MediaType(l.MediaType) == "" || len(l.Digest.Hex) != 64 {
				t.Errorf("%+v", l)
			}
		}
	})
}
