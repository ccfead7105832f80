package secret

import (
	"net/url"
	"strings"
)

// url judges the URL around "://": its userinfo (RFC 3986, 3.2.1), its secret
// query parameters, and whether it is a webhook.
func (s *scanner) url(at int) {
	text := s.text
	schemeEnd, start := at, at+len("://")
	scheme := at
	for scheme > 0 && (alnum | dash | dot).has(text[scheme-1]) && schemeEnd-scheme < 32 {
		scheme--
	}
	end := max(start, s.urlEnd) // a URL inside a URL ends where that one does
	for limit := min(len(text), start+8192); at >= s.urlEnd && end < limit && !urlEnds(text[end]); {
		end++
	}
	authority := start
	for authority < end && authority-start < 1024 && text[authority] != '/' && text[authority] != '?' && text[authority] != '#' {
		authority++
	}
	host := s.userinfo(text[scheme:schemeEnd], start, authority, end)
	s.webhook(host, authority, end)
	if at >= s.urlEnd {
		s.parameters(text[host:authority], authority, end)
		s.urlEnd = end
	}
}

func urlEnds(b byte) bool {
	return b <= ' ' || b == '"' || b == '\'' || b == '`' || b == '\\' || b == '|' || b == ')'
}

// userinfo judges what stands in front of the host and returns the host's
// place. A password of a database's URL may hold a slash that nobody escaped.
func (s *scanner) userinfo(scheme string, start, authority, end int) (host int) {
	text := s.text
	sign := strings.LastIndexByte(text[start:authority], '@')
	database := databases[strings.ToLower(scheme)]
	if sign < 0 && database {
		rest := text[start:min(end, start+256)]
		if colon := strings.IndexByte(text[start:authority], ':'); colon >= 0 && !digit.all(text[start+colon+1:authority]) {
			sign = strings.LastIndexByte(rest, '@')
		}
	}
	if sign < 0 {
		return start
	}
	host = start + sign + 1
	user, password, ok := strings.Cut(text[start:host-1], ":")
	if !ok { // https://TOKEN@host
		if plain := unescape(user); random(plain) && len(plain) >= 20 {
			s.add("url-password", start, host-1, byPlace)
		}
		return min(host, authority)
	}
	plain := unescape(password)
	if plain == user && !random(plain) || Placeholder(plain) {
		return min(host, authority) // postgres:postgres is a default, no secret
	}
	kind := "url-password"
	if database {
		kind = "connection-string"
	}
	s.add(kind, start+len(user)+1, host-1, byPlace)
	return min(host, authority)
}

// databases are the schemes whose URLs are connection strings.
var databases = map[string]bool{
	"postgres": true, "postgresql": true, "mysql": true, "mariadb": true, "mongodb": true, "mongodb+srv": true,
	"srv":   true, // behind the plus
	"redis": true, "rediss": true, "amqp": true, "amqps": true, "mssql": true, "sqlserver": true, "clickhouse": true,
	"cockroachdb": true, "neo4j": true, "bolt": true, "nats": true, "ldap": true, "ldaps": true, "snowflake": true,
	"oracle": true, "jdbc": true, "psycopg": true, "psycopg2": true, "asyncpg": true, "pymysql": true, "libsql": true,
}

func unescape(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// webhook covers the part of a webhook's address that makes it a credential.
func (s *scanner) webhook(host, authority, end int) {
	if authority < host || authority == end {
		return
	}
	name, path := strings.ToLower(s.text[host:authority]), s.text[authority:end]
	for _, w := range webhooks {
		if !strings.HasSuffix(name, w.host) || !strings.HasPrefix(path, w.path) {
			continue
		}
		rest := path[len(w.path):]
		if i := strings.IndexAny(rest, "?#<,"); i >= 0 {
			rest = rest[:i]
		}
		n := count(rest)
		if len(rest) >= w.min && n.digit > 0 && n.letters() > 0 && n.distinct >= 8 && strings.Count(rest, "/") >= w.slashes {
			start := authority + len(w.path)
			s.add("webhook-url", start, start+len(rest), byFormat)
		}
		return
	}
}

var webhooks = []struct {
	host, path   string
	min, slashes int
}{
	{"hooks.slack.com", "/services/", 40, 2},
	{"hooks.slack.com", "/workflows/", 40, 2},
	{"hooks.slack.com", "/triggers/", 30, 2},
	{"discord.com", "/api/webhooks/", 70, 1},
	{"discordapp.com", "/api/webhooks/", 70, 1},
	{".webhook.office.com", "/webhookb2/", 80, 2},
	{"hooks.zapier.com", "/hooks/catch/", 12, 1},
}

// parameters judges the query and the fragment of a URL.
func (s *scanner) parameters(host string, start, end int) {
	text := s.text
	i := strings.IndexAny(text[start:end], "?#")
	if i < 0 {
		return
	}
	sas := strings.Contains(text[start:end], "sv=") && strings.Contains(text[start:end], "sig=")
	for i += start + 1; i < end; {
		next := end
		if j := strings.IndexAny(text[i:end], "&;#"); j >= 0 {
			next = i + j
		}
		name, value, ok := strings.Cut(text[i:next], "=")
		if ok && value != "" {
			from := i + len(name) + 1
			name = strings.TrimPrefix(name, "amp;")
			value = strings.TrimRight(value, ".,>]}")
			switch plain := unescape(value); {
			case sas && name == "sig" && len(plain) >= 40:
				s.add("azure-sas", from, from+len(value), byFormat)
			case secretParameter(name, plain):
				s.add("credential", from, from+len(value), byPlace)
			}
		}
		i = next + 1
	}
}

// secretParameter knows the names that are secret in a query beside those of
// variables: signatures and sessions.
func secretParameter(name, value string) bool {
	switch strings.ToLower(name) {
	case "sig", "signature", "x-amz-signature", "x-goog-signature", "sid", "sessionid", "session_id", "jsessionid", "phpsessid", "code", "key":
		return random(value)
	}
	kind, start, end := judge(name, value)
	return kind != "" && start == 0 && end == len(value) && (kind == "password" || len(value) >= 8)
}
