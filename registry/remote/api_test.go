package remote

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/registry/export"
)

// apiSchema is the shape of the answers of an MCP registry (API v0.1) with
// server.json 2025-12-11, written down from their documentation: what a server
// without variables can have.
const apiSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$defs": {
    "time": {"type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}Z$"},
    "argument": {"type": "object", "required": ["type", "value"], "properties": {"type": {"enum": ["positional"]}, "value": {"type": "string"}}, "additionalProperties": false},
    "package": {
      "type": "object", "required": ["registryType", "identifier", "transport"],
      "properties": {
        "registryType": {"enum": ["npm", "pypi", "oci", "nuget", "mcpb", "cargo"]},
        "identifier": {"type": "string", "minLength": 1}, "version": {"type": "string", "minLength": 1, "not": {"const": "latest"}},
        "runtimeHint": {"enum": ["npx", "uvx", "docker", "dnx"]},
        "runtimeArguments": {"type": "array", "items": {"$ref": "#/$defs/argument"}}, "packageArguments": {"type": "array", "items": {"$ref": "#/$defs/argument"}},
        "transport": {"type": "object", "required": ["type"], "properties": {"type": {"enum": ["stdio", "streamable-http", "sse"]}}}
      },
      "additionalProperties": false,
      "if": {"properties": {"registryType": {"const": "oci"}}}, "then": {"not": {"required": ["version"]}}, "else": {"required": ["version"]}
    },
    "server": {
      "type": "object", "required": ["name", "description", "version"],
      "properties": {
        "$schema": {"const": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"},
        "name": {"type": "string", "minLength": 3, "maxLength": 200, "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$"},
        "description": {"type": "string", "minLength": 1, "maxLength": 100},
        "version": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^~^<>=*x ]+$"},
        "packages": {"type": "array", "items": {"$ref": "#/$defs/package"}},
        "remotes": {"type": "array", "items": {"type": "object", "required": ["type", "url"], "properties": {"type": {"enum": ["streamable-http", "sse"]}, "url": {"type": "string", "pattern": "^https?://[^\\s]+$"}}, "additionalProperties": false}}
      },
      "additionalProperties": false, "anyOf": [{"required": ["packages"]}, {"required": ["remotes"]}]
    },
    "answer": {
      "type": "object", "required": ["server", "_meta"], "additionalProperties": false,
      "properties": {
        "server": {"$ref": "#/$defs/server"},
        "_meta": {
          "type": "object", "required": ["io.modelcontextprotocol.registry/official"],
          "properties": {"io.modelcontextprotocol.registry/official": {
            "type": "object", "required": ["status", "statusChangedAt", "publishedAt", "updatedAt", "isLatest"], "additionalProperties": false,
            "properties": {"status": {"enum": ["active", "deprecated", "deleted"]}, "statusChangedAt": {"$ref": "#/$defs/time"}, "publishedAt": {"$ref": "#/$defs/time"}, "updatedAt": {"$ref": "#/$defs/time"}, "isLatest": {"type": "boolean"}}
          }}
        }
      }
    },
    "list": {
      "type": "object", "required": ["servers", "metadata"], "additionalProperties": false,
      "properties": {
        "servers": {"type": "array", "items": {"$ref": "#/$defs/answer"}},
        "metadata": {"type": "object", "required": ["count"], "properties": {"count": {"type": "integer", "minimum": 0}, "nextCursor": {"type": "string", "minLength": 1}}, "additionalProperties": false}
      }
    }
  }
}`

func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:api", strings.NewReader(apiSchema)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:api#/$defs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const day = "2026-06-01"

func aRegistry(t *testing.T, servers string) *registry.Registry {
	t.Helper()
	r, _, err := registry.Load(&analyzers.Source{Path: "r.yaml", Bytes: []byte("apiVersion: sallyport/v1\nkind: Registry\nnamespace: com.acme\nunits: [{id: payments}]\nservers:\n" + servers)}, day)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const someServers = `
- {id: web, match: {url: "https://mcp.acme.example/v1"}, status: approved, evidence: {approvedBy: alice, approvedAt: 2026-01-05}}
- {id: files, name: com.acme/files, description: "Reads <files> & more", match: {argv: [npx, -y, "@acme/files@1.10.0", /srv]}, status: approved, evidence: {approvedAt: 2026-03-01}}
- {id: files-old, name: com.acme/files, match: {purl: "pkg:npm/%40acme/files@1.9.0"}, status: approved, evidence: {approvedAt: 2026-02-01}}
- {id: image, match: {image: "ghcr.io/acme/x@sha256:0000000000000000000000000000000000000000000000000000000000000000"}, status: approved}
- {id: evil, match: {purl: "pkg:npm/evil"}, status: denied}
- {id: new, match: {purl: "pkg:npm/new@1.0.0"}, status: quarantined}
- {id: over, match: {purl: "pkg:npm/over@1.0.0"}, status: approved, evidence: {until: 2026-05-31}}
- {id: theirs, match: {purl: "pkg:npm/theirs@1.0.0"}, status: approved, units: [payments]}
- {id: local, match: {argv: [./run.sh]}, status: approved}
- {id: up, name: "../..", match: {purl: "pkg:npm/up@1.0.0"}, status: approved}
- {id: twice, name: com.acme/files, match: {argv: [npx, "@acme/files@1.10.0"]}, status: approved}
`

func catalogue(t *testing.T, servers string, n int) *Catalogue {
	t.Helper()
	listings, _, err := export.List(aRegistry(t, servers), registry.Who{}, day)
	if err != nil || len(listings) != n {
		t.Fatalf("%d listings, %v; want %d", len(listings), err, n)
	}
	return NewCatalogue(listings)
}

func TestAPI(t *testing.T) {
	c := catalogue(t, someServers, 4)
	server := httptest.NewServer(Handler(func() *Catalogue { return c }))
	defer server.Close()
	for _, want := range []struct {
		path   string
		status int
		shape  string
		names  string // NAME@VERSION of what is answered, * for the latest
	}{
		{"/v0.1/servers", 200, "list", "com.acme/files@1.9.0 com.acme/files@1.10.0* com.acme/image@1.0.0* com.acme/web@1.0.0*"},
		{"/v0.1/servers/", 200, "list", "com.acme/files@1.9.0 com.acme/files@1.10.0* com.acme/image@1.0.0* com.acme/web@1.0.0*"},
		{"/v0.1/servers?version=latest", 200, "list", "com.acme/files@1.10.0* com.acme/image@1.0.0* com.acme/web@1.0.0*"},
		{"/v0.1/servers?version=1.9.0", 200, "list", "com.acme/files@1.9.0"},
		{"/v0.1/servers?search=WEB", 200, "list", "com.acme/web@1.0.0*"},
		{"/v0.1/servers?search=evil", 200, "list", ""},
		{"/v0.1/servers?updated_since=2026-02-15T00:00:00Z", 200, "list", "com.acme/files@1.10.0*"},
		{"/v0.1/servers?limit=0", 400, "", ""},
		{"/v0.1/servers?limit=101", 400, "", ""},
		{"/v0.1/servers?limit=x", 400, "", ""},
		{"/v0.1/servers?cursor=!", 400, "", ""},
		{"/v0.1/servers?cursor=YQ", 400, "", ""},
		{"/v0.1/servers?updated_since=today", 400, "", ""},
		{"/v0.1/servers?%zz", 400, "", ""},
		{"/v0.1/servers/com.acme%2Ffiles/versions", 200, "list", "com.acme/files@1.9.0 com.acme/files@1.10.0*"},
		{"/v0.1/servers/com.acme/files/versions", 200, "list", "com.acme/files@1.9.0 com.acme/files@1.10.0*"},
		{"/v0.1/servers/com.acme%2Ffiles/versions/latest", 200, "answer", "com.acme/files@1.10.0*"},
		{"/v0.1/servers/com.acme%2Ffiles/versions/1.9.0", 200, "answer", "com.acme/files@1.9.0"},
		{"/v0.1/servers/com.acme/web/versions/latest", 200, "answer", "com.acme/web@1.0.0*"},
		{"/v0.1/servers/com.acme%2Ffiles/versions/2.0.0", 404, "", ""},
		{"/v0.1/servers/com.acme%2Fevil/versions/latest", 404, "", ""},
		{"/v0.1/servers/com.acme%2Fnew/versions/latest", 404, "", ""},
		{"/v0.1/servers/com.acme%2Ftheirs/versions/latest", 404, "", ""},
		{"/v0.1/servers/com.acme%2Fover/versions/latest", 404, "", ""},
		{"/v0.1/servers/com.acme%2Ffiles", 404, "", ""},
		{"/v0.1/serversx", 404, "", ""},
		{"/v0.1/servers/versions", 404, "", ""},
		{"/v0.1/servers/%2e%2e%2f%2e%2e/versions/latest", 404, "", ""},
		{"/", 404, "", ""},
	} {
		response, err := http.Get(server.URL + want.path)
		if err != nil {
			t.Fatal(err)
		}
		var body any
		err = json.NewDecoder(response.Body).Decode(&body)
		response.Body.Close()
		if err != nil || response.StatusCode != want.status {
			t.Errorf("%s: %d, %v; want %d", want.path, response.StatusCode, err, want.status)
			continue
		}
		if h := response.Header; h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Content-Type"), "json") {
			t.Errorf("%s: %v", want.path, h)
		}
		if want.shape == "" {
			continue
		}
		if err := schema(t, want.shape).Validate(body); err != nil {
			t.Errorf("%s: %#v", want.path, err)
		}
		if got := names(body); got != want.names {
			t.Errorf("%s: %s; want %s", want.path, got, want.names)
		}
	}
}

func names(body any) string {
	all, ok := body.(map[string]any)["servers"].([]any)
	if !ok {
		all = []any{body}
	}
	var out []string
	for _, one := range all {
		s := one.(map[string]any)["server"].(map[string]any)
		name := fmt.Sprint(s["name"], "@", s["version"])
		if one.(map[string]any)["_meta"].(map[string]any)["io.modelcontextprotocol.registry/official"].(map[string]any)["isLatest"] == true {
			name += "*"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// A client that follows the cursors sees every server once, whatever the size
// of a page, and whatever goes away in between.
func TestPages(t *testing.T) {
	var b strings.Builder
	for i := range 250 {
		fmt.Fprintf(&b, "- {id: s%d, match: {purl: \"pkg:npm/s%d@1.0.%d\"}, status: approved}\n", i, i, i)
	}
	c := catalogue(t, b.String(), 250)
	walk := func(limit int, between func()) []string {
		var seen []string
		for next := ""; ; {
			request := httptest.NewRequest("GET", "/v0.1/servers?limit="+fmt.Sprint(limit)+"&cursor="+url.QueryEscape(next), nil)
			recorded := httptest.NewRecorder()
			Handler(func() *Catalogue { return c }).ServeHTTP(recorded, request)
			var page struct {
				Servers  []struct{ Server struct{ Name string } }
				Metadata struct {
					Count      int
					NextCursor string
				}
			}
			if err := json.Unmarshal(recorded.Body.Bytes(), &page); err != nil || page.Metadata.Count != len(page.Servers) || len(page.Servers) > limit {
				t.Fatal(err, page.Metadata)
			}
			for _, s := range page.Servers {
				seen = append(seen, s.Server.Name)
			}
			if next = page.Metadata.NextCursor; next == "" {
				return seen
			}
			between()
		}
	}
	for _, limit := range []int{1, 30, 99, 100} {
		if seen := walk(limit, func() {}); len(seen) != 250 || !slices.IsSorted(seen) || len(slices.Compact(seen)) != 250 {
			t.Errorf("limit %d: %d servers", limit, len(seen))
		}
	}
	whole := c
	seen := walk(50, func() { c = NewCatalogue(append(slices.Clone(c.all[:40]), c.all[60:]...)) })
	if len(slices.Compact(seen)) != len(seen) || !slices.IsSorted(seen) || seen[len(seen)-1] != whole.all[249].Name {
		t.Errorf("%d servers while some went away", len(seen))
	}
}

func TestMethodsAndETags(t *testing.T) {
	c := catalogue(t, someServers, 4)
	ask := func(method, path string, header ...string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(method, path, nil)
		for i := 0; i < len(header); i += 2 {
			request.Header.Add(header[i], header[i+1])
		}
		recorded := httptest.NewRecorder()
		Handler(func() *Catalogue { return c }).ServeHTTP(recorded, request)
		return recorded
	}
	first := ask("GET", "/v0.1/servers")
	tag := first.Header().Get("ETag")
	if tag == "" || ask("GET", "/v0.1/servers").Header().Get("ETag") != tag {
		t.Fatal("no steady ETag")
	}
	for _, value := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
		if r := ask("GET", "/v0.1/servers", "If-None-Match", value); r.Code != http.StatusNotModified || r.Body.Len() != 0 || r.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("If-None-Match %s: %d", value, r.Code)
		}
	}
	c = catalogue(t, someServers+"- {id: more, match: {purl: \"pkg:npm/more@1.0.0\"}, status: approved}\n", 5)
	if r := ask("GET", "/v0.1/servers", "If-None-Match", tag); r.Code != http.StatusOK || r.Header().Get("ETag") == tag {
		t.Errorf("after a change: %d", r.Code)
	}
	if r := ask("HEAD", "/v0.1/servers"); r.Code != 200 || r.Body.Len() != 0 || r.Header().Get("Content-Length") == "0" {
		t.Errorf("HEAD: %d, %d bytes", r.Code, r.Body.Len())
	}
	r := ask("OPTIONS", "/v0.1/servers", "Origin", "https://x.example", "Access-Control-Request-Method", "GET")
	if h := r.Header(); r.Code != http.StatusNoContent || h.Get("Access-Control-Allow-Methods") != "GET, OPTIONS" || h.Get("Access-Control-Allow-Headers") != "Authorization, Content-Type" {
		t.Errorf("OPTIONS: %d %v", r.Code, h)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
		if r := ask(method, "/v0.1/publish"); r.Code != http.StatusMethodNotAllowed || r.Header().Get("Allow") == "" {
			t.Errorf("%s: %d", method, r.Code)
		}
	}
}

// The files say what the server says.
func TestFiles(t *testing.T) {
	c := catalogue(t, someServers, 4)
	files := c.Files()
	for _, path := range []string{"v0.1/servers/index.json", "v0.1/servers/com.acme/files/versions/index.json", "v0.1/servers/com.acme/files/versions/latest", "v0.1/servers/com.acme/files/versions/1.9.0", "v0.1/servers/com.acme/web/versions/latest"} {
		recorded := httptest.NewRecorder()
		Handler(func() *Catalogue { return c }).ServeHTTP(recorded, httptest.NewRequest("GET", "/"+strings.TrimSuffix(path, "/index.json"), nil))
		if recorded.Code != 200 || recorded.Body.String() != string(files[path]) {
			t.Errorf("%s: %d\n%s\n%s", path, recorded.Code, recorded.Body, files[path])
		}
	}
	for path := range files {
		if strings.Contains(path, "..") || strings.Contains(path, "evil") {
			t.Errorf("wrote %s", path)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	sorted := []string{"0.9", "1.0.0-alpha", "1.0.0-rc1", "1.0.0", "v1.2.0", "1.9.0", "1.10.0", "2026.1.1", "20261.0.0"}
	for i, a := range sorted {
		for j, b := range sorted {
			if got := export.CompareVersions(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%s and %s: %d", a, b, got)
			}
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add("/v0.1/servers/com.acme%2Ffiles/versions/latest", "limit=3&cursor=YTpi")
	f.Add("/v0.1/servers", "updated_since=2026-01-01T00:00:00Z&version=latest")
	listings := []export.Listing{{Name: "a/b", Version: "1.0.0", Updated: "2026-01-01T00:00:00Z", Latest: true, JSON: json.RawMessage(`{}`)}}
	c := NewCatalogue(listings)
	f.Fuzz(func(t *testing.T, path, query string) {
		body, status, detail := c.answer(&url.URL{Path: path, RawPath: path, RawQuery: query})
		if (status == 200) != (detail == "") || status == 200 && !json.Valid(body) {
			t.Errorf("%d %q %q", status, detail, body)
		}
	})
}
