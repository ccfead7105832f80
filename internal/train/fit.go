package main

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/sallyport-mcp/sallyport/rules/judge"
)

// model is a logistic regression.
type model struct {
	bias    float64
	weights []float64
}

// score is the logarithm of the odds that a text is malicious.
func (m *model) score(features []int32) float64 {
	sum := 0.0
	for _, f := range features {
		sum += m.weights[f]
	}
	return m.bias + sum*judge.Scale(len(features))
}

// example is a text to learn from; cost is what a mistake in it costs.
type example struct {
	features []int32
	bad      bool
	cost     float64
}

// How much what was written for the other role counts, what is not in English,
// of which there is little, and a window of a harmless item, of which there is
// much.
const (
	otherRole     = 0.25
	otherLanguage = 1.2
	perWindow     = 0.5
)

// rounds is how often the malicious window of a malicious item is chosen anew.
const rounds = 2

// fit learns from the phrases and the harmless items, then chooses the window
// of each malicious item that looks most so, and learns from all of them.
func fit(v *vocabulary, c *examples, role judge.Role) *model {
	cost := func(of judge.Role) float64 {
		if of == role {
			return 1
		}
		return otherRole
	}
	var base []example
	for _, p := range c.phrases {
		k := cost(p.role)
		if p.language != english {
			k *= otherLanguage
		}
		base = append(base, example{p.features, p.bad, k})
	}
	for _, it := range c.items {
		if !it.bad {
			for _, f := range it.features {
				base = append(base, example{f, false, perWindow * cost(it.role)})
			}
		}
	}
	m := descend(len(v.names), base)
	for range rounds {
		all := slices.Clone(base)
		for _, it := range c.items {
			if it.bad {
				worst := slices.MaxFunc(it.features, func(a, b []int32) int {
					switch sa, sb := m.score(a), m.score(b); {
					case sa < sb:
						return -1
					case sa > sb:
						return 1
					}
					return 0
				})
				all = append(all, example{worst, true, cost(it.role)})
			}
		}
		m = descend(len(v.names), all)
	}
	return m
}

// How the weights are found: stochastic gradient descent with a rate for each
// weight (AdaGrad; Duchi, Hazan, Singer 2011) and a penalty on their squares.
const (
	epochs   = 12
	rate     = 0.2
	penalty  = 1e-3
	averaged = 6
)

func descend(n int, rows []example) *model {
	var costs [2]float64
	of := map[bool]int{true: 1}
	for _, e := range rows {
		costs[of[e.bad]] += e.cost
	}
	m := &model{weights: make([]float64, n)}
	steps, step := make([]float64, n), 0.0
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	random := rand.New(rand.NewPCG(1, 2)) // always the same
	mean := &model{weights: make([]float64, n)}
	for epoch := range epochs {
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, k := range order {
			e := &rows[k]
			scale := judge.Scale(len(e.features))
			slope := 1 / (1 + math.Exp(-m.score(e.features)))
			if e.bad {
				slope--
			}
			slope *= e.cost * (costs[0] + costs[1]) / (2 * costs[of[e.bad]])
			step += slope * slope
			m.bias -= rate * slope / math.Sqrt(step+1e-8)
			for _, f := range e.features {
				g := slope*scale + penalty*m.weights[f]
				steps[f] += g * g
				m.weights[f] -= rate * g / math.Sqrt(steps[f]+1e-8)
			}
		}
		if epoch >= epochs-averaged {
			mean.bias += m.bias / averaged
			for f, w := range m.weights {
				mean.weights[f] += w / averaged
			}
		}
	}
	return mean
}

// folds is into how many parts the corpus is cut for cross-validation.
const folds = 5

// crossValidate prints, for each role, how many malicious phrases are found by
// models that have not seen them, when given shares of the benign ones are
// taken for malicious: of all phrases, and of those that are not in English.
func crossValidate(c *examples, v *vocabulary) error {
	for role := judge.Role(0); role < judge.Roles; role++ {
		scores := map[string]*[2][]float64{} // by language, benign and malicious
		for fold := range folds {
			part := &examples{items: c.items}
			var held []*phrase
			for i, p := range c.phrases {
				if i/10%folds == fold { // neighbours are often each other's twins
					held = append(held, p)
				} else {
					part.phrases = append(part.phrases, p)
				}
			}
			m := fit(v, part, role)
			for _, p := range held {
				if p.role != role {
					continue
				}
				groups := []string{"all", p.language}
				if p.language != english {
					groups = append(groups, "not English")
				}
				for _, group := range groups {
					if scores[group] == nil {
						scores[group] = &[2][]float64{}
					}
					of := &scores[group][0]
					if p.bad {
						of = &scores[group][1]
					}
					*of = append(*of, m.score(p.features))
				}
			}
		}
		for _, group := range slices.Sorted(maps.Keys(scores)) {
			good, bad := scores[group][0], scores[group][1]
			slices.Sort(good)
			fmt.Printf("role %d, %s: %d malicious, %d benign phrases;", role, group, len(bad), len(good))
			for _, share := range []float64{0.01, 0.03, 0.1} {
				limit := good[int(float64(len(good)-1)*(1-share))]
				n := 0
				for _, s := range bad {
					if s > limit {
						n++
					}
				}
				fmt.Printf("  at %.0f%% false alarms %.1f%%", 100*share, 100*float64(n)/float64(len(bad)))
			}
			fmt.Println()
		}
	}
	return nil
}
