package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/catalog"
	"github.com/sallyport-mcp/sallyport/rules/judge"
)

// ruleLine is a rule as `rules --format json` prints it.
type ruleLine struct {
	ID         string   `json:"id"`
	Title      string   `json:"title"`
	Family     string   `json:"family"`
	Severity   string   `json:"severity"`
	Confidence string   `json:"confidence"`
	CWE        []int    `json:"cwe"`
	Covers     []string `json:"covers"`
}

func rulesCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:      "rules",
		Usage:     "list the rules; rules test DIR tries a folder of techniques",
		ArgsUsage: "[test DIR]",
		Flags:     []cli.Flag{&cli.StringFlag{Name: "format", Usage: "text or json", Value: "text"}, rulesFlag},
		Action: func(c *cli.Context) error {
			switch args := c.Args().Slice(); {
			case len(args) == 2 && args[0] == "test":
				return p.testPack(args[1])
			case len(args) > 0:
				return usage("sallyport rules test DIR", "rules does not know %q", args[0])
			}
			all, _, err := ruleSet(c)
			if err != nil {
				return err
			}
			lines := []ruleLine{}
			for _, r := range all {
				lines = append(lines, ruleLine{r.ID, r.Title, r.Family(), r.Severity.String(), r.Confidence.String(),
					append([]int{}, r.CWE...), append([]string{}, r.Covers...)})
			}
			switch format := c.String("format"); format {
			case "json":
				enc := json.NewEncoder(p.stdout)
				enc.SetIndent("", "  ")
				return enc.Encode(lines)
			case "text":
				w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
				for _, l := range lines {
					fmt.Fprintf(w, "%s\t%s\t%s\n", l.ID, l.Severity, l.Title)
				}
				return w.Flush()
			default:
				return usage("use one of: text, json", "unknown format %q", format)
			}
		},
	}
}

// rulesFlag adds a user's techniques to the rules of a command.
var rulesFlag = &cli.StringFlag{Name: "rules", Usage: "add the techniques of `DIR` (docs/techniques.md)"}

// ruleSet is every rule, with those of --rules.
func ruleSet(c *cli.Context) ([]*rules.Rule, *judge.Pack, error) {
	dir := c.String(rulesFlag.Name)
	if dir == "" {
		return catalog.All(), judge.Default(), nil
	}
	pack, err := judge.Default().With(os.DirFS(dir))
	if err != nil {
		return nil, nil, usage("the form of a technique is in docs/techniques.md", "%s: %s", dir, err)
	}
	all, err := catalog.With(pack)
	if err != nil {
		return nil, nil, usage("sallyport rules lists the ids that are taken", "%s: %s", dir, err)
	}
	return all, pack, nil
}

// testPack holds the techniques of a folder to their own examples.
func (p *program) testPack(dir string) error {
	pack, err := judge.Default().With(os.DirFS(dir))
	if err != nil {
		return usage("the form is in docs/techniques.md", "%s: %s", dir, err)
	}
	failed := pack.Test()
	for _, f := range failed {
		fmt.Fprintln(p.stdout, oneLine(f))
	}
	if len(failed) > 0 {
		return &failure{code: exitFindings}
	}
	_, err = fmt.Fprintf(p.stdout, "ok: %d techniques hold what their examples promise\n", len(pack.Techniques)-len(judge.Default().Techniques))
	return err
}

func explainCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say what a rule finds, why it matters and how to settle it",
		ArgsUsage: "ID",
		Flags:     []cli.Flag{rulesFlag},
		Action: func(c *cli.Context) error {
			all, _, err := ruleSet(c)
			if err != nil {
				return err
			}
			id := c.Args().First()
			if id == "" || c.NArg() > 1 {
				return usage("sallyport rules lists them", "explain needs one rule's id")
			}
			r := catalog.FindIn(all, id)
			if r == nil {
				var close []string
				for _, r := range all {
					if strings.Contains(r.ID, id) || strings.HasPrefix(id, r.ID) {
						close = append(close, r.ID)
					}
				}
				if len(close) > 0 {
					return usage("did you mean: "+strings.Join(close, ", "), "unknown rule %q", id)
				}
				return usage("sallyport rules lists them", "unknown rule %q", id)
			}
			_, err = fmt.Fprintf(p.stdout, "%s: %s\nseverity %s, confidence %s, covers %s\n\n%s", r.ID, r.Title, r.Severity, r.Confidence, strings.Join(r.Covers, ", "), r.Page)
			return err
		},
	}
}
