package pkg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/confusable"
)

//go:embed lookalike_package.md
var lookalikePackagePage string

// LookalikePackage flags packages whose name is a step away from a well-known
// one.
var LookalikePackage = rules.Rule{
	ID:         "lookalike-package",
	Title:      "Package name imitates a well-known one",
	Severity:   rules.High,
	Confidence: rules.Likely,
	CWE:        []int{1007, 506},
	Covers:     []string{"PKG-005", "UNI-005", "REG-004"},
	Page:       lookalikePackagePage,
	Check:      checkLookalikePackage,
}

func checkLookalikePackage(pass *rules.Pass) {
	type answer struct{ model, how string }
	answers := map[string]answer{} // many servers start the same package
	for _, s := range pass.Catalog.Servers {
		for _, p := range s.Packages {
			if p.Ecosystem != "npm" && p.Ecosystem != "pypi" || p.Source != "" && p.Source != "registry" {
				continue
			}
			name := strings.ToLower(p.Name)
			a, ok := answers[p.Ecosystem+" "+name]
			if !ok {
				a.model, a.how = imitated(p.Ecosystem, name)
				answers[p.Ecosystem+" "+name] = a
			}
			model, how := a.model, a.how
			switch vendor := borrowed(name); {
			case model != "":
				pass.Report(rules.OnServer(s, p.Spec.Span, p.PURL,
					"server %q starts %q, whose name is that of %q with %s. Write the name that you meant.",
					s.Name, analyzers.Untrusted(p.Name), analyzers.Untrusted(model), how))
			case vendor != "":
				f := rules.OnServer(s, p.Spec.Span, p.PURL,
					"server %q starts %q, whose scope borrows the name of %q and is not theirs as far as is known. Look up who publishes it.",
					s.Name, analyzers.Untrusted(p.Name), vendor)
				f.Severity, f.Confidence = rules.Medium, rules.Tentative
				pass.Report(f)
			}
		}
		if s.Launch == nil {
			continue
		}
		for _, arg := range s.Launch.Argv {
			if model := disguised(arg.Raw()); model != "" {
				pass.Report(rules.OnServer(s, arg.Span, model,
					"server %q starts %q, which is drawn like %q with letters of another script. Write the name that you meant.",
					s.Name, arg, analyzers.Untrusted(model)))
			}
		}
	}
}

// imitated finds the well-known package that a name imitates, and how.
func imitated(ecosystem, name string) (model, how string) {
	s, base := scope(name)
	if known().is(name) || s != "" && known().owned[s] {
		return "", ""
	}
	if s != "" {
		spelt := spell(s[1:])
		for _, k := range known().scopes {
			how := resemblance(spelt, k.spelling)
			if len(k.name) < 8 && how != "separators moved" && how != "characters that look alike" {
				how = ""
			}
			if how == "" && dressed(s, k.name) && known().is(k.name+"/"+base) {
				how = "another word in the scope"
			}
			if how != "" {
				return k.name + "/" + base, how
			}
		}
	}
	spelt := spell(base)
	for _, k := range known().list[ecosystem] {
		if k.scope != s || !distinctive(k.spelling.name) && len(k.spelling.name) < 8 {
			continue
		}
		if how := resemblance(spelt, k.spelling); how != "" {
			return k.name, how
		}
	}
	return "", ""
}

// dressed reports whether a scope is a well-known one with a word added.
func dressed(s, known string) bool {
	for _, word := range []string{"official", "servers", "server", "mcp", "io", "org", "team", "tools", "ai", "inc", "hq", "dev", "community", "js"} {
		if s == known+"-"+word || s == known+word || s == "@"+word+"-"+known[1:] {
			return true
		}
	}
	return s == known+"s"
}

// borrowed finds a vendor of models, or the protocol, in the words of a scope
// that is not one of theirs.
func borrowed(name string) string {
	s, _ := scope(name)
	if s == "" || known().owned[s] {
		return ""
	}
	for _, word := range strings.FieldsFunc(s, separator) {
		switch word {
		case "anthropic", "openai", "modelcontextprotocol", "anthropics":
			return word
		}
	}
	return ""
}

// disguised finds the well-known package behind an argument with letters of
// another script: no registry takes such a name, but a mirror or a path does.
func disguised(arg string) string {
	if len(arg) > 256 {
		return ""
	}
	skeleton, folded := confusable.Skeleton(arg)
	if !folded {
		return ""
	}
	skeleton = strings.ToLower(skeleton)
	name := skeleton
	if at := strings.LastIndexByte(skeleton, '@'); at > 0 {
		name = skeleton[:at]
	}
	name, _, _ = strings.Cut(name, "==")
	if s, _ := scope(name); known().is(name) || s != "" && known().owned[s] {
		return name
	}
	return ""
}
