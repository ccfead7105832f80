package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed package_policy_weakened.md
var packagePolicyWeakenedPage string

// PackagePolicyWeakened flags options that let packages run scripts at installation.
var PackagePolicyWeakened = rules.Rule{
	ID:         "package-policy-weakened",
	Title:      "Package manager's safeguards are switched off",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{829, 1357},
	Covers:     []string{"PKG-023"},
	Page:       packagePolicyWeakenedPage,
	Check:      checkPackagePolicyWeakened,
}

func checkPackagePolicyWeakened(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		for _, v := range s.Env {
			name, value := strings.ToLower(v.Name.Raw()), v.Value.Raw()
			name = strings.ReplaceAll(name, "-", "_")
			switch {
			case name == "npm_config_ignore_scripts" && falsy(value),
				name == "npm_config_dangerously_allow_all_scripts" && truthy(value),
				name == "npm_config_dangerously_allow_all_builds" && truthy(value),
				name == "npm_config_min_release_age" && falsy(value),
				name == "yarn_enable_scripts" && truthy(value),
				name == "uv_index_strategy" && strings.HasPrefix(value, "unsafe"),
				name == "gosumdb" && falsy(value), name == "goflags" && strings.Contains(value, "-insecure"):
				pass.Report(rules.OnServer(s, v.Name.Span, v.Name.Raw(), "server %q switches a safeguard of its package manager off with %s. Remove it.", s.Name, v.Name))
			}
		}
		if s.Launch == nil {
			continue
		}
		for _, f := range s.Launch.Flags {
			level := rules.Severity(0)
			value := f.Value.Raw()
			switch name := f.Name; {
			case strings.HasPrefix(name, "--dangerously-allow-all"), name == "--trust", name == "--accept-flake-config",
				name == "--ignore-scripts" && falsy(value), name == "--min-release-age" && falsy(value),
				name == "--index-strategy" && strings.HasPrefix(value, "unsafe"),
				name == "--allow-scripts" && (f.Value.IsZero() || truthy(value)):
				level = rules.Medium
			case (name == "--allow-scripts" || name == "--allow-build") && value != "", name == "--break-system-packages":
				level = rules.Low
			}
			if level == 0 {
				continue
			}
			found := rules.OnServer(s, f.At.Span, f.Name, "server %q lets its packages do more than the package manager would, with %s. Remove it, or name the one package that needs it.", s.Name, analyzers.Untrusted(f.Name))
			found.Severity = level
			pass.Report(found)
		}
	}
}
