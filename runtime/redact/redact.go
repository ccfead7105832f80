// Package redact finds the values in a text that are not meant for whoever
// reads it: credentials, payment cards, bank accounts, addresses and numbers of
// people. It is pure and linear in the text, and counts in byte offsets.
package redact

import (
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/registry"
)

// Match is one value of a text, [Start, End).
type Match struct {
	Kind       string // one of the kinds that Set was made of; of a group the member
	Start, End int
}

// Set is the kinds that are looked for. It does not change.
type Set struct {
	secrets bool
	find    []finder
}

type finder struct {
	kind string
	find func(text string, found func(start, end int))
}

// finders are the kinds besides secrets.
var finders = []finder{
	{registry.RedactCards, cards},
	{registry.RedactIBANs, ibans},
	{registry.RedactEmails, emails},
	{registry.RedactPhones, phones},
}

// New makes a Set of kinds (registry.RedactionKinds). What it does not know it
// cannot take out, so it is false for an unknown kind.
func New(kinds []string) (*Set, bool) {
	s := &Set{}
	for _, kind := range kinds {
		if !slices.Contains(registry.RedactionKinds(), kind) {
			return nil, false
		}
		s.secrets = s.secrets || kind == registry.RedactSecrets
	}
	for _, f := range finders {
		if slices.Contains(kinds, f.kind) || slices.Contains(kinds, registry.RedactPersonal) {
			s.find = append(s.find, f)
		}
	}
	return s, true
}

// Find returns the values in a text, sorted, none in another: what overlaps is
// one. Key is the name of the member that holds the text: a password is known
// by it alone.
func (s *Set) Find(key, text string) []Match {
	var all []Match
	if s.secrets {
		for _, m := range secret.Find(text) {
			all = append(all, Match{registry.RedactSecrets, m.Start, m.End})
		}
		if m, ok := secret.Named(key, text); ok && len(all) == 0 && !secret.Placeholder(text) {
			all = append(all, Match{registry.RedactSecrets, m.Start, m.End})
		}
	}
	for _, f := range s.find {
		f.find(text, func(start, end int) { all = append(all, Match{f.kind, start, end}) })
	}
	slices.SortStableFunc(all, func(a, b Match) int { return a.Start - b.Start })
	out := all[:0]
	for _, m := range all {
		if n := len(out); n > 0 && m.Start < out[n-1].End {
			out[n-1].End = max(out[n-1].End, m.End)
			continue
		}
		out = append(out, m)
	}
	return out
}

// Number reports whether a number of JSON is a value by itself: a card's
// without quotes.
func (s *Set) Number(literal string) (kind string, is bool) {
	for _, f := range s.find {
		if f.kind == registry.RedactCards {
			f.find(literal, func(start, end int) { is = is || end-start == len(literal) })
		}
	}
	return registry.RedactCards, is
}

// Label stands where a value was.
func Label(kind string) string { return "[redacted: " + kind + "]" }

// Shape is a value without what it says, for places that take no other form:
// every letter is an x and every digit a 0.
func Shape(value string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return '0'
		case r >= 'a' && r <= 'z', r >= 0x80:
			return 'x'
		case r >= 'A' && r <= 'Z':
			return 'X'
		}
		return r
	}, value)
}
