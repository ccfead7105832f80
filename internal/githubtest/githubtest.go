// Package githubtest is a GitHub of a test's own, on the loopback: the parts of
// the REST API that a scan asks for, in the shapes and with the headers of the
// real one, and a second host that the archives come from.
package githubtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Repo is one repository. The zero value is empty.
type Repo struct {
	Name           string
	Archived, Fork bool
	Private        bool
	Branch         string            // "" is main
	Files          map[string]string // path -> content, or "-> target" for a symbolic link
	// Ignored paths are in the commit and not in the archive (export-ignore);
	// Substituted ones have another content there (export-subst).
	Ignored     []string
	Substituted map[string]string
	Archive     []byte // sent instead of the archive of Files
	// Fail answers instead of the server, when it reports true.
	Fail func(w http.ResponseWriter, r *http.Request) bool
}

// Server is the API; CDN is the host that it redirects downloads to.
type Server struct {
	*httptest.Server
	CDN   *httptest.Server
	Token string // what every request must bear; "" asks for none
	Page  int    // repositories on one page, at most; 0 is what the client asks
	// Before sees every request of the API, and answers it where it reports true.
	Before func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	orgs     map[string][]*Repo
	Requests []string // "METHOD path" of the API
	CDNSaw   []http.Header
	left     int
}

// New starts the servers. Close ends both.
func New() *Server {
	s := &Server{orgs: map[string][]*Repo{}, left: 5000}
	s.Server = httptest.NewServer(http.HandlerFunc(s.api))
	s.CDN = httptest.NewServer(http.HandlerFunc(s.codeload))
	return s
}

// Close ends both servers.
func (s *Server) Close() {
	s.Server.Close()
	s.CDN.Close()
}

// Add gives an organisation more repositories.
func (s *Server) Add(org string, repos ...*Repo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orgs[org] = append(s.orgs[org], repos...)
}

// Set changes the fields of a server that another process asks.
func (s *Server) Set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// Downloads are the headers with which archives were asked for.
func (s *Server) Downloads() []http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.CDNSaw)
}

// Asked counts the requests whose path holds a text.
func (s *Server) Asked(part string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.Requests {
		if strings.Contains(r, part) {
			n++
		}
	}
	return n
}

// Forget empties the record of requests.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Requests, s.CDNSaw = nil, nil
}

// Fail writes an error as the API does.
func Fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{
		"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status),
	})
}

// Exhausted answers with the primary rate limit.
func Exhausted(w http.ResponseWriter, reset time.Time) {
	h := w.Header()
	h.Set("X-RateLimit-Limit", "5000")
	h.Set("X-RateLimit-Remaining", "0")
	h.Set("X-RateLimit-Used", "5000")
	h.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
	Fail(w, http.StatusForbidden, "API rate limit exceeded for user ID 1.")
}

// Abused answers with a secondary rate limit.
func Abused(w http.ResponseWriter, status int, retryAfter string) {
	if retryAfter != "" {
		w.Header().Set("Retry-After", retryAfter)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{
		"message":           "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
		"documentation_url": "https://docs.github.com/rest/overview/resources-in-the-rest-api#secondary-rate-limits",
	})
}

func (s *Server) find(owner, name string) *Repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.orgs[owner] {
		if r.Name == name {
			return r
		}
	}
	return nil
}

func (s *Server) api(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.Requests = append(s.Requests, r.Method+" "+r.URL.Path)
	s.left--
	left, before, token := s.left, s.Before, s.Token
	s.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	h := w.Header()
	h.Set("X-RateLimit-Limit", "5000")
	h.Set("X-RateLimit-Remaining", strconv.Itoa(left))
	h.Set("X-RateLimit-Used", strconv.Itoa(5000-left))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
	h.Set("X-GitHub-Media-Type", "github.v3; format=json")
	if r.Method != http.MethodGet {
		Fail(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	if token != "" && r.Header.Get("Authorization") != "Bearer "+token {
		Fail(w, http.StatusUnauthorized, "Bad credentials")
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case len(parts) == 3 && (parts[0] == "orgs" || parts[0] == "organizations") && parts[2] == "repos":
		s.list(w, r, strings.TrimPrefix(parts[1], "id-"))
	case len(parts) >= 3 && parts[0] == "repos":
		repo := s.find(parts[1], parts[2])
		if repo == nil {
			Fail(w, http.StatusNotFound, "Not Found")
			return
		}
		if repo.Fail != nil && repo.Fail(w, r) {
			return
		}
		s.repo(w, r, parts[1], repo, parts[3:])
	default:
		Fail(w, http.StatusNotFound, "Not Found")
	}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, org string) {
	s.mu.Lock()
	all, ok := s.orgs[org]
	most := s.Page
	s.mu.Unlock()
	if !ok {
		Fail(w, http.StatusNotFound, "Not Found")
		return
	}
	all = slices.SortedFunc(slices.Values(all), func(a, b *Repo) int { return strings.Compare(a.Name, b.Name) })
	size := 30
	if n, err := strconv.Atoi(r.URL.Query().Get("per_page")); err == nil {
		size = min(max(n, 1), 100)
	}
	if most > 0 {
		size = min(size, most)
	}
	page := 1
	if n, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil {
		page = max(n, 1)
	}
	last := max((len(all)+size-1)/size, 1)
	link := func(n int, rel string) string {
		q := r.URL.Query()
		q.Set("page", strconv.Itoa(n))
		return fmt.Sprintf("<%s/organizations/id-%s/repos?%s>; rel=%q", s.URL, org, q.Encode(), rel)
	}
	var links []string
	if page > 1 {
		links = append(links, link(page-1, "prev"), link(1, "first"))
	}
	if page < last {
		links = append(links, link(page+1, "next"), link(last, "last"))
	}
	if len(links) > 0 {
		w.Header().Set("Link", strings.Join(links, ", "))
	}
	var out []map[string]any
	for i := (page - 1) * size; i < min(page*size, len(all)); i++ {
		out = append(out, s.shape(org, all[i]))
	}
	answer(w, r, out)
}

// shape is a repository as the API tells it.
func (s *Server) shape(org string, repo *Repo) map[string]any {
	full := org + "/" + repo.Name
	return map[string]any{
		"id": 1296269, "node_id": "MDEwOlJlcG9zaXRvcnkxMjk2MjY5", "name": repo.Name, "full_name": full,
		"private": repo.Private, "visibility": map[bool]string{true: "private", false: "public"}[repo.Private],
		"owner":    map[string]any{"login": org, "id": 1, "type": "Organization", "site_admin": false},
		"html_url": "https://github.com/" + full, "url": s.URL + "/repos/" + full,
		"archive_url": s.URL + "/repos/" + full + "/{archive_format}{/ref}",
		"fork":        repo.Fork, "archived": repo.Archived, "disabled": false,
		"default_branch": repo.branch(), "size": len(repo.Files), "topics": []string{},
		"created_at": "2011-01-26T19:01:12Z", "updated_at": "2011-01-26T19:14:43Z", "pushed_at": "2011-01-26T19:06:43Z",
		"permissions": map[string]bool{"admin": false, "push": false, "pull": true},
	}
}

func (r *Repo) branch() string {
	if r.Branch == "" {
		return "main"
	}
	return r.Branch
}

// answer writes JSON with its entity tag.
func answer(w http.ResponseWriter, r *http.Request, v any) {
	var b bytes.Buffer
	json.NewEncoder(&b).Encode(v)
	if b.String() == "null\n" {
		b.Reset()
		b.WriteString("[]\n")
	}
	tagged(w, r, `W/"`+hash(b.String())+`"`, "application/json; charset=utf-8", b.Bytes())
}

func tagged(w http.ResponseWriter, r *http.Request, tag, kind string, body []byte) {
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, max-age=60, s-maxage=60")
	w.Header().Set("Content-Type", kind)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(body)
}

func (s *Server) repo(w http.ResponseWriter, r *http.Request, org string, repo *Repo, rest []string) {
	what := ""
	if len(rest) > 0 {
		what = rest[0]
	}
	switch {
	case what == "":
		answer(w, r, s.shape(org, repo))
	case what == "commits" && len(rest) >= 2:
		ref := strings.Join(rest[1:], "/")
		switch {
		case len(repo.Files) == 0 && repo.Archive == nil:
			Fail(w, http.StatusConflict, "Git Repository is empty.")
		case ref != repo.branch() && ref != repo.Commit():
			Fail(w, http.StatusUnprocessableEntity, "No commit found for SHA: "+ref)
		case strings.Contains(r.Header.Get("Accept"), "sha"):
			tagged(w, r, `"`+repo.Commit()+`"`, "application/vnd.github.sha; charset=utf-8", []byte(repo.Commit()))
		default:
			answer(w, r, map[string]any{"sha": repo.Commit()})
		}
	case what == "git" && len(rest) == 3 && rest[1] == "trees":
		var tree []map[string]any
		for _, name := range repo.names() {
			mode, content := repo.object(name)
			tree = append(tree, map[string]any{"path": name, "mode": mode, "type": "blob", "sha": Blob(content), "size": len(content), "url": s.URL})
		}
		answer(w, r, map[string]any{"sha": hash("tree" + repo.Commit()), "url": s.URL, "tree": tree, "truncated": false})
	case what == "git" && len(rest) == 3 && rest[1] == "blobs":
		for _, name := range repo.names() {
			if _, content := repo.object(name); Blob(content) == rest[2] {
				w.Header().Set("Content-Type", "application/vnd.github.raw; charset=utf-8")
				w.Write([]byte(content))
				return
			}
		}
		Fail(w, http.StatusNotFound, "Not Found")
	case what == "tarball" && len(rest) == 2:
		to := fmt.Sprintf("%s/%s/%s/legacy.tar.gz/%s", s.CDN.URL, org, repo.Name, rest[1])
		if repo.Private {
			to += "?token=" + url.QueryEscape("DOWNLOADTOKEN")
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	default:
		Fail(w, http.StatusNotFound, "Not Found")
	}
}

// codeload is the second host.
func (s *Server) codeload(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.CDNSaw = append(s.CDNSaw, r.Header.Clone())
	s.mu.Unlock()
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) != 4 {
		http.Error(w, "404: Not Found", http.StatusNotFound)
		return
	}
	repo := s.find(parts[0], parts[1])
	if repo == nil || repo.Private && r.URL.Query().Get("token") != "DOWNLOADTOKEN" {
		http.Error(w, "404: Not Found", http.StatusNotFound)
		return
	}
	if repo.Fail != nil && repo.Fail(w, r) {
		return
	}
	body := repo.Archive
	if body == nil {
		body = repo.archive(parts[0])
	}
	w.Header().Set("Content-Type", "application/x-gzip")
	w.Header().Set("Content-Disposition", "attachment; filename="+parts[0]+"-"+parts[1]+".tar.gz")
	w.Write(body)
}

func (r *Repo) names() []string {
	var names []string
	for name := range r.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// object is a file as git keeps it.
func (r *Repo) object(name string) (mode, content string) {
	if target, ok := strings.CutPrefix(r.Files[name], "-> "); ok {
		return "120000", target
	}
	return "100644", r.Files[name]
}

// Commit is the id of the repository as it stands.
func (r *Repo) Commit() string {
	var all strings.Builder
	for _, name := range r.names() {
		fmt.Fprintf(&all, "%q %q\n", name, r.Files[name])
	}
	return hash(r.Name + "\n" + all.String())
}

// archive is what git archive writes: a global header with the commit, one
// directory around everything, directories before what is in them.
func (r *Repo) archive(owner string) []byte {
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	w := tar.NewWriter(zipped)
	top := fmt.Sprintf("%s-%s-%s/", owner, r.Name, r.Commit()[:7])
	w.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": r.Commit()}})
	w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: top, Mode: 0o775})
	made := map[string]bool{}
	for _, name := range r.names() {
		if slices.Contains(r.Ignored, name) {
			continue
		}
		var dirs []string
		for dir := path.Dir(name); dir != "." && !made[dir]; dir = path.Dir(dir) {
			made[dir] = true
			dirs = append(dirs, dir)
		}
		for _, dir := range slices.Backward(dirs) {
			w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: top + dir + "/", Mode: 0o775})
		}
		mode, content := r.object(name)
		if mode == "120000" {
			w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: top + name, Linkname: content, Mode: 0o777})
			continue
		}
		if other, ok := r.Substituted[name]; ok {
			content = other
		}
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: top + name, Size: int64(len(content)), Mode: 0o664})
		w.Write([]byte(content))
	}
	w.Close()
	zipped.Close()
	return b.Bytes()
}

// Tarball is the archive of a repository, to be damaged.
func (r *Repo) Tarball(owner string) []byte { return r.archive(owner) }

// Blob is git's id of a file.
func Blob(content string) string { return hash(fmt.Sprintf("blob %d\x00%s", len(content), content)) }

func hash(s string) string {
	sum := sha1.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
