package trn

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed wildcard_origin.md
var wildcardOriginPage string

// WildcardOrigin flags servers that answer every web page.
var WildcardOrigin = rules.Rule{
	ID:         "wildcard-origin",
	Title:      "Server accepts requests from every web page",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{942, 346},
	Covers:     []string{"TRN-007"},
	Page:       wildcardOriginPage,
	Check:      checkWildcardOrigin,
}

func checkWildcardOrigin(pass *rules.Pass) {
	report := func(s *analyzers.Server, span analyzers.Span, name string) {
		pass.Report(rules.OnServer(s, span, name,
			"%q lets every web page that is open in a browser talk to server %q. Name the origins that may.", analyzers.Untrusted(name), s.Name))
	}
	for _, s := range pass.Catalog.Servers {
		for _, v := range s.Env {
			if v.Value.Raw() == "*" && origins(v.Name.Raw()) {
				report(s, v.Value.Span, v.Name.Raw())
			}
		}
		if s.Launch == nil {
			continue
		}
		words := argv(s.Launch)
		for i, arg := range words {
			name, value, joined := strings.Cut(arg.Raw(), "=")
			switch {
			case joined && value == "*" && origins(name):
				report(s, arg.At(len(name)+1, len(arg.Value)), strings.TrimLeft(name, "-"))
			case arg.Raw() == "*" && i > 0 && origins(words[i-1].Raw()):
				report(s, arg.Span, strings.TrimLeft(words[i-1].Raw(), "-"))
			}
		}
		for _, flag := range s.Launch.Flags {
			// supergateway's switch without a list stands for all origins.
			if flag.Name == "--cors" && flag.Value.IsZero() && !followed(s.Launch.Argv, flag.At) {
				report(s, flag.At.Span, "cors")
			}
		}
	}
}

// followed reports whether a value stands behind the argument.
func followed(words []analyzers.Text, at analyzers.Text) bool {
	for i, arg := range words {
		if arg.Span == at.Span {
			return i+1 < len(words) && !strings.HasPrefix(words[i+1].Raw(), "-")
		}
	}
	return false
}

// origins reports whether a flag or variable lists the origins or hosts that a
// server answers.
func origins(name string) bool {
	if len(name) > 64 {
		return false
	}
	name = strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
	return strings.Contains(name, "cors") || strings.Contains(name, "alloworigin") || strings.Contains(name, "allowedorigin") || strings.Contains(name, "allowedhosts")
}
