package shim

import (
	"cmp"
	"errors"
	"flag"
	"io"
	"path/filepath"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/runtime"
)

// usage is the help text.
const usage = `sallyport run: start an MCP server behind the shim

USAGE
  sallyport run --registry FILE [options] -- CMD [ARGS...]
  sallyport run --registry FILE --servers CONFIG [--name NAME]... [options]

The registry says who may use which server and tools. What the server shows is held against the manifest of its entry;
what it says is judged; each decision is one record of --audit.

OPTIONS
  --registry FILE       the registry, a document or its compiled form (default: $SALLYPORT_REGISTRY)
  --key FILE            the Ed25519 public key in PEM that must have signed a compiled registry
  --bundle FILE         the signature of a registry document, with --key, or --trusted-root, --identity and --issuer
  --trusted-root FILE   (only sallyport, not sallyport-shim)
  --identity REGEXP     (only sallyport, not sallyport-shim)
  --issuer URL          (only sallyport, not sallyport-shim)
  --manifest FILE       the server's manifest, where the registry does not say where it is
  --policy PATH         more policies: a .cedar file or a folder of them; repeatable
  --servers CONFIG      a client configuration: all its servers with a command behind one connection, their tools
                        called SERVER__TOOL
  --name NAME           what the client calls the server; with --servers, repeatable: only these, and one alone as it is
  --as WHO              unit=, project=, environment=, role=, client= (default: $SALLYPORT_AS)
  --agent NAME          on whose behalf the client speaks, for policies and records (default: $SALLYPORT_AGENT)
  --mode MODE           enforce (default), warn, observe
  --audit FILE          append a record of each decision
  --break-glass REASON  use the server although its manifest or the compiled registry has expired; needs --audit
  --lossy-audit         go on when a record cannot be written
  --allow-secrets       let credentials pass in arguments
  --min-protocol DATE   the oldest protocol version that is spoken (2024-11-05)
  --state DIR           keys and serials (default: sallyport in the user's state directory)
  --max-line BYTES      of one message (16777216)
  --rules DIR           techniques of your own, beside the program's (docs/techniques.md)
  --observed DIR        in observe mode, what servers show is kept here for sallyport registry propose DIR
                        (default: observed in the state directory)
  --metrics ADDR        a Prometheus endpoint; OTEL_* variables send traces and metrics (only sallyport)
  --quiet               nothing on standard error but what the server writes

EXIT CODES
  that of the server; 1 refused; 2 the command line, the registry or the audit log cannot be used
`

var errHelp = errors.New("help")

// options is the command line.
type options struct {
	registry, manifest, servers, name, as string
	agent                                 string
	signature                             Signature
	policies                              []string
	mode                                  runtime.Mode
	auditFile, stateDir, dir              string
	rules, observed, metrics              string
	lossyAudit, allowSecrets, quiet       bool
	minProtocol, breakGlass               string
	maxLine                               int
	argv                                  []string
	env                                   []string   // NAME=VALUE, besides our own
	several                               []*options // one of each server, where there are more than one
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func parse(args []string, w World) (*options, error) {
	const example = "sallyport run --registry sallyport.registry.yaml -- CMD ARGS"
	o := &options{}
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	mode, names := "", []string(nil)
	f.StringVar(&o.registry, "registry", env(w, "SALLYPORT_REGISTRY"), "")
	f.StringVar(&o.signature.Key, "key", "", "")
	f.StringVar(&o.signature.Bundle, "bundle", "", "")
	f.StringVar(&o.signature.TrustedRoot, "trusted-root", "", "")
	f.StringVar(&o.signature.Identity, "identity", "", "")
	f.StringVar(&o.signature.Issuer, "issuer", "", "")
	f.StringVar(&o.manifest, "manifest", "", "")
	f.Var((*list)(&o.policies), "policy", "")
	f.StringVar(&o.servers, "servers", "", "")
	f.Var((*list)(&names), "name", "")
	f.StringVar(&o.as, "as", env(w, "SALLYPORT_AS"), "")
	f.StringVar(&o.agent, "agent", env(w, "SALLYPORT_AGENT"), "")
	f.StringVar(&mode, "mode", string(runtime.Enforce), "")
	f.StringVar(&o.auditFile, "audit", env(w, "SALLYPORT_AUDIT"), "")
	f.StringVar(&o.breakGlass, "break-glass", "", "")
	f.BoolVar(&o.lossyAudit, "lossy-audit", false, "")
	f.BoolVar(&o.allowSecrets, "allow-secrets", false, "")
	f.StringVar(&o.minProtocol, "min-protocol", runtime.MinVersions()[0], "")
	f.StringVar(&o.stateDir, "state", "", "")
	f.IntVar(&o.maxLine, "max-line", 16<<20, "")
	f.StringVar(&o.rules, "rules", "", "")
	f.StringVar(&o.observed, "observed", "", "")
	f.StringVar(&o.metrics, "metrics", "", "")
	f.BoolVar(&o.quiet, "quiet", false, "")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, errHelp
		}
		return nil, hint(example, "%s", analyzers.Untrusted(err.Error()))
	}
	o.argv = f.Args()
	switch o.mode = runtime.Mode(mode); o.mode {
	case runtime.Enforce, runtime.Warn, runtime.Observe:
	default:
		return nil, hint("--mode enforce, warn or observe", "there is no mode %q", analyzers.Untrusted(mode))
	}
	switch {
	case o.registry == "":
		return nil, hint(example, "--registry is missing")
	case len(o.argv) == 0 && o.servers == "":
		return nil, hint(example, "no server is named: its command line comes after --")
	case len(o.argv) > 0 && o.servers != "":
		return nil, hint(example, "--servers and a command line are two ways of saying what is started; use one")
	case o.breakGlass != "" && (o.auditFile == "" || o.lossyAudit):
		return nil, hint("--audit FILE, without --lossy-audit", "--break-glass is recorded or not done")
	case o.servers == "" && len(names) > 1:
		return nil, hint("--servers .mcp.json --name files --name mail", "one command line is one server, and has one --name")
	case o.servers != "" && len(names) != 1 && o.manifest != "":
		return nil, hint("put the manifests beside the registry", "--manifest is of one server")
	case !known(o.minProtocol):
		return nil, hint("one of "+strings.Join(runtime.MinVersions(), ", "), "--min-protocol %q is no version of MCP", analyzers.Untrusted(o.minProtocol))
	}
	if o.stateDir == "" {
		o.stateDir = StateDir(func(name string) string { return env(w, name) })
	}
	if o.observed == "" {
		o.observed = filepath.Join(o.stateDir, "observed")
	}
	if o.metrics != "" && w.Telemetry == nil {
		return nil, hint("sallyport run --metrics has it", "this program has no --metrics")
	}
	if o.servers != "" {
		if err := o.declared(names, w); err != nil {
			return nil, err
		}
	}
	if len(names) == 1 {
		o.name = names[0]
	}
	if o.name == "" && o.several == nil {
		o.name = strings.TrimSuffix(filepath.Base(o.argv[0]), ".exe")
	}
	return o, nil
}

func known(version string) bool {
	for _, v := range runtime.MinVersions() {
		if v == version {
			return true
		}
	}
	return false
}

func env(w World, name string) string {
	for i := len(w.Env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(w.Env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// StateDir is where this user's keys, heads of logs, serials and originals of
// wrapped files are: $SALLYPORT_STATE, or sallyport in $XDG_STATE_HOME (XDG base
// directories), in %LOCALAPPDATA%, or in ~/.local/state. It is "" without any of
// these.
func StateDir(env func(string) string) string {
	if dir := env("SALLYPORT_STATE"); dir != "" {
		return dir
	}
	base := env("XDG_STATE_HOME")
	if !filepath.IsAbs(base) {
		base = env("LOCALAPPDATA")
	}
	if base == "" {
		home := cmp.Or(env("HOME"), env("USERPROFILE"))
		if home == "" {
			return ""
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, "sallyport")
}
