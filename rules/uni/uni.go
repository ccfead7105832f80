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
	"github.com/sallyport-mcp/sallyport/rules/said"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

// disguised is a string that may be, with its views.
type disguised struct {
	said.Text
	views []text.View // of the head of the string
}

type (
	textsKey struct{}
	namesKey struct{}
)

// texts returns the strings that may be disguised, with their views: computed
// once for all rules.
func texts(pass *rules.Pass) []disguised {
	return pass.Shared(textsKey{}, func() any {
		var out []disguised
		cache := text.CacheOf(pass.Shared)
		said.Each(pass.Catalog, func(t said.Text) {
			if t.Field.Key || strings.HasSuffix(t.Field.Path, ".pattern") {
				return // names are judged as such; a pattern is written in escapes
			}
			head := t.Head()
			if views := cache.Views(head); noted(views) && suspect(head) {
				out = append(out, disguised{t, views})
			}
		})
		return out
	}).([]disguised)
}

// noted reports whether there is anything that a rule could speak of.
func noted(views []text.View) bool {
	return slices.ContainsFunc(views, func(v text.View) bool { return len(v.Notes) > 0 })
}

// notes calls visit with the notes of a kind in all views of a text.
func (t disguised) notes(visit func(text.Note)) {
	for _, v := range t.views {
		for _, n := range v.Notes {
			visit(n)
		}
	}
}

// names returns the identifiers that are not plain ASCII: names of tools and
// prompts, and of their parameters.
func names(pass *rules.Pass) []said.Text {
	return pass.Shared(namesKey{}, func() any {
		var out []said.Text
		for _, s := range pass.Catalog.Servers {
			s.Surface.Fields(func(owner *analyzers.Item, f analyzers.Field) {
				if owner == nil || !f.Key && (f.Path != "name" || owner.Kind == "resource" || owner.Kind == "template") || ascii(f.Text.Raw()) || len(f.Text.Value) > longestName {
					return
				}
				if f.Key && !strings.Contains(f.Path, "properties.") {
					return
				}
				out = append(out, said.Text{Server: s, Owner: owner, Field: f})
			})
		}
		return out
	}).([]said.Text)
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
func (t disguised) rawNotes(visit func(text.Note)) {
	for _, n := range t.views[0].Notes {
		visit(n)
	}
}
