package capture

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// The bounds of what is read of a server's capabilities: what lies deeper
// belongs to the member above it.
const (
	maxCapabilityDepth = 8
	maxCapabilities    = 1000
)

// Capabilities are the names of what a server declares in answer to initialize
// or server/discover, as Surface.Capabilities has them: every member that is an
// object, a list, text, a number or true. A flag that is false or null says what
// its absence says. It is nil for what is no object.
func Capabilities(n *tree.Node) []analyzers.Text {
	if !n.IsObject() {
		return nil
	}
	out := []analyzers.Text{}
	var walk func(path string, n *tree.Node, depth int)
	walk = func(path string, n *tree.Node, depth int) {
		for _, c := range n.Children {
			if len(out) == maxCapabilities || c.Kind == tree.Null || c.Kind == tree.Bool && c.Text.Value != "true" {
				continue
			}
			name := path + "/" + escape.Replace(c.Key.Raw())
			out = append(out, analyzers.Text{Value: analyzers.Untrusted(name), Span: c.KeySpan})
			if c.IsObject() && depth < maxCapabilityDepth {
				walk(name, c, depth+1)
			}
		}
	}
	walk("", n, 1)
	slices.SortStableFunc(out, func(a, b analyzers.Text) int { return cmp.Compare(a.Value, b.Value) })
	return slices.CompactFunc(out, func(a, b analyzers.Text) bool { return a.Value == b.Value })
}

// escape spells a token of a JSON Pointer.
var escape = strings.NewReplacer("~", "~0", "/", "~1")
