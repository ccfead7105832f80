package secret

import (
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

// Named judges a value by the name of the variable, header, flag or parameter
// that holds it. The shape of the value comes first, as in Find; then a name
// that says credential makes one of every value that is no placeholder, path,
// address, number or text. The match covers the value without a scheme
// ("Bearer "); where several credentials are in it, from the first to the last.
func Named(name, value string) (m Match, ok bool) {
	if found := Find(value); len(found) > 0 {
		m = found[0]
		m.End = found[len(found)-1].End
		return m, true
	}
	kind, start, end := judge(name, value)
	if kind == "" || Placeholder(value[start:end]) {
		return Match{}, false
	}
	return Match{kind, start, end}, true
}

// CredentialName reports whether a variable, header or flag is named like one
// that holds a credential, whatever its value.
func CredentialName(name string) bool { return meaningOf(nameWords(name)) != harmless }

// meaning is what a name says about its value.
type meaning int

const (
	harmless  meaning = iota
	maybe             // a key, a session: when the value is random
	isToken           // an API key, token or secret
	isHeader          // Authorization, Cookie: isToken behind a scheme
	isPass            // a password: people choose it
	isPhrase          // a wallet's recovery phrase
	shortest  = 8     // of a token
	shortPass = 4     // of a password
)

// judge classifies the value by the name; kind is "" for no credential.
func judge(name, value string) (kind string, start, end int) {
	if len(value) > 1<<14 {
		return "", 0, 0
	}
	words := nameWords(name)
	says := meaningOf(words)
	if says == harmless {
		return "", 0, 0
	}
	start, end = trim(value)
	if def := strings.Index(value[start:end], ":-"); def > 0 && strings.HasPrefix(value[start:end], "${") && value[end-1] == '}' {
		start, end = start+def+2, end-1 // the shell's default: ${NAME:-value}
	}
	scheme := 0
	for _, s := range schemes {
		if hasPrefixFold(value[start:end], s) {
			scheme = len(s)
			break
		}
	}
	start += scheme
	for start < end && value[start] == ' ' {
		start++
	}
	v := value[start:end]
	if Placeholder(v) {
		return "", 0, 0
	}
	if says == isPhrase {
		if n := len(strings.Fields(v)); n < 12 || n > 24 || !(lower | upper).all(strings.ReplaceAll(v, " ", "")) {
			return "", 0, 0
		}
		return "seed-phrase", start, end
	}
	if has(words, "cookie") {
		if i := strings.IndexByte(v, '='); i > 0 && anyRandom(v[i+1:]) {
			return "credential", start, end
		}
		return "", 0, 0
	}
	if strings.ContainsAny(v, " \t\r\n") || elsewhere(v) {
		return "", 0, 0
	}
	switch says {
	case isPass:
		if len(v) < shortPass {
			return "", 0, 0
		}
		return "password", start, end
	case maybe:
		if !random(v) {
			return "", 0, 0
		}
	default:
		if !tokenish(v) {
			return "", 0, 0
		}
	}
	return vendor(words, v), start, end
}

// schemes are the words in front of a header's value (RFC 9110, 11.1, and what
// services invented).
var schemes = []string{"Bearer ", "Basic ", "Token ", "ApiKey ", "Api-Key ", "GenieKey ", "SSWS ", "Bot ", "Key ", "DeepL-Auth-Key "}

// vendor names the credentials that have no shape of their own.
func vendor(words []string, v string) string {
	switch {
	case has(words, "aws") && has(words, "secret") && len(v) == 40 && base64ish.all(v):
		return "aws-secret-key"
	case has(words, "secret") && has(words, "access") && len(v) == 40 && base64ish.all(v):
		return "aws-secret-key"
	case has(words, "twilio") && len(v) == 32 && alnum.all(v):
		return "twilio-key"
	case (has(words, "cloudflare") || has(words, "cf")) && (len(v) == 40 || len(v) == 37) && url64.all(v):
		return "cloudflare-token"
	case has(words, "account") || has(words, "shared"):
		if len(v) >= 44 && strings.HasSuffix(v, "=") && base64ish.all(v) {
			return "azure-storage-key"
		}
	}
	return "credential"
}

func has(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

func trim(value string) (start, end int) {
	end = len(value)
	for start < end && (value[start] <= ' ' || value[start] == '"' || value[start] == '\'') {
		start++
	}
	for start < end && (value[end-1] <= ' ' || value[end-1] == '"' || value[end-1] == '\'') {
		end--
	}
	return start, end
}

// nameWords takes a name apart at everything that is no letter or digit and
// where camelCase changes; the words are in lower case.
func nameWords(name string) []string {
	if len(name) > 256 {
		name = name[len(name)-256:]
	}
	var words []string
	start := 0
	cut := func(end int) {
		if start < end {
			words = append(words, strings.ToLower(name[start:end]))
		}
	}
	for i := 0; i < len(name); i++ {
		b := name[i]
		switch {
		case !alnum.has(b):
			cut(i)
			start = i + 1
		case i > start && upper.has(b) && (lower.has(name[i-1]) || i+1 < len(name) && lower.has(name[i+1]) && upper.has(name[i-1])):
			cut(i)
			start = i
		}
	}
	cut(len(name))
	var out []string
	for _, w := range words {
		out = append(out, unglue(w)...)
	}
	return out
}

// unglue takes apart the words that people write as one.
func unglue(w string) []string {
	w = strings.TrimRight(w, "0123456789")
	if w == "" {
		return nil
	}
	for _, tail := range glued {
		head := strings.TrimSuffix(w, tail.word)
		if head == w {
			continue
		}
		if head == "" {
			return tail.parts
		}
		return append([]string{head}, tail.parts...)
	}
	return []string{w}
}

// glued is ordered: the longer tail first.
var glued = []struct {
	word  string
	parts []string
}{
	{"connectionstring", []string{"connection", "string"}}, {"secretaccesskey", []string{"secret", "access", "key"}},
	{"apikey", []string{"api", "key"}}, {"apikeys", []string{"api", "keys"}}, {"apitoken", []string{"api", "token"}}, {"apisecret", []string{"api", "secret"}},
	{"accesskey", []string{"access", "key"}}, {"secretkey", []string{"secret", "key"}}, {"privatekey", []string{"private", "key"}},
	{"publickey", []string{"public", "key"}}, {"accountkey", []string{"account", "key"}}, {"authkey", []string{"auth", "key"}}, {"passkey", []string{"pass", "key"}},
	{"clientsecret", []string{"client", "secret"}}, {"passphrase", []string{"passphrase"}}, {"password", []string{"password"}}, {"passwd", []string{"passwd"}},
	{"token", []string{"token"}}, {"secret", []string{"secret"}},
}

// notCredential are the last words of names whose value only describes a
// credential: AUTH_MODE, TOKEN_FILE, ACCESS_KEY_ID.
var notCredential = pattern.Words(`file files path paths dir directory folder url urls uri uris endpoint host hostname domain port name names
	type types mode count limit limits ttl expiry expires expiration expire exp timeout duration interval age lifetime seconds minutes hours days id ids
	length len size max min maximum minimum enabled enable required optional disabled prefix suffix format algorithm alg issuer audience scope scopes
	version region user username email mail header headers field param parameter provider method strategy server policy rotation alias source store storage
	location budget usage used price cost window threshold ring keyring map env variable var label description hint help title placeholder pattern regex
	class style color index column table schema position offset idx chars bytes counter status state flow grant kind action event handler callback
	manager service factory generator validator encoder tokenizer model estimate rate per input output string strings`)

var quantity = pattern.Words(`max min num total count limit is has use uses enable disable require requires no skip show allow public publishable per remaining reset page cursor continuation sort partition primary foreign pagination`)

var keyOwners = pattern.Words(`api access secret private auth account service signing signature encryption encrypt decryption master admin app application license
	shared webhook root session jwt hmac cipher crypto storage integration subscription deploy rest x bot project developer dev server user rapidapi`)

// meaningOf reads the words of a name.
func meaningOf(words []string) meaning {
	if len(words) == 0 {
		return harmless
	}
	last := words[len(words)-1]
	before := ""
	if len(words) > 1 {
		before = words[len(words)-2]
	}
	if before == "connection" && last == "string" {
		return isToken
	}
	if notCredential.Has(last) || has(words, "public") && last == "key" && before == "public" || quantity.Has(words[0]) {
		return harmless
	}
	switch last {
	case "password", "passwd", "passphrase", "passcode", "passwort", "contrasena", "pw":
		return isPass
	case "pwd", "pass":
		if before == "" && last == "pwd" || before == "old" {
			return harmless // the working directory
		}
		return isPass
	case "mnemonic", "seedphrase":
		return isPhrase
	case "phrase":
		if before == "seed" || before == "recovery" {
			return isPhrase
		}
	case "authorization", "cookie":
		return isHeader
	case "token", "secret", "bearer", "apikey", "accesstoken":
		if quantity.Has(before) {
			return harmless
		}
		return isToken
	case "key":
		if keyOwners.Has(before) {
			return isToken
		}
		if !quantity.Has(before) {
			return maybe
		}
	case "credential", "credentials", "creds", "tokens", "keys", "secrets", "passwords", "auth", "session", "sid", "sessionid", "dsn", "jwt", "pat", "salt", "sas", "licence", "license", "webhook":
		return maybe
	case "value", "val", "raw", "text", "base64", "b64", "plain", "plaintext", "prod", "production", "staging", "dev", "local", "live", "default", "primary", "secondary", "backup", "new", "old", "main":
		if len(words) > 1 {
			return meaningOf(words[:len(words)-1])
		}
	}
	return harmless
}

// elsewhere reports whether a value says where something is, or switches
// something, rather than being a secret: a path, an address, an email, a
// number, a word of a configuration.
func elsewhere(v string) bool {
	switch strings.ToLower(v) {
	case "true", "false", "yes", "no", "on", "off":
		return true
	}
	if strings.Contains(v, "://") || strings.HasPrefix(v, "./") || strings.HasPrefix(v, "../") || strings.HasPrefix(v, "~/") || strings.HasPrefix(v, "@/") || strings.HasPrefix(v, `\\`) {
		return true
	}
	if len(v) > 2 && v[1] == ':' && (v[2] == '\\' || v[2] == '/') {
		return true
	}
	if v[0] == '/' && strings.Count(v, "/") > 1 && !random(v[strings.LastIndexByte(v, '/')+1:]) {
		return true
	}
	if dot := strings.LastIndexByte(v, '.'); dot > 0 && fileTypes.Has(strings.ToLower(v[dot+1:])) {
		return true
	}
	return false
}

var fileTypes = pattern.Words(`pem key crt cer p12 pfx json yaml yml toml txt env ini cfg conf js ts py go rs md html log db sqlite jks kdbx com org net io dev`)

// tokenish reports whether a value can be a token that its name promises: not
// a word, a number, words with hyphens, an identifier, an email or code.
func tokenish(v string) bool {
	if len(v) < shortest || strings.ContainsAny(v, "(){}[]<>,") {
		return false
	}
	n := count(v)
	switch {
	case n.letters() == 0:
		return n.digit > 0 && n.other > 0 && n.digit+n.other >= 16
	case strings.IndexByte(v, '@') > 0 && strings.IndexByte(v[strings.IndexByte(v, '@'):], '.') > 0 && n.digit < 4:
		return false
	case n.digit > 0:
		return !wordy(v)
	}
	// Letters alone: long enough that it is no word or two, or in mixed case
	// that no identifier has.
	return n.other == 0 && (len(v) >= 20 && (n.lower == 0 || n.upper == 0 || !camel(v))) || n.other > 0 && n.upper > 1 && n.lower > 1 && len(v) >= 16 && !wordy(v)
}

// wordy reports whether v is words, short numbers and separators: an
// identifier, a host, a version, a model's name.
func wordy(v string) bool {
	words, separators, odd := 0, 0, 0
	for i := 0; i < len(v); {
		switch b := v[i]; {
		case (lower | upper).has(b):
			end := (lower | upper).run(v, i, len(v))
			if w := v[i:end]; end-i > 14 || !plainWord(w) {
				odd++
			} else if words++; end < len(v) && digit.has(v[end]) && end-i < 3 && w != "v" {
				odd++
			}
			i = end
		case digit.has(b):
			end := digit.run(v, i, len(v))
			if end-i > 4 && end-i != 8 || end < len(v) && (lower|upper).has(v[end]) {
				odd++
			}
			i = end
		case b == '-' || b == '_' || b == '.' || b == '/' || b == ':':
			separators++
			i++
		default:
			odd++
			i++
		}
	}
	return odd == 0 && words > 0 && (separators > 0 || len(v) < 12)
}

// plainWord reports whether letters are written as a word is: one case, a
// capital first, or camelCase with few humps.
func plainWord(w string) bool {
	vowels := 0
	for i := 0; i < len(w); i++ {
		if strings.IndexByte("aeiouyAEIOUY", w[i]) >= 0 {
			vowels++
		}
	}
	n := count(w)
	if len(w) > 4 && (vowels == 0 || vowels == len(w)) {
		return false
	}
	return n.upper == 0 || n.lower == 0 || camel(w)
}

// camel reports whether every hump of the letters is long enough for a word.
func camel(w string) bool {
	humps := 0
	for i := 1; i < len(w); i++ {
		if upper.has(w[i]) != upper.has(w[i-1]) {
			humps++
		}
	}
	return humps*3 <= len(w)+1
}

func anyRandom(list string) bool {
	for _, part := range strings.FieldsFunc(list, func(r rune) bool { return r == ';' || r == '=' || r == ' ' }) {
		if random(part) {
			return true
		}
	}
	return false
}
