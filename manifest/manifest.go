// Package manifest says what a server's surface is, in digests that survive
// every harmless way of writing it down: member order, white space, escapes and
// the spelling of numbers do not count, every other change does. It is pure.
package manifest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Each digest begins with what it is a digest of, so that none can be passed
// off as another.
const domain = "sallyport.dev/manifest/v1/"

// ItemDigest is the SHA-256, in lower-case hex, over the RFC 8785 canonical
// form of a whole definition. Unknown members count. It fails for a definition
// that has no canonical form: duplicate members, numbers beyond IEEE 754.
func ItemDigest(item *analyzers.Item) (string, error) {
	c, err := itemCanonical(item)
	if err != nil {
		return "", err
	}
	return sum(item.Kind, c), nil
}

// SurfaceDigest is the SHA-256 over everything that a server shows to a model:
// its instructions and the digests of its definitions, in an order that does
// not depend on that of lists and pages. It is "" for an empty surface.
func SurfaceDigest(s *analyzers.Surface) (string, error) {
	items := Items(s)
	if len(items) == 0 && s.Instructions.IsZero() {
		return "", nil
	}
	digests, err := DigestAll(items)
	if err != nil {
		return "", err
	}
	return surfaceDigest(s.Instructions, items, digests)
}

func surfaceDigest(instructions analyzers.Text, items []*analyzers.Item, digests []Digests) (string, error) {
	var parts []string
	if !instructions.IsZero() {
		d, err := instructionsDigest(instructions.Raw())
		if err != nil {
			return "", err
		}
		parts = append(parts, "instructions "+d)
	}
	for i, item := range items {
		parts = append(parts, item.Kind+" "+digests[i].Whole)
	}
	slices.Sort(parts)
	return sum("surface", []byte(strings.Join(parts, "\n"))), nil
}

func instructionsDigest(text string) (string, error) {
	encoded, err := json.Marshal(text)
	if err != nil {
		return "", err
	}
	return digest("instructions", encoded)
}

// Items is every definition of a surface: tools, prompts, resources, templates.
func Items(s *analyzers.Surface) []*analyzers.Item {
	items := make([]*analyzers.Item, 0, len(s.Tools)+len(s.Prompts)+len(s.Resources)+len(s.Templates))
	for _, t := range s.Tools {
		items = append(items, &t.Item)
	}
	return append(append(append(items, s.Prompts...), s.Resources...), s.Templates...)
}

func digest(kind string, definition []byte) (string, error) {
	c, err := canonical(definition)
	if err != nil {
		return "", err
	}
	return sum(kind, c), nil
}

func itemCanonical(item *analyzers.Item) ([]byte, error) {
	return (&writer{}).item(item)
}

// item is valid until the next call.
func (w *writer) item(item *analyzers.Item) ([]byte, error) {
	if len(item.Definition) == 0 {
		return nil, fmt.Errorf("%s %q has no definition", item.Kind, item.Name)
	}
	c, err := w.canonical(item.Definition)
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", item.Kind, item.Name, err)
	}
	return c, nil
}
