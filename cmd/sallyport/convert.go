package main

import (
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/cmd/sallyport/internal/report"
	"github.com/sallyport-mcp/sallyport/rules/catalog"
)

func convertCommand(p *program) *cli.Command {
	return &cli.Command{
		Name:      "convert",
		Usage:     "tell a saved JSON report again in another format",
		ArgsUsage: "REPORT.json|-",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "what stdout gets: " + formatNames(), Value: "text"},
			&cli.StringSliceFlag{Name: "output", Usage: "write `FORMAT=PATH` too; repeatable, PATH - is stdout"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usage("sallyport scan --format json > report.json makes one", "convert needs one saved report")
			}
			name := c.Args().First()
			outs, err := outputs(c.String("format"), c.IsSet("format"), c.StringSlice("output"))
			if err != nil {
				return err
			}
			var in io.Reader = p.stdin
			if name != "-" {
				f, err := os.Open(name)
				if err != nil {
					return usage("name a report that scan --format json wrote", "cannot read %q: %v", name, err)
				}
				defer f.Close()
				in = f
			}
			r, err := report.Read(in)
			if err != nil {
				return usage("sallyport scan --format json > report.json makes one", "%s: %s", name, fmt.Sprint(err))
			}
			for _, out := range outs {
				if err := p.speak(out, r, report.Options{Rules: catalog.All()}); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
