package report

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

func markdownOf(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := writeMarkdown(&b, r, Options{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMarkdownGolden(t *testing.T) {
	golden(t, "markdown/findings.md", []byte(markdownOf(t, plainReport())))
	golden(t, "markdown/clean.md", []byte(markdownOf(t, cleanReport())))
	golden(t, "markdown/hostile.md", []byte(markdownOf(t, hostileReport())))
}

// Nothing of the target is live outside of code spans, and every row has the
// cells of its header.
func TestMarkdownHostile(t *testing.T) {
	page := markdownOf(t, hostileReport())
	markup := regexp.MustCompile("(?i)[\\[\\]<>&@#_~$^`\\\\{}]|://|www\\.|gh-[0-9]")
	width, rows := 0, 0
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "|") {
			width = 0
			continue
		}
		live, marks := liveMarkdown(line)
		if width == 0 {
			width = marks
		}
		if rows++; marks != width {
			t.Errorf("%d marks, want %d: %q", marks, width, line)
		}
		if markup.MatchString(live) {
			t.Errorf("live: %q", live)
		}
	}
	if rows < 15 {
		t.Errorf("only %d rows", rows)
	}
}

func TestMarkdownLimits(t *testing.T) {
	r := hostileReport()
	for len(r.Findings) < 300 {
		r.Findings = append(r.Findings, r.Findings...)
		r.Gaps = append(r.Gaps, r.Gaps...)
		r.Catalog.Servers = append(r.Catalog.Servers, r.Catalog.Servers...)
	}
	long := strings.Repeat(strings.Repeat("`", 9)+" \U000e0041|", 1000)
	for i := range r.Findings {
		r.Findings[i].Message, r.Findings[i].Path = long, long
	}
	page := markdownOf(t, r)
	if len(page) > 62_000 {
		t.Errorf("%d bytes", len(page))
	}
	if n := strings.Count(page, "… and "); n != 3 {
		t.Errorf("%d of the three tables say that they were cut", n)
	}
	for _, title := range []string{"### Not read", "### Servers"} {
		if !strings.Contains(page, title) {
			t.Errorf("%s was pushed out", title)
		}
	}
}

func TestVerdict(t *testing.T) {
	one := plainReport()
	one.Findings, one.Gaps, one.Catalog.Servers, one.Stats.Files = one.Findings[:1], nil, one.Catalog.Servers[:1], 1
	for _, c := range []struct {
		r    *Report
		want string
	}{
		{cleanReport(), "**Nothing found in 3 servers and 7 files.**"},
		{one, "**1 finding in 1 server and 1 file, the worst low.**"},
		{plainReport(), "**4 findings in 3 servers and 7 files, the worst high; 1 suppressed; incomplete: 1 input could not be read.**"},
	} {
		if page := markdownOf(t, c.r); !strings.Contains(page, c.want) {
			t.Errorf("want %q in\n%s", c.want, page)
		}
	}
}
