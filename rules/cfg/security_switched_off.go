package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed security_switched_off.md
var securitySwitchedOffPage string

// SecuritySwitchedOff flags switches that turn a protection off.
var SecuritySwitchedOff = rules.Rule{
	ID:         "security-switched-off",
	Title:      "A protection is switched off",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{295, 306, 693},
	Covers:     []string{"CFG-020", "CFG-017", "TRN-006"},
	Page:       securitySwitchedOffPage,
	Check:      checkSecuritySwitchedOff,
}

// protections are what a switch can turn off; the second group may follow the
// first in a name ("tls check", "auth required").
var (
	protections = pattern.Words("auth authentication authorization authorisation tls ssl cert certs certificate certificates verify verification verified https sandbox sandboxing sandboxed security safety csrf permission permissions approval approvals signature signatures guardrail guardrails seccomp apparmor rbac rejectunauthorized unauthorized")
	endings     = pattern.Words("check checks checking mode enabled enable required require errors error all validation prompt prompts policy headers " +
		"verify verification verified on host hostname peer server")
	// off words turn a protection off when the switch is on.
	off = pattern.Words("disable disabled disables no skip skips bypass omit ignore without dangerously unsafe insecure off turnoff")
	// affirming words name a protection that is off when the switch is off.
	affirming = pattern.Words("enable enabled require required use reject verify check strict force enforce")
)

// known are names that the grammar of switches does not reach, with the
// values that turn the protection off.
var known = map[string]func(string) bool{
	"NODE_TLS_REJECT_UNAUTHORIZED": falsy,
	"PYTHONHTTPSVERIFY":            falsy,
	"REQUESTS_CA_BUNDLE":           empty,
	"CURL_CA_BUNDLE":               empty,
	"SSL_CERT_FILE":                empty,
}

func empty(value string) bool { return strings.TrimSpace(value) == "" || value == "/dev/null" }

// unprotected reports whether NAME=value turns a protection off. Those of
// package managers are insecure-package-index's.
func unprotected(name, value string) bool {
	if strings.HasPrefix(strings.ToLower(name), "npm_config") {
		return false
	}
	if off, ok := known[strings.ToUpper(name)]; ok {
		return off(value)
	}
	return switchedOff(words(name), value)
}

func switchedOff(name []string, value string) bool {
	if len(name) == 2 && name[0] == "allow" && name[1] == "insecure" {
		return truthy(value)
	}
	// The protection stands last, before words that only round it off.
	last := len(name) - 1
	for last > 0 && (off.Has(name[last]) || endings.Has(name[last])) && (!protections.Has(name[last]) || protections.Has(name[last-1])) {
		last--
	}
	if last < 0 || !protections.Has(name[last]) {
		return false
	}
	for _, w := range name {
		if off.Has(w) {
			return truthy(value)
		}
	}
	if !falsy(value) {
		return false
	}
	// Without TLS at all is the transport's matter, not a switch: DB_SSL=false.
	switch name[last] {
	case "ssl", "tls", "https", "cert", "certs", "certificate", "certificates":
		for _, w := range name {
			if w == "verify" || w == "reject" || w == "check" || w == "strict" || w == "validate" || w == "verification" {
				return true
			}
		}
		return false
	case "auth", "authentication", "authorization":
		if len(name) == 1 {
			return true
		}
		for _, w := range name {
			if affirming.Has(w) {
				return true
			}
		}
		return false
	}
	return true
}

func checkSecuritySwitchedOff(pass *rules.Pass) {
	const text = "server %q switches a protection off with %s. Remove it, and repair what it was to get around."
	for _, s := range pass.Catalog.Servers {
		for _, v := range s.Env {
			if unprotected(v.Name.Raw(), v.Value.Raw()) {
				pass.Report(rules.OnServer(s, v.Name.Span, v.Name.Raw(), text, s.Name, v.Name))
			}
		}
		for _, p := range s.Settings {
			if name := p.Key.Raw(); name != "" && unprotected(name, p.Value.Raw()) {
				pass.Report(rules.OnServer(s, p.Key.Span, p.Path, text, s.Name, p.Key))
			}
		}
		if s.Launch == nil {
			continue
		}
		for i := range s.Launch.Argv {
			name, value, ok := option(s.Launch.Argv, i)
			if !ok || !strings.HasPrefix(name, "--") || name == "--strict-ssl" {
				continue
			}
			state := value.Raw()
			if !truthy(state) && !falsy(state) {
				state = "true" // a switch, before an operand
			}
			if off := switchedOff(words(name), state); off || strings.HasPrefix(name, "--insecure") && truthy(state) || name == "--dangerously-skip-permissions" {
				f := rules.OnServer(s, s.Launch.Argv[i].Span, name, text, s.Name, analyzers.Untrusted(name))
				if name == "--no-sandbox" && len(s.Images) > 0 {
					f.Severity = rules.Low // the container is the sandbox
				}
				pass.Report(f)
			}
		}
	}
}
