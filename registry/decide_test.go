package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

const today = "2026-11-22"

func document(body string) *analyzers.Source {
	return &analyzers.Source{Path: "r.yaml", Bytes: []byte("apiVersion: sallyport/v1\nkind: Registry\n" + body)}
}

func mustLoad(t testing.TB, body string) *Registry {
	t.Helper()
	r, _, err := Load(document(body), today)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const organisation = `
units:
  - {id: acme}
  - {id: payments, parent: acme}
  - {id: cards, parent: payments}
  - {id: labs, parent: acme}
projects:
  - {id: billing, unit: cards}
environments: [{id: dev}, {id: prod}]
roles: [{id: lead}, {id: intern}]
clients: [{id: cursor}]
`

// TestInheritance is the rule of the package's documentation, as a table: each
// row is the entries (STATUS PLACE [CONDITION]), who asks, and the answer.
func TestInheritance(t *testing.T) {
	for _, test := range []struct {
		entries []string
		who     string
		want    Status
		place   string
	}{
		// Default deny; everyone.
		{nil, "unit=cards", Unapproved, ""},
		{[]string{"approved everyone"}, "everyone", Approved, "everyone"},
		{[]string{"approved everyone"}, "project=billing", Approved, "everyone"},
		{[]string{"denied everyone"}, "project=billing", Denied, "everyone"},

		// Nearest wins, in both directions.
		{[]string{"approved everyone", "denied unit payments"}, "unit=cards", Denied, "unit payments"},
		{[]string{"approved everyone", "denied unit payments"}, "unit=labs", Approved, "everyone"},
		{[]string{"denied everyone", "approved unit payments"}, "unit=payments", Approved, "unit payments"},
		{[]string{"denied everyone", "approved unit payments"}, "unit=acme", Denied, "everyone"},
		{[]string{"denied unit acme", "approved unit cards"}, "project=billing", Approved, "unit cards"},
		{[]string{"approved unit cards", "denied project billing"}, "project=billing", Denied, "project billing"},
		{[]string{"approved unit cards", "denied project billing"}, "unit=cards", Approved, "unit cards"},
		{[]string{"quarantined unit payments", "approved unit acme"}, "unit=cards", Quarantined, "unit payments"},

		// At the same place: denial, quarantine, approval; order does not count.
		{[]string{"approved unit acme", "denied unit acme"}, "unit=cards", Denied, "unit acme"},
		{[]string{"denied unit acme", "approved unit acme"}, "unit=cards", Denied, "unit acme"},
		{[]string{"approved unit acme", "quarantined unit acme"}, "unit=cards", Quarantined, "unit acme"},
		{[]string{"quarantined everyone", "denied everyone"}, "everyone", Denied, "everyone"},

		// Siblings and those above see nothing.
		{[]string{"approved unit cards"}, "unit=labs", Unapproved, ""},
		{[]string{"approved unit cards"}, "unit=payments", Unapproved, ""},
		{[]string{"denied unit cards"}, "everyone", Unapproved, ""},

		// A run-out entry is as if it were not there.
		{[]string{"approved everyone", "denied unit cards until 2026-11-21"}, "unit=cards", Approved, "everyone"},
		{[]string{"approved everyone until 2026-11-21"}, "unit=cards", Expired, ""},
		{[]string{"approved everyone until 2026-11-22"}, "unit=cards", Approved, "everyone"},
		{[]string{"denied everyone", "approved unit cards until 2026-11-21"}, "unit=cards", Denied, "everyone"},

		// Conditions narrow; what is not known holds for all but approvals.
		{[]string{"approved everyone environments dev"}, "environment=dev", Approved, "everyone"},
		{[]string{"approved everyone environments dev"}, "environment=prod", Unapproved, ""},
		{[]string{"approved everyone environments dev"}, "everyone", Unapproved, ""},
		{[]string{"approved everyone", "denied everyone environments prod"}, "environment=dev", Approved, "everyone"},
		{[]string{"approved everyone", "denied everyone environments prod"}, "environment=prod", Denied, "everyone"},
		{[]string{"approved everyone", "denied everyone environments prod"}, "everyone", Denied, "everyone"},
		{[]string{"approved everyone", "denied unit cards environments prod"}, "unit=cards,environment=dev", Approved, "everyone"},
		{[]string{"approved everyone roles lead"}, "role=intern,role=lead", Approved, "everyone"},
		{[]string{"approved everyone roles lead"}, "role=intern", Unapproved, ""},
		{[]string{"approved everyone", "denied everyone roles intern"}, "role=intern,role=lead", Denied, "everyone"},
		{[]string{"approved everyone clients cursor"}, "client=cursor", Approved, "everyone"},
		{[]string{"approved everyone clients cursor"}, "client=zed", Unapproved, ""},
	} {
		var body strings.Builder
		body.WriteString(organisation + "servers:\n")
		if test.entries == nil {
			body.Reset()
			body.WriteString(organisation)
		}
		for i, line := range test.entries {
			words := strings.Fields(line)
			status, rest := words[0], words[1:]
			// A wider match for all but approvals keeps equal matches apart.
			match := `{argv: [npx, "-y", a@1.0.0]}`
			if status == "denied" {
				match = "{purl: pkg:npm/a}"
			} else if status == "quarantined" {
				match = "{purl: pkg:npm/a@1.0.0}"
			}
			fmt.Fprintf(&body, "  - id: e%d\n    match: %s\n    status: %s\n", i, match, status)
			for len(rest) > 0 {
				switch rest[0] {
				case "everyone":
					rest = rest[1:]
				case "until":
					fmt.Fprintf(&body, "    evidence: {until: %s}\n", rest[1])
					rest = rest[2:]
				default:
					fmt.Fprintf(&body, "    %s: [%s]\n", strings.TrimSuffix(rest[0], "s")+"s", rest[1])
					rest = rest[2:]
				}
			}
		}
		r := mustLoad(t, body.String())
		who, err := r.Doc.ParseWho(test.who)
		if err != nil {
			t.Fatal(err)
		}
		d := r.Decide(Command(argv("npx -y a@1.0.0")), who, "", today)
		if d.Status != test.want || d.Place != test.place || d.Allowed != (test.want == Approved) || d.Reason == "" {
			t.Errorf("%q, %s: %s at %q (%s), want %s at %q", test.entries, test.who, d.Status, d.Place, d.Reason, test.want, test.place)
		}
	}
}

func TestPath(t *testing.T) {
	r := mustLoad(t, organisation)
	for who, want := range map[string]string{
		"everyone":        "everyone",
		"unit=cards":      "unit cards,unit payments,unit acme,everyone",
		"project=billing": "project billing,unit cards,unit payments,unit acme,everyone",
	} {
		w, err := r.Doc.ParseWho(who)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Decide(Identity{}, w, "", today).Path, ","); got != want {
			t.Errorf("%s: %s", who, got)
		}
	}
	for _, bad := range []string{"unit", "unit=", "unit=nowhere", "team=acme", "unit=labs,project=billing", "unit=acme,unit=labs", "role=boss", "environment=x"} {
		if w, err := r.Doc.ParseWho(bad); err == nil {
			t.Errorf("%q is read as %s", bad, w)
		}
	}
}

func TestTools(t *testing.T) {
	r := mustLoad(t, `servers:
  - {id: a, match: {purl: pkg:npm/a@1.0.0}, status: approved, tools: {deny: [delete]}}
  - {id: b, match: {purl: pkg:npm/b@1.0.0}, status: approved, tools: {allow: [read, write], deny: [write]}}
  - {id: c, match: {purl: pkg:npm/c@1.0.0}, status: approved, tools: {allow: []}}
  - {id: d, match: {purl: pkg:npm/d@1.0.0}, status: approved}
  - {id: d2, match: {argv: [npx, d@1.0.0]}, status: approved, tools: {deny: [drop]}}
`)
	for _, test := range []struct {
		server, tool string
		want         bool
	}{
		{"a", "read", true}, {"a", "delete", false}, {"a", "Delete", true}, {"a", "", true},
		{"b", "read", true}, {"b", "write", false}, {"b", "other", false},
		{"c", "read", false}, {"c", "", true},
		{"d", "read", true}, {"d", "drop", false}, // another approval at the same place denies it
	} {
		d := r.Decide(Command([]string{"npx", test.server + "@1.0.0"}), Who{}, test.tool, today)
		if d.Allowed != test.want || d.Tool == test.want && test.tool != "" {
			t.Errorf("%s %s: %+v", test.server, test.tool, d)
		}
	}
}

func TestSurfaceDecision(t *testing.T) {
	r := mustLoad(t, `servers:
  - {id: a, match: {purl: pkg:npm/a@1.0.0}, status: approved, manifest: {digest: "`+digest1+`"}}
  - {id: b, match: {purl: pkg:npm/b@1.0.0}, status: approved}
`)
	id := Command([]string{"npx", "a@1.0.0"})
	for surface, want := range map[string]Status{"": Approved, digest1: Approved, digest2: Changed} {
		id.Surface = surface
		if d := r.Decide(id, Who{}, "", today); d.Status != want || want == Changed && d.Changed != "surface" {
			t.Errorf("%q: %+v", surface, d)
		}
	}
	for _, test := range []struct {
		name, digest string
		want         Status
	}{{"a", digest1, Approved}, {"anything", digest1, Approved}, {"a", digest2, Changed}, {"b", digest2, Approved}, {"c", digest2, Unapproved}} {
		if d := r.Surface(test.name, test.digest, Who{}, today); d.Status != test.want {
			t.Errorf("%s %s: %s", test.name, short(test.digest), d.Reason)
		}
	}
}

func TestNearest(t *testing.T) {
	r := mustLoad(t, organisation+`servers:
  - {id: a, match: {purl: pkg:npm/a@1.0.0}, status: approved, environments: [prod], units: [labs]}
`)
	for who, want := range map[string]string{
		"everyone":              "only for unit labs",
		"unit=labs":             "only for environment prod",
		"environment=prod":      "only for unit labs",
		"unit=cards":            "only for unit labs",
		"unit=labs,client=zed":  "only for environment prod",
		"project=billing":       "only for unit labs",
		"unit=labs,role=intern": "only for environment prod",
	} {
		w, err := r.Doc.ParseWho(who)
		if err != nil {
			t.Fatal(err)
		}
		if d := r.Decide(Command([]string{"npx", "a@1.0.0"}), w, "", today); d.Status != Unapproved || !strings.Contains(d.Reason, want) {
			t.Errorf("%s: %s", who, d.Reason)
		}
	}
}

func TestCheck(t *testing.T) {
	entry := func(id, rest string) string { return "  - {id: " + id + ", " + rest + "}\n" }
	const by = ", evidence: {approvedBy: alice}"
	full := by + `, manifest: {digest: "` + digest1 + `"}`
	for _, test := range []struct {
		name, body string
		want       []string // in order; "" for none
	}{
		{"clean", entry("a", "match: {purl: pkg:npm/a@1.0.0}, status: approved"+full), nil},
		{"duplicate", entry("a", "match: {purl: pkg:npm/a@1.0.0}, status: approved"+full) + entry("b", "match: {purl: pkg:npm/a@1.0.0}, status: approved"+full),
			[]string{`4:5: warning: server "b" says what "a" says already`}},
		{"duplicate in another spelling", entry("a", "match: {url: 'https://A.example:443/'}, status: denied") + entry("b", "match: {url: 'https://a.example'}, status: denied"),
			[]string{`warning: server "b" says`}},
		{"conflict", entry("a", "match: {purl: pkg:npm/a@1.0.0}, status: approved"+full) + entry("b", "match: {purl: pkg:npm/a@1.0.0}, status: denied"),
			[]string{`error: servers "a" and "b" match the same`, `warning: server "a" can never be approved`}[:1]},
		{"two manifests", entry("a", "match: {purl: pkg:npm/a@1.0.0}, status: approved"+full) + entry("b", "match: {purl: pkg:npm/a@1.0.0}, status: approved"+strings.Replace(full, digest1, digest2, 1)),
			[]string{`error: servers "a" and "b"`}},
		{"shadowed", entry("a", "match: {argv: [npx, a@1.0.0]}, status: approved"+full) + entry("b", "match: {purl: pkg:npm/a}, status: denied"),
			[]string{`3:5: warning: server "a" can never be approved: "b" denies it at the same place`}},
		{"shadowed by a URL", entry("b", "match: {url: 'https://a.example/*'}, status: denied") + entry("a", "match: {url: 'https://a.example/x/*'}, status: approved"+full),
			[]string{`warning: server "a" can never be approved`}},
		{"not shadowed by a narrower one", entry("a", "match: {url: 'https://a.example/*'}, status: approved"+full) + entry("b", "match: {url: 'https://a.example/x'}, status: denied"), nil},
		{"not shadowed by another environment", entry("a", "match: {argv: [npx, a@1.0.0]}, status: approved"+full) + entry("b", "match: {purl: pkg:npm/a}, status: denied, environments: [prod]"), nil},
		{"not shadowed from above", entry("a", "match: {argv: [npx, a@1.0.0]}, status: approved, units: [labs]"+full) + entry("b", "match: {purl: pkg:npm/a}, status: denied"), nil},
		{"expired", entry("a", "match: {purl: pkg:npm/a@1.0.0}, status: approved, evidence: {until: 2026-11-21}"), []string{`warning: server "a": the decision ran out on 2026-11-21`}},
		{"contradiction", entry("a", "match: {argv: [npx, b@1.0.0], purl: pkg:npm/a@1.0.0}, status: denied"), []string{`can never match: its argv does not start pkg:npm/a@1.0.0`}},
		{"package and image", entry("a", "match: {purl: pkg:npm/a, image: acme/a}, status: denied"), []string{`can never match: a server starts a package or an image`}},
		{"notes", entry("a", "match: {argv: [npx, a]}, status: approved"), []string{`note: server "a" is approved without a manifest, and the command line starts whatever version`, `note: server "a" is approved by nobody`}},
	} {
		doc, err := Parse(document("units: [{id: labs}]\nenvironments: [{id: prod}]\nservers:\n" + test.body))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		_, problems := Compile(doc, today)
		var got []string
		for _, p := range problems {
			got = append(got, strings.Replace(p.String(), "r.yaml:", "", 1))
		}
		ok := len(got) == len(test.want) || test.name == "conflict"
		for i := range test.want {
			// The head has five lines.
			want := strings.NewReplacer("3:5:", "6:5:", "4:5:", "7:5:").Replace(test.want[i])
			ok = ok && slices.ContainsFunc(got, func(g string) bool { return strings.Contains(g, want) })
		}
		if !ok {
			t.Errorf("%s:\n%s\nwant %q", test.name, strings.Join(got, "\n"), test.want)
		}
	}
}
