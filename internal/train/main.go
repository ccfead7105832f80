// Command train learns the weights of the judge's model from fixtures/corpus
// and writes rules/judge/model.txt. The same corpus gives the same file.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/rules/judge"
)

// sample is a text with its label. Of a malicious item of several texts, at
// least one is malicious: any[] are the windows among which it is searched.
type sample struct {
	author string
	label  string // technique or topic
	bad    bool
	text   string
	feats  []int32
}

var (
	l2     = flag.Float64("l2", 2e-4, "")
	epochs = flag.Int("epochs", 30, "")
	lr     = flag.Float64("lr", 0.2, "")
	minN   = flag.Int("min", 2, "")
	kinds  = flag.String("kinds", "wbfcp", "")
	cv     = flag.Bool("cv", false, "")
	extern = flag.String("extern", "", "")
	out    = flag.String("out", "", "")
	norm   = flag.Float64("norm", 0.5, "")
	nb     = flag.Float64("nb", 0, "")
	idf    = flag.Bool("idf", false, "")
	quick  = flag.Bool("quick", false, "")
	real   = flag.String("real", "", "")
	folds  = flag.Int("folds", 0, "")
	nov    = flag.Bool("nov", false, "")
	prune  = flag.Int("prune", 50, "")
	show   = flag.Bool("show", false, "")
)

func main() {
	flag.Parse()
	if *quick {
		*cv = true
	}
	samples := phrases()
	v := newVocab()
	for i := range samples {
		v.count(samples[i].text)
	}
	tune, test := items()
	for _, it := range tune {
		for _, w := range it.windows {
			v.count(w)
		}
	}
	v.freeze()
	for i := range samples {
		samples[i].feats = v.feats(samples[i].text)
	}
	for _, its := range [][]*item{tune, test} {
		for _, it := range its {
			for _, w := range it.windows {
				it.feats = append(it.feats, v.feats(w))
			}
		}
	}
	fmt.Println("features", len(v.names), "phrases", len(samples), "tune", len(tune), "test", len(test))
	if *cv {
		authors := map[string]bool{}
		var allGood, allBad []float64
		var caught [3]float64
		var nbad, wrong float64
		ngood := 0
		for i := range samples {
			if *folds > 0 {
				
				samples[i].author = fmt.Sprint((i/10) % *folds)
			}
			authors[samples[i].author] = true
		}
		for _, a := range slices.Sorted(maps.Keys(authors)) {
			var train, held []sample
			for _, s := range samples {
				if s.author == a {
					held = append(held, s)
				} else {
					train = append(train, s)
				}
			}
			m := fit(v, train, tune)
			n := 0
			for _, s := range held {
				if s.bad {
					n++
				}
			}
			if n == 0 || n == len(held) {
				continue
			}
			if *real != "" {
				t := threshold(v, m)
				for _, s := range held {
					if s.bad {
						nbad++
						for i := range t {
							if m.score(s.feats) > t[i] {
								caught[i]++
							}
						}
					} else if m.score(s.feats) > t[1] {
						wrong++
					}
				}
				ngood += len(held) - n
			}
			if !*quick {
				report("held "+a, m, held)
			}
			for _, s := range held {
				if s.bad {
					allBad = append(allBad, m.score(s.feats))
				} else {
					allGood = append(allGood, m.score(s.feats))
				}
			}
		}
		curve("all held", allGood, allBad)
		if *real != "" {
			fmt.Printf("at real fp 0.5/1/2 %%: recall %.1f %.1f %.1f   twins wrong at 1%%: %.1f\n", 100*caught[0]/nbad, 100*caught[1]/nbad, 100*caught[2]/nbad, 100*wrong/float64(ngood))
		}
		if *quick {
			return
		}
		m := fit(v, samples, nil)
		reportItems("tune (not trained)", m, tune)
		reportItems("test", m, test)
	}
	m := fit(v, samples, tune)
	report("train", m, samples)
	reportItems("tune", m, tune)
	reportItems("test", m, test)
	if *extern != "" {
		for _, name := range strings.Split(*extern, ",") {
			external(v, m, name)
		}
	}
	if *nov {
		noveltyReport(v, fit(v, samples, nil), append(slices.Clone(tune), test...))
	}
	if *out != "" {
		write(v, m, *out)
	}
}

func phrases() []sample {
	names, _ := filepath.Glob("fixtures/corpus/phrases/*.txt")
	var all []sample
	for _, name := range names {
		content, _ := os.ReadFile(name)
		var label string
		var bad bool
		for line := range strings.Lines(string(content)) {
			line = strings.TrimSpace(line)
			if line == "" {
				continue
			}
			if f := strings.Fields(line); len(f) == 4 && f[0] == "#" {
				bad, label = f[1] == "malicious", f[2]
				continue
			}
			all = append(all, sample{author: strings.TrimSuffix(filepath.Base(name), ".txt"), label: label, bad: bad, text: line})
		}
	}
	return all
}

type item struct {
	ID, Label, Kind, Technique, Split string
	Text                              string
	Tool                              any
	windows                           []string
	feats                             [][]int32
}

func items() (tune, test []*item) {
	names, _ := filepath.Glob("fixtures/corpus/*.jsonl")
	for _, name := range names {
		content, _ := os.ReadFile(name)
		for line := range bytes.Lines(content) {
			it := &item{}
			if err := json.Unmarshal(line, it); err != nil {
				panic(err)
			}
			if it.Text != "" {
				it.windows = windows(it.Text)
			}
			collect(it.Tool, &it.windows)
			if it.Split == "tune" {
				tune = append(tune, it)
			} else {
				test = append(test, it)
			}
		}
	}
	return
}

func collect(v any, into *[]string) {
	switch v := v.(type) {
	case string:
		if len(v) >= 12 {
			*into = append(*into, windows(v)...)
		}
	case []any:
		for _, e := range v {
			collect(e, into)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			collect(v[k], into)
		}
	}
}

// windows are the clauses of a text, and pairs of neighbours.
func windows(text string) []string {
	c := judge.Clauses(text)
	out := slices.Clone(c)
	for i := 1; i < len(c); i++ {
		out = append(out, c[i-1]+" "+c[i])
	}
	return out
}

type vocab struct {
	n     map[string]int
	id    map[string]int32
	names []string
}

func newVocab() *vocab { return &vocab{n: map[string]int{}, id: map[string]int32{}} }

func (v *vocab) count(text string) {
	seen := map[string]bool{}
	judge.Features(text, func(name string) {
		if strings.IndexByte(*kinds, name[0]) >= 0 && !seen[name] {
			seen[name] = true
			v.n[name]++
		}
	})
}

func (v *vocab) freeze() {
	for _, name := range slices.Sorted(maps.Keys(v.n)) {
		if v.n[name] >= *minN {
			v.id[name] = int32(len(v.names))
			v.names = append(v.names, name)
		}
	}
}

func (v *vocab) feats(text string) []int32 {
	seen := map[int32]bool{}
	var out []int32
	judge.Features(text, func(name string) {
		if id, ok := v.id[name]; ok && !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	})
	slices.Sort(out)
	return out
}

type model struct {
	bias float64
	w    []float64
	r    []float64
}

func scale(n int) float64 { return judge.Scale(n) }

func (m *model) score(f []int32) float64 {
	s := 0.0
	for _, i := range f {
		if m.r != nil {
			s += m.w[i] * m.r[i]
		} else {
			s += m.w[i]
		}
	}
	return m.bias + s*scale(len(f))
}

type row struct {
	f []int32
	y float64
	c float64 // cost
}

// fit trains on the phrases, then, in rounds, on the window of each malicious
// item that looks most so.
func fit(v *vocab, samples []sample, tune []*item) *model {
	var rows []row
	for _, s := range samples {
		y := 0.0
		if s.bad {
			y = 1
		}
		rows = append(rows, row{s.feats, y, 1})
	}
	if len(samples) == 0 {
		for _, it := range tune {
			if it.Label == "malicious" {
				for _, f := range it.feats {
					rows = append(rows, row{f, 1, 0.2})
				}
			}
		}
	}
	benign := []row{}
	for _, it := range tune {
		if it.Label == "benign" {
			for _, f := range it.feats {
				benign = append(benign, row{f, 0, 0.5})
			}
		}
	}
	m := descend(v, append(slices.Clone(rows), benign...))
	for range 2 {
		more := slices.Clone(benign)
		for _, it := range tune {
			if it.Label == "malicious" {
				best := slices.MaxFunc(it.feats, func(a, b []int32) int { return cmp.Compare(m.score(a), m.score(b)) })
				more = append(more, row{best, 1, 1})
			}
		}
		if len(more) == 0 {
			break
		}
		base := rows
		if len(samples) == 0 {
			base = nil
		}
		m = descend(v, append(slices.Clone(base), more...))
	}
	return m
}

func descend(v *vocab, rows []row) *model {
	pos, neg := 0.0, 0.0
	for _, r := range rows {
		if r.y == 1 {
			pos += r.c
		} else {
			neg += r.c
		}
	}
	m := &model{w: make([]float64, len(v.names))}
	ratio := make([]float64, len(v.names))
	{
		a, b := make([]float64, len(ratio)), make([]float64, len(ratio))
		df := make([]float64, len(ratio))
		for _, row := range rows {
			for _, i := range row.f {
				df[i]++
				if row.y == 1 {
					a[i] += row.c / pos
				} else {
					b[i] += row.c / neg
				}
			}
		}
		for i := range ratio {
			ratio[i] = 1
			if *nb > 0 {
				lr := math.Abs(math.Log((a[i] + 1/(pos+neg)) / (b[i] + 1/(pos+neg))))
				ratio[i] = (1 - *nb) + *nb*lr
			}
			if *idf {
				ratio[i] *= math.Log(float64(len(rows))/(df[i]+1)) / 4
			}
		}
	}
	g := make([]float64, len(v.names))
	gb := 0.0
	m.r = ratio
	rnd := rand.New(rand.NewPCG(1, 2))
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	for range *epochs {
		rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, k := range order {
			r := rows[k]
			p := 1 / (1 + math.Exp(-m.score(r.f)))
			cost := r.c
			if r.y == 1 {
				cost *= (pos + neg) / (2 * pos)
			} else {
				cost *= (pos + neg) / (2 * neg)
			}
			d := (p - r.y) * cost
			sc := scale(len(r.f))
			gb += d * d
			m.bias -= *lr * d / math.Sqrt(gb+1e-8)
			for _, i := range r.f {
				gi := d*sc*ratio[i] + *l2*m.w[i]
				g[i] += gi * gi
				m.w[i] -= *lr * gi / math.Sqrt(g[i]+1e-8)
			}
		}
	}
	return m
}

// report prints recall at thresholds that let given shares of the benign pass.
func report(what string, m *model, s []sample) {
	var good, bad []float64
	for _, s := range s {
		if s.bad {
			bad = append(bad, m.score(s.feats))
		} else {
			good = append(good, m.score(s.feats))
		}
	}
	curve(what, good, bad)
}

func reportItems(what string, m *model, its []*item) {
	var good, bad []float64
	for _, it := range its {
		best := math.Inf(-1)
		for _, f := range it.feats {
			best = max(best, m.score(f))
		}
		if it.Label == "malicious" {
			bad = append(bad, best)
		} else {
			good = append(good, best)
		}
	}
	curve(what, good, bad)
}

func curve(what string, good, bad []float64) {
	slices.Sort(good)
	slices.Sort(bad)
	fmt.Printf("%-22s bad %4d good %4d:", what, len(bad), len(good))
	if len(good) == 0 || len(bad) == 0 {
		fmt.Println()
		return
	}
	for _, share := range []float64{0.005, 0.01, 0.03, 0.1} {
		t := good[min(len(good)-1, int(float64(len(good))*(1-share)))]
		n := len(bad) - sort(bad, t)
		fmt.Printf("  fp %.1f%%@%.1f recall %.1f%%", 100*share, t, 100*float64(n)/float64(len(bad)))
	}
	fmt.Println()
}

func sort(s []float64, t float64) int {
	i, _ := slices.BinarySearch(s, math.Nextafter(t, math.Inf(1)))
	return i
}

// external prints the distribution of scores over rows of a file outside.
func external(v *vocab, m *model, name string) {
	f, err := os.Open(name)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	type hit struct {
		score float64
		text  string
	}
	by := map[string][]hit{}
	for lines.Scan() {
		var r struct {
			Source, Name, Description, Content string
			InputSchema                        any
		}
		json.Unmarshal(lines.Bytes(), &r)
		var w []string
		if r.Description != "" {
			w = windows(r.Description)
		}
		collect(r.InputSchema, &w)
		if len(w) == 0 && r.Content != "" {
			w = windows(r.Content)
		}
		best := hit{math.Inf(-1), ""}
		for _, t := range w {
			if s := m.score(v.feats(t)); s > best.score {
				best = hit{s, t}
			}
		}
		by[r.Source] = append(by[r.Source], best)
	}
	for _, src := range slices.Sorted(maps.Keys(by)) {
		h := by[src]
		fmt.Printf("%-50s n %5d:", filepath.Base(name)+" "+src, len(h))
		for _, t := range []float64{0, 0.5, 1, 1.5, 2, 2.5, 3} {
			n := 0
			for _, x := range h {
				if x.score >= t {
					n++
				}
			}
			fmt.Printf(" >=%.1f %.1f%%", t, 100*float64(n)/float64(len(h)))
		}
		fmt.Println()
		if *show {
			slices.SortFunc(h, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
			for _, x := range h[:min(40, len(h))] {
				fmt.Printf("    %.2f %.250q\n", x.score, x.text)
			}
		}
	}
}

func write(v *vocab, m *model, name string) {
	var b strings.Builder
	fmt.Fprintf(&b, "# learned by internal/train from fixtures/corpus: feature, weight in thousandths\nbias\t%d\n", int(math.Round(1000*m.bias)))
	n := 0
	for i, name := range v.names {
		if w := int(math.Round(1000 * m.w[i])); w > *prune || w < -*prune {
			fmt.Fprintf(&b, "%s\t%d\n", name, w)
			n++
		}
	}
	fmt.Println("written", n, b.Len())
	if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
		panic(err)
	}
}

var realFeats [][][]int32

func threshold(v *vocab, m *model) [3]float64 {
	if realFeats == nil {
		content, _ := os.ReadFile(*real)
		n := 0
		for line := range bytes.Lines(content) {
			n++
			if n%3 != 0 {
				continue
			}
			var r struct {
				Description string
				InputSchema any
			}
			json.Unmarshal(line, &r)
			w := windows(r.Description)
			collect(r.InputSchema, &w)
			var f [][]int32
			for _, t := range w {
				f = append(f, v.feats(t))
			}
			realFeats = append(realFeats, f)
		}
	}
	var best []float64
	for _, it := range realFeats {
		b := math.Inf(-1)
		for _, f := range it {
			b = max(b, m.score(f))
		}
		best = append(best, b)
	}
	slices.Sort(best)
	at := func(share float64) float64 { return best[int(float64(len(best)-1)*(1-share))] }
	return [3]float64{at(0.005), at(0.01), at(0.02)}
}

func contentOf(text string) map[string]bool {
	out := map[string]bool{}
	judge.Features(text, func(n string) {
		if n[0] == 'w' && !stopw[n[2:]] {
			out[n[2:]] = true
		}
	})
	return out
}

var stopw = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields("the a an of to in is are be as at by for from on it its this that these or and with was were if than then so has have had can will may one two which who what there here out up into over <num> <id> <url> not no you your us our we when all any each user tool") {
		m[w] = true
	}
	return m
}()

// novelty of the best window against the rest of the definition.
func novelty(v *vocab, m *model, name string, texts []string) (score, share float64, best string) {
	score = math.Inf(-1)
	where := -1
	for i, t := range texts {
		for _, w := range windows(t) {
			if s := m.score(v.feats(w)); s > score {
				score, best, where = s, w, i
			}
		}
	}
	rest := strings.ReplaceAll(name, "_", " ")
	for i, t := range texts {
		if i == where {
			t = strings.Replace(t, best, " ", 1)
		}
		rest += "\n" + t
	}
	a, b := contentOf(best), contentOf(rest)
	n := 0
	for w := range a {
		if b[w] {
			n++
		}
	}
	return score, float64(n) / float64(max(len(a), 1)), best
}

func strs(v any, into *[]string) {
	switch v := v.(type) {
	case string:
		if len(v) >= 12 {
			*into = append(*into, v)
		}
	case []any:
		for _, e := range v {
			strs(e, into)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			strs(v[k], into)
		}
	}
}

func noveltyReport(v *vocab, m *model, test []*item) {
	type point struct{ score, share float64 }
	rows := map[string][]point{}
	add := func(group, name string, texts []string) {
		s, share, _ := novelty(v, m, name, texts)
		rows[group] = append(rows[group], point{s, share})
	}
	for _, it := range test {
		if it.Tool != nil {
			var t []string
			strs(it.Tool, &t)
			add(it.Split+" "+it.Label, it.Tool.(map[string]any)["name"].(string), t)
		}
	}
	for _, file := range []string{"benign-tools", "attack-tools"} {
		content, _ := os.ReadFile("/work/shared/data/" + file + ".jsonl")
		for line := range bytes.Lines(content) {
			var r struct {
				Name, Description string
				InputSchema       any
			}
			json.Unmarshal(line, &r)
			t := []string{r.Description}
			strs(r.InputSchema, &t)
			add(file, r.Name, t)
		}
	}
	for _, k := range []float64{0, 1, 2, 3, 4, 6, 8} {
		at := map[string][]float64{}
		for g, ps := range rows {
			for _, p := range ps {
				at[g] = append(at[g], p.score-k*p.share)
			}
			slices.Sort(at[g])
		}
		real := at["benign-tools"]
		fmt.Printf("k %.0f:", k)
		for _, fp := range []float64{0.002, 0.005, 0.01, 0.02} {
			t := real[int(float64(len(real)-1)*(1-fp))]
			fmt.Printf("  fp %.1f%%@%.1f", 100*fp, t)
			for _, g := range slices.Sorted(maps.Keys(at)) {
				if g != "benign-tools" {
					fmt.Printf(" %.1f", 100*float64(len(at[g])-sort(at[g], t))/float64(len(at[g])))
				}
			}
		}
		fmt.Println()
	}
}
