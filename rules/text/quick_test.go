package text

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// normaliseByCells is normalise without its shorter way.
func normaliseByCells(src mapped, size int, notes *notebook) mapped {
	n := normaliser{src: src, notes: notes}
	s := src.text
	for i := 0; i < len(s); {
		end, line := chunk(s, i)
		from, to := i, end
		for from < to && blankByte(s[from]) {
			from++
		}
		for from < to && blankByte(s[to-1]) {
			to--
		}
		if from < to {
			n.carefully(from, to)
		}
		if i = end; line {
			n.lineEnd(i, i+1)
			i++
		}
	}
	return n.out.done(size)
}

// unveilByCells is unveil without its shorter way.
func unveilByCells(src mapped, size int) mapped {
	if survey(src.text)&(nonASCII|control|entities) == 0 {
		return src
	}
	n := normaliser{src: src, notes: &notebook{}}
	s := src.text
	for i := 0; i < len(s); {
		end, line := chunk(s, i)
		if survey(s[i:end])&(nonASCII|control|entities) == 0 {
			n.out.copy(src, i, end)
		} else {
			n.read(i, end)
			n.compose()
			for _, c := range n.cells {
				n.emit(c)
			}
		}
		if i = end; line {
			n.out.copy(src, i, i+1)
			i++
		}
	}
	return n.out.done(size)
}

func sameMapped(t *testing.T, raw string, got, want mapped, inside bool) {
	t.Helper()
	if got.text != want.text {
		t.Fatalf("%q:\n%q\n%q", raw, got.text, want.text)
	}
	for i := range len(got.text) + 1 {
		end := min(i+2, len(got.text))
		if !inside { // of a rune, a composed one may be whole or not
			if i = runeStart(got.text, i); end < len(got.text) {
				end = runeStart(got.text, end)
			}
		}
		f, to, _ := got.back.find(i, end)
		wf, wto, _ := want.back.find(i, end)
		if f != wf || to != wto {
			t.Fatalf("%q: %d to %d of %q came from %d to %d, not %d to %d", raw, i, end, got.text, f, to, wf, wto)
		}
	}
}

func compareWithCells(t *testing.T, raw string) {
	t.Helper()
	notes, wanted := notebook{most: 16}, notebook{most: 16}
	src := mapped{text: raw}
	sameMapped(t, raw, normalise(src, len(raw), &notes), normaliseByCells(src, len(raw), &wanted), true)
	if !slices.Equal(notes.notes, wanted.notes) {
		t.Fatalf("%q: notes %v, want %v", raw, notes.notes, wanted.notes)
	}
	bare, _ := unveil(src, len(raw))
	sameMapped(t, raw, bare, unveilByCells(src, len(raw)), false)
	// The same of a text that was decoded: its map has pieces.
	d := decoder{src: bare, size: len(raw), left: 4 * len(raw), notes: &notebook{}}
	if out, found := d.layer(); found {
		notes, wanted = notebook{most: 16}, notebook{most: 16}
		sameMapped(t, raw, normalise(out, len(raw), &notes), normaliseByCells(out, len(raw), &wanted), true)
		if !slices.Equal(notes.notes, wanted.notes) {
			t.Fatalf("%q, decoded: notes %v, want %v", raw, notes.notes, wanted.notes)
		}
	}
}

// oddities are what lines are made of in TestQuick.
var oddities = strings.Split("a|b|ab|The|ignore|h3llo|p4ss|Convert4Text|user@a.com|@|$|!|*|**|_|__|`|```|~|~~|\\|[|]|](|(|)|<|>|<b>|</b>|<\u00fc>|<b |<!--|-->|&|&lt;|&amp;|&#65;|&#x200b;|;| |  |\t|\n|\n\n\n|\r|\r\n|.|,|"+
	"-|\u2013|\u2018|\u2019|\u201c|\u2026|\u00b7|\u2022|\u00e9|\u00df|\u00e6|\u0131|\u0130|\u00bd|\u00b2|\u2122|\u0439|\u0419|\u0430|\u043e|\u0441|\u0440|\u0432\u0435\u0442|\u0434|\u03b1|\u03c2|\u0455|\u0501|\u0261|"+
	"\u4e2d|\uff0c|\uff01|\uff08|\uff1a|\uff0a|\uff3b|\uff1c|\uff41|\uff11|\u3000|\u00a0|\u200b|\u0301|\u3099|\u304b|\uff76|\uff9e|\ud55c|\u05d0|\u0639|\u093e|\u0915|\U0001f600|\U0001f1e9|\ufe0f|\u2713|\u202e|\u2028|\u0085|\x00|\x1b[31m|\u009b|\xff|"+
	"\u2102|\u24d0|\u00b4|\u02bc|a b c d|a.b.c|\u043f \u0440 \u0438|%69%67|\\u0069|\\n|=69=67=6e|69676e6f7265206578616374|gur|vtaber|eht|list_branches|v1beta1|/|1|10|'|\"|\ue000|\U000e0061|\u3164|\u2800|\u2163|\u2460|\ufb01", "|")

// TestQuick: what the shorter way writes is what the cells would write.
func TestQuick(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		var b strings.Builder
		var some [6]string // few at a time, or every line would need cells
		for i := range some {
			some[i] = oddities[r.IntN(len(oddities))]
		}
		for range 1 + r.IntN(12) {
			b.WriteString(some[r.IntN(len(some))])
			if r.IntN(3) == 0 {
				b.WriteString(oddities[r.IntN(8)])
			}
		}
		compareWithCells(t, b.String())
	}
}

func FuzzQuick(f *testing.F) {
	for _, s := range oddities {
		f.Add(s + " the **" + s + "** [of](" + s + ")")
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if len(raw) < 2000 {
			compareWithCells(t, raw)
		}
	})
}

// TestForms: the runes that share a form have it, and the order of the table is
// that of its index.
func TestForms(t *testing.T) {
	known := knownForms()
	for r := rune(0x80); r < 0x20000; r++ {
		got, want := *known.of(r), formOf(r)
		if r&0xf800 == 0xd800 || got.marks == 0 {
			continue
		}
		if got.rune == 0 && got.marks&calm != 0 {
			want = form{marks: want.marks}
		}
		if got != want {
			t.Fatalf("%U: %+v, want %+v", r, got, want)
		}
		if got.marks&calm != 0 && known.inWord(r) != wordRune(got.rune) && got.rune != 0 {
			t.Errorf("%U: a word or not", r)
		}
	}
	if f := known.of('\u0436').marks; f&(calm|drawn|still) != calm|drawn|still {
		t.Errorf("zhe is %b", f)
	}
}
