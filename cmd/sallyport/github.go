package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/all"
	"github.com/sallyport-mcp/sallyport/analyzers/origin/github"
	"github.com/sallyport-mcp/sallyport/cmd/sallyport/internal/report"
)

// remoteFlags are the flags of targets that are read over the network.
func remoteFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "include-archived", Usage: "read archived repositories of an organisation, too"},
		&cli.BoolFlag{Name: "include-forks", Usage: "read forks of an organisation, too"},
		&cli.StringFlag{Name: "state", Usage: "keep what was read of remote repositories in `DIR`, and go on from there"},
		&cli.StringFlag{Name: "github-url", Usage: "the API's `URL` of a GitHub Enterprise Server: https://HOST/api/v3"},
		&cli.BoolFlag{Name: "progress", Usage: "say on stderr what is being read, also where that is no terminal"},
	}
}

// elsewhere reads the targets that are not on this machine. Naming one is the
// consent to ask for it; no connection is opened before.
type elsewhere struct {
	offline bool
	options github.Options
	client  *github.Client
}

func (p *program) remote(c *cli.Context, s *settings) *elsewhere {
	token := p.env("GITHUB_TOKEN")
	if token == "" {
		token = p.env("GH_TOKEN")
	}
	r := &elsewhere{offline: c.Bool("offline"), options: github.Options{
		URL:             c.String("github-url"),
		Token:           token,
		IncludeArchived: c.Bool("include-archived"),
		IncludeForks:    c.Bool("include-forks"),
		Jobs:            s.jobs,
		Analyzers:       all.Analyzers(),
		Exclude:         s.excluded,
		State:           c.String("state"),
	}}
	if f, ok := p.stderr.(*os.File); c.Bool("progress") || ok && term.IsTerminal(int(f.Fd())) {
		r.options.Say = func(line string) { fmt.Fprintf(p.stderr, "sallyport: %s\n", oneLine(line)) }
	}
	return r
}

// load reads a target; ok is false for one that is of this machine.
func (r *elsewhere) load(ctx context.Context, target string) (targets []report.Target, c *analyzers.Catalog, ok bool, err error) {
	if r == nil || !github.IsTarget(target) {
		return nil, nil, false, nil
	}
	if r.offline {
		return nil, nil, true, usage("leave --offline out, or scan a checkout: sallyport scan DIR", "--offline forbids to read %s", target)
	}
	if r.client == nil {
		if r.options.State != "" {
			r.options.Program = build()
		}
		if r.client, err = github.New(r.options); err != nil {
			return nil, nil, true, spelt(err)
		}
	}
	reads, c, err := r.client.Load(ctx, target)
	if err != nil {
		return nil, nil, true, spelt(err)
	}
	for _, read := range reads {
		targets = append(targets, report.Target{URI: read.URI, Kind: read.Kind, Digest: read.Digest})
	}
	return targets, c, true, nil
}

func (r *elsewhere) close() {
	if r != nil && r.client != nil {
		r.client.Close()
	}
}

func spelt(err error) error {
	var wrong *github.UsageError
	if errors.As(err, &wrong) {
		return usage(wrong.Hint, "%s", wrong.Problem)
	}
	return err
}

// build names this very program: another one may want other files of a
// repository.
func build() string {
	name, err := os.Executable()
	if err != nil {
		return version
	}
	f, err := os.Open(name)
	if err != nil {
		return version
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return version
	}
	return hex.EncodeToString(h.Sum(nil))
}
