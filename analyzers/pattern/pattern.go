// Package pattern holds regular expressions and sets of words that are made when
// they are first used: a program that starts beside every server cannot afford
// hundreds of them at its start. The expressions are RE2 (package regexp).
package pattern

import (
	"regexp"
	"strings"
	"sync"
)

// Pattern is a regular expression. It may be used by many goroutines.
type Pattern struct {
	expression string
	once       sync.Once
	compiled   *regexp.Regexp
}

// New returns a Pattern. A wrong expression panics at its first use;
// TestExpressions compiles all of this module.
func New(expression string) *Pattern { return &Pattern{expression: expression} }

// Regexp is the compiled expression.
func (p *Pattern) Regexp() *regexp.Regexp {
	p.once.Do(func() { p.compiled = regexp.MustCompile(p.expression) })
	return p.compiled
}

// MatchString is that of package regexp.
func (p *Pattern) MatchString(s string) bool { return p.Regexp().MatchString(s) }

// FindStringIndex is that of package regexp.
func (p *Pattern) FindStringIndex(s string) []int { return p.Regexp().FindStringIndex(s) }

// FindStringSubmatch is that of package regexp.
func (p *Pattern) FindStringSubmatch(s string) []string { return p.Regexp().FindStringSubmatch(s) }

// FindAllStringIndex is that of package regexp.
func (p *Pattern) FindAllStringIndex(s string, n int) [][]int {
	return p.Regexp().FindAllStringIndex(s, n)
}

// ReplaceAllString is that of package regexp.
func (p *Pattern) ReplaceAllString(src, repl string) string {
	return p.Regexp().ReplaceAllString(src, repl)
}

// Set is a set of words. It may be used by many goroutines.
type Set struct {
	list  string
	once  sync.Once
	words map[string]bool
}

// Words returns the Set of the words of a list, with white space between them.
func Words(list string) *Set { return &Set{list: list} }

// Has reports whether the word is in the set.
func (s *Set) Has(word string) bool {
	s.once.Do(func() {
		s.words = map[string]bool{}
		for w := range strings.FieldsSeq(s.list) {
			s.words[w] = true
		}
	})
	return s.words[word]
}
