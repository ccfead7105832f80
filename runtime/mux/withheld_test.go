package mux

import (
	"fmt"
	"strings"
	"testing"
)

// withheld makes the second of two servers offer less; nil for all.
func withheld(now *map[string]map[string]bool, asked *[]string) func(string) []map[string]map[string]bool {
	return func(complete string) []map[string]map[string]bool {
		*asked = append(*asked, complete)
		return []map[string]map[string]bool{{}, *now}
	}
}

// TestWithheld: of each kind what must not be offered is left out, and a list
// that the client has is another one when that changes.
func TestWithheld(t *testing.T) {
	var asked []string
	now := map[string]map[string]bool{"instructions": {"": true}, "prompt": {"p": true}, "resource": {"m://p": true}, "template": {"m://{p}": true}}
	w := newWire(t, "a", "b")
	w.m.Withheld = withheld(&now, &asked)
	w.client(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`)
	for i, name := range []string{"a", "b"} {
		w.server(i, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"prompts":{},"resources":{}},"instructions":"I am %s."}}`, own(i+1), name))
	}
	w.to = nil
	w.server(0, `{"jsonrpc":"2.0","id":"r","method":"roots/list"}`) // not before the client is greeted
	w.want()
	n := w.listed(3, "tools", `{"name":"t"}`, `{"name":"t"}`)
	w.match(`"instructions":"# a [^#]*> I am a\."}}$`)
	w.client(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	w.want(`client {"jsonrpc":"2.0","id":` + own(n) + `,"method":"roots/list"}`) // the servers know
	n++

	list := func(method, member, a, b, want string) {
		t.Helper()
		w.client(fmt.Sprintf(`{"jsonrpc":"2.0","id":9,"method":%q}`, method))
		w.to = nil
		n = w.listed(n, member, a, b)
		w.want(`client {"jsonrpc":"2.0","id":9,"result":{` + fmt.Sprintf("%q:[%s]", member, want) + `}}`)
	}
	list("prompts/list", "prompts", `{"name":"p"}`, `{"name":"p"},{"name":"q"}`, `{"name":"a__p"},{"name":"b__q"}`)
	list("resources/list", "resources", `{"uri":"m://p"}`, `{"uri":"m://p"},{"uri":"m://q"}`, `{"uri":"m://p"},{"uri":"m://q"}`)
	list("resources/templates/list", "resourceTemplates", ``, `{"uriTemplate":"m://{p}"},{"uriTemplate":"m://{q}"}`, `{"uriTemplate":"m://{q}"}`)

	now = map[string]map[string]bool{}
	w.client(`{"jsonrpc":"2.0","id":9,"method":"tools/list"}`)
	w.to = nil
	n = w.listed(n, "tools", `{"name":"t"}`, `{"name":"t"}`)
	w.want(`client {"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`, `client {"jsonrpc":"2.0","method":"notifications/resources/list_changed"}`,
		`client {"jsonrpc":"2.0","id":9,"result":{"tools":[{"name":"a__t"},{"name":"b__t"}]}}`)
	list("prompts/list", "prompts", ``, `{"name":"p"}`, `{"name":"b__p"}`)

	now = map[string]map[string]bool{"everything": {"": true}}
	w.client(`{"jsonrpc":"2.0","id":9,"method":"tools/list"}`)
	w.to = nil
	n = w.listed(n, "tools", `{"name":"t"}`, `{"name":"t"}`)
	w.want(`client {"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`, `client {"jsonrpc":"2.0","id":9,"result":{"tools":[{"name":"a__t"}]}}`)
	list("prompts/list", "prompts", `{"name":"p"}`, `{"name":"p"}`, `{"name":"a__p"}`)
	if got := fmt.Sprint(asked); got != "[tool greeting prompt resource template tool prompt tool prompt]" {
		t.Error(got)
	}
}

// TestWithheldWithoutHandshake: server/discover waits for the tools, too, also of
// a client that goes back to initialize meanwhile.
func TestWithheldWithoutHandshake(t *testing.T) {
	var asked []string
	now := map[string]map[string]bool{}
	for _, back := range []bool{false, true} {
		w := newWire(t, "old", "new")
		hidden := map[string]map[string]bool{"instructions": {"": true}}
		w.m.Withheld = withheld(&now, &asked)
		now = hidden
		w.client(modernAsk("1", "server/discover", ""))
		w.server(0, unknown(1))
		w.server(1, discoveredAs(2))
		w.server(0, initializedAs(3))
		w.to = nil
		if back {
			w.client(`{"jsonrpc":"2.0","id":2,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`)
			w.want()
		}
		w.server(1, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"t"}]}}`, own(5)))
		w.want()
		w.server(0, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"tools":[]}}`, own(4)))
		if got := strings.Join(w.to, "\n"); strings.Contains(got, "Modern.") || !strings.Contains(got, fmt.Sprintf(`"id":%d,"result"`, map[bool]int{false: 1, true: 2}[back])) {
			t.Errorf("back %v: %s", back, got)
		}
		if w.to = nil; back {
			continue
		}
		now = map[string]map[string]bool{}
		w.client(modernAsk("7", "server/discover", ""))
		w.match(`> Modern\.`)
	}
}
