// Package agt holds the rules on the agent that hosts MCP clients: what its
// settings run by themselves and what they permit in advance.
package agt
