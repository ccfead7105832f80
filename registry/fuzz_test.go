package registry

import (
	"bytes"
	"testing"

	"github.com/package-url/packageurl-go"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// FuzzParse: no document brings the parser down, and what it accepts can be
// compiled, decided by and edited.
func FuzzParse(f *testing.F) {
	// Small seeds: the fuzzer spends its time on making large ones smaller.
	f.Add(New("r").Bytes)
	f.Add([]byte("apiVersion: sallyport/v1\nkind: Registry\nservers:\n- id: a # x\n  match:\n    purl: pkg:npm/a\n  status: quarantined\n  evidence:\n    reason: |\n      b\n\n- id: c\n  match: {argv: [npx, b@1.0.0]}\n  status: denied\n"))
	for _, test := range bad {
		f.Add(document(test.body).Bytes)
	}
	f.Add([]byte("apiVersion: sallyport/v1\nkind: Registry\nservers: [{id: a, match: {argv: [x]}, status: approved}, {id: b, match: {url: 'https://a/*?*'}, status: denied}]"))
	f.Fuzz(func(t *testing.T, content []byte) {
		d, err := Parse(&analyzers.Source{Path: "r", Bytes: content})
		if err != nil {
			return
		}
		r, _ := Compile(d, today)
		for _, e := range d.Servers {
			id := e.Match.Identity()
			if r != nil {
				if got := r.Decide(id, Who{}, "t", today); got.Allowed && got.Entry.Status != Approved {
					t.Fatalf("%s allows", got.Entry.Status)
				}
			}
			edit, err := d.Rule(Ruling{ID: e.ID, Status: Denied, Approver: "fuzz", Reason: "because: \"x\"", Today: today})
			if err != nil {
				continue
			}
			// An edit is exact or it is refused; Apply reads it back.
			if out, err := d.Apply(edit); err == nil && bytes.Equal(out, content) {
				t.Fatal("a decision changes nothing")
			}
		}
	})
}

// FuzzURL: a URL that is covered by a pattern has its scheme and its host.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"https://a.example/mcp", "https://a.example/../b", "https://a.example@b.example/", "https://A.EXAMPLE.:443/mcp/x?y#z", "https://xn--a/", "https://[::1]/", "//x", ""} {
		f.Add(s)
	}
	p, err := parsePattern("https://a.example/mcp/*?*")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := parseLocation(s)
		if err != nil || !p.covers(l) {
			return
		}
		if l.scheme != "https" || l.host != "a.example:443" || !bytes.HasPrefix([]byte(l.path), []byte("/mcp/")) || bytes.Contains([]byte(l.path), []byte("..")) && bytes.Contains([]byte(l.path), []byte("/../")) {
			t.Fatalf("%q is covered: %+v", s, l)
		}
		if again, err := parsePattern(NormalURL(s)); err == nil && again.host != l.host {
			t.Fatalf("%q: %q", s, NormalURL(s))
		}
	})
}

// FuzzPlainNPM: the short way reads the same out of a purl as the library.
func FuzzPlainNPM(f *testing.F) {
	for _, s := range []string{"pkg:npm/%40acme/files@1.2.3", "pkg:npm/x", "pkg:npm/x@", "pkg:npm/x@1.0.0-rc.1", "pkg:npm/a/b@1", "pkg:npm/@a/b@1", "pkg:npm/x@1@2", "pkg:npm/x@1?y=z", "pkg:npm/x%2fy", "pkg:npm/%40a/b/c", "pkg:npm/..", "pkg:npm/x#y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		short, ok := plainNPM(s)
		if !ok {
			return
		}
		p, err := packageurl.FromString(s)
		if want := (pkg{p.Type + "/" + p.Namespace + "/" + p.Name, p.Version}); err != nil || want != short || len(p.Qualifiers) > 0 || p.Subpath != "" {
			t.Errorf("%q: %v, the library %v, %v", s, short, want, err)
		}
	})
}
