// Package reg holds the rules on the registry: which of the servers that a
// scan finds were approved, and whether they still are what was approved.
//
// The rules are bound to a registry before they run (Bind). Without one they
// find nothing.
package reg

import (
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
)

// unbound is the check of a rule without a registry.
func unbound(*rules.Pass) {}

// checks are what the rules do once they have a registry.
var checks = map[string]func(*rules.Pass, *uses){
	"unapproved-server":  checkUnapproved,
	"denied-server":      checkDenied,
	"quarantined-server": checkQuarantined,
	"expired-approval":   checkExpired,
	"changed-server":     checkChanged,
	"denied-tool":        checkTools,
}

// Needs reports whether a rule finds something only with a registry.
func Needs(r *rules.Rule) bool { return checks[r.ID] != nil }

// Bind returns the list with the rules of this package bound to a registry:
// they judge on behalf of somebody, on a day (YYYY-MM-DD). The rules of the
// list are not changed.
func Bind(list []*rules.Rule, r *registry.Registry, who registry.Who, today string) []*rules.Rule {
	judge := &judge{r, who, today}
	out := slices.Clone(list)
	for i, rule := range out {
		if check := checks[rule.ID]; check != nil {
			bound := *rule
			bound.Check = func(pass *rules.Pass) {
				check(pass, pass.Shared(judge, func() any { return judge.of(pass.Catalog) }).(*uses))
			}
			out[i] = &bound
		}
	}
	return out
}

// A Use is one use of a server that a catalog shows, with what a registry says
// of it.
type Use struct {
	Server *analyzers.Server
	registry.Decision
}

// Uses is what the rules of this package judge: every use of a server in a
// client, and every captured surface that has a word to add.
func Uses(c *analyzers.Catalog, r *registry.Registry, who registry.Who, today string) []Use {
	var out []Use
	for _, one := range (&judge{r, who, today}).of(c).list {
		out = append(out, Use{one.Server, one.Decision})
	}
	return out
}

type judge struct {
	registry *registry.Registry
	who      registry.Who
	today    string
}

// uses is what a catalog uses, with what the registry says of it.
type uses struct {
	*judge
	list   []use
	byName map[string][]registry.Identity // of declared servers: different ones may share a name
}

type use struct {
	registry.Observed
	registry.Decision
}

func (j *judge) of(c *analyzers.Catalog) *uses {
	u := &uses{judge: j, byName: map[string][]registry.Identity{}}
	for _, o := range registry.Observe(c) {
		s := o.Server
		if s.Client == nil && s.Format != "capture" && s.Format != "inspection" {
			continue // a server's own description of itself is no use of it
		}
		var d registry.Decision
		switch {
		case s.Format != "capture":
			name := s.Name.Raw()
			if !slices.ContainsFunc(u.byName[name], o.Identity.Same) {
				u.byName[name] = append(u.byName[name], o.Identity)
			}
			if o.Capture != s {
				o.Identity.Surface = "" // judged where the capture is
			}
			d = j.registry.Decide(o.Identity, j.who, "", j.today)
		case o.Problem != "":
			d = registry.Decision{Status: registry.Changed, Changed: "surface", Reason: "it cannot be compared: " + analyzers.Untrusted(o.Problem).String()}
		case o.Named():
			d = j.registry.Surface(o.Identity.Name, o.Identity.Surface, j.who, j.today)
		default:
			d = j.registry.Decide(o.Identity, j.who, "", j.today)
			if d.Changed != "surface" {
				continue // what is wrong with the server is said at its declaration
			}
		}
		u.list = append(u.list, use{o, d})
	}
	return u
}

// with calls visit with every use of one status.
func (u *uses) with(status registry.Status, visit func(use)) {
	for _, one := range u.list {
		if one.Status == status {
			visit(one)
		}
	}
}

// finding is the start of a finding about a use. Where nothing starts by
// itself (documentation, test data, a disabled server), quiet makes it
// information.
func finding(one use, span analyzers.Span, quiet bool, format string, args ...any) rules.Finding {
	s := one.Server
	f := rules.OnServer(s, span, s.Name.Raw(), format, args...)
	switch s.Exposure {
	case analyzers.Docs, analyzers.Template, analyzers.Test:
		if quiet {
			f.Severity = rules.Info
		}
	}
	if s.Disabled && quiet {
		f.Severity = rules.Info
	}
	if one.Entry != nil {
		f.Subject = one.Entry.ID
	}
	return f
}

// granted are the settings that let a tool run without a question, with the
// tool's name or "mcp__SERVER__TOOL" or "SERVER:TOOL" as value.
func granted(path string) bool {
	key, _, list := strings.Cut(path, "[")
	key = key[strings.LastIndexByte(key, '.')+1:]
	switch key {
	case "alwaysAllow", "autoApprove", "autoapprove", "always_allow", "auto_approve", "allowedTools", "allowed-tools", "allowed_tools",
		"autoApproveTools", "alwaysAllowTools", "enabled_tools", "enabledTools", "includeTools", "allow", "mcpAllowlist", "allowed":
		return list
	}
	return false
}

// qualified takes "mcp__SERVER__TOOL" and "SERVER:TOOL" apart.
func qualified(entry string) (server, tool string, ok bool) {
	entry, _, _ = strings.Cut(strings.TrimSpace(entry), "(")
	if rest, is := strings.CutPrefix(entry, "mcp__"); is {
		server, tool, ok = strings.Cut(rest, "__")
		return server, tool, ok && tool != "" && tool != "*"
	}
	server, tool, ok = strings.Cut(entry, ":")
	return server, tool, ok && tool != "" && tool != "*"
}
