package cfg

import (
	_ "embed"
	"path"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed duplicate_server.md
var duplicateServerPage string

// DuplicateServer flags one name that means two servers.
var DuplicateServer = rules.Rule{
	ID:         "duplicate-server",
	Title:      "One server name has two definitions",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{436, 694},
	Covers:     []string{"CFG-024"},
	Page:       duplicateServerPage,
	Check:      checkDuplicateServer,
}

func checkDuplicateServer(pass *rules.Pass) {
	type place struct{ project, name string }
	seen := map[place]*analyzers.Server{}
	repeated := map[analyzers.Span]bool{} // keys of which duplicate-key speaks
	for _, client := range pass.Catalog.Clients {
		for _, r := range client.Repeats {
			repeated[r.Key.Span] = true
		}
	}
	for _, s := range pass.Catalog.Servers {
		if s.Client == nil || s.Name.Raw() == "" || s.Disabled || s.Exposure == analyzers.Docs {
			continue // the blocks of a manual are alternatives
		}
		file := place{s.Span.Path(), s.Name.Raw()}
		if first := seen[file]; first != nil {
			if definition(first) != definition(s) && !repeated[s.Name.Span] {
				report(pass, s, first, rules.Medium, "server %q is defined twice in this file, differently, and clients differ in which they take. Keep one definition.")
			}
			continue
		}
		seen[file] = s
		across := place{"/" + project(s.Span.Path()), s.Name.Raw()}
		if first := seen[across]; first == nil {
			seen[across] = s
		} else if started(first) != started(s) {
			report(pass, s, first, rules.Low, "server %q starts something else here than in another client's file beside it. Make both the same, or give them two names.")
		}
	}
}

func report(pass *rules.Pass, s, first *analyzers.Server, level rules.Severity, text string) {
	f := rules.OnServer(s, s.KeySpan, s.Name.Raw(), text, s.Name)
	f.Severity = level
	f.Related = []rules.Related{{Message: "the other definition", Span: first.KeySpan}}
	pass.Report(f)
}

// project is the directory to which a client's file belongs: that above
// .vscode, .cursor/rules and the like.
func project(file string) string {
	dir := path.Dir(file)
	for parts := strings.Split(dir, "/"); len(parts) > 0; parts = parts[:len(parts)-1] {
		if last := parts[len(parts)-1]; strings.HasPrefix(last, ".") && last != "." && last != ".." {
			return strings.Join(parts[:len(parts)-1], "/")
		}
	}
	if dir == "." {
		return ""
	}
	return dir
}

// definition is all that decides what runs.
func definition(s *analyzers.Server) string {
	var b strings.Builder
	b.WriteString(s.URL.Raw())
	if s.Launch != nil {
		for _, w := range s.Launch.Argv {
			b.WriteString("\x00" + w.Raw())
		}
	}
	return b.String()
}

// started is what runs, without versions and arguments, in which clients'
// files may differ.
func started(s *analyzers.Server) string {
	var out []string
	for _, p := range s.Packages {
		out = append(out, p.Ecosystem+" "+p.Name)
	}
	for _, image := range s.Images {
		out = append(out, image.Repository)
	}
	for _, r := range s.Remotes {
		if host, ok := outside(r.Raw()); ok {
			out = append(out, host)
		}
	}
	if s.Launch != nil && len(out) == 0 {
		out = append(out, s.Launch.Program, path.Base(strings.ReplaceAll(s.Launch.Script.Raw(), `\`, "/")))
	}
	return strings.Join(out, "\x00")
}
