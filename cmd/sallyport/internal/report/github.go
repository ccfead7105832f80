package report

import (
	"bufio"
	"fmt"
	"io"
)

// GitHub shows at most ten annotations of each level for one step and drops
// the rest without a word.
const (
	maxAnnotations    = 10
	maxGapAnnotations = 3
	maxAnnotationText = 1000 // runes
)

// writeGitHub writes workflow commands, worst findings first. The last command
// says how many did not fit.
func writeGitHub(w io.Writer, r *Report, _ Options) error {
	findings := worstFirst(r.Findings)
	gaps := blockingGaps(r.Gaps)

	room := map[string]int{
		"error":   maxAnnotations - min(len(gaps), maxGapAnnotations),
		"warning": maxAnnotations,
		"notice":  maxAnnotations - 1, // the last is for what did not fit
	}
	left := max(len(gaps)-maxGapAnnotations, 0)
	out := bufio.NewWriter(w)
	for i := range findings {
		f := &findings[i]
		level := annotationLevel(f.Severity)
		if room[level] == 0 {
			left++
			continue
		}
		room[level]--
		fmt.Fprintf(out, "::%s %stitle=%s::%s\n", level, annotationPlace(r, f),
			commandProperty(fmt.Sprintf("%s: %s", f.Severity, f.RuleID)),
			commandData(shorten(f.Message, maxAnnotationText)))
	}
	for _, g := range gaps[:min(len(gaps), maxGapAnnotations)] {
		place := ""
		if g.Path != "" {
			place = "file=" + commandProperty(inCheckout(r, g.Path)) + ","
		}
		fmt.Fprintf(out, "::error %stitle=not read::%s\n", place,
			commandData(shorten("This could not be read, so nothing is known of it: "+g.Reason, maxAnnotationText)))
	}
	if left > 0 {
		fmt.Fprintf(out, "::notice title=sallyport::… and %d more in the summary\n", left)
	}
	return out.Flush()
}

// annotationPlace is the properties that lead to the finding, each with its
// comma. Columns have a meaning only within one line.
func annotationPlace(r *Report, f *Finding) string {
	if f.Path == "" {
		return ""
	}
	place := "file=" + commandProperty(inCheckout(r, f.Path)) + ","
	if f.StartLine < 1 {
		return place
	}
	place += fmt.Sprintf("line=%d,endLine=%d,", f.StartLine, max(f.EndLine, f.StartLine))
	if f.StartLine == f.EndLine && f.StartColumn > 0 {
		place += fmt.Sprintf("col=%d,endColumn=%d,", f.StartColumn, max(f.EndColumn, f.StartColumn))
	}
	return place
}

func annotationLevel(severity string) string {
	switch sarifLevel(severity) {
	case "error":
		return "error"
	case "warning":
		return "warning"
	}
	return "notice"
}
