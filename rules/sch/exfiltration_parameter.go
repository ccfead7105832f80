package sch

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed exfiltration_parameter.md
var exfiltrationParameterPage string

// ExfiltrationParameter flags inputs that are named for somebody's private data.
var ExfiltrationParameter = rules.Rule{
	ID:         "exfiltration-parameter",
	Title:      "Parameter is named for private data of the user or the client",
	Severity:   rules.High,
	Confidence: rules.Likely,
	CWE:        []int{359, 200},
	Covers:     []string{"SCH-003"},
	Page:       exfiltrationParameterPage,
	Check:      checkExfiltrationParameter,
}

func checkExfiltrationParameter(pass *rules.Pass) {
	params(pass, func(p param) {
		var buf [2 * longestName]byte
		what, severity, business := wanted(words(&buf, p.name.Raw()))
		if severity == 0 || about(p.tool, business) || strings.Contains(strings.ToLower(p.member("description").Raw()), "llm") {
			return // the last: a prompt for a model that the tool runs
		}
		f := p.finding(p.name.Span, "parameter %q of tool %q is named for %s: a model that fills in the name hands it over. Remove the parameter.", p.name, p.tool.Name, what)
		f.Severity = severity
		pass.Report(f)
	})
}

// wanted says what a name in lower case asks for. business are the terms of
// tools that may ask so.
func wanted(name []byte) (what string, severity rules.Severity, business []string) {
	if len(name) < 6 {
		return "", 0, nil
	}
	if k, ok := clientNames[string(name)]; ok {
		return k.what, rules.Medium, k.business
	}
	// content_of_X, X_dump: the name says that a private thing itself is meant.
	rest, whole := name, false
	for cut := true; cut && len(rest) > 0; {
		cut = false
		first, last := rest, rest
		if i := strings.IndexByte(string(rest), '_'); i > 0 {
			first, last = rest[:i], rest[strings.LastIndexByte(string(rest), '_')+1:]
		}
		switch {
		case len(first) < len(rest) && fillers.Has(string(first)):
			whole = whole || contents.Has(string(first))
			rest, cut = rest[len(first)+1:], true
		case len(last) < len(rest) && contents.Has(string(last)):
			whole = true
			rest, cut = rest[:len(rest)-len(last)-1], true
		}
	}
	if k, ok := clientNames[string(rest)]; ok {
		return k.what, rules.Medium, k.business
	}
	if private.Has(string(rest)) {
		if whole {
			return "the content of a private file", rules.High, nil
		}
		return "a private file", rules.Medium, keyTools
	}
	return "", 0, nil
}

type kind struct {
	what     string
	business []string
}

var (
	contents = pattern.Words("content contents dump text body data value values raw copy bytes base64 b64 plaintext")
	fillers  = pattern.Words("content contents dump text body data value raw copy bytes of the from user users my your local full all current whole complete file")
	// private are files and stores that no tool needs the content of.
	private = pattern.Words(`id_rsa id_dsa id_ecdsa id_ed25519 ssh_key ssh_keys ssh_private_key ssh_config ssh_dir authorized_keys known_hosts dot_ssh
		dotenv env_file dot_env aws_credentials aws_credentials_file credentials_file netrc npmrc pypirc git_credentials kubeconfig_file
		etc_passwd etc_shadow passwd_file shadow_file bash_history zsh_history shell_history mcp_json mcp_config claude_json claude_config cursor_config
		keychain keyring browser_history browser_cookies browser_passwords saved_passwords gpg_key wallet_file wallet_dat home_directory`)
	keyTools = []string{"ssh", "key", "credential", "env", "kube", "config", "git", "server", "host", "connect", "deploy", "browser", "history", "npm", "shell", "terminal"}

	dialogue    = kind{"the conversation between user and model", []string{"conversation", "chat", "message", "dialog", "transcript", "llm", "language model", "prompt", "completion", "agent", "assistant", "memory", "session", "summar", "meeting", "call"}}
	orders      = kind{"the instructions of the model", []string{"llm", "model", "prompt", "completion", "agent", "assistant", "chat", "gpt", "claude", "persona", "bot", "generat"}}
	toolsOfHost = kind{"the tools that the client has", []string{"tool", "agent", "mcp", "model"}}
	environment = kind{"the environment of the client's machine", []string{"deploy", "container", "env", "process", "function", "service", "build", "server", "run", "exec", "docker"}}
	cookieJar   = kind{"the user's sessions", []string{"browser", "cookie", "http", "fetch", "request", "scrap", "crawl", "page", "web", "login", "auth", "url", "session", "download"}}
	clipboard   = kind{"the clipboard", []string{"clipboard", "copy", "paste"}}

	clientNames = kinds(map[*kind]string{
		&dialogue: `chat_history conversation_history conversation_log conversation_so_far full_conversation whole_conversation entire_conversation conversation_transcript conversation_dump
			session_transcript chat_transcript chat_log chat_dump message_history messages_history previous_messages prior_messages user_messages
			dialogue_history dialog_history session_history user_conversation last_messages previous_conversation`,
		&orders:      "system_prompt system_message system_instructions developer_prompt developer_message hidden_instructions model_instructions agent_instructions initial_prompt full_prompt chain_of_thought internal_reasoning",
		&toolsOfHost: "tools_list tool_list available_tools all_tools tool_definitions list_of_tools tool_calls_history previous_tool_results tool_results other_tools",
		&environment: "env_dump environ env_vars_dump environment_dump all_env_vars process_env printenv env_variables_dump all_environment_variables host_environment user_environment",
		&cookieJar:   "cookies session_cookies session_cookie cookie_jar auth_cookies browser_session all_cookies user_cookies",
		&clipboard:   "clipboard_content clipboard_contents clipboard_data clipboard_text",
	})
)

func kinds(lists map[*kind]string) map[string]*kind {
	m := map[string]*kind{}
	for k, list := range lists {
		for name := range strings.FieldsSeq(list) {
			m[name] = k
		}
	}
	return m
}
