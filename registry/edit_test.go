package registry

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"testing"
)

// lines returns what was taken out of a text and what was put in, line by line.
func lines(before, after string) (out []string) {
	a, b := strings.SplitAfter(before, "\n"), strings.SplitAfter(after, "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	for _, l := range a {
		out = append(out, "-"+strings.TrimRight(l, "\n"))
	}
	for _, l := range b {
		out = append(out, "+"+strings.TrimRight(l, "\n"))
	}
	return out
}

func rule(t *testing.T, content []byte, r Ruling) []byte {
	t.Helper()
	d := mustParse(t, content)
	edit, err := d.Rule(r)
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.Apply(edit)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEditKeepsTheRest(t *testing.T) {
	for _, test := range []struct {
		name   string
		ruling Ruling
		want   []string
	}{
		{"deny keeps the comment behind the value", Ruling{ID: "files", Status: Denied, Approver: "security", Reason: "found: a hole", Today: today}, []string{
			"-    status: approved   # see the review",
			"+    status: denied   # see the review",
			"-      approvedBy: alice", "-      approvedAt: 2026-11-02", "-      until: 2027-11-02", "-      reason: |", "-        Read the code", "-        of this version.",
			"+      approvedBy: security", "+      approvedAt: 2026-11-22", `+      reason: "found: a hole"`,
		}},
		{"a map in braces stays one", Ruling{ID: "web", Status: Approved, Approver: "alice", Reason: "again", Today: today, AcceptUnpinned: true}, []string{
			"-    evidence: {approvedBy: bob, approvedAt: 2026-11-03, reason: ours}",
			"+    evidence: {approvedBy: alice, approvedAt: 2026-11-22, reason: again}",
		}},
		{"an entry in braces stays one", Ruling{ID: "evil", Status: Denied, Approver: "security", Reason: "still", Today: today, Until: "2027-01-01"}, []string{
			`-  - {id: evil, match: {purl: pkg:npm/evil}, status: denied, evidence: {reason: "steals, keys"}}`,
			`+  - {id: evil, match: {purl: pkg:npm/evil}, status: denied, evidence: {reason: still, approvedBy: security, approvedAt: 2026-11-22, until: 2027-01-01}}`,
		}},
		{"members that are not there come last", Ruling{ID: "tool", Status: Denied, Approver: "alice", Reason: "no", Today: today}, []string{
			"-    status: quarantined", "+    status: denied",
			"-      suggestion: review", `-      reason: 'proposed by a scan; rules with findings: 0'`,
			`+      reason: "no"`, "+      approvedBy: alice", "+      approvedAt: 2026-11-22",
		}},
	} {
		before := string(full(t))
		after := string(rule(t, []byte(before), test.ruling))
		got := map[string]bool{}
		for _, l := range lines(before, after) {
			got[l] = true
		}
		for _, w := range test.want {
			if !got[w] {
				t.Errorf("%s: no line %q in\n%s", test.name, w, strings.Join(lines(before, after), "\n"))
			}
		}
		// Every comment is still there, and every empty line.
		for _, l := range strings.Split(before, "\n") {
			if _, comment, ok := strings.Cut(l, "# "); ok && !strings.Contains(after, "# "+comment) {
				t.Errorf("%s: comment %q is lost", test.name, comment)
			}
		}
		if a, b := strings.Count(before, "\n\n"), strings.Count(after, "\n\n"); a != b {
			t.Errorf("%s: %d empty lines, were %d", test.name, b, a)
		}
		// The same again, in CRLF.
		crlf := strings.ReplaceAll(before, "\n", "\r\n")
		if got := string(rule(t, []byte(crlf), test.ruling)); strings.ReplaceAll(got, "\r\n", "\n") != after || strings.Count(got, "\n") != strings.Count(got, "\r\n") {
			t.Errorf("%s: CRLF is edited otherwise", test.name)
		}
	}
}

func TestAdd(t *testing.T) {
	e := &Entry{ID: "new", Match: Match{Argv: []string{"npx", "-y", "a b", "é\u202e\n\"'", "yes", "1.0", ""}}, Status: Quarantined, Evidence: Evidence{Findings: []string{}, Suggestion: "review"}}
	for name, body := range map[string]string{
		"no list":               "name: x\n",
		"no list, no line end":  "name: x",
		"an empty list":         "servers: []\n",
		"an empty list, more":   "servers: [ ] # none yet\nname: x\n",
		"indented":              "servers:\n  - id: a\n    match: {purl: pkg:npm/a}\n    status: denied\n# the end\n",
		"not indented":          "servers:\n- id: a\n  match:\n    purl: pkg:npm/a\n  status: denied\nname: x\n",
		"wide":                  "servers:\n    -   id: a\n        match: {purl: pkg:npm/a}\n        status: denied",
		"in brackets":           "servers: [{id: a, match: {purl: pkg:npm/a}, status: denied}] # ours\n",
		"a block scalar at end": "servers:\n  - id: a\n    match: {purl: pkg:npm/a}\n    status: denied\n    evidence:\n      reason: |\n        two\n        lines\n",
		"comment after the end": "servers:\n  - id: a\n    match: {purl: pkg:npm/a}\n    status: denied # no\n    # more to come\n",
		"comment with a dash":   "servers:\n  - # - x\n    id: a\n    match: {purl: pkg:npm/a}\n    status: denied\n",
	} {
		d := mustParse(t, document(body).Bytes)
		two := *e
		two.ID = "second"
		two.Match.Argv = []string{"x"}
		out, err := d.Apply(Edit{Added: []*Entry{e, &two}})
		if name == "comment with a dash" && errors.Is(err, ErrLayout) {
			continue // refused, nothing written
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again := mustParse(t, out)
		if n := len(again.Servers); n < 2 || again.Servers[n-2].text() != e.text() || again.Servers[n-1].ID != "second" {
			t.Errorf("%s:\n%s", name, out)
		}
		if strings.ContainsAny(string(out), "\u202e") || strings.Contains(string(out), ": \n") || strings.Contains(string(out), "servers: \n") {
			t.Errorf("%s: hidden characters or trailing blanks:\n%s", name, out)
		}
	}
}

// TestEditsRandomly edits the full document again and again: every answer says
// what was asked for (Apply reads it back), and the comments stay.
func TestEditsRandomly(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	content := full(t)
	comments := bytes.Count(content, []byte("#"))
	for i := range 300 {
		d := mustParse(t, content)
		ids := []string{"files", "web", "evil", "tool"}
		e := *d.Entry(ids[random.Intn(len(ids))])
		e.Status = []Status{Denied, Quarantined}[random.Intn(2)]
		switch random.Intn(6) {
		case 0:
			e.Manifest = Manifest{Digest: digest2}
		case 1:
			e.Manifest = Manifest{}
		case 2:
			e.Evidence.Reason = []string{"", "yes", "a: b # c", "multi\nline", "- x", "[y", "ünï"}[random.Intn(7)]
		case 3:
			e.Evidence.Until = []string{"", "2027-01-01"}[random.Intn(2)]
		case 4:
			e.Evidence.Findings = [][]string{nil, {}, {"low a-b"}}[random.Intn(3)]
		case 5:
			e.Tools.Deny = [][]string{nil, {}, {"x", "y z"}}[random.Intn(3)]
		}
		out, err := d.Apply(Edit{Changed: []*Entry{&e}})
		if err != nil {
			t.Fatalf("%d: %v\n%s\n%s", i, err, e.text(), content)
		}
		content = out
	}
	// Two comments stand on lines whose values change; they stay, too.
	if n := bytes.Count(content, []byte("# ")); n < comments {
		t.Errorf("%d comments of %d are left:\n%s", n, comments, content)
	}
}

func TestApplyRefuses(t *testing.T) {
	d := mustParse(t, full(t))
	if _, err := d.Apply(Edit{Changed: []*Entry{{ID: "nobody"}}}); err == nil {
		t.Error("an unknown entry is changed")
	}
	if _, err := d.Apply(Edit{Added: []*Entry{d.Servers[0]}}); err == nil {
		t.Error("an entry is added twice")
	}
	if _, err := d.Apply(Edit{Added: []*Entry{{ID: "x y", Status: Denied}}}); !errors.Is(err, ErrLayout) {
		t.Errorf("an entry that cannot be read back is written: %v", err)
	}
	out, err := d.Apply(Edit{})
	if err != nil || !bytes.Equal(out, d.Source.Bytes) {
		t.Error("an empty edit changes the document")
	}
}

func TestRule(t *testing.T) {
	d := mustParse(t, full(t))
	for _, test := range []struct {
		ruling Ruling
		want   string
	}{
		{Ruling{ID: "nobody", Status: Denied}, "no server"},
		{Ruling{ID: "files", Status: Denied, Approver: "security"}, "needs a reason"},
		{Ruling{ID: "files", Status: Denied, Reason: "x"}, "needs a name"},
		{Ruling{ID: "files", Status: Denied, Reason: "x", Approver: "security", Until: "soon"}, "needs a date"},
		{Ruling{ID: "files", Status: Denied, Reason: "x", Approver: "security", Until: "2026-11-21"}, "is over already"},
		{Ruling{ID: "files", Status: Approved, Reason: "x", Approver: "security", Digest: "sha256:x"}, "--digest needs"},
		{Ruling{ID: "files", Status: Denied, Reason: "x", Approver: "mallory"}, "may not decide"},
		{Ruling{ID: "web", Status: Denied, Reason: "x", Approver: "security"}, "may not decide"}, // of payments
		{Ruling{ID: "web", Status: Approved, Reason: "x", Approver: "alice"}, "no manifest digest"},
		{Ruling{ID: "tool", Status: Approved, Reason: "x", Approver: "bob", AcceptUnpinned: true}, "by its digest"},
		{Ruling{ID: "evil", Status: Approved, Reason: "x", Approver: "security", AcceptUnpinned: true}, "exact version"},
	} {
		test.ruling.Today = today
		_, err := d.Rule(test.ruling)
		var refused *Refusal
		if !errors.As(err, &refused) || !strings.Contains(refused.Problem, test.want) || refused.Hint == "" {
			t.Errorf("%+v: %v, want %q", test.ruling, err, test.want)
		}
	}
	edit, err := d.Rule(Ruling{ID: "web", Status: Approved, Reason: "x", Approver: "alice", Today: today, Digest: digest2})
	if err != nil || edit.Changed[0].Manifest.Digest != digest2 || edit.Changed[0].Evidence.ApprovedAt != today {
		t.Error(edit, err)
	}
}

func TestScalar(t *testing.T) {
	for _, s := range []string{"", " ", "a", "a b", "a ", "yes", "No", "null", "~", "1", "1.0", "1e5", "0x1f", "0o7", "-1", "+1", ".5", ".inf", "2026-11-22", "a: b", "a:b", "a #b", "#a", "- a", "-", "? a", "[a", "{a", "a, b", "a]", "*a", "&a", "!a", "|", ">", "%a", "@a", "`a", "'a'", `"a"`, "a\nb", "a\tb", "é", "日本", "\u202e", "\U000e0041", "a\u0000b", "\ufeff", "1:30", "<<", "=", "a\\b", "true", "on", "y", "_", "/a/b", "x@1.0.0", "a  b", "\u2028"} {
		if strings.ContainsRune(s, 0) {
			continue // refused when read
		}
		for _, body := range []string{"servers:\n  - id: a\n    match: {argv: [x, %s]}\n    status: denied\n    evidence:\n      reason: %s\n", "servers: [{id: a, match: {argv: [x, %s]}, status: denied, evidence: {reason: %s}}]\n"} {
			d, err := Parse(document(fmt.Sprintf(body, scalar(s), scalar(s))))
			if err != nil {
				t.Errorf("%q as %s: %v", s, scalar(s), err)
				continue
			}
			if e := d.Servers[0]; e.Match.Argv[1] != s || e.Evidence.Reason != s {
				t.Errorf("%q as %s is read as %q", s, scalar(s), e.Match.Argv[1])
			}
		}
	}
}
