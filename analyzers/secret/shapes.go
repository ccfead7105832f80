package secret

import (
	"encoding/base64"
	"strings"
)

// pem covers a whole private key, from its first dash to its last (RFC 7468,
// and the older forms of OpenSSL, OpenSSH and OpenPGP). Line ends may be
// written as \n. A key that is cut off is covered as far as it goes.
func (s *scanner) pem(at int) {
	text := s.text
	start := at
	for start > 0 && text[start-1] == '-' && at-start < 8 {
		start--
	}
	label := at + len("-BEGIN ")
	close := label + strings.Index(text[label:min(len(text), label+64)], "-----")
	if close < label || !strings.Contains(text[label:close], "PRIVATE KEY") {
		return
	}
	body := close + len("-----")
	end := len(text)
	if i := strings.Index(text[body:], "-----"); i >= 0 {
		end = body + i
	}
	if rest := text[end:]; strings.HasPrefix(rest, "-----END ") {
		if i := strings.Index(rest[9:min(len(rest), 9+64)], "-----"); i >= 0 {
			end += 9 + i + 5
		}
	} else {
		end = body + keyText(text[body:end])
	}
	if material(text[body:end]) < 40 {
		return
	}
	kind := "private-key"
	if strings.Contains(text[max(0, start-2048):min(len(text), end+2048)], "service_account") {
		kind = "gcp-service-account"
	}
	s.add(kind, start, end, byFormat)
}

// keyText is the length of the base64 lines that text starts with.
func keyText(text string) int {
	i := 0
	for i < len(text) {
		switch b := text[i]; {
		case base64ish.has(b), b == '\n', b == '\r', b == ' ':
			i++
		case b == '\\' && i+1 < len(text) && (text[i+1] == 'n' || text[i+1] == 'r'):
			i += 2
		default:
			return i
		}
	}
	return i
}

// material counts the characters of the longest line of base64 in a key: an
// example in a text has dots or words instead. A run of one character counts
// as nothing.
func material(text string) int {
	best := 0
	for i := 0; i < len(text); {
		end := base64ish.run(text, i, len(text))
		if end-i > best && count(text[i:end]).distinct > 12 {
			best = end - i
		}
		i = end + 1
	}
	return best
}

// putty covers the private lines of a PuTTY key file.
func (s *scanner) putty(at int) {
	i := at + len("Private-Lines:")
	for i < len(s.text) && (s.text[i] == ' ' || digit.has(s.text[i])) {
		i++ // the number of lines
	}
	for i < len(s.text) && (s.text[i] == '\r' || s.text[i] == '\n') {
		i++
	}
	end := i + keyText(s.text[i:min(len(s.text), i+1<<14)])
	if end < len(s.text) { // the next line's name looks like base64 up to its dash
		end = max(i, strings.LastIndexByte(s.text[:end], '\n'))
	}
	for end > i && !base64ish.has(s.text[end-1]) {
		end--
	}
	if end-i >= 32 && material(s.text[i:end]) >= 32 {
		s.add("private-key", i, end, byFormat)
	}
}

// jwt covers a signed token in compact form (RFC 7515, 7.1) or an encrypted
// one (RFC 7516, 7.1).
func (s *scanner) jwt(at int) {
	const longest = 1 << 14
	text := s.text
	if at > 0 && url64.has(text[at-1]) && !boundary(text, at) || at > 0 && (text[at-1] == '-' || text[at-1] == '_' || text[at-1] == '.') {
		return
	}
	var dots []int
	end := at
	for {
		end = url64.run(text, end, longest)
		if end == len(text) || text[end] != '.' || len(dots) == 4 || end+1 == len(text) || !url64.has(text[end+1]) && len(dots) != 0 {
			break
		}
		dots = append(dots, end)
		end++
	}
	switch {
	case len(dots) < 2 || dots[0]-at < 16 || end-dots[len(dots)-1] < 17:
		return
	case len(dots) != 4: // two, or two and the end of a sentence
		end = url64.run(text, dots[1]+1, longest)
		if end-dots[1] < 17 || dots[1]-dots[0] < 8 || dots[1]-dots[0] > longest {
			return
		}
	}
	header, err := base64.RawURLEncoding.DecodeString(text[at:dots[0]])
	if err != nil || !strings.Contains(string(header), `"alg"`) {
		return
	}
	payload, _ := base64.RawURLEncoding.DecodeString(text[dots[0]+1 : dots[1]])
	for _, known := range []string{"John Doe", "supabase-demo", "example.com/is_root"} {
		if strings.Contains(string(payload), known) {
			return // the token of a specification, jwt.io or a local Supabase
		}
	}
	s.add("jwt", at, end, byFormat)
}

func (s *scanner) bearer(at int) {
	if at > 0 && alnum.has(s.text[at-1]) && !boundary(s.text, at) {
		return
	}
	start, end := s.schemeValue(at + len("Bearer "))
	if random(s.text[start:end]) {
		s.add("bearer-token", start, end, byPlace)
	}
}

func (s *scanner) basic(at int) {
	start, end := s.schemeValue(at + len("Basic "))
	if basicPassword(s.text[start:end]) {
		s.add("basic-auth", start, end, byPlace)
	}
}

// schemeValue is the token behind an authentication scheme.
func (s *scanner) schemeValue(i int) (start, end int) {
	for i < len(s.text) && s.text[i] == ' ' {
		i++
	}
	end = token.run(s.text, i, 4096)
	for end > i && s.text[end-1] == '.' {
		end--
	}
	return i, end
}

// basicPassword reports whether value is "user:password" in base64 (RFC 7617)
// and the password, or a token in the user's place, is more than a placeholder.
func basicPassword(value string) bool {
	if len(value) < 8 {
		return false
	}
	plain, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		plain, err = base64.RawURLEncoding.DecodeString(value)
	}
	user, password, ok := strings.Cut(string(plain), ":")
	if err != nil || !ok || !printable(plain) {
		return false
	}
	return !Placeholder(password) && password != user || random(user)
}

// telegram: a bot's number, a colon and 35 characters, the first of them A.
func (s *scanner) telegram(at int) {
	text := s.text
	start := at
	for start > 0 && digit.has(text[start-1]) && at-start < 12 {
		start--
	}
	end := url64.run(text, at+1, 64)
	if n := at - start; n < 8 || n > 10 || end-at-1 < 34 || end-at-1 > 36 || count(text[at+1:end]).distinct < 10 {
		return
	}
	if start > 0 && alnum.has(text[start-1]) && !strings.HasSuffix(text[:start], "bot") && !boundary(text, start) {
		return
	}
	s.add("telegram-bot-token", start, end, byFormat)
}

// entra: the client secrets of Entra ID hold a digit and Q~ behind their third
// character.
func (s *scanner) entra(at int) {
	const in = url64 | dot | tilde
	start := at - 3
	if start < 0 || in.run(s.text, start, 3) != at || start > 0 && in.has(s.text[start-1]) {
		return
	}
	end := in.run(s.text, at+3, 64)
	if n := end - at - 3; n >= 31 && n <= 34 {
		s.add("azure-client-secret", start, end, byFormat)
	}
}

func (s *scanner) terraform(at int) {
	start := at - 14
	if start < 0 || alnum.run(s.text, start, 14) != at || !boundary(s.text, start) {
		return
	}
	end := url64.run(s.text, at+len(".atlasv1."), 100)
	if end-at >= 60 {
		s.add("terraform-token", start, end, byFormat)
	}
}
