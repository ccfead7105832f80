package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed dangerous_runtime_setting.md
var dangerousRuntimeSettingPage string

// DangerousRuntimeSetting flags variables and options that load code into a program or open it to others.
var DangerousRuntimeSetting = rules.Rule{
	ID:         "dangerous-runtime-setting",
	Title:      "Setting loads code into the server or opens it to a debugger",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{426, 427, 489},
	Covers:     []string{"CFG-017"},
	Page:       dangerousRuntimeSettingPage,
	Check:      checkDangerousRuntimeSetting,
}

// preloads are variables whose value is code for every program that starts.
var preloads = pattern.Words("LD_PRELOAD LD_AUDIT DYLD_INSERT_LIBRARIES DYLD_FRAMEWORK_PATH BASH_ENV PYTHONSTARTUP PYTHONBREAKPOINT PERL5DB PERL5OPT RUBYOPT PROMPT_COMMAND " +
	"DOTNET_STARTUP_HOOKS CORECLR_PROFILER_PATH GIT_SSH_COMMAND GIT_EXTERNAL_DIFF GIT_PROXY_COMMAND GCONV_PATH PYTHONHOME")

// paths are variables that say where code is looked for.
var paths = pattern.Words("PATH PYTHONPATH NODE_PATH LD_LIBRARY_PATH DYLD_LIBRARY_PATH PERL5LIB RUBYLIB CLASSPATH")

var (
	loadsCode  = pattern.New(`(?:^|\s)(?:--require|-r|--import|--loader|--experimental-loader)(?:[\s=]|$)|(?:^|\s)-(?:javaagent|agentpath|agentlib)[:=]|(?:^|\s)-Xrun`)
	inspects   = pattern.New(`(?:^|\s)--inspect(?:-brk|-wait|-port)?(?:[\s=]|$)|(?:^|\s)--remote-debugging-(?:port|address)`)
	everywhere = pattern.New(`(?:^|[=\s])(?:0\.0\.0\.0|\[?::\]?|\*)(?::\d+)?(?:\s|$)`)
)

func checkDangerousRuntimeSetting(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		for _, v := range s.Env {
			name, value := v.Name.Raw(), v.Value.Raw()
			if len(value) > 1<<16 || strings.TrimSpace(value) == "" {
				continue
			}
			report := func(level rules.Severity, text string) {
				f := rules.OnServer(s, v.Name.Span, name, text, s.Name, v.Name)
				f.Severity = level
				pass.Report(f)
			}
			switch upper := strings.ToUpper(name); {
			case preloads.Has(upper):
				level := rules.Medium
				if temporary(value) || strings.Contains(value, "://") {
					level = rules.High
				}
				report(level, "server %q sets %s, which runs code in every program that it starts. Remove it.")
			case upper == "NODE_OPTIONS" || upper == "JAVA_TOOL_OPTIONS" || upper == "_JAVA_OPTIONS" || upper == "BUN_OPTIONS":
				switch {
				case inspects.MatchString(value) && everywhere.MatchString(value):
					report(rules.High, "server %q sets %s so that anybody on the network can run code through its debugger. Remove the debugger, or bind it to 127.0.0.1.")
				case strings.Contains(value, "data:") || loadsCode.MatchString(value) && strings.Contains(value, "/tmp/"):
					report(rules.High, "server %q sets %s, which loads code that is in no package. Remove it.")
				case loadsCode.MatchString(value):
					report(rules.Medium, "server %q sets %s, which loads more code into every program that it starts. Remove it, or import that module in the program.")
				case inspects.MatchString(value):
					report(rules.Low, "server %q sets %s, which opens a debugger. Remove it from a shared configuration.")
				}
			case paths.Has(upper):
				if level := pathLevel(upper, value); level > 0 {
					report(level, "server %q sets %s so that programs or modules are looked for where others can put them. Name directories in full, and only those that their owner alone can write.")
				}
			}
		}
		checkRuntimeFlags(pass, s)
	}
}

// pathLevel judges a search path: a temporary directory in front of the
// others is worse than one that depends on where the client was started.
func pathLevel(name, value string) rules.Severity {
	separator := ":"
	if strings.Contains(value, ";") || len(value) > 1 && value[1] == ':' {
		separator = ";"
	}
	level := rules.Severity(0)
	for entry := range strings.SplitSeq(value, separator) {
		entry = strings.TrimSpace(entry)
		switch {
		case temporary(entry):
			return rules.High
		case name == "PATH" && (entry == "." || entry == "" || strings.HasPrefix(entry, "./") || strings.HasPrefix(entry, "../")):
			level = rules.Medium
		}
	}
	return level
}

func checkRuntimeFlags(pass *rules.Pass, s *analyzers.Server) {
	if s.Launch == nil {
		return
	}
	for _, f := range s.Launch.Flags {
		name, value := f.Name, f.Value.Raw()
		var found rules.Finding
		switch {
		case strings.HasPrefix(name, "--inspect") && everywhere.MatchString(value):
			found = rules.OnServer(s, f.At.Span, name, "server %q opens its debugger to the network, and a debugger runs any code. Bind it to 127.0.0.1, or remove it.", s.Name)
			found.Severity = rules.High
		case strings.HasPrefix(name, "--inspect"):
			found = rules.OnServer(s, f.At.Span, name, "server %q is started with a debugger. Remove %s from a shared configuration.", s.Name, analyzers.Untrusted(name))
			found.Severity = rules.Low
		case s.Launch.Program == "deno" && (name == "--allow-all" || name == "--allow-run" && value == ""):
			found = rules.OnServer(s, f.At.Span, name, "server %q takes every right that Deno could withhold. Grant the rights that it needs (--allow-net=HOST, --allow-read=DIR).", s.Name)
			found.Severity = rules.Low
		case (name == "--require" || name == "--import" || strings.HasSuffix(name, "-loader")) && (temporary(value) || strings.HasPrefix(value, "data:") || strings.HasPrefix(value, "http")):
			found = rules.OnServer(s, f.At.Span, name, "server %q loads code from a place that others can change. Remove %s.", s.Name, analyzers.Untrusted(name))
			found.Severity = rules.High
		default:
			continue
		}
		pass.Report(found)
	}
}
