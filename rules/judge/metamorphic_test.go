package judge

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

// A dress changes how a text looks and not what it says to a model. n chooses
// where.
var dresses = []struct {
	name string
	wear func(text string, n int) string
}{
	{"zero-width", func(s string, n int) string {
		return eachWord(s, n, func(w string) string { return w[:1] + "\u200b" + w[1:] })
	}},
	{"word joiner", func(s string, n int) string {
		return eachWord(s, n, func(w string) string { return w[:len(w)/2] + "\u2060" + w[len(w)/2:] })
	}},
	{"soft hyphen", func(s string, n int) string {
		return eachWord(s, n, func(w string) string { return w[:len(w)/2] + "\u00ad" + w[len(w)/2:] })
	}},
	{"upper case", func(s string, _ int) string { return strings.ToUpper(s) }},
	{"lower case", func(s string, _ int) string { return strings.ToLower(s) }},
	{"spaces", func(s string, n int) string { return strings.ReplaceAll(s, " ", strings.Repeat(" ", 2+n%3)) }},
	{"tabs", func(s string, _ int) string { return strings.ReplaceAll(s, " ", "\t") }},
	{"no-break spaces", func(s string, _ int) string { return strings.ReplaceAll(s, " ", "\u00a0") }},
	{"lines of 60", func(s string, n int) string { return wrap(s, 60+n%20) }},
	{"bold", func(s string, n int) string { return eachWord(s, n, func(w string) string { return "**" + w + "**" }) }},
	{"emphasis", func(s string, n int) string { return eachWord(s, n, func(w string) string { return "_" + w + "_" }) }},
	{"list", func(s string, _ int) string { return "- " + strings.ReplaceAll(s, ". ", ".\n- ") }},
	{"order", func(s string, _ int) string {
		parts := strings.SplitAfter(s, ". ")
		slices.Reverse(parts)
		return strings.Join(parts, " ")
	}},
	{"lookalikes", func(s string, n int) string {
		return eachWord(s, n, func(w string) string { return strings.NewReplacer("a", "а", "e", "е", "o", "о").Replace(w) })
	}},
	{"full width", func(s string, n int) string {
		return eachWord(s, n, func(w string) string {
			return strings.Map(func(r rune) rune {
				if r > ' ' && r < 0x7f {
					return r - '!' + '\uff01'
				}
				return r
			}, w)
		})
	}},
	{"entities", func(s string, n int) string {
		return eachWord(s, n, func(w string) string { return strings.ReplaceAll(w, "e", "&#101;") })
	}},
	{"tag block", func(s string, n int) string { return eachWord(s, n, func(w string) string { return w + "\U000e0041" }) }},
}

// eachWord changes plain words: all, or every second one, beginning at n.
func eachWord(s string, n int, change func(string) string) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		plain := len(w) > 3 && strings.IndexFunc(w, func(r rune) bool { return r > 0x7f || !unicode.IsLetter(r) }) < 0
		if plain && (n%3 == 0 || (i+n)%2 == 0) {
			words[i] = change(w)
		}
	}
	return strings.Join(words, " ")
}

func wrap(s string, width int) string {
	var b strings.Builder
	column := 0
	for _, w := range strings.Split(s, " ") {
		if column > 0 && column+utf8.RuneCountInString(w) > width {
			b.WriteByte('\n')
			column = 0
		} else if column > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
		column += utf8.RuneCountInString(w) + 1
	}
	return b.String()
}

func judged(j *Judge, text string) (rules.Severity, []FieldSign) {
	src := &analyzers.Source{Path: "x", Bytes: []byte(text)}
	return j.Definition(Setting{}, []analyzers.Field{{Path: "description", Text: analyzers.Text{Value: analyzers.Untrusted(text), Span: src.Span(0, len(text))}}})
}

// attacks are the texts that techniques must find: those that conditions
// describe, and with learned those that the model speaks for, too.
func attacks(learned bool) []string {
	var all []string
	for _, t := range Default().Techniques {
		if learned || !t.learned {
			all = append(all, t.Fires...)
		}
	}
	return all
}

// TestDress: no dress saves an attack.
func TestDress(t *testing.T) {
	j := New(Default())
	for _, text := range attacks(true) {
		for _, d := range dresses {
			for n := range 3 {
				dressed := d.wear(text, n)
				if level, _ := judged(j, dressed); level < rules.Medium {
					t.Errorf("%s: %s: %q", d.name, level, dressed)
				}
			}
		}
	}
}

// FuzzDress: nor do two of them together, wherever they are put, from what
// conditions describe. A model has no such edge.
func FuzzDress(f *testing.F) {
	j := New(Default())
	all := attacks(false)
	for i := range dresses {
		f.Add(uint(i*7), uint(i), uint(0), uint(i))
	}
	f.Fuzz(func(t *testing.T, text, first, second, n uint) {
		s := all[text%uint(len(all))]
		a, b := dresses[first%uint(len(dresses))], dresses[second%uint(len(dresses))]
		dressed := b.wear(a.wear(s, int(n%64)), int(n/64%64))
		level, signs := judged(j, dressed)
		for _, sign := range signs {
			if sign.Start < 0 || sign.Start > sign.End || sign.End > len(dressed) {
				t.Fatalf("%s at [%d,%d) of %d bytes", sign.Technique.ID, sign.Start, sign.End, len(dressed))
			}
		}
		if level < rules.Low {
			t.Errorf("%s, %s: %s: %q", a.name, b.name, level, dressed)
		}
	})
}

// TestFieldOrder: members of a definition may stand in any order.
func TestFieldOrder(t *testing.T) {
	j := New(Default())
	filler := "Finds the parcels of a customer by number, name or place and returns their last known position."
	for _, text := range attacks(true) {
		var fields []analyzers.Field
		for i, s := range []string{filler, text, "Number or name of the customer."} {
			src := &analyzers.Source{Path: "x", Bytes: []byte(s)}
			fields = append(fields, analyzers.Field{Path: []string{"title", "inputSchema.description", "note"}[i], Text: analyzers.Text{Value: analyzers.Untrusted(s), Span: src.Span(0, len(s))}})
		}
		want, _ := j.Definition(Setting{}, fields)
		slices.Reverse(fields)
		if got, _ := j.Definition(Setting{}, fields); got != want || got < rules.Medium {
			t.Errorf("%s in one order, %s in the other: %q", want, got, text)
		}
	}
}

// TestDressOfCorpus says how many verdicts of our own corpus survive each
// dress, and holds the share that does: what a model finds may lie close to the
// limit of medium.
func TestDressOfCorpus(t *testing.T) {
	content, err := os.ReadFile("../../fixtures/corpus/tools.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	j := New(Default())
	var found []string
	for line := range strings.Lines(string(content)) {
		var it struct {
			Label string
			Tool  struct{ Description string }
		}
		if err := json.Unmarshal([]byte(line), &it); err != nil {
			t.Fatal(err)
		}
		if level, _ := judged(j, it.Tool.Description); it.Label == "malicious" && level >= rules.Medium {
			found = append(found, it.Tool.Description)
		}
	}
	if len(found) < 150 {
		t.Fatalf("only %d items are found", len(found))
	}
	all, survived := 0, 0
	for _, d := range dresses {
		n := 0
		for i, text := range found {
			if level, _ := judged(j, d.wear(text, i%3)); level >= rules.Medium {
				n++
			}
		}
		t.Logf("%-16s %3d of %3d", d.name, n, len(found))
		all, survived = all+len(found), survived+n
	}
	t.Logf("%-16s %.1f %%", "all", 100*float64(survived)/float64(all))
	if 100*survived < leastSurvival*all {
		t.Errorf("%d of %d verdicts survive, below %d %%", survived, all, leastSurvival)
	}
}

const leastSurvival = 98
