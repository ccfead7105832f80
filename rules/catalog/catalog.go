// Package catalog lists every rule. A new rule is one stem in its family's
// folder (rule.go and rule.md), one fixture and one line here; the tests of
// this package say which of them is missing. A new technique of tool text is
// one file in rules/judge/techniques and one fixture.
package catalog

import (
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/agt"
	"github.com/sallyport-mcp/sallyport/rules/cfg"
	"github.com/sallyport-mcp/sallyport/rules/cov"
	"github.com/sallyport-mcp/sallyport/rules/dsc"
	"github.com/sallyport-mcp/sallyport/rules/img"
	"github.com/sallyport-mcp/sallyport/rules/judge"
	"github.com/sallyport-mcp/sallyport/rules/pkg"
	"github.com/sallyport-mcp/sallyport/rules/sec"
	"github.com/sallyport-mcp/sallyport/rules/trn"
)

// all is every rule, the techniques of tool text included.
var all = sync.OnceValue(func() []*rules.Rule {
	all := slices.Concat(written, judge.Rules(judge.Default()))
	slices.SortFunc(all, func(a, b *rules.Rule) int { return strings.Compare(a.ID, b.ID) })
	return all
})

// written is every rule with code of its own, grouped by family. `make rule`
// adds lines.
var written = []*rules.Rule{
	&agt.HelperCommand,
	&agt.PermissionBypass,
	&agt.ProjectHook,
	&cfg.AgentSocketPassed,
	&cfg.AllProjectServersEnabled,
	&cfg.AmbiguousCommandLine,
	&cfg.AutoApprove,
	&cfg.BaseURLRedirect,
	&cfg.BroadFilesystemAccess,
	&cfg.CommandAndURL,
	&cfg.DangerousRuntimeSetting,
	&cfg.DownloadAndRun,
	&cfg.DuplicateKey,
	&cfg.DuplicateServer,
	&cfg.FloatingSource,
	&cfg.ForwardsEverything,
	&cfg.HiddenCharacters,
	&cfg.InlineCode,
	&cfg.InsecurePackageIndex,
	&cfg.NetworkToolAsServer,
	&cfg.PackagePolicyWeakened,
	&cfg.RunsAsRoot,
	&cfg.SecuritySwitchedOff,
	&cfg.SensitiveFileArgument,
	&cfg.ShellMetacharacters,
	&cfg.ShellWrapper,
	&cfg.TemporaryProgram,
	&cfg.UnpinnedPackage,
	&cov.EvasiveInput,
	&cov.UnreadableInput,
	&sec.BearerTokenInHeader,
	&sec.CredentialInConfig,
	&sec.ExposedPrivateKey,
	&sec.ExposedProviderKey,
	&sec.HighEntropyValue,
	&sec.PasswordInConnectionString,
	&sec.SecretInArgument,
	&sec.SecretInToolText,
	&sec.SecretInURL,
	&trn.CleartextRemote,
	&trn.ConfusableHost,
	&trn.LegacyTransport,
	&trn.RawAddressEndpoint,
	&trn.RequestCollector,
	&trn.WildcardBind,
	&trn.WildcardOrigin,
	&img.AddedCapability,
	&img.ContainerAsRoot,
	&img.DockerSocketMount,
	&img.HostNamespace,
	&img.HostPathMount,
	&img.PrivilegedContainer,
	&img.UnpinnedImage,
	&pkg.LookalikePackage,
	&pkg.UnscopedTwin,
	&pkg.VulnerableMCPPackage,
	&dsc.InvisibleText,
	&dsc.OversizedText,
}

// All returns every rule, sorted by id.
func All() []*rules.Rule { return slices.Clone(all()) }

// Find returns the rule with an id, nil when there is none.
func Find(id string) *rules.Rule {
	for _, r := range all() {
		if r.ID == id {
			return r
		}
	}
	return nil
}
