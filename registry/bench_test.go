package registry

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// large is a registry of n servers as propose and approve write them.
func large(n int) []byte {
	var b strings.Builder
	b.WriteString("apiVersion: sallyport/v1\nkind: Registry\n" + organisation + "servers:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - id: server-%d\n    transport: stdio\n    match:\n      argv: [npx, \"-y\", \"@acme/server-%d@1.%d.0\", --root, /srv/%d]\n      purl: \"pkg:npm/%%40acme/server-%d@1.%d.0\"\n    status: approved\n    manifest:\n      digest: sha256:%064x\n    units: [payments]\n    tools:\n      allow: [read_file, list_files, search]\n      deny: [delete_file]\n    evidence:\n      findings: [low unpinned-package]\n      approvedBy: alice\n      approvedAt: 2026-11-02\n      reason: read the code of this version\n\n", i, i, i%9, i, i, i%9, i)
	}
	return []byte(b.String())
}

// BenchmarkLoad parses, checks and compiles a registry of 500 servers.
func BenchmarkLoad(b *testing.B) {
	content := large(500)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, problems, err := Load(&analyzers.Source{Path: "r.yaml", Bytes: content}, today); err != nil || len(problems) > 0 {
			b.Fatal(err, problems)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	r, _, err := Load(&analyzers.Source{Path: "r.yaml", Bytes: large(500)}, today)
	if err != nil {
		b.Fatal(err)
	}
	id := r.Doc.Servers[250].Match.Identity()
	who := Who{Unit: "cards"}
	for b.Loop() {
		if d := r.Decide(id, who, "read_file", today); !d.Allowed {
			b.Fatal(d.Reason)
		}
	}
}

// BenchmarkApprove edits one entry of 500 and reads the answer back.
func BenchmarkApprove(b *testing.B) {
	d, err := Parse(&analyzers.Source{Path: "r.yaml", Bytes: large(500)})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		edit, err := d.Rule(Ruling{ID: "server-250", Status: Denied, Approver: "alice", Reason: "no", Today: today})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.Apply(edit); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkYAML is the YAML parser alone on the same document, to compare.
func BenchmarkYAML(b *testing.B) {
	content := large(500)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		var n yaml.Node
		if err := yaml.Unmarshal(content, &n); err != nil {
			b.Fatal(err)
		}
	}
}
