package manifest_test

import (
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/manifest"
)

// TestCapabilities: they are written, read again and held to their digest, and
// the digest of the surface is the same with them as without.
func TestCapabilities(t *testing.T) {
	described := func(names []analyzers.Text) (*manifest.Manifest, string) {
		t.Helper()
		m, err := manifest.New(manifest.Options{
			Server: manifest.Server{Name: "orchard"}, Serial: 1, Issued: "2026-01-01T00:00:00Z", Expires: "2027-01-01T00:00:00Z",
			Surface: &analyzers.Surface{Instructions: analyzers.Text{Value: "Ask for one tree.", Span: (&analyzers.Source{}).Span(0, 0)}, Capabilities: names},
		})
		if err != nil {
			t.Fatal(err)
		}
		b, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return m, string(b)
	}
	without, plain := described(nil)
	with, document := described([]analyzers.Text{{Value: "/tools/listChanged"}, {Value: "/tools"}})
	if strings.Contains(plain, "capabilities") || with.Predicate.Surface != without.Predicate.Surface {
		t.Errorf("a manifest without capabilities, or its surface, is another than before: %s", plain)
	}
	for _, text := range []string{plain, document} {
		read, err := manifest.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(read.Surface().Capabilities); (text == plain) != (read.Surface().Capabilities == nil) || got != 2 && text == document {
			t.Errorf("%d capabilities in %s", got, text)
		}
	}
	_, none := described([]analyzers.Text{})
	if read, err := manifest.Parse([]byte(none)); err != nil || read.Surface().Capabilities == nil {
		t.Error("that there are none is not kept", err)
	}
	for _, change := range [][2]string{
		{`["/tools","/tools/listChanged"]`, `["/prompts","/tools"]`},
		{`["/tools","/tools/listChanged"]`, `["/tools","/tasks","/tools/listChanged"]`},
		{`["/tools","/tools/listChanged"]`, `["/tools/listChanged","/tools"]`},
		{`"basis":"captured","digest"`, `"basis":"static","digest"`},
		{`{"basis":"captured","digest"`, `{"digest":null,"x"`},
	} {
		changed := strings.Replace(document, change[0], change[1], 1)
		if _, err := manifest.Parse([]byte(changed)); err == nil || changed == document {
			t.Errorf("accepted: %s", changed)
		}
	}
	if _, err := manifest.Parse([]byte(strings.Replace(plain, `"expires"`, `"capabilities":null,"expires"`, 1))); err == nil {
		t.Error("null is accepted")
	}
	pairs := manifest.Diff(without.Surface(), with.Surface())
	if len(pairs) != 0 {
		t.Errorf("compared with what is not known: %v", pairs)
	}
	more, _ := described([]analyzers.Text{{Value: "/tools"}, {Value: "/tasks"}})
	pairs = manifest.Diff(with.Surface(), more.Surface())
	if len(pairs) != 2 || pairs[0].Op != manifest.Added || pairs[0].Name().Value != "/tasks" || pairs[1].Op != manifest.Removed || pairs[1].Name().Value != "/tools/listChanged" {
		t.Errorf("%+v", pairs)
	}
}
