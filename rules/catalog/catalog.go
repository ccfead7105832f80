// Package catalog lists every rule. A new rule is one stem in its family's
// folder (rule.go and rule.md), one fixture and one line here; the tests of
// this package say which of them is missing. A new technique of tool text is
// one file in rules/judge/techniques and one fixture.
package catalog

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/agt"
	"github.com/sallyport-mcp/sallyport/rules/cfg"
	"github.com/sallyport-mcp/sallyport/rules/cov"
	"github.com/sallyport-mcp/sallyport/rules/drf"
	"github.com/sallyport-mcp/sallyport/rules/dsc"
	"github.com/sallyport-mcp/sallyport/rules/flw"
	"github.com/sallyport-mcp/sallyport/rules/img"
	"github.com/sallyport-mcp/sallyport/rules/judge"
	"github.com/sallyport-mcp/sallyport/rules/pkg"
	"github.com/sallyport-mcp/sallyport/rules/reg"
	"github.com/sallyport-mcp/sallyport/rules/sch"
	"github.com/sallyport-mcp/sallyport/rules/sec"
	"github.com/sallyport-mcp/sallyport/rules/shd"
	"github.com/sallyport-mcp/sallyport/rules/trn"
	"github.com/sallyport-mcp/sallyport/rules/uni"
)

// all is every rule, the techniques of tool text included.
var all = sync.OnceValue(func() []*rules.Rule { return with(judge.Default()) })

func with(pack *judge.Pack) []*rules.Rule {
	all := slices.Concat(written, judge.Rules(pack))
	slices.SortFunc(all, func(a, b *rules.Rule) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// With returns every rule with the techniques of a pack that holds more than
// the program's own, sorted by id.
func With(pack *judge.Pack) ([]*rules.Rule, error) {
	for _, t := range pack.Techniques {
		if r := Find(t.ID); r != nil && !slices.ContainsFunc(judge.Default().Techniques, func(o *judge.Technique) bool { return o.ID == t.ID }) {
			return nil, fmt.Errorf("there is a rule %q already; choose another id", t.ID)
		}
	}
	return with(pack), nil
}

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
	&flw.CarriedResult,
	&flw.LethalTrifecta,
	&flw.PaymentTool,
	&flw.PrivateDataExit,
	&flw.SeveralToxicFlows,
	&flw.UntrustedToAction,
	&flw.VulnerableServerReach,
	&img.AddedCapability,
	&img.ContainerAsRoot,
	&img.DockerSocketMount,
	&img.HostNamespace,
	&img.HostPathMount,
	&img.PrivilegedContainer,
	&img.UnpinnedImage,
	&pkg.LookalikeInText,
	&pkg.LookalikePackage,
	&pkg.UnscopedTwin,
	&pkg.VulnerableMCPPackage,
	&drf.AddedDefinition,
	&drf.ChangedIdentity,
	&drf.ChangedText,
	&drf.ExpandedCapability,
	&drf.PoisonedChange,
	&drf.RemovedDefinition,
	&drf.UntrustedManifest,
	&dsc.AnnotationContradiction,
	&dsc.InvisibleText,
	&dsc.OversizedText,
	&dsc.PurposeMismatch,
	&sch.CredentialParameter,
	&sch.DataSinkParameter,
	&sch.ExplodingSchema,
	&sch.ExfiltrationParameter,
	&sch.FreeFormInput,
	&sch.HiddenTool,
	&sch.MissingDescription,
	&sch.PromptPassthrough,
	&sch.RemoteSchema,
	&sch.SecretInHeader,
	&sch.SteeringDefault,
	&sch.UnconstrainedInput,
	&shd.ConfusableToolName,
	&shd.ForeignToolReference,
	&shd.HostToolName,
	&shd.ImpersonatedTool,
	&shd.MisleadingServerName,
	&shd.OddToolName,
	&shd.RenamedTool,
	&shd.SharedToolName,
	&uni.BrokenCharacters,
	&uni.ConfusableHostInText,
	&uni.DisguisedWords,
	&uni.EncodedText,
	&uni.LayeredEncoding,
	&uni.MixedScriptName,
	&uni.PushedOutText,
	&uni.StackedMarks,
	&uni.UnstableName,
	&reg.ChangedServer,
	&reg.DeniedServer,
	&reg.DeniedTool,
	&reg.ExpiredApproval,
	&reg.QuarantinedServer,
	&reg.UnapprovedServer,
}

// All returns every rule, sorted by id.
func All() []*rules.Rule { return slices.Clone(all()) }

// Find returns the rule with an id, nil when there is none.
func Find(id string) *rules.Rule { return FindIn(all(), id) }

// FindIn returns the rule of a list with an id, nil when there is none.
func FindIn(list []*rules.Rule, id string) *rules.Rule {
	for _, r := range list {
		if r.ID == id {
			return r
		}
	}
	return nil
}
