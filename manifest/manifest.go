// Package manifest says what a server's surface is, in digests that survive
// every harmless way of writing it down: member order, white space, escapes and
// the spelling of numbers do not count, every other change does. It is pure.
package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gowebpki/jcs"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Each digest begins with what it is a digest of, so that none can be passed
// off as another.
const domain = "sallyport.dev/manifest/v1/"

// ItemDigest is the SHA-256, in lower-case hex, over the RFC 8785 canonical
// form of a whole definition. Unknown members count. It fails for a definition
// that has no canonical form: duplicate members, numbers beyond IEEE 754.
func ItemDigest(item *analyzers.Item) (string, error) {
	if len(item.Definition) == 0 {
		return "", fmt.Errorf("%s %q has no definition", item.Kind, item.Name)
	}
	return digest(item.Kind, item.Definition)
}

// SurfaceDigest is the SHA-256 over everything that a server shows to a model:
// its instructions and the digests of its definitions, in an order that does
// not depend on that of lists and pages. It is "" for an empty surface.
func SurfaceDigest(s *analyzers.Surface) (string, error) {
	var parts []string
	if !s.Instructions.IsZero() {
		encoded, err := json.Marshal(s.Instructions.Raw())
		if err != nil {
			return "", err
		}
		d, err := digest("instructions", encoded)
		if err != nil {
			return "", err
		}
		parts = append(parts, "instructions "+d)
	}
	items := slices.Concat(s.Prompts, s.Resources, s.Templates)
	for _, t := range s.Tools {
		items = append(items, &t.Item)
	}
	for _, item := range items {
		d, err := ItemDigest(item)
		if err != nil {
			return "", err
		}
		parts = append(parts, item.Kind+" "+d)
	}
	if len(parts) == 0 {
		return "", nil
	}
	slices.Sort(parts)
	return sum("surface", []byte(strings.Join(parts, "\n"))), nil
}

func digest(kind string, definition []byte) (string, error) {
	canonical, err := jcs.Transform(definition)
	if err != nil {
		return "", fmt.Errorf("no canonical form (RFC 8785): %w", err)
	}
	return sum(kind, canonical), nil
}

func sum(kind string, content []byte) string {
	h := sha256.New()
	h.Write([]byte(domain + kind + "\x00"))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}
