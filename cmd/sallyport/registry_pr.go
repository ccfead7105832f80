package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/sallyport-mcp/sallyport/registry/remote"
)

func registryPR(p *program) *cli.Command {
	const example = "sallyport registry pr --registry FILE --repo OWNER/REPO --branch NAME"
	return &cli.Command{
		Name:  "pr",
		Usage: "propose a changed registry as a pull request on GitHub, with the evidence",
		Description: `Commits FILE on a branch, opens a pull request or updates the open one, and asks those for a review who may decide
on what changes: the approvers of the units, as the document of the base branch names them (a login, or ORG/TEAM).
The token comes from the environment, GITHUB_TOKEN or GH_TOKEN; it may write contents and pull requests.`,
		Flags: []cli.Flag{registryFlag(),
			&cli.StringFlag{Name: "repo", Usage: "the repository `OWNER/REPO`"},
			&cli.StringFlag{Name: "branch", Usage: "commit on the branch `NAME`, which is made if need be"},
			&cli.StringFlag{Name: "base", Usage: "the branch `NAME` to be changed (default: the repository's)"},
			&cli.StringFlag{Name: "path", Usage: "the document's `PATH` in the repository (default: FILE's name)"},
			&cli.StringFlag{Name: "title", Usage: "the `TEXT` of the commit and of a new pull request"},
			&cli.StringFlag{Name: "github-url", Usage: "the API at `URL`, such as https://HOST/api/v3 (default: GITHUB_API_URL, or github.com)"}},
		Action: func(c *cli.Context) error {
			owner, repo, ok := strings.Cut(c.String("repo"), "/")
			if c.NArg() > 0 || !ok || c.String("branch") == "" {
				return usage(example, "registry pr needs --repo OWNER/REPO and --branch, and no arguments")
			}
			l, err := p.openRegistry(c.String("registry"))
			if err != nil {
				return err
			}
			token := cmp.Or(p.env("GITHUB_TOKEN"), p.env("GH_TOKEN"))
			if token == "" {
				return usage("export GITHUB_TOKEN=..., or in GitHub Actions: permissions: contents: write, pull-requests: write", "there is no token for GitHub")
			}
			address := cmp.Or(c.String("github-url"), p.env("GITHUB_API_URL"), remote.GitHubURL)
			hub, err := remote.NewGitHub(address, token, nil)
			if err != nil {
				return usage("--github-url https://HOST/api/v3", "%s", err)
			}
			ctx, cancel := context.WithTimeout(c.Context, serviceTimeout)
			defer cancel()
			done, err := hub.Propose(ctx, remote.Change{
				Owner: owner, Repo: repo, Branch: c.String("branch"), Base: c.String("base"), Title: c.String("title"),
				Path: cmp.Or(c.String("path"), filepath.Base(c.String("registry"))), Document: l.Doc.Source.Bytes,
			})
			if err != nil {
				if c.Context.Err() != nil {
					return c.Context.Err()
				}
				hint := "does the repository exist, and may the token write contents and pull requests?"
				switch {
				case errors.Is(err, remote.ErrBranch):
					hint = "--branch sallyport/registry"
				case errors.Is(err, remote.ErrMeanwhile):
					hint = "run the command again"
				}
				return usage(hint, "the pull request is not complete: %s", strings.ReplaceAll(err.Error(), token, "***"))
			}
			for _, remark := range done.Remarks {
				fmt.Fprintf(p.stderr, "sallyport: %s\n", oneLine(strings.ReplaceAll(remark, token, "***")))
			}
			if done.URL == "" {
				_, err = fmt.Fprintln(p.stdout, "nothing to propose: the repository has this document already")
				return err
			}
			word := "updated"
			if done.Created {
				word = "opened"
			}
			_, err = fmt.Fprintf(p.stdout, "%s %s\n", word, oneLine(done.URL))
			if len(done.Reviewers) > 0 && err == nil {
				_, err = fmt.Fprintf(p.stdout, "asked for a review: %s\n", oneLine(strings.Join(done.Reviewers, ", ")))
			}
			return err
		},
	}
}
