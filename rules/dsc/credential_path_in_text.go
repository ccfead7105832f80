package dsc

import (
	_ "embed"
	"regexp"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed credential_path_in_text.md
var credentialPathInTextPage string

// CredentialPathInText flags text that has a model fetch credentials.
var CredentialPathInText = rules.Rule{
	ID:         "credential-path-in-text",
	Title:      "Tool text tells the model to read a credential file",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{1427, 522},
	Covers:     []string{"DSC-004", "SCH-001"},
	Page:       credentialPathInTextPage,
	Check:      checkCredentialPathInText,
}

var (
	credentialFile = regexp.MustCompile(`(?i)(?:~|\$HOME|\$\{HOME\}|%USERPROFILE%|/home/[\w.-]{1,32}|/root|/Users/[\w.-]{1,32})?[/\\]?\.(?:ssh|aws|gnupg|kube|azure|docker)[/\\][\w./\\*-]{0,60}|\bid_(?:rsa|ed25519|ecdsa|dsa)\b|/etc/(?:passwd|shadow|sudoers)\b|(?:~/)?\.(?:git-credentials|netrc|npmrc|pypirc|pgpass)\b|(?:~|\$HOME)/\.(?:env|bash_history|zsh_history|cursor/mcp\.json|claude(?:\.json|/[\w.-]{1,40})|config/[\w./-]{1,60}(?:credentials|token|secret|hosts\.yml|config)[\w.-]{0,20})|\bmcp\.json\b|\bclaude_desktop_config\.json\b|\bapplication_default_credentials\.json|/proc/self/environ|~/\.[\w./-]{0,40}(?:token|credential|secret|passw|_key|live_key|apikey)[\w.-]{0,24}|/var/run/secrets/[\w./-]{1,60}|(?:^|[\s/"'\x60])\.env\b`)
	// An order to take the file: to the model, not about the program.
	fetches = regexp.MustCompile(`(?i)\b(?:read|open|load|cat|fetch|access|include|pass|send|copy|upload|append|retrieve|provide|extract|attach|forward|paste|collect|submit|post|put|dump|get|check|supply|encode|transmit|call|invoke|back ?up)\b`)
	ordered = regexp.MustCompile(`(?i)\b(?:you (?:must|should|need to|have to|are required to|will|shall)|must(?: first| always| also)?|first|please|always|also|make sure|be sure|ensure|required to|before (?:using|calling|invoking|running|executing|reading|returning|sending|any|each|every|performing|processing)|important|mandatory|then|and (?:pass|send|include|append|forward|upload|post))\b`)
	handed  = regexp.MustCompile(`(?i)\b(?:contents?|full text|output) of\b|\b(?:pass|send|include|append|forward|upload|post|paste|attach|submit|transmit)\b`)
)

// credentialWords are what every match of credentialFile or substituted holds.
var credentialWords = []string{
	"$(", "/.", `\.`, "id_", "/etc/", ".ssh", ".aws", ".gnupg", ".kube", ".azure", ".docker", ".git-credentials", ".netrc", ".npmrc", ".pypirc", ".pgpass",
	"mcp.json", "claude_desktop_config", "application_default", "/proc/", "/run/secrets", ".env",
}

// refused is a prohibition that follows the file's name.
var refused = regexp.MustCompile(`(?i)\b(?:is|are|will be) (?:always )?(?:denied|refused|blocked|forbidden|rejected|excluded|ignored|not allowed|never)\b`)

// substituted is a shell's way to put a secret where an argument is asked for.
var substituted = regexp.MustCompile(`(?i)\$\(\s{0,4}(?:(?:cat|base64|head|type|more|less)\s{1,4}[^()]{0,12}[~/$][^()]{0,80}|printenv|env|set)\b[^()]{0,60}\)`)

func checkCredentialPathInText(pass *rules.Pass) {
	texts(pass, func(t said) {
		text := t.field.Text.Raw()
		if !mentions(text, credentialWords...) {
			return
		}
		if m := substituted.FindStringIndex(text); m != nil {
			from, to := clause(text, m[0], m[1])
			if !forbidden.MatchString(text[from:m[0]]) && !defensive.MatchString(text[from:to]) {
				pass.Report(t.finding(m[0], m[1], "%s tells the model to put %q into a call. Do not use this server: no tool needs a model to read that.", t.where(), analyzers.Untrusted(text[m[0]:m[1]])))
				return
			}
		}
		for _, m := range credentialFile.FindAllStringIndex(text, maxMatches) {
			m[0] += len(text[m[0]:m[1]]) - len(strings.TrimLeft(text[m[0]:m[1]], " \t\r\n\"'`/"))
			if m[0] > 0 && text[m[0]-1] == '/' {
				m[0]--
			}
			m[1] -= len(text[m[0]:m[1]]) - len(strings.TrimRight(text[m[0]:m[1]], ".-"))
			from, to := clause(text, m[0], m[1])
			before, whole := text[from:m[0]], text[from:to]
			verb := fetches.FindStringIndex(before)
			if verb == nil || refused.MatchString(text[m[1]:to]) || forbidden.MatchString(before) || defensive.MatchString(whole) {
				continue
			}
			lead := strings.TrimSpace(before[:verb[0]])
			imperative := lead == "" || ordered.MatchString(before)
			if !imperative && !handed.MatchString(before) {
				continue
			}
			f := t.finding(m[0], m[1], "%s tells the model to take %q. Do not use this server: no tool needs a model to read that.", t.where(), analyzers.Untrusted(text[m[0]:m[1]]))
			if !ordered.MatchString(before) {
				f.Severity, f.Confidence = rules.Medium, rules.Tentative // it may be the tool's own purpose
			}
			pass.Report(f)
			return
		}
	})
}
