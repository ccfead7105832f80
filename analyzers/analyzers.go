// Package analyzers turns files into a Catalog: it is the vocabulary of a scan
// and the walk that fills it. Analyzers observe, they never judge; they run
// nothing of what they read and open no connection.
package analyzers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// An Analyzer reads one kind of file into a catalog fragment of its own, so
// that files can be read in any order. It never panics on hostile input.
type Analyzer struct {
	Name string // "clientconfig/cursor", "capture"
	// Match says from the path alone whether the file is this analyzer's.
	Match func(path string) Match
	// Sniff says from the content whether a Candidate is this analyzer's. It
	// must be cheap: it sees every candidate file of a tree.
	Sniff func(content []byte) bool
	// Analyze adds what the file says to a fragment. An error means that the
	// file could not be understood; a *ParseError gives it a place. ErrForeign
	// means that a file which Sniff took for ours is another's.
	Analyze func(file File, into *Catalog) error
}

// Match is how sure a path alone makes an analyzer.
type Match int

const (
	Ignored   Match = iota
	Candidate       // perhaps: Sniff decides
	Named           // certainly: the name is the format's own
)

// File is what an analyzer is given.
type File struct {
	*Source
	Exposure Exposure
}

// ErrForeign is an analyzer's answer to a file that only looked like its own.
var ErrForeign = errors.New("another program's file")

// ParseError is a reason why a file could not be understood, with its kind
// (see Gap) and the place where reading failed.
type ParseError struct {
	Kind   string
	Reason string
	Span   Span
}

// Error is "line:column: reason", or the reason alone without a place.
func (e *ParseError) Error() string {
	if e.Span.IsZero() {
		return e.Reason
	}
	p := e.Span.Begin()
	return fmt.Sprintf("%d:%d: %s", p.Line, p.Column, e.Reason)
}

// Tree is what Load walks. Every read goes through FS, which must not lead out
// of the tree.
type Tree struct {
	FS fs.FS
	// Prefix is put in front of every path, to tell several trees apart.
	Prefix string
	// Only names the one file of FS to read, whatever its name; "" for all.
	Only string
	// Exposure is that of a file whose path says nothing else.
	Exposure Exposure
	// Exclude returns why a person wants the path left out, "" for read it; nil
	// excludes nothing. What is excluded is said in a gap.
	Exclude func(path string) (reason string)
	// Skip reports whether version control leaves the path out; nil for never.
	Skip func(path string, dir bool) bool
}

// Limits bound a load; the zero value of each means its default.
type Limits struct {
	Jobs      int   // files read at once
	FileBytes int64 // of one file
	Files     int   // directory entries met
	Depth     int   // of nested directories
	HeldBytes int64 // of all files that the catalog keeps hold of
	Facts     int   // that the catalog holds: see Catalog.facts
}

// The defaults of Limits. They are far above any honest repository of
// configuration and bound the memory of a scan.
const (
	DefaultFileBytes = 16 << 20
	DefaultFiles     = 500_000
	DefaultDepth     = 64
	DefaultHeldBytes = 96 << 20
	DefaultFacts     = 100_000
)

// Load walks the tree and reads every file that an analyzer wants. What cannot
// be read becomes a Gap of the catalog. The catalog does not depend on the
// number of jobs. The error is ctx's.
func Load(ctx context.Context, tree Tree, all []Analyzer, limits Limits) (*Catalog, error) {
	w := &walk{tree: tree, all: all, limits: limits.withDefaults(), followed: map[string]bool{}}
	if tree.Only != "" {
		w.only(tree.Only)
	} else {
		w.dir(ctx, ".", 0)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	parts := w.read(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := &Catalog{Gaps: w.gaps}
	for _, p := range parts {
		out.add(p)
	}
	out.Stats.Seen = w.seen
	out.finish()
	return out, nil
}

// Merge joins the catalogs of several trees; their paths must differ.
func Merge(catalogs ...*Catalog) *Catalog {
	out := &Catalog{}
	for _, c := range catalogs {
		out.add(c)
	}
	out.finish()
	return out
}

func (c *Catalog) add(part *Catalog) {
	if part == nil {
		return
	}
	c.Clients = append(c.Clients, part.Clients...)
	c.Servers = append(c.Servers, part.Servers...)
	c.Documents = append(c.Documents, part.Documents...)
	c.Manifests = append(c.Manifests, part.Manifests...)
	c.Secrets = append(c.Secrets, part.Secrets...)
	c.Gaps = append(c.Gaps, part.Gaps...)
	c.Stats.Files += part.Stats.Files
	c.Stats.Bytes += part.Stats.Bytes
	c.Stats.Seen += part.Stats.Seen
}

// finish sorts the gaps and gives every server its id.
func (c *Catalog) finish() {
	slices.SortStableFunc(c.Gaps, func(a, b Gap) int {
		return strings.Compare(a.Path+"\x00"+a.Kind+"\x00"+a.Reason, b.Path+"\x00"+b.Kind+"\x00"+b.Reason)
	})
	seen := map[string]int{}
	for _, s := range c.Servers {
		id := s.Span.Path() + "#" + s.Name.Raw()
		if seen[id]++; seen[id] > 1 {
			id += "~" + strconv.Itoa(seen[id])
		}
		s.ID = id
	}
}

// ExposureOf says how live a file is, from the words of its path. What no word
// speaks for has the exposure of the tree.
func ExposureOf(p string, base Exposure) Exposure {
	if base == Active {
		return Active
	}
	lower := strings.ToLower(p)
	dir, file := path.Split(lower)
	for word := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		switch word {
		case "test", "tests", "testdata", "__tests__", "fixture", "fixtures", "spec", "specs", "e2e", "mocks", "__mocks__":
			return Test
		case "doc", "docs", "documentation", "example", "examples", "sample", "samples", "demo", "demos", "tutorial", "tutorials", "cookbook":
			return Docs
		case "template", "templates", "boilerplate", "scaffold", "skeleton":
			return Template
		}
	}
	for word := range strings.FieldsFuncSeq(file, func(r rune) bool { return r == '.' || r == '-' || r == '_' }) {
		switch word {
		case "example", "template", "sample", "dist", "tmpl", "tpl":
			return Template
		}
	}
	return base
}

// MatchTail is a Match for analyzers that know their files by name: each
// pattern is matched, segment by segment as path.Match does, against the end
// of the path.
func MatchTail(patterns ...string) func(string) Match {
	// Most paths are nobody's: their last segment tells, without a pattern.
	byBase := map[string][]string{}
	var wild []string
	for _, pattern := range patterns {
		if base := path.Base(pattern); strings.ContainsAny(base, `*?[\`) {
			wild = append(wild, pattern)
		} else {
			byBase[base] = append(byBase[base], pattern)
		}
	}
	return func(p string) Match {
		for _, pattern := range byBase[p[strings.LastIndexByte(p, '/')+1:]] {
			if matchTail(pattern, p) {
				return Named
			}
		}
		for _, pattern := range wild {
			if matchTail(pattern, p) {
				return Named
			}
		}
		return Ignored
	}
}

func matchTail(pattern, p string) bool {
	tail := p
	for i, n := len(p)-1, strings.Count(pattern, "/"); i >= 0; i-- {
		if p[i] == '/' {
			if n == 0 {
				tail = p[i+1:]
				break
			}
			n--
		}
	}
	ok, err := path.Match(pattern, tail)
	return ok && err == nil
}

func gapOf(p string, err error, blocking bool) Gap {
	gap := Gap{Path: p, Kind: "unreadable", Reason: err.Error(), Blocking: blocking}
	var parse *ParseError
	var pathErr *fs.PathError
	switch {
	case errors.As(err, &parse):
		gap.Kind, gap.Reason, gap.Span = parse.Kind, parse.Error(), parse.Span
	case errors.As(err, &pathErr):
		gap.Reason = pathErr.Err.Error() // the path is said already
	}
	return gap
}

func (l Limits) withDefaults() Limits {
	if l.Jobs <= 0 {
		l.Jobs = 1
	}
	if l.FileBytes <= 0 {
		l.FileBytes = DefaultFileBytes
	}
	if l.Files <= 0 {
		l.Files = DefaultFiles
	}
	if l.Depth <= 0 {
		l.Depth = DefaultDepth
	}
	if l.HeldBytes <= 0 {
		l.HeldBytes = DefaultHeldBytes
	}
	if l.Facts <= 0 {
		l.Facts = DefaultFacts
	}
	return l
}
