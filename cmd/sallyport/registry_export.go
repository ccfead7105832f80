package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/registry/export"
)

func registryExport(p *program) *cli.Command {
	var targets strings.Builder
	for _, t := range export.Targets {
		fmt.Fprintf(&targets, "%-13s %s\n", t.Name, t.For)
	}
	return &cli.Command{
		Name:  "export",
		Usage: "write the approved servers in the form that a client or platform enforces by itself",
		Description: `Servers are named by their command line or URL, never by a bare name. What a target cannot express is said on
stderr; --strict makes that exit 1. Targets:
` + targets.String(),
		Flags: []cli.Flag{registryFlag(), asFlag(),
			&cli.StringFlag{Name: "to", Usage: "the `TARGET`"},
			&cli.BoolFlag{Name: "strict", Usage: "exit 1 when the target cannot express everything"}},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usage("sallyport registry export --registry FILE --to TARGET", "export takes no arguments")
			}
			i := slices.IndexFunc(export.Targets, func(t export.Target) bool { return t.Name == c.String("to") })
			if i < 0 {
				return usage("use one of: "+strings.Join(export.Names(), ", "), "unknown target %q for --to", c.String("to"))
			}
			l, err := p.openRegistry(c.String("registry"))
			if err != nil {
				return err
			}
			who, err := l.Doc.ParseWho(c.String("as"))
			if err != nil {
				return usage("--as unit=payments,role=developer", "%s", err)
			}
			result, err := export.Write(export.Targets[i], l.Registry, who, today())
			if err != nil {
				return err
			}
			if _, err := p.stdout.Write(result.Bytes); err != nil {
				return err
			}
			for _, line := range result.Missing {
				fmt.Fprintf(p.stderr, "sallyport: %s: %s\n", export.Targets[i].Name, oneLine(line))
			}
			if c.Bool("strict") && len(result.Missing) > 0 {
				return &failure{code: exitFindings}
			}
			return nil
		},
	}
}
