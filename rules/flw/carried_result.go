package flw

import (
	_ "embed"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/capability"
)

//go:embed carried_result.md
var carriedResultPage string

// CarriedResult flags texts that have what one tool brings executed, sent or
// kept by another.
var CarriedResult = rules.Rule{
	ID:         "carried-result",
	Title:      "Text has the result of one tool executed, sent or kept by another",
	Severity:   rules.Medium,
	Confidence: rules.Tentative,
	CWE:        []int{829, 1427, 200},
	Covers:     []string{"FLW-018"},
	Page:       carriedResultPage,
	Check:      checkCarriedResult,
}

func checkCarriedResult(pass *rules.Pass) {
	checkDefinitions(pass)
	checkDocuments(pass)
}

// The ends of a hand-over: what a step brings, and what a later one does with it.
var (
	opened = reads("secrets", capability.Secret)
	sends  = role{"sends it out", capability.ReachesOut, nil}
	keeps  = role{"writes it to where agents and shells obey it", capability.Writes, nil}

	sources = []role{stranger, opened, private}
	sinks   = []role{
		{"runs it", capability.Executes, nil}, {"moves money by it", capability.Pays, nil},
		{"changes rights by it", capability.ChangesRights, nil}, sends,
	}
)

// plays returns the first of the roles that a tool plays.
func (t *named) plays(roles []role) (role, bool) {
	for _, r := range roles {
		if r.played(node{facts: t.facts}) != nil {
			return r, true
		}
	}
	return role{}, false
}

// brings is what the step adds to the context, if anything that matters.
func (s *step) brings() (role, bool) {
	switch {
	case s.tool != nil:
		return s.tool.plays(sources)
	case s.verb == bring && s.is&secretly != 0:
		return opened, true
	case s.verb == bring && (s.url || s.is&outside != 0), s.verb == probe && s.url, s.verb == load:
		return stranger, true
	}
	return role{}, false
}

// acts is what the step does with what came before, if it takes any of it.
func (s *step) acts() (role, bool) {
	if s.is&(firmly|loosely) == 0 && len(s.paths) == 0 {
		return role{}, false
	}
	switch {
	case s.tool != nil:
		return s.tool.plays(sinks)
	case s.verb == execute:
		return sinks[0], true
	case s.verb == transmit && (s.url || s.is&address != 0):
		return sends, true
	case s.verb == store && s.is&lasting != 0:
		return keeps, true
	}
	return role{}, false
}

// severity is that of a hand-over, zero where it is none.
func severity(from, to role, act *step) rules.Severity {
	switch {
	case to.label == sends.label && from.does == opened.does && (act.url || act.is&address != 0):
		return rules.High
	case to.label == sends.label && from.does == opened.does:
		return rules.Medium
	case to.label == sends.label && from.label == private.label:
		return rules.Low
	case to.label != sends.label && from.label == stranger.label:
		return rules.Medium
	}
	return 0
}

// source is a step that has brought something.
type source struct {
	*step
	role
	at int // in the order in which an agent reads
}

// chain follows what steps carry, in the order in which an agent reads them.
type chain struct {
	last   []source          // one a role, the latest
	files  map[string]source // by the file or variable that holds it
	n      int
	asked  int // the step before which the user was asked last
	report func(from source, act *step, to role, asked bool)
}

func newChain(report func(from source, act *step, to role, asked bool)) *chain {
	return &chain{files: map[string]source{}, asked: -1, report: report}
}

// reachBack is how many steps back a text speaks of when it says "the output".
const reachBack = 4

// taken are the sources that a step speaks of.
func (c *chain) taken(s *step) []source {
	var out []source
	for _, p := range s.paths {
		if from, ok := c.files[p]; ok {
			return []source{from}
		}
	}
	for _, from := range c.last {
		if back := c.n - from.at; s.is&firmly != 0 && back <= reachBack || s.is&loosely != 0 && back == 1 {
			out = append(out, from)
		}
	}
	return out
}

// next takes the next step.
func (c *chain) next(s *step) {
	c.n++
	if s.asked {
		c.asked = c.n
	}
	taken := c.taken(s)
	if to, ok := s.acts(); ok {
		for _, from := range taken {
			if far(from.step, s) {
				c.report(from, s, to, c.asked >= from.at)
			}
		}
	}
	const mostFiles = 256
	if r, ok := s.brings(); ok {
		from := source{s, r, c.n}
		c.add(from)
		taken = []source{from}
	}
	if s.verb == store || s.verb == bring || s.verb == load {
		for _, p := range s.paths {
			if len(taken) > 0 && len(c.files) < mostFiles {
				c.files[p] = taken[0]
			}
		}
	}
}

func (c *chain) add(from source) {
	for i := range c.last {
		if c.last[i].does == from.does {
			c.last[i] = from
			return
		}
	}
	c.last = append(c.last, from)
}

// far reports whether two steps are not one sentence about one thing, which is
// the business of the techniques of package judge.
func far(a, b *step) bool {
	return a.text.Span != b.text.Span || a.clause != b.clause || a.tool != nil && b.tool != nil && a.tool != b.tool
}

// says is a step's own words, short enough for a message.
func (s *step) says() analyzers.Untrusted {
	const enough = 80
	said := strings.Join(strings.Fields(s.text.Raw()[s.start:s.end]), " ")
	if len(said) > enough {
		end := enough
		for !utf8.RuneStart(said[end]) {
			end--
		}
		said = said[:end] + "..."
	}
	return analyzers.Untrusted(said)
}

// lessened is a severity a level lower where the user is asked in between.
func lessened(s rules.Severity, asked bool) rules.Severity {
	if asked {
		return max(s-1, rules.Info)
	}
	return s
}

// checkDefinitions looks at what the definitions of an agent's servers say of
// its tools. A saved answer that is part of several agents is read once.
func checkDefinitions(pass *rules.Pass) {
	read := map[*analyzers.Server]bool{}
	for _, a := range agents(pass) {
		tools := map[string]*named{}
		owners := map[*analyzers.Item]*named{}
		for _, n := range a.nodes {
			t := &named{n.tool.Name.Raw(), n.facts, n.tool}
			tools[t.name], owners[&n.tool.Item] = t, t
		}
		if len(tools) < 2 {
			continue
		}
		find := func(name string) *named { return tools[name] }
		for _, s := range a.shown {
			if read[s] {
				continue
			}
			read[s] = true
			reported := map[string]bool{}
			s.Surface.Fields(func(item *analyzers.Item, f analyzers.Field) {
				if f.Key || item != nil && f.Path == "name" {
					return
				}
				own := owners[item]
				report := func(from source, act *step, to role, asked bool) {
					level := min(severity(from.role, to, act), rules.Medium)
					if level == 0 || from.tool == nil || act.tool == nil || from.tool == act.tool {
						return
					}
					subject := from.tool.name + " > " + act.tool.name
					if reported[subject] {
						return
					}
					reported[subject] = true
					found := rules.OnServer(s, act.text.At(act.start, act.end), subject,
						"text of server %q has a model take what %q answers, which %s, to %q, which %s. Have a person see the answer before that call, or deny one of the two.",
						s.Name, analyzers.Untrusted(from.tool.name), from.does, analyzers.Untrusted(act.tool.name), to.does)
					if item != nil {
						found.Tool = item.Name.Raw()
					}
					found.Severity = lessened(level, asked)
					found.Related = []rules.Related{{Message: fmt.Sprintf("%q: %s", analyzers.Untrusted(from.tool.name), from.does), Span: from.tool.owner.Name.Span}}
					pass.Report(found)
				}
				c := newChain(report)
				all := steps(f.Text, find)
				if own == nil {
					for i := range all {
						c.next(&all[i])
					}
					return
				}
				self := &step{text: f.Text, clause: -1, tool: own, is: firmly}
				if r, ok := own.plays(sources); ok {
					c.add(source{self, r, 0})
				}
				to, does := own.plays(sinks)
				for i := range all {
					one := &all[i]
					c.next(one)
					if from, ok := one.brings(); ok && does && one.is&firmly != 0 && one.tool != nil {
						report(source{one, from, i}, &step{text: f.Text, start: one.start, end: one.end, tool: own}, to, one.asked)
					}
				}
			})
		}
	}
}

// document is one that agents load, with its steps.
type document struct {
	*analyzers.Document
	steps []step
}

// mostRead bounds the steps that one document leads to.
const mostRead = 4096

// checkDocuments looks at what agents load: a document and those that it refers
// to, read where it does.
func checkDocuments(pass *rules.Pass) {
	tools := map[string]*named{}
	for _, a := range agents(pass) {
		for _, n := range a.nodes {
			tools[n.tool.Name.Raw()] = &named{n.tool.Name.Raw(), n.facts, n.tool}
		}
	}
	find := func(name string) *named {
		if t := tools[name]; t != nil {
			return t
		}
		return hostTools()[name]
	}
	files := map[string]*document{}
	var all []*document
	for _, d := range pass.Catalog.Documents {
		if d.Server != nil || d.Source == nil {
			continue
		}
		switch d.Kind {
		case "agent-rules", "skill", "skill-reference", "command", "subagent":
		default:
			continue
		}
		doc := &document{Document: d}
		for _, f := range d.Fields {
			if !f.Key {
				doc.steps = append(doc.steps, steps(f.Text, find)...)
			}
		}
		all = append(all, doc)
		files[d.Source.Path] = doc
	}
	for _, root := range all {
		seen := map[*document]bool{root: true}
		reported := map[analyzers.Span]bool{}
		c := newChain(func(from source, act *step, to role, asked bool) {
			level := severity(from.role, to, act)
			here, there := act.text.Span.Path(), from.text.Span.Path()
			if level == 0 || here == there && here != root.Source.Path {
				return // what one file says alone is reported there
			}
			span := act.text.At(act.start, act.end)
			if reported[span] {
				return
			}
			reported[span] = true
			between := ""
			if here != there {
				between = fmt.Sprintf(" (%s and %s)", analyzers.Untrusted(there), analyzers.Untrusted(here))
			}
			found := rules.Finding{Exposure: root.Exposure, Subject: subject(root, from.step, act), Span: span}
			found.Message = fmt.Sprintf("%s %q%s has an agent do %q, which %s, and then %q, which %s. Have it show the user what it got before it goes on.",
				strings.ReplaceAll(root.Kind, "-", " "), root.Name, between, from.says(), from.does, act.says(), to.does)
			found.Severity = lessened(level, asked)
			found.Related = []rules.Related{{Message: "what it takes", Span: from.text.At(from.start, from.end)}}
			pass.Report(found)
		})
		left := mostRead
		var walk func(d *document)
		walk = func(d *document) {
			for i := range d.steps {
				if left--; left < 0 {
					return
				}
				s := &d.steps[i]
				c.next(s)
				for _, p := range s.paths {
					if next := resolve(files, d.Source.Path, p); next != nil && !seen[next] {
						seen[next] = true
						walk(next)
					}
				}
			}
		}
		walk(root)
	}
}

// subject names a hand-over between scans: what is done, and with which file.
func subject(root *document, from, act *step) string {
	name := root.Name.Raw()
	if here := act.text.Span.Path(); here != from.text.Span.Path() {
		name = path.Base(here)
	}
	return fmt.Sprintf("%s: %s > %s", name, first(from), first(act))
}

// first is the word that a step begins with.
func first(s *step) string {
	word, _, _ := strings.Cut(s.text.Raw()[s.start:s.end], " ")
	return strings.ToLower(word)
}

// resolve finds the document that a path means, from where it is written.
func resolve(files map[string]*document, from, p string) *document {
	p, _, _ = strings.Cut(p, "#")
	if d := files[path.Join(path.Dir(from), p)]; d != nil {
		return d
	}
	return files[path.Clean(strings.TrimPrefix(p, "/"))]
}
