package catalog_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/catalog"
)

const parcels = "Finds the parcels of a customer by number, name or place and returns their last known position, newest first. At most 50 are returned; use page to see more."

// surface is a server of n tools with a description and a schema.
func surface(b *testing.B, n int, description string) *analyzers.Catalog {
	type object map[string]any
	server := &analyzers.Server{}
	for i := range n {
		definition, err := json.Marshal(object{"name": "find_parcels" + strings.Repeat("_more", i%9), "description": description, "inputSchema": object{
			"type": "object", "required": []string{"customer"}, "additionalProperties": false, "properties": object{
				"customer": object{"type": "string", "description": "Number or name", "maxLength": 80},
				"page":     object{"type": "integer", "minimum": 1, "maximum": 100}}}})
		if err != nil {
			b.Fatal(err)
		}
		src := &analyzers.Source{Path: "tools.json", Bytes: definition}
		root, err := tree.Parse(src, tree.JSON)
		if err != nil {
			b.Fatal(err)
		}
		item, _ := capture.NewItem("tool", analyzers.Captured, root)
		server.KeySpan = src.Span(0, 1)
		server.Surface.Tools = append(server.Surface.Tools, capture.NewTool(item, root))
	}
	return &analyzers.Catalog{Servers: []*analyzers.Server{server}}
}

func benchmarkRules(b *testing.B, tools int, description string) {
	c := surface(b, tools, description)
	all := catalog.All()
	b.SetBytes(int64(len(description) * tools))
	b.ReportAllocs()
	for b.Loop() {
		if found := rules.Check(c, all); rules.Worst(found) >= rules.Low {
			b.Fatal(found[0].Message)
		}
	}
}

func BenchmarkDescription(b *testing.B)     { benchmarkRules(b, 1, parcels) }
func BenchmarkDescriptions100(b *testing.B) { benchmarkRules(b, 100, parcels) }
func BenchmarkClean10KB(b *testing.B) {
	benchmarkRules(b, 1, strings.Repeat(parcels+"\n", 10<<10/len(parcels)))
}

// BenchmarkPages is what a server's results cost that are Markdown about attacks:
// the pages of all rules, each a result of its own.
func BenchmarkPages(b *testing.B) {
	var pages []*analyzers.Catalog
	var said []*rules.Rule
	size := 0
	for _, r := range catalog.All() {
		size += len(r.Page)
		pages = append(pages, &analyzers.Catalog{Documents: []*analyzers.Document{{Kind: "tool-result", Exposure: analyzers.Active,
			Fields: []analyzers.Field{{Path: "result", Text: analyzers.Text{Value: analyzers.Untrusted(r.Page)}}}}}})
		if r.Messages {
			said = append(said, r)
		}
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, page := range pages {
			rules.Check(page, said)
		}
	}
}
