package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/all"
	"github.com/sallyport-mcp/sallyport/internal/githubtest"
)

const token = "test-token-0123456789"

func declares(name, command string) string {
	return fmt.Sprintf(`{"mcpServers": {%q: {"command": "npx", "args": ["-y", %q]}}}`, name, command)
}

func serve(t *testing.T, repos ...*githubtest.Repo) *githubtest.Server {
	t.Helper()
	s := githubtest.New()
	t.Cleanup(s.Close)
	s.Add("acme", repos...)
	return s
}

func client(t *testing.T, s *githubtest.Server, change ...func(*Options)) *Client {
	t.Helper()
	o := Options{URL: s.URL, Token: token, Jobs: 3, Analyzers: all.Analyzers()}
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.backoff = time.Millisecond
	t.Cleanup(func() { c.Close() })
	return c
}

func load(t *testing.T, c *Client, target string) ([]Read, *analyzers.Catalog) {
	t.Helper()
	reads, catalog, err := c.Load(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return reads, catalog
}

func servers(c *analyzers.Catalog) (ids []string) {
	for _, s := range c.Servers {
		ids = append(ids, s.ID)
	}
	return ids
}

// gapAt is "kind: reason" of the one gap of a path, with "!" in front when it
// blocks.
func gapAt(t *testing.T, c *analyzers.Catalog, path string) string {
	t.Helper()
	var found []string
	for _, g := range c.Gaps {
		if g.Path == path {
			found = append(found, map[bool]string{true: "!"}[g.Blocking]+g.Kind+": "+g.Reason)
		}
	}
	if len(found) != 1 {
		t.Errorf("%s: gaps %q, want one", path, found)
	}
	return strings.Join(found, "\n")
}

func TestOrganisation(t *testing.T) {
	api := &githubtest.Repo{Name: "api", Files: map[string]string{".mcp.json": declares("files", "@acme/files@1.0.0"), "src/main.go": "package main", "docs/notes.json": "{}"}}
	web := &githubtest.Repo{Name: "web", Private: true, Files: map[string]string{".cursor/mcp.json": declares("files", "@acme/files@1.1.0")}}
	s := serve(t, api, web,
		&githubtest.Repo{Name: "old", Archived: true, Files: map[string]string{".mcp.json": declares("old", "x")}},
		&githubtest.Repo{Name: "copy", Fork: true, Files: map[string]string{".mcp.json": declares("copy", "x")}},
		&githubtest.Repo{Name: "void"},
	)
	s.Page, s.Token = 2, token
	c := client(t, s)
	reads, catalog := load(t, c, "github-org:acme")
	want := []Read{{"github-org:acme", "github-org", ""}, {"github:acme/api", "github", api.Commit()}, {"github:acme/web", "github", web.Commit()}}
	if !slices.Equal(reads, want) {
		t.Errorf("read %v\nwant %v", reads, want)
	}
	if got, want := servers(catalog), []string{"acme/api/.mcp.json#files", "acme/web/.cursor/mcp.json#files"}; !slices.Equal(got, want) {
		t.Errorf("servers %q, want %q", got, want)
	}
	if len(catalog.Gaps) != 3 || catalog.Gaps[2].Path != "acme/void" || catalog.Gaps[2].Blocking {
		t.Errorf("gaps %+v", catalog.Gaps)
	}
	if catalog.Stats.Files != 3 || catalog.Stats.Seen != 7 {
		t.Errorf("%+v: what was looked at and is nobody's counts, too", catalog.Stats)
	}
	if catalog.Servers[0].Exposure != analyzers.Project {
		t.Errorf("exposure %q", catalog.Servers[0].Exposure)
	}
	if n := s.Asked("/repos"); n < 3 { // pages
		t.Errorf("%d requests", n)
	}
	for _, h := range s.CDNSaw {
		if h.Get("Authorization") != "" {
			t.Error("the host of the archives got the token")
		}
	}

	_, catalog = load(t, client(t, s, func(o *Options) { o.IncludeArchived, o.IncludeForks = true, true }), "github-org:acme")
	if len(catalog.Servers) != 4 {
		t.Errorf("with archived and forks: %q", servers(catalog))
	}
}

func TestRepository(t *testing.T) {
	api := &githubtest.Repo{Name: "api", Branch: "trunk", Files: map[string]string{".mcp.json": declares("files", "x@1.0.0")}}
	s := serve(t, api)
	for _, target := range []string{"github:acme/api", "github:acme/api@trunk", "github:acme/api@" + api.Commit()} {
		reads, catalog := load(t, client(t, s), target)
		if len(reads) != 1 || reads[0].Digest != api.Commit() || len(catalog.Servers) != 1 {
			t.Errorf("%s: %v %q", target, reads, servers(catalog))
		}
	}
	// The same commit twice is one; another commit has paths of its own.
	c := client(t, s)
	load(t, c, "github-org:acme")
	if _, catalog := load(t, c, "github:acme/api"); len(catalog.Servers) != 0 {
		t.Errorf("read twice: %q", servers(catalog))
	}
	api.Files["README.md"] = "new"
	_, catalog := load(t, c, "github:acme/api")
	if want := "acme/api@" + api.Commit()[:12] + "/.mcp.json#files"; servers(catalog)[0] != want {
		t.Errorf("%q, want %q", servers(catalog), want)
	}
}

func TestUsage(t *testing.T) {
	s := serve(t, &githubtest.Repo{Name: "api", Files: map[string]string{"a": "b"}})
	for target, want := range map[string]string{
		"github:":                           "names no repository",
		"github:acme":                       "names no repository",
		"github:acme/..":                    "names no repository",
		"github:acme/api/more":              "names no repository",
		"github:acme/api@":                  "names no repository",
		"github:acme/api@-x":                "names no repository",
		"github:acme/api@a..b":              "names no repository",
		"github:acme/api?x=y":               "names no repository",
		"github-org:":                       "no organisation's name",
		"github-org:a/b":                    "no organisation's name",
		"github-org:nobody":                 "not there, or not for this token",
		"github:acme/nothing":               "not there, or not for this token",
		"github:acme/api@nowhere":           "No commit found",
		"github:acme/api@feature/with#hash": "No commit found",
	} {
		_, _, err := client(t, s).Load(t.Context(), target)
		var wrong *UsageError
		if !errors.As(err, &wrong) || !strings.Contains(wrong.Problem, want) || wrong.Hint == "" {
			t.Errorf("%s: %v, want %q", target, err, want)
		}
	}
	for _, o := range []Options{{URL: "ftp://x"}, {URL: "http://ghe.example/api/v3"}, {URL: "https://user:pw@x"}, {URL: "https://x?y"}, {URL: "::"}, {Token: "a\nb"}, {Token: `"a b"`}, {State: "github_test.go"}} {
		_, err := New(o)
		var wrong *UsageError
		if !errors.As(err, &wrong) || wrong.Hint == "" || o.Token != "" && strings.Contains(wrong.Problem, o.Token) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := New(Options{URL: "https://ghe.example/api/v3"}); err != nil {
		t.Error(err)
	}
}

// One repository that cannot be read is a gap of its own kind; the others are
// there all the same.
func TestFailures(t *testing.T) {
	good := &githubtest.Repo{Name: "good", Files: map[string]string{".mcp.json": declares("files", "x@1.0.0")}}
	at := func(part string, answer func(w http.ResponseWriter)) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, part) {
				return false
			}
			answer(w)
			return true
		}
	}
	fail := func(status int, message string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { githubtest.Fail(w, status, message) }
	}
	raw := func(body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.Write([]byte(body)) }
	}
	whole := (&githubtest.Repo{Name: "bad", Files: good.Files}).Tarball("acme")
	tests := []struct {
		name    string
		fail    func(w http.ResponseWriter, r *http.Request) bool
		archive []byte
		want    string
	}{
		{name: "gone", fail: at("/commits/", fail(404, "Not Found")), want: "!not-found: not there"},
		{name: "gone-later", fail: at("/tarball/", fail(404, "Not Found")), want: "!not-found: not there"},
		{name: "gone-there", fail: at("/legacy.tar.gz/", func(w http.ResponseWriter) { http.Error(w, "404: Not Found", 404) }), want: "!not-found: not there"},
		{name: "locked", fail: at("/commits/", fail(403, "Resource not accessible by personal access token")), want: "!forbidden: GitHub refuses access: Resource not accessible"},
		{name: "blocked", fail: at("/commits/", fail(451, "Repository access blocked")), want: "!forbidden: GitHub refuses access"},
		{name: "sso", fail: at("/commits/", func(w http.ResponseWriter) {
			w.Header().Set("X-GitHub-SSO", "required; url=https://github.com/orgs/acme/sso?authorization_request=SECRET")
			githubtest.Fail(w, 403, "Resource protected by organization SAML enforcement.")
		}), want: "!sso: the token is not authorised"},
		{name: "broken", fail: at("/commits/", fail(502, "Server Error")), want: "!unavailable: GitHub answers with status 502"},
		{name: "cut", archive: whole[:len(whole)/2], want: "!truncated: the answer ends too early"},
		{name: "cut-late", archive: whole[:len(whole)-4], want: "!truncated: the answer ends too early"},
		{name: "nothing", archive: []byte{}, want: "!truncated: the answer ends too early"},
		{name: "page", archive: []byte("<html>sign in</html>"), want: "!malformed: the archive is damaged"},
		{name: "flipped", archive: flip(whole), want: "!malformed: the archive is damaged"},
		{name: "no-commit", fail: at("/commits/", raw("<html>")), want: "!malformed: GitHub's answer is no commit's id"},
		{name: "echo", fail: at("/commits/", fail(403, "token "+token+" is bad")), want: "!forbidden: GitHub refuses access: token *** is bad"},
		{name: "huge", fail: at("/commits/", raw(strings.Repeat("a", 70_000))), want: "!limit: an answer larger than is read"},
		{name: "dropped", fail: at("/legacy.tar.gz/", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }), want: "!unavailable: no answer: EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bad := &githubtest.Repo{Name: "bad", Archive: test.archive, Fail: test.fail, Private: true, Files: map[string]string{".mcp.json": "{}"}}
			if test.archive != nil {
				bad.Files = good.Files
			}
			s := serve(t, bad, good)
			c := client(t, s)
			c.limits.answer = 64 << 10
			_, catalog := load(t, c, "github-org:acme")
			got := gapAt(t, catalog, "acme/bad")
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("%s\nwant %s", got, test.want)
			}
			for _, secret := range []string{token, "DOWNLOADTOKEN", "SECRET", "127.0.0.1"} {
				if strings.Contains(got, secret) {
					t.Errorf("%s holds %s", got, secret)
				}
			}
			if got := servers(catalog); !slices.Equal(got, []string{"acme/good/.mcp.json#files"}) {
				t.Errorf("the others: %q", got)
			}
		})
	}
}

func flip(b []byte) []byte {
	b = slices.Clone(b)
	b[len(b)-6] ^= 0xff // in the checksum
	return b
}

func TestListing(t *testing.T) {
	api := &githubtest.Repo{Name: "api", Files: map[string]string{".mcp.json": declares("files", "x@1.0.0")}}
	for name, test := range map[string]struct {
		before func(w http.ResponseWriter, r *http.Request) bool
		token  string
		want   string // of the gap; or of the usage error, after "usage "
		found  int
	}{
		"malformed": {before: func(w http.ResponseWriter, r *http.Request) bool {
			w.Write([]byte(`{"not": "a list"`))
			return true
		}, token: token, want: "!truncated: the repositories could not be listed"},
		"another": {before: func(w http.ResponseWriter, r *http.Request) bool {
			w.Write([]byte(`{"not": "a list"}`))
			return true
		}, token: token, want: "!malformed: the repositories could not be listed"},
		"down": {before: func(w http.ResponseWriter, r *http.Request) bool {
			githubtest.Fail(w, 503, "Service Unavailable")
			return true
		}, token: token, want: "!unavailable: the repositories could not be listed: GitHub answers with status 503"},
		"second page": {before: func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Get("page") != "2" {
				return false
			}
			githubtest.Fail(w, 500, "oops")
			return true
		}, token: token, want: "!unavailable: the listing broke off after 1 repositories", found: 1},
		"another's": {before: func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasPrefix(r.URL.Path, "/orgs/") {
				return false
			}
			w.Write([]byte(`[{"name": "../../x", "owner": {"login": "acme"}, "default_branch": "main"}]`))
			return true
		}, token: token, want: "!malformed: the listing broke off after 0 repositories: GitHub lists a repository whose name"},
		"partial": {before: func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/orgs/") {
				w.Header().Set("X-GitHub-SSO", "partial-results; organizations=21955855,20582480")
			}
			return false
		}, token: token, want: "!sso: GitHub left repositories out", found: 2},
		"no token": {want: "skipped: without a token only public repositories are listed", found: 2},
		"wrong token": {before: func(w http.ResponseWriter, r *http.Request) bool {
			githubtest.Fail(w, 401, "Bad credentials")
			return true
		}, token: token, want: "usage github-org:acme: GitHub does not accept the token: Bad credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, api, &githubtest.Repo{Name: "web", Files: api.Files})
			s.Page, s.Before = 1, test.before
			_, catalog, err := client(t, s, func(o *Options) { o.Token = test.token }).Load(t.Context(), "github-org:acme")
			if want, ok := strings.CutPrefix(test.want, "usage "); ok {
				var wrong *UsageError
				if !errors.As(err, &wrong) || wrong.Problem != want {
					t.Errorf("%v, want %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := gapAt(t, catalog, "acme"); !strings.HasPrefix(got, test.want) {
				t.Errorf("%s\nwant %s", got, test.want)
			}
			if len(catalog.Servers) != test.found {
				t.Errorf("servers %q", servers(catalog))
			}
		})
	}
}

// A short limit is waited for and said; a long one ends the scan with what to
// do, and nobody is asked any more.
func TestRateLimits(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(w http.ResponseWriter)
		long   bool
	}{
		"primary, short":           {answer: func(w http.ResponseWriter) { githubtest.Exhausted(w, time.Now().Add(-2*time.Second)) }},
		"secondary 403, short":     {answer: func(w http.ResponseWriter) { githubtest.Abused(w, 403, "0") }},
		"secondary 429, short":     {answer: func(w http.ResponseWriter) { githubtest.Abused(w, 429, "0") }},
		"403 with Retry-After":     {answer: func(w http.ResponseWriter) { w.Header().Set("Retry-After", "0"); githubtest.Fail(w, 403, "wait") }},
		"primary, long":            {answer: func(w http.ResponseWriter) { githubtest.Exhausted(w, time.Now().Add(time.Hour)) }, long: true},
		"secondary 403, long":      {answer: func(w http.ResponseWriter) { githubtest.Abused(w, 403, "900") }, long: true},
		"secondary 429, long":      {answer: func(w http.ResponseWriter) { githubtest.Abused(w, 429, "900") }, long: true},
		"secondary, says not when": {answer: func(w http.ResponseWriter) { githubtest.Abused(w, 403, "") }, long: true},
		"429 of a download's host": {answer: func(w http.ResponseWriter) { http.Error(w, "slow down", http.StatusTooManyRequests) }, long: true},
	} {
		t.Run(name, func(t *testing.T) {
			var repos []*githubtest.Repo
			for i := range 8 {
				repos = append(repos, &githubtest.Repo{Name: fmt.Sprintf("r%d", i), Files: map[string]string{".mcp.json": declares("files", "x@1.0.0")}})
			}
			s := serve(t, repos...)
			var once atomic.Bool
			s.Before = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/r2/commits/") || !test.long && once.Swap(true) {
					return false
				}
				test.answer(w)
				return true
			}
			var said []string
			c := client(t, s, func(o *Options) { o.Jobs = 1; o.Say = func(line string) { said = append(said, line) } })
			c.limits.wait = 10 * time.Second
			_, catalog := load(t, c, "github-org:acme")
			waited := slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, "GitHub's rate limit: waiting ") })
			if !test.long {
				if len(catalog.Servers) != 8 || len(catalog.Gaps) != 0 || !waited {
					t.Errorf("%q %+v\n%q", servers(catalog), catalog.Gaps, said)
				}
				return
			}
			got := gapAt(t, catalog, "acme")
			if !strings.HasPrefix(got, "!rate-limit: 6 of 8 repositories were not read: GitHub's rate limit is used up until 2") || !strings.Contains(got, "--state DIR") {
				t.Error(got)
			}
			if len(catalog.Servers) != 2 || s.Asked("/r5/") != 0 || waited {
				t.Errorf("%q; %d requests for a later one; %q", servers(catalog), s.Asked("/r5/"), said)
			}
		})
	}
}

func TestState(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	api := &githubtest.Repo{Name: "api", Files: map[string]string{
		".mcp.json": declares("files", "x@1.0.0"), "CLAUDE.md": "-> AGENTS.md", "AGENTS.md": "Be kind.", "node_modules/x/.mcp.json": "{}",
	}}
	web := &githubtest.Repo{Name: "web", Files: map[string]string{".mcp.json": declares("web", "y@1.0.0")}}
	s := serve(t, api, web)
	limited := true
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if limited && strings.Contains(r.URL.Path, "/web/") {
			githubtest.Exhausted(w, time.Now().Add(time.Hour))
			return true
		}
		return false
	}
	with := func(o *Options) { o.State, o.Program, o.Jobs = dir, "one", 1 }
	_, first := load(t, client(t, s, with), "github-org:acme")
	if got := gapAt(t, first, "acme"); !strings.Contains(got, "run the same command again then") {
		t.Error(got)
	}

	// The second run downloads what is missing, and says of the rest what the
	// first run said.
	limited = false
	s.Forget()
	_, second := load(t, client(t, s, with), "github-org:acme")
	if len(second.Servers) != 2 || s.Asked("/api/tarball/") != 0 || s.Asked("/web/tarball/") != 1 {
		t.Errorf("%q, %q", servers(second), s.Requests)
	}
	_, fresh := load(t, client(t, s), "github-org:acme")
	if a, b := told(second), told(fresh); a != b {
		t.Errorf("from the state:\n%s\nwithout:\n%s", a, b)
	}

	// A new commit, another build and a damaged file are read again.
	api.Files["AGENTS.md"] = "Be kinder."
	s.Forget()
	load(t, client(t, s, with), "github-org:acme")
	if s.Asked("tarball") != 1 {
		t.Errorf("after a commit: %q", s.Requests)
	}
	s.Forget()
	load(t, client(t, s, with, func(o *Options) { o.Program = "two" }), "github-org:acme")
	if s.Asked("tarball") != 2 {
		t.Errorf("another build: %q", s.Requests)
	}
	name := filepath.Join(dir, "acme", "api.json.gz")
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	content, _ := os.ReadFile(name)
	for _, damaged := range [][]byte{content[:len(content)/2], []byte("x"), {}} {
		if err := os.WriteFile(name, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s.Forget()
		_, again := load(t, client(t, s, with, func(o *Options) { o.Program = "two" }), "github-org:acme")
		if s.Asked("tarball") != 1 || len(again.Servers) != 2 {
			t.Errorf("damaged: %q", s.Requests)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "acme", "*.draft")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// told is what a report would be made of.
func told(c *analyzers.Catalog) string {
	var b strings.Builder
	for _, s := range c.Servers {
		fmt.Fprintln(&b, s.ID, s.Args, s.Span.Begin())
	}
	for _, d := range c.Documents {
		fmt.Fprintln(&b, d.Kind, d.Span.Path())
	}
	for _, g := range c.Gaps {
		fmt.Fprintln(&b, g.Path, g.Kind, g.Reason, g.Blocking)
	}
	fmt.Fprintf(&b, "%+v\n", c.Stats)
	return b.String()
}

// The answer does not depend on how many are read at once.
func TestJobs(t *testing.T) {
	var repos []*githubtest.Repo
	for i := range 30 {
		repos = append(repos, &githubtest.Repo{Name: fmt.Sprintf("r%02d", i), Files: map[string]string{".mcp.json": declares("files", "x@1.0.0"), "AGENTS.md": strings.Repeat("word ", i)}})
	}
	s := serve(t, repos...)
	_, one := load(t, client(t, s, func(o *Options) { o.Jobs = 1 }), "github-org:acme")
	_, many := load(t, client(t, s, func(o *Options) { o.Jobs = 64 }), "github-org:acme")
	if told(one) != told(many) {
		t.Errorf("one:\n%s\nmany:\n%s", told(one), told(many))
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var repos []*githubtest.Repo
	for i := range 20 {
		repos = append(repos, &githubtest.Repo{Name: fmt.Sprintf("r%02d", i), Files: map[string]string{".mcp.json": "{}"}})
	}
	s := serve(t, repos...)
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/r05/") {
			cancel()
		}
		return false
	}
	if _, _, err := client(t, s).Load(ctx, "github-org:acme"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// The token goes to the API and nowhere else, wherever that redirects to.
func TestToken(t *testing.T) {
	s := serve(t, &githubtest.Repo{Name: "api", Files: map[string]string{".mcp.json": declares("files", "x@1.0.0")}})
	var leaked atomic.Bool
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasPrefix(r.URL.Path, "/elsewhere/"): // the same host, not the API
			leaked.Store(leaked.Load() || r.Header.Get("Authorization") != "")
			http.Redirect(w, r, s.CDN.URL+strings.TrimPrefix(r.URL.Path, "/elsewhere"), http.StatusFound)
			return true
		case strings.Contains(r.URL.Path, "/tarball/"):
			commit := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
			http.Redirect(w, r, s.URL+"/elsewhere/acme/api/legacy.tar.gz/"+commit, http.StatusFound)
			return true
		case !strings.HasPrefix(r.URL.Path, "/v3/"):
			http.NotFound(w, r)
			return true
		}
		if r.Header.Get("Authorization") != "Bearer "+token {
			t.Errorf("%s without the token", r.URL.Path)
		}
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/v3")
		if strings.Contains(r.URL.Path, "/tarball/") {
			commit := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
			http.Redirect(w, r, s.URL+"/elsewhere/acme/api/legacy.tar.gz/"+commit, http.StatusFound)
			return true
		}
		return false
	}
	_, catalog := load(t, client(t, s, func(o *Options) { o.URL = s.URL + "/v3" }), "github:acme/api")
	if len(catalog.Servers) != 1 || leaked.Load() || len(s.CDNSaw) != 1 || s.CDNSaw[0].Get("Authorization") != "" {
		t.Errorf("%q, leaked %v, %v", servers(catalog), leaked.Load(), s.CDNSaw)
	}

	// Not over http to a host that is not this machine, and not in circles.
	for _, to := range []string{"http://archives.example/x", "ftp://archives.example/x"} {
		s.Before = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/tarball/") {
				http.Redirect(w, r, to, http.StatusFound)
				return true
			}
			return false
		}
		_, catalog = load(t, client(t, s), "github:acme/api")
		if got := gapAt(t, catalog, "acme/api"); !strings.Contains(got, "redirected away from https") {
			t.Error(got)
		}
	}
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/tarball/") {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
			return true
		}
		return false
	}
	_, catalog = load(t, client(t, s), "github:acme/api")
	if got := gapAt(t, catalog, "acme/api"); !strings.Contains(got, "more than 5 redirects") {
		t.Error(got)
	}
}

func TestStalled(t *testing.T) {
	done := make(chan struct{})
	s := serve(t, &githubtest.Repo{Name: "api", Files: map[string]string{".mcp.json": "{}"}, Fail: func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/legacy.tar.gz/") {
			return false
		}
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		select {
		case <-done:
		case <-r.Context().Done():
		}
		return true
	}})
	defer close(done)
	c := client(t, s)
	c.limits.idle = 50 * time.Millisecond
	_, catalog := load(t, c, "github-org:acme")
	if got := gapAt(t, catalog, "acme/api"); got != "!unavailable: the server stopped sending" {
		t.Error(got)
	}
}

// All repositories together are bounded as one scan is, in their own order.
func TestTogether(t *testing.T) {
	var repos []*githubtest.Repo
	for i := range 6 {
		repos = append(repos, &githubtest.Repo{Name: fmt.Sprintf("r%d", i), Files: map[string]string{".mcp.json": declares("files", "x@1.0.0") + strings.Repeat(" ", 1000)}})
	}
	c := client(t, serve(t, repos...))
	c.limits.together = 3500
	_, catalog := load(t, c, "github-org:acme")
	if len(catalog.Servers) != 3 || len(catalog.Gaps) != 3 || catalog.Gaps[0].Path != "acme/r3" || !catalog.Gaps[0].Blocking {
		t.Errorf("%q %+v", servers(catalog), catalog.Gaps)
	}
}

// A server that sends for ever, slowly, ends at the limit for one repository.
func TestSlow(t *testing.T) {
	s := serve(t, &githubtest.Repo{Name: "api", Files: map[string]string{".mcp.json": "{}"}, Fail: func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/legacy.tar.gz/") {
			w.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}) // the head of gzip
		}
		for strings.Contains(r.URL.Path, "/legacy.tar.gz/") && r.Context().Err() == nil {
			w.Write([]byte{0, 0, 0, 0xff, 0xff}) // a stored block of nothing
			w.(http.Flusher).Flush()
			time.Sleep(time.Millisecond)
		}
		return strings.Contains(r.URL.Path, "/legacy.tar.gz/")
	}}, &githubtest.Repo{Name: "web", Files: map[string]string{".mcp.json": declares("files", "x@1.0.0")}})
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/api/tarball/") {
			w.Header().Set("Location", s.CDN.URL+"/acme/api/legacy.tar.gz/x")
			w.WriteHeader(http.StatusFound)
			return true
		}
		return false
	}
	c := client(t, s)
	c.limits.total = 500 * time.Millisecond
	_, catalog := load(t, c, "github-org:acme")
	if got := gapAt(t, catalog, "acme/api"); !strings.HasPrefix(got, "!limit: not read within ") {
		t.Error(got)
	}
}

func BenchmarkOrganisation(b *testing.B) {
	s := githubtest.New()
	defer s.Close()
	for i := range 50 {
		files := map[string]string{".mcp.json": declares("files", "x@1.0.0")}
		for j := range 100 {
			files[fmt.Sprintf("src/%d/main.go", j)] = strings.Repeat("package main\n", 100)
			files[fmt.Sprintf("data/%d.json", j)] = strings.Repeat(" ", 1000) + "{}"
		}
		s.Add("acme", &githubtest.Repo{Name: fmt.Sprintf("r%02d", i), Files: files})
	}
	for b.Loop() {
		c, err := New(Options{URL: s.URL, Jobs: 2, Analyzers: all.Analyzers()})
		if err != nil {
			b.Fatal(err)
		}
		if _, catalog, err := c.Load(b.Context(), "github-org:acme"); err != nil || len(catalog.Servers) != 50 {
			b.Fatal(err, len(catalog.Servers))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/50, "us/repository")
}
