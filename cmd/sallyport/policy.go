package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

func policyCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:  "policy",
		Usage: "what the shim decides: check, explain, test and replay policies",
		Description: `A registry decides alone; files in the Cedar language (--policy FILE or DIR, repeatable) narrow it.
docs/policy.md says what policies can speak of.`,
		Subcommands: []*cli.Command{policyCheck(p), policyExplain(p), policyTest(p), policyReplay(p)},
		Action: func(c *cli.Context) error {
			hint := "use one of: check, explain, test, replay"
			if c.NArg() > 0 {
				return usage(hint, "policy does not know %q", c.Args().First())
			}
			return usage(hint, "policy needs a sub-command")
		},
	}
}

func policyFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "policy", Usage: "a policy `FILE`, or a directory of *.cedar files; repeatable"}
}

func todayFlag() cli.Flag {
	return &cli.StringFlag{Name: "today", Usage: "decide as on `DATE`, YYYY-MM-DD, in UTC"}
}

// dayOf is the day of --today.
func dayOf(c *cli.Context) (string, error) {
	day := c.String("today")
	switch {
	case day == "":
		return today(), nil
	case !registry.ValidDate(day):
		return "", usage("--today "+today(), "--today needs a date, not %q", day)
	}
	return day, nil
}

// policyFiles reads the files that --policy names.
func policyFiles(names []string) ([]*analyzers.Source, error) {
	var out []*analyzers.Source
	for _, name := range names {
		files := []string{name}
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			files, err = filepath.Glob(filepath.Join(globEscape(name), "*.cedar"))
			if err != nil || len(files) == 0 {
				return nil, usage("name a file, or a directory with *.cedar files", "%q holds no policy file", name)
			}
		}
		for _, file := range files {
			content, err := readBounded(file)
			if err != nil {
				return nil, usage("--policy FILE.cedar", "cannot read %q: %v", file, reason(err))
			}
			out = append(out, &analyzers.Source{Path: filepath.ToSlash(file), Bytes: content})
		}
	}
	return out, nil
}

// globEscape makes a name stand for itself in a pattern.
func globEscape(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// openPolicies reads a registry and the policy files beside it. Warnings and
// overrides go to stderr.
func (p *program) openPolicies(c *cli.Context) (*loaded, *policy.Set, error) {
	l, err := p.openRegistry(c.String("registry"))
	if err != nil {
		return nil, nil, err
	}
	files, err := policyFiles(c.StringSlice("policy"))
	if err != nil {
		return nil, nil, err
	}
	set, problems, err := policy.Compile(l.Registry, files...)
	if err != nil {
		return nil, nil, usage("sallyport policy check --registry FILE --policy FILE lists all", "%s", err)
	}
	for _, problem := range problems {
		fmt.Fprintf(p.stderr, "sallyport: %s\n", oneLine(problem.String()))
	}
	return l, set, nil
}

func policyCheck(p *program) *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "say what is wrong with policy files",
		Description: `Errors: Cedar that cannot be read, names that neither the registry nor the schema knows, members that are not always
there. Warnings: policies that can never match or that change nothing. Notes: overrides, which admit what the registry
does not approve. Exit 0: nothing wrong; 1: errors or warnings; 2: a file cannot be read. --schema prints the schema.`,
		Flags: []cli.Flag{registryFlag(), policyFlag(), &cli.BoolFlag{Name: "schema", Usage: "print what policies can speak of, as a Cedar schema"}},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usage("sallyport policy check --registry FILE --policy FILE", "policy check takes no arguments")
			}
			if c.Bool("schema") {
				_, err := fmt.Fprint(p.stdout, policy.Schema+"\ntype Arguments = {}; // checked for each policy by what it reads\n")
				return err
			}
			l, err := p.openRegistry(c.String("registry"))
			if err != nil {
				return err
			}
			files, err := policyFiles(c.StringSlice("policy"))
			if err != nil {
				return err
			}
			set, problems, _ := policy.Compile(l.Registry, files...)
			wrong := 0
			for _, problem := range problems {
				fmt.Fprintln(p.stdout, oneLine(problem.String()))
				if problem.Level != registry.Note {
					wrong++
				}
			}
			if wrong > 0 {
				return &failure{code: exitFindings}
			}
			_, err = fmt.Fprintf(p.stdout, "ok: %s, %s\n", counted(len(files), "policy file", "policy files"), counted(len(set.Overrides()), "override", "overrides"))
			return err
		},
	}
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func policyExplain(p *program) *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say what the shim would decide, by which policy, and what would change it",
		ArgsUsage: "WHO SERVER [TOOL]",
		Description: `WHO and SERVER are those of registry explain. With a TOOL the action is tools/call, without one it is connect;
--action names another, whose prompt or URI stands in place of TOOL. --cedar prints every policy that can matter for the
server. Exit 0: allowed; 1: not allowed.`,
		Flags: []cli.Flag{registryFlag(), policyFlag(), todayFlag(),
			&cli.StringFlag{Name: "arguments", Usage: "the arguments of the call, a `JSON` object"},
			&cli.StringFlag{Name: "action", Usage: "the `ACTION`, such as prompts/get or sampling"},
			&cli.StringFlag{Name: "user", Usage: "the `USER`"}, &cli.StringFlag{Name: "agent", Usage: "the `AGENT`"},
			&cli.StringFlag{Name: "zone", Usage: "the session's `ZONE`"}, &cli.StringFlag{Name: "risk", Usage: "the `RISK`"},
			&cli.StringFlag{Name: "protocol", Usage: "the `VERSION` of MCP"},
			&cli.BoolFlag{Name: "cedar", Usage: "print the policies"},
			&cli.StringFlag{Name: "format", Usage: "text or json", Value: "text"}},
		Action: func(c *cli.Context) error {
			args := c.Args().Slice()
			if len(args) != 2 && len(args) != 3 {
				return usage("sallyport policy explain unit=payments files read_file --registry FILE", "policy explain needs WHO and SERVER, and may have a TOOL")
			}
			if format := c.String("format"); format != "text" && format != "json" {
				return usage("use one of: text, json", "unknown format %q", format)
			}
			l, set, err := p.openPolicies(c)
			if err != nil {
				return err
			}
			r, err := requestOf(c, l.Doc, args)
			if err != nil {
				return err
			}
			id, err := identityOf(l.Doc, args[1])
			if err != nil {
				return err
			}
			server := set.Server(id)
			e := server.Explain(r)
			if err := p.printExplanation(c, r, server, e, args[1]); err != nil {
				return err
			}
			if !e.Decision.Allowed {
				return &failure{code: exitFindings}
			}
			return nil
		},
	}
}

// requestOf is the request that explain's command line describes.
func requestOf(c *cli.Context, doc *registry.Document, args []string) (*policy.Request, error) {
	who, err := doc.ParseWho(args[0])
	if err != nil {
		return nil, usage("everyone, or such as unit=payments,role=developer", "%s", err)
	}
	day, err := dayOf(c)
	if err != nil {
		return nil, err
	}
	r := &policy.Request{
		Who: who, User: c.String("user"), Agent: c.String("agent"), Action: policy.Connect,
		Zone: c.String("zone"), Risk: c.String("risk"), Protocol: c.String("protocol"), Today: day,
	}
	if len(args) == 3 {
		r.Action, r.Name = policy.CallTool, args[2]
	}
	if a := policy.Action(c.String("action")); a != "" {
		if r.Action = a; !a.Valid() {
			return nil, usage("docs/policy.md lists them", "there is no action %q", a)
		}
	}
	if s := c.String("arguments"); s != "" {
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(s), &object); err != nil || object == nil {
			return nil, usage(`--arguments '{"path": "/srv"}'`, "--arguments is no JSON object")
		}
		r.Arguments = []byte(s)
	}
	return r, nil
}

// shownPolicy is a policy in JSON.
type shownPolicy struct {
	Rule   string `json:"rule"`
	Effect string `json:"effect"`
	Path   string `json:"path"`
	Line   int    `json:"startLine"`
	Text   string `json:"text"`
}

func showPolicies(list []policy.Policy) []shownPolicy {
	out := []shownPolicy{}
	for _, q := range list {
		out = append(out, shownPolicy{q.Rule, effect(q), q.Span.Path(), q.Span.Begin().Line, q.Text})
	}
	return out
}

func (p *program) printExplanation(c *cli.Context, r *policy.Request, server *policy.Server, e policy.Explanation, name string) error {
	d := e.Decision
	if c.String("format") == "json" {
		entry := ""
		if d.Entry != nil {
			entry = d.Entry.ID
		}
		policies := []shownPolicy{}
		if c.Bool("cedar") {
			policies = showPolicies(server.Policies())
		}
		enc := json.NewEncoder(p.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			Allowed  bool          `json:"allowed"`
			Status   string        `json:"status"`
			Entry    string        `json:"entry"`
			Rule     string        `json:"rule"`
			Reason   string        `json:"reason"`
			Next     string        `json:"next"`
			Redact   []string      `json:"redact"`
			Holds    []shownPolicy `json:"holds"`
			Failed   []shownPolicy `json:"failed"`
			Policies []shownPolicy `json:"policies"`
		}{d.Allowed, string(d.Status), entry, d.Rule, d.Reason, d.Next, append([]string{}, d.Redact...), showPolicies(e.Holds), showPolicies(e.Failed), policies})
	}
	answer := "no"
	if d.Allowed {
		answer = "yes"
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "allowed:\t%s (%s)\n", answer, d.Status)
	fmt.Fprintf(w, "who:\t%s\n", oneLine(r.Who.String()))
	fmt.Fprintf(w, "server:\t%s\n", oneLine(name))
	fmt.Fprintf(w, "action:\t%s\n", oneLine(strings.TrimSpace(string(r.Action)+" "+r.Name)))
	if d.Rule != "" {
		fmt.Fprintf(w, "decided by:\t%s%s\n", oneLine(d.Rule), placeOf(d, e))
	}
	fmt.Fprintf(w, "because:\t%s\n", oneLine(d.Reason))
	if d.Next != "" {
		fmt.Fprintf(w, "to change it:\t%s\n", oneLine(d.Next))
	}
	if len(d.Redact) > 0 {
		fmt.Fprintf(w, "taken out:\t%s\n", oneLine(strings.Join(d.Redact, ", ")))
	}
	for _, list := range []struct {
		head     string
		policies []policy.Policy
	}{{"holds:", e.Holds}, {"fails:", e.Failed}} {
		for _, q := range list.policies {
			fmt.Fprintf(w, "%s\t%s %s\n", list.head, effect(q), oneLine(q.Rule))
		}
	}
	if err := w.Flush(); err != nil || !c.Bool("cedar") {
		return err
	}
	policies := server.Policies()
	if len(policies) == 0 {
		_, err := fmt.Fprintln(p.stdout, "\n// No policy can match this server: what nothing permits is denied.")
		return err
	}
	for _, q := range policies {
		fmt.Fprintf(p.stdout, "\n%s\n", lines(q.Text))
	}
	return nil
}

// placeOf is where the deciding policy stands.
func placeOf(d policy.Decision, e policy.Explanation) string {
	for _, list := range [][]policy.Policy{e.Holds, e.Failed} {
		for _, q := range list {
			if q.Rule == d.Rule {
				return fmt.Sprintf(" (%s:%d)", oneLine(q.Span.Path()), q.Span.Begin().Line)
			}
		}
	}
	return ""
}

func effect(q policy.Policy) string {
	if q.Permit {
		return "permit"
	}
	return "forbid"
}

// lines makes a text of several lines safe for a terminal.
func lines(s string) string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		out = append(out, oneLine(strings.TrimRight(line, "\r")))
	}
	return strings.Join(out, "\n")
}
