package flw

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/capability"
	"github.com/sallyport-mcp/sallyport/rules/pkg"
)

//go:embed vulnerable_server_reach.md
var vulnerableServerReachPage string

// VulnerableServerReach says what is lost with a server that is known to be
// broken: its credentials, and what its tools can do.
var VulnerableServerReach = rules.Rule{
	ID:         "vulnerable-server-reach",
	Title:      "Server with a known vulnerability holds credentials",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{1395, 522},
	Covers:     []string{"FLW-017"},
	Page:       vulnerableServerReachPage,
	Check:      checkVulnerableServerReach,
}

func checkVulnerableServerReach(pass *rules.Pass) {
	literal := map[*analyzers.Server][]analyzers.Secret{}
	for _, s := range pass.Catalog.Secrets {
		if s.Server != nil && s.Where != "text" {
			literal[s.Server] = append(literal[s.Server], s)
		}
	}
	var tools map[*analyzers.Server][]power
	for _, s := range pass.Catalog.Servers {
		if s.Disabled {
			continue
		}
		var held []credential
		for i, p := range s.Packages {
			flaw, ok := worst(p)
			if !ok || slices.ContainsFunc(s.Packages[:i], func(o analyzers.PackageRef) bool { return o.PURL == p.PURL }) {
				continue
			}
			if held == nil {
				held = credentials(s, literal[s])
			}
			if len(held) == 0 {
				break
			}
			if tools == nil {
				tools = strongest(agents(pass))
			}
			pass.Report(reach(s, p, flaw, held, tools[s]))
		}
	}
}

// worst is the flaw of a package that gives most away.
func worst(p analyzers.PackageRef) (worst pkg.Flaw, ok bool) {
	for _, f := range pkg.Flaws(p) {
		if f.Gain != pkg.Nothing && (!ok || f.Gain > worst.Gain || f.Gain == worst.Gain && f.Severity > worst.Severity) {
			worst, ok = f, true
		}
	}
	return worst, ok
}

// reach is the finding. It is as severe as the flaw, up to high, and a level
// less where no tool is known that does anything with the credentials.
func reach(s *analyzers.Server, p analyzers.PackageRef, flaw pkg.Flaw, held []credential, tools []power) rules.Finding {
	can := ", and no tool of it is known that does more"
	if len(tools) > 0 {
		can = " and its tools: " + listed(tools, func(t power) string { return fmt.Sprintf("%q %s", t.tool.Name, t.does) })
	}
	has := "uses it acts with"
	if flaw.Gain == pkg.Control {
		has = "uses it has"
	}
	f := rules.OnServer(s, p.Spec.Span, p.PURL+"#"+flaw.ID,
		"server %q starts %s %s, in which %s (%s): whoever %s %s%s. Move to the newest version: those from %s on have the fix. If this one has run, revoke what it was handed.",
		s.Name, analyzers.Untrusted(p.Name), analyzers.Untrusted(p.Version), flaw.Title, flaw.ID, has, listed(held, func(c credential) string { return c.name.String() }), can, flaw.Fixed)
	f.Severity = min(flaw.Severity, rules.High)
	if len(tools) == 0 {
		f.Severity--
	}
	for _, c := range held[:min(len(held), mostListed)] {
		f.Related = append(f.Related, rules.Related{Message: fmt.Sprintf("%s is handed to the server", c.name), Span: c.at})
	}
	for _, t := range tools[:min(len(tools), mostListed)] {
		f.Related = append(f.Related, rules.Related{Message: fmt.Sprintf("%q %s", t.tool.Name, t.does), Span: t.tool.Name.Span})
	}
	return f
}

// mostListed is how many credentials and tools a message names.
const mostListed = 4

func listed[T any](all []T, name func(T) string) string {
	var names []string
	for i, one := range all {
		if i == mostListed {
			names = append(names, fmt.Sprintf("%d more", len(all)-mostListed))
			break
		}
		names = append(names, name(one))
	}
	return and(names)
}

// credential is the name under which a server is handed one.
type credential struct {
	name analyzers.Untrusted
	at   analyzers.Span
}

// credentials are those that a declaration hands to its server: those that
// stand in it, and names that speak of one whose value comes from elsewhere.
func credentials(s *analyzers.Server, literal []analyzers.Secret) []credential {
	var out []credential
	add := func(name string, at analyzers.Span) {
		c := credential{analyzers.Untrusted(name), at}
		if !slices.ContainsFunc(out, func(o credential) bool { return o.name == c.name }) {
			out = append(out, c)
		}
	}
	for _, one := range literal {
		name := one.Key
		if name == "" || one.Where == "url" {
			name = "a " + strings.ReplaceAll(one.Kind, "-", " ")
		}
		add(name, one.Text.Span)
	}
	for _, vars := range [][]analyzers.Var{s.Env, s.Headers} {
		for _, v := range vars {
			if value := v.Value.Raw(); value != "" && (socket[v.Name.Raw()] || secret.CredentialName(v.Name.Raw()) && secret.Placeholder(value)) {
				add(v.Name.Raw(), v.Name.Span)
			}
		}
	}
	handedOn := func(name string, at analyzers.Span) {
		if socket[name] || secret.CredentialName(name) {
			add(name, at)
		}
	}
	for _, p := range s.Settings { // Codex lists the variables to hand on
		if strings.HasPrefix(p.Path, "env_vars[") {
			handedOn(p.Value.Raw(), p.Value.Span)
		}
	}
	if s.Launch != nil {
		for _, flag := range s.Launch.Flags {
			if name, _, assigned := strings.Cut(flag.Value.Raw(), "="); flag.Name == "--env" && !assigned {
				handedOn(name, flag.Value.Span)
			}
		}
	}
	return out
}

// socket are the variables that lead to an agent that holds keys.
var socket = map[string]bool{"SSH_AUTH_SOCK": true, "GPG_AGENT_INFO": true}

// power is the worst that a tool does.
type power struct {
	tool *analyzers.Tool
	does string
	rank int
}

// powers are what makes a tool worth having, the worst first.
var powers = []role{
	{"runs commands or code", capability.Executes, nil},
	{"moves money", capability.Pays, nil},
	{"changes rights", capability.ChangesRights, nil},
	{"deletes or overwrites", capability.Destroys, nil},
	reads("secrets", capability.Secret),
	private,
	wayOut,
	{"writes", capability.Writes, nil},
}

// strongest are by server the tools that do any of these, the worst first.
func strongest(agents []*agent) map[*analyzers.Server][]power {
	out := map[*analyzers.Server][]power{}
	for _, a := range agents {
		for _, n := range a.nodes {
			for rank, r := range powers {
				if r.played(n) != nil {
					out[n.server] = append(out[n.server], power{n.tool, r.does, rank})
					break
				}
			}
		}
	}
	for _, tools := range out {
		slices.SortStableFunc(tools, func(a, b power) int { return cmp.Compare(a.rank, b.rank) })
	}
	return out
}
