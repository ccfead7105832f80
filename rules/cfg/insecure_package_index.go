package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed insecure_package_index.md
var insecurePackageIndexPage string

// InsecurePackageIndex flags packages that come over clear text or from a mixture of indexes.
var InsecurePackageIndex = rules.Rule{
	ID:         "insecure-package-index",
	Title:      "Package index is unencrypted or mixed",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{311, 829, 494},
	Covers:     []string{"PKG-024"},
	Page:       insecurePackageIndexPage,
	Check:      checkInsecurePackageIndex,
}

var (
	indexVars = pattern.Words("npm_config_registry bun_config_registry yarn_npm_registry_server yarn_registry pip_index_url uv_index_url uv_default_index uv_index goproxy pip_find_links uv_find_links nuget_source")
	extraVars = pattern.Words("pip_extra_index_url uv_extra_index_url")
	trustVars = pattern.Words("pip_trusted_host uv_insecure_host goinsecure")
	indexOpts = pattern.Words("--registry --index-url --default-index --index --find-links --source --pip-args")
	extraOpts = pattern.Words("--extra-index-url")
	trustOpts = pattern.Words("--trusted-host --allow-insecure-host")
)

func checkInsecurePackageIndex(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		for _, v := range s.Env {
			name := strings.ToLower(v.Name.Raw())
			judgeIndex(pass, s, v.Name.Span, v.Name.Raw(), v.Value.Raw(), indexVars.Has(name), extraVars.Has(name), trustVars.Has(name))
			if name == "npm_config_strict_ssl" && falsy(v.Value.Raw()) {
				judgeIndex(pass, s, v.Name.Span, v.Name.Raw(), "off", false, false, true)
			}
		}
		if s.Launch == nil {
			continue
		}
		for _, f := range s.Launch.Flags {
			judgeIndex(pass, s, f.At.Span, f.Name, f.Value.Raw(), indexOpts.Has(f.Name), extraOpts.Has(f.Name), trustOpts.Has(f.Name))
			if f.Name == "--strict-ssl" && falsy(f.Value.Raw()) {
				judgeIndex(pass, s, f.At.Span, f.Name, "off", false, false, true)
			}
		}
	}
}

func judgeIndex(pass *rules.Pass, s *analyzers.Server, at analyzers.Span, name, value string, index, extra, trust bool) {
	shown := analyzers.Untrusted(name)
	switch {
	case value == "" || len(value) > 4096 || !index && !extra && !trust:
	case trust:
		pass.Report(rules.OnServer(s, at, name, "server %q installs its packages without checking who serves them (%s). Use a certificate that the machine trusts.", s.Name, shown))
	case clearText(value):
		pass.Report(rules.OnServer(s, at, name, "server %q installs its packages over unencrypted HTTP (%s), so anybody on the way can replace them. Use https.", s.Name, shown))
	case extra:
		pass.Report(rules.OnServer(s, at, name, "server %q takes packages from a second index (%s): whoever claims a name on either of them is installed. Use one index that proxies the other.", s.Name, shown))
	case strings.Contains(value, "https://"):
		f := rules.OnServer(s, at, name, "server %q installs its packages from an index of its own choice (%s). Make sure that it is yours.", s.Name, shown)
		f.Severity = rules.Info
		pass.Report(f)
	}
}

// clearText reports whether one of the addresses is http and off this machine.
func clearText(value string) bool {
	for _, field := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '=' || r == '|' }) {
		if strings.HasPrefix(field, "http://") {
			if _, ok := outside(field); ok {
				return true
			}
		}
	}
	return false
}
