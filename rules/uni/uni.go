// Package uni holds the rules on disguise: names and texts that read
// differently from how they look. What is not drawn at all is the business of
// the rule invisible-text; what a disguised text orders is judged by package
// judge.
package uni

import (
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

// said is one string that a model reads.
type said struct {
	server *analyzers.Server
	owner  *analyzers.Item // nil for the instructions
	field  analyzers.Field
	views  []text.View // of the head of the text; nil where nothing is disguised
}

// longestText is how much of a string is read; the rule oversized-text speaks
// of longer ones.
const longestText = 64 << 10

type (
	textsKey struct{}
	namesKey struct{}
)

// texts returns the strings that may be disguised, with their views: computed
// once for all rules.
func texts(pass *rules.Pass) []said {
	return pass.Shared(textsKey{}, func() any {
		var out []said
		cache := text.CacheOf(pass.Shared)
		for _, s := range pass.Catalog.Servers {
			s.Surface.Fields(func(owner *analyzers.Item, f analyzers.Field) {
				if f.Key || strings.HasSuffix(f.Path, ".pattern") {
					return // names are judged as such; a pattern is written in escapes
				}
				raw := f.Text.Raw()
				raw = raw[:min(len(raw), longestText)]
				if views := cache.Views(raw); noted(views) && suspect(raw) {
					out = append(out, said{s, owner, f, views})
				}
			})
		}
		return out
	}).([]said)
}

// noted reports whether there is anything that a rule could speak of.
func noted(views []text.View) bool {
	return slices.ContainsFunc(views, func(v text.View) bool { return len(v.Notes) > 0 })
}

// notes calls visit with the notes of a kind in all views of a text.
func (t said) notes(visit func(text.Note)) {
	for _, v := range t.views {
		for _, n := range v.Notes {
			visit(n)
		}
	}
}

// finding starts a finding about the part [start, end) of the text.
func (t said) finding(start, end int, format string, args ...any) rules.Finding {
	f := rules.OnServer(t.server, t.field.Text.At(start, end), t.field.Path, format, args...)
	if t.owner != nil {
		f.Tool = t.owner.Name.Raw()
	}
	return f
}

// where names the text for a message.
func (t said) where() string {
	path := analyzers.Untrusted(t.field.Path).String()
	if t.owner == nil {
		return path + ` of server "` + t.server.Name.String() + `"`
	}
	return path + " of " + t.owner.Kind + ` "` + t.owner.Name.String() + `"`
}

// names returns the identifiers that are not plain ASCII: names of tools and
// prompts, and of their parameters.
func names(pass *rules.Pass) []said {
	return pass.Shared(namesKey{}, func() any {
		var out []said
		for _, s := range pass.Catalog.Servers {
			s.Surface.Fields(func(owner *analyzers.Item, f analyzers.Field) {
				if owner == nil || !f.Key && (f.Path != "name" || owner.Kind == "resource" || owner.Kind == "template") || ascii(f.Text.Raw()) || len(f.Text.Value) > longestName {
					return
				}
				if f.Key && !strings.Contains(f.Path, "properties.") {
					return
				}
				out = append(out, said{server: s, owner: owner, field: f})
			})
		}
		return out
	}).([]said)
}

// longestName bounds the identifiers that are looked at.
const longestName = 512

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// shown is decoded text as a message prints it.
func shown(decoded string) analyzers.Untrusted {
	const enough = 120
	if len(decoded) > enough {
		decoded = strings.ToValidUTF8(decoded[:enough], "") + "..."
	}
	return analyzers.Untrusted(decoded)
}

// rawNotes calls visit with the notes of the text as it is written.
func (t said) rawNotes(visit func(text.Note)) {
	for _, n := range t.views[0].Notes {
		visit(n)
	}
}
