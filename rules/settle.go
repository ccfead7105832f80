package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Suppression is a person's decision to live with findings. Rule and Reason
// are required; Path is a slash-separated pattern (path.Match, or a folder);
// an empty Path or Subject matches all.
type Suppression struct {
	Rule    string
	Path    string
	Subject string
	Reason  string
	Until   string // YYYY-MM-DD, the last day on which it counts; "" for ever
}

// Suppressed says why a finding does not gate.
type Suppressed struct {
	Kind   string // "configuration" or "baseline"
	Reason string
}

// Baseline is the set of fingerprints that were accepted earlier.
type Baseline map[string]bool

// Settle marks what a suppression or the baseline covers, and returns the
// suppressions that covered nothing or have expired by today (YYYY-MM-DD).
// Findings are marked, never removed. Known-malicious findings (critical)
// cannot be hidden by a baseline.
func Settle(findings []Finding, suppressions []Suppression, baseline Baseline, today string) (settled []Finding, idle []Suppression) {
	settled = slices.Clone(findings)
	used := make([]bool, len(suppressions))
	for i := range settled {
		f := &settled[i]
		if baseline[f.Fingerprint] && f.Severity < Critical {
			f.Suppressed = &Suppressed{Kind: "baseline", Reason: "accepted in the baseline"}
		}
		for j, s := range suppressions {
			if s.matches(f) && (s.Until == "" || today <= s.Until) {
				used[j] = true
				f.Suppressed = &Suppressed{Kind: "configuration", Reason: s.Reason}
			}
		}
	}
	for j, s := range suppressions {
		if !used[j] {
			idle = append(idle, s)
		}
	}
	return settled, idle
}

func (s Suppression) matches(f *Finding) bool {
	if s.Rule != f.Rule.ID || s.Subject != "" && s.Subject != f.Subject {
		return false
	}
	file := f.Span.Path()
	ok, _ := path.Match(s.Path, file)
	return ok || s.Path == "" || strings.HasPrefix(file, strings.TrimSuffix(s.Path, "/")+"/")
}

// Worst is the highest severity among the findings that count; zero when none
// does.
func Worst(findings []Finding) Severity {
	var worst Severity
	for _, f := range findings {
		if f.Suppressed == nil {
			worst = max(worst, f.Severity)
		}
	}
	return worst
}

// fingerprint names each finding by what does not move when lines do: rule,
// path, server, tool and subject, and a running number among equals.
func fingerprint(findings []Finding) {
	seen := map[string]int{}
	for i := range findings {
		f := &findings[i]
		sum := sha256.Sum256([]byte(strings.Join([]string{"sallyport/v1", f.Rule.ID, f.Span.Path(), f.Server, f.Tool, f.Subject}, "\x00")))
		id := hex.EncodeToString(sum[:])
		seen[id]++
		f.Fingerprint = fmt.Sprintf("%s:%d", id, seen[id])
	}
}
