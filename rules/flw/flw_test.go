package flw

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

// catalog holds one saved answer with tools of these names.
func catalog(names ...string) *analyzers.Catalog {
	src := &analyzers.Source{Path: "tools.json", Bytes: []byte(strings.Join(names, "\n"))}
	s := &analyzers.Server{Name: analyzers.Text{Value: "acme"}, Span: src.Span(0, 1), KeySpan: src.Span(0, 1)}
	at := 0
	for _, name := range names {
		text := analyzers.Text{Value: analyzers.Untrusted(name), Span: src.Span(at, at+len(name))}
		at += len(name) + 1
		s.Surface.Tools = append(s.Surface.Tools, &analyzers.Tool{Item: analyzers.Item{Kind: "tool", Name: text, Span: text.Span}})
	}
	return &analyzers.Catalog{Servers: []*analyzers.Server{s}}
}

var all = []*rules.Rule{&LethalTrifecta, &PaymentTool, &PrivateDataExit, &SeveralToxicFlows, &UntrustedToAction}

func TestPath(t *testing.T) {
	found := rules.Check(catalog("search_web", "read_inbox", "read_file", "get_secret", "send_mail", "fetch_url"), []*rules.Rule{&LethalTrifecta})
	if len(found) != 1 {
		t.Fatalf("%d findings", len(found))
	}
	f := found[0]
	// The weightiest of each part, different tools where there are any; the
	// ways out and the sources are as many as each other but for the inbox.
	for _, want := range []string{`"search_web" brings in`, `"get_secret" reads private data`, `"fetch_url" sends data out`, `Deny "send_mail" and "fetch_url", which breaks`} {
		if !strings.Contains(f.Message, want) {
			t.Errorf("%s: no %s", f.Message, want)
		}
	}
	var hops []string
	for _, r := range f.Related {
		hops = append(hops, string(r.Span.Raw()))
	}
	if got := strings.Join(hops, " "); got != "search_web get_secret fetch_url" {
		t.Errorf("hops at %s", got)
	}
	if f.Severity != rules.Info || f.Subject != "lethal-trifecta" || f.Server != "acme" || string(f.Span.Raw()) != "fetch_url" {
		t.Errorf("%+v", f)
	}
}

// TestOneTool: a tool that is every stage by itself is no combination.
func TestOneTool(t *testing.T) {
	if found := rules.Check(catalog("upload_file_read"), all); len(found) != 0 {
		t.Errorf("%v", found)
	}
}

// TestCut compares the cut with every set of tools: none that is smaller may
// break all flows, and it must itself.
func TestCut(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		tools := 2 + random.IntN(7)
		var all []flow
		for range 1 + random.IntN(4) {
			f := flow{}
			for range 2 + random.IntN(2) {
				s := stage{nodes: []int{random.IntN(tools)}}
				for n := range tools {
					if random.IntN(3) == 0 && n > s.nodes[len(s.nodes)-1] {
						s.nodes = append(s.nodes, n)
					}
				}
				f.stages = append(f.stages, s)
			}
			all = append(all, f)
		}
		got, least := cut(all, tools), tools
		for set := range uint(1) << tools {
			if broken(all, set) {
				least = min(least, bits.OnesCount(set))
			}
		}
		var set uint
		for _, n := range got {
			set |= 1 << n
		}
		if !broken(all, set) || len(got) != least || !slices.IsSorted(got) {
			t.Fatalf("%v of %d tools breaks %+v: %v; the least are %d", got, tools, all, broken(all, set), least)
		}
	}
}

func broken(all []flow, set uint) bool {
	for _, f := range all {
		if !slices.ContainsFunc(f.stages, func(s stage) bool {
			return !slices.ContainsFunc(s.nodes, func(n int) bool { return set&(1<<n) == 0 })
		}) {
			return false
		}
	}
	return true
}

// TestGreedy: with too many tools for every choice the cut still breaks all.
func TestGreedy(t *testing.T) {
	tools := mostExact + 1
	many := make([]int, tools-2)
	for i := range many {
		many[i] = i
	}
	all := []flow{{stages: []stage{{nodes: many}, {nodes: []int{tools - 1}}}}, {stages: []stage{{nodes: []int{tools - 2}}, {nodes: many}}}}
	if got := cut(all, tools); !slices.Equal(got, []int{tools - 2, tools - 1}) {
		t.Errorf("%d tools: %v...", len(got), got[:min(len(got), 5)])
	}
}

func TestDenied(t *testing.T) {
	setting := func(path, value string) analyzers.Setting {
		return analyzers.Setting{Path: path, Value: analyzers.Text{Value: analyzers.Untrusted(value)}}
	}
	client := func(name, path string, settings ...analyzers.Setting) *analyzers.Client {
		return &analyzers.Client{Name: name, Source: &analyzers.Source{Path: path}, Settings: settings}
	}
	c := &analyzers.Catalog{Clients: []*analyzers.Client{
		client("claude-code-settings", "a/.claude/settings.json", setting("permissions.deny[0]", "mcp__s__x"), setting("permissions.deny[1]", "mcp__whole"),
			setting("permissions.deny[2]", "mcp__star__*"), setting("permissions.allow[0]", "mcp__s__y")),
		client("cursor", "a/.cursor/mcp.json", setting("permissions.deny[0]", "mcp__s__z")),
	}}
	denied := denials(c)
	code := client("claude-code", "a/.mcp.json")
	for _, test := range []struct {
		client   *analyzers.Client
		server   string
		tool     string
		settings []analyzers.Setting
		want     bool
	}{
		{code, "s", "x", nil, true},
		{code, "s", "y", nil, false},
		{code, "s", "z", nil, false},
		{code, "whole", "y", nil, true},
		{code, "star", "y", nil, true},
		{client("claude-code", "b/.mcp.json"), "s", "x", nil, false},
		{client("cursor", "a/.cursor/mcp.json"), "s", "x", nil, false},
		{code, "t", "x", []analyzers.Setting{setting("disabledTools[1]", "x")}, true},
		{code, "t", "y", []analyzers.Setting{setting("disabledTools[1]", "x")}, false},
		{code, "t", "x", []analyzers.Setting{setting("includeTools[0]", "x")}, false},
		{code, "t", "y", []analyzers.Setting{setting("includeTools[0]", "x")}, true},
		{nil, "s", "x", nil, false},
	} {
		s := &analyzers.Server{Name: analyzers.Text{Value: analyzers.Untrusted(test.server)}, Client: test.client, Settings: test.settings}
		if got := denied.holds(s, test.tool); got != test.want {
			t.Errorf("%s/%s with %v: %v", test.server, test.tool, test.settings, got)
		}
	}
}

func TestNearest(t *testing.T) {
	answer := func(path string) *analyzers.Server {
		src := &analyzers.Source{Path: path, Bytes: []byte("x")}
		return &analyzers.Server{Span: src.Span(0, 1)}
	}
	a, b, c := answer("a/x/s.json"), answer("b/s.json"), answer("b/t.json")
	client := func(path string) *analyzers.Client { return &analyzers.Client{Source: &analyzers.Source{Path: path}} }
	for path, want := range map[string]*analyzers.Server{"a/.mcp.json": a, "b/.mcp.json": nil, "c/.mcp.json": nil} {
		if got := nearest(client(path), []*analyzers.Server{a, b, c}); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// TestMuch: every kind of flow among more tools than an honest agent has, and
// names that a terminal would obey.
func TestMuch(t *testing.T) {
	var names []string
	for i := range 8_000 {
		names = append(names, []string{"fetch_url", "read_file", "get_secret", "run_command", "send_mail", "pay", "git_show", "query_db", "delete_x", "\x1b[2Jread_inbox"}[i%10])
	}
	found := rules.Check(catalog(names...), all)
	if len(found) == 0 || len(found) > 20 {
		t.Errorf("%d findings", len(found))
	}
	for _, f := range found {
		if len(f.Message) > 2000 || strings.Contains(f.Message, "\x1b") {
			t.Errorf("%q", f.Message)
		}
	}
}

func BenchmarkAgents(b *testing.B) {
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("%s_%d", []string{"fetch_url", "read_file", "list_items", "send_mail", "delete_file"}[i%5], i))
	}
	c := catalog(names...)
	b.ReportAllocs()
	for b.Loop() {
		rules.Check(c, all)
	}
}

// TestMuchJoined: many clients that declare a server with many tools.
func TestMuchJoined(t *testing.T) {
	c := catalog(slices.Repeat([]string{"fetch_url", "read_file"}, 5000)...)
	for i := range 200 {
		client := &analyzers.Client{Name: "cursor", Source: &analyzers.Source{Path: fmt.Sprintf("%d/.cursor/mcp.json", i)}}
		client.Servers = []*analyzers.Server{{Name: analyzers.Text{Value: "acme"}, Client: client}}
		c.Clients = append(c.Clients, client)
		c.Servers = append(c.Servers, client.Servers[0])
	}
	nodes := 0
	for _, a := range gather(c) {
		nodes += len(a.nodes)
	}
	if nodes == 0 || nodes > mostNodes+10_000 {
		t.Errorf("%d tools were kept", nodes)
	}
}

// FuzzFlows: any names, any order; hops and places stay inside.
func FuzzFlows(f *testing.F) {
	f.Add("fetch_url read_file send_mail")
	f.Add("run_command get_secret http_post drop_table")
	f.Fuzz(func(t *testing.T, names string) {
		c := catalog(strings.Fields(names)...)
		for _, found := range rules.Check(c, all) {
			if found.Span.End > len(c.Servers[0].Span.Source.Bytes) || found.Subject == "" {
				t.Fatalf("%+v", found)
			}
		}
		for _, a := range gather(c) {
			for _, one := range a.flows {
				var set []int
				for _, s := range one.stages {
					set = append(set, s.nodes...)
				}
				if len(cut([]flow{one}, len(a.nodes))) > len(set) {
					t.Fatal("a cut larger than the flow")
				}
			}
		}
	})
}
