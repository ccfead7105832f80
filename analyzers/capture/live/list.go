package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// lists is everything that a server can list, with the capability under which
// it does.
var lists = []struct{ kind, method, member, capability string }{
	{"tool", "tools/list", "tools", "tools"},
	{"prompt", "prompts/list", "prompts", "prompts"},
	{"resource", "resources/list", "resources", "resources"},
	{"template", "resources/templates/list", "resourceTemplates", "resources"},
}

// surface asks for every list, those without a capability as well: what a
// server shows to whoever asks is shown. missing says what could not be read.
func (s *session) surface(ctx context.Context) (all []Definition, odd []Observation, missing []string) {
	size := 0
	declares := func(capability string) bool {
		n, err := object(answer{result: s.capabilities})
		return err == nil && n.Get(capability) != nil
	}
	for _, l := range lists {
		declared := declares(l.capability)
		wait := s.plan.Timeout
		if !declared {
			wait = undeclared
		}
		found := 0
		err := s.pages(ctx, wait, l.method, l.member, func(n *tree.Node) error {
			name, named := capture.Name(l.kind, n)
			d := Definition{Kind: l.kind, Name: name.Raw(), Nameless: !named, Raw: json.RawMessage(n.Span.Raw())}
			if size += len(d.Raw); size > maxSurface || len(all) == maxItems {
				return fmt.Errorf("it shows more than %d definitions or %d MiB", maxItems, maxSurface>>20)
			}
			all = append(all, d)
			found++
			return nil
		})
		var refused *jsonrpc.Error
		switch {
		case err != nil && (declared || found > 0):
			missing = append(missing, fmt.Sprintf("%s: %s", l.method, clip(err.Error())))
		case err != nil && !errors.As(err, &refused) && s.over(ctx):
			missing = append(missing, fmt.Sprintf("%s: %s", l.method, clip(err.Error())))
			return all, odd, missing
		case found > 0 && !declared:
			odd = append(odd, Observation{Kind: "undeclared", Subject: l.method, Detail: fmt.Sprintf("lists %d without declaring the capability %q", found, l.capability)})
		}
	}
	return all, odd, missing
}

// over reports whether nothing more can be asked.
func (s *session) over(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken != nil || ctx.Err() != nil
}

// pages visits the elements of a list, page by page.
func (s *session) pages(ctx context.Context, wait time.Duration, method, member string, visit func(*tree.Node) error) error {
	params := map[string]any{}
	seen := map[string]int{}
	for page := 1; page <= maxPages; page++ {
		n, err := s.call(ctx, wait, method, s.with(params))
		if err != nil {
			return err
		}
		if kind := n.Get("resultType").Str(); kind != "" && kind != "complete" {
			s.keep(json.RawMessage(fmt.Sprintf(`{"jsonrpc":"2.0","id":0,"result":%s}`, n.Span.Raw())))
			return fmt.Errorf("it wants something before it answers (%s)", kind)
		}
		if again := twice(n); again != "" {
			return fmt.Errorf("page %d holds the member %q twice", page, again)
		}
		for _, element := range elements(n.Get(member)) {
			if !element.IsObject() {
				return fmt.Errorf("page %d holds a definition that is no object", page)
			}
			if err := visit(element); err != nil {
				return err
			}
		}
		cursor := n.Get("nextCursor")
		if !cursor.IsString() || cursor.Text.Value == "" {
			return nil
		}
		next := cursor.Str()
		if at, ok := seen[next]; ok {
			return fmt.Errorf("the list has no end: page %d leads back to the one behind page %d", page, at)
		}
		seen[next] = page
		params = map[string]any{"cursor": next}
	}
	return fmt.Errorf("the list has more than %d pages", maxPages)
}

// elements are those of a list; none of what is no list.
func elements(n *tree.Node) []*tree.Node {
	if !n.IsArray() {
		return nil
	}
	return n.Children
}

// twice is the first member of an object that stands in it more than once:
// clients differ in which one they take.
func twice(n *tree.Node) string {
	for _, child := range n.Children {
		if child.Dup {
			return child.Key.Raw()
		}
	}
	return ""
}

// clip bounds a text for people.
func clip(text string) string {
	if len(text) <= 400 {
		return text
	}
	return text[:400] + " ..."
}
