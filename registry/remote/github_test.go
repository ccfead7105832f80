package remote

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// fakeGitHub answers as GitHub's REST API does, for one repository acme/tools:
// what it refuses, this refuses with the same status.
type fakeGitHub struct {
	*testing.T
	mu       sync.Mutex
	url      string
	author   string
	people   []string                     // who may be asked for a review
	refs     map[string]string            // branch -> commit
	commits  map[string]map[string]string // commit -> path -> content
	pulls    []*fakePull
	requests []string
	meddle   func(method, path string) // before a request, with the lock held
}

type fakePull struct {
	Number int    `json:"number"`
	URL    string `json:"html_url"`
	State  string `json:"state"`
	Title  string `json:"title"`
	Body   string `json:"body"`
	Head   branch `json:"head"`
	Base   branch `json:"base"`
	User   login  `json:"user"`

	asked []string
}

type branch struct {
	Ref string `json:"ref"`
}

type login struct {
	Login string `json:"login"`
}

const fakeToken = "ghp_notARealTokenButSecret"

func newGitHub(t *testing.T, files map[string]string) *fakeGitHub {
	f := &fakeGitHub{T: t, author: "bot", refs: map[string]string{}, commits: map[string]map[string]string{}, people: []string{"alice", "bob", "bot"}}
	f.commit("main", files)
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func (f *fakeGitHub) commit(branch string, files map[string]string) {
	sum := sha1.Sum(fmt.Append(nil, len(f.commits), files))
	id := hex.EncodeToString(sum[:])
	f.commits[id], f.refs[branch] = files, id
}

func blobSHA(content string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content))
	return hex.EncodeToString(sum[:])
}

func (f *fakeGitHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := func(status int, value any) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(value)
	}
	fail := func(status int, message string) { answer(status, map[string]string{"message": message}) }
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	if r.Header.Get("Authorization") != "Bearer "+fakeToken {
		fail(http.StatusUnauthorized, "Bad credentials")
		return
	}
	if f.meddle != nil {
		f.meddle(r.Method, r.URL.Path)
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/repos/acme/tools")
	if !ok {
		fail(http.StatusNotFound, "Not Found")
		return
	}
	var in struct {
		Ref, SHA, Message, Content, Branch, Title, Head, Base string
		Body                                                  *string
		Reviewers                                             []string
		TeamReviewers                                         []string `json:"team_reviewers"`
	}
	if r.Method != http.MethodGet {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &in)
		}
		if err != nil {
			fail(http.StatusBadRequest, "Problems parsing JSON")
			return
		}
	}
	var number int
	if rest, ok := strings.CutPrefix(path, "/pulls/"); ok {
		_, _ = fmt.Sscanf(rest, "%d", &number)
		if number < 1 || number > len(f.pulls) {
			fail(http.StatusNotFound, "Not Found")
			return
		}
	}
	switch at, _ := strings.CutPrefix(path, "/contents/"); {
	case path == "" && r.Method == "GET":
		answer(200, map[string]any{"name": "tools", "default_branch": "main"})
	case strings.HasPrefix(path, "/git/ref/heads/") && r.Method == "GET":
		name := strings.TrimPrefix(path, "/git/ref/heads/")
		if f.refs[name] == "" {
			fail(http.StatusNotFound, "Not Found")
			return
		}
		answer(200, map[string]any{"ref": "refs/heads/" + name, "object": map[string]string{"type": "commit", "sha": f.refs[name]}})
	case path == "/git/refs" && r.Method == "POST":
		name, ok := strings.CutPrefix(in.Ref, "refs/heads/")
		switch {
		case !ok || f.commits[in.SHA] == nil:
			fail(http.StatusUnprocessableEntity, "Object does not exist")
		case f.refs[name] != "":
			fail(http.StatusUnprocessableEntity, "Reference already exists")
		default:
			f.refs[name] = in.SHA
			answer(201, map[string]any{"ref": in.Ref, "object": map[string]string{"type": "commit", "sha": in.SHA}})
		}
	case at != path && r.Method == "GET":
		name, ok := strings.CutPrefix(r.URL.Query().Get("ref"), "refs/heads/")
		content, there := f.commits[f.refs[name]][at]
		if !ok || !there {
			fail(http.StatusNotFound, "Not Found")
			return
		}
		out := map[string]any{"type": "file", "name": at, "path": at, "size": len(content), "sha": blobSHA(content), "encoding": "base64"}
		if len(content) >= 1_000_000 {
			out["encoding"], out["content"] = "none", ""
		} else {
			var lines []string
			for chunk := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString([]byte(content))), 60) {
				lines = append(lines, string(chunk)+"\n")
			}
			out["content"] = strings.Join(lines, "")
		}
		answer(200, out)
	case strings.HasPrefix(path, "/git/blobs/") && r.Method == "GET":
		for _, files := range f.commits {
			for _, content := range files {
				if blobSHA(content) == strings.TrimPrefix(path, "/git/blobs/") {
					_, _ = io.WriteString(w, content)
					return
				}
			}
		}
		fail(http.StatusNotFound, "Not Found")
	case at != path && r.Method == "PUT":
		content, err := base64.StdEncoding.DecodeString(in.Content)
		old, there := f.commits[f.refs[in.Branch]][at]
		switch {
		case err != nil || in.Message == "":
			fail(http.StatusUnprocessableEntity, "content is not valid Base64, or no message")
		case f.refs[in.Branch] == "":
			fail(http.StatusNotFound, "Branch "+in.Branch+" not found")
		case there && in.SHA == "":
			fail(http.StatusUnprocessableEntity, `Invalid request. "sha" wasn't supplied.`)
		case there && in.SHA != blobSHA(old):
			fail(http.StatusConflict, at+" does not match "+in.SHA)
		default:
			files := maps.Clone(f.commits[f.refs[in.Branch]])
			files[at] = string(content)
			f.commit(in.Branch, files)
			answer(map[bool]int{true: 200, false: 201}[there], map[string]any{"content": map[string]any{"sha": blobSHA(string(content))}})
		}
	case path == "/pulls" && r.Method == "GET":
		found := []*fakePull{}
		q := r.URL.Query()
		for _, p := range f.pulls {
			if p.State == q.Get("state") && (q.Get("base") == "" || p.Base.Ref == q.Get("base")) && (q.Get("head") == "" || "acme:"+p.Head.Ref == q.Get("head")) {
				found = append(found, p)
			}
		}
		answer(200, found)
	case path == "/pulls" && r.Method == "POST":
		switch {
		case f.refs[in.Head] == "" || f.refs[in.Base] == "" || in.Title == "":
			fail(http.StatusUnprocessableEntity, "Validation Failed")
		case f.refs[in.Head] == f.refs[in.Base]:
			fail(http.StatusUnprocessableEntity, "No commits between "+in.Base+" and "+in.Head)
		case slices.ContainsFunc(f.pulls, func(p *fakePull) bool {
			return p.State == "open" && p.Head.Ref == in.Head && p.Base.Ref == in.Base
		}):
			fail(http.StatusUnprocessableEntity, "A pull request already exists for acme:"+in.Head+".")
		case len(*in.Body) > 65536:
			fail(http.StatusUnprocessableEntity, "body is too long (maximum is 65536 characters)")
		default:
			n := len(f.pulls) + 1
			p := &fakePull{n, fmt.Sprintf("https://github.example/acme/tools/pull/%d", n), "open", in.Title, *in.Body, branch{in.Head}, branch{in.Base}, login{f.author}, nil}
			f.pulls = append(f.pulls, p)
			answer(201, p)
		}
	case path == fmt.Sprintf("/pulls/%d", number) && r.Method == "PATCH":
		p := f.pulls[number-1]
		if in.Body != nil {
			p.Body = *in.Body
		}
		answer(200, p)
	case path == fmt.Sprintf("/pulls/%d/requested_reviewers", number) && r.Method == "POST":
		p := f.pulls[number-1]
		for _, who := range in.Reviewers {
			if who == p.User.Login {
				fail(http.StatusUnprocessableEntity, "Review cannot be requested from pull request author.")
				return
			}
			if !slices.Contains(f.people, who) {
				fail(http.StatusUnprocessableEntity, "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the acme/tools repository.")
				return
			}
		}
		p.asked = append(p.asked, append(in.Reviewers, in.TeamReviewers...)...)
		slices.Sort(p.asked)
		p.asked = slices.Compact(p.asked)
		answer(201, p)
	default:
		fail(http.StatusNotFound, "Not Found")
	}
}
