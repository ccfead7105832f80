package remote

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/registry/export"
)

// The pages of a list.
const (
	defaultLimit = 30
	maxLimit     = 100
)

// Catalogue is what the API of an MCP registry (v0.1) answers from. It does
// not change and may be used by many goroutines.
type Catalogue struct {
	all    []export.Listing
	byName map[string][]export.Listing // versions, the latest last
}

// NewCatalogue takes listings as export.List sorts them.
func NewCatalogue(all []export.Listing) *Catalogue {
	c := &Catalogue{all, map[string][]export.Listing{}}
	for _, l := range all {
		c.byName[l.Name] = append(c.byName[l.Name], l)
	}
	return c
}

// list is the answer with many servers.
func list(listings []export.Listing, next string) []byte {
	servers := make([]json.RawMessage, len(listings))
	for i, l := range listings {
		servers[i] = l.JSON
	}
	type metadata struct {
		Count int    `json:"count"`
		Next  string `json:"nextCursor,omitempty"`
	}
	return encode(struct {
		Servers  []json.RawMessage `json:"servers"`
		Metadata metadata          `json:"metadata"`
	}{servers, metadata{len(servers), next}})
}

func encode(value any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil { // only raw JSON of our own could fail
		return []byte("{}\n")
	}
	return b.Bytes()
}

// Files is the API as files, by slash-separated path: index.json stands for its
// directory. A list is whole, without pages.
func (c *Catalogue) Files() map[string][]byte {
	files := map[string][]byte{
		"v0.1/servers/index.json": list(c.all, ""),
		// The two that hosts of static files know: headers, and what is
		// answered for a directory.
		"_headers":   []byte("/v0.1/*\n  Content-Type: application/json\n  Access-Control-Allow-Origin: *\n  Access-Control-Allow-Methods: GET, OPTIONS\n  Access-Control-Allow-Headers: Authorization, Content-Type\n"),
		"_redirects": []byte("/v0.1/servers /v0.1/servers/index.json 200\n/v0.1/servers/:space/:name/versions /v0.1/servers/:space/:name/versions/index.json 200\n"),
	}
	for name, versions := range c.byName {
		below := "v0.1/servers/" + name + "/versions/"
		files[below+"index.json"] = list(versions, "")
		for _, l := range versions {
			files[below+l.Version] = append(l.JSON[:len(l.JSON):len(l.JSON)], '\n')
			if l.Latest {
				files[below+"latest"] = files[below+l.Version]
			}
		}
	}
	return files
}

// Handler answers for whatever catalogue is current. Everything is public:
// every origin may read it, which is what clients in browsers need.
func Handler(current func() *Catalogue) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Methods", "GET, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		h.Set("Access-Control-Expose-Headers", "ETag")
		h.Set("X-Content-Type-Options", "nosniff")
		switch r.Method {
		case http.MethodOptions:
			h.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
			return
		case http.MethodGet, http.MethodHead:
		default:
			h.Set("Allow", "GET, HEAD, OPTIONS")
			problem(w, r, http.StatusMethodNotAllowed, "this registry is read only; its entries are decided by pull requests")
			return
		}
		body, status, detail := current().answer(r.URL)
		if status != http.StatusOK {
			problem(w, r, status, detail)
			return
		}
		sum := sha256.Sum256(body)
		tag := `"` + hex.EncodeToString(sum[:16]) + `"`
		h.Set("ETag", tag)
		h.Set("Cache-Control", "no-cache") // kept, and asked for each time
		if matches(r.Header.Values("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		send(w, r, http.StatusOK, "application/json", body)
	})
}

// matches reads If-None-Match (RFC 9110, 13.1.2), which compares weakly.
func matches(values []string, tag string) bool {
	for _, value := range values {
		for one := range strings.SplitSeq(value, ",") {
			if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// problem is an error as the registry's API writes it (RFC 9457).
func problem(w http.ResponseWriter, r *http.Request, status int, detail string) {
	send(w, r, status, "application/problem+json", encode(map[string]any{"title": http.StatusText(status), "status": status, "detail": detail}))
}

func send(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // nobody is left to tell
	}
}

// answer finds the body for a URL, or a status with what is wrong. A name may
// be one segment (com.example%2Ffiles) or two.
func (c *Catalogue) answer(u *url.URL) (body []byte, status int, detail string) {
	rest, ok := strings.CutPrefix(strings.TrimSuffix(u.EscapedPath(), "/"), "/v0.1/servers")
	if !ok || rest != "" && rest[0] != '/' {
		return nil, http.StatusNotFound, "the API begins at /v0.1/servers"
	}
	if rest == "" {
		return c.page(u)
	}
	segments := strings.Split(rest[1:], "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return nil, http.StatusBadRequest, "the path is not escaped as a URL"
		}
		segments[i] = plain
	}
	n, version := len(segments), ""
	switch {
	case n >= 2 && segments[n-1] == "versions":
		segments = segments[:n-1]
	case n >= 3 && segments[n-2] == "versions":
		segments, version = segments[:n-2], segments[n-1]
	default:
		return nil, http.StatusNotFound, "the path is /v0.1/servers/NAME/versions or /v0.1/servers/NAME/versions/VERSION, with the slash of NAME written %2F"
	}
	versions := c.byName[strings.Join(segments, "/")]
	if len(versions) == 0 {
		return nil, http.StatusNotFound, "no server of this name is approved"
	}
	if version == "" {
		return list(versions, ""), http.StatusOK, ""
	}
	for _, l := range versions {
		if l.Version == version || version == "latest" && l.Latest {
			return append(l.JSON[:len(l.JSON):len(l.JSON)], '\n'), http.StatusOK, ""
		}
	}
	return nil, http.StatusNotFound, "this version of the server is not approved"
}

// page is one page of the list. A cursor names the last server of the page
// before, so it holds when the registry changes in between.
func (c *Catalogue) page(u *url.URL) (body []byte, status int, detail string) {
	bad := func(detail string) ([]byte, int, string) { return nil, http.StatusBadRequest, detail }
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return bad("the query is not escaped as a URL")
	}
	limit := defaultLimit
	if s := query.Get("limit"); s != "" {
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 || limit > maxLimit {
			return bad("limit is a whole number from 1 to 100")
		}
	}
	var since time.Time
	if s := query.Get("updated_since"); s != "" {
		if since, err = time.Parse(time.RFC3339, s); err != nil {
			return bad("updated_since is a time of RFC 3339")
		}
	}
	after := -1
	if s := query.Get("cursor"); s != "" {
		if after, err = c.position(s); err != nil {
			return bad("cursor is the nextCursor of an answer")
		}
	}
	search, version := strings.ToLower(query.Get("search")), query.Get("version")
	var found []export.Listing
	next := ""
	for _, l := range c.all[after+1:] {
		updated, err := time.Parse(time.RFC3339, l.Updated)
		switch {
		case !strings.Contains(strings.ToLower(l.Name), search),
			version == "latest" && !l.Latest,
			version != "" && version != "latest" && version != l.Version,
			err != nil || updated.Before(since):
			continue
		}
		if len(found) == limit {
			next = cursor(found[limit-1])
			break
		}
		found = append(found, l)
	}
	return list(found, next), http.StatusOK, ""
}

func cursor(l export.Listing) string {
	return base64.RawURLEncoding.EncodeToString([]byte(l.Name + ":" + l.Version))
}

// position is the index of the last listing that a cursor has passed.
func (c *Catalogue) position(s string) (int, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return 0, err
	}
	name, version, ok := strings.Cut(string(b), ":")
	if !ok {
		return 0, strconv.ErrSyntax
	}
	last := -1
	for i, l := range c.all {
		if l.Name > name || l.Name == name && export.CompareVersions(l.Version, version) > 0 {
			break
		}
		last = i
	}
	return last, nil
}
