// Package github reads repositories and organisations of GitHub: it lists
// them, takes each at one commit, and hands what analyzers could want to
// analyzers.Load, from memory. Nothing is cloned, unpacked or run.
//
// It is the one package of a scan that opens connections, and only to the API
// of Options.URL and to where that API redirects a download. The token goes to
// the API alone.
package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// The schemes of targets.
const (
	SchemeRepository   = "github:"     // github:OWNER/REPO[@REF]
	SchemeOrganisation = "github-org:" // github-org:ORG
)

// IsTarget reports whether a target is spelt as one of this package.
func IsTarget(target string) bool {
	return strings.HasPrefix(target, SchemeRepository) || strings.HasPrefix(target, SchemeOrganisation)
}

// Options is what a Client needs. Only Analyzers is required.
type Options struct {
	URL     string // of the API; "" is GitHub's own
	Token   string // sent to that API and nowhere else; "" reads what is public
	Program string // what this build of the program is; kept in the state

	IncludeArchived, IncludeForks bool

	Jobs      int // repositories read at once, at most maxJobs
	Analyzers []analyzers.Analyzer
	// Exclude is as that of analyzers.Tree, with OWNER/REPO in front of the path.
	Exclude func(path string) (reason string)
	State   string       // a directory that keeps what was read; "" keeps nothing
	Say     func(string) // one line of progress; nil is silent
}

// UsageError is a target, a token or an address that cannot work as it stands.
// Hint says what to type instead.
type UsageError struct{ Problem, Hint string }

func (e *UsageError) Error() string { return e.Problem }

// Client reads targets. What it has read it does not read again.
type Client struct {
	options Options
	api     *github.Client
	limits  limits
	state   *state
	read    map[string]string // path prefix -> commit
	held    int64             // bytes of files that the catalogs hold
	backoff time.Duration     // before a second try
	saying  sync.Mutex
}

// maxJobs bounds the memory of a scan (see limits) and is polite to the API.
const maxJobs = 4

// limits bound what one repository may cost.
type limits struct {
	answer   int64         // bytes of one answer of the API
	archive  int64         // bytes of an archive as it is sent
	unpacked int64         // bytes of its contents
	ratio    int64         // between the two, once it is large
	entries  int           // of an archive
	held     int64         // bytes of files kept for the analyzers
	file     int64         // bytes of one of them
	files    int           // how many
	together int64         // bytes of files that all catalogs hold
	blobs    int           // files fetched one by one
	wait     time.Duration // for a rate limit
	idle     time.Duration // without a byte
	total    time.Duration // for one repository
}

func defaultLimits() limits {
	return limits{
		answer:   analyzers.DefaultFileBytes + 1<<20,
		archive:  2 << 30,
		unpacked: 8 << 30,
		ratio:    200,
		entries:  analyzers.DefaultFiles,
		held:     16 << 20,
		file:     analyzers.DefaultFileBytes,
		files:    50_000,
		together: 64 << 20,
		blobs:    64,
		wait:     60 * time.Second,
		idle:     60 * time.Second,
		total:    30 * time.Minute,
	}
}

// New makes a client. It opens no connection.
func New(o Options) (*Client, error) {
	if o.URL == "" {
		o.URL = "https://api.github.com/"
	}
	base, err := url.Parse(strings.TrimSuffix(o.URL, "/") + "/")
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, &UsageError{"the address of the API is no plain https URL", "--github-url https://HOST/api/v3"}
	}
	if base.Scheme == "http" && !loopback(base.Hostname()) {
		return nil, &UsageError{"the API is asked over https only: over http anybody on the way could read the token and change the answers", "--github-url https://" + base.Host + base.Path}
	}
	if strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, &UsageError{"the token in the environment holds a space, a line break or another character that no token has", "export GITHUB_TOKEN=..., without quotes inside"}
	}
	o.Jobs = min(max(o.Jobs, 1), maxJobs)
	c := &Client{options: o, limits: defaultLimits(), read: map[string]string{}, backoff: time.Second}
	if o.State != "" {
		if c.state, err = openState(o.State, o.Program+" "+base.String()); err != nil {
			return nil, &UsageError{fmt.Sprintf("cannot keep the state in %q: %v", o.State, err), "--state DIR, a directory that you may write to"}
		}
	}
	c.api = github.NewClient(&http.Client{Transport: newGuard(base, o.Token, &c.limits), CheckRedirect: c.redirect})
	c.api.BaseURL = base
	c.api.UserAgent = "sallyport"
	return c, nil
}

// Close gives the directory of the state back.
func (c *Client) Close() error {
	if c.state == nil {
		return nil
	}
	return c.state.root.Close()
}

func (c *Client) say(format string, args ...any) {
	if c.options.Say != nil {
		c.saying.Lock()
		defer c.saying.Unlock()
		c.options.Say(c.clean(fmt.Sprintf(format, args...)))
	}
}

// clean takes the token out of a text that a server may have put it in.
func (c *Client) clean(s string) string {
	if c.options.Token == "" {
		return s
	}
	return strings.ReplaceAll(s, c.options.Token, "***")
}

// repository is one repository and what of it is read.
type repository struct {
	owner, name string
	ref         string // what was asked for; of an organisation's the default branch
}

func (r repository) String() string { return r.owner + "/" + r.name }

var (
	loginShape = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9_-])?$`)
	nameShape  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	commitHex  = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)
)

// named reports whether GitHub gives such names: they stand in paths and in
// requests.
func named(owner, name string) bool {
	return loginShape.MatchString(owner) && nameShape.MatchString(name) && name != "." && name != ".."
}

// parse reads a target. An organisation has no name of a repository.
func parse(target string) (repository, error) {
	if org, ok := strings.CutPrefix(target, SchemeOrganisation); ok {
		if !loginShape.MatchString(org) {
			return repository{}, &UsageError{fmt.Sprintf("%q is no organisation's name", org), "sallyport scan github-org:ORG"}
		}
		return repository{owner: org}, nil
	}
	rest := strings.TrimPrefix(target, SchemeRepository)
	place, ref, at := strings.Cut(rest, "@")
	owner, name, _ := strings.Cut(place, "/")
	if !named(owner, name) || at && (ref == "" || strings.HasPrefix(ref, "-") || strings.ContainsFunc(ref, func(r rune) bool { return r <= ' ' || r == 0x7f }) || strings.Contains(ref, "..")) {
		return repository{}, &UsageError{fmt.Sprintf("%q names no repository", rest), "sallyport scan github:OWNER/REPO, or github:OWNER/REPO@BRANCH, TAG or COMMIT"}
	}
	return repository{owner, name, ref}, nil
}

// sleep waits, unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
