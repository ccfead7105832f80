package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/rules"
)

// longestText bounds one string of a target on the terminal, in runes. A name
// of a megabyte would push every other finding off the screen.
const longestText = 2000

// writeText tells the whole report to a person: every finding with its line
// of the file, what was not read, and what was looked at.
func writeText(w io.Writer, r *Report, o Options) error {
	out := bufio.NewWriter(w)
	t := textWriter{out, r, o.Color}
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Suppressed == nil {
			t.finding(f)
		}
	}
	for _, g := range r.Gaps {
		t.gap(g)
	}
	if len(r.Gaps) > 0 {
		fmt.Fprintln(out)
	}
	t.summary(r)
	return out.Flush()
}

// textWriter leaves errors to the last Flush of its bufio.Writer.
type textWriter struct {
	*bufio.Writer
	report *Report
	color  bool
}

func (t textWriter) finding(f *Finding) {
	color := severityColor(f.Severity)
	line := ""
	if f.frame != nil {
		line = fmt.Sprint(f.frame.line)
	}
	margin := strings.Repeat(" ", max(len(line), 1))

	if severityOf(f.Severity) == rules.Info && f.Path != "" { // context: one line is enough
		fmt.Fprintf(t, "%s: %s\n  %s %s\n\n", t.paint(color, "info["+printable(f.RuleID)+"]"), printable(f.Message), t.paint(blue, "-->"), t.place(f.Path, f.StartLine, f.StartColumn))
		return
	}
	fmt.Fprintf(t, "%s: %s\n", t.paint(color, severityOf(f.Severity).String()+"["+printable(f.RuleID)+"]"), t.paint(bold, printable(f.Message)))
	if f.Path != "" {
		fmt.Fprintf(t, "%s%s %s\n", margin, t.paint(blue, "-->"), t.place(f.Path, f.StartLine, f.StartColumn))
	}
	if f.frame != nil {
		bar := t.paint(blue, "|")
		fmt.Fprintf(t, "%s %s\n", margin, bar)
		fmt.Fprintf(t, "%s %s\n", t.paint(blue, line), strings.TrimRight(bar+" "+f.frame.text, " "))
		fmt.Fprintf(t, "%s %s %s%s\n", margin, bar, strings.Repeat(" ", f.frame.start), t.paint(color, strings.Repeat("^", f.frame.width)))
	}
	note := func(kind, text string) { fmt.Fprintf(t, "%s %s %s: %s\n", margin, t.paint(blue, "="), kind, text) }
	for _, related := range f.Related {
		note("note", t.related(related))
	}
	for i, step := range f.Flow {
		note(fmt.Sprintf("step %d", i+1), t.related(step))
	}
	if f.Fix != nil {
		note("fix", printable(f.Fix.Description))
	}
	note("help", "sallyport explain "+printable(f.RuleID))
	fmt.Fprintln(t)
}

func (t textWriter) gap(g Gap) {
	if g.Path != "" {
		g.Reason = fromHere(t.report, g.Path) + ": " + g.Reason
	}
	end := ""
	if g.Blocking {
		end = " " + t.paint(red, "[blocking]")
	}
	fmt.Fprintf(t, "not read: %s%s\n", printable(g.Reason), end)
}

// summary never says that all is well: it says what was looked at.
func (t textWriter) summary(r *Report) {
	bySeverity := map[string]int{}
	open := 0
	for _, f := range r.Findings {
		if f.Suppressed == nil {
			bySeverity[f.Severity]++
			open++
		}
	}
	fmt.Fprintf(t, "%s in %s of %s; %s read, %s seen\n", t.paint(bold, count(open, "finding")),
		count(len(r.Catalog.Servers), "server"), count(len(r.Catalog.Clients), "client"), count(r.Stats.Files, "file"), observed(r))

	var levels []string
	for _, word := range slices.Backward(severityWords) {
		if n := bySeverity[word]; n > 0 {
			levels = append(levels, t.paint(severityColor(word), fmt.Sprintf("%d %s", n, word)))
		}
	}
	if n := len(r.Findings) - open; n > 0 {
		levels = append(levels, fmt.Sprintf("%d suppressed", n))
	}
	if len(levels) > 0 {
		fmt.Fprintf(t, "  %s\n", strings.Join(levels, ", "))
	}
	if n := len(r.Gaps); n > 0 {
		fmt.Fprintf(t, "  %s", count(n, "gap"))
		if blocking := len(blockingGaps(r.Gaps)); blocking > 0 {
			fmt.Fprintf(t, ", %d blocking: %s", blocking, t.paint(red, "the scan is incomplete"))
		}
		fmt.Fprintln(t)
	}
	t.skipped(r.SkippedRules)
	t.inventory(r)
}

// skipped names the rules that did not run, once for each reason.
func (t textWriter) skipped(list []Skipped) {
	list = slices.SortedStableFunc(slices.Values(list), func(a, b Skipped) int { return cmp.Compare(a.Reason, b.Reason) })
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].Reason == list[0].Reason {
			n++
		}
		var ids []string
		for _, s := range list[:n] {
			ids = append(ids, printable(s.RuleID))
		}
		fmt.Fprintf(t, "  %s skipped, %s: %s\n", count(n, "rule"), printable(list[0].Reason), strings.Join(ids, ", "))
		list = list[n:]
	}
}

func (t textWriter) related(r Related) string {
	if r.Path == "" {
		return printable(r.Message)
	}
	return t.place(r.Path, r.StartLine, r.StartColumn) + ": " + printable(r.Message)
}

// place is where an editor or a terminal finds it from here.
func (t textWriter) place(path string, line, column int) string {
	path = fromHere(t.report, path)
	if line < 1 {
		return printable(path)
	}
	return fmt.Sprintf("%s:%d:%d", printable(path), line, column)
}

// printable is s for one line of a terminal or of a job's log. The log takes
// "##[" for a workflow command wherever it stands in a line ("::" only at the
// start, where no text of a target ever is).
func printable(s string) string {
	s = visible(shorten(s, longestText))
	return strings.ReplaceAll(s, "##[", "#"+escapeRune('#')+"[")
}

// SGR parameters (ECMA-48, 8.3.117).
const (
	bold   = "1"
	red    = "1;31"
	yellow = "1;33"
	blue   = "1;34"
	cyan   = "1;36"
)

func severityColor(severity string) string {
	switch severity {
	case "critical", "high":
		return red
	case "medium":
		return yellow
	}
	return cyan
}

func (t textWriter) paint(sgr, s string) string {
	if !t.color {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}
