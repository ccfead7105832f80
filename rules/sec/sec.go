// Package sec holds the rules on credentials that stand in files.
//
// Every secret of the catalog belongs to exactly one of these rules, so that
// one leaked value is one finding. No message and no subject holds a value.
package sec

import (
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/rules"
)

// class is the rule that speaks of a secret.
type class int

const (
	inText class = iota
	privateKey
	connectionString
	providerKey
	inArgument
	inURL
	inHeader
	random
	named
)

// described says of every kind of credential whose it is, "" when it is no
// provider's, and what it is called in a sentence.
var described = sync.OnceValue(func() map[string]secret.KindInfo {
	all := map[string]secret.KindInfo{}
	for _, k := range secret.Kinds() {
		if first, _, _ := strings.Cut(k.Title, " "); first != strings.ToUpper(first) {
			k.Title = strings.ToLower(k.Title[:1]) + k.Title[1:]
		}
		all[k.Kind] = k
	}
	return all
})

// classOf judges what a value is before where it stands: a provider's key
// stays one on a command line.
func classOf(s *analyzers.Secret) class {
	switch s.Kind {
	case "private-key", "gcp-service-account", "age-key":
		if s.Where == "text" {
			return inText
		}
		return privateKey
	}
	switch {
	case s.Where == "text":
		return inText
	case s.Kind == "connection-string":
		return connectionString
	case described()[s.Kind].Provider != "":
		return providerKey
	case s.Kind == "url-password", s.Kind == "webhook-url", s.Where == "url", inRemote(s):
		return inURL
	case s.Where == "arg":
		return inArgument
	case s.Kind == "bearer-token", s.Kind == "basic-auth", s.Kind == "jwt", s.Where == "header" && s.Kind != "high-entropy":
		return inHeader
	case s.Kind == "high-entropy":
		return random
	}
	return named
}

// inRemote reports whether an argument's secret is part of the URL that a
// bridge connects to.
func inRemote(s *analyzers.Secret) bool {
	if s.Where != "arg" || s.Server == nil {
		return false
	}
	for _, t := range s.Server.Remotes {
		if within(s.Text.Span, t.Span) {
			return true
		}
	}
	return false
}

func within(inner, outer analyzers.Span) bool {
	return inner.Source == outer.Source && outer.Start <= inner.Start && inner.End <= outer.End
}

// key is the name of what holds the secret. On a command line that is the name
// in front of the equals sign, if there is one: -e NAME=VALUE, --name=VALUE.
func key(s *analyzers.Secret) string {
	if s.Where != "arg" || s.Server == nil || s.Server.Launch == nil {
		return s.Key
	}
	args := s.Server.Launch.Argv[min(1, len(s.Server.Launch.Argv)):] // in the file's order
	i := sort.Search(len(args), func(i int) bool { return args[i].Span.Start > s.Text.Span.Start }) - 1
	if i < 0 || !within(s.Text.Span, args[i].Span) {
		return s.Key
	}
	name, _, ok := strings.Cut(args[i].Raw(), "=")
	if name = strings.TrimLeft(name, "-"); ok && len(name) < 64 && !strings.ContainsAny(name, "/:?&@ ") {
		return name
	}
	return s.Key
}

// of calls visit with every secret of a class.
func of(pass *rules.Pass, c class, visit func(*analyzers.Secret)) {
	for i := range pass.Catalog.Secrets {
		if s := &pass.Catalog.Secrets[i]; classOf(s) == c {
			visit(s)
		}
	}
}

// subject is what names the secret between scans: its holder, or its kind.
func subject(s *analyzers.Secret) string {
	if k := key(s); k != "" {
		return k
	}
	return s.Kind
}

// finding starts a finding at the value. what is the sentence about the value
// without its full stop; the advice follows it.
func finding(s *analyzers.Secret, what string) rules.Finding {
	f := rules.Finding{Exposure: s.Exposure, Subject: subject(s), Span: s.Text.Span}
	f.Message = fmt.Sprintf("%s. Revoke it, then %s.", what, advice(s))
	if s.Server != nil {
		f.Server = s.Server.Name.Raw()
		f.Fix = fix(s)
	}
	return f
}

// holder names the place of a value: variable "TOKEN" of server "x".
func holder(s *analyzers.Secret) string {
	place := "a setting"
	switch key := analyzers.Untrusted(key(s)); {
	case s.Where == "env":
		place = fmt.Sprintf("variable %q", key)
	case s.Where == "header":
		place = fmt.Sprintf("header %q", key)
	case s.Where == "arg" && key != "":
		place = fmt.Sprintf("argument %q", key)
	case s.Where == "arg":
		place = "an argument"
	case s.Where == "url":
		place = "the URL"
	case s.Where == "hook":
		place = "a hook's command"
	case key != "":
		place = fmt.Sprintf("setting %q", key)
	}
	if s.Server == nil {
		return place
	}
	return fmt.Sprintf("%s of server %q", place, s.Server.Name)
}

// advice says how the file can do without the value.
func advice(s *analyzers.Secret) string {
	ref := ""
	if s.Server != nil {
		ref = reference(s.Server.Format, variable(s))
	}
	switch {
	case s.Where == "arg":
		return "pass the new one to the server in its environment, not on its command line"
	case ref != "":
		return "write " + ref + " in its place and keep the new one outside the file"
	case s.Server != nil && s.Server.Format == "codex":
		return "name the variable in env_vars or bearer_token_env_var and keep the new one outside the file"
	case s.Server != nil && s.Server.Format == "claude-desktop":
		return "start the server through a script that takes the new one from the system's keychain, because this client expands no variables"
	}
	return "keep the new one outside the file, in the environment or a secret store"
}

// variable is the environment variable that a reference would name.
func variable(s *analyzers.Secret) string {
	if s.Where == "env" && identifier(s.Key) {
		return s.Key
	}
	return "MCP_TOKEN"
}

func identifier(name string) bool {
	for i := 0; i < len(name); i++ {
		if b := name[i]; b != '_' && (b < 'A' || b > 'Z') && (b < 'a' || b > 'z') && (i == 0 || b < '0' || b > '9') {
			return false
		}
	}
	return name != "" && len(name) < 128
}

// references is how each client refers to an environment variable in a
// configuration (their own documentation); what is missing has no such form.
var references = map[string]string{
	"claude-code": "${NAME}", "claude-code-user": "${NAME}", "claude-code-settings": "${NAME}", "claude-code-managed": "${NAME}",
	"copilot-cli": "${NAME}", "gemini": "${NAME}", "gemini-extension": "${NAME}",
	"cursor": "${env:NAME}", "windsurf": "${env:NAME}",
	"vscode": "${input:NAME}", "vscode-settings": "${input:NAME}", "vscode-workspace": "${input:NAME}", "devcontainer": "${input:NAME}",
	"opencode": "{env:NAME}", "continue": "${{ secrets.NAME }}", "copilot-agent": "${{ secrets.COPILOT_MCP_NAME }}",
}

func reference(client, name string) string {
	return strings.Replace(references[client], "NAME", name, 1)
}

// fix replaces the whole value of a variable by a reference to it.
func fix(s *analyzers.Secret) *rules.Fix {
	ref := reference(s.Server.Format, s.Key)
	if ref == "" || s.Where != "env" || !identifier(s.Key) || strings.HasPrefix(ref, "${input:") {
		return nil // an input must be declared as well
	}
	for _, v := range s.Server.Env {
		if v.Value.Span == s.Text.Span && v.Name.Raw() == s.Key {
			return &rules.Fix{Description: "take the value from the environment", Span: s.Text.Span, Replacement: ref}
		}
	}
	return nil
}

// stock reports whether a value is one that ships with development set-ups: it
// is made of common words, a few digits and separators.
func stock(value string) bool {
	if len(value) > 40 {
		return false
	}
	words := strings.FieldsFunc(strings.ToLower(value), func(r rune) bool { return r < 'a' || r > 'z' })
	for _, w := range words {
		if !stockWords.Has(w) {
			return false
		}
	}
	return len(words) > 0 || len(value) < 8
}

var stockWords = pattern.Words(`password passwd pass pwd secret admin root user test tests testing dev development local localhost demo default guest
	postgres mysql mongo redis rabbit rabbitmq minio minioadmin neo elastic kibana grafana sa ssw rd ord w qwerty letmein welcome changeme mypassword
	mysecret mysecretpassword supersecret superuser adminadmin toor oracle docker my the db database app key token api server mcp s p`)
