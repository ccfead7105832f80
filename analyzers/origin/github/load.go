package github

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Read is one thing that was read, for the report. Digest is a commit.
type Read struct{ URI, Kind, Digest string }

// Kinds of a Read.
const (
	KindRepository   = "github"
	KindOrganisation = "github-org"
)

// Load reads a target. Paths of the catalog begin with OWNER/REPO (with
// OWNER/REPO@COMMIT where the client has read another commit of it before).
// What could not be read is a gap, and the rest is there all the same. The
// error is ctx's, or a *UsageError when nothing of the target is there.
func (c *Client) Load(ctx context.Context, target string) ([]Read, *analyzers.Catalog, error) {
	r, err := parse(target)
	if err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(target, SchemeOrganisation) {
		return c.organisation(ctx, r.owner)
	}
	return c.single(ctx, r)
}

func (c *Client) single(ctx context.Context, r repository) ([]Read, *analyzers.Catalog, error) {
	asked := r
	var err error
	if r.ref == "" {
		r, err = c.defaultBranch(ctx, r)
	}
	var one read
	if err == nil {
		one = c.one(ctx, r, c.read[r.String()])
		err = one.err
	}
	if err != nil {
		p := asProblem(err)
		if p == nil {
			return nil, nil, err
		}
		place := SchemeRepository + asked.String()
		if asked.ref != "" {
			place += "@" + asked.ref
		}
		switch p.Kind {
		case NotFound:
			return nil, nil, &UsageError{place + ": " + p.Reason, c.unseen("check owner, name and ref")}
		case Forbidden, SSO:
			return nil, nil, &UsageError{place + ": " + p.Reason, c.unseen("use a token that may read this repository")}
		}
		return []Read{{place, KindRepository, ""}}, c.problem(asked, p), nil
	}
	catalogs, reads := c.settle(nil, nil, r, one)
	return reads, analyzers.Merge(catalogs...), nil
}

func (c *Client) unseen(otherwise string) string {
	if c.options.Token == "" {
		return otherwise + "; what is not public needs GITHUB_TOKEN"
	}
	return otherwise
}

func (c *Client) organisation(ctx context.Context, org string) ([]Read, *analyzers.Catalog, error) {
	place := SchemeOrganisation + org
	reads := []Read{{place, KindOrganisation, ""}}
	all := &analyzers.Catalog{}
	gap := func(kind, reason string, blocking bool) {
		all.Gaps = append(all.Gaps, analyzers.Gap{Path: org, Kind: kind, Reason: reason, Blocking: blocking})
	}
	l, err := c.list(ctx, org)
	if err != nil {
		p := asProblem(err)
		if p == nil {
			return nil, nil, err
		}
		switch p.Kind {
		case NotFound:
			return nil, nil, &UsageError{place + ": " + p.Reason, c.unseen("name an organisation; a person's repositories are scanned one by one: sallyport scan github:OWNER/REPO")}
		case Forbidden, SSO:
			return nil, nil, &UsageError{place + ": " + p.Reason, c.unseen("use a token that may list this organisation")}
		}
		gap(p.Kind, "the repositories could not be listed: "+c.again(p), true)
		return reads, all, nil
	}
	if p := asProblem(l.broken); p != nil {
		gap(p.Kind, fmt.Sprintf("the listing broke off after %d repositories: %s", len(l.repositories), c.again(p)), true)
	}
	if l.partial {
		gap(SSO, "GitHub left repositories out of the listing because the token is not authorised for single sign-on; authorise it under Configure SSO in the settings of your tokens, and scan again", true)
	}
	if l.public {
		gap("skipped", "without a token only public repositories are listed; GITHUB_TOKEN shows the others", false)
	}
	if l.archived > 0 {
		gap("skipped", fmt.Sprintf("archived repositories that are not read: %d (--include-archived reads them)", l.archived), false)
	}
	if l.forks > 0 {
		gap("skipped", fmt.Sprintf("forks that are not read: %d (--include-forks reads them)", l.forks), false)
	}

	catalogs := []*analyzers.Catalog{all}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // those that are still read when a limit is met
	results := c.each(ctx, l.repositories)
	for i, r := range l.repositories {
		slot, ok := <-results
		if !ok {
			return nil, nil, ctx.Err()
		}
		one := <-slot
		if p := asProblem(one.err); p != nil && p.Kind == RateLimit {
			cancel()
			gap(RateLimit, fmt.Sprintf("%d of %d repositories were not read: %s", len(l.repositories)-i, len(l.repositories), c.again(p)), true)
			break
		} else if p != nil {
			c.say("github: %d/%d %s: %s", i+1, len(l.repositories), r, p.Reason)
			catalogs = append(catalogs, c.problem(r, p))
			continue
		} else if one.err != nil {
			return nil, nil, one.err
		}
		c.say("github: %d/%d %s", i+1, len(l.repositories), r)
		catalogs, reads = c.settle(catalogs, reads, r, one)
	}
	return reads, analyzers.Merge(catalogs...), nil
}

// again says when and how to go on.
func (c *Client) again(p *Problem) string {
	switch {
	case p.Kind != RateLimit:
		return p.Reason
	case c.state != nil:
		return p.Reason + "; run the same command again then: what was read is in --state"
	case c.options.Token == "":
		return p.Reason + "; GITHUB_TOKEN has a limit that is much higher"
	}
	return p.Reason + "; run the command again then, with --state DIR to keep what was read"
}

// read is one repository, read.
type read struct {
	commit  string
	catalog *analyzers.Catalog
	err     error
}

// each reads the repositories, few at once, and hands them on in their order:
// the limits on the whole must not depend on who answers first.
func (c *Client) each(ctx context.Context, all []repository) <-chan chan read {
	queue := make(chan chan read, max(c.options.Jobs-1, 0))
	free := make(chan struct{}, c.options.Jobs)
	before := maps.Clone(c.read)
	go func() {
		defer close(queue)
		for _, r := range all {
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				return
			}
			slot := make(chan read, 1)
			go func() {
				slot <- c.one(ctx, r, before[r.String()])
				<-free
			}()
			select {
			case queue <- slot:
			case <-ctx.Done():
				return
			}
		}
	}()
	return queue
}

// one reads one repository into a catalog of its own. Before is the commit that
// another target has read of it.
func (c *Client) one(ctx context.Context, r repository, before string) read {
	if r.ref == "" {
		return read{err: &Problem{Kind: Malformed, Reason: "GitHub names no default branch"}}
	}
	s, err := c.fetch(ctx, r)
	if err != nil {
		return read{err: err}
	}
	prefix := r.String()
	if before != "" && before != s.commit {
		prefix += "@" + s.commit[:12]
	}
	tree := analyzers.Tree{FS: s.files, Prefix: prefix, Exposure: analyzers.Project}
	if c.options.Exclude != nil {
		tree.Exclude = func(path string) string { return c.options.Exclude(prefix + "/" + path) }
	}
	catalog, err := analyzers.Load(ctx, tree, c.options.Analyzers, analyzers.Limits{Jobs: 1})
	if err != nil {
		return read{err: err}
	}
	for _, g := range s.gaps {
		g.Path = strings.TrimSuffix(prefix+"/"+g.Path, "/")
		catalog.Gaps = append(catalog.Gaps, g)
	}
	catalog.Stats.Files += s.passed.Files
	catalog.Stats.Bytes += s.passed.Bytes
	catalog.Stats.Seen = max(catalog.Stats.Seen, s.passed.Seen)
	return read{s.commit, catalog, nil}
}

// settle adds a repository to what was read. All that the catalogs of a client
// hold is bounded as one scan's is.
func (c *Client) settle(catalogs []*analyzers.Catalog, reads []Read, r repository, one read) ([]*analyzers.Catalog, []Read) {
	place := r.String()
	if c.read[place] == one.commit {
		return catalogs, reads // by another target
	}
	if c.read[place] == "" {
		c.read[place] = one.commit
	}
	reads = append(reads, Read{SchemeRepository + place, KindRepository, one.commit})
	size := holds(one.catalog)
	if c.held+size > c.limits.together {
		return append(catalogs, c.problem(r, &Problem{Kind: Limit, Reason: fmt.Sprintf("recognised files beyond %d MiB in all repositories together are not kept; scan this repository by itself", c.limits.together>>20)})), reads
	}
	c.held += size
	return append(catalogs, one.catalog), reads
}

// holds is the size of the files that a catalog keeps in memory.
func holds(c *analyzers.Catalog) (n int64) {
	seen := map[*analyzers.Source]bool{nil: true}
	count := func(s *analyzers.Source) {
		if !seen[s] {
			seen[s] = true
			n += int64(len(s.Bytes))
		}
	}
	for _, client := range c.Clients {
		count(client.Source)
	}
	for _, s := range c.Servers {
		count(s.Span.Source)
	}
	for _, d := range c.Documents {
		count(d.Source)
		count(d.Span.Source)
	}
	for _, s := range c.Secrets {
		count(s.Text.Span.Source)
	}
	return n
}

// problem is a catalog that says why a repository is not in it.
func (c *Client) problem(r repository, p *Problem) *analyzers.Catalog {
	if p.Kind == empty {
		return &analyzers.Catalog{Gaps: []analyzers.Gap{{Path: r.String(), Kind: "skipped", Reason: p.Reason}}}
	}
	return &analyzers.Catalog{Gaps: []analyzers.Gap{{Path: r.String(), Kind: p.Kind, Reason: c.again(p), Blocking: true}}}
}
