package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
)

const today = "2026-11-22"

// pick is one of a list.
func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// some is a part of a list, in its order, not empty.
func some(r *rand.Rand, list ...string) []string {
	var out []string
	for _, s := range list {
		if r.IntN(3) == 0 {
			out = append(out, s)
		}
	}
	if out == nil {
		out = []string{pick(r, list...)}
	}
	return out
}

var (
	units    = []string{"acme", "payments", "cards", "labs", "lone"}
	projects = []string{"billing", "ledger", "free"}
	tools    = []string{"read", "write", "drop", `odd"\tool`}
	digests  = []string{"sha256:" + strings.Repeat("a", 64), "sha256:" + strings.Repeat("b", 64)}
)

const head = `apiVersion: sallyport/v1
kind: Registry
units:
  - {id: acme}
  - {id: payments, parent: acme}
  - {id: cards, parent: payments}
  - {id: labs, parent: acme}
  - {id: lone}
projects:
  - {id: billing, unit: cards}
  - {id: ledger, unit: acme}
  - {id: free}
environments: [{id: dev}, {id: prod}]
roles: [{id: lead}, {id: intern}]
zones: [{id: inside}]
clients: [{id: cursor}, {id: zed}]
servers:
`

// matches all have to do with the package a or the URL of web, so that most
// entries meet. The last two are for no approval.
var matches = []string{
	`{argv: [npx, "-y", a@1.0.0]}`, `{purl: pkg:npm/a@1.0.0}`, `{purl: pkg:npm/a@2.0.0}`, `{url: "https://web.example/mcp"}`, `{url: "https://web.example/*"}`,
	`{argv: [npx, "-y", a@1.0.0], env: [PATH]}`, `{purl: pkg:npm/a}`, `{argv: [npx, b]}`,
}

func randomRegistry(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString(head)
	for i := range 1 + r.IntN(7) {
		status := pick(r, "approved", "approved", "approved", "denied", "quarantined")
		match := matches[r.IntN(len(matches)-2)]
		if status != "approved" {
			match = pick(r, matches...)
		}
		fmt.Fprintf(&b, "  - id: e%d\n    match: %s\n    status: %s\n", i, match, status)
		list := func(key string, ids []string) {
			quoted := make([]string, len(ids))
			for i, id := range ids {
				quoted[i] = fmt.Sprintf("%q", id)
			}
			fmt.Fprintf(&b, "    %s: [%s]\n", key, strings.Join(quoted, ", "))
		}
		if r.IntN(2) == 0 {
			list("units", some(r, units...))
		}
		if r.IntN(4) == 0 {
			list("projects", some(r, projects...))
		}
		if r.IntN(4) == 0 {
			list("environments", some(r, "dev", "prod"))
		}
		if r.IntN(5) == 0 {
			list("roles", some(r, "lead", "intern"))
		}
		if r.IntN(5) == 0 {
			list("clients", some(r, "cursor", "zed"))
		}
		if r.IntN(3) == 0 {
			fmt.Fprintf(&b, "    manifest: {digest: %q}\n", pick(r, digests...))
		}
		if r.IntN(4) == 0 {
			fmt.Fprintf(&b, "    evidence: {until: %s}\n", pick(r, "2026-11-21", "2026-11-22", "2026-11-23", "0000-01-01", "9999-12-31"))
		}
		if r.IntN(2) == 0 {
			b.WriteString("    tools:\n")
			switch r.IntN(4) {
			case 0:
				b.WriteString("      allow: []\n")
			case 1, 2:
				fmt.Fprintf(&b, "      allow: [%q]\n", pick(r, tools...))
			}
			fmt.Fprintf(&b, "      deny: [%q]\n", pick(r, tools...))
		}
	}
	return b.String()
}

func randomIdentity(r *rand.Rand) registry.Identity {
	var id registry.Identity
	switch r.IntN(6) {
	case 0:
		id = registry.Command([]string{"npx", "-y", "a@2.0.0"})
	case 1:
		id = registry.Identity{URL: "https://web.example/mcp"}
	case 2:
		id = registry.Command([]string{"npx", "-y", "a@1.0.0", "x"})
	case 3:
		id = registry.Command([]string{"npx", "b"})
	default:
		id = registry.Command([]string{"npx", "-y", "a@1.0.0"})
	}
	id.Surface = pick(r, "", "", digests[0], digests[1])
	id.Client = pick(r, "", "cursor")
	id.Name = pick(r, "", "e0")
	if r.IntN(6) == 0 {
		id.Env = []string{"PATH"}
	}
	return id
}

func randomWho(r *rand.Rand) registry.Who {
	w := registry.Who{
		Unit:        pick(r, append(units, "", "unheard-of")...),
		Project:     pick(r, append(projects, "", "", "", "unheard-of")...),
		Environment: pick(r, "", "dev", "prod", "test"),
		Client:      pick(r, "", "cursor", "zed", "other"),
	}
	if r.IntN(2) == 0 {
		w.Roles = some(r, "lead", "intern", "boss", "")
	}
	return w
}

// agree holds the compiled policies of one registry to registry.Decide.
func agree(t testing.TB, seed1, seed2 uint64) {
	r := rand.New(rand.NewPCG(seed1, seed2))
	text := randomRegistry(r)
	reg, _, err := registry.Load(&analyzers.Source{Path: "r.yaml", Bytes: []byte(text)}, today)
	if err != nil {
		return // equal matches that decide differently
	}
	set, problems, err := Compile(reg)
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	for range 4 {
		id := randomIdentity(r)
		server := set.Server(id)
		for range 12 {
			who, tool := randomWho(r), pick(r, append(tools, "", "other")...)
			q := &Request{Who: who, Action: Connect, Today: today}
			if tool != "" {
				q.Action, q.Name = pick(r, CallTool, ListTools), tool
			} else if r.IntN(2) == 0 {
				q.Action, q.Name = pick(r, GetPrompt, Sampling, ReadResource), "x"
			}
			want := reg.Decide(id, who, tool, today)
			for range 2 { // the second comes from memory
				got := server.Decide(q)
				if got.Allowed != want.Allowed || got.Status != want.Status || got.Entry != want.Entry || got.Reason != want.Reason || !got.Allowed && got.Next == "" {
					var policies []string
					for _, p := range server.Policies() {
						policies = append(policies, p.Text)
					}
					t.Fatalf("seed %d %d\n%s\nidentity %+v\nwho %+v\ntool %q\ngot  %+v\nwant %+v\n%s", seed1, seed2, text, id, who, tool, got, want, strings.Join(policies, "\n\n"))
				}
			}
		}
	}
}

// TestAgree: the policies compiled from a registry decide as the registry does,
// over thousands of registries, servers and people.
func TestAgree(t *testing.T) {
	n := uint64(2000)
	if testing.Short() {
		n = 300
	}
	for i := range n {
		agree(t, i, 1)
	}
}

func FuzzAgree(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) { agree(t, a, b) })
}

// TestAgreeIsNotVacuous: the generator reaches every status, several approvals
// and denials at once, and tools that only one of them denies.
func TestAgreeIsNotVacuous(t *testing.T) {
	seen := map[string]int{}
	for i := range uint64(400) {
		r := rand.New(rand.NewPCG(i, 1))
		reg, _, err := registry.Load(&analyzers.Source{Path: "r.yaml", Bytes: []byte(randomRegistry(r))}, today)
		if err != nil {
			seen["refused"]++
			continue
		}
		for range 40 {
			d := reg.Decide(randomIdentity(r), randomWho(r), pick(r, tools...), today)
			seen[string(d.Status)]++
			if d.Allowed {
				seen["allowed"]++
			}
			if d.Tool {
				seen["tool"]++
			}
			if strings.HasPrefix(d.Place, "project") {
				seen["project"]++
			}
		}
	}
	for _, want := range []string{"refused", "allowed", "tool", "project", "approved", "denied", "quarantined", "unapproved", "expired", "changed"} {
		if seen[want] < 20 {
			t.Errorf("%s: %d of %v", want, seen[want], seen)
		}
	}
	if !slices.Contains(units, "lone") {
		t.Error("a tree of its own is missing")
	}
}
