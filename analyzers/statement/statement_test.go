package statement_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/statement"
)

const bare = `{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://sallyport.dev/manifest/v1","predicate":{"server":{"name":"mill"}}}`

func bundle(payload, kind string) string {
	return `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{"payload":"` + base64.StdEncoding.EncodeToString([]byte(payload)) + `","payloadType":"` + kind + `","signatures":[]}}`
}

func analyze(name, content string) (*analyzers.Catalog, error) {
	c := &analyzers.Catalog{}
	a := statement.Analyzer()
	if a.Match(name) != analyzers.Named {
		return c, analyzers.ErrForeign
	}
	return c, a.Analyze(analyzers.File{Source: &analyzers.Source{Path: name, Bytes: []byte(content)}, Exposure: analyzers.Project}, c)
}

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		path, content string
		status        analyzers.ManifestStatus
		err           string // "" none, "foreign", else a part of the reason
	}{
		"bare":              {"mill.manifest.json", bare, analyzers.ManifestUnsigned, ""},
		"bundle":            {"mill.manifest.sigstore.json", bundle(bare, statement.PayloadType), analyzers.ManifestUnverified, ""},
		"a bundle, renamed": {"mill.manifest.json", bundle(bare, statement.PayloadType), analyzers.ManifestUnverified, ""},
		"a web app":         {"site.manifest.json", `{"name":"x","icons":[]}`, "", "foreign"},
		"another name":      {"mill.json", bare, "", "foreign"},
		"other provenance":  {"x.manifest.sigstore.json", bundle(strings.Replace(bare, "sallyport.dev/manifest/v1", "slsa.dev/provenance/v1", 1), statement.PayloadType), "", "foreign"},
		"another payload":   {"x.manifest.sigstore.json", bundle(bare, "text/plain; "+statement.PayloadType), "", "foreign"},
		"no base64":         {"x.manifest.sigstore.json", `{"dsseEnvelope":{"payload":"%%","payloadType":"` + statement.PayloadType + `"}}`, "", "base64"},
		"a broken payload":  {"x.manifest.sigstore.json", bundle(bare[:40], statement.PayloadType), "", "payload"},
		"cut":               {"x.manifest.json", bare[:len(bare)-3], "", ""},
	} {
		got, err := analyze(c.path, c.content)
		var parse *analyzers.ParseError
		switch {
		case c.err == "foreign":
			if !errors.Is(err, analyzers.ErrForeign) {
				t.Errorf("%s: %v", name, err)
			}
		case name == "cut" || c.err != "":
			if !errors.As(err, &parse) || !strings.Contains(parse.Reason, c.err) {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || len(got.Manifests) != 1:
			t.Errorf("%s: %v, %d manifests", name, err, len(got.Manifests))
		default:
			if m := got.Manifests[0]; m.Status != c.status || m.Server.Raw() != "mill" || string(m.Statement.Bytes) != bare || m.Exposure != analyzers.Project {
				t.Errorf("%s: %+v", name, m)
			}
		}
	}
}

// TestManifestOf: the nearest with the server's name, a signed one first, and
// one that the user named before all.
func TestManifestOf(t *testing.T) {
	server := func(name, file string) *analyzers.Server {
		src := &analyzers.Source{Path: file, Bytes: []byte("{}")}
		return &analyzers.Server{Name: analyzers.Text{Value: analyzers.Untrusted(name)}, Span: src.Span(0, 2)}
	}
	m := func(name, file string) *analyzers.Manifest {
		return &analyzers.Manifest{Server: analyzers.Text{Value: analyzers.Untrusted(name)}, Source: &analyzers.Source{Path: file}, Bundle: strings.Contains(file, "sigstore")}
	}
	mill := server("mill", "a/b/.mcp.json")
	named := m("mill", "z/named.json")
	named.Named = true
	for want, given := range map[*analyzers.Manifest][]*analyzers.Manifest{
		m("mill", "a/b/x"):        {m("mill", "a/x"), nil, m("other", "a/b/x"), m("mill", "x")},
		m("mill", "a/x"):          {nil, m("mill", "c/x"), m("mill", "x")},
		m("mill", "a/b/sigstore"): {nil, m("mill", "a/b/x")},
		m("mill", "a/b/1"):        {m("mill", "a/b/2"), nil},
		named:                     {m("mill", "a/b/sigstore"), nil},
	} {
		c := &analyzers.Catalog{}
		for _, g := range given {
			if g == nil {
				g = want
			}
			c.Manifests = append(c.Manifests, g)
		}
		if got := c.ManifestOf(mill); got != want {
			t.Errorf("got %s, want %s", got.Source.Path, want.Source.Path)
		}
		if c.ManifestOf(server("nobody", "a/b/.mcp.json")) != nil {
			t.Error("a stranger has a manifest")
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(bare)
	f.Add(`{"predicateType":"https://sallyport.dev/manifest/v1"}`)
	f.Add(bundle(bare, statement.PayloadType))
	f.Fuzz(func(t *testing.T, content string) {
		m, err := statement.Read(&analyzers.Source{Path: "x", Bytes: []byte(content)})
		if err == nil && m != nil && m.Statement == nil {
			t.Fatal("a manifest without a statement")
		}
	})
}
