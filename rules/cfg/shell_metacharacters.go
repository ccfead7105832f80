package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed shell_metacharacters.md
var shellMetacharactersPage string

// ShellMetacharacters flags arguments that are a command line to a shell, where no shell was asked for.
var ShellMetacharacters = rules.Rule{
	ID:         "shell-metacharacters",
	Title:      "Argument holds shell operators",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{88, 78},
	Covers:     []string{"CFG-003"},
	Page:       shellMetacharactersPage,
	Check:      checkShellMetacharacters,
}

// operators finds an operator with a command behind it, or a substitution.
// "a|b" and "k=v;k=v" are lists; ${NAME} is a client's placeholder.
var operators = pattern.New("(?:&&|\\|\\|)\\s*[A-Za-z_./~][\\w./-]*|(?:\\s[|;]\\s*|[|;]\\s+)[A-Za-z_./~][\\w./-]*|;[a-z_./~][\\w./-]*(?:\\s|$|[;|&])|\\$\\([a-zA-Z/][^()]{0,200}\\)?|`[a-zA-Z/][^`]{0,200}`")

var harmless = pattern.New("^(?:\\$\\(|`)(?:pwd|id|id -[ug]|whoami|hostname|date|git rev-parse [\\w-]+)(?:\\)|`)[^$`;|&]*$")

func checkShellMetacharacters(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		if s.Launch == nil || s.Launch.Shell {
			continue // where a shell reads the line, operators are its language
		}
		for i, arg := range s.Launch.Argv {
			at := operator(arg, s.Launch.Inline)
			if at == nil || i > 0 && takesText(s.Launch.Argv[i-1].Raw()) {
				continue
			}
			f := rules.OnServer(s, arg.At(at[0], at[1]), "argument",
				"server %q has an argument that is a command line to any shell on the way, such as the one that starts npx.cmd on Windows. Pass the value without operators, or put it into a file.", s.Name)
			if harmless.MatchString(arg.Raw()[at[0]:]) {
				f.Severity = rules.Low // it only shows that the author expected a shell
			}
			pass.Report(f)
			break
		}
	}
}

// takesText reports whether an option's value is prose, a query or an
// expression, in which operators mean something else.
func takesText(option string) bool {
	for _, w := range words(option) {
		switch w {
		case "c", "lc", "command": // a shell's own line, inside a container
			return true
		case "description", "prompt", "instructions", "query", "sql", "regex", "pattern", "filter", "exclude", "include", "header", "headers", "message", "expression", "match", "stdio":
			return true
		}
	}
	return false
}

func operator(arg, code analyzers.Text) []int {
	text := arg.Raw()
	if len(text) > 1<<16 || arg.Span == code.Span || !strings.ContainsAny(text, "&|;$`") {
		return nil
	}
	if strings.Contains(text, "://") && !strings.ContainsAny(text, " `") || strings.HasPrefix(strings.TrimSpace(text), "{") {
		return nil // a URL's query or a JSON value
	}
	return operators.FindStringIndex(text)
}
