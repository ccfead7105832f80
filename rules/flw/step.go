package flw

import (
	"path"
	"strings"
	"sync"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules/capability"
	"github.com/sallyport-mcp/sallyport/rules/said"
)

// step is one thing that a text has an agent do: a verb in the place of an
// order, with what belongs to it, or a tool that is named.
type step struct {
	text       analyzers.Text
	start, end int // in bytes of text
	clause     int
	verb       action
	tool       *named // the tool that is named, nil for none
	is         traits
	url        bool
	asked      bool     // it, or its clause, has the user asked
	paths      []string // files and variables
}

// action is what the verb of a step does.
type action int

const (
	none action = iota // a file that is named outside of any order
	bring
	load  // bring, from elsewhere by what the word means
	probe // bring, where an address is named
	execute
	transmit
	store
	hand  // to a tool
	other // anything else: what follows belongs to it
)

// named is a tool that a text can name.
type named struct {
	name  string
	facts []capability.Fact
	owner *analyzers.Tool // nil for a tool of the client itself
}

// hostTools are those that clients bring themselves, as they write them.
var hostTools = sync.OnceValue(func() map[string]*named {
	all := map[string]*named{}
	for names, fact := range map[string]capability.Fact{
		"Bash bash run_terminal_cmd run_in_terminal run_shell_command code_execution": {Label: capability.Executes, Object: capability.Shell},
		"WebFetch WebSearch web_fetch web_search google_web_search fetch_webpage":     {Label: capability.UntrustedContent, Object: capability.Web},
	} {
		fact.Field.Text.Value = "x" // a claim would not count
		for name := range strings.FieldsSeq(names) {
			all[name] = &named{name: name, facts: []capability.Fact{fact}}
		}
	}
	return all
})

// meaning is what a word says about a step.
type meaning struct {
	verb action
	is   traits
}

// traits is what the words of a step say, a bit each.
type traits uint16

const (
	leads    traits = 1 << iota // an order can follow
	negates                     // what follows is forbidden
	asks                        // the user has a say
	outside                     // text that strangers write
	secretly                    // a credential
	address                     // where something can be sent
	lasting                     // agents obey it
	firmly                      // what an earlier step has brought: "the output"
	loosely                     // what the step right before has: "it", "the script"
)

// vocabulary is the words that steps are known by, in lower case; verbs also
// with an s.
var vocabulary = sync.OnceValue(func() map[string]meaning {
	all := map[string]meaning{}
	for a, words := range map[action]string{
		load:     "download poll",
		probe:    "check connect query",
		bring:    "fetch retrieve get open visit browse read load pull scrape search collect gather copy grab curl wget cat",
		execute:  "run execute eval evaluate bash sh zsh python python3 node pipe follow obey",
		transmit: "send post upload forward submit transmit publish share email mail push deliver attach",
		store:    "save write store append add put record insert remember",
		hand:     "use call pass feed hand give invoke provide supply paste enter",
		other:    "show display print tell list explain summarise summarize parse compare create make build verify ask note describe review test look find see",
	} {
		for w := range strings.FieldsSeq(words) {
			s := w + "s"
			if strings.HasSuffix(w, "sh") || strings.HasSuffix(w, "ch") || strings.HasSuffix(w, "ss") {
				s = w + "es"
			}
			all[w], all[s] = meaning{verb: a}, meaning{verb: a}
		}
	}
	for is, words := range map[traits]string{
		leads:    "and then to must should please always also will first next finally now or you afterwards shall",
		negates:  "not never don't dont no without avoid cannot nor instead refuse",
		asks:     "confirm confirms confirmed confirmation approval approve approves approved ask asks review reviews reviewed consent permission",
		outside:  "url urls page pages webpage website web issue issues ticket tickets email emails mail mails inbox feed internet",
		secretly: "credential credentials secret secrets password passwords token tokens passphrase apikey keychain",
		address:  "endpoint webhook server channel address gist collector drop recipient",
		lasting:  "memory",
		firmly:   "output outputs result results response responses answer answers reply returned returns fetched downloaded collected gathered retrieved obtained",
		loosely:  "it them its what contents content text body script scripts command commands code instructions data payload directive directives patch patches handler",
	} {
		for w := range strings.FieldsSeq(words) {
			m := all[w]
			m.is |= is
			all[w] = m
		}
	}
	return all
})

// mostSteps bounds the steps of one text.
const mostSteps = 2048

// steps reads those of a text, of whose tools toolOf knows the names.
func steps(text analyzers.Text, toolOf func(string) *named) []step {
	raw := text.Raw()
	raw = raw[:min(len(raw), said.Longest)]
	r := reader{text: text, toolOf: toolOf, first: true}
	for i := 0; i < len(raw) && len(r.steps) < mostSteps; {
		if blank(raw[i]) {
			if raw[i] == '\n' && newClause(raw, i) {
				r.close()
			}
			i++
			continue
		}
		start := i
		for i < len(raw) && !blank(raw[i]) {
			i++
		}
		r.run(raw, start, i)
	}
	r.close()
	return r.steps
}

type reader struct {
	text    analyzers.Text
	toolOf  func(string) *named
	steps   []step
	open    int // where the steps of this clause begin
	clause  int
	first   bool // the next word begins a clause, or stands where an order does
	negated bool
	asked   bool
}

// close ends a clause: what is forbidden in it is no step.
func (r *reader) close() {
	if r.asked {
		for i := r.open; i < len(r.steps); i++ {
			r.steps[i].asked = true
		}
	}
	r.clause++
	r.open, r.first, r.negated, r.asked = len(r.steps), true, false, false
}

// run reads what stands between two blanks.
func (r *reader) run(raw string, start, end int) {
	if i := strings.Index(raw[start:end], "]("); i >= 0 { // a link of Markdown
		r.word(raw, start, start+i)
		start += i + 2
		if s := r.current(); s != nil && s.verb == probe { // "check the [site](...)" sends a reader there
			s.verb = other
		}
	}
	stop := end
	for stop > start && strings.IndexByte(".,;:!?)", raw[stop-1]) >= 0 {
		stop--
	}
	r.word(raw, start, stop)
	switch tail := raw[stop:end]; {
	case strings.ContainsAny(tail, ".;!?"):
		r.close()
	case tail != "":
		r.first = true
	}
}

const quotes = "`'\"*_()[]<>{}|"

func (r *reader) word(raw string, start, end int) {
	quoted := start < end && strings.IndexByte("`'\"", raw[start]) >= 0
	for start < end && strings.IndexByte(quotes, raw[start]) >= 0 {
		start++
	}
	for start < end && strings.IndexByte(quotes, raw[end-1]) >= 0 {
		end--
	}
	const longest = 512
	if start == end || end-start > longest {
		return
	}
	word := raw[start:end]
	low := strings.ToLower(word)
	if t := r.toolOf(word); t != nil && (quoted || telling(word)) {
		r.tool(t, start, end)
		return
	}
	if listMark(word) {
		return
	}
	m := vocabulary()[low]
	r.asked = r.asked || m.is&asks != 0
	if m.verb != none && (r.first || quoted && !telling(word)) {
		r.begin(step{verb: m.verb}, start, end)
		r.first = false
		return
	}
	r.first = m.is&leads != 0
	r.negated = r.negated || m.is&negates != 0 || strings.HasSuffix(low, "n't")
	if r.negated {
		return
	}
	s := r.current()
	if s == nil {
		if !pathLike(word) {
			return
		}
		r.begin(step{}, start, end) // "see references/more.md"
		if s = r.current(); s == nil {
			return
		}
	}
	s.end = end
	switch s.is |= m.is; {
	case m.is != 0:
	case strings.Contains(word, "://"):
		s.url = true
	case strings.Contains(word, "@") && strings.Contains(word, ".") && word[0] != '@':
		s.is |= address
	case pathLike(word):
		s.paths = append(s.paths, strings.TrimPrefix(strings.TrimLeft(word, "@<>"), "./"))
		if secretPath(low) {
			s.is |= secretly
		}
		if lastingPath(low) {
			s.is |= lasting
		}
	}
}

// tool adds a tool that is named: to the step that hands something over, or as
// a step of its own.
func (r *reader) tool(t *named, start, end int) {
	if s := r.current(); s != nil && s.tool == nil {
		s.tool, s.end = t, end
	} else {
		r.begin(step{verb: hand, tool: t}, start, end)
	}
	r.first = false
}

func (r *reader) begin(s step, start, end int) {
	if r.negated || len(r.steps) == mostSteps {
		return
	}
	s.text, s.start, s.end, s.clause = r.text, start, end, r.clause
	r.steps = append(r.steps, s)
}

// current is the last step of this clause.
func (r *reader) current() *step {
	if r.negated || len(r.steps) == r.open {
		return nil
	}
	return &r.steps[len(r.steps)-1]
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// newClause reports whether a line that ends at i is not gone on with: the next
// one is empty, opens an item or begins with a capital.
func newClause(raw string, i int) bool {
	rest := strings.TrimLeft(raw[i+1:min(len(raw), i+64)], " \t\r")
	if rest == "" {
		return true
	}
	c := rest[0]
	return c == '\n' || strings.IndexByte("-*+#>|`", c) >= 0 || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z'
}

// listMark reports whether a word only counts or marks an item: "1", "-", "##", "$".
func listMark(word string) bool { return strings.Trim(word, "0123456789-*+#>$.") == "" }

// telling reports whether a tool's name is no everyday word.
func telling(name string) bool {
	if strings.ContainsAny(name, "_-") {
		return true
	}
	for i := range len(name) {
		if name[i] >= 'A' && name[i] <= 'Z' && (i > 0 || name == "Bash") {
			return true
		}
	}
	return false
}

// pathLike reports whether a word is a file, or a variable, by which two steps
// can speak of the same thing.
func pathLike(word string) bool {
	if strings.ContainsAny(word, "/~$") && len(word) > 2 || word[0] == '.' && len(word) > 2 {
		return true
	}
	return fileKinds()[strings.ToLower(path.Ext(word))] && len(word) > 3
}

var fileKinds = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for kind := range strings.FieldsSeq(".md .mdc .txt .sh .py .js .ts .json .jsonl .yaml .yml .toml .log .csv .zip .tar .gz .tgz .env .pem .key .db .sqlite .html") {
		all[kind] = true
	}
	return all
})

func secretPath(low string) bool {
	for _, part := range [...]string{".ssh", ".aws", ".netrc", ".npmrc", "id_rsa", "id_ed25519", "/etc/shadow", ".git-credentials", ".kube/config", ".pem", "credentials"} {
		if strings.Contains(low, part) {
			return true
		}
	}
	base := path.Base(low)
	return base == ".env" || strings.HasPrefix(base, ".env.") && base != ".env.example" && base != ".env.sample"
}

func lastingPath(low string) bool {
	switch path.Base(low) {
	case "claude.md", "agents.md", "gemini.md", "memory.md", "skill.md", ".cursorrules", ".bashrc", ".zshrc", ".profile", "settings.json", ".mcp.json", "crontab":
		return true
	}
	return strings.Contains(low, "/hooks/")
}
