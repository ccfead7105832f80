package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/launch"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/cfg/inline"
)

//go:embed network_tool_as_server.md
var networkToolAsServerPage string

// NetworkToolAsServer flags raw connections where a server was expected.
var NetworkToolAsServer = rules.Rule{
	ID:         "network-tool-as-server",
	Title:      "Server is a raw network tool",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{829},
	Covers:     []string{"CFG-006"},
	Page:       networkToolAsServerPage,
	Check:      checkNetworkToolAsServer,
}

const tiesShell = "%s ties a shell to a network connection: whoever is at the other end commands this machine. Remove it, and look for what has used it."

var networkTools = pattern.Words("curl wget nc ncat netcat socat telnet cryptcat openssl websocat")

func checkNetworkToolAsServer(pass *rules.Pass) {
	lines(pass.Catalog, func(l line) {
		if l.ofProject() {
			return // project-hook's
		}
		if code := l.code(); !code.IsZero() {
			if p, ok := first(inline.Code(code.Raw()), inline.OpensShell); ok {
				f := l.finding(code.At(p.Start, p.End), "shell", tiesShell)
				f.Severity = rules.Critical
				pass.Report(f)
				return
			}
		}
		if l.server == nil || !networkTools.Has(l.launch.Program) {
			return
		}
		if code := l.launch.Inline; !code.IsZero() {
			if _, one := launch.Split(code); !one {
				return // one step of a line: shell-wrapper's
			}
		}
		words := make([]string, 0, len(l.launch.Inner))
		size, local := 0, false
		for _, w := range l.launch.Inner {
			if size += len(w.Raw()); size > 1<<16 {
				break
			}
			words = append(words, w.Raw())
			local = local || namesLoopback(w.Raw())
		}
		f := l.finding(l.launch.Inner[0].Span, l.launch.Program, "%s is no program of its own: %q passes on whatever the other side sends. Name the server as a URL, or start its program.", analyzers.Untrusted(l.launch.Program))
		switch {
		case inline.Has(inline.Shell(strings.Join(words, " ")), inline.OpensShell):
			f = l.finding(f.Span, "shell", tiesShell)
			f.Severity = rules.Critical
		case local:
			f.Severity = rules.Low
		}
		pass.Report(f)
	})
}

func namesLoopback(word string) bool {
	if len(word) > 512 {
		return false
	}
	for _, mark := range [...]string{"localhost", "127.0.0.1", "[::1]", "host.docker.internal"} {
		if strings.Contains(word, mark) {
			return true
		}
	}
	upper := strings.ToUpper(word)
	return strings.HasPrefix(upper, "UNIX") || strings.HasPrefix(upper, "ABSTRACT") || word == "-U"
}
