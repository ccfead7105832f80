package drift

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/dsc"
	textjudge "github.com/sallyport-mcp/sallyport/rules/judge"
	"github.com/sallyport-mcp/sallyport/rules/sch"
	"github.com/sallyport-mcp/sallyport/rules/shd"
	"github.com/sallyport-mcp/sallyport/rules/text"
	"github.com/sallyport-mcp/sallyport/rules/uni"
)

// objection is a judgement on what is new in a definition.
type objection struct {
	kind     string
	name     analyzers.Untrusted
	field    string
	span     analyzers.Span
	severity rules.Severity
	reason   string
}

// judged holds the objections to the new surface that the old one does not
// share.
type judged struct {
	all []objection
}

// onSurface is every rule on what servers say.
var onSurface = sync.OnceValue(func() []*rules.Rule {
	return append(textjudge.Rules(textjudge.Default()),
		&sch.CredentialParameter, &sch.DataSinkParameter, &sch.ExfiltrationParameter, &sch.RemoteSchema, &sch.SteeringDefault, &sch.HiddenTool,
		&dsc.InvisibleText, &dsc.AnnotationContradiction, &dsc.PurposeMismatch,
		&uni.BrokenCharacters, &uni.ConfusableHostInText, &uni.DisguisedWords, &uni.EncodedText, &uni.LayeredEncoding, &uni.MixedScriptName, &uni.PushedOutText, &uni.StackedMarks,
		&shd.ConfusableToolName, &shd.ForeignToolReference, &shd.ImpersonatedTool)
})

var textJudge = sync.OnceValue(func() *textjudge.Judge { return textjudge.New(textjudge.Default()) })

// judge compares what the rules say of both surfaces, and of the new text
// alone: what is added counts even where the rest dilutes it.
func judge(before, after Side) *judged {
	j := &judged{}
	had := map[string]bool{}
	for _, f := range findings(before) {
		had[key(f)] = true
	}
	for _, f := range findings(after) {
		if f.Severity < rules.Medium || had[key(f)] || picture(after.Surface, f) || doubtful(f.Rule.ID, f.Severity, string(f.Span.Raw())) {
			continue
		}
		kind := "tool"
		if f.Tool == "" {
			kind = "instructions"
		}
		j.all = append(j.all, objection{kind, analyzers.Untrusted(f.Tool), f.Subject, f.Span, max(f.Severity, rules.High), f.Rule.ID + ": " + f.Message})
	}
	return j
}

// surelyAt is the weight from which on the learned model is believed alone.
const surelyAt = 3.2

// doubtful reports whether only the learned model objects, and not strongly, to
// a clause that nothing else speaks against: half of what it says then is wrong.
func doubtful(technique string, level rules.Severity, clause string) bool {
	return technique == "foreign-order" && level < rules.High && suspicionOf(clause, false).weight == 0
}

// picture reports whether a finding is about the bytes of an icon.
func picture(s *analyzers.Surface, f rules.Finding) bool {
	if !strings.HasPrefix(f.Subject, "icons[") {
		return false
	}
	for _, item := range manifest.Items(s) {
		for _, field := range item.Fields {
			if field.Path == f.Subject && item.Name.Raw() == f.Tool && strings.HasPrefix(field.Text.Raw(), "data:image/") {
				return true
			}
		}
	}
	return false
}

// key is what makes a finding the same in another version of a surface: its
// rule, the definition and the words that it rests on.
func key(f rules.Finding) string {
	return f.Rule.ID + "\x00" + f.Tool + "\x00" + string(f.Span.Raw()) + "\x00" + f.Subject
}

// findings are those of one side alone, as if it were live.
func findings(s Side) []rules.Finding {
	server := &analyzers.Server{Surface: *s.Surface, Exposure: analyzers.Active}
	server.Name = analyzers.Text{Value: analyzers.Untrusted(s.Server.Name)}
	return rules.Check(&analyzers.Catalog{Servers: []*analyzers.Server{server}}, onSurface())
}

func (j *judged) of(kind string, name analyzers.Untrusted) []objection {
	var out []objection
	for _, o := range j.all {
		if o.kind == kind && (o.name == name || kind == "instructions") || kind != "tool" && kind != "instructions" && o.kind == "tool" && o.name == name {
			out = append(out, o)
		}
	}
	return out
}

func (j *judged) worst(kind string, name analyzers.Untrusted) (objection, bool) {
	all := j.of(kind, name)
	if len(all) == 0 {
		return objection{}, false
	}
	return slices.MaxFunc(all, func(a, b objection) int { return int(a.severity) - int(b.severity) }), true
}

// sentences are the clauses of a text, in lower case without disguise and
// signs, with their places.
type sentence struct {
	words      string
	start, end int
}

func sentences(s string) []sentence {
	var out []sentence
	for _, c := range text.Clauses(s) {
		out = append(out, sentence{strings.Join(wordsOf(s[c.Start:c.End]), " "), c.Start, c.End})
	}
	return out
}

// introduced are the sentences of a new text that the old one does not have.
func introduced(before, after string) []sentence {
	old := map[string]bool{}
	for _, s := range sentences(before) {
		old[s.words] = true
	}
	return slices.DeleteFunc(sentences(after), func(s sentence) bool { return s.words == "" || old[s.words] })
}

// suspect judges the new sentences of one place.
func suspectText(names []string, before, after analyzers.Text) (objection, bool) {
	fresh := introduced(before.Raw(), after.Raw())
	if len(fresh) == 0 {
		return objection{}, false
	}
	var fields, oldFields []analyzers.Field
	for _, s := range fresh {
		fields = append(fields, analyzers.Field{Path: "text", Text: after.Slice(s.start, s.end)})
	}
	oldFields = append(oldFields, analyzers.Field{Path: "text", Text: before})
	level, signs := textJudge().Definition(textjudge.Setting{Names: names}, fields)
	_, oldSigns := textJudge().Definition(textjudge.Setting{Names: names}, oldFields)
	if level >= rules.Low {
		for _, s := range signs {
			known := slices.ContainsFunc(oldSigns, func(o textjudge.FieldSign) bool { return o.Technique == s.Technique && o.Weight >= s.Weight })
			if s.Mentioned || known || s.Weight < 1 || s.Weight < surelyAt && doubtful(s.Technique.ID, level, s.Evidence.Raw()) {
				continue
			}
			severity := max(level, rules.High)
			return objection{span: s.Field.Text.At(s.Start, s.End), severity: severity, reason: fmt.Sprintf("the new text does this: %s (%q)", lowerFirst(s.Technique.Title), cut(s.Evidence.Raw()))}, true
		}
	}
	best, at := suspicion{}, sentence{}
	for _, s := range fresh {
		found := suspicionOf(after.Raw()[s.start:s.end], false)
		if foreign(before.Raw(), after.Raw()[s.start:s.end]) {
			found.weight, found.signs[conceal] = found.weight+suspectAt, true
		}
		if kin := closest(s.words, before.Raw()); kin != "" {
			found.less(suspicionOf(kin, false))
		}
		if found.weight > best.weight {
			best, at = found, s
		}
	}
	if best.weight >= suspectAt {
		return objection{span: after.At(at.start, at.end), severity: rules.High, reason: fmt.Sprintf("the new text %s: %q", best.why(), cut(after.Raw()[at.start:at.end]))}, true
	}
	return objection{}, false
}

// closest is the old sentence that shares most words with a new one, "" when
// none shares half.
func closest(words, before string) string {
	mine := map[string]bool{}
	n := 0
	for w := range strings.FieldsSeq(words) {
		if !mine[w] {
			n++
		}
		mine[w] = true
	}
	best, kin := 0, ""
	for _, s := range sentences(before) {
		shared := 0
		seen := map[string]bool{}
		for w := range strings.FieldsSeq(s.words) {
			if mine[w] && !seen[w] {
				shared++
			}
			seen[w] = true
		}
		if shared > best && 2*shared >= n {
			best, kin = shared, before[s.start:s.end]
		}
	}
	return kin
}

// suspectNew judges the texts of a definition that is new as a whole.
func (c *comparison) suspectNew(p manifest.Pair) (objection, bool) {
	for _, f := range p.New.Fields {
		if f.Key {
			continue
		}
		best := suspicion{}
		for _, s := range sentences(f.Text.Raw()) {
			if found := suspicionOf(f.Text.Raw()[s.start:s.end], false); found.weight > best.weight {
				best = found
			}
		}
		if best.weight >= suspectWholeAt {
			return objection{field: f.Path, span: f.Text.Span, severity: rules.High, reason: fmt.Sprintf("a %s that nobody has approved, and its text %s", p.Kind, best.why())}, true
		}
	}
	return objection{}, false
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
