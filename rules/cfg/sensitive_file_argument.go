package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/rules"

	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

//go:embed sensitive_file_argument.md
var sensitiveFileArgumentPage string

// SensitiveFileArgument flags credential files that are given to a server as data.
var SensitiveFileArgument = rules.Rule{
	ID:         "sensitive-file-argument",
	Title:      "Server is pointed at a credential file",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{522},
	Covers:     []string{"CFG-016"},
	Page:       sensitiveFileArgumentPage,
	Check:      checkSensitiveFileArgument,
}

var (
	sensitiveDir  = pattern.New(`(?i)(?:^|[/\\])\.(?:ssh|gnupg|aws|azure|password-store)[/\\]?\*{0,2}$|(?i)[/\\]\.config[/\\]gcloud[/\\]?$|(?i)^/etc/ssh/?$`)
	sensitiveFile = pattern.New(`(?i)(?:^|[/\\])(?:id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|_netrc|\.git-credentials|\.pgpass|shadow|gshadow|master\.key|credentials\.db|cookies\.sqlite|login data|logins\.json|key4\.db|wallet\.dat|login\.keychain(?:-db)?|\.bash_history|\.zsh_history)$|(?i)[/\\]\.(?:aws|ssh|kube|docker)[/\\][\w.-]+$|(?i)(?:^|[/\\])\.env(?:\.(?:local|production|prod))?$|(?i)\.(?:pem|p12|pfx|key|kdbx|jks)$`)
	// authOption names a file with which the server itself signs in or is set up.
	authOption = pattern.Words("key keyfile pem cert certificate ca cacert tls ssl kubeconfig credential credentials cred creds identity config token secret ssh env dotenv auth keystore truststore jwt private i profile account service")
)

func checkSensitiveFileArgument(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		if s.Launch == nil {
			continue
		}
		args, contained := own(s.Launch)
		if contained {
			continue
		}
		for i := range args {
			value, owner := args[i], ""
			if name, v, ok := option(args, i); ok {
				if !strings.Contains(args[i].Raw(), "=") {
					continue
				}
				value, owner = v, name
			} else if i > 0 {
				if name, _, ok := option(args, i-1); ok && !strings.Contains(args[i-1].Raw(), "=") {
					owner = name
				}
			}
			path := value.Raw()
			if len(path) > 1024 || strings.Contains(path, "://") || signsIn(owner) {
				continue
			}
			switch {
			case sensitiveDir.MatchString(path):
				f := rules.OnServer(s, value.Span, value.Raw(), "server %q is given a directory of keys, %q. Take it out.", s.Name, value)
				f.Severity = rules.High
				pass.Report(f)
			case sensitiveFile.MatchString(path):
				pass.Report(rules.OnServer(s, value.Span, value.Raw(), "server %q is given %q as data, and that file holds credentials. Take it out, or pass the one value that is needed in a variable.", s.Name, value))
			}
		}
	}
}

func signsIn(option string) bool {
	for _, w := range words(option) {
		if authOption.Has(w) {
			return true
		}
	}
	return false
}
