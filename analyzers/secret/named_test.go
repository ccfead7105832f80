package secret

import (
	"strings"
	"testing"
)

func TestNamed(t *testing.T) {
	tok, uid := draw(1, alnum, 32), "7c9e6679-7425-40de-944b-e07fc1f90ae7"
	for _, c := range []struct{ name, before, value, after, kind string }{
		{"API_KEY", "", tok, "", "credential"},
		{"EXA_API_KEY", "", uid, "", "credential"},
		{"apiKey", "", tok, "", "credential"},
		{"x-api-key", "", tok, "", "credential"},
		{"--token", "", tok, "", "credential"},
		{"NOTION_KEY", "", tok, "", "credential"},
		{"clientSecret", "", tok, "", "credential"},
		{"Authorization", "Bearer ", tok, "", "bearer-token"},
		{"Authorization", "token ", tok, "", "credential"},
		{"Authorization", "", tok, "", "credential"},
		{"GITHUB_TOKEN", "", "ghp_" + draw(2, alnum, 36), "", "github-token"},
		{"ANYTHING", "", "ghp_" + draw(2, alnum, 36), "", "github-token"},
		{"DB_PASSWORD", "", "hunter" + "24", "", "password"},
		{"PGPASSWORD", "", "tr0ub" + "4dor", "", "password"},
		{"MYSQL_PWD", "", "s3cr" + "et!", "", "password"},
		{"DB_PASSWORD", "${DB_PASSWORD:-", "tr0ub" + "4dor", "}", "password"},
		{"DATABASE_URL", "postgres://app:", draw(3, alnum, 12), "@db/app", "connection-string"},
		{"Cookie", "", "sid=" + tok, "", "credential"},
		{"CLOUDFLARE_API_TOKEN", "", draw(4, alnum, 40), "", "cloudflare-token"},
		{"MNEMONIC", "", strings.TrimSpace(strings.Repeat("river cabin orbit ", 4)), "", "seed-phrase"},
	} {
		m, ok := Named(c.name, c.before+c.value+c.after)
		if !ok || m.Kind != c.kind || m.Start != len(c.before) || m.End != len(c.before)+len(c.value) {
			t.Errorf("Named(%s): got %v, %v; want %s at %d", c.name, m, ok, c.kind, len(c.before))
		}
	}
	for _, c := range [][2]string{
		{"API_KEY", ""}, {"API_KEY", "${API_KEY}"}, {"API_KEY", "YOUR_API_KEY"}, {"API_KEY", "<key>"}, {"Authorization", "Bearer ${T}"},
		{"MAX_TOKENS", "4096"}, {"TOKEN_LIMIT", "100000"}, {"PUBLIC_KEY", tok}, {"TOKENIZER", "cl100k_base"}, {"KEYBOARD", "qwerty42x"},
		{"MONKEY", tok}, {"AUTHOR", "alice2000"}, {"AUTH_MODE", "oauth2"}, {"PASSWORDLESS", "enabled1"}, {"PWD", "/home/alice"}, {"PWD", tok},
		{"TOKEN_FILE", "/run/secrets/t1"}, {"SECRET_NAME", "prod/db-2"}, {"TOKEN_URL", "https://a.net/t"}, {"KEY_ID", tok}, {"TOKEN_TTL", "3600"},
		{"API_KEY", "/etc/keys/server.pem"}, {"DATABASE_URL", "postgres://localhost/x"}, {"PASSWORD", "true"}, {"PASSWORD", "Your database password"},
		{"PATH", "/usr/bin:/bin"}, {"COMMIT", draw(1, hexLow, 40)}, {"", tok}, {"AUTH", "none"}, {"SESSION", "default"}, {"COOKIE", "theme=dark"},
	} {
		if m, ok := Named(c[0], c[1]); ok {
			t.Errorf("Named(%s) of %d bytes: %v", c[0], len(c[1]), m)
		}
	}
}

func TestPlaceholder(t *testing.T) {
	for _, v := range strings.Fields(`${VAR} $VAR %VAR% {{x}} ${{secrets.X}} ${input:x} {env:X} <your-key> YOUR_API_KEY xxx *** ... changeme example placeholder
		insert-key-here sk-... sk-xxxx REPLACE_ME TODO none null dummy test my-secret [REDACTED] redacted aaaaaaaa abc123 1234567890 key token here
		api_key_here yourApiKey test123 qwertyuiop a1b2c3d4e5 op://a/b process.env.X ****abcd ${A}:${B} my_secret_token sk-ant-...abcd`) {
		if !Placeholder(v) {
			t.Errorf("%q is no placeholder", v)
		}
	}
	for i, v := range []string{draw(1, alnum, 20), draw(2, hexLow, 32), "hunter" + "24", "tr0ub" + "4dor", "correct-horse" + "-battery", "P@ssw" + "0rd!9", "ghp_" + draw(3, alnum, 36), "${A:-" + draw(4, alnum, 20) + "}"} {
		if Placeholder(v) {
			t.Errorf("value %d is a placeholder", i)
		}
	}
}

func TestCredentialName(t *testing.T) {
	for name, want := range map[string]bool{
		"GITHUB_TOKEN": true, "apiKey": true, "Authorization": true, "DB_PASSWORD": true, "GH_PAT": true, "SLACK_WEBHOOK": true,
		"MAX_TOKENS": false, "PWD": false, "LOG_LEVEL": false, "PUBLIC_KEY": false, "TOKEN_URL": false, "": false,
	} {
		if got := CredentialName(name); got != want {
			t.Errorf("CredentialName(%q) = %v", name, got)
		}
	}
}

func TestHighEntropy(t *testing.T) {
	missed := 0
	for seed := range int64(300) {
		for _, n := range []int{24, 32, 40, 64} {
			if !HighEntropy(draw(seed, alnum, n)) {
				missed++
			}
		}
	}
	if missed > 12 { // of 1200
		t.Errorf("%d random values missed", missed)
	}
	for _, text := range harmlessTexts() {
		for _, v := range strings.Fields(text) {
			if v = strings.Trim(v, `"'{},:;`); len(v) < 60 && HighEntropy(v) && len(Find(text)) == 0 && !strings.ContainsAny(text, "_-") && len(text) > 44 {
				t.Errorf("HighEntropy(%q)", v)
			}
		}
	}
	for i, v := range []string{draw(1, hexLow, 40), "sha512-" + draw(2, alnum, 86) + "==", "7c9e6679-7425-40de-944b-e07fc1f90ae7", "getAccessTokenFromRefreshTokenWithRetry2",
		"/usr/local/lib/node_modules/x86_64/index2", "claude-3-5-sonnet-20241022", "iVBORw0KGgo" + draw(3, alnum, 80), b64url("plain text under base64, nothing else")} {
		if HighEntropy(v) {
			t.Errorf("value %d is of high entropy", i)
		}
	}
}

func FuzzNamed(f *testing.F) {
	f.Add("API_KEY", draw(1, alnum, 32))
	f.Add("Authorization", "Bearer "+draw(1, alnum, 32))
	f.Add("DB_PASSWORD", "${X:-"+draw(1, alnum, 12)+"}")
	f.Add("Cookie", "a=b; c=d")
	f.Fuzz(func(t *testing.T, name, value string) {
		if m, ok := Named(name, value); ok && (m.Start < 0 || m.End <= m.Start || m.End > len(value) || m.Kind == "") {
			t.Fatalf("%v in %d bytes", m, len(value))
		}
		Placeholder(value)
		HighEntropy(value)
	})
}
