package drift

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/rules"
)

// identity compares what two sides know of who the server is. What one of them
// does not know is not compared.
func identity(before, after manifest.Server) []Change {
	var out []Change
	add := func(field, was, is string, severity rules.Severity, format string, args ...any) {
		name := after.Name
		if name == "" {
			name = before.Name
		}
		out = append(out, Change{Op: manifest.Changed, Kind: "server", Name: analyzers.Untrusted(name), Field: analyzers.Untrusted(field), Class: Identity, Severity: severity,
			Before: cut(was), After: cut(is), Reason: fmt.Sprintf(format, args...)})
	}
	if before.Name != after.Name && before.Name != "" && after.Name != "" {
		add("name", before.Name, after.Name, rules.Medium, "the server calls itself by another name")
	}
	if was, is := before.URL, after.URL; was != is && was != "" && is != "" {
		if hostOf(was) != hostOf(is) {
			add("url", was, is, rules.High, "the server is at another host: %q", analyzers.Untrusted(hostOf(is)))
		} else {
			add("url", was, is, rules.Medium, "the server is at another address of its host")
		}
	}
	if (before.URL == "") != (after.URL == "") && len(before.Launch)+len(after.Launch) > 0 && (len(before.Launch) == 0) != (len(after.Launch) == 0) {
		add("launch", joined(before.Launch)+before.URL, joined(after.Launch)+after.URL, rules.High, "the server was started by a command and is remote now, or the other way round")
	}
	packages, severity := packagesDiffer(before, after)
	if was, is := before.Launch, after.Launch; len(was) > 0 && len(is) > 0 && !slices.Equal(was, is) {
		switch {
		case was[0] != is[0]:
			add("launch", joined(was), joined(is), rules.High, "another command starts the server")
		case packages != "" && severity < rules.High && len(was) == len(is):
			add("launch", joined(was), joined(is), severity, "%s", packages)
			return out
		default:
			add("launch", joined(was), joined(is), rules.High, "the server is started with other arguments")
		}
		return out
	}
	if packages != "" {
		add("packages", purls(before), purls(after), severity, "%s", packages)
	}
	return out
}

// packagesDiffer says how the packages and images differ, "" where they do not
// or where a side knows none.
func packagesDiffer(before, after manifest.Server) (string, rules.Severity) {
	was, is := slices.Concat(before.Packages, before.Images), slices.Concat(after.Packages, after.Images)
	if len(was) == 0 || len(is) == 0 || slices.Equal(was, is) {
		return "", 0
	}
	names := func(list []manifest.Package) string {
		var out []string
		for _, p := range list {
			base, _, _ := strings.Cut(p.PURL, "?")
			base, _, _ = strings.Cut(base, "@")
			out = append(out, base)
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	}
	if names(was) != names(is) {
		return "another package is started", rules.High
	}
	return "another version of the package is started", rules.Medium
}

func purls(s manifest.Server) string {
	var out []string
	for _, p := range slices.Concat(s.Packages, s.Images) {
		out = append(out, p.PURL)
	}
	return strings.Join(out, " ")
}

func joined(argv []string) string {
	if len(argv) == 0 {
		return ""
	}
	b, err := json.Marshal(argv)
	if err != nil {
		return ""
	}
	return string(b)
}

// hostOf is scheme and host of an address.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}
