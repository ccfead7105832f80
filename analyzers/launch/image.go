package launch

import (
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

var (
	// The parts of a reference (distribution/reference, regexp.go).
	repository = pattern.New(`^(?:[A-Za-z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*$`)
	tagName    = pattern.New(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	digest     = pattern.New(`^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)
)

// ImageRef reads a container image reference, host/ns/name:tag@digest. Its
// Repository is empty when the text is none. A reference without host is on
// docker.io; a transport in front (docker://) is taken off.
func ImageRef(spec analyzers.Text) analyzers.ImageRef {
	ref := analyzers.ImageRef{Pin: analyzers.PinNone, Spec: spec}
	s := spec.Raw()
	if len(s) > maxSpec {
		return ref
	}
	for _, transport := range [...]string{"docker://", "oci://"} {
		s = strings.TrimPrefix(s, transport)
	}
	s, sum, _ := strings.Cut(s, "@")
	name, tag := s, ""
	if i := tagColon(s); i >= 0 {
		name, tag = s[:i], s[i+1:]
	}
	if !repository.MatchString(name) {
		return ref
	}
	ref.Repository = name
	ref.Tag, ref.Digest = analyzers.Untrusted(tag).String(), analyzers.Untrusted(sum).String()
	exact := ""
	switch {
	case digest.MatchString(sum):
		ref.Pin, exact = analyzers.PinDigest, sum
	case tag != "" && !variable(tag):
		ref.Pin = analyzers.PinTag
	}
	quals := map[string]string{"repository_url": canonical(name)}
	if tagName.MatchString(tag) {
		quals["tag"] = tag
	}
	_, last, _ := cutLast(name, "/")
	ref.PURL = purl("oci", "", last, exact, quals)
	return ref
}

// tagColon is where the tag begins: the first colon behind the last slash
// that is in no variable. -1 without a tag.
func tagColon(s string) int {
	head, _, _ := strings.Cut(s, "$")
	slash := strings.LastIndexByte(head, '/')
	colon := strings.IndexByte(s[slash+1:], ':')
	if colon < 0 {
		return -1
	}
	return slash + 1 + colon
}

// canonical writes the registry's host in front: docker.io where none is
// named.
func canonical(name string) string {
	host, _, ok := strings.Cut(name, "/")
	if ok && (strings.ContainsAny(host, ".:") || host == "localhost") {
		return name
	}
	return "docker.io/" + name
}
