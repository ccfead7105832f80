package rules

import (
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

func at(path string, start int, exposure analyzers.Exposure) Finding {
	src := &analyzers.Source{Path: path, Bytes: []byte("0123456789")}
	return Finding{Span: src.Span(start, start+1), Subject: "s", Exposure: exposure}
}

func reporting(id string, severity Severity, findings ...Finding) *Rule {
	return &Rule{ID: id, Severity: severity, Confidence: Firm, Check: func(p *Pass) {
		for _, f := range findings {
			p.Report(f)
		}
	}}
}

func TestCheckOrder(t *testing.T) {
	a := reporting("a-rule", High, at("z", 1, ""), at("a", 5, ""), at("a", 2, ""), at("a", 2, ""))
	b := reporting("b-rule", Low, at("a", 2, ""))
	one, two := Check(&analyzers.Catalog{}, []*Rule{a, b}), Check(&analyzers.Catalog{}, []*Rule{b, a})
	want := []string{"a:2 a-rule", "a:2 b-rule", "a:5 a-rule", "z:1 a-rule"} // the repeated one is said once
	if len(one) != len(want) || len(two) != len(want) {
		t.Fatalf("%d and %d findings, want %d", len(one), len(two), len(want))
	}
	for i, w := range want {
		for _, f := range []Finding{one[i], two[i]} {
			if got := f.Span.Path() + ":" + string(rune('0'+f.Span.Start)) + " " + f.Rule.ID; got != w {
				t.Errorf("finding %d is %s, want %s", i, got, w)
			}
		}
		if one[i].Fingerprint != two[i].Fingerprint {
			t.Errorf("finding %d has two fingerprints", i)
		}
	}
}

func TestFingerprint(t *testing.T) {
	of := func(findings ...Finding) []string {
		var ids []string
		for _, f := range Check(&analyzers.Catalog{}, []*Rule{reporting("a-rule", High, findings...)}) {
			ids = append(ids, f.Fingerprint)
		}
		return ids
	}
	here, moved := of(at("a", 1, ""))[0], of(at("a", 7, ""))[0]
	if here != moved {
		t.Error("a line that moves changes the fingerprint")
	}
	other := at("a", 1, "")
	other.Subject = "t"
	if of(other)[0] == here || of(at("b", 1, ""))[0] == here {
		t.Error("another subject or path has the same fingerprint")
	}
	if twice := of(at("a", 1, ""), at("a", 7, "")); twice[0] == twice[1] || twice[0] != here {
		t.Errorf("two of a kind: %v", twice)
	}
}

func TestExposureLowers(t *testing.T) {
	for exposure, want := range map[analyzers.Exposure]Severity{
		analyzers.Active: High, analyzers.Project: High, "": High, analyzers.Template: Medium, analyzers.Docs: Medium, analyzers.Test: Medium,
	} {
		if got := Check(nil, []*Rule{reporting("a-rule", High, at("a", 1, exposure))})[0].Severity; got != want {
			t.Errorf("%s: %s, want %s", exposure, got, want)
		}
	}
	if got := Check(nil, []*Rule{reporting("a-rule", Info, at("a", 1, analyzers.Docs))}); len(got) != 1 || got[0].Severity != Info {
		t.Error("exposure removed a finding")
	}
}

// A hostile file can earn a million findings; what is not listed is said.
func TestMaxFindings(t *testing.T) {
	var many []Finding
	src := &analyzers.Source{Path: "a", Bytes: make([]byte, MaxFindings+7)}
	for i := range MaxFindings + 7 {
		many = append(many, Finding{Span: src.Span(i, i+1)})
	}
	found := Check(nil, []*Rule{reporting("a-rule", High, many...)})
	if last := found[len(found)-1]; len(found) != MaxFindings || !strings.HasSuffix(last.Message, "not listed: 7.") {
		t.Errorf("%d findings, the last says %q", len(found), last.Message)
	}
}

func TestSettle(t *testing.T) {
	critical := at("dir/a", 1, "")
	critical.Severity = Critical
	found := Check(nil, []*Rule{reporting("a-rule", High, at("dir/b", 1, ""), critical)})
	everything := Baseline{found[0].Fingerprint: true, found[1].Fingerprint: true}
	settled, _ := Settle(found, nil, everything, "2026-01-01")
	if Worst(settled) != Critical {
		t.Error("a baseline hides a critical finding")
	}
	for _, c := range []struct {
		s    Suppression
		hits int
	}{
		{Suppression{Rule: "a-rule", Reason: "r"}, 2},
		{Suppression{Rule: "a-rule", Path: "dir", Reason: "r"}, 2},
		{Suppression{Rule: "a-rule", Path: "dir/", Reason: "r"}, 2},
		{Suppression{Rule: "a-rule", Path: "dir/a", Reason: "r"}, 1},
		{Suppression{Rule: "a-rule", Path: "*/b", Reason: "r"}, 1},
		{Suppression{Rule: "a-rule", Path: "di", Reason: "r"}, 0},
		{Suppression{Rule: "b-rule", Reason: "r"}, 0},
		{Suppression{Rule: "a-rule", Subject: "t", Reason: "r"}, 0},
		{Suppression{Rule: "a-rule", Reason: "r", Until: "2025-12-31"}, 0},
		{Suppression{Rule: "a-rule", Reason: "r", Until: "2026-01-01"}, 2},
	} {
		settled, idle := Settle(found, []Suppression{c.s}, nil, "2026-01-01")
		hits := 0
		for _, f := range settled {
			if f.Suppressed != nil {
				hits++
			}
		}
		if hits != c.hits || (len(idle) == 1) != (c.hits == 0) || len(settled) != 2 {
			t.Errorf("%+v: %d suppressed, %d idle", c.s, hits, len(idle))
		}
	}
	if found[0].Suppressed != nil {
		t.Error("Settle changed its argument")
	}
}

func TestNames(t *testing.T) {
	for s := Info; s <= Critical; s++ {
		if got, ok := ParseSeverity(s.String()); !ok || got != s {
			t.Errorf("%s is read as %s", s, got)
		}
	}
	for _, bad := range []string{"none", "", "HIGH"} {
		if _, ok := ParseSeverity(bad); ok {
			t.Errorf("%q is a severity", bad)
		}
	}
	for c := Tentative; c <= Certain; c++ {
		if got, ok := ParseConfidence(c.String()); !ok || got != c {
			t.Errorf("%s is read as %s", c, got)
		}
	}
}
