package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/rules"
)

// A comment holds 65,536 characters at most. Each part of the page ends before
// its own mark in bytes, so that the page stays below that whatever the target
// says and no part can push out the next.
const (
	shadowsEnd  = 10_000
	findingsEnd = 40_000
	gapsEnd     = 50_000
	serversEnd  = 60_000

	maxShadowRows  = 20
	maxFindingRows = 50
	maxGapRows     = 20
	maxServerRows  = 30
	maxMessage     = 300 // runes
	maxCell        = 100
)

// writeMarkdown writes the page for a job's summary or a comment on a pull
// request.
func writeMarkdown(w io.Writer, r *Report, _ Options) error {
	findings := worstFirst(r.Findings)
	out := new(bytes.Buffer)
	fmt.Fprintf(out, "## Sallyport\n\n**%s**\n", verdict(r, findings))
	severityTable(out, findings)
	shadowTable(out, r)
	findingTable(out, r, findings)
	gapTable(out, r)
	serverTable(out, r.Catalog.Servers)
	if n := len(r.SkippedRules); n > 0 {
		fmt.Fprintf(out, "\n%s did not run.\n", count(n, "rule"))
	}
	_, err := out.WriteTo(w)
	return err
}

// verdict is the one line that says whether all is well.
func verdict(r *Report, findings []Finding) string {
	seen := fmt.Sprintf(" in %s and %s", count(len(r.Catalog.Servers), "server"), count(r.Stats.Files, "file"))
	line := "Nothing found" + seen
	if len(findings) > 0 {
		line = fmt.Sprintf("%s%s, the worst %s", count(len(findings), "finding"), seen, cellText(findings[0].Severity, maxCell))
	}
	if n := len(r.Findings) - len(findings); n > 0 {
		line += fmt.Sprintf("; %d suppressed", n)
	}
	if n := len(blockingGaps(r.Gaps)); n > 0 {
		line += fmt.Sprintf("; incomplete: %s could not be read", count(n, "input"))
	}
	return line + "."
}

func severityTable(out *bytes.Buffer, findings []Finding) {
	if len(findings) == 0 {
		return
	}
	fmt.Fprint(out, "\n| critical | high | medium | low | info |\n|--:|--:|--:|--:|--:|\n")
	for s := rules.Critical; s >= rules.Info; s-- {
		n := 0
		for i := range findings {
			if findings[i].Severity == s.String() {
				n++
			}
		}
		fmt.Fprintf(out, "| %d ", n)
	}
	fmt.Fprint(out, "|\n")
}

// shadowTable is what runs without anybody's approval, and who uses it.
func shadowTable(out *bytes.Buffer, r *Report) {
	list := shadows(r)
	var rows [][]string
	for _, g := range list[:min(len(list), maxShadowRows)] {
		rows = append(rows, []string{
			cellText(g.Approval, maxCell),
			cellCode(g.Identity, 2*maxCell),
			cellCode(strings.Join(g.Names, ", "), maxCell),
			cellText(g.users(), maxMessage),
		})
	}
	table(out, "Servers that nobody approved", []string{"Registry", "Server", "Declared as", "Used by"}, rows, len(list), shadowsEnd)
}

func findingTable(out *bytes.Buffer, r *Report, findings []Finding) {
	rows := make([][]string, 0, len(findings))
	for _, f := range findings[:min(len(findings), maxFindingRows)] {
		place := shorten(visible(inCheckout(r, f.Path)), maxCell)
		if f.StartLine > 0 {
			place += fmt.Sprintf(":%d", f.StartLine)
		}
		rows = append(rows, []string{
			cellText(f.Severity, maxCell),
			cellCode(f.RuleID, maxCell),
			cellCode(place, 2*maxCell),
			cellText(f.Message, maxMessage),
		})
	}
	title := ""
	if len(shadows(r)) > 0 {
		title = "Findings"
	}
	table(out, title, []string{"Severity", "Rule", "Place", "What and how to fix it"}, rows, len(findings), findingsEnd)
}

func gapTable(out *bytes.Buffer, r *Report) {
	gaps := blockingFirst(r.Gaps)
	var rows [][]string
	for _, g := range gaps[:min(len(gaps), maxGapRows)] {
		effect := "note"
		if g.Blocking {
			effect = "**the scan is incomplete**"
		}
		rows = append(rows, []string{
			cellCode(inCheckout(r, g.Path), maxCell),
			cellCode(g.Kind, maxCell),
			cellText(g.Reason, maxMessage),
			effect,
		})
	}
	table(out, "Not read", []string{"Path", "Kind", "Reason", "Effect"}, rows, len(gaps), gapsEnd)
}

func serverTable(out *bytes.Buffer, servers []Server) {
	var rows [][]string
	servers = unapprovedFirst(servers)
	for i := range servers[:min(len(servers), maxServerRows)] {
		s := &servers[i]
		rows = append(rows, []string{
			cellCode(s.Name, maxCell),
			cellCode(s.Transport, maxCell),
			cellCode(starts(s), maxCell),
			cellCode(pins(s), maxCell),
			cellCode(s.Exposure, maxCell),
		})
	}
	table(out, "Servers", []string{"Server", "Transport", "What it starts", "Pin", "Exposure"}, rows, len(servers), serversEnd)
}

// unapprovedFirst is the servers in the order of what a registry says of them;
// without one it is their own.
func unapprovedFirst(servers []Server) []Server {
	servers = slices.Clone(servers)
	slices.SortStableFunc(servers, func(a, b Server) int { return cmp.Compare(rankOf(a.Approval), rankOf(b.Approval)) })
	return servers
}

// starts names what a server brings in: its packages, else its address, else
// its command line.
func starts(s *Server) string {
	var purls []string
	for _, p := range s.Packages {
		purls = append(purls, p.PURL)
	}
	return cmp.Or(strings.Join(purls, " "), s.URL,
		strings.Join(append([]string{s.Launch.Command}, s.Launch.Args...), " "))
}

func pins(s *Server) string {
	var pins []string
	for _, p := range s.Packages {
		pins = append(pins, p.Pin)
	}
	return strings.Join(slices.Compact(pins), " ")
}

// table writes rows of escaped cells until the page would be longer than end
// bytes; total counts the rows that there would be without any limit.
func table(out *bytes.Buffer, title string, header []string, rows [][]string, total, end int) {
	if total == 0 {
		return
	}
	if title != "" {
		fmt.Fprintf(out, "\n### %s\n", title)
	}
	fmt.Fprintf(out, "\n| %s |\n|%s\n", strings.Join(header, " | "), strings.Repeat("---|", len(header)))
	written := 0
	for _, cells := range rows {
		row := "| " + strings.Join(cells, " | ") + " |\n"
		if out.Len()+len(row) > end {
			break
		}
		out.WriteString(row)
		written++
	}
	if more := total - written; more > 0 {
		fmt.Fprintf(out, "\n… and %d more\n", more)
	}
}

// worstFirst is the findings that count, sorted by severity.
func worstFirst(findings []Finding) []Finding {
	out := slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return f.Suppressed != nil })
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(severityOf(b.Severity), severityOf(a.Severity)) })
	return out
}

func severityOf(name string) rules.Severity {
	s, _ := rules.ParseSeverity(name)
	return s
}

func blockingGaps(gaps []Gap) []Gap {
	return slices.DeleteFunc(slices.Clone(gaps), func(g Gap) bool { return !g.Blocking })
}

func blockingFirst(gaps []Gap) []Gap {
	notes := slices.DeleteFunc(slices.Clone(gaps), func(g Gap) bool { return g.Blocking })
	return append(blockingGaps(gaps), notes...)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
