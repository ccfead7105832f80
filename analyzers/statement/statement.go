// Package statement finds manifests of servers: in-toto statements with our
// predicate, bare (*.manifest.json) or in a Sigstore bundle
// (*.manifest.sigstore.json). It reads the server's name and leaves the rest to
// package manifest; it verifies nothing.
package statement

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// The identifiers of the document (in-toto Statement v1, DSSE). Nothing is
// fetched from any of them.
const (
	Type          = "https://in-toto.io/Statement/v1"
	PredicateType = "https://sallyport.dev/manifest/v1"
	PayloadType   = "application/vnd.in-toto+json"
)

// mostPURLs bounds the packages and images of one manifest.
const mostPURLs = 64

// Analyzer returns the analyzer of manifests, which it knows by their names.
func Analyzer() analyzers.Analyzer {
	return analyzers.Analyzer{
		Name: "statement",
		Match: func(p string) analyzers.Match {
			if Named(p) {
				return analyzers.Named
			}
			return analyzers.Ignored
		},
		Sniff:   Sniff,
		Analyze: analyze,
	}
}

// Named reports whether a file has the name of a manifest.
func Named(p string) bool {
	return strings.HasSuffix(p, ".manifest.json") || strings.HasSuffix(p, ".manifest.sigstore.json")
}

// Sniff reports whether a file may hold a manifest.
func Sniff(content []byte) bool {
	return bytes.Contains(content, []byte(PredicateType)) || bytes.Contains(content, []byte(`"dsseEnvelope"`)) && bytes.Contains(content, []byte(PayloadType))
}

func analyze(file analyzers.File, into *analyzers.Catalog) error {
	if !Sniff(file.Bytes) {
		return analyzers.ErrForeign // a web app's or a package's manifest
	}
	m, err := Read(file.Source)
	if err != nil {
		return err
	}
	if m == nil {
		return analyzers.ErrForeign
	}
	m.Exposure = file.Exposure
	into.Manifests = append(into.Manifests, m)
	return nil
}

// Read reads a manifest's file; nil, without an error, for another kind of
// statement. The error is an *analyzers.ParseError.
func Read(src *analyzers.Source) (*analyzers.Manifest, error) {
	root, err := tree.Parse(src, tree.JSON)
	if err != nil {
		return nil, err
	}
	m := &analyzers.Manifest{Source: src, Statement: src, Status: analyzers.ManifestUnsigned}
	if envelope := root.Get("dsseEnvelope"); envelope != nil {
		if t := envelope.Get("payloadType").Str(); t != PayloadType {
			return nil, nil
		}
		payload, err := base64.StdEncoding.DecodeString(envelope.Get("payload").Str())
		if err != nil {
			return nil, &analyzers.ParseError{Kind: "malformed", Reason: "the bundle's payload is not base64", Span: envelope.Span}
		}
		m.Bundle, m.Status = true, analyzers.ManifestUnverified
		m.Statement = &analyzers.Source{Path: src.Path, Bytes: payload}
		if root, err = tree.Parse(m.Statement, tree.JSON); err != nil {
			return nil, &analyzers.ParseError{Kind: "malformed", Reason: fmt.Sprintf("the bundle's payload: %s", analyzers.Untrusted(err.Error())), Span: envelope.Span}
		}
	}
	if root.Get("predicateType").Str() != PredicateType {
		return nil, nil
	}
	name := root.Get("predicate", "server", "name")
	if name.Str() == "" {
		return nil, &analyzers.ParseError{Kind: "malformed", Reason: "the manifest names no server", Span: src.Span(0, 0)}
	}
	m.Server = analyzers.Text{Value: name.Text.Value}
	for _, list := range []string{"packages", "images"} {
		for _, p := range elements(root.Get("predicate", "server", list)) {
			if purl := p.Get("purl").Str(); purl != "" && len(m.PURLs) < mostPURLs {
				m.PURLs = append(m.PURLs, purl)
			}
		}
	}
	return m, nil
}

func elements(n *tree.Node) []*tree.Node {
	if !n.IsArray() {
		return nil
	}
	return n.Children
}
