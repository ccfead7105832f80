package trn

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed wildcard_bind.md
var wildcardBindPage string

// WildcardBind flags servers that listen on every network of the machine.
var WildcardBind = rules.Rule{
	ID:         "wildcard-bind",
	Title:      "Server listens on every network interface",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{1327},
	Covers:     []string{"TRN-003", "CFG-026"},
	Page:       wildcardBindPage,
	Check:      checkWildcardBind,
}

func checkWildcardBind(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		if len(s.Images) > 0 {
			published(pass, s)
			continue // inside a container a server must listen on every interface
		}
		if s.Launch != nil {
			boundArgs(pass, s, argv(s.Launch))
		}
		for _, v := range s.Env {
			if says(v.Name.Raw()) && everywhere(v.Value.Raw()) {
				pass.Report(rules.OnServer(s, v.Value.Span, v.Name.Raw(),
					"variable %q makes server %q listen on every network interface. Write 127.0.0.1.", v.Name, s.Name))
			}
		}
	}
}

func boundArgs(pass *rules.Pass, s *analyzers.Server, argv []analyzers.Text) {
	for i, arg := range argv {
		raw := arg.Raw()
		name, value, joined := strings.Cut(raw, "=")
		at := len(name) + 1
		if !joined {
			value, at, name = raw, 0, ""
			if i > 0 {
				name = argv[i-1].Raw()
			}
		}
		if !says(name) && name != "-h" && name != "-H" && name != "-b" || !everywhere(value) {
			continue
		}
		flag := strings.TrimLeft(name, "-")
		pass.Report(rules.OnServer(s, arg.At(at, len(raw)), flag,
			"argument %q makes server %q listen on every network interface. Write 127.0.0.1.", analyzers.Untrusted(flag), s.Name))
	}
}

// published judges the ports of a container: without an address they are open
// to the network, and so past most firewalls of the machine.
func published(pass *rules.Pass, s *analyzers.Server) {
	if s.Launch == nil {
		return
	}
	for _, flag := range s.Launch.Flags {
		value := flag.Value.Raw()
		switch {
		case flag.Name == "--publish-all":
		case flag.Name != "--publish" || value == "" || strings.ContainsAny(value, "${}<>%"):
			continue
		case strings.HasPrefix(value, "0.0.0.0:") || strings.HasPrefix(value, "[::]:"):
		case strings.Count(value, ":") > 1: // another address
			continue
		}
		f := rules.OnServer(s, flag.At.Span, strings.TrimSpace(flag.Name+" "+value),
			"the port that the container of server %q publishes is open on every network interface. Write 127.0.0.1: in front of it.", s.Name)
		if !flag.Value.IsZero() {
			f.Span = flag.Value.Span
		}
		if !strings.HasPrefix(value, "0.0.0.0:") && !strings.HasPrefix(value, "[::]:") {
			f.Severity = rules.Low
		}
		pass.Report(f)
	}
}

// says reports whether a flag or variable names a place to listen at.
func says(name string) bool {
	if len(name) > 64 {
		return false
	}
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	for _, w := range words {
		switch w {
		case "host", "hostname", "bind", "listen", "address", "addr", "interface", "ip":
			return true
		}
	}
	return false
}

// everywhere reports whether a value is an address that stands for all of
// them, with or without a port.
func everywhere(value string) bool {
	value = strings.TrimPrefix(strings.TrimPrefix(value, "http://"), "tcp://")
	switch value {
	case "0.0.0.0", "::", "[::]", "0":
		return true
	}
	host, port, ok := strings.Cut(value, ":")
	if strings.HasPrefix(value, "[::]:") {
		host, port = "0.0.0.0", value[len("[::]:"):]
	}
	return ok && host == "0.0.0.0" && port != "" && strings.Trim(port, "0123456789") == ""
}
