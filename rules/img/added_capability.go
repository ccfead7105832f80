package img

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed added_capability.md
var addedCapabilityPage string

// AddedCapability flags capabilities and switched-off confinement.
var AddedCapability = rules.Rule{
	ID:         "added-capability",
	Title:      "Container is given rights that containers lack",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{250, 269},
	Covers:     []string{"IMG-002"},
	Page:       addedCapabilityPage,
	Check:      checkAddedCapability,
}

func checkAddedCapability(pass *rules.Pass) {
	flags(pass, func(s *analyzers.Server, f analyzers.Flag) {
		value := f.Value.Raw()
		switch f.Name {
		case "--cap-add":
			for name := range strings.SplitSeq(value, ",") {
				name = strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(name)), "CAP_")
				severity := capabilities[name]
				if severity == 0 {
					continue
				}
				found := rules.OnServer(s, f.Value.Span, name, "the container of server %q is given the capability %s. Remove it.", s.Name, name)
				found.Severity = severity
				pass.Report(found)
			}
		case "--security-opt":
			option := strings.ReplaceAll(strings.ToLower(value), ":", "=")
			if what := loosened[option]; what != "" {
				found := rules.OnServer(s, f.Value.Span, option, "the container of server %q runs %s. Remove the option.", s.Name, what)
				found.Severity = rules.Medium
				pass.Report(found)
			}
		}
	})
}

// capabilities that lead out of a container (high) or to the host's network
// and devices (medium); see capabilities(7). Those that engines grant by
// default are not here.
var capabilities = map[string]rules.Severity{
	"ALL": rules.High, "SYS_ADMIN": rules.High, "SYS_MODULE": rules.High, "SYS_RAWIO": rules.High, "SYS_PTRACE": rules.High,
	"DAC_READ_SEARCH": rules.High, "BPF": rules.High, "MAC_ADMIN": rules.High, "MAC_OVERRIDE": rules.High,
	"NET_ADMIN": rules.Medium, "PERFMON": rules.Medium, "SYSLOG": rules.Medium, "SYS_BOOT": rules.Medium, "SYS_TIME": rules.Medium,
	"CHECKPOINT_RESTORE": rules.Medium, "LINUX_IMMUTABLE": rules.Medium,
}

var loosened = map[string]string{
	"seccomp=unconfined":      "without a filter of system calls",
	"apparmor=unconfined":     "without an AppArmor profile",
	"label=disable":           "without SELinux",
	"systempaths=unconfined":  "with the kernel's files unmasked",
	"no-new-privileges=false": "with setuid programs allowed to raise its rights",
}
