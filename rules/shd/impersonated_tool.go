package shd

import (
	_ "embed"
	"strings"
	"unicode"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed impersonated_tool.md
var impersonatedToolPage string

// ImpersonatedTool flags tools that copy the name and the description of
// another server's.
var ImpersonatedTool = rules.Rule{
	ID:         "impersonated-tool",
	Title:      "Tool passes for a tool of another server",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{290, 451},
	Covers:     []string{"SHD-001"},
	Page:       impersonatedToolPage,
	Check:      checkImpersonatedTool,
}

func checkImpersonatedTool(pass *rules.Pass) {
	for _, a := range agents(pass) {
		near := map[string][]owned{} // by every spelling with one letter left out
		twins := map[[2]*analyzers.Server]bool{}
		tools := 0
		a.tools(func(o owned) {
			if tools++; tools > mostCompared {
				return
			}
			name := squeezed(o.tool.Name.Raw())
			if len(name) < 4 || len(name) > longestName {
				return
			}
			seen := map[owned]bool{}
			for _, key := range spellings(name) {
				for _, other := range near[key] {
					if other.server == o.server || seen[other] || len(seen) == mostNear {
						continue
					}
					seen[other] = true
					if !resembles(name, squeezed(other.tool.Name.Raw())) || !alike(o.tool.Description.Raw(), other.tool.Description.Raw()) {
						continue
					}
					pair := [2]*analyzers.Server{other.server, o.server}
					same, done := twins[pair]
					if !done {
						same = oneAndTheSame(other.server, o.server)
						twins[pair] = same
					}
					if same {
						continue
					}
					f := o.finding("tool %q of server %q has nearly the name and the description of tool %q of server %q, and a model may call either. Find out which of them is genuine, and remove the other server.",
						o.tool.Name, o.server.Name, other.tool.Name, other.server.Name)
					related(&f, other, "the tool that it resembles")
					pass.Report(f)
					return
				}
			}
			for _, key := range spellings(name) {
				if len(near[key]) < mostNear {
					near[key] = append(near[key], o)
				}
			}
		})
	}
}

// An agent has at most this many tools that are compared, each with at most
// mostNear others of nearly its name.
const (
	mostCompared = 2000
	mostNear     = 8
)

// spellings are the name, the name without a word that copies add, and the name
// with each letter left out: two names that differ by one letter share one.
func spellings(name string) []string {
	out := []string{name}
	if stem := bare(name); stem != name {
		out = append(out, stem)
	}
	if len(name) >= 6 {
		for i := range len(name) {
			out = append(out, name[:i]+name[i+1:])
		}
	}
	return out
}

// bare is a name without a word at its end that says that this one is better.
func bare(name string) string {
	for _, suffix := range []string{"secure", "safe", "pro", "plus", "new", "fast", "fixed", "official", "enhanced", "improved", "latest", "v2", "v3", "2", "3"} {
		if stem, ok := strings.CutSuffix(name, suffix); ok && len(stem) >= 4 {
			return stem
		}
	}
	return name
}

// resembles reports whether two squeezed names are one, but for a word or a
// letter that a person overlooks.
func resembles(a, b string) bool {
	if a == b || bare(a) == bare(b) {
		return true
	}
	if len(a) < 6 || len(b) < 6 || len(a)-len(b) > 1 || len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	j := 0
	for j < len(a)-i && j < len(b)-i && a[len(a)-1-j] == b[len(b)-1-j] {
		j++
	}
	return max(len(a), len(b))-i-j <= 1
}

// alike reports whether two descriptions are one text with small changes: they
// share most of their runs of three words.
func alike(a, b string) bool {
	const most = 2048
	x, y := shingles(a[:min(len(a), most)]), shingles(b[:min(len(b), most)])
	if len(x) < 6 || len(y) < 6 { // "List all tables in the database" is nobody's own
		return false
	}
	both := 0
	for s := range x {
		if y[s] {
			both++
		}
	}
	// Of the shorter text: a copy may add a sentence of its own.
	return both*10 >= min(len(x), len(y))*7 && both*10 >= max(len(x), len(y))*3
}

// shingles are hashes (FNV-1a) of every three words in a row.
func shingles(text string) map[uint64]bool {
	out := map[uint64]bool{}
	var one, two uint64
	n := 0
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		h := uint64(14695981039346656037)
		for i := range len(word) {
			h = (h ^ uint64(word[i])) * 1099511628211
		}
		if n++; n > 2 {
			out[one*31*31+two*31+h] = true
		}
		one, two = two, h
	}
	return out
}

// oneAndTheSame reports whether two servers are one program, set up twice: most
// of their tools have the same names.
func oneAndTheSame(a, b *analyzers.Server) bool {
	x, y := a.Surface.Tools, b.Surface.Tools
	names := map[string]bool{}
	for _, t := range x {
		names[t.Name.Raw()] = true
	}
	both := 0
	for _, t := range y {
		if names[t.Name.Raw()] {
			both++
			names[t.Name.Raw()] = false
		}
	}
	return both > 1 && both*2 > max(len(x), len(y))
}
