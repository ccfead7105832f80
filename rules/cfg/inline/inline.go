// Package inline says what code on a command line does: a shell line, the
// program behind node -e, a PowerShell command. It reads structure, not
// meaning: which program's output reaches which interpreter. Everything is
// linear in the text.
package inline

import (
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

// Act is something that harmless one-liners do not do.
type Act int

const (
	RunsDownload Act = iota + 1 // fetches text and runs it
	RunsDecoded                 // decodes text and runs it
	SendsSecrets                // reads credentials or the environment and sends them away
	OpensShell                  // ties a shell to a network connection
)

// Place is an act with the bytes of the code that show it.
type Place struct {
	Act        Act
	Start, End int
}

// Shell returns the acts of a shell line: POSIX, cmd or PowerShell.
func Shell(line string) []Place { return shell(line, false) }

func shell(line string, whole bool) []Place {
	s := scan{text: line, lower: lower(line), whole: whole}
	s.commands()
	s.sending()
	if m := reverse.find(s.lower); m != nil {
		s.add(OpensShell, m[0], m[1])
	}
	return s.found
}

// Code returns the acts of a program in any language: those of Shell and
// those of JavaScript, Python, Perl, Ruby and PHP one-liners.
func Code(text string) []Place {
	found := shell(text, true)
	text = lower(text)
	runs := execution.find(text)
	has := func(a Act) bool { return Has(found, a) }
	if m := imported.find(text); m != nil && !has(RunsDownload) {
		found = append(found, Place{RunsDownload, m[0], m[1]})
	} else if m := fetching.find(text); m != nil && runs != nil && !has(RunsDownload) {
		found = append(found, Place{RunsDownload, min(m[0], runs[0]), max(m[1], runs[1])})
	}
	if m := decoding.find(text); m != nil && runs != nil && !has(RunsDecoded) {
		found = append(found, Place{RunsDecoded, min(m[0], runs[0]), max(m[1], runs[1])})
	}
	read, send := environment.find(text), posting.find(text)
	if read == nil {
		read = credentials.find(text)
	}
	if read != nil && send != nil && !has(SendsSecrets) {
		found = append(found, Place{SendsSecrets, min(read[0], send[0]), max(read[1], send[1])})
	}
	if m := socketShell.find(text); m != nil && runs != nil && !has(OpensShell) {
		found = append(found, Place{OpensShell, m[0], m[1]})
	}
	for i, p := range found {
		found[i].Start = p.End - len(strings.TrimLeft(text[p.Start:p.End], " \t\r\n;"))
	}
	return found
}

// lower folds ASCII alone, so that places stay true.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// Has reports whether one of the places shows the act.
func Has(places []Place, act Act) bool {
	for _, p := range places {
		if p.Act == act {
			return true
		}
	}
	return false
}

// probe is an expression that is tried only around its literals: hostile text
// is long, and an expression costs a hundred times what a search does.
type probe struct {
	literals []string
	re       *pattern.Pattern
}

const (
	before, behind = 64, 320 // bytes of a window around a literal
	maxWindows     = 64      // of one literal
)

func newProbe(literals, expression string) probe {
	return probe{strings.Split(literals, " "), pattern.New(expression)}
}

// find returns the place of a match in lower-case text, nil without one.
func (p probe) find(text string) []int {
	for _, literal := range p.literals {
		for i, n := 0, 0; n < maxWindows; n++ {
			at := strings.Index(text[i:], literal)
			if at < 0 {
				break
			}
			from, to := max(i+at-before, 0), min(i+at+behind, len(text))
			if m := p.re.FindStringIndex(text[from:to]); m != nil {
				return []int{from + m[0], from + m[1]}
			}
			i = to
		}
	}
	return nil
}

// Of a program's own language.
var (
	fetching = newProbe("url http fetch request require lwp axios open",
		`\b(?:urlopen|urlretrieve|(?:requests|httpx|https?|axios)\.(?:get|post|request)\b|fetch\s*\(|net::http|open-uri|file_get_contents\s*\(\s*['"]https?:|open\s*\(?\s*['"]https?:|lwp::)|require\(\s*['"](?:node:)?https?['"]`)
	execution = newProbe("eval exec compile system popen function constructor child_process spawn runin subprocess load importlib os.",
		`(?:^|[^.\w])(?:eval|exec|compile|system|popen|execfile)\s*\(|\(\s*eval\s*\)|(?:^|[\s;{])eval\s+[\w("']|\bnew\s+function\b|\.constructor\s*\(|child_process|\b(?:execsync|spawnsync|execfilesync|spawn)\s*\(|\brunin(?:this|new)?context|\bos["']?\)?\.(?:system|popen|exec\w*|dup2)|\bsubprocess\b|\bmodule\._load|_compile\s*\(|\b(?:pickle|marshal)\.loads|\bimportlib\b|\bpty\.spawn`)
	imported = newProbe("import from",
		`\bimport\s*\(\s*['"]https?:|\bfrom\s+['"]https?:|\bimport\s+['"]https?:`)
	decoding = newProbe("b64 atob base64 hex codecs fromcharcode decode64",
		`b64decode|\batob\s*\(|['"]base64['"]|fromhex|unhexlify|codecs\.decode|fromcharcode|decode64|base64_decode|['"]hex['"]`)
	environment = newProbe("environ process.env getenv",
		`json\.stringify\(\s*process\.env\s*\)|dict\(\s*os\.environ|json\.dumps\(\s*(?:dict\()?\s*os\.environ|object\.(?:entries|assign|keys)\([^)]{0,20}process\.env|process\.env(?:\.|\[['"])\w*(?:token|secret|passw|api_?key|private_?key|_pat\b|credential)|os\.(?:environ|getenv)[[(.](?:get\()?['"]\w*(?:token|secret|passw|api_?key|private_?key|credential)`)
	posting = newProbe("method requests httpx axios http urlopen request sendbeacon",
		`method['"]?\s*[:=]\s*['"](?:post|put)|\b(?:requests|httpx|axios|https?)\.(?:post|put|request)\b|urlopen\([^)]{0,200}data\s*=|\.request\s*\(\s*\{|sendbeacon|['"]https?:[^'"\n]{0,200}['"]\s*\+`)
	socketShell = newProbe("socket net.",
		`socket\.socket\s*\(|net\.(?:socket|connect|createconnection)\s*[({]|io::socket|tcpsocket\.(?:new|open)|\bfsockopen\s*\(`)
)

// Of a shell line.
var (
	reverse = newProbe("/dev/ nc netcat ncat socat net.sockets",
		`/dev/(?:tcp|udp)/|\b(?:nc|ncat|netcat)(?:\.exe)?\s(?:[^\n;|&]{0,80}\s)?(?:-[a-z]{0,5}[ec]|--exec|--sh-exec)\s*['"]?\S{0,30}(?:sh|cmd|powershell)|\bsocat\b[^\n;|]{0,80}\b(?:exec|system):|net\.sockets\.tcpclient`)
	credentials = newProbe(".ssh id_ .aws .git- .netrc .npmrc .pypirc .kube .docker .gnupg shadow gcloud .env keychain find-generic login cookies wallet *. $ secret",
		`(?:^|[\s~/"'=@])\.(?:ssh|aws|gnupg|kube)\b|\bid_(?:rsa|ed25519|ecdsa|dsa)\b|\.git-credentials|\.netrc\b|\.npmrc\b|\.pypirc\b|\.docker/config|/etc/shadow|\.config/gcloud|(?:^|[\s/'"=@*(])\.env\b|find-generic-password|login\.keychain|login data|cookies\.sqlite|wallet\.dat|\*\.(?:pem|key)\b|\$\{?\w*(?:_token|_secret|_api_key|_password|_pat)\b|\bget secrets?\b`)
	dumped = newProbe("env export set get-child",
		"(?:^|[\\s(;|&`'\"])(?:env|printenv|export -p|gci env:|get-childitem env:|set)\\s*(?:\\||\\)|`|>|$)")
)
