package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed ambiguous_command_line.md
var ambiguousCommandLinePage string

// AmbiguousCommandLine flags command lines that clients read in different ways.
var AmbiguousCommandLine = rules.Rule{
	ID:         "ambiguous-command-line",
	Title:      "Command line can be read in more than one way",
	Severity:   rules.Low,
	Confidence: rules.Firm,
	CWE:        []int{88, 436},
	Covers:     []string{"CFG-031"},
	Page:       ambiguousCommandLinePage,
	Check:      checkAmbiguousCommandLine,
}

func checkAmbiguousCommandLine(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		if s.Launch == nil {
			continue
		}
		command := s.Command.Raw()
		switch {
		case len(command) < 4096 && wholeLine(command):
			pass.Report(rules.OnServer(s, s.Command.Span, "command", "server %q has a whole command line as its command: some clients split it, others look for a program of that name. Put each word into args.", s.Name))
		case joined(s) >= 0:
			arg := s.Args[joined(s)]
			name, _, _ := strings.Cut(arg.Raw(), " ")
			pass.Report(rules.OnServer(s, arg.Span, "argument", "server %q has an option and its value, %q, in one argument: most programs do not split it. Make two arguments of it.", s.Name, analyzers.Untrusted(name)))
		case s.Launch.Ambiguous != "" && !s.Launch.Shell:
			f := rules.OnServer(s, s.Launch.Argv[0].Span, "reading", "what server %q starts could not be read for certain: %s. Look at the line by hand.", s.Name, analyzers.Untrusted(secret.Mask(s.Launch.Ambiguous)))
			f.Severity = rules.Info
			pass.Report(f)
		}
	}
}

// wholeLine reports whether a command is more than the path of one program, which
// may hold spaces: "C:\Program Files\nodejs\node.exe".
func wholeLine(command string) bool {
	program, rest, more := strings.Cut(strings.TrimSpace(command), " ")
	if !more || strings.HasPrefix(program, `"`) && strings.Count(command, `"`) == 2 && strings.HasSuffix(command, `"`) {
		return false
	}
	return !strings.ContainsAny(program, `/\`) || strings.Contains(rest, " -") || strings.HasPrefix(rest, "-")
}

// joined is the index of an argument such as "-y name" or "--port 80".
func joined(s *analyzers.Server) int {
	if s.Launch.Shell {
		return -1
	}
	for i, arg := range s.Args {
		word, rest, more := strings.Cut(arg.Raw()[:min(len(arg.Raw()), 512)], " ")
		if !more || rest == "" || strings.HasPrefix(rest, " ") || len(word) < 2 || word[0] != '-' || strings.ContainsAny(word, `=:"'`+"`") || arg.Span == s.Launch.Inline.Span {
			continue
		}
		if strings.Trim(word[1:], "-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" && word != "--" && word != "-" {
			return i
		}
	}
	return -1
}
