package export

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/registry"
)

// Listing is one approved server as an MCP registry (API v0.1) answers it.
type Listing struct {
	Name    string // "com.example/files"
	Version string
	Updated string // RFC 3339, the day of the decision
	Latest  bool   // of the versions of its name
	// JSON is {"server":...,"_meta":{...}}; server is server.json 2025-12-11.
	JSON json.RawMessage
}

// List is what a registry approves for somebody on a day (YYYY-MM-DD), sorted
// by name and version, each once. What cannot be listed is the second answer:
// one line a kind.
func List(r *registry.Registry, who registry.Who, today string) ([]Listing, []string, error) {
	v := &view{doc: r.Doc}
	type named struct {
		Listing
		server serverJSON
		entry  *registry.Entry
	}
	var all []named
	for _, e := range r.Doc.Servers {
		if d := r.Decide(e.Match.Identity(), who, "", today); d.Entry != e || !d.Allowed {
			continue
		}
		s, ok := v.server(e)
		switch {
		case !ok:
			continue
		case !listable(s.Name, s.Version):
			v.without(e, "its name or its version has no place in a URL")
			continue
		}
		day := cmp.Or(e.Evidence.ApprovedAt, "1970-01-01")
		one := named{Listing{Name: s.Name, Version: s.Version, Updated: day + "T00:00:00Z"}, s, e}
		if slices.ContainsFunc(all, func(o named) bool { return o.Name == one.Name && o.Version == one.Version }) {
			v.without(e, "another entry has its name and version")
			continue
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b named) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), CompareVersions(a.Version, b.Version))
	})
	out := make([]Listing, len(all))
	for i, one := range all {
		one.Latest = i+1 == len(all) || all[i+1].Name != one.Name
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		err := enc.Encode(map[string]any{"server": one.server, "_meta": map[string]any{
			"io.modelcontextprotocol.registry/official": map[string]any{
				"status": "active", "statusChangedAt": one.Updated, "publishedAt": one.Updated, "updatedAt": one.Updated, "isLatest": one.Latest,
			},
			"dev.sallyport/registry": verdict(one.entry),
		}})
		if err != nil {
			return nil, nil, err
		}
		one.JSON = bytes.TrimSpace(b.Bytes())
		out[i] = one.Listing
	}
	return out, v.missing(), nil
}

// listable reports whether a name and a version can be parts of a URL and of a
// path without meaning something else there.
func listable(name, version string) bool {
	space, rest, ok := strings.Cut(name, "/")
	for _, part := range []string{space, rest, version} {
		if part == "" || strings.Trim(part, ".") == "" || part[0] == '.' || len(part) > 200 || strings.ContainsFunc(part, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._+-", r))
		}) {
			return false
		}
	}
	return ok && version != "latest" && version != "index.json" && rest != "versions"
}

// CompareVersions orders versions by the numbers in them; a pre-release (1.0.0-rc1)
// comes before its release.
func CompareVersions(a, b string) int {
	numbers := func(s string) (core []string, pre string) {
		s, _, _ = strings.Cut(strings.TrimPrefix(s, "v"), "+")
		s, pre, _ = strings.Cut(s, "-")
		return strings.Split(s, "."), pre
	}
	na, preA := numbers(a)
	nb, preB := numbers(b)
	number := func(s string) (string, bool) {
		return strings.TrimLeft(s, "0"), s != "" && strings.Trim(s, "0123456789") == ""
	}
	for i := range max(len(na), len(nb)) {
		x, y := "0", "0"
		if i < len(na) {
			x = na[i]
		}
		if i < len(nb) {
			y = nb[i]
		}
		nx, okX := number(x)
		ny, okY := number(y)
		c := strings.Compare(x, y)
		if okX && okY {
			c = cmp.Or(cmp.Compare(len(nx), len(ny)), strings.Compare(nx, ny))
		}
		if c != 0 {
			return c
		}
	}
	switch {
	case preA == "" && preB != "":
		return 1
	case preA != "" && preB == "":
		return -1
	}
	return cmp.Or(strings.Compare(preA, preB), strings.Compare(a, b))
}
