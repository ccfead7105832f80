package secret

import (
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

// Placeholder reports whether a value only stands for a secret: nothing, a
// reference to a variable or a secret store, a mask, a value to be replaced, an
// example of documentation, or a row of characters that nobody draws at random.
func Placeholder(value string) bool {
	start, end := trim(value)
	v := value[start:end]
	if v == "" {
		return true
	}
	if len(v) > 4096 {
		return false
	}
	return reference(v) || masked(v) || worded(v) || sequence(v)
}

// reference: ${VAR}, $VAR, %VAR%, {{x}}, ${{ secrets.X }}, ${input:x}, <x>,
// process.env.X, op://vault/item.
func reference(v string) bool {
	for _, p := range stores {
		if hasPrefixFold(v, p) {
			return true
		}
	}
	rest, found := withoutReferences(v)
	if !found {
		return false
	}
	n := count(rest)
	return n.letters()+n.digit < 6 || worded(rest) || sequence(rest)
}

// stores are the beginnings of code and addresses that fetch a secret.
var stores = []string{
	"process.env", "os.environ", "os.getenv", "import.meta.env", "env.", "ENV[", "System.getenv", "getenv(", "secrets.", "vars.", "Deno.env",
	"op://", "vault:", "vault://", "aws-sm:", "arn:aws", "secretref:", "keyvault:", "sm://", "gcp-sm:", "ref+", "file:", "env:", "keychain:", "keyring:",
	"@Microsoft.KeyVault", "doppler:", "infisical:", "bws:", "akv:",
}

// withoutReferences removes what is between reference marks. The shell's
// default, ${NAME:-value}, stays: it is a value.
func withoutReferences(v string) (rest string, found bool) {
	var b strings.Builder
	for i := 0; i < len(v); {
		n, keep := referenceAt(v[i:])
		if n == 0 {
			b.WriteByte(v[i])
			i++
			continue
		}
		found = true
		b.WriteString(keep)
		i += n
	}
	return b.String(), found
}

// referenceAt is the length of the reference that v starts with, and the
// default in it.
func referenceAt(v string) (n int, keep string) {
	const longest = 128
	window := v[:min(len(v), longest)]
	for _, m := range marks {
		if !strings.HasPrefix(window, m.open) {
			continue
		}
		i := strings.Index(window[len(m.open):], m.close)
		if i < 1 {
			continue
		}
		inner := window[len(m.open) : len(m.open)+i]
		if m.words && !named(inner) {
			continue
		}
		if m.open == "${" {
			if _, after, ok := strings.Cut(inner, ":-"); ok {
				keep = after
			}
		}
		return len(m.open) + i + len(m.close), keep
	}
	if v[0] == '$' && len(v) > 1 && (lower | upper | underscore).has(v[1]) {
		end := alnumBar.run(v, 1, longest)
		if w := v[1:end]; count(w).lower == 0 || count(w).upper == 0 || camel(w) {
			return end, ""
		}
	}
	return 0, ""
}

var marks = []struct {
	open, close string
	words       bool // only when the inside reads like a name
}{
	{"${{", "}}", false}, {"{{", "}}", false}, {"${", "}", false}, {"$(", ")", false}, {"#{", "}", true},
	{"<", ">", true}, {"[", "]", true}, {"%", "%", true}, {"{", "}", true}, {"__", "__", true},
}

func named(inner string) bool {
	for i := 0; i < len(inner); i++ {
		if b := inner[i]; !(alnumBar | dash | dot).has(b) && b != ' ' && b != ':' && b != '/' && b != '|' && b != '\'' && b < 0x80 {
			return false
		}
	}
	return count(inner).letters() > 0
}

// masked: sk-..., ghp_xxxx, ********, …
func masked(v string) bool {
	if strings.Contains(v, "...") || strings.Contains(v, "…") || strings.Contains(v, "•") {
		return true
	}
	row, rows := 1, 0
	for i := 1; i <= len(v); i++ {
		if i < len(v) && lowerByte(v[i]) == lowerByte(v[i-1]) {
			row++
			continue
		}
		switch b := lowerByte(v[i-1]); {
		case b == '*' && row >= 3, b == 'x' && row >= 5, b == '#' && row >= 4, b == '_' && row >= 4, b == '?' && row >= 3, b == '0' && row >= 10:
			return true
		case b == 'x' && row >= 3:
			rows++
		}
		row = 1
	}
	if rows > 0 && len(v) < 24 || rows > 1 {
		return true
	}
	n := count(v)
	return n.distinct <= 2 || n.distinct <= 4 && len(v) >= 16
}

// signals are words that make a placeholder of whatever they stand in, when
// they stand by themselves.
var signals = pattern.Words(`your youre yours placeholder example examples changeme change changethis replace replaceme redacted insert dummy fake
	sample todo tbd fixme here mock notreal invalid xxx xxxx`)

// within are signals that are long enough to count inside a word.
var within = []string{"example", "placeholder", "changeme", "redacted", "replaceme", "yourapi", "yourtoken", "yoursecret", "yourpass", "yourkey", "notarealkey", "notreal"}

// vocabulary is what placeholders are made of when every word of the value is
// from it: my-secret-token, test_key, API_KEY_HERE, secret123.
var vocabulary = pattern.Words(`a an the and or of for to in on is it be this that with from by as at not no my me our we you your some any real actual very super
	api key keys apikey token tokens secret secrets password passwd passphrase pass pwd pw access auth authorization bearer basic client private public personal
	app application bot id value string text here enter put add set use insert replace change paste fill provide generate generated get goes must should
	example sample dummy fake mock test tests testing tester demo dev development local localhost staging prod production placeholder todo tbd fixme none null nil
	undefined empty foo bar baz qux quux user username name admin db database service account server session cookie refresh webhook signing
	credential credentials connection config env environment variable var required optional redacted hidden masked removed omitted
	long random strong secure safe min minimum chars characters int integer number bool boolean na unset default unknown new old
	openai anthropic claude github gitlab google gemini azure aws slack discord telegram stripe notion linear jira confluence atlassian hugging face huggingface
	brave tavily firecrawl exa perplexity groq supabase postgres postgresql mysql mongo mongodb redis sentry grafana cloudflare vercel mcp npm pypi
	figma airtable twilio sendgrid pat oauth jwt integration workspace org organization project
	sk pk ant proj ghp gho ghu ghs hf xoxb xoxp xapp glpat tvly fc bsa gsk pcsk lin ntn figd dop whsec live api03 v1 pplx xai akia aiza aizasy
	valid invalid anything whatever something hello world letmein qwerty deadbeef welcome`)

// worded: your-key, changeme, my-secret, EXAMPLE.
func worded(v string) bool {
	if len(v) > 256 {
		return false
	}
	low := strings.ToLower(v)
	for _, w := range within {
		if strings.Contains(low, w) {
			return true
		}
	}
	words := strings.FieldsFunc(low, func(r rune) bool { return r < 0x80 && !alnum.has(byte(r)) })
	all := len(words) > 0
	for _, w := range words {
		if signals.Has(w) {
			return true
		}
		if all && !known(w) {
			all = false
		}
	}
	if all {
		return true
	}
	for _, w := range nameWords(v[:min(len(v), 64)]) { // yourApiKey
		if w == "your" || w == "placeholder" || w == "changeme" {
			return len(v) < 64
		}
	}
	return false
}

// known reports whether w is words of the vocabulary, one behind the other,
// with at most a short or sequential number at the end.
func known(w string) bool {
	letters := strings.TrimRight(w, "0123456789")
	if tail := w[len(letters):]; len(tail) > 3 && !sequence(tail) {
		return false
	}
	if letters == "" {
		return len(w) < 4 || sequence(w)
	}
	if vocabulary.Has(letters) || vocabulary.Has(w) {
		return true
	}
	if len(letters) > 64 {
		return false
	}
	// reach[i]: the first i letters are words. Short ones would make words of
	// anything.
	reach := make([]bool, len(letters)+1)
	reach[0] = true
	for i := 2; i <= len(letters); i++ {
		for j := max(0, i-14); j <= i-2 && !reach[i]; j++ {
			reach[i] = reach[j] && vocabulary.Has(letters[j:i])
		}
	}
	return reach[len(letters)]
}

// sequence: 1234567890, abc123, a1b2c3d4, qwertyuiop, abcabcabc.
func sequence(v string) bool {
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if alnum.has(v[i]) {
			b = append(b, lowerByte(v[i]))
		}
	}
	if len(b) < 3 {
		return len(b) > 0
	}
	if covered(b, 1)*4 >= len(b)*3 || len(b) >= 6 && covered(b, 2)*5 >= len(b)*4 {
		return true
	}
	for period := 1; period <= 8 && period*3 <= len(b); period++ {
		i := period
		for i < len(b) && b[i] == b[i-period] {
			i++
		}
		if i == len(b) {
			return true
		}
	}
	return false
}

// covered counts the characters that are in rows of three or more, each the
// neighbour of the one step characters before: in the alphabet, among the
// digits or on a keyboard, always in one direction.
func covered(b []byte, step int) int {
	in := make([]bool, len(b))
	for _, direction := range []int{1, -1} {
		for lane := 0; lane < step; lane++ {
			start := lane
			for i := lane + step; ; i += step {
				if i < len(b) && follows(b[i-step], b[i], direction) {
					continue
				}
				if (i-start)/step >= 3 {
					for j := start; j < i; j += step {
						in[j] = true
					}
				}
				if start = i; i >= len(b) {
					break
				}
			}
		}
	}
	n := 0
	for _, covered := range in {
		if covered {
			n++
		}
	}
	return n
}

const keyboard = "qwertyuiop|asdfghjkl|zxcvbnm"

func follows(a, b byte, direction int) bool {
	if a == b {
		return true
	}
	if direction < 0 {
		a, b = b, a
	}
	if b == a+1 || a == '9' && b == '0' {
		return true
	}
	i := strings.IndexByte(keyboard, a)
	return i >= 0 && i+1 < len(keyboard) && keyboard[i+1] == b
}
