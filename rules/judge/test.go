package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/rules"
)

// Test holds every technique to its own examples: each text of fires must be
// judged medium or above and show the technique, each of silent must come to
// nothing. It returns what failed.
func (p *Pack) Test() []string {
	j := New(p)
	var failed []string
	for _, t := range p.Techniques {
		fail := func(kind, text string, signs []Sign) {
			failed = append(failed, fmt.Sprintf("%s: %s %q: it is %s, by %s", t.ID, kind, text, Level(signs), list(signs)))
		}
		for _, text := range t.Fires {
			signs := j.Text(Setting{}, text)
			shows := slices.ContainsFunc(signs, func(s Sign) bool { return s.Technique == t && s.Weight >= weakest })
			if Level(signs) < rules.Medium || !shows {
				fail("must fire on", text, signs)
			}
		}
		for _, text := range t.Silent {
			if signs := j.Text(Setting{}, text); Level(signs) > 0 {
				fail("must be silent on", text, signs)
			}
		}
	}
	return failed
}

func list(signs []Sign) string {
	if len(signs) == 0 {
		return "nothing"
	}
	var parts []string
	for _, s := range signs {
		parts = append(parts, fmt.Sprintf("%s %.1f", s.Technique.ID, s.Weight))
	}
	return strings.Join(parts, ", ")
}
