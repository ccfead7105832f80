package runtime

import "slices"

// The protocol versions of MCP, oldest first.
var versions = []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"}

// batching is the one version that has JSON-RPC batches (2025-03-26, basic).
const batching = "2025-03-26"

// stateless is the first version without a handshake.
const stateless = "2026-07-28"

// removed are the methods that it has no more.
var removed = map[string]bool{
	"initialize": true, "ping": true, "logging/setLevel": true, "resources/subscribe": true, "resources/unsubscribe": true,
}

// spoken reports whether a version is known and not older than least.
func spoken(version, least string) bool {
	return slices.Contains(versions, version) && version >= least
}

// MinVersions are the values that a minimal version may have.
func MinVersions() []string { return slices.Clone(versions) }
