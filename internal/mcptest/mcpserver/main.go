// Command mcpserver is the server of package mcptest, for the demo and the
// benchmark of the shim.
package main

import "github.com/sallyport-mcp/sallyport/internal/mcptest"

func main() { mcptest.Main() }
