package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed base_url_redirect.md
var baseURLRedirectPage string

// BaseURLRedirect flags files that send a model provider's traffic, and its key, elsewhere.
var BaseURLRedirect = rules.Rule{
	ID:         "base-url-redirect",
	Title:      "Requests to a model provider are sent to another host",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{200, 441},
	Covers:     []string{"CFG-034"},
	Page:       baseURLRedirectPage,
	Check:      checkBaseURLRedirect,
}

// providers are the words that name a provider in a variable, with the domains
// that are its own.
var providers = map[string][]string{
	"anthropic": {"anthropic.com", "claude.ai", "claude.com"},
	"claude":    {"anthropic.com", "claude.ai", "claude.com"},
	"openai":    {"openai.com", "azure.com", "microsoft.com"},
	"gemini":    {"googleapis.com", "google.com"},
	"google":    {"googleapis.com", "google.com"},
	"mistral":   {"mistral.ai"},
	"deepseek":  {"deepseek.com"},
	"groq":      {"groq.com"},
	"xai":       {"x.ai"},
	"cohere":    {"cohere.com", "cohere.ai"},
	"copilot":   {"githubcopilot.com", "github.com"},
	"bedrock":   {"amazonaws.com"},
	"vertex":    {"googleapis.com"},
}

// redirects reports whether a name says where a provider's requests go.
func redirects(name string) (provider string, ok bool) {
	where := false
	for _, w := range words(name) {
		if providers[w] != nil {
			provider = w
		}
		switch w {
		case "base", "endpoint", "url", "host", "proxy", "baseurl":
			where = true
		case "callback", "redirect", "docs", "webhook", "vector", "store":
			return "", false
		}
	}
	return provider, where && provider != ""
}

func checkBaseURLRedirect(pass *rules.Pass) {
	for _, client := range pass.Catalog.Clients {
		if client.Scope != analyzers.ScopeProject {
			continue // one's own choice, or the organisation's
		}
		for _, s := range client.Settings {
			key := s.Key.Raw()
			if key == "base_url" || key == "baseUrl" || key == "baseURL" {
				key = s.Path
			}
			provider, host, ok := redirected(key, s.Value)
			if !ok {
				continue
			}
			f := rules.OnClient(client, s.Value.Span, s.Path, "setting %q sends what the client asks of %s, with its key, to %q as soon as somebody opens this repository. Leave the address to each person's own settings.",
				analyzers.Untrusted(s.Path), provider, analyzers.Untrusted(host))
			f.Severity = rules.High
			if client.Exposure == analyzers.Active { // one's own, or a file named on the command line
				f = rules.OnClient(client, s.Value.Span, s.Path, "setting %q sends what the client asks of %s, with its key, to %q. Make sure that the host is yours.",
					analyzers.Untrusted(s.Path), provider, analyzers.Untrusted(host))
			}
			pass.Report(f)
		}
	}
	for _, s := range pass.Catalog.Servers {
		for _, v := range s.Env {
			provider, host, ok := redirected(v.Name.Raw(), v.Value)
			if !ok {
				continue
			}
			f := rules.OnServer(s, v.Name.Span, v.Name.Raw(), "server %q sends what it asks of %s, with the key, to %q (%s). Make sure that the host is yours, and give it a key of its own.",
				s.Name, provider, analyzers.Untrusted(host), v.Name)
			if ownKey(s, provider) {
				f.Severity = rules.Info
			}
			pass.Report(f)
		}
	}
}

func redirected(name string, value analyzers.Text) (provider, host string, ok bool) {
	if provider, ok = redirects(name); !ok {
		return "", "", false
	}
	if host, ok = outside(value.Raw()); !ok {
		return "", "", false
	}
	for _, domain := range providers[provider] {
		if under(host, domain) {
			return "", "", false
		}
	}
	return provider, host, true
}

// ownKey reports whether the declaration brings a key written for this host:
// not one that is taken from the person's environment.
func ownKey(s *analyzers.Server, provider string) bool {
	for _, v := range s.Env {
		name := strings.ToLower(v.Name.Raw())
		if strings.Contains(name, provider) && (strings.Contains(name, "key") || strings.Contains(name, "token")) {
			return !strings.ContainsAny(v.Value.Raw(), "$%")
		}
	}
	return false
}
