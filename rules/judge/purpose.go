package judge

import (
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// window is a clause, or two in a row, as the model sees it.
type window struct {
	start, end int
	score      float64 // logarithm of the odds
	mentioned  bool    // warned of or forbidden
	quoted     bool
	direct     bool // Sign.direct
	text       string
}

// The windows that are looked at twice.
const (
	suspicious  = 1.0 // the score from which on a window is one
	mostWindows = 8   // of a text
	fewestWords = 4   // of a clause; an address has none
)

// keep adds a window to those of a text, the most suspicious first.
func keep(windows []window, w window) []window {
	i, _ := slices.BinarySearchFunc(windows, w, func(a, b window) int {
		if a.score >= b.score {
			return -1
		}
		return 1
	})
	if windows = slices.Insert(windows, i, w); len(windows) > mostWindows {
		windows = windows[:mostWindows]
	}
	return windows
}

// purpose is what a definition is about: the words of its names and of the
// clauses that look harmless. What speaks of other things has no part in it.
type purpose map[string]bool

func (j *Judge) purpose(in Setting, texts []string) purpose {
	p := purpose{}
	m := j.scratch.Get().(*scratch)
	defer j.scratch.Put(m)
	r := m.reader
	add := func() {
		for _, w := range r.list() {
			p[w] = true
		}
	}
	for _, name := range in.Names {
		r.read(spaced(name))
		add()
	}
	var hits []hit
	for _, text := range texts {
		r.next(in.Role)
		for _, clause := range Clauses(text) {
			low := unbroken(lower(clause))
			hits = j.words.find(low, hits[:0])
			here := formOf(clause, low, true, hits)
			for _, h := range hits {
				here.add(h.class)
			}
			r.learn(j.model, low, here)
			if alone, _ := j.model.scores(r); alone < suspicious {
				add()
			}
		}
	}
	return p
}

// Siblings are the tools of one server.
type Siblings struct {
	names map[string]bool // in lower case
	words purpose
}

// NewSiblings returns the tools of a server, nil where it has only one, which is
// nobody's sibling.
func NewSiblings(s *analyzers.Server) *Siblings {
	if len(s.Surface.Tools) < 2 {
		return nil
	}
	all := &Siblings{names: make(map[string]bool, len(s.Surface.Tools)), words: purpose{}}
	var words stems
	for _, t := range s.Surface.Tools {
		all.names[strings.ToLower(t.Name.Raw())] = true
		words.read(spaced(t.Name.Raw()))
		for _, w := range words.list() {
			all.words[w] = true
		}
	}
	return all
}

// share is how much of a text is about the purpose: of its words that are
// about anything, those which the purpose has too.
func (p purpose) share(in Setting, text string) float64 {
	var s stems
	s.read(lower(text))
	seen := map[string]bool{}
	n := 0
	for _, w := range s.list() {
		if about()[w] || seen[w] {
			continue
		}
		seen[w] = true
		if p[w] || in.Siblings != nil && in.Siblings.words[w] {
			n++
		}
	}
	return float64(n) / float64(max(len(seen), 1))
}

// strange turns a window into a sign by how far it is from the purpose.
func (j *Judge) strange(in Setting, w window, p purpose) Sign {
	weight := learnedWeight(in.Role, w.score-strangeness*p.share(in, w.text))
	if w.mentioned {
		weight *= quoteFactor
	}
	return Sign{j.techniques[j.learned], weight, w.start, w.end, w.mentioned, w.quoted, w.direct}
}

// harmlessBelow is the score below which the model takes a clause for harmless
// in each role: what it holds of a technique is then a mention. A technique that
// weighs so much that it is beyondDoubt is none, and comes to medium unless the
// model finds the clause suspicious, too; others do not come to high without it.
// Definitions are short; their techniques need no second opinion.
var harmlessBelow = [Roles]float64{InDefinition: math.Inf(-1), InText: -1}

const beyondDoubt = 4.5

// strangeness is what a window loses that speaks of nothing but the purpose.
const strangeness = 4.0

// opening is what the first clause of a tool's description loses: it says what
// the tool is for, and an order stands behind it.
const opening = 1.5

// What is left of the score becomes a weight: medium from learnedAt on, in each
// role. Measured on descriptions of real tools: docs/benchmarks.md.
var learnedAt = [Roles]float64{InDefinition: 0.8, InText: 2.2}

// The weight by a step of the score, below learnedAt and above.
const (
	learnedBelow = 2
	learnedAbove = 0.5
)

func learnedWeight(role Role, score float64) float64 {
	score -= learnedAt[role]
	if score < 0 {
		return max(mediumAt+score*learnedBelow, 0)
	}
	return min(mediumAt+score*learnedAbove, highAt+0.5)
}

// spaced is a name with its words apart: read_file, readFile.
func spaced(name string) string {
	b := make([]byte, 0, len(name)+8)
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			if i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z' {
				b = append(b, ' ')
			}
			c |= 0x20
		}
		if c == '_' || c == '-' || c == '.' || c == '/' {
			c = ' '
		}
		b = append(b, c)
	}
	return string(b)
}

// about are the words that are about nothing, as stems: in English, and what
// stands between the words that mean something in other languages.
var about = sync.OnceValue(func() map[string]bool {
	var s stems
	m := map[string]bool{}
	for _, list := range [...]string{
		"the a an of to in is are be as at by for from on it its this that these or and with was were if than then so has have had can will may one two which who what there here out up into over not no you your us our we when all any each user tool 1 a_b http://x",
		"der die das den dem des ein eine einen einem einer und oder von zu zum zur mit im in ist sind wird werden auf für an am bei nach aus als auch es er sie nicht kein keine dass wenn man sich hat um über durch",
		"de het een en van te met op is zijn wordt worden voor aan bij naar uit als ook niet geen dat die er om door wat",
		"och att det den en ett som på är av för med till i har om inte kan ska man eller från vid så detta",
		"le la les un une des du de et ou à au aux en est sont pour par sur dans avec que qui ne pas se sa son ses ce cette il elle on plus",
		"el la los las un una unos del de y o a al en es son para por sobre con que no se su sus lo le este esta cuando más como",
		"o a os as um uma do da dos das de e ou ao à no na nos nas em é são para por com que não se seu sua este esta quando mais como pelo pela",
		"il lo la i gli le un una di del della dei delle e o a al alla in nel nella è sono per da dal con su che non si suo sua questo questa quando più come",
		"i w we z ze na do od o u dla po za przez przy pod jest są się nie to ten ta tego tej jak lub oraz który która które co gdy jego jej",
		"и в во на с со к по из за от до о об для при у не что это как или его её их а но же бы где когда который которая которые",
		"і й в у на з із до по за від про для при не що це як або його її їх а але же де коли який яка які та",
		"ve ile bir bu şu o da de için gibi ya veya mi ise en çok olan olarak her ne ki",
		"في من إلى على عن مع أن إن لا ما هذا هذه ذلك التي الذي أو ثم قد كل بعد قبل هو هي كما",
		"از به در با که این آن را و یا برای تا است هر هم بر شود های",
		"का की के को में से पर और या यह वह है हैं था हो ने भी तो कि जो इस उस एक नहीं ही लिए कर",
		"yang dan di ke dari untuk pada dengan ini itu atau oleh dalam adalah akan tidak juga sebagai",
		"và của là có cho các một những trong với được không này đó khi thì để từ ra vào ở về",
		"ます です する して した され さい くだ ださ てく いま りま しま きま せん ませ から まで この その それ ある いる れる ため こと もの とき には では など ない って とし しく ので えま",
		"습니 니다 합니 입니 됩니 하십 십시 시오 으로 에서 에게 까지 하는 하고 하며 에는 이나 거나 해야 있습 십니 세요 주세",
		"一个 这个 并且 以及 可以 没有 进行 不会 就是 之后 其中 本工 工具 的一 请在 请把",
	} {
		s.read(list)
		for _, w := range s.list() {
			m[w] = true
		}
	}
	return m
})
