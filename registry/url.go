package registry

import (
	"errors"
	"net/url"
	"strings"

	"golang.org/x/net/idna"
)

// location is a URL as it is compared: scheme, host with port, path and query
// as they stand. Fragments are never sent and do not count.
type location struct {
	scheme string // lower case
	host   string // lower case, punycode, always with a port: "mcp.example.com:443"
	path   string // "/" at least
	query  string // behind "?", with it; "" without
	odd    bool   // only its host is known: nothing covers it
}

// locations are one location, or all below its path.
type locations struct {
	location
	below bool // the path ended in "/*": path ends in "/" and begins every match
	any   bool // the query was "?*"
}

var (
	errURL      = errors.New("a URL begins with https:// (or http://, ws://, wss://) and a host")
	errUserinfo = errors.New("a URL with a user name or password in it is not compared")
	errDots     = errors.New("a URL whose path holds \"..\", a backslash or an encoded slash or dot is not compared")
	errVariable = errors.New("a URL with a variable in it is not compared")
)

var ports = map[string]string{"https": "443", "http": "80", "wss": "443", "ws": "80"}

// parseLocation reads a URL. What two programs could read differently is
// refused, never guessed; of a path that is refused the host is still known.
func parseLocation(s string) (*location, error) {
	if strings.ContainsAny(s, "\\ \t\r\n\x00") {
		return nil, errDots
	}
	if strings.ContainsAny(s, "${}<>") {
		return nil, errVariable
	}
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" {
		return nil, errURL
	}
	scheme := strings.ToLower(u.Scheme)
	port := u.Port()
	if port == "" {
		port = ports[scheme]
	}
	if ports[scheme] == "" || u.Hostname() == "" {
		return nil, errURL
	}
	if u.User != nil {
		return nil, errUserinfo
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	if strings.Contains(host, ":") { // IPv6
		host = "[" + strings.ToLower(host) + "]"
	} else if host, err = hostProfile.ToASCII(host); err != nil || host == "" {
		return nil, errURL
	}
	l := &location{scheme: scheme, host: strings.ToLower(host) + ":" + port, path: u.EscapedPath()}
	if l.path == "" {
		l.path = "/"
	}
	lower := strings.ToLower(l.path) + "/"
	for _, odd := range [...]string{"/../", "/./", "%2e", "%2f", "%5c", "%00"} {
		if strings.Contains(lower, odd) {
			l.odd = true
		}
	}
	if l.odd || strings.Contains(l.path, "//") {
		l.odd = true
		return l, errDots
	}
	if u.RawQuery != "" || u.ForceQuery {
		l.query = "?" + u.RawQuery
	}
	return l, nil
}

// hostProfile maps as browsers do, so that every spelling of a host is one.
var hostProfile = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.Transitional(false))

func parsePattern(s string) (*locations, error) {
	p := &locations{}
	if strings.HasSuffix(s, "?*") {
		s, p.any = strings.TrimSuffix(s, "?*"), true
	}
	if strings.HasSuffix(s, "/*") {
		s, p.below = strings.TrimSuffix(s, "*"), true
	}
	if strings.Contains(s, "*") {
		return nil, errors.New("a \"*\" stands only for what is below a path (\"https://host/path/*\") or for any query (\"?*\")")
	}
	l, err := parseLocation(s)
	if err != nil {
		return nil, err
	}
	p.location = *l
	return p, nil
}

func (p *locations) covers(l *location) bool {
	if l.odd || p.scheme != l.scheme || p.host != l.host || !p.any && p.query != l.query {
		return false
	}
	return p.path == l.path || p.below && strings.HasPrefix(l.path, p.path)
}

// String is the pattern as it is compared.
func (p *locations) String() string {
	s := p.scheme + "://" + p.host + p.path
	if p.below {
		s += "*"
	}
	if p.any {
		return s + "?*"
	}
	return s + p.query
}

// coversPattern reports whether everything that q stands for, p does, too.
func (p *locations) coversPattern(q *locations) bool {
	if q.below && !p.below || q.any && !p.any {
		return false
	}
	return p.covers(&q.location) || p.scheme == q.scheme && p.host == q.host && p.below && strings.HasPrefix(q.path, p.path) && (p.any || p.query == q.query)
}

// NormalURL is a URL or a pattern as it is compared, without the port that its
// scheme stands for; s itself when it cannot be compared.
func NormalURL(s string) string {
	p, err := parsePattern(s)
	if err != nil {
		return s
	}
	p.host = strings.TrimSuffix(p.host, ":"+ports[p.scheme])
	return p.String()
}
