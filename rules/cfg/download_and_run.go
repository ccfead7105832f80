package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/cfg/inline"
)

//go:embed download_and_run.md
var downloadAndRunPage string

// DownloadAndRun flags command lines that fetch a program and run it at once.
var DownloadAndRun = rules.Rule{
	ID:         "download-and-run",
	Title:      "Command downloads code and runs it",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{494, 829},
	Covers:     []string{"CFG-002"},
	Page:       downloadAndRunPage,
	Check:      checkDownloadAndRun,
}

func checkDownloadAndRun(pass *rules.Pass) {
	const advice = "Install a pinned version beforehand and start that."
	lines(pass.Catalog, func(l line) {
		code := l.code()
		if p, ok := first(inline.Code(code.Raw()), inline.RunsDownload); ok {
			pass.Report(l.finding(code.At(p.Start, p.End), "command", "%s downloads code and runs it unseen. "+advice))
			return
		}
		for _, arg := range l.launch.Argv {
			if p, ok := first(inline.Shell(arg.Raw()), inline.RunsDownload); ok {
				pass.Report(l.finding(arg.At(p.Start, p.End), "argument", "%s is given a command line that downloads code and runs it. "+advice))
				return
			}
		}
	})
	for _, s := range pass.Catalog.Servers {
		for _, v := range s.Env {
			for _, text := range [...]analyzers.Text{v.Name, v.Value} {
				if p, ok := first(inline.Shell(text.Raw()), inline.RunsDownload); ok {
					f := rules.OnServer(s, text.At(p.Start, p.End), v.Name.String(),
						"server %q is given a command in its variable %q that downloads code and runs it. "+advice, s.Name, v.Name)
					f.Confidence = rules.Likely
					pass.Report(f)
				}
			}
		}
	}
	settings(pass.Catalog, func(client *analyzers.Client, server *analyzers.Server, s analyzers.Setting) {
		if !namesCommand(s.Path) {
			return
		}
		if p, ok := first(inline.Shell(s.Value.Raw()), inline.RunsDownload); ok {
			f := on(client, server, s.Value.At(p.Start, p.End), s.Path, "setting %q holds a command that downloads code and runs it. "+advice, analyzers.Untrusted(s.Path))
			f.Confidence = rules.Likely
			pass.Report(f)
		}
	})
}

// namesCommand reports whether a setting's name says that it is run: prose
// about an installation is not.
func namesCommand(path string) bool {
	for _, w := range words(path[strings.LastIndexByte(path, '.')+1:]) {
		switch w {
		case "command", "cmd", "script", "hook", "exec", "execute", "run", "helper", "install", "postinstall", "preinstall", "setup", "startup", "init", "refresh", "export", "cron", "alias":
			return true
		}
	}
	return false
}

func first(places []inline.Place, act inline.Act) (inline.Place, bool) {
	for _, p := range places {
		if p.Act == act {
			return p, true
		}
	}
	return inline.Place{}, false
}
