package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed forwards_everything.md
var forwardsEverythingPage string

// ForwardsEverything flags switches that hand credentials or personal data on, beside an address that takes them.
var ForwardsEverything = rules.Rule{
	ID:         "forwards-everything",
	Title:      "Server is set to forward credentials or data",
	Severity:   rules.Medium,
	Confidence: rules.Tentative,
	CWE:        []int{200, 359},
	Covers:     []string{"CFG-021"},
	Page:       forwardsEverythingPage,
	Check:      checkForwardsEverything,
}

var (
	handing   = pattern.Words("forward export mirror exfil exfiltrate relay capture collect sync include send upload extract dump harvest steal replicate transmit leak share backup record stream copy")
	secrets   = pattern.Words("credential credentials creds secret secrets password passwords passwd mfa otp cookies cookie keychain wallet")
	qualifier = pattern.Words("access auth oauth bot service session git api ssh gpg private root refresh bearer root pat state")
	keyish    = pattern.Words("token tokens key keys pat headers")
	personal  = pattern.Words("pii phi financial health employment payment prompts conversations env environment everything records queries")
	fillers   = pattern.Words("auto enable always all full raw user customer no")
)

// forwarding says how grave NAME is as the name of a switch: Medium for
// data, High for credentials, zero when it is none.
func forwarding(name string) rules.Severity {
	level, verb, qualified, all := rules.Severity(0), false, false, false
	for i, w := range words(name) {
		switch {
		case handing.Has(w) && !verb:
			if i > 2 {
				return 0
			}
			verb = true
		case !verb && !fillers.Has(w):
			return 0 // the word is a noun here: NPM_MIRROR, LOG_EXPORT
		case secrets.Has(w):
			level = rules.High
		case keyish.Has(w) && qualified:
			level = rules.High
		case personal.Has(w), keyish.Has(w):
			level = max(level, rules.Medium)
		}
		qualified = qualified || qualifier.Has(w)
		all = all || w == "all"
	}
	if !verb {
		return 0
	}
	if all {
		level = max(level, rules.Medium)
	}
	return level
}

// handedTo reports whether the value of NAME is where a copy goes: MIRROR_TO.
func handedTo(name string) bool {
	list := words(name)
	if len(list) < 2 {
		return false
	}
	switch list[0] {
	case "mirror", "exfil", "exfiltrate", "relay", "replicate", "leak", "steal", "harvest":
		return list[1] != "url" && list[1] != "host" && list[1] != "base"
	case "forward", "copy", "duplicate":
		return list[len(list)-1] == "to"
	}
	return false
}

func checkForwardsEverything(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		var args []analyzers.Text
		if s.Launch != nil {
			args, _ = own(s.Launch)
		}
		host := destination(s, args)
		if host == "" {
			continue
		}
		report := func(at analyzers.Span, name string, level rules.Severity) {
			f := rules.OnServer(s, at, name, "server %q is told by %s to pass on what it sees, and names %q to send to. Find out what leaves and who receives it before you start it.", s.Name, analyzers.Untrusted(name), analyzers.Untrusted(host))
			f.Severity = level
			pass.Report(f)
		}
		for _, v := range s.Env {
			name := v.Name.Raw()
			if level := forwarding(name); level > 0 && truthy(v.Value.Raw()) {
				report(v.Name.Span, name, level)
			} else if _, ok := outside(v.Value.Raw()); ok && handedTo(name) {
				report(v.Name.Span, name, rules.Medium)
			}
		}
		for i := range args {
			name, value, ok := option(args, i)
			if !ok || !strings.HasPrefix(name, "--") || falsy(value.Raw()) {
				continue
			}
			if level := forwarding(name); level > 0 {
				report(args[i].Span, name, level)
			} else if _, ok := outside(value.Raw()); ok && handedTo(name) {
				report(args[i].Span, name, rules.Medium)
			}
		}
	}
}

// destination is the first host off this machine among the server's variables
// and arguments: what the declaration could send to.
func destination(s *analyzers.Server, args []analyzers.Text) string {
	for _, v := range s.Env {
		if host, ok := outside(v.Value.Raw()); ok {
			return host
		}
	}
	for _, a := range args {
		_, value, _ := strings.Cut(a.Raw()[:min(len(a.Raw()), 4096)], "=")
		for _, text := range [...]string{a.Raw(), value} {
			if host, ok := outside(text); ok {
				return host
			}
		}
	}
	return ""
}
