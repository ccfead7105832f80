package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// servePier is a server for TestEras: pier-mcp VERSION... speaks these versions
// of the protocol. Its tool "moor" asks the user for a name, "turn" changes the
// resource pier://tide, "open" adds a tool.
func servePier() {
	s := mcp.NewServer(&mcp.Implementation{Name: "pier", Version: "1.0.0"}, &mcp.ServerOptions{
		SupportedProtocolVersions: os.Args[1:],
		SubscribeHandler:          func(context.Context, *mcp.SubscribeRequest) error { return nil },
		UnsubscribeHandler:        func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
	})
	type none struct{}
	text := func(format string, args ...any) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf(format, args...)}}}, nil, nil
	}
	mcp.AddTool(s, &mcp.Tool{Name: "moor", Description: "Moors a boat."}, func(_ context.Context, req *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
		if a, ok := req.Params.InputResponses["boat"].(*mcp.ElicitResult); ok {
			return text("moored %v", a.Content["name"])
		}
		return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"boat": &mcp.ElicitParams{
			Message:         "Which boat?",
			RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}}},
		}}}, nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "turn", Description: "Turns the tide."}, func(ctx context.Context, _ *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
		if err := s.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: "pier://tide"}); err != nil {
			return nil, nil, err
		}
		return text("turned")
	})
	mcp.AddTool(s, &mcp.Tool{Name: "open", Description: "Opens another berth."}, func(context.Context, *mcp.CallToolRequest, none) (*mcp.CallToolResult, any, error) {
		mcp.AddTool(s, &mcp.Tool{Name: "berth", Description: "Shows the other berth."}, func(context.Context, *mcp.CallToolRequest, none) (*mcp.CallToolResult, any, error) {
			return text("free")
		})
		return text("opened")
	})
	s.AddResource(&mcp.Resource{URI: "pier://tide", Name: "tide"}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: "pier://tide", Text: "low"}}}, nil
	})
	if err := s.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// TestEras: a client of any version, with servers of every version behind one
// connection.
func TestEras(t *testing.T) {
	const handshake, stateless = "2025-11-25", "2026-07-28"
	servers := map[string][]string{"old": {handshake}, "new": {stateless}, "both": {handshake, stateless}, "oldest": {"2024-11-05"}}
	for _, tt := range []struct {
		version string
		servers []string
	}{
		{handshake, []string{"old", "both"}},
		{handshake, []string{"old", "new"}},
		{handshake, []string{"new"}},
		{stateless, []string{"new", "both"}},
		{stateless, []string{"old", "new", "both"}},
		{stateless, []string{"old"}},
		{"2025-06-18", []string{"oldest", "new"}},
		{stateless, []string{"oldest", "new"}},
	} {
		t.Run(tt.version+"/"+strings.Join(tt.servers, "+"), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			config, approved := "", ""
			for _, name := range tt.servers {
				args := fmt.Sprintf(`["%s"]`, strings.Join(servers[name], `", "`))
				config += fmt.Sprintf(`,%q: {"command": "pier-mcp", "args": %s}`, name, args)
				approved += fmt.Sprintf("  - {id: %s, status: approved, match: {argv: [pier-mcp, %s]}, evidence: {approvedBy: a, approvedAt: \"2026-01-01\", reason: r}}\n", name, strings.Trim(args, "[]"))
			}
			for file, content := range map[string]string{
				"servers.json": `{"mcpServers": {` + config[1:] + `}}`,
				"reg.yaml":     "apiVersion: sallyport/v1\nkind: Registry\nname: Pier\nservers:\n" + approved,
			} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			changed, updated := make(chan struct{}, 100), make(chan string, 100)
			client := mcp.NewClient(&mcp.Implementation{Name: "eras", Version: "1"}, &mcp.ClientOptions{
				ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
					if req.Params.Message != "Which boat?" {
						return nil, fmt.Errorf("asked %q", req.Params.Message)
					}
					return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "Nancy"}}, nil
				},
				ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { changed <- struct{}{} },
				ResourceUpdatedHandler: func(_ context.Context, req *mcp.ResourceUpdatedNotificationRequest) { updated <- req.Params.URI },
			})
			cmd := exec.Command("sallyport", "run", "--registry", "reg.yaml", "--servers", "servers.json", "--audit", "audit.jsonl", "--state", "state")
			cmd.Dir, cmd.Stderr = dir, t.Output()
			session, err := client.Connect(ctx, &mcp.CommandTransport{Command: cmd}, &mcp.ClientSessionOptions{ProtocolVersion: tt.version})
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			if got := session.InitializeResult().ProtocolVersion; got > tt.version || tt.version == stateless && got != stateless {
				t.Errorf("the connection speaks %s", got)
			}
			names := func() (all []string) {
				for tool, err := range session.Tools(ctx, nil) {
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, tool.Name)
				}
				return all
			}
			call := func(name, want string) {
				t.Helper()
				res, err := session.CallTool(ctx, &mcp.CallToolParams{Name: name, Arguments: map[string]any{}})
				if err != nil {
					t.Fatalf("%s: %s", name, err)
				}
				if len(res.Content) != 1 || res.Content[0].(*mcp.TextContent).Text != want {
					t.Errorf("%s: %+v", name, res)
				}
			}
			wait := func(what string, c <-chan struct{}) {
				t.Helper()
				select {
				case <-c:
				case <-ctx.Done():
					t.Fatal("no word of " + what)
				}
			}
			before := names()
			for _, name := range tt.servers {
				for _, tool := range []string{"moor", "turn", "open"} {
					if !slices.Contains(before, name+"__"+tool) {
						t.Errorf("%s__%s is not listed: %q", name, tool, before)
					}
				}
				// A server before elicitation cannot ask; what it does then is its own.
				if name != "oldest" {
					call(name+"__moor", "moored Nancy")
				}
				call(name+"__open", "opened")
				wait("the list", changed)
				if after := names(); !slices.Contains(after, name+"__berth") {
					t.Errorf("%s__berth is not listed: %q", name, after)
				}
				call(name+"__berth", "free")
			}
			if len(tt.servers) > 1 { // the resource is of several
				return
			}
			res, err := session.ReadResource(ctx, &mcp.ReadResourceParams{URI: "pier://tide"})
			if err != nil || res.Contents[0].Text != "low" {
				t.Error(res, err)
			}
			if err := session.Subscribe(ctx, &mcp.SubscribeParams{URI: "pier://tide"}); err != nil {
				t.Fatal(err)
			}
			call(tt.servers[0]+"__turn", "turned")
			select {
			case uri := <-updated:
				if uri != "pier://tide" {
					t.Error(uri)
				}
			case <-ctx.Done():
				t.Fatal("no word of the tide")
			}
		})
	}
}
