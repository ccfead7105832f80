package runtime_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules/catalog"
	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

const today = "2026-11-22"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const lookUp = `{"name":"look_up","description":"Returns the entry of a word in the dictionary of the harbour.","inputSchema":{"type":"object","properties":{"word":{"type":"string","description":"The word"},"language":{"type":"string","enum":["en","de"]}},"required":["word"],"additionalProperties":false}}`

// surfaceOf reads a capture.
func surfaceOf(t testing.TB, content string) *analyzers.Surface {
	t.Helper()
	var c analyzers.Catalog
	if err := capture.Analyzer().Analyze(analyzers.File{Source: &analyzers.Source{Path: "capture.json", Bytes: []byte(content)}}, &c); err != nil {
		t.Fatal(err)
	}
	return &c.Servers[0].Surface
}

// policyOf is a registry in which the server has a status.
func policyOf(t testing.TB, status string) *policy.Set {
	t.Helper()
	yaml := "apiVersion: sallyport/v1\nkind: Registry\nname: test\nservers:\n  - id: harbour\n    status: " + status + "\n    match: {argv: [harbour]}\n    evidence: {approvedBy: a, approvedAt: \"2026-01-01\", reason: r}\n"
	reg, _, err := registry.Load(&analyzers.Source{Path: "registry.yaml", Bytes: []byte(yaml)}, today)
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := policy.Compile(reg)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// config is an approved server; surface is what its manifest holds, "" for none.
func config(t testing.TB, surface string) runtime.Config {
	t.Helper()
	c := runtime.Config{Policy: policyOf(t, "approved"), Identity: registry.Command([]string{"harbour"}), User: "tester", Mode: runtime.Enforce, Rules: catalog.All}
	if surface != "" {
		m, err := manifest.New(manifest.Options{Server: manifest.Server{Name: "harbour"}, Surface: surfaceOf(t, surface), Serial: 1, Issued: "2026-01-01T00:00:00Z", Expires: "2036-01-01T00:00:00Z"})
		if err != nil {
			t.Fatal(err)
		}
		c.Manifest = m
	}
	return c
}

// begin is a session after the handshake and the list of tools.
func begin(t testing.TB, c runtime.Config, tools string) *runtime.Session {
	t.Helper()
	s := runtime.NewSession(runtime.NewGuard(c), audit.Server{Name: "harbour"}, audit.Who{User: "tester"})
	if _, no := s.Start(noon); no != nil {
		t.Fatal(no)
	}
	var v runtime.Verdict
	client := func(frame string) { s.FromClient([]byte(frame), &v, noon) }
	server := func(frame string) { s.FromServer([]byte(frame), &v, noon) }
	client(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	server(`{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"t","version":"1"}}}`)
	client(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	client(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	server(`{"jsonrpc":"2.0","id":1,"result":{"tools":[` + tools + `]}}`)
	return s
}

// BenchmarkCall is what one call costs without the transport and the audit log:
// the request and its answer.
func BenchmarkCall(b *testing.B) {
	for _, size := range []int{60, 10 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := begin(b, config(b, `{"serverInfo":{"name":"harbour"},"tools":[`+lookUp+`]}`), lookUp)
			text := strings.Repeat("The harbour opens at six and the ferry leaves at half past, in any weather. ", size/76+1)[:size]
			var request, answer []byte
			var v runtime.Verdict
			id := 10
			b.ReportAllocs()
			for b.Loop() {
				id++
				request = fmt.Appendf(request[:0], `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"look_up","arguments":{"word":"ferry","language":"en"}}}`, id)
				answer = fmt.Appendf(answer[:0], `{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"%s"}]}}`, id, text)
				if s.FromClient(request, &v, noon); len(v.ToServer) != 1 {
					b.Fatalf("%+v", v.Records)
				}
				if s.FromServer(answer, &v, noon); len(v.ToClient) != 1 || len(v.ToClient[0]) != len(answer) {
					b.Fatalf("%+v", v.Records)
				}
			}
		})
	}
}

// BenchmarkCallCold is BenchmarkCall as a shim has it: it waits before the
// request and before the answer, and on most machines finds the core's caches
// cold. cold-ns/op is the time of the two without the waits, the median.
func BenchmarkCallCold(b *testing.B) {
	s := begin(b, config(b, `{"serverInfo":{"name":"harbour"},"tools":[`+lookUp+`]}`), lookUp)
	var v runtime.Verdict
	id := 10
	var all []time.Duration
	for b.Loop() {
		id++
		spent := time.Duration(0)
		request := fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"look_up","arguments":{"word":"ferry","language":"en"}}}`, id)
		answer := fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"The harbour opens at six and the ferry leaves at half past"}]}}`, id)
		for _, frame := range [][]byte{request, answer} {
			time.Sleep(100 * time.Microsecond)
			start := time.Now()
			if len(v.ToServer) == 0 {
				s.FromClient(frame, &v, noon)
			} else {
				s.FromServer(frame, &v, noon)
			}
			spent += time.Since(start)
		}
		if len(v.ToClient) != 1 {
			b.Fatalf("%+v", v.Records)
		}
		all = append(all, spent)
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds()), "cold-ns/op")
}
