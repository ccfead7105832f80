package statement

import (
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

func TestSamePackage(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"pkg:npm/%40acme/files@1.2.3", "pkg:npm/%40acme/files@1.2.3", true},
		{"pkg:npm/%40acme/files", "pkg:npm/%40acme/files@1.2.3", true},
		{"pkg:npm/%40acme/files@1.2.4", "pkg:npm/%40acme/files@1.2.3", false},
		{"pkg:npm/%40acme/files2", "pkg:npm/%40acme/files", false},
		{"pkg:pypi/files", "pkg:npm/files", false},
		{"pkg:npm/files@1.0.0?a=b", "pkg:npm/files@1.0.0#c", true},
		{"", "", false},
		{"pkg:oci/files@sha256:1", "pkg:oci/files@sha256:1", false}, // by its digest
	} {
		if got := samePackage(c.a, c.b); got != c.want {
			t.Errorf("%s, %s: %v", c.a, c.b, got)
		}
	}
}

// TestTie: by package or by image digest, to the declaration and to what a
// server of its name was captured to show; never twice by name.
func TestTie(t *testing.T) {
	server := func(name, format string, p analyzers.PackageRef, i analyzers.ImageRef) *analyzers.Server {
		return &analyzers.Server{Name: analyzers.Text{Value: analyzers.Untrusted(name)}, Format: format, Packages: []analyzers.PackageRef{p}, Images: []analyzers.ImageRef{i}}
	}
	files := analyzers.PackageRef{PURL: "pkg:npm/files@1.0.0"}
	const digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	servers := []*analyzers.Server{
		server("docs", "claude-code", files, analyzers.ImageRef{}),
		server("docs", "capture", analyzers.PackageRef{}, analyzers.ImageRef{}),
		server("mine", "claude-code", files, analyzers.ImageRef{}),
		server("box", "cursor", analyzers.PackageRef{}, analyzers.ImageRef{Repository: "registry.example/box", Digest: digest}),
		server("tag", "cursor", analyzers.PackageRef{}, analyzers.ImageRef{Repository: "registry.example/box", Tag: "1"}),
	}
	c := &analyzers.Catalog{Servers: servers, Manifests: []*analyzers.Manifest{
		{Server: analyzers.Text{Value: "mine"}, Source: &analyzers.Source{Path: "a"}, PURLs: []string{"pkg:npm/files@1.0.0"}},
		{Server: analyzers.Text{Value: "x"}, Source: &analyzers.Source{Path: "b"}, PURLs: []string{"pkg:oci/box@" + "sha256%3A" + digest[7:] + "?repository_url=registry.example/box"}},
	}}
	Tie(c)
	for i, want := range []string{"a", "a", "a", "b", ""} {
		got := ""
		if m := c.ManifestOf(servers[i]); m != nil {
			got = m.Source.Path
		}
		if got != want {
			t.Errorf("%s: %q, want %q", servers[i].Name, got, want)
		}
	}
	if len(c.Manifests) != 2+3 {
		t.Errorf("%d manifests", len(c.Manifests))
	}
}
