// Package mcptest is a small MCP server over standard input and output, for
// tests and benchmarks that need a real process: what it lists comes from a
// capture, read anew for each list, so that a test can change it under way.
package mcptest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

type message struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  struct {
		ProtocolVersion string          `json:"protocolVersion"`
		Name            string          `json:"name"`
		URI             string          `json:"uri"`
		Cursor          string          `json:"cursor"`
		Arguments       json.RawMessage `json:"arguments"`
	} `json:"params"`
}

// Main serves the capture in the file that is its argument. Tools answer with
// their arguments; "size" among these is the length of the answer, "text" its
// text, "exit" a code to end with, "sleep" milliseconds to wait.
func Main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: mcpserver CAPTURE.json")
		os.Exit(2)
	}
	os.Exit(Serve(os.Stdin, os.Stdout, os.Args[1]))
}

// Serve answers requests until the input ends and returns an exit code.
func Serve(in io.Reader, out io.Writer, file string) int {
	lines := bufio.NewReaderSize(in, 1<<16)
	w := bufio.NewWriter(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return 0
		}
		var m message
		if json.Unmarshal(line, &m) != nil || m.ID == nil {
			continue
		}
		result, code := answer(&m, file)
		if code != 0 {
			return code
		}
		if result == "" {
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}`+"\n", m.ID)
		} else {
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", m.ID, result)
		}
		if w.Flush() != nil {
			return 0
		}
	}
}

func answer(m *message, file string) (result string, exit int) {
	switch m.Method {
	case "initialize":
		said := read(file)
		return fmt.Sprintf(`{"protocolVersion":%q,"capabilities":{"tools":{"listChanged":true},"prompts":{},"resources":{}},"serverInfo":{"name":"mcptest","version":"1"},"instructions":%s}`, m.Params.ProtocolVersion, or(said["instructions"], `""`)), 0
	case "ping":
		return "{}", 0
	case "tools/list":
		return fmt.Sprintf(`{"tools":%s}`, or(read(file)["tools"], "[]")), 0
	case "prompts/list":
		return fmt.Sprintf(`{"prompts":%s}`, or(read(file)["prompts"], "[]")), 0
	case "resources/list":
		return fmt.Sprintf(`{"resources":%s}`, or(read(file)["resources"], "[]")), 0
	case "resources/templates/list":
		return `{"resourceTemplates":[]}`, 0
	case "tools/call":
		var a struct {
			Size, Exit, Sleep int
			Text              *string
		}
		_ = json.Unmarshal(m.Params.Arguments, &a) // other arguments are echoed
		time.Sleep(time.Duration(a.Sleep) * time.Millisecond)
		if a.Exit != 0 {
			return "", a.Exit
		}
		text := m.Params.Name + " " + string(m.Params.Arguments)
		switch {
		case a.Text != nil:
			text = *a.Text
		case a.Size > 0:
			text = strings.Repeat("The harbour opens at six and the ferry leaves at half past, in any weather.\n", a.Size/76+1)[:a.Size]
		}
		return `{"content":[{"type":"text","text":` + strconv.Quote(text) + `}]}`, 0
	}
	return "", 0
}

func read(file string) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	if b, err := os.ReadFile(file); err == nil {
		_ = json.Unmarshal(b, &out) // an empty capture
	}
	return out
}

func or(raw json.RawMessage, otherwise string) string {
	if raw == nil {
		return otherwise
	}
	var b strings.Builder
	if json.NewEncoder(&b).Encode(raw) != nil {
		return otherwise
	}
	return strings.TrimSpace(b.String())
}
