package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/rules/catalog"
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
		Name:  "rules",
		Usage: "list the rules",
		Flags: []cli.Flag{&cli.StringFlag{Name: "format", Usage: "text or json", Value: "text"}},
		Action: func(c *cli.Context) error {
			lines := []ruleLine{}
			for _, r := range catalog.All() {
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

func explainCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say what a rule finds, why it matters and how to settle it",
		ArgsUsage: "ID",
		Action: func(c *cli.Context) error {
			id := c.Args().First()
			if id == "" || c.NArg() > 1 {
				return usage("sallyport rules lists them", "explain needs one rule's id")
			}
			r := catalog.Find(id)
			if r == nil {
				var close []string
				for _, r := range catalog.All() {
					if strings.Contains(r.ID, id) || strings.HasPrefix(id, r.ID) {
						close = append(close, r.ID)
					}
				}
				if len(close) > 0 {
					return usage("did you mean: "+strings.Join(close, ", "), "unknown rule %q", id)
				}
				return usage("sallyport rules lists them", "unknown rule %q", id)
			}
			_, err := fmt.Fprintf(p.stdout, "%s: %s\nseverity %s, confidence %s, covers %s\n\n%s", r.ID, r.Title, r.Severity, r.Confidence, strings.Join(r.Covers, ", "), r.Page)
			return err
		},
	}
}
