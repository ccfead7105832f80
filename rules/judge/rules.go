package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

// Rules returns each technique of a pack as a rule over what servers say.
func Rules(pack *Pack) []*rules.Rule {
	j := New(pack)
	look := &rules.Look{Clear: j.clear}
	var out []*rules.Rule
	for _, t := range pack.Techniques {
		out = append(out, &rules.Rule{
			ID: t.ID, Title: t.Title, Severity: rules.High, Confidence: t.Confidence, CWE: t.CWE, Covers: t.Covers, Page: t.Page, Messages: true, Look: look,
			Check: func(pass *rules.Pass) {
				found := pass.Shared(j, func() any { return j.catalog(pass.Catalog, text.CacheOf(pass.Shared)) }).(map[*Technique][]rules.Finding)
				for _, f := range found[t] {
					pass.Report(f)
				}
			},
		})
	}
	return out
}

// definition is what is judged together: a tool with all its strings, a
// server's instructions, a document.
type definition struct {
	server *analyzers.Server   // nil for a document that no server sent
	owner  *analyzers.Item     // nil for instructions and documents
	doc    *analyzers.Document // nil for what is on a surface
	fields []analyzers.Field
	Setting
}

// FieldSign is a sign and the field that shows it. Evidence is the clause as
// it was read: decoded, where the field holds it encoded or hidden.
type FieldSign struct {
	Sign
	Field    analyzers.Field
	Evidence analyzers.Untrusted
}

// catalog judges every definition and returns the findings by technique.
func (j *Judge) catalog(c *analyzers.Catalog, cache *text.Cache) map[*Technique][]rules.Finding {
	var found map[*Technique][]rules.Finding
	all := definitions(c)
	for i := range all {
		d := &all[i]
		level, signs := j.definition(d.Setting, d.fields, cache.Views)
		for _, s := range signs {
			if f, ok := finding(d, level, s); ok {
				if found == nil {
					found = map[*Technique][]rules.Finding{}
				}
				found[s.Technique] = append(found[s.Technique], f)
			}
		}
	}
	return found
}

// definitions groups the texts of a catalog by what they belong to.
func definitions(c *analyzers.Catalog) []definition {
	out := make([]definition, 0, len(c.Documents))
	for _, s := range c.Servers {
		first := len(out)
		siblings := NewSiblings(s)
		s.Surface.Fields(func(owner *analyzers.Item, f analyzers.Field) {
			if len(out) == first || out[len(out)-1].owner != owner || owner == nil {
				d := definition{server: s, owner: owner, Setting: Setting{Siblings: siblings}}
				if owner != nil {
					d.Names = []string{owner.Name.Raw()}
				}
				out = append(out, d)
			}
			d := &out[len(out)-1]
			d.fields = append(d.fields, f)
		})
	}
	for _, doc := range c.Documents {
		out = append(out, definition{server: doc.Server, doc: doc, fields: doc.Fields, Setting: Setting{Role: InText, Names: []string{doc.Name.Raw()}}})
	}
	return out
}

// shortest is the length of the shortest string that can order anything.
const shortest = 12

// longName is from how many spaces on a name is read as a clause.
const longName = 3

// longest is how much of a string is judged; a rule of its own speaks of
// longer ones.
const longest = 64 << 10

// Definition judges the fields of one definition together: the strongest sign
// of each technique counts, wherever it stands. The signs come strongest first.
func (j *Judge) Definition(in Setting, fields []analyzers.Field) (rules.Severity, []FieldSign) {
	return j.definition(in, fields, func(raw string) []text.View { return text.Views(raw, text.Limits{}) })
}

// definition is Definition of texts that layOut lays out.
func (j *Judge) definition(in Setting, fields []analyzers.Field, layOut func(raw string) []text.View) (rules.Severity, []FieldSign) {
	var best []FieldSign // by technique; nil without any sign
	type strange struct {
		window
		field int
		view  *text.View
	}
	var suspects []strange
	var plain []string // by field: its text without disguise, where it has one
	add := func(s Sign, field int, view *text.View) {
		if best == nil {
			best = make([]FieldSign, len(j.techniques))
		}
		i := slices.Index(j.techniques, s.Technique)
		if s.beats(&best[i].Sign) {
			evidence := analyzers.Untrusted(view.Text[s.Start:s.End])
			if s.Start, s.End = view.Map.Range(s.Start, s.End); fields[field].Key {
				s.Start, s.End = 0, len(fields[field].Text.Raw())
			}
			best[i] = FieldSign{s, fields[field], evidence}
		}
	}
	own := &struct {
		subject subject
		layout  layout
	}{subject: subject{in.Names, fields}}
	in.subject = &own.subject
	for i, f := range fields {
		raw := f.Text.Raw()
		if f.Key {
			in.Names = append(in.Names, raw)
		}
		if len(raw) < shortest {
			continue
		}
		if f.Key { // a name may ask for something, too: contents_of_the_ssh_folder
			if raw = spaced(raw); strings.Count(raw, " ") < longName {
				continue
			}
		}
		views, low := readings(layOut(raw[:min(len(raw), longest)]))
		if len(views) > 1 {
			if plain == nil {
				plain = make([]string, len(fields))
			}
			plain[i] = views[1].Text
		}
		in.layout = nil
		if in.Role == InText {
			in.layout = &own.layout
			in.layout.read(raw[:min(len(raw), longest)])
		}
		for k := range views {
			view := &views[k]
			if view.Kind == text.Hidden {
				in.layout = nil
			}
			if k > 0 || low == "" {
				low = lower(view.Text)
			}
			in.opens = f.Path == "description"
			signs, windows := j.read(in, view, low)
			for _, s := range signs {
				add(s, i, view)
			}
			for _, w := range windows {
				w.text = view.Text[w.start:w.end]
				suspects = append(suspects, strange{w, i, view})
			}
		}
	}
	if len(suspects) > 0 {
		slices.SortStableFunc(suspects, func(a, b strange) int { return cmp.Compare(b.score, a.score) })
		texts := make([]string, len(fields))
		for i, f := range fields {
			switch {
			case f.Key:
			case plain != nil && plain[i] != "":
				texts[i] = plain[i]
			default:
				texts[i] = f.Text.Raw()[:min(len(f.Text.Raw()), longest)]
			}
		}
		p := j.purpose(in, texts)
		for _, s := range suspects[:min(len(suspects), mostWindows)] {
			add(j.strange(in, s.window, p), s.field, s.view)
		}
	}
	var signs []FieldSign
	var bare []Sign
	for _, s := range best {
		if s.Weight > 0 {
			signs, bare = append(signs, s), append(bare, s.Sign)
		}
	}
	slices.SortStableFunc(signs, func(a, b FieldSign) int { return cmp.Compare(b.Weight, a.Weight) })
	return Level(bare), signs
}

// clear is the look of the techniques: it reads a text of a message as definition
// does, and has found nothing of which anything could come.
func (j *Judge) clear(views []text.View, key bool) bool {
	raw := views[0].Text
	if len(raw) < shortest {
		return true
	}
	if key {
		return strings.Count(spaced(raw), " ") < longName
	}
	var l layout
	l.read(raw)
	in := Setting{Role: InText, layout: &l}
	views, low := readings(views)
	for k := range views {
		if k > 0 || low == "" {
			low = lower(views[k].Text)
		}
		if signs, windows := j.read(in, &views[k], low); len(signs)+len(windows) > 0 {
			return false
		}
	}
	return true
}

// readings returns those of a text's views that say more than the raw one,
// which stands first. low is the raw one in lower case where it says nothing
// else, "" where it is not known.
func readings(views []text.View) (more []text.View, low string) {
	if len(views) == 2 && views[1].Map == nil {
		return views[:1], views[1].Text
	}
	return views, ""
}

// weakest is the weight from which on a sign is worth a finding of its own.
const weakest = 1.0

func finding(d *definition, level rules.Severity, s FieldSign) (rules.Finding, bool) {
	if level == 0 || s.Weight < weakest {
		return rules.Finding{}, false
	}
	clause := analyzers.Untrusted(shorten(s.Evidence.Raw()))
	message := fmt.Sprintf("%s, in %s: %q.", lowerFirst(s.Technique.Title), d, clause)
	span := s.Field.Text.At(s.Start, s.End)
	var f rules.Finding
	switch {
	case d.doc == nil:
		f = rules.OnServer(d.server, span, s.Field.Path, "%s Do not use this server until its author explains the text.", message)
	case d.server != nil:
		f = rules.OnServer(d.server, span, s.Field.Path, "%s Find out who wrote it before a model reads on.", message)
		f.Exposure = d.doc.Exposure
	default:
		f = rules.Finding{Exposure: d.doc.Exposure, Subject: s.Field.Path, Span: span, Message: message + " Take it out, or let its author explain it, before an agent loads the file."}
	}
	if d.owner != nil {
		f.Tool = d.owner.Name.Raw()
	}
	f.Severity = level
	if s.Weight < lowAt {
		f.Severity = max(level-1, rules.Info) // it only adds to stronger ones
	}
	return f, true
}

// String names the definition for a message.
func (d *definition) String() string {
	switch {
	case d.doc != nil && d.doc.Name.Value != "":
		return strings.ReplaceAll(d.doc.Kind, "-", " ") + ` "` + d.doc.Name.String() + `"`
	case d.doc != nil:
		return "the " + strings.ReplaceAll(d.doc.Kind, "-", " ")
	case d.owner != nil:
		return d.owner.Kind + ` "` + d.owner.Name.String() + `"`
	}
	return "the instructions"
}

// shorten cuts a clause for a message, at a rune.
func shorten(clause string) string {
	const enough = 160
	clause = strings.TrimSpace(clause)
	if len(clause) <= enough {
		return clause
	}
	end := enough
	for !utf8.RuneStart(clause[end]) {
		end--
	}
	return clause[:end] + "..."
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
