// Package dsc holds the first rules on what a server says to a model: tool
// descriptions, schemas, instructions, prompts and resources. Each pattern is
// confirmed within one clause, and a clause that forbids or describes an attack
// is not one.
package dsc

import (
	"regexp"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

// said is one string that a model reads.
type said struct {
	server *analyzers.Server
	owner  *analyzers.Item // nil for the instructions
	field  analyzers.Field
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

// texts calls visit with the head of every string that a model may read: what
// is behind longestText is the business of the rule oversized-text.
func texts(pass *rules.Pass, visit func(said)) {
	everyText(pass, func(t said) {
		if len(t.field.Text.Value) > longestText {
			t.field.Text.Value = t.field.Text.Value[:longestText]
		}
		visit(t)
	})
}

func everyText(pass *rules.Pass, visit func(said)) {
	for _, s := range pass.Catalog.Servers {
		s.Surface.Fields(func(owner *analyzers.Item, f analyzers.Field) {
			visit(said{s, owner, f})
		})
	}
}

// mentions is a cheap look before a pattern runs: whether the text holds one
// of the words, which are in lower case.
func mentions(text string, words ...string) bool {
	lower := strings.ToLower(text)
	for _, w := range words {
		if strings.Contains(lower, w) {
			return true
		}
	}
	return false
}

// maxMatches bounds the findings of one rule on one string.
const maxMatches = 8

// clause returns the bounds of the clause around [start, end): up to the next
// full stop, semicolon or line end, and no further than reach bytes.
func clause(text string, start, end int) (from, to int) {
	const reach = 240
	from, to = start, end
	for from > 0 && start-from < reach && !ends(text, from-1) {
		from--
	}
	for to < len(text) && to-end < reach && !ends(text, to) {
		to++
	}
	return from, to
}

// ends reports whether a clause ends at byte i: a full stop inside a name or a
// path ("id_rsa.pub") ends none.
func ends(text string, i int) bool {
	switch text[i] {
	case '\n', '\r', ';':
		return true
	case '.', '!', '?', ':':
		return i+1 == len(text) || text[i+1] == ' ' || text[i+1] == '\n' || text[i+1] == '\r'
	}
	return false
}

// defensive tells that a clause speaks about such text: a scanner's
// description, a list of examples.
var defensive = regexp.MustCompile(`(?i)\b(?:detect(?:s|ed|ion|ing)?|scan(?:s|ning|ner)?|prevent(?:s|ing)?|block(?:s|ed|ing)?|filter(?:s|ed)?|reject(?:s|ed)?|attacks?|injections?|malicious|jailbreak|attempts?|such as|e\.g\.?|for example|vulnerab\w+|suspicious|patterns?)\b`)

// forbidden tells that what follows it in the clause is forbidden.
var forbidden = regexp.MustCompile(`(?i)\b(?:never|not|cannot|can't|don't|doesn't|won't|refuses?|avoid|without|forbid(?:s|den)?|exclud(?:es|ing|ed)|except|den(?:y|ies|ied)|no longer)\b`)

// quoted reports whether the match stands in quotes, as an example does.
func quoted(text string, start, end int) bool {
	if start == 0 || end >= len(text) {
		return false
	}
	before := strings.TrimRight(text[max(0, start-2):start], " ")
	return before != "" && strings.ContainsAny(before[len(before)-1:], "\"'`") || strings.HasSuffix(before, "\u201c")
}
