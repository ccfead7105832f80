package report

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func githubOf(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := writeGitHub(&b, r, Options{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGitHubGolden(t *testing.T) {
	golden(t, "github/findings.txt", []byte(githubOf(t, plainReport())))
	golden(t, "github/hostile.txt", []byte(githubOf(t, hostileReport())))
	if got := githubOf(t, cleanReport()); got != "" {
		t.Errorf("a clean scan annotates %q", got)
	}
}

// The runner reads a command from each line that begins with "::"; a property
// ends at a comma, the properties end at "::".
func TestGitHubHostile(t *testing.T) {
	command := regexp.MustCompile(`^::(error|warning|notice) ((file|line|col|endLine|endColumn|title)=[^:,\r\n]*,?)*::[^\r\n]*$`)
	r := hostileReport()
	lines := strings.Split(strings.TrimSuffix(githubOf(t, r), "\n"), "\n")
	if want := len(r.Findings) + len(r.Gaps); len(lines) != want {
		t.Errorf("%d lines, want %d", len(lines), want)
	}
	for _, line := range lines {
		if !command.MatchString(line) {
			t.Errorf("not one command: %q", line)
		}
	}
}

func TestGitHubLimits(t *testing.T) {
	for _, c := range []struct {
		name                          string
		high, medium, low, gaps       int
		errors, warnings, notes, more int
	}{
		{"all fit", 10, 10, 9, 0, 10, 10, 9, 0},
		{"one of each too many", 11, 11, 10, 0, 10, 10, 10, 3},
		{"gaps keep their room", 20, 0, 0, 5, 10, 0, 1, 15},
		{"few gaps", 9, 0, 0, 1, 10, 0, 0, 0},
	} {
		r := &Report{}
		for severity, n := range map[string]int{"high": c.high, "medium": c.medium, "low": c.low} {
			for i := range n {
				r.Findings = append(r.Findings, Finding{RuleID: "r", Severity: severity, Message: fmt.Sprint(i), Path: "a"})
			}
		}
		for range c.gaps {
			r.Gaps = append(r.Gaps, Gap{Path: "b", Reason: "unreadable", Blocking: true})
		}
		got := githubOf(t, r)
		for level, want := range map[string]int{"::error ": c.errors, "::warning ": c.warnings, "::notice ": c.notes} {
			if n := strings.Count(got, level); n != want {
				t.Errorf("%s: %d times %q, want %d", c.name, n, level, want)
			}
		}
		if more := fmt.Sprintf("… and %d more in the summary\n", c.more); strings.HasSuffix(got, more) != (c.more > 0) {
			t.Errorf("%s: want %q at the end of\n%s", c.name, more, got)
		}
	}
}

func TestGitHubWorstFirst(t *testing.T) {
	r := &Report{}
	for _, s := range []string{"high", "info", "critical", "medium", "low"} {
		r.Findings = append(r.Findings, Finding{RuleID: s, Severity: s})
	}
	var order []string
	for _, m := range regexp.MustCompile(`title=(\w+)%3A`).FindAllStringSubmatch(githubOf(t, r), -1) {
		order = append(order, m[1])
	}
	if got := strings.Join(order, " "); got != "critical high medium low info" {
		t.Error(got)
	}
}
