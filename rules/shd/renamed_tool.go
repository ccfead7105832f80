package shd

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/json"

	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed renamed_tool.md
var renamedToolPage string

// RenamedTool flags tools that are another tool under a new name.
var RenamedTool = rules.Rule{
	ID:         "renamed-tool",
	Title:      "Tool is another tool under a new name",
	Severity:   rules.Low,
	Confidence: rules.Firm,
	CWE:        []int{694},
	Covers:     []string{"SHD-007"},
	Page:       renamedToolPage,
	Check:      checkRenamedTool,
}

func checkRenamedTool(pass *rules.Pass) {
	if len(pass.Catalog.Servers) < 2 {
		return
	}
	// Two captures of one server, in different files.
	first := map[[sha256.Size]byte]owned{}
	names := map[string]map[string]bool{} // by server and file
	for _, s := range pass.Catalog.Servers {
		key := s.Name.Raw() + "\x00" + s.Span.Path()
		if len(s.Surface.Tools) > 0 && names[key] == nil {
			names[key] = map[string]bool{}
		}
		for _, t := range s.Surface.Tools {
			names[key][t.Name.Raw()] = true
		}
	}
	for _, s := range pass.Catalog.Servers {
		for _, t := range s.Surface.Tools {
			body, ok := bodyOf(t.Description.Raw(), t.InputSchema, s.Name.Raw())
			if !ok {
				continue
			}
			o := owned{s, t}
			old, ok := first[body]
			if !ok {
				first[body] = o
				continue
			}
			if old.tool.Name.Raw() == t.Name.Raw() || old.server == s {
				continue
			}
			// Gone there and new here: not an alias that both captures list.
			here, there := names[s.Name.Raw()+"\x00"+s.Span.Path()], names[old.server.Name.Raw()+"\x00"+old.server.Span.Path()]
			if here[old.tool.Name.Raw()] || there[t.Name.Raw()] || s.Span.Path() == old.server.Span.Path() {
				continue
			}
			f := o.finding("tool %q of server %q is tool %q of its capture in %s, word by word: what was decided about one name does not hold for the other. Review it as a new tool.", t.Name, s.Name, old.tool.Name, pathOf(old))
			related(&f, old, "the same tool under its other name")
			pass.Report(f)
		}
	}
	for _, a := range agents(pass) {
		same := map[[sha256.Size]byte]owned{}
		a.tools(func(o owned) {
			body, ok := bodyOf(o.tool.Description.Raw(), o.tool.InputSchema, "")
			if !ok {
				return
			}
			old, ok := same[body]
			if !ok {
				same[body] = o
				return
			}
			if old.server == o.server || old.tool.Name.Raw() == o.tool.Name.Raw() || oneAndTheSame(old.server, o.server) {
				return
			}
			f := o.finding("tool %q of server %q is tool %q of server %q under another name, word by word. Find out which server it belongs to, and remove the other.", o.tool.Name, o.server.Name, old.tool.Name, old.server.Name)
			related(&f, old, "the same tool under its other name")
			pass.Report(f)
		})
	}
}

// shortestBody is the length of the shortest description that two tools do not
// share by chance.
const shortestBody = 40

// bodyOf is a fingerprint of what a tool says and takes, without its name;
// among tools of the servers with one name.
func bodyOf(description string, schema json.RawMessage, server string) (sum [sha256.Size]byte, ok bool) {
	if len(description) < shortestBody {
		return sum, false
	}
	var b bytes.Buffer
	b.WriteString(server + "\x00" + description + "\x00")
	if json.Compact(&b, schema) != nil {
		b.Write(schema)
	}
	return sha256.Sum256(b.Bytes()), true
}

func pathOf(o owned) string {
	if p := o.server.Span.Path(); p != "" {
		return p
	}
	return "another capture"
}
