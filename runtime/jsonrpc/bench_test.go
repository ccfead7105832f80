package jsonrpc_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

func samples() []struct{ name, text string } {
	var lines, tools []string
	for i := range 60 {
		lines = append(lines, fmt.Sprintf(`{"type":"text","text":"line %d: the quick brown fox jumps over the lazy dog\nand \"more\" of it, with some unicode é and a longer run of plain text"}`, i))
	}
	for i := range 200 {
		tools = append(tools, fmt.Sprintf(`{"name":"tool_%d","title":"Tool %d","description":"Reads the file at the path and returns the lines between first and last, numbered.","inputSchema":{"type":"object","properties":{"path":{"type":"string","description":"Where the file is"},"first":{"type":"integer"},"last":{"type":"integer"}},"required":["path"]},"annotations":{"readOnlyHint":true}}`, i, i))
	}
	return []struct{ name, text string }{
		{"call-300", `{"jsonrpc":"2.0","id":42,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"/home/user/project/src/main.go","limit":200,"encoding":"utf-8"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"client","version":"1.0"}}}}`},
		{"result-10k", `{"jsonrpc":"2.0","id":42,"result":{"content":[` + strings.Join(lines, ",") + `],"isError":false}}`},
		{"list-200", `{"jsonrpc":"2.0","id":42,"result":{"tools":[` + strings.Join(tools, ",") + `]}}`},
	}
}

func TestNoAllocation(t *testing.T) {
	s := jsonrpc.NewScanner(jsonrpc.Options{})
	var m jsonrpc.Message
	for _, c := range samples() {
		b := []byte(c.text)
		if err := s.Scan(b, &m); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(20, func() { _ = s.Scan(b, &m) }); n != 0 {
			t.Errorf("%s: %.0f allocations", c.name, n)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	s := jsonrpc.NewScanner(jsonrpc.Options{})
	var m jsonrpc.Message
	for _, c := range samples() {
		b.Run(c.name, func(b *testing.B) {
			text := []byte(c.text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Scan(text, &m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPeer is jsontext's check of the same bytes: grammar, UTF-8 and
// exact duplicates, without saying where anything is.
func BenchmarkPeer(b *testing.B) {
	for _, c := range samples() {
		b.Run(c.name, func(b *testing.B) {
			text := jsontext.Value(c.text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if !text.IsValid() {
					b.Fatal("not valid")
				}
			}
		})
	}
}

func BenchmarkTexts(b *testing.B) {
	for _, c := range samples()[1:] {
		b.Run(c.name, func(b *testing.B) {
			m := scanned(b, c.text)
			b.SetBytes(int64(len(m.Bytes)))
			b.ReportAllocs()
			for b.Loop() {
				for range jsonrpc.Texts(&analyzers.Source{Bytes: m.Bytes}, m.Result) {
				}
			}
		})
	}
}

func BenchmarkRemove(b *testing.B) {
	m := scanned(b, samples()[2].text)
	b.SetBytes(int64(len(m.Bytes)))
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		out, _ = jsonrpc.Remove(out[:0], m.Bytes, m.Find(m.Result, "tools"), func(i int, tool jsonrpc.Range) bool {
			return i%2 == 0 && !m.Find(tool, "name").IsZero()
		})
	}
}

func BenchmarkFramer(b *testing.B) {
	text := samples()[0].text + "\n"
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	f := jsonrpc.NewFramer(&repeated{text: text}, 0)
	for b.Loop() {
		if _, err := f.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

// repeated is one text without end.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}
