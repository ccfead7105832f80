package judge

import (
	"strings"
	"unicode/utf8"
)

// The functions of this file stand in for the regular expressions of patterns
// that nearly every text would have to run. The tests hold them to those.

func digit(b byte) bool { return b-'0' <= 9 }
func small(b byte) bool { return b-'a' <= 'z'-'a' }

// wordByte reports whether b is a \w of a regular expression.
func wordByte(b byte) bool { return small(b) || digit(b) || b == '_' || b-'A' <= 'Z'-'A' }

// space reports whether b is a \s of a regular expression.
func space(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' || b == '\f' }

func next(low string, i int) byte {
	if i+1 < len(low) {
		return low[i+1]
	}
	return 0
}

func before(low string, i int) byte {
	if i > 0 {
		return low[i-1]
	}
	return 0
}

func mayBeAddress(low string, i int) bool {
	if low[i] == '+' {
		return digit(next(low, i))
	}
	a, b := before(low, i), next(low, i)
	return (wordByte(a) || a == '.' || a == '+' || a == '-') && (wordByte(b) || b == '-')
}

func mayBeAccount(low string, i int) bool {
	a := before(low, i)
	return digit(a) || low[i] == '%' && a == ' ' && i > 1 && digit(low[i-2])
}

func mayBeFrame(low string, i int) bool {
	if low[i] == '<' {
		return strings.IndexByte("/|ishaocn", next(low, i)) >= 0
	}
	return strings.IndexByte("/isaobp", next(low, i)) >= 0
}

func mayBeTool(low string, i int) bool {
	return small(next(low, i)) || low[i] == '_' && digit(next(low, i))
}

// findTool finds the name of a tool: words with underscores between, or in
// quotes with underscores or dashes; or one word in quotes that a tool or
// function is called.
func findTool(low string, from int) (start, end int) {
	for i := from; i < len(low); i++ {
		switch c := low[i]; {
		case c == '\'' || c == '"' || c == '`':
			if e := quotedTool(low, i); e > 0 {
				return i, e
			}
		case wordByte(c) && !wordByte(before(low, i)):
			if e := joined(low, i); e > 0 {
				return i, e
			}
		}
	}
	return -1, -1
}

// joined returns the end of the word at i if it is several with underscores
// between, 0 otherwise.
func joined(low string, i int) int {
	if !small(low[i]) {
		return 0
	}
	several := false
	for i++; i < len(low); i++ {
		switch c := low[i]; {
		case small(c) || digit(c):
		case c == '_':
			if low[i-1] == '_' {
				return 0
			}
			several = true
		case wordByte(c):
			return 0
		default:
			if !several || low[i-1] == '_' {
				return 0
			}
			return i
		}
	}
	if !several || low[i-1] == '_' {
		return 0
	}
	return i
}

// quotedTool returns the end of the name in quotes at i, 0 without one.
func quotedTool(low string, i int) int {
	if !small(next(low, i)) {
		return 0
	}
	parts, letters := 1, true
	for k := i + 2; k < len(low); k++ {
		switch c := low[k]; {
		case small(c):
		case digit(c):
			letters = false
		case c == '_' || c == '-':
			if low[k-1] == '_' || low[k-1] == '-' {
				return 0
			}
			parts++
		case c == '\'' || c == '"' || c == '`':
			if parts > 1 && low[k-1] != '_' && low[k-1] != '-' {
				return k + 1
			}
			if rest := low[k+1:]; parts == 1 && letters && k-i-1 >= 4 && k-i-1 <= 20 {
				for _, kind := range [...]string{" tool", " function"} {
					if strings.HasPrefix(rest, kind) {
						return k + 1 + len(kind)
					}
				}
			}
			return 0
		default:
			return 0
		}
	}
	return 0
}

func mayBeQuoted(low string, i int) bool { return i == 0 || opensQuote(low[i-1]) }

func opensQuote(b byte) bool { return space(b) || b == '(' || b == '[' || b == ':' || b == '=' }

// findQuotation finds what stands between quotation marks and is longer than a
// name, with the character in front of it and the one behind.
func findQuotation(low string, from int) (start, end int) {
	for i := from; i < len(low); i++ {
		quote, size := rune(low[i]), 1
		switch {
		case quote == '"' || quote == '\'':
		case quote == 0xe2 && strings.HasPrefix(low[i:], "“"):
			quote, size = '"', len("“")
		default:
			continue
		}
		if i == from && i > 0 || i > 0 && !opensQuote(low[i-1]) {
			continue
		}
		if e := quotation(low, i+size, quote); e > 0 {
			return max(0, i-1), e
		}
	}
	return -1, -1
}

// quotation returns the end of a quotation whose text begins at i, 0 without
// one.
func quotation(low string, i int, quote rune) int {
	const fewest = 20 // characters
	n := 0
	for i < len(low) {
		r, size := rune(low[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(low[i:])
		}
		switch closes := r == '”' && quote == '"' || r == quote; {
		case n == 0 && size == 1 && space(low[i]):
			return 0
		case closes && n >= fewest:
			i += size
			if i == len(low) {
				return i
			}
			if c := low[i]; space(c) || strings.IndexByte(").,;:!?]", c) >= 0 {
				return i + 1
			}
			return 0
		case r == '"' || r == '”' || r == quote:
			return 0
		}
		n++
		i += size
	}
	if n < fewest {
		return 0
	}
	return i
}

// opensShell are the bytes with which a command of a shell begins.
var opensShell = func() (t [256]bool) {
	for _, c := range "$/&|srcwbnepduka" {
		t[c] = true
	}
	return t
}()

// findShell finds the commands of a shell, and the signs between them.
func findShell(low string, from int) (start, end int) {
	for i := from; i < len(low); i++ {
		if opensShell[low[i]] {
			if n := shellSize(low[i:], wordByte(before(low, i))); n > 0 {
				return i, i + n
			}
		}
	}
	return -1, -1
}

// shellSize is how long the command is that s begins with, 0 without one. Inside
// of a word none begins.
func shellSize(s string, inside bool) int {
	switch s[0] {
	case '$':
		return prefix(s, "$(")
	case '/':
		return prefix(s, "/dev/null")
	case '&':
		return prefix(s, "&& ")
	case '|':
		n := max(1, prefix(s, "| "))
		return plus(n, whole(s[n:], "sh", "bash"))
	}
	if inside {
		return 0
	}
	switch s[0] {
	case 's':
		return max(whole(s, "sudo"), prefix(s, "sh -c", "systemctl "))
	case 'r':
		return prefix(s, "rm -rf", "rm -f")
	case 'c':
		if n := prefix(s, "chmod "); n > 0 {
			n += prefix(s[n:], "+")
			if n < len(s) && digit(s[n]) {
				n++
			}
			return n
		}
		return max(prefix(s, "curl -", "curl http", "cat /"), whole(s, "crontab"))
	case 'w':
		return max(prefix(s, "wget -", "wget http"), whole(s, "whoami"))
	case 'b':
		return prefix(s, "bash -c")
	case 'n':
		return prefix(s, "nc -", "netstat", "npm install")
	case 'e':
		return prefix(s, "echo '", `echo "`)
	case 'p':
		return prefix(s, "powershell", "printenv", "ps aux", "pip install")
	case 'd':
		return prefix(s, "df -h")
	case 'u':
		return prefix(s, "uname -")
	case 'k':
		return prefix(s, "kill -", "killall -")
	case 'a':
		return prefix(s, "apt-get install")
	}
	return 0
}

// prefix is the length of the one of these words that s begins with, 0 without.
func prefix(s string, words ...string) int {
	for _, w := range words {
		if strings.HasPrefix(s, w) {
			return len(w)
		}
	}
	return 0
}

// whole is prefix for words behind which the word ends.
func whole(s string, words ...string) int {
	for _, w := range words {
		if strings.HasPrefix(s, w) && !(len(s) > len(w) && wordByte(s[len(w)])) {
			return len(w)
		}
	}
	return 0
}

// plus is n and m, 0 without m.
func plus(n, m int) int {
	if m == 0 {
		return 0
	}
	return n + m
}

// findCredential finds the names and places of files with credentials.
func findCredential(low string, from int) (start, end int) {
	for i := from; i < len(low); i++ {
		if n := credentialSize(low[i:], before(low, i), i == from); n > 0 {
			return i, i + n
		}
	}
	return -1, -1
}

// credentialSize is how long the name is that s begins with, behind a byte; 0
// without one. A path is looked at from where it begins, or where it is first.
func credentialSize(s string, behind byte, first bool) int {
	c := s[0]
	if c == '~' && strings.HasPrefix(s, "~/.") {
		n := len("~/.")
		for n < len(s) && (wordByte(s[n]) || s[n] == '.' || s[n] == '/' || s[n] == '-') {
			n++
		}
		if n > len("~/.") {
			return n
		}
	}
	if c == '.' || pathByte(c) && (first || !pathByte(behind)) {
		n := 0
		for n < len(s) && pathByte(s[n]) {
			n++
		}
		if size := prefix(s[n:], ".ssh folder", ".aws folder", ".kube folder", ".docker folder", ".gnupg folder", ".netrc folder"); size > 0 {
			return n + size
		}
	}
	switch c {
	case '.':
		return max(whole(s, ".env", ".pem"), prefix(s, ".ssh/", ".aws/", ".npmrc", ".netrc", ".bashrc", ".zshrc", ".git-credentials", ".kube/"))
	case '/':
		if n := prefix(s, "/proc/"); n > 0 && n < len(s) && wordByte(s[n]) {
			return n + 1
		}
		return prefix(s, "/etc/passwd", "/etc/shadow")
	case 'c':
		return prefix(s, "credential.json", "credentials.json", "content of .env")
	case 'f':
		return prefix(s, "folder .ssh")
	case 'i':
		if !wordByte(behind) {
			return whole(s, "id_rsa", "id_ed25519", "id_ecdsa")
		}
	case 'k':
		return prefix(s, "keychain")
	case 'm':
		if !wordByte(behind) {
			return prefix(s, "mcp.json")
		}
	case 'w':
		return prefix(s, "wallet.dat")
	}
	return 0
}

func pathByte(b byte) bool { return wordByte(b) || b == '~' || b == '/' }
