package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/rules"

	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

//go:embed broad_filesystem_access.md
var broadFilesystemAccessPage string

// BroadFilesystemAccess flags servers that are given a whole disk or home directory.
var BroadFilesystemAccess = rules.Rule{
	ID:         "broad-filesystem-access",
	Title:      "Server is given a whole disk or home directory",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{732},
	Covers:     []string{"CFG-015"},
	Page:       broadFilesystemAccessPage,
	Check:      checkBroadFilesystemAccess,
}

var (
	wholeDisk  = pattern.New(`^(?:/|[A-Za-z]:[\\/]?|\\\\|/(?:etc|var|root|home|Users|mnt|Volumes|opt|usr)/?|/mnt/[a-z]/?|file:///)$`)
	wholeHome  = pattern.New(`^(?:~|\$HOME|\$\{HOME\}|\$\{env:HOME\}|\$\{userHome\}|%USERPROFILE%|\$env:USERPROFILE|(?:/home|/Users|[A-Za-z]:[\\/]Users)[\\/][^\\/<>{}\s]+)[\\/]?$`)
	rootOption = pattern.Words("root roots dir dirs directory directories folder folders filesystem fs workspace allow allowed read write home")
	webOption  = pattern.Words("url http endpoint route prefix uri web api mcp sse")
)

func checkBroadFilesystemAccess(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		if s.Launch == nil {
			continue
		}
		args, contained := own(s.Launch)
		if contained || s.Launch.Shell && !s.Launch.Inline.IsZero() {
			continue
		}
		for i := range args {
			value := args[i]
			if name, v, ok := option(args, i); ok {
				if !namesRoot(name) || !strings.Contains(args[i].Raw(), "=") {
					continue
				}
				value = v
			} else if i > 0 {
				if name, _, ok := option(args, i-1); ok && !strings.Contains(name, "=") && !namesRoot(name) && len(name) > 2 {
					continue // the value of some other option
				}
			}
			what := ""
			switch path := value.Raw(); {
			case len(path) > 256:
			case wholeDisk.MatchString(path):
				what = "a whole disk or system directory"
			case wholeHome.MatchString(path) && !placeholderUser(path):
				what = "a whole home directory"
			}
			if what == "" {
				continue
			}
			pass.Report(rules.OnServer(s, value.Span, value.Raw(), "server %q is given %q, %s, with every key and configuration in it. Name the directories that it works with.", s.Name, value, what))
		}
	}
}

func namesRoot(option string) bool {
	found := false
	for _, w := range words(option) {
		if webOption.Has(w) {
			return false
		}
		found = found || rootOption.Has(w)
	}
	return found
}

// placeholderUser reports whether the path still waits for a person's name.
func placeholderUser(path string) bool {
	lower := strings.ToLower(path)
	for _, word := range [...]string{"your", "username", "path", "xxx", "[", "*"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}
