package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/cmd/sallyport/internal/report"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/drift"
)

// changeLine is a change as `manifest diff --format json` prints it.
type changeLine struct {
	Tool     string `json:"tool"` // the definition's name, "" for instructions and for the server itself
	Kind     string `json:"kind"`
	Field    string `json:"field"`
	Op       string `json:"op"`
	Class    string `json:"class"`
	Severity string `json:"severity"`
	Before   string `json:"before"`
	After    string `json:"after"`
	Reason   string `json:"reason"`
	Path     string `json:"path"`
	Line     int    `json:"startLine"`
}

func manifestDiffCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:      "diff",
		Usage:     "say what has changed between two manifests or captures, and what it means",
		ArgsUsage: "OLD NEW",
		Description: `Each change has a class: cosmetic, text, capability-narrowing, capability-expanding, poisoned or identity.
Signatures are not looked at.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "text, markdown or json", Value: "text"},
			&cli.StringFlag{Name: "fail-on", Usage: "exit 1 from this severity on: critical, high, medium, low, info or never", Value: "high"},
			&cli.StringFlag{Name: "server", Usage: "the server called `NAME`, where a file shows several"},
		},
		Action: func(c *cli.Context) error { return p.manifestDiff(c) },
	}
}

func (p *program) manifestDiff(c *cli.Context) error {
	if c.NArg() != 2 {
		return usage("sallyport manifest diff OLD NEW", "manifest diff needs two files")
	}
	write := map[string]func(io.Writer, []changeLine) error{"text": diffText, "markdown": diffMarkdown, "json": diffJSON}[c.String("format")]
	if write == nil {
		return usage("use one of: text, markdown, json", "unknown format %q", c.String("format"))
	}
	gate, ok := rules.ParseSeverity(c.String("fail-on"))
	if never := c.String("fail-on") == "never"; !ok && !never {
		return usage("use one of: critical, high, medium, low, info, never", "unknown severity %q for --fail-on", c.String("fail-on"))
	}
	before, err := observeFile(c.Context, c.Args().Get(0), c.String("server"))
	if err != nil {
		return err
	}
	after, err := observeFile(c.Context, c.Args().Get(1), c.String("server"))
	if err != nil {
		return err
	}
	changes := drift.Compare(before.side(), after.side())
	out := bufio.NewWriter(p.stdout)
	if err := write(out, changeLines(changes)); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if gate > 0 && drift.Worst(changes) >= gate {
		return &failure{code: exitFindings}
	}
	return nil
}

func changeLines(changes []drift.Change) []changeLine {
	lines := []changeLine{}
	for _, c := range changes {
		l := changeLine{Kind: c.Kind, Field: shown(c.Field), Op: string(c.Op), Class: string(c.Class), Severity: c.Severity.String(),
			Before: shown(c.Before), After: shown(c.After), Reason: shown(analyzers.Untrusted(c.Reason)), Path: oneLine(c.Span.Path())}
		if c.Kind != "instructions" {
			l.Tool = shown(c.Name)
		}
		if !c.Span.IsZero() {
			l.Line = c.Span.Begin().Line
		}
		lines = append(lines, l)
	}
	return lines
}

func diffJSON(w io.Writer, lines []changeLine) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Changes []changeLine `json:"changes"`
	}{lines})
}

// title is what a change is about.
func (l changeLine) title() string {
	switch {
	case l.Kind == "instructions":
		return "instructions"
	case l.Field == "":
		return l.Kind + " " + l.Tool
	}
	return l.Kind + " " + l.Tool + ": " + l.Field
}

func (l changeLine) place() string {
	if l.Line == 0 || l.Path == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", l.Path, l.Line)
}

func diffText(w io.Writer, lines []changeLine) error {
	for _, l := range lines {
		fmt.Fprintf(w, "%-8s %-20s %s\n", l.Severity, l.Class, l.title())
		fmt.Fprintf(w, "         %s\n", l.Reason)
		if l.Before != "" {
			fmt.Fprintf(w, "         - %s\n", l.Before)
		}
		if l.After != "" {
			fmt.Fprintf(w, "         + %s\n", l.After)
		}
		if at := l.place(); at != "" {
			fmt.Fprintf(w, "         at %s\n", at)
		}
	}
	_, err := fmt.Fprintln(w, tally(lines))
	return err
}

// tally is the last line: how many changes there are of each severity.
func tally(lines []changeLine) string {
	if len(lines) == 0 {
		return "no change"
	}
	count := map[string]int{}
	for _, l := range lines {
		count[l.Severity]++
	}
	var parts []string
	for s := rules.Critical; s >= rules.Info; s-- {
		if n := count[s.String()]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(lines) == 1 {
		return "1 change: " + parts[0]
	}
	return fmt.Sprintf("%d changes: %s", len(lines), strings.Join(parts, ", "))
}

func diffMarkdown(w io.Writer, lines []changeLine) error {
	const most = 400 // runes of a cell
	fmt.Fprintf(w, "%s\n", tally(lines))
	if len(lines) == 0 {
		return nil
	}
	fmt.Fprint(w, "\n| severity | class | what | before | after | why |\n|---|---|---|---|---|---|\n")
	for _, l := range lines {
		what := report.MarkdownCell(l.title(), most)
		if at := l.place(); at != "" {
			what += " at " + report.MarkdownCell(at, most)
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", l.Severity, l.Class, what, report.MarkdownCell(l.Before, most), report.MarkdownCell(l.After, most), report.MarkdownSentence(l.Reason, most))
	}
	return nil
}
