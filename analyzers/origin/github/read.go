package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-github/v62/github"
)

// fetch takes one repository at the commit that its ref names. What the state
// holds of that commit is not asked for again. Its error is ctx's or a
// *Problem.
func (c *Client) fetch(ctx context.Context, r repository) (*snapshot, error) {
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, c.limits.total)
	defer cancel()
	s, err := c.fetchWithin(ctx, r)
	if err != nil && ctx.Err() != nil && outer.Err() == nil {
		return nil, &Problem{Kind: Limit, Reason: fmt.Sprintf("not read within %d minutes", int(c.limits.total.Minutes()))}
	}
	return s, err
}

func (c *Client) fetchWithin(ctx context.Context, r repository) (*snapshot, error) {
	prior := c.state.load(r)
	known := ""
	if prior != nil {
		known = prior.commit
	}
	commit := ""
	err := c.call(ctx, func(ctx context.Context) (*github.Response, error) {
		id, resp, err := c.api.Repositories.GetCommitSHA1(ctx, r.owner, r.name, r.ref, known)
		commit = strings.TrimSpace(id)
		if known != "" && resp != nil && resp.Response != nil && resp.StatusCode == http.StatusNotModified {
			commit = known
			return resp, nil // costs nothing of the rate limit
		}
		return resp, err
	})
	if err != nil {
		return nil, err
	}
	if !commitHex.MatchString(commit) {
		return nil, &Problem{Kind: Malformed, Reason: "GitHub's answer is no commit's id"}
	}
	if commit == known {
		return prior, nil
	}
	t, unsure, err := c.tree(ctx, r, commit)
	if err != nil {
		return nil, err
	}
	s, err := c.archive(ctx, r, commit, t)
	if err != nil {
		return nil, err
	}
	if err := c.complete(ctx, r, s, t); err != nil {
		return nil, err
	}
	if unsure != "" {
		s.gap("", Unavailable, unsure, false)
	}
	if err := c.state.save(r, s); err != nil {
		c.say("the state of %s could not be kept: %v", r, err)
	}
	return s, nil
}

// archive downloads a commit. GitHub redirects to another host, which is sent
// no token of ours: the address itself is the permission.
func (c *Client) archive(ctx context.Context, r repository, commit string, t *tree) (*snapshot, error) {
	var s *snapshot
	ctx = context.WithValue(ctx, archiveKey{}, true)
	err := c.call(ctx, func(ctx context.Context) (*github.Response, error) {
		req, err := c.api.NewRequest("GET", fmt.Sprintf("repos/%s/%s/tarball/%s", r.owner, r.name, commit), nil)
		if err != nil {
			return nil, err
		}
		resp, err := c.api.BareDo(ctx, req)
		if err != nil {
			return resp, err
		}
		defer resp.Body.Close()
		s, err = unpack(resp.Body, c.options.Analyzers, &c.limits, t, commit)
		return resp, err
	})
	return s, err
}

// defaultBranch asks for it, and for the repository's name as GitHub spells it.
func (c *Client) defaultBranch(ctx context.Context, r repository) (repository, error) {
	var found *github.Repository
	err := c.call(ctx, func(ctx context.Context) (resp *github.Response, err error) {
		found, resp, err = c.api.Repositories.Get(ctx, r.owner, r.name)
		return resp, err
	})
	if err != nil {
		return r, err
	}
	if named(found.GetOwner().GetLogin(), found.GetName()) {
		r.owner, r.name = found.GetOwner().GetLogin(), found.GetName()
	}
	r.ref = found.GetDefaultBranch()
	if r.ref == "" {
		return r, &Problem{Kind: Malformed, Reason: "GitHub names no default branch"}
	}
	return r, nil
}

// listing is what an organisation has.
type listing struct {
	repositories    []repository
	archived, forks int // left out
	public          bool
	// broken is why the listing ends before the organisation does; nil when it
	// is whole.
	broken error
	// partial says that GitHub itself left some out: single sign-on.
	partial bool
}

// list asks for an organisation's repositories, page by page.
func (c *Client) list(ctx context.Context, org string) (*listing, error) {
	l := &listing{public: c.options.Token == ""}
	seen := map[string]bool{}
	options := &github.RepositoryListByOrgOptions{Type: "all", Sort: "full_name", ListOptions: github.ListOptions{PerPage: 100}}
	const most = 2000 // pages
	for pages := 0; ; pages++ {
		if pages == most {
			l.broken = &Problem{Kind: Limit, Reason: fmt.Sprintf("more than %d pages of repositories", most)}
			return l, nil
		}
		var page []*github.Repository
		var resp *github.Response
		err := c.call(ctx, func(ctx context.Context) (_ *github.Response, err error) {
			page, resp, err = c.api.Repositories.ListByOrg(ctx, org, options)
			return resp, err
		})
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			if l.broken = err; pages == 0 {
				return nil, err
			}
			return l, nil
		}
		l.partial = l.partial || strings.HasPrefix(resp.Header.Get("X-GitHub-SSO"), "partial-results")
		for _, found := range page {
			r := repository{found.GetOwner().GetLogin(), found.GetName(), found.GetDefaultBranch()}
			if r.owner == "" {
				r.owner = org
			}
			key := strings.ToLower(r.String())
			switch {
			case !named(r.owner, r.name) || !strings.EqualFold(r.owner, org):
				l.broken = &Problem{Kind: Malformed, Reason: "GitHub lists a repository whose name is none of this organisation"}
			case seen[key]: // pages shift while a repository is made
			case found.GetArchived() && !c.options.IncludeArchived:
				l.archived++
			case found.GetFork() && !c.options.IncludeForks:
				l.forks++
			default:
				l.repositories = append(l.repositories, r)
			}
			seen[key] = true
		}
		c.say("github: %d repositories listed", len(seen))
		if resp.NextPage <= options.Page {
			return l, nil
		}
		options.Page = resp.NextPage
	}
}

// asProblem is nil for ctx's errors.
func asProblem(err error) *Problem {
	var p *Problem
	errors.As(err, &p)
	return p
}
