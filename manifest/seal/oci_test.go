package seal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// pushed starts a registry with one image and one foreign referrer.
func pushed(t *testing.T, referrers bool) (image, digest string) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(referrers)))
	t.Cleanup(server.Close)
	image = strings.TrimPrefix(server.URL, "http://") + "/acme/server:v1"
	ref, err := name.ParseReference(image)
	if err != nil {
		t.Fatal(err)
	}
	img, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	desc, err := remote.Head(ref)
	if err != nil {
		t.Fatal(err)
	}
	foreign := mutate.Subject(empty.Image, *desc).(v1.Image)
	if err := remote.Write(ref.Context().Tag("sbom"), foreign); err != nil {
		t.Fatal(err)
	}
	return image, desc.Digest.String()
}

func TestAttach(t *testing.T) {
	ctx := context.Background()
	key := newKey(t)
	bundle, err := Sign(ctx, aStatement(), ManifestType, Signer{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	for kind, referrers := range map[string]bool{"referrers": true, "fallback tag": false} {
		t.Run(kind, func(t *testing.T) {
			image, digest := pushed(t, referrers)
			subject, found, err := Registry{}.Fetch(ctx, image)
			if err != nil || subject != digest || len(found) != 0 {
				t.Fatalf("before: %s %v %v", subject, found, err)
			}
			first := ""
			for range 2 { // the second time changes nothing
				subject, attached, err := Registry{}.Attach(ctx, bundle, ManifestType, image)
				if err != nil || subject != digest {
					t.Fatalf("%s %v", subject, err)
				}
				if first == "" {
					first = attached
				}
				_, found, err := Registry{}.Fetch(ctx, image)
				if err != nil || len(found) != 1 || found[0].Digest != first || attached != first || !bytes.Equal(found[0].Bundle, bundle) {
					t.Fatalf("%d found, %v", len(found), err)
				}
			}
		})
	}
}

func TestAttachRefuses(t *testing.T) {
	ctx := context.Background()
	image, _ := pushed(t, true)
	_, _, err := Registry{}.Attach(ctx, aStatement(), ManifestType, image)
	wants(t, err, Malformed)
	bundle, err := Sign(ctx, aStatement(), ManifestType, Signer{Key: newKey(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := (Registry{}).Attach(ctx, bundle, ManifestType, strings.Replace(image, ":v1", ":v2", 1)); !errors.Is(err, ErrNoImage) {
		t.Errorf("an image that is not there: %v", err)
	}
	if _, _, err := (Registry{}).Attach(ctx, bundle, ManifestType, "Not An Image"); err == nil {
		t.Error("no reference is accepted")
	}
}

// sentHTTP fails every request and remembers those without TLS.
type sentHTTP struct{ hosts []string }

func (s *sentHTTP) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" {
		s.hosts = append(s.hosts, r.URL.Host)
	}
	return nil, errors.New("nobody answers")
}

// TestPlainHTTP: the library falls back to http for private addresses by
// itself; we do not.
func TestPlainHTTP(t *testing.T) {
	for _, host := range []string{"10.1.2.3:5000", "192.168.1.1", "registry.local:5000", "registry.example"} {
		sent := &sentHTTP{}
		if _, _, err := (Registry{Transport: sent}).Fetch(context.Background(), host+"/acme/server:v1"); err == nil || len(sent.hosts) > 0 {
			t.Errorf("%s: %v, plain http to %v", host, err, sent.hosts)
		}
		if _, _, err := (Registry{Transport: sent, PlainHTTP: true}).Fetch(context.Background(), host+"/acme/server:v1"); err == nil || len(sent.hosts) == 0 {
			t.Errorf("%s: --plain-http has no effect", host)
		}
	}
}

// TestHostileRegistry: an endless list, a login page elsewhere.
func TestHostileRegistry(t *testing.T) {
	sent := &sentHTTP{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v2/":
		case strings.Contains(r.URL.Path, "/referrers/"):
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			if _, err := w.Write([]byte(`{"schemaVersion":2,"manifests":[`)); err != nil {
				return
			}
			chunk := bytes.Repeat([]byte(" "), 1<<20)
			for range 40 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		default:
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Content-Length", "2")
			w.Header().Set("Docker-Content-Digest", "sha256:"+aDigest)
		}
	}))
	defer server.Close()
	_, _, err := Registry{}.Fetch(context.Background(), strings.TrimPrefix(server.URL, "http://")+"/acme/server:v1")
	if err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("an endless list is read: %v", err)
	}

	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://10.9.8.7/token",service="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer login.Close()
	_, _, err = Registry{Transport: local{sent}}.Fetch(context.Background(), strings.TrimPrefix(login.URL, "http://")+"/acme/server:v1")
	if err == nil || len(sent.hosts) > 0 {
		t.Errorf("the registry's login page was asked without TLS: %v %v", err, sent.hosts)
	}
}

// local lets requests to this machine through.
type local struct{ others http.RoundTripper }

func (l local) RoundTrip(r *http.Request) (*http.Response, error) {
	if loopback(r.URL.Hostname()) {
		return http.DefaultTransport.RoundTrip(r)
	}
	return l.others.RoundTrip(r)
}
