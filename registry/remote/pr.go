package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/google/go-github/v62/github"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/manifest/seal"
	"github.com/sallyport-mcp/sallyport/registry"
)

// GitHubURL is the API of github.com.
const GitHubURL = "https://api.github.com/"

// maxAnswer bounds one answer of GitHub's API, in bytes.
const maxAnswer = 8 << 20

// Errors of Propose, in the chain.
var (
	ErrBranch    = errors.New("a pull request needs a branch of its own")
	ErrMeanwhile = errors.New("the branch was changed by somebody else meanwhile")
)

// Change is a registry document for a repository.
type Change struct {
	Owner, Repo string
	Branch      string // is made when there is none
	Base        string // "": the repository's default branch
	Path        string // of the document in the repository
	Title       string // "": what changes
	Document    []byte
}

// Proposed is what became of a Change.
type Proposed struct {
	URL       string // of the pull request; "" when the base says the same already
	Number    int
	Created   bool // else an open one was updated
	Committed bool // else the branch had the document already
	Reviewers []string
	Remarks   []string // what was left out and why; foreign text in escaped form
}

var (
	ownerForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*$`)
	repoForm   = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	branchForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$`)
	pathForm   = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`)
)

func (c *Change) check() error {
	branch := func(s string) bool {
		return branchForm.MatchString(s) && !strings.Contains(s, "..") && !strings.HasSuffix(s, ".lock") && !strings.HasSuffix(s, ".") && len(s) <= 200
	}
	switch {
	case !ownerForm.MatchString(c.Owner) || !repoForm.MatchString(c.Repo) || strings.Trim(c.Repo, ".") == "":
		return fmt.Errorf("%q is no OWNER/REPO", analyzers.Untrusted(c.Owner+"/"+c.Repo))
	case !branch(c.Branch):
		return fmt.Errorf("%q is no name for a branch", analyzers.Untrusted(c.Branch))
	case c.Base != "" && !branch(c.Base):
		return fmt.Errorf("%q is no name of a branch", analyzers.Untrusted(c.Base))
	case !pathForm.MatchString(c.Path) || strings.Contains(c.Path, ".."):
		return fmt.Errorf("%q is no path in a repository", analyzers.Untrusted(c.Path))
	}
	return nil
}

// GitHub is the API of one GitHub, with somebody's token.
type GitHub struct{ client *github.Client }

// NewGitHub takes the API's address (GitHubURL, or https://HOST/api/v3 of an
// enterprise) and a token that may write contents and pull requests. The token
// goes to that host alone. A nil transport is http.DefaultTransport.
func NewGitHub(address, token string, transport http.RoundTripper) (*GitHub, error) {
	u, err := url.Parse(strings.TrimSuffix(address, "/") + "/")
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is no address of an API", analyzers.Untrusted(address))
	}
	if transport == nil {
		transport = http.DefaultTransport
	}
	client := github.NewClient(&http.Client{
		Transport: seal.Guard(transport, maxAnswer, false),
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if r.URL.Host != u.Host || r.URL.Scheme != u.Scheme || len(via) > 5 {
				return errors.New("a redirect to another place is not followed: the token would go there")
			}
			return nil
		},
	}).WithAuthToken(token)
	client.BaseURL, client.UserAgent = u, "sallyport"
	return &GitHub{client}, nil
}

func status(err error, code int) bool {
	var answer *github.ErrorResponse
	return errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode == code
}

// Propose commits a document on a branch and opens a pull request with the
// evidence, or updates the open one. It never commits to the base. Doing the
// same again changes nothing.
func (g *GitHub) Propose(ctx context.Context, c Change) (*Proposed, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	after, err := registry.Parse(&analyzers.Source{Path: c.Path, Bytes: c.Document})
	if err != nil {
		return nil, err
	}
	repository, _, err := g.client.Repositories.Get(ctx, c.Owner, c.Repo)
	if err != nil {
		return nil, err
	}
	if c.Base == "" {
		c.Base = repository.GetDefaultBranch()
	}
	if c.Branch == c.Base || c.Branch == repository.GetDefaultBranch() {
		return nil, fmt.Errorf("%w: %q is the one to be changed", ErrBranch, c.Branch)
	}
	old, _, err := g.document(ctx, &c, c.Base)
	if err != nil {
		return nil, err
	}
	out := &Proposed{}
	if old != nil && string(old) == string(c.Document) {
		return out, nil
	}
	var before *registry.Document
	if old != nil {
		if before, err = registry.Parse(&analyzers.Source{Path: c.Path, Bytes: old}); err != nil {
			out.Remarks = append(out.Remarks, "the document of the base cannot be read, so every entry counts as new: "+err.Error())
		}
	}
	what := reviewOf(c.Path, before, after, c.Document)
	if c.Title == "" {
		c.Title = what.title
	}
	if out.Committed, err = g.commit(ctx, &c); err != nil {
		return nil, err
	}
	pull, err := g.open(ctx, &c, what.body, out)
	if err != nil {
		return nil, err
	}
	out.URL, out.Number = pull.GetHTMLURL(), pull.GetNumber()
	g.ask(ctx, &c, what, pull, out)
	return out, nil
}

// document reads the document on a branch and its blob's SHA; nil without one.
func (g *GitHub) document(ctx context.Context, c *Change, branch string) (content []byte, sha string, err error) {
	file, _, _, err := g.client.Repositories.GetContents(ctx, c.Owner, c.Repo, c.Path, &github.RepositoryContentGetOptions{Ref: "refs/heads/" + branch})
	switch {
	case status(err, http.StatusNotFound):
		return nil, "", nil
	case err != nil:
		return nil, "", err
	case file == nil || file.GetType() != "file":
		return nil, "", fmt.Errorf("%q on branch %q is no file", c.Path, branch)
	case file.GetEncoding() == "none": // a file of 1 MB and more
		content, _, err = g.client.Git.GetBlobRaw(ctx, c.Owner, c.Repo, file.GetSHA())
		return content, file.GetSHA(), err
	}
	text, err := file.GetContent()
	return []byte(text), file.GetSHA(), err
}

// commit brings the document to the branch, which it makes if need be.
func (g *GitHub) commit(ctx context.Context, c *Change) (committed bool, err error) {
	_, _, err = g.client.Git.GetRef(ctx, c.Owner, c.Repo, "refs/heads/"+c.Branch)
	if status(err, http.StatusNotFound) {
		base, _, err := g.client.Git.GetRef(ctx, c.Owner, c.Repo, "refs/heads/"+c.Base)
		if err != nil {
			return false, err
		}
		_, _, err = g.client.Git.CreateRef(ctx, c.Owner, c.Repo, &github.Reference{Ref: github.String("refs/heads/" + c.Branch), Object: &github.GitObject{SHA: base.GetObject().SHA}})
		if err != nil {
			return false, err
		}
	} else if err != nil {
		return false, err
	}
	content, sha, err := g.document(ctx, c, c.Branch)
	if err != nil || content != nil && string(content) == string(c.Document) {
		return false, err
	}
	options := &github.RepositoryContentFileOptions{Message: &c.Title, Content: c.Document, Branch: &c.Branch}
	if sha != "" {
		options.SHA = &sha
	}
	_, _, err = g.client.Repositories.UpdateFile(ctx, c.Owner, c.Repo, c.Path, options)
	if status(err, http.StatusConflict) {
		err = fmt.Errorf("%w: %w", ErrMeanwhile, err)
	}
	return err == nil, err
}

// What stands between these in a pull request's text is ours.
const (
	bodyBegin = "<!-- sallyport registry pr: begin -->\n"
	bodyEnd   = "<!-- sallyport registry pr: end -->\n"
)

// open opens a pull request or renews our part of the open one's text.
func (g *GitHub) open(ctx context.Context, c *Change, body string, out *Proposed) (*github.PullRequest, error) {
	body = bodyBegin + body + bodyEnd
	list, _, err := g.client.PullRequests.List(ctx, c.Owner, c.Repo, &github.PullRequestListOptions{State: "open", Head: c.Owner + ":" + c.Branch, Base: c.Base})
	if err != nil {
		return nil, err
	}
	for _, pull := range list {
		if pull.GetHead().GetRef() != c.Branch || pull.GetBase().GetRef() != c.Base {
			continue // a server that does not know the filters
		}
		now := strings.ReplaceAll(pull.GetBody(), "\r\n", "\n")
		start, end := strings.Index(now, bodyBegin), strings.Index(now, bodyEnd)
		switch {
		case start >= 0 && end > start:
			body = now[:start] + body + now[end+len(bodyEnd):]
		case now != "":
			body += "\n" + now // somebody else's text stays
		}
		if body == now {
			return pull, nil
		}
		edited, _, err := g.client.PullRequests.Edit(ctx, c.Owner, c.Repo, pull.GetNumber(), &github.PullRequest{Body: &body})
		return edited, err
	}
	out.Created = true
	pull, _, err := g.client.PullRequests.Create(ctx, c.Owner, c.Repo, &github.NewPullRequest{Title: &c.Title, Head: &c.Branch, Base: &c.Base, Body: &body})
	return pull, err
}

// ask requests reviews. GitHub refuses a request as a whole for one name that
// it cannot ask, such as the author's: then each is asked alone.
func (g *GitHub) ask(ctx context.Context, c *Change, what review, pull *github.PullRequest, out *Proposed) {
	remark := func(who, why string) {
		out.Remarks = append(out.Remarks, fmt.Sprintf("%q is not asked for a review: %s", analyzers.Untrusted(who), analyzers.Untrusted(why)))
	}
	for _, who := range what.unmatched {
		remark(who, "this is no name on GitHub")
	}
	var all github.ReviewersRequest
	for _, who := range what.people {
		if strings.EqualFold(who, pull.GetUser().GetLogin()) {
			remark(who, "it is the author of the pull request")
		} else {
			all.Reviewers = append(all.Reviewers, who)
		}
	}
	for _, team := range what.teams {
		if owner, slug, _ := strings.Cut(team, "/"); strings.EqualFold(owner, c.Owner) {
			all.TeamReviewers = append(all.TeamReviewers, slug)
		} else {
			remark(team, "the team is of another organisation")
		}
	}
	if len(all.Reviewers)+len(all.TeamReviewers) == 0 {
		return
	}
	request := func(r github.ReviewersRequest) error {
		_, _, err := g.client.PullRequests.RequestReviewers(ctx, c.Owner, c.Repo, pull.GetNumber(), r)
		if err == nil {
			out.Reviewers = append(append(out.Reviewers, r.Reviewers...), r.TeamReviewers...)
		}
		return err
	}
	if err := request(all); err == nil {
		return
	} else if !status(err, http.StatusUnprocessableEntity) {
		remark(strings.Join(append(all.Reviewers, all.TeamReviewers...), ", "), err.Error())
		return
	}
	for _, who := range all.Reviewers {
		if err := request(github.ReviewersRequest{Reviewers: []string{who}}); err != nil {
			remark(who, err.Error())
		}
	}
	for _, team := range all.TeamReviewers {
		if err := request(github.ReviewersRequest{TeamReviewers: []string{team}}); err != nil {
			remark(team, err.Error())
		}
	}
}
