// Command modelstub stands in for a model's Messages API on loopback, so that a
// client can be driven to a tool call without an account: to the first request
// that offers the tool it answers with a call of it, to all others with a text.
// It prints its address, and then the names of the tools of each request.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// life bounds the process: a test that dies leaves nothing behind for long.
const life = 10 * time.Minute

func main() {
	tool := flag.String("call", "", "the tool that is called, as the client names it")
	input := flag.String("input", "{}", "its arguments, as JSON")
	flag.Parse()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "modelstub:", err)
		os.Exit(1)
	}
	fmt.Printf("http://%s\n", l.Addr())
	time.AfterFunc(life, func() { os.Exit(0) })
	_ = http.Serve(l, handler(*tool, *input)) // until it is ended
}

type request struct {
	Model    string
	Stream   bool
	Tools    []struct{ Name string }
	Messages json.RawMessage
}

func handler(tool, input string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q request
		body, err := io.ReadAll(r.Body)
		if err != nil || !strings.HasPrefix(r.URL.Path, "/v1/messages") || json.Unmarshal(body, &q) != nil {
			http.Error(w, "{}", http.StatusNotFound)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/count_tokens") {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"input_tokens":1}`)
			return
		}
		var names []string
		for _, t := range q.Tools {
			names = append(names, t.Name)
		}
		fmt.Println("tools:", strings.Join(names, " "))
		use := slices.Contains(names, tool) && !strings.Contains(string(q.Messages), `"tool_result"`)
		if !q.Stream {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"id":"m","type":"message","role":"assistant","model":%q,"content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`, q.Model)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		event := func(kind, members string) {
			fmt.Fprintf(w, "event: %s\ndata: {\"type\":%q%s}\n\n", kind, kind, members)
		}
		event("message_start", fmt.Sprintf(`,"message":{"id":"m","type":"message","role":"assistant","model":%q,"content":[],"stop_reason":null,"usage":{"input_tokens":1,"output_tokens":1}}`, q.Model))
		reason := "end_turn"
		if use {
			reason = "tool_use"
			event("content_block_start", fmt.Sprintf(`,"index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":%q,"input":{}}`, tool))
			event("content_block_delta", fmt.Sprintf(`,"index":0,"delta":{"type":"input_json_delta","partial_json":%q}`, input))
		} else {
			event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
			event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"done"}`)
		}
		event("content_block_stop", `,"index":0`)
		event("message_delta", fmt.Sprintf(`,"delta":{"stop_reason":%q},"usage":{"output_tokens":1}`, reason))
		event("message_stop", "")
	})
}
