package pkg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/said"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

//go:embed lookalike_in_text.md
var lookalikeInTextPage string

// LookalikeInText flags scoped packages that a text names and whose name is a
// step away from a well-known one: an agent installs what it reads.
var LookalikeInText = rules.Rule{
	ID:         "lookalike-package-in-text",
	Title:      "Text names a package that imitates a well-known one",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{1007, 506},
	Covers:     []string{"UNI-005", "PKG-005"},
	Page:       lookalikeInTextPage,
	Messages:   true,
	Look:       &rules.Look{Clear: func(views []text.View, _ bool) bool { return strings.IndexByte(views[0].Text, '@') < 0 }},
	Check:      checkLookalikeInText,
}

// mostNames bounds the names of one text that are looked at.
const mostNames = 500

func checkLookalikeInText(pass *rules.Pass) {
	answers := map[string]string{}
	said.Each(pass.Catalog, func(t said.Text) {
		text := t.Head()
		for i, n := 0, 0; n < mostNames; n++ {
			at := strings.IndexByte(text[i:], '@')
			if at < 0 {
				return
			}
			start := i + at
			name := scoped(text[start:])
			if i = start + max(len(name), 1); name == "" {
				continue
			}
			lower := strings.ToLower(name)
			model, ok := answers[lower]
			if !ok {
				model, _ = imitated("npm", lower)
				answers[lower] = model
			}
			if model == "" {
				continue
			}
			f := t.Finding(start, start+len(name), "%s names the package %q, which is spelt almost like %q: an agent installs what it reads. Write the name that is meant.",
				t.Where(), analyzers.Untrusted(name), analyzers.Untrusted(model))
			f.Subject = lower
			pass.Report(f)
		}
	})
}

// scoped is the name of a scoped npm package with which s begins, "" if it does
// not begin with one.
func scoped(s string) string {
	slash, i := 0, 1
	for ; i < len(s) && i < longestScoped; i++ {
		if s[i] == '/' && slash == 0 && i > 1 {
			slash = i
		} else if !nameByte(s[i]) {
			break
		}
	}
	name := strings.TrimRight(s[:min(i, len(s))], "-_.")
	if slash == 0 || len(name) <= slash+1 {
		return ""
	}
	return name
}

// longestScoped is the length of the longest name that npm takes.
const longestScoped = 214

func nameByte(b byte) bool {
	return b|0x20 >= 'a' && b|0x20 <= 'z' || b >= '0' && b <= '9' || b == '-' || b == '_' || b == '.'
}
