package flw

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/capability"
)

// kind is one way in which tools are dangerous together: a tool of each stage,
// one after the other.
type kind struct {
	name   string // the subject of its findings
	says   string // what the tools can do together
	rule   string // the id of the rule that reports it
	stages []role
}

// role is what a tool does in a flow.
type role struct {
	does    string // for a hop: "reads files"
	label   capability.Label
	objects []capability.Object // one of these; nil for any
}

var (
	stranger = role{"brings in text that strangers can write", capability.UntrustedContent, nil}
	private  = role{"reads private data", capability.ReadsPrivate, nil}
	wayOut   = role{"sends data out", capability.ReachesOut, nil}
	net      = role{"sends data to where strangers can read it", capability.ReachesOut, []capability.Object{
		capability.HTTP, capability.Post, capability.Issue, capability.Upload, capability.Chat}}
	shell = role{"runs commands or code", capability.Executes, nil}
)

func reads(what string, object capability.Object) role {
	return role{"reads " + what, capability.ReadsPrivate, []capability.Object{object}}
}

// kinds are all of them, the worst first.
var kinds = func() []kind {
	acts := func(name, says, does string, label capability.Label) kind {
		return kind{name, says, "untrusted-to-action", []role{stranger, {does, label, nil}}}
	}
	exits := func(name, says string, from, to role) kind {
		return kind{name, says, "private-data-exit", []role{from, to}}
	}
	files, secrets := reads("files", capability.File), reads("secrets", capability.Secret)
	return []kind{
		{"lethal-trifecta", "let a stranger's text have private data sent out", "lethal-trifecta", []role{stranger, private, wayOut}},
		acts("text-to-command", "let a stranger's text have commands or code run", "runs commands or code", capability.Executes),
		acts("text-to-payment", "let a stranger's text have money moved", "moves money", capability.Pays),
		acts("text-to-rights", "let a stranger's text have access granted or taken", "changes rights", capability.ChangesRights),
		acts("text-to-deletion", "let a stranger's text have data deleted", "deletes or overwrites", capability.Destroys),
		exits("secret-to-network", "can send secrets out", secrets, net),
		exits("file-to-network", "can send files out", files, net),
		exits("file-to-mail", "can mail files", files, role{"sends mail", capability.ReachesOut, []capability.Object{capability.Mail}}),
		exits("database-to-network", "can send a database out", reads("a database", capability.Database), net),
		exits("git-to-network", "can send repositories out", reads("repositories", capability.Git), net),
		exits("file-to-shell", "can hand files to commands", files, shell),
		exits("shell-to-network", "can send out what commands print", shell, net),
	}
}()

// flow is a kind that the tools of an agent make up.
type flow struct {
	kind
	stages []stage
}

// stage is the tools that play one role, by index, with the fact that says so.
type stage struct {
	role
	nodes []int
	facts []*capability.Fact
}

func flows(nodes []node) []flow {
	if len(nodes) < 2 {
		return nil // a flow takes several tools
	}
	var out []flow
	for _, k := range kinds {
		f := flow{kind: k}
		first, several := -1, false // more than one tool
		for _, r := range k.stages {
			s := stage{role: r}
			for i, n := range nodes {
				if fact := r.played(n); fact != nil {
					s.nodes, s.facts = append(s.nodes, i), append(s.facts, fact)
					several = several || first >= 0 && first != i
					first = i
				}
			}
			if len(s.nodes) == 0 {
				break
			}
			f.stages = append(f.stages, s)
		}
		if len(f.stages) == len(k.stages) && several {
			out = append(out, f)
		}
	}
	return out
}

// weighty is the order in which facts are shown: what says most about a flow
// goes first.
var weighty = []capability.Object{capability.Secret, capability.HTTP, capability.Web, capability.File, capability.Mail, capability.Database,
	capability.Git, capability.Issue, capability.Chat, capability.Post}

func weight(o capability.Object) int {
	if i := slices.Index(weighty, o); i >= 0 {
		return i
	}
	return len(weighty)
}

// played returns the weightiest fact by which a tool plays the role, nil for
// none. What only destructiveHint says does not count: servers set it on every
// click.
func (r role) played(n node) *capability.Fact {
	var best *capability.Fact
	for i := range n.facts {
		f := &n.facts[i]
		if f.Label != r.label || f.Claimed() || r.objects != nil && !slices.Contains(r.objects, f.Object) {
			continue
		}
		if best == nil || weight(f.Object) < weight(best.Object) {
			best = f
		}
	}
	return best
}

// path picks one tool a stage, as different ones as there are, and among them
// the weightiest.
func (f flow) path() []int {
	path := make([]int, len(f.stages)) // indices into the stages' lists
	used := map[int]bool{}
	for i, s := range f.stages {
		best := -1
		for j, n := range s.nodes {
			switch {
			case best < 0, used[s.nodes[best]] && !used[n]:
				best = j
			case used[n] == used[s.nodes[best]] && weight(s.facts[j].Object) < weight(s.facts[best].Object):
				best = j
			}
		}
		path[i] = best
		used[s.nodes[best]] = true
	}
	return path
}

// within reports whether the tools of one server make up the flow.
func (f flow) within(nodes []node) bool {
	var common map[*analyzers.Server]bool
	for _, s := range f.stages {
		here := map[*analyzers.Server]bool{}
		for _, n := range s.nodes {
			if server := nodes[n].server; common == nil || common[server] {
				here[server] = true
			}
		}
		common = here
	}
	return len(common) > 0
}

// related is the path, a place a hop.
func (a *agent) related(f flow, path []int) []rules.Related {
	var out []rules.Related
	for i, s := range f.stages {
		n, fact := a.nodes[s.nodes[path[i]]], s.facts[path[i]]
		at, because := fact.Span(), ""
		if said := fact.Evidence(); len(said) <= 80 {
			because = fmt.Sprintf(" (%s: %q)", analyzers.Untrusted(fact.Field.Path), said)
		}
		out = append(out, rules.Related{Message: fmt.Sprintf("hop %d of %d: %s %s%s", i+1, len(path), a.called(n), s.does, because), Span: at})
	}
	return out
}

// report reports one flow.
func (a *agent) report(pass *rules.Pass, f flow) {
	path := f.path()
	last := len(path) - 1
	n := a.nodes[f.stages[last].nodes[path[last]]]
	hops := ""
	for i, s := range f.stages {
		if i > 0 {
			hops += ", "
		}
		hops += a.called(a.nodes[s.nodes[path[i]]]) + " " + s.does
	}
	found := a.finding(f.name, n, "tools of %s together %s: %s. %s.", a.who(), f.says, hops, a.advice(cut([]flow{f}, len(a.nodes)), "which breaks every such path"))
	if f.rule == "lethal-trifecta" && a.client != nil && !f.within(a.nodes) {
		found.Severity = rules.Medium
	}
	found.Related = a.related(f, path)
	pass.Report(found)
}

// advice says how to get rid of flows: deny the tools of a cut, or split an
// agent in which there would be too many of them.
func (a *agent) advice(tools []int, effect string) string {
	const most = 8
	if len(tools) > most {
		return fmt.Sprintf("Split the agent in two, for %d of its %d tools would have to be denied, %s", len(tools), a.tools, effect)
	}
	return fmt.Sprintf("Deny %s, %s", a.call(tools), effect)
}

func reportAll(pass *rules.Pass, rule string) {
	for _, a := range agents(pass) {
		for _, f := range a.flows {
			if f.rule == rule {
				a.report(pass, f)
			}
		}
	}
}

// mostExact is the number of tools up to which cut is exact: there are at most
// 3*2^11 ways to choose a stage of every kind.
const mostExact = 4096

// cut returns the smallest set of tools without which none of the flows is
// left, ascending. Since any tool can feed any other, a flow is broken just
// when one of its stages is denied as a whole; so the smallest set is the
// union of one stage a flow. Up to mostExact tools every choice is tried,
// beyond that each flow in turn takes the stage that adds fewest. Among equals
// the later stage is denied: the way out rather than the reading.
func cut(all []flow, tools int) []int {
	words := (tools + 63) / 64
	choices := make([][][]uint64, len(all))
	for i, f := range all {
		for _, s := range slices.Backward(f.stages) {
			set := make([]uint64, words)
			for _, n := range s.nodes {
				set[n/64] |= 1 << (n % 64)
			}
			choices[i] = append(choices[i], set)
		}
	}
	chosen := make([][]uint64, len(all)+1) // the union after i flows
	for i := range chosen {
		chosen[i] = make([]uint64, words)
	}
	best, least := make([]uint64, words), tools+1
	var choose func(i int)
	choose = func(i int) {
		if i == len(all) {
			if n := count(chosen[i]); n < least {
				least = n
				copy(best, chosen[i])
			}
			return
		}
		if count(chosen[i]) >= least {
			return
		}
		if tools > mostExact {
			fewest, next := tools+1, choices[i][0]
			for _, set := range choices[i] {
				union(chosen[i+1], chosen[i], set)
				if n := count(chosen[i+1]); n < fewest {
					fewest, next = n, set
				}
			}
			union(chosen[i+1], chosen[i], next)
			choose(i + 1)
			return
		}
		for _, set := range choices[i] {
			union(chosen[i+1], chosen[i], set)
			choose(i + 1)
		}
	}
	choose(0)
	var out []int
	for n := range tools {
		if best[n/64]&(1<<(n%64)) != 0 {
			out = append(out, n)
		}
	}
	return out
}

func union(into, a, b []uint64) {
	for i := range into {
		into[i] = a[i] | b[i]
	}
}

func count(set []uint64) (n int) {
	for _, w := range set {
		n += bits.OnesCount64(w)
	}
	return n
}
