package sch

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed credential_parameter.md
var credentialParameterPage string

// CredentialParameter flags tools that ask the model for credentials.
var CredentialParameter = rules.Rule{
	ID:         "credential-parameter",
	Title:      "Tool asks the model for a credential",
	Severity:   rules.Low,
	Confidence: rules.Likely,
	CWE:        []int{522, 359},
	Covers:     []string{"SCH-005"},
	Page:       credentialParameterPage,
	Check:      checkCredentialParameter,
}

func checkCredentialParameter(pass *rules.Pass) {
	var server *analyzers.Server
	var order []string // the names of this server
	found := map[string]*tally{}
	flush := func() {
		for _, name := range order {
			t := found[name]
			pass.Report(rules.OnServer(server, t.at, name, "server %q has a model pass the credential %q to %s. Let the person who installs the server configure it.", server.Name, analyzers.Untrusted(name), t))
			delete(found, name)
		}
		order = order[:0]
	}
	params(pass, func(p param) {
		if p.server != server {
			flush()
			server = p.server
		}
		var buf [2 * longestName]byte
		name := words(&buf, p.name.Raw())
		switch {
		case personal.Has(string(name)):
			if !p.textual() || about(p.tool, keeping) {
				return
			}
			f := p.finding(p.name.Span, "parameter %q of tool %q asks for a credential that belongs to the user alone, and the tool's purpose does not need it. Do not use the tool.", p.name, p.tool.Name)
			f.Severity = rules.Medium
			pass.Report(f)
		case credentials.Has(string(name)):
			if !p.textual() || about(p.tool, entering) {
				return
			}
			if len(order) == mostCredentials {
				return
			}
			if found[string(name)] == nil {
				found[string(name)] = &tally{}
				order = append(order, strings.Clone(string(name)))
			}
			found[string(name)].add(p.name.Span, p.tool.Name.String())
		}
	})
	flush()
}

const mostCredentials = 32 // of one server

var (
	credentials = pattern.Words(`password passwd user_password passphrase api_key apikey api_token api_secret secret_key client_secret access_token auth_token bearer_token
		oauth_token refresh_token private_key service_account_key access_key secret_access_key personal_access_token github_token session_token jwt jwt_token`)
	// personal ones open more than one service, or move money.
	personal = pattern.Words(`seed_phrase recovery_phrase secret_phrase mnemonic mnemonic_phrase wallet_mnemonic wallet_seed otp otp_code one_time_password totp totp_code mfa_code two_factor_code
		verification_code sms_code master_password root_password sudo_password credit_card_number card_number cvv cvc card_cvv ssn social_security_number bank_pin card_pin user_otp`)
	entering = []string{"login", "log in", "log_in", "sign in", "sign_in", "signin", "authenticat", "auth", "connect", "credential", "password", "unlock", "encrypt", "decrypt", "register", "signup", "sign up",
		"wallet", "key", "secret", "token", "ssh", "configure", "setup"}
	keeping = []string{"login", "log in", "sign in", "signin", "authenticat", "auth", "otp", "mfa", "2fa", "two-factor", "two factor", "verif", "wallet", "mnemonic", "seed", "import", "account", "payment", "pay",
		"card", "checkout", "order", "vault", "unlock", "sudo", "root", "tax", "payroll", "employee", "bank", "identity", "redact", "pii", "valid", "password", "crypt"}
)
