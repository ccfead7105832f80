package drift

import (
	"strings"

	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/rules"
)

// declared judges a capability that a server declares anew or no longer. Its
// field is the capability itself: nothing was added that is called by a name.
func declared(p manifest.Pair) Change {
	if p.Op == manifest.Removed {
		out := change(p, Narrowing, rules.Info, "the server no longer says that it can do this")
		out.Field = "capabilities"
		return out
	}
	out := change(p, Expanding, CapabilitySeverity(p.New.Name.Raw()), "the server says that it can do what nobody has approved")
	out.Field = "capabilities"
	return out
}

// CapabilitySeverity is how much a capability that a server did not declare
// before matters, by its JSON Pointer: a way of its own to reach the client or
// its model is medium, a detail of a known one low. What only lets a client ask
// for log messages is information: protocol versions differ in whether they
// have it.
func CapabilitySeverity(pointer string) rules.Severity {
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	switch {
	case parts[0] == "logging":
		return rules.Info
	case parts[0] == "experimental" || parts[0] == "extensions":
		switch len(parts) {
		case 1: // what is in it counts
			return rules.Info
		case 2:
			return rules.Medium
		}
		return rules.Low
	case len(parts) == 1:
		return rules.Medium
	}
	return rules.Low
}
