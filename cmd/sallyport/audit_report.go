package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/cmd/sallyport/internal/report"
	"github.com/sallyport-mcp/sallyport/rules/catalog"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
)

// auditFormats is every form of the report.
var auditFormats = map[string]func(*auditSummary, io.Writer) error{
	"text": (*auditSummary).text, "markdown": (*auditSummary).markdown, "json": (*auditSummary).json,
}

func auditReport(p *program) *cli.Command {
	return &cli.Command{
		Name:        "report",
		Usage:       "sum up logs: by server, tool and client, what was refused and why, and what to do next",
		ArgsUsage:   "FILE...",
		Description: "Exit 1 when a log is not what was written: the numbers then count only what stands before the first problem.",
		Flags:       auditFlags(&cli.StringFlag{Name: "format", Usage: "text, markdown or json", Value: "text"}),
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return usage("sallyport audit report audit.jsonl", "audit report needs a file")
			}
			write := auditFormats[c.String("format")]
			if write == nil {
				return usage("use one of: text, markdown, json", "unknown format %q", c.String("format"))
			}
			o, err := p.trust(c)
			if err != nil {
				return err
			}
			all, err := logs(c.Args().Slice())
			if err != nil {
				return err
			}
			s := newAuditSummary()
			o.Each = s.add
			code := exitClean
			for _, names := range all {
				r, err := verifyLog(names, o)
				if err != nil {
					return err
				}
				one := auditLog{File: names[len(names)-1], Files: r.Files, Lines: r.Lines, SignedTo: r.Covered}
				if r.Problem != nil {
					one.Problem = r.Problem.String()
					code = exitFindings
				}
				s.Logs = append(s.Logs, one)
			}
			s.finish()
			if err := write(s, p.stdout); err != nil {
				return err
			}
			if code != exitClean {
				return &failure{code, "a log is not what was written", "sallyport audit verify FILE says where"}
			}
			return nil
		},
	}
}

// auditSummary is the report as JSON has it.
type auditSummary struct {
	SchemaVersion string         `json:"schemaVersion"`
	Logs          []auditLog     `json:"logs"`
	Servers       []*auditGroup  `json:"servers"`
	Tools         []*auditGroup  `json:"tools"`
	Clients       []*auditGroup  `json:"clients"`
	Refusals      []*auditReason `json:"refusals"`
	Next          []string       `json:"next"` // what a person should do

	groups  [3]map[[2]string]*auditGroup
	reasons map[auditKey]*auditReason
}

type auditLog struct {
	File     string `json:"file"`
	Files    int    `json:"files"`
	Lines    uint64 `json:"lines"`
	SignedTo uint64 `json:"signedTo"`
	Problem  string `json:"problem"` // "" when it is what was written
}

// auditGroup counts the messages of one server, tool or client.
type auditGroup struct {
	Name        string         `json:"name"`
	Server      string         `json:"server"` // of a tool
	Messages    int            `json:"messages"`
	Refused     int            `json:"refused"`
	WouldRefuse int            `json:"wouldRefuse"`
	Findings    []auditFinding `json:"findings"`
	SlowestUs   float64        `json:"slowestUs"`
	First       time.Time      `json:"first"`
	Last        time.Time      `json:"last"`

	found map[string]int
}

type auditFinding struct {
	RuleID string `json:"ruleId"`
	Count  int    `json:"count"`
}

type auditKey struct {
	server, name, rule string
	enforced           bool
}

// auditReason is why something was refused.
type auditReason struct {
	Server   string    `json:"server"`
	Name     string    `json:"name"`
	Rule     string    `json:"rule"`
	Reason   string    `json:"reason"` // the last one
	Enforced bool      `json:"enforced"`
	Count    int       `json:"count"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`

	unlisted bool // the server has no entry
	drift    bool
}

// maxAuditGroups bounds each table; what comes beyond is counted together.
const maxAuditGroups = 2000

func newAuditSummary() *auditSummary {
	s := &auditSummary{SchemaVersion: "1", Logs: []auditLog{}, Refusals: []*auditReason{}, Next: []string{}, reasons: map[auditKey]*auditReason{}}
	for i := range s.groups {
		s.groups[i] = map[[2]string]*auditGroup{}
	}
	return s
}

func (s *auditSummary) add(r *audit.Record, ok bool) {
	if !ok || r.Decision == audit.Start || r.Decision == audit.End {
		return
	}
	server := cmp.Or(r.Server.Entry, r.Server.Name, "(no name)")
	s.count(0, [2]string{server}, r)
	if r.Method == "tools/call" { // and its result
		s.count(1, [2]string{r.Name, server}, r)
	}
	s.count(2, [2]string{cmp.Or(r.Who.Client, "(unknown)")}, r)
	if !r.Refused() {
		return
	}
	key := auditKey{server, r.Name, r.Rule, r.Enforced}
	why := s.reasons[key]
	if why == nil {
		if len(s.reasons) >= maxAuditGroups {
			key = auditKey{"(others)", "", "", r.Enforced}
		}
		if why = s.reasons[key]; why == nil {
			why = &auditReason{Server: key.server, Name: key.name, Rule: key.rule, Enforced: r.Enforced, First: r.Time}
			s.reasons[key] = why
		}
	}
	why.Count++
	why.Reason, why.Last = r.Reason, r.Time
	why.unlisted = why.unlisted || r.Server.Entry == ""
	why.drift = why.drift || strings.HasPrefix(r.Rule, "drf-") || r.Decision == audit.Stop
}

func (s *auditSummary) count(table int, key [2]string, r *audit.Record) {
	g := s.groups[table][key]
	if g == nil {
		if len(s.groups[table]) >= maxAuditGroups {
			key = [2]string{"(others)"}
		}
		if g = s.groups[table][key]; g == nil {
			g = &auditGroup{Name: key[0], Server: key[1], First: r.Time, found: map[string]int{}}
			s.groups[table][key] = g
		}
	}
	g.Messages++
	switch {
	case r.Refused() && r.Enforced:
		g.Refused++
	case r.Refused():
		g.WouldRefuse++
	}
	for _, f := range r.Findings {
		if len(g.found) < 200 || g.found[f.RuleID] > 0 {
			g.found[f.RuleID]++
		}
	}
	g.SlowestUs = max(g.SlowestUs, float64(r.Duration)/1000)
	if r.Time.Before(g.First) {
		g.First = r.Time
	}
	if r.Time.After(g.Last) {
		g.Last = r.Time
	}
}

func (s *auditSummary) finish() {
	for i, list := range []*[]*auditGroup{&s.Servers, &s.Tools, &s.Clients} {
		*list = []*auditGroup{}
		for _, g := range s.groups[i] {
			g.Findings = []auditFinding{}
			for _, id := range slices.Sorted(maps.Keys(g.found)) {
				g.Findings = append(g.Findings, auditFinding{id, g.found[id]})
			}
			*list = append(*list, g)
		}
		slices.SortFunc(*list, func(a, b *auditGroup) int {
			return cmp.Or(cmp.Compare(b.Refused+b.WouldRefuse, a.Refused+a.WouldRefuse), cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Server, b.Server))
		})
	}
	for _, why := range s.reasons {
		s.Refusals = append(s.Refusals, why)
	}
	slices.SortFunc(s.Refusals, func(a, b *auditReason) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Rule, b.Rule), map[bool]int{true: -1, false: 1}[a.Enforced])
	})
	s.advise()
}

// advise says what a person should do, each thing once.
func (s *auditSummary) advise() {
	say := func(format string, args ...any) {
		if text := oneLine(fmt.Sprintf(format, args...)); len(s.Next) < 20 && !slices.Contains(s.Next, text) {
			s.Next = append(s.Next, text)
		}
	}
	for _, l := range s.Logs {
		switch {
		case l.Problem != "":
			say("find out who changed %s: sallyport audit verify %s", l.File, quoteArg(l.File))
		case l.SignedTo == 0 && l.Lines > 1:
			say("nothing in %s is signed yet: sallyport audit verify %s", l.File, quoteArg(l.File))
		}
	}
	would := 0
	for _, why := range s.Refusals {
		if !why.Enforced {
			would += why.Count
		}
		switch {
		case why.drift:
			say("server %s shows something else than was approved: read the change with sallyport manifest diff, then approve or deny it", why.Server)
		case why.unlisted:
			say("server %s has no entry in the registry: sallyport registry propose DIR --registry FILE, then approve or deny it", why.Server)
		}
		if catalog.Find(why.Rule) != nil {
			say("sallyport explain %s", why.Rule)
		}
	}
	if would > 0 {
		say("%s would be refused in enforce mode: settle that before you switch it on", count(uint64(would), "message"))
	}
	if len(s.Next) == 0 {
		say("nothing")
	}
}

func (s *auditSummary) json(w io.Writer) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		return err
	}
	_, err := w.Write(report.EscapeJSON(b.Bytes()))
	return err
}

const mostAuditRows = 40

func (s *auditSummary) text(w io.Writer) error {
	for _, l := range s.Logs {
		state := fmt.Sprintf("as it was written, signed to line %d of %d", l.SignedTo, l.Lines)
		if l.Problem != "" {
			state = "NOT as it was written: " + l.Problem
		}
		fmt.Fprintf(w, "%s: %s\n", oneLine(l.File), oneLine(state))
	}
	for _, table := range []struct {
		title string
		list  []*auditGroup
	}{{"servers", s.Servers}, {"tools", s.Tools}, {"clients", s.Clients}} {
		if len(table.list) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%-32s %8s %8s %8s %10s  %-16s %s\n", table.title, "messages", "refused", "would", "slowest", "first", "last")
		for _, g := range table.list[:min(len(table.list), mostAuditRows)] {
			fmt.Fprintf(w, "%-32s %8d %8d %8d %8.0fus  %-16s %s\n", oneLine(g.title()), g.Messages, g.Refused, g.WouldRefuse, g.SlowestUs, minute(g.First), minute(g.Last))
			if found := g.foundList(); found != "" {
				fmt.Fprintf(w, "  found: %s\n", oneLine(found))
			}
		}
		more(w, len(table.list))
	}
	if len(s.Refusals) > 0 {
		fmt.Fprint(w, "\nrefused\n")
		for _, why := range s.Refusals[:min(len(s.Refusals), mostAuditRows)] {
			fmt.Fprintf(w, "%6d  %s\n", why.Count, oneLine(why.title()))
			if why.Reason != "" {
				fmt.Fprintf(w, "        %s\n", oneLine(why.Reason))
			}
		}
		more(w, len(s.Refusals))
	}
	fmt.Fprint(w, "\nnext\n")
	for _, line := range s.Next {
		if _, err := fmt.Fprintf(w, "  %s\n", line); err != nil {
			return err
		}
	}
	return nil
}

func more(w io.Writer, n int) {
	if n > mostAuditRows {
		fmt.Fprintf(w, "and %d more: --format json has all\n", n-mostAuditRows)
	}
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

func (g *auditGroup) title() string {
	if g.Server != "" {
		return g.Server + " " + g.Name
	}
	return g.Name
}

func (g *auditGroup) foundList() string {
	var all []string
	for _, f := range g.Findings {
		all = append(all, fmt.Sprintf("%s (%d)", f.RuleID, f.Count))
	}
	return strings.Join(all, ", ")
}

func (why *auditReason) title() string {
	title := strings.TrimSpace(why.Server + " " + why.Name)
	if why.Rule != "" {
		title += " [" + why.Rule + "]"
	}
	if !why.Enforced {
		title += " (would be)"
	}
	return title
}

func (s *auditSummary) markdown(w io.Writer) error {
	const most = 200
	cell := func(s string) string { return report.MarkdownCell(s, most) }
	for _, l := range s.Logs {
		state := fmt.Sprintf("as it was written, signed to line %d of %d", l.SignedTo, l.Lines)
		if l.Problem != "" {
			state = "**not as it was written**: " + cell(l.Problem)
		}
		fmt.Fprintf(w, "- %s: %s\n", cell(l.File), state)
	}
	for _, table := range []struct {
		title string
		list  []*auditGroup
	}{{"server", s.Servers}, {"tool", s.Tools}, {"client", s.Clients}} {
		if len(table.list) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n| %s | messages | refused | would be | found | slowest | first | last |\n|---|--:|--:|--:|---|--:|---|---|\n", table.title)
		for _, g := range table.list[:min(len(table.list), mostAuditRows)] {
			found := ""
			if list := g.foundList(); list != "" {
				found = cell(list)
			}
			fmt.Fprintf(w, "| %s | %d | %d | %d | %s | %.0f µs | %s | %s |\n", cell(g.title()), g.Messages, g.Refused, g.WouldRefuse, found, g.SlowestUs, minute(g.First), minute(g.Last))
		}
		fmt.Fprintln(w)
		more(w, len(table.list))
	}
	if len(s.Refusals) > 0 {
		fmt.Fprint(w, "\n| refused | times | why |\n|---|--:|---|\n")
		for _, why := range s.Refusals[:min(len(s.Refusals), mostAuditRows)] {
			fmt.Fprintf(w, "| %s | %d | %s |\n", cell(why.title()), why.Count, report.MarkdownSentence(why.Reason, most))
		}
		fmt.Fprintln(w)
		more(w, len(s.Refusals))
	}
	fmt.Fprint(w, "\nNext:\n\n")
	for _, line := range s.Next {
		if _, err := fmt.Fprintf(w, "- %s\n", report.MarkdownSentence(line, 2*most)); err != nil {
			return err
		}
	}
	return nil
}
