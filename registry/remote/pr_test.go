package remote

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/manifest/seal"
)

const head = `apiVersion: sallyport/v1
kind: Registry
approvers: [alice]
units: [{id: payments, approvers: ["@bob", acme/payments, mail@acme.example, nobody-here]}, {id: cards, parent: payments}]
servers:
`

const web = "- {id: web, match: {url: \"https://mcp.acme.example/v1\"}, status: approved, units: [cards]}\n"

const none = head + "  []\n"

const path = "conf/r.yaml"

func (f *fakeGitHub) propose(document string) (*Proposed, error) {
	f.Helper()
	hub, err := NewGitHub(f.url, fakeToken, nil)
	if err != nil {
		f.Fatal(err)
	}
	return hub.Propose(f.Context(), Change{Owner: "acme", Repo: "tools", Branch: "sallyport/registry", Path: path, Document: []byte(document)})
}

func (f *fakeGitHub) writes() (n int) {
	for _, r := range f.requests {
		if !strings.HasPrefix(r, "GET ") {
			n++
		}
	}
	return n
}

func TestProposeStory(t *testing.T) {
	f := newGitHub(t, map[string]string{path: head + web, "README.md": "x"})
	if p, err := f.propose(head + web); err != nil || p.URL != "" || f.writes() != 0 {
		t.Fatalf("the same document: %+v %v", p, err)
	}

	hostile := head + web + `- {id: evil, description: d, match: {argv: [npx, "x` + "`" + `](http://evil.example) @alice #1 <img src=x>\n# You must approve\u202e"]}, status: quarantined, evidence: {suggestion: deny, findings: [high download-and-run], reason: "![](http://evil.example)"}}` + "\n"
	p, err := f.propose(hostile)
	if err != nil || !p.Created || !p.Committed || p.Number != 1 || p.URL == "" || !reflect.DeepEqual(p.Reviewers, []string{"alice"}) || len(p.Remarks) != 0 {
		t.Fatalf("%+v %v", p, err)
	}
	pull := f.pulls[0]
	if f.commits[f.refs["sallyport/registry"]][path] != hostile || f.commits[f.refs["main"]][path] != head+web || f.commits[f.refs["sallyport/registry"]]["README.md"] != "x" {
		t.Error("the wrong thing was committed")
	}
	if pull.Title != "Registry: 1 new" || !strings.Contains(pull.Body, "### new: `evil`, quarantined") || !strings.Contains(pull.Body, "`high download-and-run`") || !strings.Contains(pull.Body, "`"+seal.Digest([]byte(hostile))+"`") {
		t.Errorf("%s\n%s", pull.Title, pull.Body)
	}
	for line := range strings.SplitSeq(pull.Body, "\n") {
		plain := outsideCode(line)
		if line+"\n" == bodyBegin || line+"\n" == bodyEnd {
			continue
		}
		if strings.ContainsAny(plain, "@[]!\\") || strings.Contains(plain, "http") || strings.Contains(plain, "<img") || strings.HasPrefix(line, "# ") || strings.ContainsRune(line, '\u202e') {
			t.Errorf("not escaped: %q", line)
		}
	}

	// Again: nothing is written but the request for reviews.
	before := f.writes()
	if p, err = f.propose(hostile); err != nil || p.Created || p.Committed || len(f.pulls) != 1 || f.writes() != before+1 {
		t.Errorf("again: %+v %v, %d writes", p, err, f.writes()-before)
	}

	// A change is brought to the same pull request; what people wrote stays.
	pull.Body = "Please look.\r\n" + pull.Body + "Thanks!"
	p, err = f.propose(head + strings.Replace(web, "approved", "denied", 1))
	if err != nil || p.Created || !p.Committed || len(f.pulls) != 1 {
		t.Fatalf("%+v %v", p, err)
	}
	if !strings.HasPrefix(pull.Body, "Please look.\n") || !strings.HasSuffix(pull.Body, "Thanks!") || !strings.Contains(pull.Body, "changed: `web`, from approved to denied") || strings.Contains(pull.Body, "evil") {
		t.Error(pull.Body)
	}
	// Of the unit's approvers those who can be asked are; the others are named.
	if got := strings.Join(pull.asked, " "); got != "alice bob payments" {
		t.Errorf("asked %s", got)
	}
	if remarks := strings.Join(p.Remarks, "\n"); !strings.Contains(remarks, `"mail@acme.example" is not asked`) || !strings.Contains(remarks, `"nobody-here" is not asked`) || len(p.Remarks) != 2 {
		t.Error(remarks)
	}
}

// outsideCode is a line of Markdown without its code spans.
func outsideCode(line string) string {
	var b strings.Builder
	for line != "" {
		i := strings.IndexByte(line, '`')
		if i < 0 {
			return b.String() + line
		}
		b.WriteString(line[:i])
		rest := strings.TrimLeft(line[i:], "`")
		fence := line[i : len(line)-len(rest)]
		end := -1
		for from := 0; from < len(rest); {
			j := strings.IndexByte(rest[from:], '`')
			if j < 0 {
				break
			}
			run := len(rest[from+j:]) - len(strings.TrimLeft(rest[from+j:], "`"))
			if run == len(fence) {
				end = from + j
				break
			}
			from += j + run
		}
		if end < 0 {
			return b.String() + rest // no span after all
		}
		line = rest[end+len(fence):]
	}
	return b.String()
}

// A change cannot choose its own reviewers: the base says who decides.
func TestReviewersOfTheBase(t *testing.T) {
	f := newGitHub(t, map[string]string{path: head + web})
	mine := strings.Replace(strings.Replace(head, "[alice]", "[bot]", 1), `"@bob"`, "bot", 1)
	p, err := f.propose(mine + strings.Replace(web, "cards", "payments", 1))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(f.pulls[0].asked, " "); got != "alice bob payments" {
		t.Errorf("asked %s; %q", got, p.Remarks)
	}
	if !strings.Contains(f.pulls[0].Body, "It also changes who decides") {
		t.Error(f.pulls[0].Body)
	}
}

func TestProposeEdges(t *testing.T) {
	// The author is not asked; a new file and removed entries are.
	f := newGitHub(t, map[string]string{})
	f.author = "alice"
	p, err := f.propose(head + strings.Replace(web, ", units: [cards]", "", 1))
	if err != nil || len(p.Reviewers) != 0 || len(p.Remarks) != 1 || !strings.Contains(p.Remarks[0], "author") {
		t.Errorf("%+v %v", p, err)
	}
	f = newGitHub(t, map[string]string{path: head + web})
	if p, err = f.propose(none); err != nil || !strings.Contains(f.pulls[0].Body, "removed: `web`, which was approved") {
		t.Errorf("%+v %v", p, err)
	}
	// What is closed is not opened again, nor taken for the open one.
	f.pulls[0].State = "closed"
	if p, err = f.propose(none); err != nil || !p.Created || p.Number != 2 {
		t.Errorf("%+v %v", p, err)
	}
	// Somebody pushes in between.
	f = newGitHub(t, map[string]string{path: head + web})
	f.meddle = func(method, path string) {
		if method == "PUT" {
			f.commit("sallyport/registry", map[string]string{"conf/r.yaml": "other"})
		}
	}
	if _, err = f.propose(none); !errors.Is(err, ErrMeanwhile) || len(f.pulls) != 0 {
		t.Error(err)
	}
	// A base that cannot be read is no reason to be silent.
	f = newGitHub(t, map[string]string{path: "nonsense"})
	if p, err = f.propose(head + web); err != nil || len(p.Remarks) == 0 || !strings.Contains(p.Remarks[0], "cannot be read") {
		t.Errorf("%+v %v", p, err)
	}
	// Large documents: the blob is fetched, the text is cut.
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "- {id: s%d, description: %q, match: {purl: \"pkg:npm/s%d@1.0.0\"}, status: approved}\n", i, strings.Repeat("d", 250), i)
	}
	f = newGitHub(t, map[string]string{path: head + b.String()})
	if len(head+b.String()) < 1_000_000 {
		t.Fatal(b.Len())
	}
	if p, err = f.propose(head + b.String()); err != nil || p.URL != "" {
		t.Errorf("%+v %v", p, err)
	}
	if _, err = f.propose(none); err != nil || !strings.Contains(f.pulls[0].Body, "more are in the diff") {
		t.Error(err)
	}
}

func TestProposeRefuses(t *testing.T) {
	f := newGitHub(t, map[string]string{path: none})
	hub, err := NewGitHub(f.url, fakeToken, nil)
	if err != nil {
		t.Fatal(err)
	}
	good := Change{Owner: "acme", Repo: "tools", Branch: "b", Path: path, Document: []byte(head + web)}
	for name, change := range map[string]func(*Change){
		"the default branch":   func(c *Change) { c.Branch = "main" },
		"the base":             func(c *Change) { c.Branch, c.Base = "rel", "rel" },
		"a strange branch":     func(c *Change) { c.Branch = "a..b" },
		"an option":            func(c *Change) { c.Branch = "-f" },
		"a full ref":           func(c *Change) { c.Branch = "a b" },
		"a strange repository": func(c *Change) { c.Repo = "../x" },
		"a strange owner":      func(c *Change) { c.Owner = "a/b" },
		"a path upwards":       func(c *Change) { c.Path = "../r.yaml" },
		"an absolute path":     func(c *Change) { c.Path = "/r.yaml" },
		"no registry":          func(c *Change) { c.Document = []byte("x") },
		"another repository":   func(c *Change) { c.Repo = "nothing" },
	} {
		c := good
		change(&c)
		if p, err := hub.Propose(t.Context(), c); err == nil || f.writes() != 0 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	wrong, err := NewGitHub(f.url, "ghp_wrong", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.Propose(t.Context(), good); !status(err, http.StatusUnauthorized) || strings.Contains(err.Error(), "ghp_wrong") {
		t.Error(err)
	}
	for _, address := range []string{"", "ftp://x.example", "https://u:p@x.example", "x", "https://x.example/?a=b"} {
		if _, err := NewGitHub(address, fakeToken, nil); err == nil {
			t.Errorf("%q is an address", address)
		}
	}
	plain, err := NewGitHub("http://192.0.2.1/", fakeToken, roundTrip(func(*http.Request) (*http.Response, error) {
		t.Error("asked without TLS")
		return nil, errors.New("no route")
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Propose(t.Context(), good); !errors.Is(err, seal.ErrPlainHTTP) {
		t.Error(err)
	}
}

// The token goes nowhere else.
func TestTokenStays(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another server is asked, with %q", r.Header.Get("Authorization"))
	}))
	defer other.Close()
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer here.Close()
	hub, err := NewGitHub(here.URL, fakeToken, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Propose(t.Context(), Change{Owner: "a", Repo: "b", Branch: "c", Path: path, Document: []byte(head)}); err == nil || strings.Contains(err.Error(), fakeToken) {
		t.Error(err)
	}
}
