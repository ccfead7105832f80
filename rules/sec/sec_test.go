package sec

import (
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/rules"
)

var family = []*rules.Rule{
	&ExposedProviderKey, &ExposedPrivateKey, &PasswordInConnectionString, &BearerTokenInHeader, &CredentialInConfig,
	&HighEntropyValue, &SecretInURL, &SecretInArgument, &SecretInToolText,
}

// TestOneFinding gives the family every kind in every place: each secret has
// exactly one finding, and its value is nowhere but at its place.
func TestOneFinding(t *testing.T) {
	const value = "q7Zr-value-that-must-not-be-printed-T4x"
	kinds := append(secret.Kinds(), secret.KindInfo{Kind: "high-entropy"}, secret.KindInfo{Kind: "unheard-of"})
	for _, format := range []string{"claude-code", "claude-desktop", "codex", "vscode", "capture"} {
		for _, kind := range kinds {
			for _, where := range []string{"env", "header", "arg", "url", "setting", "hook", "text"} {
				for _, key := range []string{"", "API_TOKEN", "x-key"} {
					src := &analyzers.Source{Path: "f.json", Bytes: []byte(value)}
					text := analyzers.Text{Value: value, Span: src.Span(0, len(value))}
					server := &analyzers.Server{Name: analyzers.Text{Value: "acme"}, Format: format, Env: []analyzers.Var{{Name: analyzers.Text{Value: analyzers.Untrusted(key)}, Value: text}}}
					c := &analyzers.Catalog{Secrets: []analyzers.Secret{
						{Kind: kind.Kind, Where: where, Key: key, Text: text, Server: server},
						{Kind: kind.Kind, Where: where, Key: key, Text: text},
					}}
					found := rules.Check(c, family)
					if len(found) != 2 {
						t.Fatalf("%s in %s: %d findings", kind.Kind, where, len(found))
					}
					for _, f := range found {
						all := f.Message + f.Subject + f.Server + f.Tool
						if f.Fix != nil {
							all += f.Fix.Replacement + f.Fix.Description
						}
						if strings.Contains(all, "must-not-be-printed") || f.Subject == "" || strings.Contains(all, "NAME") || strings.Contains(all, "%!") {
							t.Errorf("%s in %s: %+v", kind.Kind, where, f)
						}
						if f.Span != text.Span {
							t.Errorf("%s in %s: place %+v", kind.Kind, where, f.Span)
						}
					}
				}
			}
		}
	}
}

func TestStock(t *testing.T) {
	for value, want := range map[string]bool{
		"minioadmin": true, "password123": true, "dev-password": true, "root": true, "Passw0rd": false, "hunter2": false, "1234": true, "12345678": false,
		"hV8mQ2nzXk4Pp7Lw": false, strings.Repeat("password", 6): false, "": true,
	} {
		if got := stock(value); got != want {
			t.Errorf("%q: got %v", value, got)
		}
	}
}

func TestReference(t *testing.T) {
	for client, want := range map[string]string{
		"claude-code": "${TOKEN}", "cursor": "${env:TOKEN}", "vscode": "${input:TOKEN}", "opencode": "{env:TOKEN}",
		"continue": "${{ secrets.TOKEN }}", "codex": "", "claude-desktop": "", "generic": "",
	} {
		if got := reference(client, "TOKEN"); got != want {
			t.Errorf("%s: got %q", client, got)
		}
	}
}
