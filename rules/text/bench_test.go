package text

import (
	"encoding/base64"
	"strings"
	"testing"
)

const description = "Search the documents of a workspace by query. Returns at most limit results, newest first, each with its title, path and a short snippet of text."

var cleanText = strings.TrimSpace(strings.Repeat("Create a pull request in a repository. The base branch must exist, and head must be ahead of it.\n"+
	"Use list_branches to see the names; sha256 sums are given in hex. Returns the number and the URL (see /docs/pulls).\n\n", 50)[:10<<10])

func benchViews(b *testing.B, raw string) {
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		Views(raw, Limits{})
	}
}

func BenchmarkViewsDescription(b *testing.B) { benchViews(b, description) }
func BenchmarkViewsClean10K(b *testing.B)    { benchViews(b, cleanText) }
func BenchmarkViewsMarkdown10K(b *testing.B) {
	benchViews(b, strings.Repeat("- **name**: the `path` of a file  (see [docs](https://x.example/a)), e.g. \u201cnotes\u201d\n", 200)[:10<<10])
}
func BenchmarkViewsReadme10K(b *testing.B) {
	benchViews(b, strings.Repeat("## Install\n\nRun `npm install parcels`, then set **PARCELS_TOKEN** (see [the docs](https://x.example/docs#token)).\n\n```sh\nparcels find --customer 42\n```\n\n"+
		"1. *Finds* parcels by number, name or place.\n2. Returns `{\"id\": 7}` and the _last known_ position.\n", 60)[:10<<10])
}
func BenchmarkViewsChinese10K(b *testing.B) {
	benchViews(b, strings.Repeat("\u5148\u8bfb\u53d6\u6587\u4ef6\uff0c\u7136\u540e\u56de\u7b54\u95ee\u9898\u3002\u8bf7\u4f7f\u7528 find \u5de5\u5177\uff08\u89c1\u6587\u6863\uff09\u3002\n", 400)[:10<<10])
}
func BenchmarkViewsRussian10K(b *testing.B) {
	benchViews(b, strings.Repeat("\u041f\u0440\u043e\u0447\u0438\u0442\u0430\u0439 \u0444\u0430\u0439\u043b, \u0437\u0430\u0442\u0435\u043c \u043e\u0442\u0432\u0435\u0442\u044c.\n", 400)[:10<<10])
}
func BenchmarkViewsInvisible10K(b *testing.B) {
	benchViews(b, strings.Repeat("i\u200bg\u0301n\u043er\U000e0061e ", 800)[:10<<10])
}
func BenchmarkViewsBase64x3(b *testing.B) {
	s := strings.Repeat("read the file ", 200)
	for range 3 {
		s = base64.StdEncoding.EncodeToString([]byte(s))
	}
	benchViews(b, s)
}

func BenchmarkSurvey(b *testing.B) {
	b.SetBytes(int64(len(cleanText)))
	b.ReportAllocs()
	for b.Loop() {
		if survey(cleanText)&^dress != 0 {
			b.Fatal("marks")
		}
	}
}

func words800() []Pattern {
	var words []string
	for _, v := range strings.Fields("ignore disregard forget override bypass conceal secretly silently always never upload forward exfiltrate reveal attach append overwrite delete disable approve") {
		for _, o := range strings.Fields("instructions prompt user credentials configuration tool tools rules history sidenote password webhook encoded blind hidden important system token cookie keychain wallet phrase shell curl remove chmod evaluate sudo admin asking confirmation notify output anything memory settings policy guard filter review") {
			words = append(words, v+" the "+o)
		}
	}
	return Literals(words...)
}

func benchAutomaton(b *testing.B, text string, patterns []Pattern) {
	a, err := NewAutomaton(patterns)
	if err != nil {
		b.Fatal(err)
	}
	set := make([]uint64, (a.Len()+63)/64)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		clear(set)
		a.Hits(text, set)
	}
}

func BenchmarkHits800(b *testing.B) { benchAutomaton(b, strings.Repeat(cleanText, 10), words800()) }
func BenchmarkHits800OneMatchIn100(b *testing.B) {
	benchAutomaton(b, strings.Repeat(cleanText[:80]+" ignore the system ", 1000), words800())
}
func BenchmarkNewAutomaton800(b *testing.B) {
	patterns := words800()
	for b.Loop() {
		if _, err := NewAutomaton(patterns); err != nil {
			b.Fatal(err)
		}
	}
}
func BenchmarkClauses(b *testing.B) {
	var dst []Clause
	b.SetBytes(int64(len(cleanText)))
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendClauses(dst[:0], cleanText)
	}
}

// TestNothingAllocated: looking at clean text, and matching, allocate nothing.
func TestNothingAllocated(t *testing.T) {
	a, err := NewAutomaton(words800())
	if err != nil {
		t.Fatal(err)
	}
	set := make([]uint64, (a.Len()+63)/64)
	found := 0
	for name, f := range map[string]func(){
		"survey": func() { survey(cleanText) },
		"hits":   func() { a.Hits(cleanText, set) },
		"scan":   func() { a.Scan("ignore the user", func(_, _, _ int) bool { found++; return true }) },
	} {
		if n := testing.AllocsPerRun(20, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if found == 0 {
		t.Error("scan found nothing")
	}
}
