package shd

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/confusable"
)

//go:embed confusable_tool_name.md
var confusableToolNamePage string

// ConfusableToolName flags names that are drawn like another tool's.
var ConfusableToolName = rules.Rule{
	ID:         "confusable-tool-name",
	Title:      "Tool's name is drawn like the name of another tool",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{1007},
	Covers:     []string{"SHD-004"},
	Page:       confusableToolNamePage,
	Beside:     true,
	Check:      checkConfusableToolName,
}

func checkConfusableToolName(pass *rules.Pass) {
	for _, a := range agents(pass) {
		confusableAmong(pass, a)
	}
	for _, s := range pass.Catalog.Servers {
		if len(s.Surface.Tools) > 1 {
			confusableAmong(pass, &agent{[]*analyzers.Server{s}})
		}
	}
}

// confusableAmong compares the tools of different servers or, where there is
// one server alone, all of its tools.
func confusableAmong(pass *rules.Pass, a *agent) {
	alone := len(a.servers) == 1
	first := map[string]owned{}
	a.tools(func(o owned) {
		name := o.tool.Name.Raw()
		if len(name) < 3 || len(name) > longestName {
			return
		}
		key := confusable.Drawn(name)
		other, ok := first[key]
		if !ok {
			first[key] = o
			return
		}
		if (other.server == o.server) != alone || strings.EqualFold(other.tool.Name.Raw(), name) {
			return
		}
		f := o.finding("tool %q of server %q is drawn like tool %q of server %q and is another one (%s). Rename it.", o.tool.Name, o.server.Name, other.tool.Name, other.server.Name, difference(name, other.tool.Name.Raw()))
		if ascii(name) != ascii(other.tool.Name.Raw()) {
			f.Severity = rules.High
		}
		related(&f, other, "the tool that it looks like")
		pass.Report(f)
	})
}

// difference names the first letters that differ.
func difference(a, b string) string {
	x, y := []rune(a), []rune(b)
	i := 0
	for i < len(x) && i < len(y) && x[i] == y[i] {
		i++
	}
	one, other := "the end", "the end"
	if i < len(x) {
		one = analyzers.Untrusted(string(x[i])).String() + " " + code(x[i])
	}
	if i < len(y) {
		other = analyzers.Untrusted(string(y[i])).String() + " " + code(y[i])
	}
	return one + " against " + other
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
