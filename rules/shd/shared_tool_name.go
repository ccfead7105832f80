package shd

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed shared_tool_name.md
var sharedToolNamePage string

// SharedToolName tells which names two servers of one agent share.
var SharedToolName = rules.Rule{
	ID:         "shared-tool-name",
	Title:      "Two servers have tools of the same name",
	Severity:   rules.Info,
	Confidence: rules.Certain,
	CWE:        []int{694},
	Covers:     []string{"SHD-003"},
	Page:       sharedToolNamePage,
	Check:      checkSharedToolName,
}

func checkSharedToolName(pass *rules.Pass) {
	for _, a := range agents(pass) {
		first := map[string]owned{}
		type pair struct{ one, other *analyzers.Server }
		shared := map[pair][]owned{}
		var order []pair
		a.tools(func(o owned) {
			one, ok := first[o.tool.Name.Raw()]
			if !ok {
				first[o.tool.Name.Raw()] = o
				return
			}
			if one.server == o.server {
				return
			}
			p := pair{one.server, o.server}
			if shared[p] == nil {
				order = append(order, p)
			}
			shared[p] = append(shared[p], o)
		})
		for _, p := range order {
			names := []string{}
			for _, o := range shared[p][:min(len(shared[p]), 5)] {
				names = append(names, `"`+o.tool.Name.String()+`"`)
			}
			list := strings.Join(names, ", ")
			if len(shared[p]) > len(names) {
				list += ", ..."
			}
			f := shared[p][0].finding("servers %q and %q share %d tool names (%s), and clients differ in which they call. Let the client put the server's name in front.", p.one.Name, p.other.Name, len(shared[p]), list)
			f.Subject, f.Tool = p.one.Name.Raw(), ""
			pass.Report(f)
		}
	}
}
