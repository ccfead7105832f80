package judge

import (
	_ "embed"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

//go:embed lexicon.txt
var lexiconText string

// class is a concept of the lexicon, or one of the patterns below.
type class uint8

// set is a set of classes.
type set [3]uint64

// maxConcepts is how many a set has room for, ownConcepts how many of these the
// program's own lexicon may take; the rest are for packs of users.
const (
	maxConcepts = 192
	ownConcepts = 128
)

func (s *set) add(c class)     { s[c>>6] |= 1 << (c & 63) }
func (s *set) join(o set)      { s[0] |= o[0]; s[1] |= o[1]; s[2] |= o[2] }
func (s set) has(c class) bool { return s[c>>6]>>(c&63)&1 != 0 }
func (s set) all(o set) bool {
	return s[0]&o[0] == o[0] && s[1]&o[1] == o[1] && s[2]&o[2] == o[2]
}
func (s set) any(o set) bool { return s[0]&o[0]|s[1]&o[1]|s[2]&o[2] != 0 }

// patterns are the concepts that no list of words can hold. They run where one
// of their marks begins a word of the lower-cased text; a mark of one byte may
// stand anywhere where at does not rule it out. find finds what match does, for
// those of which nearly every text has a mark.
var patterns = []struct {
	name  string
	marks []string
	match *pattern.Pattern
	at    func(low string, i int) bool
	find  func(low string, from int) (start, end int)
}{
	{"credential-file", []string{"~/", ".ssh", ".aws", ".env", "/etc/", "credential", ".npmrc", ".netrc", "mcp.json", "/proc/", ".pem", ".bashrc", ".zshrc", "keychain", "wallet.dat", ".kube", "id_"},
		pattern.New(`~/\.[\w./-]+|[\w~/]*\.(?:ssh|aws|kube|docker|gnupg|netrc) folder|folder \.ssh|content of \.env|\bid_(?:rsa|ed25519|ecdsa)\b|\.ssh/|\.aws/|\.env\b|/etc/(?:passwd|shadow)|credentials?\.json|\.npmrc|\.netrc|\bmcp\.json|/proc/\w|\.pem\b|\.bashrc|\.zshrc|keychain|wallet\.dat|\.git-credentials|\.kube/`), nil, findCredential},
	{"shell", []string{"$(", "sudo", "rm -", "curl", "wget", "chmod", "-c", "nc ", "crontab", "/dev/null", "&&", "| ", "whoami", "cat /", "echo ", "powershell", "printenv", "netstat", "ps aux", "df -", "uname", "kill", "systemctl", "install"},
		pattern.New(`\$\(|\bsudo\b|\brm -r?f|\bcurl (?:-|http)|\bwget (?:-|http)|\bchmod \+?\d?|\b(?:ba)?sh -c|\bnc -|\bcrontab\b|/dev/null|&& |\| ?(?:sh|bash)\b|\bwhoami\b|\bcat /|\becho ['"]|\bpowershell|\bprintenv|\bnetstat|\bps aux|\bdf -h|\buname -|\bkill(?:all)? -|\bsystemctl |\b(?:pip|npm|apt-get) install`), nil, findShell},
	{"address", []string{"http", "@", "+"},
		pattern.New(`https?://[^\s'"<>)\]]+|\b[\w.+-]+@[\w-]+\.[\w.-]+|\+\d{8,}`), mayBeAddress, nil},
	{"tool-name", []string{"_", "`", "'", "\""},
		pattern.New("[`'\"][a-z][a-z0-9]*(?:[_-][a-z0-9]+)+[`'\"]|\\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\\b|[`'\"][a-z]{4,20}[`'\"] (?:tool|function)"), mayBeTool, findTool},
	{"quotation", []string{"'", "\"", "“"},
		pattern.New(`(?:^|[\s(\[:=])(?:["“][^\s"”][^"”]{19,}(?:["”](?:[\s).,;:!?\]]|$)|$)|'[^\s'"”][^'"”]{19,}(?:'(?:[\s).,;:!?\]]|$)|$))`), mayBeQuoted, findQuotation},
	{"account", []string{"'", "account", "%"},
		pattern.New(`'[A-Za-z]+[_-][A-Za-z0-9_-]*\d{2,}'|\baccount(?:_id)? ?[=:]? ?['"]?[\w-]*\d{3,}|\b\d{1,2} ?%`), mayBeAccount, nil},
	{"substitution", []string{"$("},
		pattern.New(`\$\( ?(?:cat|base64|head|type|printenv|env|whoami|hostname)\b`), nil, nil},
	{"temporary", []string{"/tmp", `\temp`},
		pattern.New(`/tmp/|/var/tmp|\\temp\b`), nil, nil},
	{"template-token", []string{"<|", "[inst", "[/inst", "## system"},
		pattern.New(`<\|im_(?:start|end)\|>|<\|(?:system|user|assistant)\|>|\[/?inst\]|#{2,} ?system(?: prompt)?:`), nil, nil},
	{"piped", []string{"curl", "wget", "iwr"},
		pattern.New(`\b(?:curl|wget|iwr)\b[^|\n]{1,200}\| ?(?:sudo )?(?:ba|z)?(?:sh|python3?|iex)\b`), nil, nil},
	{"refused", []string{"denied", "refused", "blocked", "forbidden", "rejected", "allowed"},
		pattern.New(`\b(?:is|are|will be) (?:always )?(?:denied|refused|blocked|forbidden|rejected|not allowed)\b`), nil, nil},
	{"safeguard", []string{"without", "unless", "until", "before"},
		pattern.New(`\b(?:never|not|don't|cannot|can't)\b[^.;]{0,60}\b(?:without|unless|until|before)\b`), nil, nil},
	{"framing", []string{"<", "["},
		pattern.New(`</?(?:important|system|instructions?|hidden|secret|admin|override|critical|note_to_ai|assistant|internal)[^<>]{0,30}>|\[/?(?:inst|system (?:monitor|note|notice|message|update|override)|sys|admin|override|internal|background (?:service|task|process)|passive)[^\]]{0,40}\]|<\|[a-z_]{2,20}\|>`), mayBeFrame, nil},
}

// credentialFile is the index of the first pattern.
const credentialFile = 0

// headline is a sentence's own heading in capitals: "SESSION POLICY (internal):".
var headline = pattern.New(`(?:^|[\n.!?] *|\[)([A-Z][A-Z -]{5,50})(?:\([^)]{0,60}\))?:`)

// lexicon is the words of all concepts.
type lexicon struct {
	names    []string
	literals []text.Pattern
	terms    []term // by literal
	scan     func() *text.Automaton
}

// term is what a literal of the automaton stands for.
type term struct {
	class class
	mark  bool // only says that a pattern may match
}

// firstPattern is the class of the first of patterns.
var firstPattern class

// words is the program's own lexicon. It is data: nothing changes it.
var words = parseLexicon(lexiconText)

func parseLexicon(content string) *lexicon {
	l := &lexicon{}
	for line := range strings.Lines(content) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, list, _ := strings.Cut(line, ":")
		l.concept(name, strings.Split(list, "|"))
	}
	firstPattern = class(len(l.names))
	for _, p := range patterns {
		c := class(len(l.names))
		l.names = append(l.names, p.name)
		for _, m := range p.marks {
			if len(m) > 1 {
				l.literal(m, true, term{class: c, mark: true})
			}
		}
	}
	l.names = append(l.names, "headline", "imperative") // found by judge itself
	l.scan = sync.OnceValue(func() *text.Automaton {    // it takes milliseconds that not every command needs
		a, err := text.NewAutomaton(l.literals)
		if err != nil {
			panic(err) // our own words
		}
		return a
	})
	return l
}

// concept adds a concept with its words; a star ends a stem.
func (l *lexicon) concept(name string, list []string) {
	c := class(len(l.names))
	l.names = append(l.names, name)
	for _, w := range list {
		if w, stem := strings.CutSuffix(strings.TrimSpace(w), "*"); w != "" {
			l.literal(w, stem, term{class: c})
		}
	}
}

func (l *lexicon) literal(word string, stem bool, t term) {
	first, _ := utf8.DecodeRuneInString(word)
	last, _ := utf8.DecodeLastRuneInString(word)
	l.literals = append(l.literals, text.Pattern{
		Text:      word,
		WordStart: letter(word[0]) && !undivided(first),
		WordEnd:   !stem && letter(word[len(word)-1]) && !undivided(last),
	})
	l.terms = append(l.terms, t)
}

// with is the lexicon and more concepts, in the order of their names.
func (l *lexicon) with(concepts map[string][]string) (*lexicon, error) {
	if len(concepts) == 0 {
		return l, nil
	}
	more := &lexicon{names: slices.Clone(l.names), literals: slices.Clone(l.literals), terms: slices.Clone(l.terms)}
	for _, name := range slices.Sorted(maps.Keys(concepts)) {
		if slices.Contains(l.names, name) {
			return nil, fmt.Errorf("the concept %q is the program's own; choose another name", name)
		}
		if len(more.names) == maxConcepts {
			return nil, fmt.Errorf("more than %d concepts", maxConcepts-len(l.names))
		}
		more.concept(name, concepts[name])
	}
	a, err := text.NewAutomaton(more.literals)
	more.scan = func() *text.Automaton { return a }
	return more, err
}

// class returns a concept by its name.
func (l *lexicon) class(name string) (class, error) {
	i := slices.Index(l.names, name)
	if i < 0 {
		return 0, fmt.Errorf("no concept %q; the concepts are %s", name, strings.Join(l.names, ", "))
	}
	return class(i), nil
}

func (l *lexicon) set(names []string) (set, error) {
	var s set
	for _, name := range names {
		c, err := l.class(name)
		if err != nil {
			return s, err
		}
		s.add(c)
	}
	return s, nil
}

func mustClass(name string) class {
	c, err := words.class(name)
	if err != nil {
		panic(err)
	}
	return c
}

func mustSet(names ...string) set {
	s, err := words.set(names)
	if err != nil {
		panic(err)
	}
	return s
}

// hit is a concept at a place of the text.
type hit struct {
	class      class
	start, end int32
}

// find returns the concepts of a lower-cased clause.
func (l *lexicon) find(low string, into []hit) []hit { return l.findMarked(low, marks(low), into) }

// findMarked is find for a clause that has these marks of one byte.
func (l *lexicon) findMarked(low string, marked uint32, into []hit) []hit {
	l.scan().Scan(low, func(pattern, start, end int) bool {
		if t := l.terms[pattern]; t.mark {
			marked |= 1 << (t.class - firstPattern)
		} else {
			into = append(into, hit{t.class, int32(start), int32(end)})
		}
		return true
	})
	for ; marked != 0; marked &= marked - 1 {
		n := bits.TrailingZeros32(marked)
		add := func(start, end int) {
			if n == credentialFile && strings.HasSuffix(low[start:end], ".pub") {
				return // the half of a key that is meant for others
			}
			into = append(into, hit{firstPattern + class(n), int32(start), int32(end)})
		}
		if find := patterns[n].find; find != nil {
			for from, found := 0, 0; found < mostMatches; found++ {
				start, end := find(low, from)
				if start < 0 {
					break
				}
				add(start, end)
				from = end
			}
			continue
		}
		for _, m := range patterns[n].match.FindAllStringIndex(low, mostMatches) {
			add(m[0], m[1])
		}
	}
	return into
}

// mostMatches is how many matches of a pattern count in a clause.
const mostMatches = 8

// marksOf is by byte the patterns, a bit each, of which it is a mark that may
// stand anywhere.
var marksOf = func() (table [256]uint32) {
	for n, p := range patterns {
		for _, m := range p.marks {
			if len(m) == 1 {
				table[m[0]] |= 1 << n
			}
		}
	}
	return table
}()

// marks are the patterns of which a byte of low is a mark.
func marks(low string) (found uint32) {
	for i := range len(low) {
		for may := marksOf[low[i]] &^ found; may != 0; may &= may - 1 {
			n := bits.TrailingZeros32(may)
			if at := patterns[n].at; at == nil || at(low, i) {
				found |= 1 << n
			}
		}
	}
	return found
}

// letter reports whether b is inside a word; bytes of other scripts are.
func letter(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 0x80
}
