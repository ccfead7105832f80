// Package packages reads the descriptions that servers are published with.
package packages

import (
	"bytes"
	"path"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/launch"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// Analyzers returns the analyzers of this package.
func Analyzers() []analyzers.Analyzer {
	return []analyzers.Analyzer{{
		Name: "packages/server.json",
		Match: func(p string) analyzers.Match {
			if base := path.Base(p); base == "server.json" || strings.HasSuffix(base, ".server.json") {
				return analyzers.Candidate
			}
			return analyzers.Ignored
		},
		Sniff:   isServerJSON,
		Analyze: serverJSON,
	}}
}

// isServerJSON tells the MCP registry's server.json from any other file of
// that name.
func isServerJSON(content []byte) bool {
	for _, sign := range []string{"/schemas/20", `"registryType"`, `"registry_type"`, `"registry_name"`, `"remotes"`} {
		if bytes.Contains(content, []byte(sign)) {
			return bytes.Contains(content, []byte(`"name"`))
		}
	}
	return false
}

// serverJSON reads the MCP registry's server.json, schema 2025-12-11 and the
// older spellings with underscores.
func serverJSON(file analyzers.File, into *analyzers.Catalog) error {
	root, err := tree.Parse(file.Source, tree.JSONC)
	if err != nil {
		return err
	}
	name := root.Get("name")
	if !name.IsString() || !root.Get("packages").IsArray() && !root.Get("remotes").IsArray() {
		return analyzers.ErrForeign
	}
	s := &analyzers.Server{
		Name: name.Text, KeySpan: name.Span, Span: root.Span,
		Format: "server.json", Exposure: file.Exposure,
	}
	if packages := root.Get("packages"); packages.IsArray() {
		for _, p := range packages.Children {
			readPackage(s, p)
		}
	}
	if remotes := root.Get("remotes"); remotes.IsArray() {
		for _, r := range remotes.Children {
			url := r.Get("url")
			if !url.IsString() {
				continue
			}
			if s.URL.IsZero() {
				s.URL = url.Text
			}
			if s.Transport == "" {
				s.Transport = transport(first(r, "type", "transport_type").Str())
			}
			s.Remotes = append(s.Remotes, url.Text)
			s.Headers = append(s.Headers, inputs(r.Get("headers"))...)
		}
	}
	into.Servers = append(into.Servers, s)
	for _, vars := range [][]analyzers.Var{s.Env, s.Headers} {
		for _, v := range vars {
			for _, found := range secret.InVar("env", v.Name.Raw(), v.Value) {
				found.Server, found.Exposure = s, s.Exposure
				into.Secrets = append(into.Secrets, found)
			}
		}
	}
	for _, url := range s.Remotes {
		for _, found := range secret.InText("url", "", url) {
			found.Server, found.Exposure = s, s.Exposure
			into.Secrets = append(into.Secrets, found)
		}
	}
	return nil
}

func readPackage(s *analyzers.Server, p *tree.Node) {
	identifier := first(p, "identifier", "name")
	if !identifier.IsString() {
		return
	}
	version := p.Get("version")
	kind := strings.ToLower(first(p, "registryType", "registry_type", "registry_name").Str())
	if s.Transport == "" {
		s.Transport = transport(p.Get("transport", "type").Str())
	}
	s.Env = append(s.Env, inputs(first(p, "environmentVariables", "environment_variables"))...)
	if kind == "oci" || kind == "docker" {
		image := launch.ImageRef(identifier.Text)
		if version.IsString() && image.Pin == analyzers.PinNone {
			image = launch.ImageRef(joined(identifier.Text, ":", version.Str()))
		}
		s.Images = append(s.Images, image)
		return
	}
	ecosystem := map[string]string{"npm": "npm", "pypi": "pypi", "nuget": "nuget", "cargo": "cargo"}[kind]
	if ecosystem == "" {
		s.Packages = append(s.Packages, bundle(identifier, first(p, "fileSha256", "file_sha256")))
		return
	}
	ref := launch.ParseSpec(ecosystem, identifier.Text)
	if version.IsString() {
		separator := "@"
		if ecosystem == "pypi" {
			separator = "=="
		}
		ref = launch.ParseSpec(ecosystem, joined(identifier.Text, separator, version.Str()))
		ref.Spec = version.Text
	}
	s.Packages = append(s.Packages, ref)
}

// bundle is an MCPB file or another download: a URL and, if it is pinned, its
// SHA-256.
func bundle(identifier, sum *tree.Node) analyzers.PackageRef {
	address := identifier.Str()
	ref := analyzers.PackageRef{Ecosystem: "generic", Name: path.Base(address), Source: "url", Pin: analyzers.PinNone, Spec: identifier.Text}
	qualifiers := map[string]string{"download_url": address}
	if digest := strings.ToLower(sum.Str()); len(digest) == 64 && strings.Trim(digest, "0123456789abcdef") == "" {
		ref.Pin = analyzers.PinDigest
		qualifiers["checksum"] = "sha256:" + digest
	}
	ref.PURL = packageurl.NewPackageURL("generic", "", ref.Name, "", packageurl.QualifiersFromMap(qualifiers), "").ToString()
	return ref
}

// joined is a spec glued from two members of the file; its place is the first.
func joined(name analyzers.Text, separator, version string) analyzers.Text {
	glued := name.Raw() + separator + version
	return analyzers.Text{
		Value: analyzers.Untrusted(glued), Span: name.Span,
		Map: analyzers.OffsetMap{{Decoded: 0, Raw: 0}, {Decoded: len(glued), Raw: name.Span.End - name.Span.Start}},
	}
}

// inputs reads KeyValueInput objects: {"name": "", "value": "", "default": ""}.
func inputs(list *tree.Node) []analyzers.Var {
	if !list.IsArray() {
		return nil
	}
	var out []analyzers.Var
	for _, n := range list.Children {
		name := n.Get("name")
		if !name.IsString() {
			continue
		}
		v := analyzers.Var{Name: name.Text}
		if value := first(n, "value", "default"); value != nil {
			v.Value = value.Text
		}
		out = append(out, v)
	}
	return out
}

func first(n *tree.Node, keys ...string) *tree.Node {
	for _, key := range keys {
		if v := n.Get(key); v != nil {
			return v
		}
	}
	return nil
}

func transport(word string) analyzers.Transport {
	switch word {
	case "stdio":
		return analyzers.Stdio
	case "streamable-http", "streamable", "http":
		return analyzers.HTTP
	case "sse":
		return analyzers.SSE
	}
	return ""
}
