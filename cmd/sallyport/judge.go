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
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/rules"
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
	RuleID    string    `json:"ruleId"`
	Weight    float64   `json:"weight"`
	Mentioned bool      `json:"mentioned"` // warned of or forbidden: it weighs little
	Quoted    bool      `json:"quoted"`    // shown as somebody else's words: it never comes to high
	Field     string    `json:"field"`
	Evidence  string    `json:"evidence"`
	Because   []because `json:"because,omitempty"` // of the learned model, what decided
}

type because struct {
	Feature string  `json:"feature"`
	Weight  float64 `json:"weight"`
}

// maxLine bounds one definition.
const maxLine = 16 << 20

// mostTogether bounds what is judged as a whole.
const mostTogether = 64 << 20

func judgeCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:      "judge",
		Usage:     "judge tool definitions or texts, one JSON object a line",
		ArgsUsage: "FILE|-",
		Description: `A line is a tool definition with an optional id and server, or {"id": "", "text": ""}. Each gets a line:
{"id", "severity", "findings": [{"ruleId", "severity", "confidence", "field", "start", "end", "evidence"}]}.
Lines are judged one by one; with --together they are the tools of one agent, which finds what a tool does to those of
other servers. The exit code is 0 whatever is found, 2 for input that cannot be used.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "explain", Usage: "show what was weighed, also where it came to nothing"},
			rulesFlag,
			&cli.BoolFlag{Name: "together", Usage: "judge all lines as the tools of one agent"},
		},
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
			all, pack, err := ruleSet(c)
			if err != nil {
				return err
			}
			out := bufio.NewWriter(p.stdout)
			enc := json.NewEncoder(out)
			enc.SetEscapeHTML(false)
			j := judging{selected: textRules(all), print: func(v *verdict) error { return enc.Encode(v) }}
			if c.Bool("explain") {
				j.explain = judge.New(pack)
			}
			return errors.Join(j.lines(in, name, c.Bool("together")), out.Flush())
		},
	}
}

// judging is one run of the command.
type judging struct {
	selected []*rules.Rule
	explain  *judge.Judge // nil unless asked for
	print    func(*verdict) error
}

func (j *judging) lines(in io.Reader, name string, together bool) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	var held []*judged
	n, size := 0, 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		row, err := readRow(fmt.Sprintf("%s:%d", name, n), slices.Clone(lines.Bytes()))
		if err != nil {
			return usage(`a line is a tool definition or {"id": "", "text": ""}`, "%s:%d: %s", name, n, err)
		}
		if held = append(held, row); together {
			if size += len(lines.Bytes()); size > mostTogether {
				return usage("judge fewer lines, or each alone without --together", "%s:%d: more than %d MiB are too much to judge together", name, n, mostTogether>>20)
			}
			continue
		}
		if err := j.judge(held); err != nil {
			return err
		}
		held = held[:0]
	}
	if err := lines.Err(); err != nil {
		return usage(fmt.Sprintf("a line has at most %d MiB", maxLine>>20), "%s:%d: %s", name, n+1, err)
	}
	return j.judge(held)
}

// textRules are the rules on what a model reads, those of users included.
func textRules(all []*rules.Rule) []*rules.Rule {
	var out []*rules.Rule
	for _, r := range all {
		switch r.Family() {
		case "", "dsc", "uni", "shd", "sch":
			if r.ID != "hidden-characters" { // it judges configurations
				out = append(out, r)
			}
		}
	}
	return out
}

// judged is a line of the input.
type judged struct {
	id     json.RawMessage
	server string
	source *analyzers.Source
	tool   *analyzers.Tool // nil for a text
	text   analyzers.Text
	fields []analyzers.Field
}

func readRow(path string, line []byte) (*judged, error) {
	row := &judged{id: json.RawMessage("null"), source: &analyzers.Source{Path: path, Bytes: line}}
	root, err := tree.Parse(row.source, tree.JSON)
	if err != nil {
		return nil, err
	}
	if id := root.Get("id"); id != nil {
		if row.id, err = id.JSON(); err != nil {
			return nil, err
		}
	}
	if server := root.Get("server"); server.IsString() {
		row.server = server.Text.Raw()
	}
	if text := root.Get("text"); text.IsString() && root.Get("name") == nil {
		row.text = text.Text
		row.fields = []analyzers.Field{{Path: "text", Text: text.Text}}
		return row, nil
	}
	item, ok := capture.NewItem("tool", analyzers.Captured, root)
	if !ok {
		return nil, errors.New("neither a tool's name nor a text")
	}
	item.Fields = slices.DeleteFunc(item.Fields, func(f analyzers.Field) bool { return f.Path == "id" || f.Path == "server" })
	row.tool, row.fields = capture.NewTool(item, root), item.Fields
	return row, nil
}

// setting is that in which the rules judge the row, too.
func (r *judged) setting() judge.Setting {
	if r.tool == nil {
		return judge.Setting{Role: judge.InText}
	}
	return judge.Setting{Names: []string{r.tool.Name.Raw()}}
}

// agent is a catalog of the rows: one client that knows all of their servers.
func agent(rows []*judged) *analyzers.Catalog {
	client := &analyzers.Client{Name: "judge", Source: rows[0].source}
	named := map[string]*analyzers.Server{}
	var texts []*analyzers.Document
	for _, row := range rows {
		if row.tool == nil { // a text stands for itself
			texts = append(texts, &analyzers.Document{Kind: "text", Source: row.source, Fields: row.fields, Span: row.text.Span})
			continue
		}
		s := named[row.server]
		if s == nil {
			s = &analyzers.Server{Client: client, Span: row.source.Span(0, len(row.source.Bytes)), KeySpan: row.source.Span(0, 1)}
			s.Name = analyzers.Text{Value: analyzers.Untrusted(row.server), Span: s.KeySpan}
			s.ID = fmt.Sprintf("%s#%d", row.source.Path, len(client.Servers))
			client.Servers = append(client.Servers, s)
		}
		named[row.server] = s
		s.Surface.Tools = append(s.Surface.Tools, row.tool)
	}
	return &analyzers.Catalog{Clients: []*analyzers.Client{client}, Servers: client.Servers, Documents: texts}
}

// judge prints a verdict for each of the rows, which are judged as one agent.
func (j *judging) judge(rows []*judged) error {
	if len(rows) == 0 {
		return nil
	}
	found := map[*analyzers.Source][]rules.Finding{}
	for _, f := range rules.Check(agent(rows), j.selected) {
		found[f.Span.Source] = append(found[f.Span.Source], f)
	}
	for _, row := range rows {
		v := &verdict{ID: row.id, Findings: []verdictFinding{}, Severity: rules.Worst(found[row.source]).String()}
		for _, f := range found[row.source] {
			v.Findings = append(v.Findings, inField(f, row.fields))
		}
		if j.explain != nil {
			_, signs := j.explain.Definition(row.setting(), row.fields)
			for _, s := range signs {
				w := weight{RuleID: s.Technique.ID, Weight: s.Weight, Mentioned: s.Mentioned, Quoted: s.Quoted, Field: shown(analyzers.Untrusted(s.Field.Path)), Evidence: shown(s.Evidence)}
				for _, f := range j.explain.Because(row.setting().Role, s) {
					w.Because = append(w.Because, because{shown(analyzers.Untrusted(f.Feature)), f.Weight})
				}
				v.Weighing = append(v.Weighing, w)
			}
		}
		if err := j.print(v); err != nil {
			return err
		}
	}
	return nil
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
		for out.End < n && !utf8.RuneStart(field.Text.Value[out.End]) {
			out.End++ // a place inside a character is its end
		}
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
