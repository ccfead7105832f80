package mux

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// FuzzNames: an offered name leads to one server and one name, and back.
func FuzzNames(f *testing.F) {
	f.Add("a", "b__c", "a__b", "c")
	f.Add("a_", "b", "a", "_b")
	f.Add("A", "x", "a", "x")
	f.Add("sallyport", "x", "", "x")
	f.Add("a", strings.Repeat("n", 80), "a", strings.Repeat("n", 81))
	f.Add("a", "x_0123456789abcdef", "a b", "y")
	f.Add("名前", "é", "__", "")
	f.Fuzz(func(t *testing.T, server, name, other, second string) {
		if server == other {
			other += "2"
		}
		slugs := Slugs([]string{server, other})
		for _, s := range slugs {
			if s == "" || strings.Contains(s, separator) || strings.HasSuffix(s, "_") || len(s) > longestSlug+17 {
				t.Fatalf("%q", s)
			}
		}
		if strings.EqualFold(slugs[0], slugs[1]) {
			t.Fatalf("%q and %q are both %q", server, other, slugs[0])
		}
		x, y, z := Offer(slugs[0], name), Offer(slugs[1], second), Offer(slugs[0], second)
		if x == y || x == z && name != second {
			t.Fatalf("%q %q, %q %q: %q %q %q", server, name, other, second, x, y, z)
		}
		if len(x) > longestName {
			t.Fatalf("%q has %d bytes", x, len(x))
		}
		if slug, back, ok := split(x); ok && (slug != slugs[0] || back != name) {
			t.Fatalf("%q is split to %q %q", x, slug, back)
		}
	})
}

// FuzzMux: whatever both sides send, no request is answered twice, and each is
// answered once all servers have ended.
func FuzzMux(f *testing.F) {
	f.Add("c{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n0l\n1l\n")
	f.Add("c{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"b__t\"}}\n0l\n1l\n1{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n")
	f.Add("c{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/read\",\"params\":{\"uri\":\"u\"}}\n0l\nx\n")
	f.Add("0{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\nc{\"jsonrpc\":\"2.0\",\"id\":\"sallyport-mux-3\",\"result\":{}}\n")
	f.Add("c[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}]\n")
	f.Add("m\nc" + modernAsk("3", "tools/call", `,"name":"old__x"`) + "\n1{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\",\"params\":{}}\nc" + modernAsk("4", "tools/call", `,"name":"old__x","requestState":`+own(8)) + "\n1{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n")
	f.Add("m\nc" + modernAsk("3", "subscriptions/listen", `,"notifications":{"toolsListChanged":true,"resourceSubscriptions":["u"]}`) + "\n0l\n1l\n0l\n1l\n0l\n")
	f.Add("n\nc{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"new__x\"}}\n0{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{\"k\":{\"method\":\"roots/list\"}}}}\nc{\"jsonrpc\":\"2.0\",\"id\":\"sallyport-mux-7\",\"result\":{}}\n0{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n")
	f.Add("w\nc{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{}}\n0l\n1l\n1{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}\n0l\n1l\nc{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\nc{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"resources/list\"}\n0l\n1l\n")
	f.Add("w\nc{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"}\n0l\nx\n0l\nx\n1l\nc{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}\n0l\n1l\n")
	f.Fuzz(func(t *testing.T, script string) {
		var w *wire
		switch {
		case strings.HasPrefix(script, "m\n"): // a client of 2026-07-28
			w = mixed(t)
		case strings.HasPrefix(script, "w\n"): // something is withheld, and nobody greeted
			w = newWire(t, "a", "b")
			now, asked := map[string]map[string]bool{"tool": {"t": true}, "resource": {"u": true}}, []string(nil)
			w.m.Withheld = withheld(&now, &asked)
		case strings.HasPrefix(script, "n\n"): // a server of it
			w = greeted(t, "new", "old")
			w.m.servers[0].modern = true
			w.m.protocol = batching
		default:
			w = greeted(t, "a", "b")
			w.m.protocol = batching
		}
		asked, answered := map[string]int{}, map[string]int{}
		stays := map[string]bool{} // open, if nobody refuses it
		loose := false             // not every request has an answer
		scan := jsonrpc.NewScanner(jsonrpc.Options{})
		pending := [2][]string{} // ids of the mux's own requests
		count := func() {
			for _, frame := range w.v.ToServer {
				var m jsonrpc.Message
				if scan.Scan(frame.Bytes, &m) != nil {
					t.Fatalf("to a server: %q", frame.Bytes)
				}
				if id := string(m.ID.In(m.Bytes)); m.Kind == jsonrpc.Request && strings.HasPrefix(id, `"`+prefix) {
					pending[frame.Server] = append(pending[frame.Server], id)
				}
			}
			for _, frame := range w.v.ToClient {
				all := make([]jsonrpc.Message, 1)
				err := jsonrpc.NewScanner(jsonrpc.Options{LoneSurrogates: true}).Scan(frame, &all[0])
				if frame[0] == '[' {
					all, err = jsonrpc.NewScanner(jsonrpc.Options{LoneSurrogates: true}).ScanBatch(frame, nil)
				}
				if err != nil {
					t.Fatalf("to the client: %s: %s", err, frame)
				}
				for i := range all {
					if all[i].Kind == jsonrpc.Response && key(&all[i]) != "null" {
						answered[key(&all[i])]++
					}
				}
			}
		}
		for _, line := range strings.Split(script, "\n") {
			if line == "" {
				continue
			}
			switch rest := line[1:]; line[0] {
			case 'c':
				var m jsonrpc.Message
				all, err := []jsonrpc.Message{m}, scan.Scan([]byte(rest), &m)
				if all[0] = m; strings.HasPrefix(strings.TrimLeft(rest, " \t"), "[") {
					all, err = scan.ScanBatch([]byte(rest), nil)
				}
				loose = loose || err != nil
				for i := range all {
					if err == nil && all[i].Kind == jsonrpc.Request {
						stays[key(&all[i])] = stays[key(&all[i])] || all[i].Method == "subscriptions/listen"
						asked[key(&all[i])]++
					}
					loose = loose || all[i].Method == "notifications/cancelled"
				}
				w.m.FromClient([]byte(rest), &w.v, start)
			case '0', '1':
				i := int(line[0] - '0')
				if rest == "l" {
					if len(pending[i]) == 0 {
						continue
					}
					rest = fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"t"}],"resources":[{"uri":"u"}]}}`, pending[i][0])
					pending[i] = pending[i][1:]
				}
				w.m.FromServer(i, []byte(rest), &w.v, start)
			default:
				w.m.Expire(&w.v, start.Add(time.Minute))
			}
			count()
		}
		for i := range 2 {
			w.m.Lost(i, "ended", &w.v, start)
			count()
		}
		for id, n := range answered {
			if n > asked[id] && !loose {
				t.Errorf("%s was asked %d times and answered %d times", id, asked[id], n)
			}
		}
		for id, n := range asked {
			if answered[id] != n && !loose && !stays[id] {
				t.Errorf("%s was asked %d times and answered %d times", id, n, answered[id])
			}
		}
	})
}
