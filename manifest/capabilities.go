package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Capabilities are what the server declared in its greeting that it can do, by
// name. A manifest without them pins none: it was written before there were
// any, or of a capture without a greeting. They are no part of the surface's
// digest, which is that of what a model reads: an entry of a registry binds them
// by a digest of their own (Approval).
type Capabilities struct {
	Names  []string `json:"names"` // JSON Pointers, sorted: "/tools", "/tools/listChanged"
	Digest string   `json:"digest"`
	Basis  Basis    `json:"basis"`
}

// capabilitiesOf describes those of a surface, nil where they are not known.
func capabilitiesOf(s *analyzers.Surface) (*Capabilities, error) {
	if s.Capabilities == nil {
		return nil, nil
	}
	c := &Capabilities{Names: []string{}, Basis: Captured}
	for _, name := range s.Capabilities {
		c.Names = append(c.Names, name.Raw())
	}
	slices.Sort(c.Names)
	c.Names = slices.Compact(c.Names)
	var err error
	c.Digest, err = c.digest()
	return c, err
}

// Approval is how a registry's entry names them (manifest.capabilities), "" for
// none.
func (c *Capabilities) Approval() string {
	if c == nil {
		return ""
	}
	return "sha256:" + c.Digest
}

// digest is the SHA-256 over the canonical form of the names.
func (c *Capabilities) digest() (string, error) {
	encoded, err := json.Marshal(c.Names)
	if err != nil {
		return "", err
	}
	return digest("capabilities", encoded)
}

func (c *Capabilities) check() error {
	if c == nil {
		return nil
	}
	for i, name := range c.Names {
		switch {
		case !strings.HasPrefix(name, "/"):
			return fmt.Errorf("the capability %q is no JSON Pointer", analyzers.Untrusted(name))
		case i > 0 && name <= c.Names[i-1]:
			return fmt.Errorf("the capability %q is not in the order of the names, or stands twice", analyzers.Untrusted(name))
		}
	}
	if d, err := c.digest(); err != nil || d != c.Digest {
		return errors.New("the digest of the capabilities is not that of their names: the manifest was changed by hand, or lies")
	}
	if c.Basis != Captured {
		return fmt.Errorf("the capabilities have no basis %q", analyzers.Untrusted(c.Basis))
	}
	return nil
}

// diffCapabilities compares what both sides know.
func diffCapabilities(before, after []analyzers.Text) []Pair {
	if before == nil || after == nil {
		return nil
	}
	has := func(list []analyzers.Text, name analyzers.Text) bool {
		return slices.ContainsFunc(list, func(t analyzers.Text) bool { return t.Value == name.Value })
	}
	one := func(name analyzers.Text) *analyzers.Item {
		return &analyzers.Item{Kind: "capability", Name: name, Origin: analyzers.Captured, Span: name.Span}
	}
	var out []Pair
	for _, name := range after {
		if !has(before, name) {
			out = append(out, Pair{Op: Added, Kind: "capability", New: one(name)})
		}
	}
	for _, name := range before {
		if !has(after, name) {
			out = append(out, Pair{Op: Removed, Kind: "capability", Old: one(name)})
		}
	}
	return out
}
