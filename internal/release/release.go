// Package release holds the version that both programs go by.
package release

// Version is set by the linker for a release
// (-X github.com/sallyport-mcp/sallyport/internal/release.Version=1.2.3).
var Version = "0.1.0-dev"
