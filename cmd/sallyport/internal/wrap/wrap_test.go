package wrap

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/clientconfig"
)

var shim = Shim{Path: "/opt/sally port/sallyport", Mode: "observe", Registry: "/etc/sallyport.registry.yaml"}

func everything(string) bool { return true }

// TestFixtures wraps every client's fixture, reads it again, and unwraps it
// byte for byte.
func TestFixtures(t *testing.T) {
	wrapped, remote := 0, 0
	for _, client := range clientconfig.Clients() {
		archive, err := txtar.ParseFile(filepath.Join("..", "..", "..", "..", "fixtures", "clients", client+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files[:len(archive.Files)-1] {
			src := &analyzers.Source{Path: f.Name, Bytes: f.Data}
			out, items, err := Wrap(src, shim, everything)
			if err != nil {
				t.Errorf("%s: %v", f.Name, err)
				continue
			}
			again, err := clientconfig.Declarations(&analyzers.Source{Path: f.Name, Bytes: out})
			if err != nil || len(again) != len(items) {
				t.Fatalf("%s: %v\n%s", f.Name, err, out)
			}
			for i, item := range items {
				s := again[i].Server
				switch item.State {
				case Changed:
					wrapped++
					want := append([]string{"run", "--mode", "observe", "--registry", shim.Registry, "--name", item.Name, "--"}, item.Before...)
					if got := newItem(&again[i]).Before; s.Command.Raw() != shim.Path || !slices.Equal(got[1:], want) {
						t.Errorf("%s: %s is %q", f.Name, item.Name, got)
					}
				case Remote:
					remote++
				case Left:
					if !strings.Contains(item.Why, "disabled") && !strings.Contains(item.Why, "no command") {
						t.Errorf("%s: %s is left: %s", f.Name, item.Name, item.Why)
					}
				}
			}
			twice, items, err := Wrap(&analyzers.Source{Path: f.Name, Bytes: out}, shim, everything)
			if err != nil || !bytes.Equal(twice, out) || slices.ContainsFunc(items, func(i Item) bool { return i.State == Changed }) {
				t.Errorf("%s: wrapped twice: %v\n%s", f.Name, err, twice)
			}
			back, _, err := Unwrap(&analyzers.Source{Path: f.Name, Bytes: out}, everything)
			if err != nil || !bytes.Equal(back, f.Data) {
				t.Errorf("%s: %v\n--- was\n%s\n--- wrapped\n%s\n--- is\n%s", f.Name, err, f.Data, out, back)
			}
		}
	}
	if wrapped < 25 || remote < 10 {
		t.Errorf("%d wrapped, %d remote: the fixtures are not read", wrapped, remote)
	}
}

// layouts are files, what wrapping makes of them, and of that unwrapping where
// it is not the file again.
var layouts = []struct{ name, path, before, after, back string }{
	{"no args", ".mcp.json", `{"mcpServers": {"a": {"command": "serve"}}}`,
		`{"mcpServers": {"a": {"command": "S", "args": [R"a", "--", "serve"]}}}`, `{"mcpServers": {"a": {"command": "serve", "args": []}}}`},
	{"empty args", ".mcp.json", `{"mcpServers": {"a": {"args": [ ], "command": "serve"}}}`,
		`{"mcpServers": {"a": {"args": [R"a", "--", "serve" ], "command": "S"}}}`, ""},
	{"comments and escapes", ".cursor/mcp.json", "{\n  // ours\n  \"mcpServers\": {\r\n    \"\\u0061\": {\"command\": \"\\u006eode\", \"args\": [ // first\n      \"x\", /* y */ \"z\",\n    ],},\n  }\n}",
		"{\n  // ours\n  \"mcpServers\": {\r\n    \"\\u0061\": {\"command\": \"S\", \"args\": [ // first\n      R\"a\", \"--\", \"\\u006eode\", \"x\", /* y */ \"z\",\n    ],},\n  }\n}", ""},
	{"a table", ".codex/config.toml", "[mcp_servers.a]\ncommand = 'serve' # it\n\n[mcp_servers.a.env]\nA = \"b\"\n",
		"[mcp_servers.a]\ncommand = \"S\" # it\nargs = [R\"a\", \"--\", 'serve']\n\n[mcp_servers.a.env]\nA = \"b\"\n", "[mcp_servers.a]\ncommand = 'serve' # it\nargs = []\n\n[mcp_servers.a.env]\nA = \"b\"\n"},
	{"a table's list in lines", ".codex/config.toml", "[mcp_servers.a]\ncommand = \"\"\"serve\"\"\"\nargs = [\n  \"x\", # one\n  'y',\n]\n",
		"[mcp_servers.a]\ncommand = \"S\"\nargs = [\n  R\"a\", \"--\", \"\"\"serve\"\"\", \"x\", # one\n  'y',\n]\n", ""},
	{"an inline table", ".codex/config.toml", "mcp_servers.a = { command = \"serve\", env = { A = \"b\" } }",
		"mcp_servers.a = { command = \"S\", args = [R\"a\", \"--\", \"serve\"], env = { A = \"b\" } }", "mcp_servers.a = { command = \"serve\", args = [], env = { A = \"b\" } }"},
	{"dotted keys", ".codex/config.toml", "mcp_servers.a.command = \"serve\"",
		"mcp_servers.a.command = \"S\"\nmcp_servers.a.args = [R\"a\", \"--\", \"serve\"]", "mcp_servers.a.command = \"serve\"\nmcp_servers.a.args = []"},
	{"lists in lines", ".continue/config.yaml", "mcpServers:\n- name: a\n  command: npx # it\n  args:\n  - -y\n  # the package\n  - acme\n  env:\n    A: b\n",
		"mcpServers:\n- name: a\n  command: \"S\" # it\n  args:\n  - \"run\"\n  - \"--mode\"\n  - \"observe\"\n  - \"--registry\"\n  - \"/etc/sallyport.registry.yaml\"\n  - \"--name\"\n  - \"a\"\n  - \"--\"\n  - npx\n  - -y\n  # the package\n  - acme\n  env:\n    A: b\n", ""},
	{"the command first", ".continue/config.yaml", "mcpServers:\n  - command: 'a b/serve'\n    name: a\n    args: [x]\n",
		"mcpServers:\n  - command: \"S\"\n    name: a\n    args: [R\"a\", \"--\", 'a b/serve', x]\n", ""},
	{"no args in lines", ".continue/config.yaml", "mcpServers:\n  - command: serve\n    name: a\n",
		"mcpServers:\n  - command: \"S\"\n    args: [R\"a\", \"--\", serve]\n    name: a\n", "mcpServers:\n  - command: serve\n    args: []\n    name: a\n"},
	{"braces", ".continue/config.yaml", "mcpServers: [{name: a, command: serve}]",
		"mcpServers: [{name: a, command: \"S\", args: [R\"a\", \"--\", serve]}]", "mcpServers: [{name: a, command: serve, args: []}]"},
	{"a folded command", ".continue/config.yaml", "mcpServers:\n  - name: a\n    command: >-\n      serve\n    args: [x]\n",
		"mcpServers:\n  - name: a\n    command: \"S\"\n    args: [R\"a\", \"--\", \"serve\", x]\n", "mcpServers:\n  - name: a\n    command: \"serve\"\n    args: [x]\n"},
	{"a list as command", "opencode.json", `{"mcp": {"a": {"type": "local", "command": ["bun", "x"]}}}`,
		`{"mcp": {"a": {"type": "local", "command": ["S", R"a", "--", "bun", "x"]}}}`, ""},
}

func spelled(s string) string {
	s = strings.ReplaceAll(s, `"S"`, `"/opt/sally port/sallyport"`)
	return strings.ReplaceAll(s, `R"`, `"run", "--mode", "observe", "--registry", "/etc/sallyport.registry.yaml", "--name", "`)
}

func TestLayouts(t *testing.T) {
	for _, test := range layouts {
		out, items, err := Wrap(&analyzers.Source{Path: test.path, Bytes: []byte(test.before)}, shim, everything)
		if err != nil || string(out) != spelled(test.after) {
			t.Errorf("%s: %v %+v\n%s\nwant\n%s", test.name, err, items, out, spelled(test.after))
			continue
		}
		want := test.back
		if want == "" {
			want = test.before
		}
		back, _, err := Unwrap(&analyzers.Source{Path: test.path, Bytes: out}, everything)
		if err != nil || string(back) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", test.name, err, back, want)
		}
	}
}

// TestLeft: what cannot be rewritten safely is named and not touched.
func TestLeft(t *testing.T) {
	for _, test := range []struct{ path, body, why string }{
		{".mcp.json", `{"mcpServers": {"a": {"command": "npx -y acme"}}}`, "a whole line for a shell"},
		{".mcp.json", `{"mcpServers": {"a": {"command": "serve | tee log", "args": []}}}`, "a whole line for a shell"},
		{".vscode/mcp.json", `{"servers": {"a": {"command": "${input:tool}", "args": ["x"]}}}`, "holds a variable"},
		{".vscode/mcp.json", `{"servers": {"a": {"command": "${workspaceFolder}/serve"}}}`, "holds a variable"},
		{"opencode.json", `{"mcp": {"a": {"command": ["{env:TOOL}"]}}}`, "holds a variable"},
		{".mcp.json", `{"mcpServers": {"a": {"command": "~/serve"}}}`, "begins with ~"},
		{".mcp.json", `{"mcpServers": {"a": {"command": "serve", "disabled": true}}}`, "disabled"},
		{".codex/config.toml", "[mcp_servers.a]\ncommand = \"serve\"\nenabled = false\n", "disabled"},
		{".mcp.json", `{"mcpServers": {"a": {"command": "serve", "command": "other"}}}`, "twice"},
		{".mcp.json", `{"mcpServers": {"a": {"command": "serve", "url": "https://a.example/"}}}`, "a command and a URL"},
		{".mcp.json", `{"mcpServers": {"a": {"command": "serve", "args": "x y"}}}`, "no list"},
		{".mcp.json", `{"mcpServers": {"a": {"command": "serve", "args": [["x"]]}}}`, "not all plain"},
		{".mcp.json", `{"mcpServers": {"a": {"command": "", "args": []}}}`, "empty"},
		{".continue/config.yaml", "x: &x [y]\nmcpServers:\n  - {name: a, command: serve, args: *x}\n", "alias"},
		{".continue/config.yaml", "mcpServers:\n  - {name: a, command: &c serve, args: []}\n  - {name: b, url: 'https://b.example/', x: *c}\n", "cannot be edited by a program"},
	} {
		out, items, err := Wrap(&analyzers.Source{Path: test.path, Bytes: []byte(test.body)}, shim, everything)
		if err != nil || string(out) != test.body || items[0].State != Left || !strings.Contains(items[0].Why, test.why) {
			t.Errorf("%s: %v %+v\n%s", test.body, err, items, out)
		}
	}
	both := `{"mcpServers": {"a": {"command": "${x}"}, "b": {"command": "serve"}, "c": {"command": "other"}}}`
	out, items, err := Wrap(&analyzers.Source{Path: ".mcp.json", Bytes: []byte(both)}, shim, func(name string) bool { return name != "c" })
	if err != nil || items[0].State != Left || items[1].State != Changed || items[2].Why != "not chosen" || !strings.Contains(string(out), `"c": {"command": "other"}`) {
		t.Errorf("%v %+v\n%s", err, items, out)
	}
	for _, own := range []string{`"sallyport", "args": ["run", "--", "x"]`, `"/usr/bin/sallyport-shim", "args": ["--", "x"]`, `"C:\\bin\\sallyport.exe", "args": ["run"]`} {
		body := `{"mcpServers": {"a": {"command": ` + own + `}}}`
		if _, items, err := Wrap(&analyzers.Source{Path: ".mcp.json", Bytes: []byte(body)}, shim, everything); err != nil || items[0].State != Already {
			t.Errorf("%s: %v %+v", body, err, items)
		}
		if out, items, err := Unwrap(&analyzers.Source{Path: ".mcp.json", Bytes: []byte(body)}, everything); err != nil || items[0].State != Left || string(out) != body {
			t.Errorf("%s: %v %+v", body, err, items)
		}
	}
}

// FuzzWrap: no file brings it down, what it writes is read as it says, and
// unwrapping gives the command lines back.
func FuzzWrap(f *testing.F) {
	for _, l := range layouts {
		f.Add(l.path, []byte(l.before))
	}
	f.Fuzz(func(t *testing.T, path string, content []byte) {
		out, items, err := Wrap(&analyzers.Source{Path: path, Bytes: content}, shim, everything)
		if err != nil {
			return
		}
		back, again, err := Unwrap(&analyzers.Source{Path: path, Bytes: out}, everything)
		if err != nil || len(again) != len(items) {
			t.Fatalf("%v\n%s\n%s", err, out, back)
		}
		for i := range items {
			if items[i].State == Changed && (again[i].State == Changed && !slices.Equal(again[i].After, items[i].Before)) {
				t.Fatalf("%+v and back %+v\n%s", items[i], again[i], out)
			}
		}
	})
}
