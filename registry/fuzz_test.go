package registry

import (
	"bytes"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// FuzzParse: no document brings the parser down, and what it accepts can be
// compiled, decided by and edited.
func FuzzParse(f *testing.F) {
	f.Add(full(f))
	f.Add(New("r").Bytes)
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
