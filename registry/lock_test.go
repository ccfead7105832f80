package registry

import (
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

var sri1, sri2 = "sha512-" + strings.Repeat("A+/", 28) + "AA==", "sha512-" + strings.Repeat("B+/", 28) + "BB=="

func TestLocked(t *testing.T) {
	npm := &analyzers.Source{Path: "x/package-lock.json", Bytes: []byte(`{"lockfileVersion":3,"packages":{
		"":{"name":"mine","version":"1.0.0"},
		"node_modules/@acme/files":{"version":"1.2.3","integrity":"` + sri1 + `"},
		"node_modules/x/node_modules/@acme/files":{"version":"1.0.0","integrity":"` + sri2 + `"},
		"node_modules/alias":{"name":"real","version":"2.0.0","integrity":"` + sri2 + `"},
		"node_modules/two":{"version":"1.0.0","integrity":"` + sri1 + `"},
		"node_modules/x/node_modules/two":{"version":"1.0.0","integrity":"` + sri2 + `"},
		"node_modules/old":{"version":"1.0.0","integrity":"sha1-abc"},
		"node_modules/link":{"resolved":"packages/link","link":true},
		"node_modules/odd":1}}`)}
	uv := &analyzers.Source{Path: "uv.lock", Bytes: []byte("version = 1\n[[package]]\nname = \"acme-query\"\nversion = \"2.0.1\"\nsource = { registry = \"https://r.example/simple\" }\nwheels = [\n    { url = \"https://r.example/a.whl\", hash = \"" + digest2 + "\" },\n    { url = \"https://r.example/b.whl\", hash = \"" + digest1 + "\" },\n]\n[[package]]\nname = \"mine\"\nversion = \"0\"\nsource = { virtual = \".\" }\n")}
	for _, test := range []struct {
		src  *analyzers.Source
		want map[string][]string
	}{
		{npm, map[string][]string{"pkg:npm/%40acme/files@1.2.3": {sri1}, "pkg:npm/%40acme/files@1.0.0": {sri2}, "pkg:npm/real@2.0.0": {sri2}}},
		{uv, map[string][]string{"pkg:pypi/acme-query@2.0.1": {digest1, digest2}}},
		{&analyzers.Source{Path: "package-lock.json", Bytes: []byte(`{"lockfileVersion":1,"dependencies":{}}`)}, nil},
	} {
		got, err := Locked(test.src)
		if err != nil || len(got) != len(test.want) {
			t.Errorf("%s: %v %v", test.src.Path, got, err)
		}
		for purl, want := range test.want {
			if !slices.Equal(got[purl], want) {
				t.Errorf("%s: %s is %v, want %v", test.src.Path, purl, got[purl], want)
			}
		}
	}
	if _, err := Locked(&analyzers.Source{Path: "uv.lock", Bytes: []byte("[[")}); err == nil || !strings.HasPrefix(err.Error(), "uv.lock: ") {
		t.Error(err)
	}
}

func FuzzLocked(f *testing.F) {
	f.Add("package-lock.json", []byte(`{"packages":{"node_modules/a":{"version":"1.0.0","integrity":"`+sri1+`"}}}`))
	f.Add("uv.lock", []byte("[[package]]\nname = \"a\"\nversion = \"1\"\nwheels = [{hash = \"x\"}]\n"))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		locked, err := Locked(&analyzers.Source{Path: name, Bytes: content})
		if err != nil {
			return
		}
		for purl, list := range locked {
			m := Match{PURL: purl, Integrity: list}
			if err := m.check(Quarantined); err != nil {
				t.Fatalf("%s %v: %v", purl, list, err)
			}
		}
	})
}

// An entry keeps the members that only a start can check through an edit, and
// a decision tells what it needs to know.
func TestPins(t *testing.T) {
	content := document("servers:\n  - id: a\n    match:\n      argv: [./serve]\n      fileSha256: " + hex64 + "   # of 1.2\n    status: approved\n    manifest: {digest: " + digest1 + "}\n    evidence: {approvedBy: alice}\n").Bytes
	out := rule(t, content, Ruling{ID: "a", Status: Approved, Approver: "alice", Reason: "again", Today: today})
	if !strings.Contains(string(out), "fileSha256: "+hex64+"   # of 1.2\n") {
		t.Errorf("%s", out)
	}
	r, problems, err := Load(&analyzers.Source{Path: "r.yaml", Bytes: out}, today)
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	id := Command([]string{"./serve"})
	if file, script := r.Pins(id); !file || script {
		t.Error(file, script)
	}
	if file, _ := r.Pins(Command([]string{"./other"})); file {
		t.Error("an entry of something else asks for a digest")
	}
	id.FileSHA256 = hex64
	if d := r.Decide(id, Who{}, "", today); !d.Allowed {
		t.Error(d.Reason)
	}
	id.FileSHA256 = Missing
	if d := r.Decide(id, Who{}, "", today); d.Allowed || !strings.Contains(d.Reason, "what is executed cannot be read") {
		t.Errorf("%+v", d)
	}
	id.FileSHA256 = digest1[7:]
	if d := r.Decide(id, Who{}, "", today); d.Allowed || d.Changed != "file" || !strings.Contains(d.Reason, "approves another file: what is executed has the SHA-256 "+digest1[7:]) {
		t.Errorf("%+v", d)
	}
}
