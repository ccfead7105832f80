package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/catalog"
	"github.com/sallyport-mcp/sallyport/rules/judge"
)

// verdict is one line of what judge prints. Offsets count the UTF-8 bytes of
// the decoded field.
type verdict struct {
	ID       json.RawMessage  `json:"id"`
	Severity string           `json:"severity"`
	Findings []verdictFinding `json:"findings"`
	Weighing []weight         `json:"weighing,omitempty"`
}

type verdictFinding struct {
	RuleID     string `json:"ruleId"`
	Severity   string `json:"severity"`
	Confidence string `json:"confidence"`
	Field      string `json:"field"`
	Start      int    `json:"start"`
	End        int    `json:"end"`
	Evidence   string `json:"evidence"`
}

// weight is one sign of --explain.
type weight struct {
	RuleID   string  `json:"ruleId"`
	Weight   float64 `json:"weight"`
	Field    string  `json:"field"`
	Evidence string  `json:"evidence"`
}

// maxLine bounds one definition.
const maxLine = 16 << 20

func judgeCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:      "judge",
		Usage:     "judge tool definitions or texts, one JSON object a line",
		ArgsUsage: "FILE|-",
		Description: `A line is a tool definition with an optional id, or {"id": "", "text": ""}. Each gets a line:
{"id", "severity", "findings": [{"ruleId", "severity", "confidence", "field", "start", "end", "evidence"}]}.
The exit code is 0 whatever is found, 2 for input that cannot be used.`,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "explain", Usage: "show what was weighed, also where it came to nothing"}},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usage("sallyport judge tools.jsonl, or - for standard input", "judge needs one file")
			}
			name := c.Args().First()
			in := p.stdin
			if name != "-" {
				f, err := os.Open(name)
				if err != nil {
					return usage("name a file of JSON lines, or - for standard input", "cannot read %q: %v", name, errors.Unwrap(err))
				}
				defer f.Close()
				in = f
			}
			out := bufio.NewWriter(p.stdout)
			return errors.Join(judgeLines(in, name, out, c.Bool("explain")), out.Flush())
		},
	}
}

func judgeLines(in io.Reader, name string, out io.Writer, explain bool) error {
	selected := textRules()
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	n := 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		v, err := judgeLine(slices.Clone(lines.Bytes()), selected, explain)
		if err != nil {
			return usage(`a line is a tool definition or {"id": "", "text": ""}`, "%s:%d: %s", name, n, err)
		}
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return usage(fmt.Sprintf("a line has at most %d MiB", maxLine>>20), "%s:%d: %s", name, n+1, err)
	}
	return nil
}

// textRules are the rules on what a model reads.
func textRules() []*rules.Rule {
	var out []*rules.Rule
	for _, r := range catalog.All() {
		switch r.Family() {
		case "dsc", "uni", "shd", "sch":
			if r.ID != "hidden-characters" { // it judges configurations
				out = append(out, r)
			}
		}
	}
	return out
}

func judgeLine(line []byte, selected []*rules.Rule, explain bool) (*verdict, error) {
	src := &analyzers.Source{Path: "line", Bytes: line}
	root, err := tree.Parse(src, tree.JSON)
	if err != nil {
		return nil, err
	}
	server := &analyzers.Server{Span: root.Span, KeySpan: src.Span(0, 1)}
	var fields []analyzers.Field
	if text := root.Get("text"); text.IsString() && root.Get("name") == nil {
		server.Surface.Instructions = text.Text
		fields = []analyzers.Field{{Path: "text", Text: text.Text}}
	} else {
		item, ok := capture.NewItem("tool", analyzers.Captured, root)
		if !ok {
			return nil, errors.New("neither a tool's name nor a text")
		}
		item.Fields = slices.DeleteFunc(item.Fields, func(f analyzers.Field) bool { return f.Path == "id" || f.Path == "server" })
		server.Surface.Tools = []*analyzers.Tool{capture.NewTool(item, root)}
		fields = item.Fields
	}
	v := &verdict{ID: json.RawMessage("null"), Findings: []verdictFinding{}}
	if id := root.Get("id"); id != nil {
		if v.ID, err = id.JSON(); err != nil {
			return nil, err
		}
	}
	found := rules.Check(&analyzers.Catalog{Servers: []*analyzers.Server{server}}, selected)
	for _, f := range found {
		v.Findings = append(v.Findings, inField(f, fields))
	}
	v.Severity = rules.Worst(found).String()
	if explain {
		_, signs := judge.New(judge.Default()).Definition(fields)
		for _, s := range signs {
			v.Weighing = append(v.Weighing, weight{s.Technique.ID, s.Weight, shown(analyzers.Untrusted(s.Field.Path)), shown(s.Evidence)})
		}
	}
	return v, nil
}

// inField places a finding inside its decoded field: of those with its path,
// the one that its span lies in.
func inField(f rules.Finding, fields []analyzers.Field) verdictFinding {
	out := verdictFinding{RuleID: f.Rule.ID, Severity: f.Severity.String(), Confidence: f.Confidence.String(), Field: shown(analyzers.Untrusted(f.Subject))}
	for _, field := range fields {
		span := field.Text.Span
		if f.Span.Start < span.Start || f.Span.End > span.End {
			continue
		}
		n := len(field.Text.Value)
		out.Field = shown(analyzers.Untrusted(field.Path))
		out.Start = sort.Search(n, func(i int) bool { return field.Text.At(i, n).Start >= f.Span.Start })
		out.End = sort.Search(n, func(i int) bool { return field.Text.At(0, i).End >= f.Span.End })
		if out.Start <= out.End {
			out.Evidence = shown(field.Text.Value[out.Start:out.End])
		}
		break
	}
	return out
}

// shown is evidence as it may be printed: escaped, short and without secrets.
func shown(text analyzers.Untrusted) string {
	const enough = 400
	s := secret.Mask(text.Raw())
	if len(s) > enough {
		s = string([]rune(s[:enough])) + "..."
	}
	return analyzers.Untrusted(s).String()
}
