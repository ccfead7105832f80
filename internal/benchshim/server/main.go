// Command server is the MCP server of the shim's benchmark.
package main

import "github.com/sallyport-mcp/sallyport/internal/mcptest"

func main() { mcptest.Main() }
