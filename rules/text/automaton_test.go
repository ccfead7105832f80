package text

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

type match struct{ pattern, start, end int }

// naive is what Scan has to find.
func naive(patterns []Pattern, text string) []match {
	var out []match
	low := string(bytes.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r | 0x20
		}
		return r
	}, []byte(strings.ToValidUTF8(text, "\x00"))))
	if !strings.EqualFold(low, text) || len(low) != len(text) {
		b := []byte(text)
		for i := range b {
			b[i] = lowerByte(b[i])
		}
		low = string(b)
	}
	for p, pattern := range patterns {
		word := []byte(pattern.Text)
		for i := range word {
			word[i] = lowerByte(word[i])
		}
		for i := 0; i+len(word) <= len(low); i++ {
			end := i + len(word)
			if low[i:end] == string(word) && !(pattern.WordStart && wordBefore(text, i)) && !(pattern.WordEnd && wordAfter(text, end)) {
				out = append(out, match{p, i, end})
			}
		}
	}
	return out
}

func compare(t *testing.T, patterns []Pattern, text string) {
	t.Helper()
	a, err := NewAutomaton(patterns)
	if err != nil {
		t.Fatal(err)
	}
	var got []match
	end := 0
	a.Scan(text, func(p, start, stop int) bool {
		if stop < end {
			t.Fatalf("%q: match ends at %d after one at %d", text, stop, end)
		}
		end = stop
		got = append(got, match{p, start, stop})
		return true
	})
	want := naive(patterns, text)
	order := func(a, b match) int {
		if a.pattern != b.pattern {
			return a.pattern - b.pattern
		}
		return a.start - b.start
	}
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	if !slices.Equal(got, want) {
		t.Fatalf("%v in %q: got %v, want %v", patterns, text, got, want)
	}
	set, expected := make([]uint64, (a.Len()+63)/64), make([]uint64, (a.Len()+63)/64)
	for _, m := range want {
		expected[m.pattern>>6] |= 1 << (m.pattern & 63)
	}
	if any := a.Hits(text, set); !slices.Equal(set, expected) || any != (len(want) > 0) {
		t.Fatalf("%v in %q: hits %v %x, want %x", patterns, text, any, set, expected)
	}
}

func TestAutomaton(t *testing.T) {
	compare(t, Literals("he", "she", "his", "hers"), "uSHErs his")
	compare(t, Literals("a", "a", "aa", "aaa"), "aaaa")
	compare(t, Words("file", "read_file"), "file read_file files file_ file. profile \u00e4file file\u00e4 file\u0301 file")
	compare(t, []Pattern{{"ignor", true, false}, {"ing", false, true}}, "ignoring signor ingest sing")
	compare(t, Words("\u043d\u0435", "\u5ffd\u7565"), "\u043d\u0435 \u043d\u0435\u0442 \u5ffd\u7565 \u5ffd\u7565\u5ffd")
	compare(t, nil, "anything")
	many := make([]string, 300)
	for i := range many {
		many[i] = fmt.Sprintf("w%dx", i)
	}
	compare(t, Literals(many...), "w0x w63x W64X w299x w300x")
}

func TestAutomatonErrors(t *testing.T) {
	if _, err := NewAutomaton(Literals("a", "")); err == nil || !strings.Contains(err.Error(), "pattern 1 is empty") {
		t.Errorf("empty: %v", err)
	}
	var all strings.Builder
	for c := range 256 {
		all.WriteByte(byte(c))
	}
	if _, err := NewAutomaton(Literals("x", strings.Repeat(all.String(), 200))); err == nil || !strings.Contains(err.Error(), "pattern 1") {
		t.Errorf("large: %v", err)
	}
	nested := make([]string, 3000)
	for i := range nested {
		nested[i] = strings.Repeat("a", i+1)
	}
	if _, err := NewAutomaton(Literals(nested...)); err == nil {
		t.Error("patterns within patterns: no error")
	}
	stopped := 0
	a, _ := NewAutomaton(Literals("a"))
	a.Scan("aaaa", func(_, _, _ int) bool { stopped++; return stopped < 2 })
	if stopped != 2 {
		t.Errorf("visited %d times", stopped)
	}
}

func FuzzAutomaton(f *testing.F) {
	f.Add("he|she|^his$|hers", "ushers his")
	f.Add("a|aa|^a|a$", "aaa a_a")
	f.Add("\u043d\u0435|^\u00e9$", "\u043d\u0435 \u00e9t\u00e9")
	f.Add("\xff|\xc3", "\xff\xc3\xa9")
	f.Fuzz(func(t *testing.T, list, text string) {
		var patterns []Pattern
		for _, w := range strings.Split(list, "|") {
			w, start := strings.CutPrefix(w, "^")
			w, end := strings.CutSuffix(w, "$")
			if w != "" && len(list) < 500 && len(text) < 2000 {
				patterns = append(patterns, Pattern{w, start, end})
			}
		}
		compare(t, patterns, text)
	})
}
