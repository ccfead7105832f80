package launch

import (
	"testing"

	"github.com/package-url/packageurl-go"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

func TestParseSpec(t *testing.T) {
	const commit = "0123456789012345678901234567890123456789"
	for _, c := range []struct {
		ecosystem, spec, name, version string
		pin                            analyzers.Pin
	}{
		{"npm", "@a/b@1.2.3", "@a/b", "1.2.3", analyzers.PinExact},
		{"npm", "a@~1.2", "a", "~1.2", analyzers.PinRange},
		{"npm", "a@${V}", "a", "${V}", analyzers.PinNone},
		{"npm", "o/r#" + commit, "o/r", commit, analyzers.PinCommit},
		{"npm", "o/r#" + commit[:39], "o/r", commit[:39], analyzers.PinTag},
		{"npm", "@a", "", "", analyzers.PinNone},
		{"npm", "a b", "", "", analyzers.PinNone},
		{"npm", "a\u202e@1.0.0", "", "", analyzers.PinNone},
		{"npm", "a@1\u202e", "a", `1\u{202e}`, analyzers.PinTag},
		{"pypi", "A_b.C[x, y] == 1.0 ; python_version > '3'", "a-b-c", "1.0", analyzers.PinExact},
		{"pypi", "a===1.0", "a", "1.0", analyzers.PinExact},
		{"pypi", "a!=1.0", "a", "!=1.0", analyzers.PinRange},
		{"pypi", "a == 1.*", "a", "== 1.*", analyzers.PinRange},
		{"golang", "example.com/m@" + commit, "example.com/m", commit, analyzers.PinCommit},
		{"golang", "example.com/m@main", "example.com/m", "main", analyzers.PinTag},
		{"nuget", "A.B@1.0", "A.B", "1.0", analyzers.PinExact},
		{"nuget", "A.B@[1.0,2.0)", "A.B", "[1.0,2.0)", analyzers.PinRange},
		{"cargo", "a@1", "a", "1", analyzers.PinRange},
		{"maven", "g.h:a:RELEASE", "g.h:a", "RELEASE", analyzers.PinTag},
		{"composer", "v/n:^1.0", "v/n", "^1.0", analyzers.PinRange},
		{"gem", "a:1.0", "a", "1.0", analyzers.PinExact},
		{"npm", "", "", "", analyzers.PinNone},
	} {
		ref := ParseSpec(c.ecosystem, source(c.spec)[0])
		if ref.Name != c.name || ref.Version != c.version || ref.Pin != c.pin {
			t.Errorf("%s %q: %q %q %s, want %q %q %s", c.ecosystem, c.spec, ref.Name, ref.Version, ref.Pin, c.name, c.version, c.pin)
		}
		if ref.Spec.Raw() != c.spec {
			t.Errorf("%s %q: spec %q", c.ecosystem, c.spec, ref.Spec.Raw())
		}
	}
}

// FuzzPlainNPM: the short way writes the same purl as the library.
func FuzzPlainNPM(f *testing.F) {
	for _, s := range [][3]string{{"@acme", "files", "1.2.3"}, {"", "x", ""}, {"@A.b", "x_y~z", "1.0.0-rc.1"}, {"@acme/x", "a", "1"}, {"@", "a", ""}, {"", ".", ".."}, {"", "a", "1.0.0+x"}, {"a", "b", "c"}} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, namespace, name, version string) {
		short := plainNPM(namespace, name, version)
		if short == "" {
			return
		}
		p := packageurl.NewPackageURL("npm", namespace, name, version, nil, "")
		if err := p.Normalize(); err != nil || p.ToString() != short {
			t.Errorf("%q, the library %q, %v", short, p.ToString(), err)
		}
	})
}
