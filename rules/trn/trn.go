// Package trn holds the rules on transport: where a server is, who can listen
// in, and who can reach it.
package trn

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

// place is one string of a configuration that may hold an address.
type place struct {
	server *analyzers.Server // nil for a client's own settings
	client *analyzers.Client
	name   string // of the variable, header or setting; "" otherwise
	text   analyzers.Text
	remote bool // the server is reached there
}

// finding starts a finding about the part [start, end) of the place.
func (p place) finding(start, end int, subject, format string, args ...any) rules.Finding {
	span := p.text.At(start, end)
	if p.server == nil {
		return rules.OnClient(p.client, span, subject, format, args...)
	}
	return rules.OnServer(p.server, span, subject, format, args...)
}

// who names the place for a message.
func (p place) who() string {
	who := "the client"
	if p.server != nil {
		who = `server "` + p.server.Name.String() + `"`
	}
	if p.name != "" {
		who += ` (` + analyzers.Untrusted(p.name).String() + `)`
	}
	return who
}

// remotes calls visit with every URL that a server is reached at.
func remotes(pass *rules.Pass, visit func(place)) {
	for _, s := range pass.Catalog.Servers {
		for _, t := range s.Remotes {
			visit(place{server: s, text: t, remote: true})
		}
	}
}

// places calls visit with every string of every configuration, once.
func places(pass *rules.Pass, visit func(place)) {
	for _, s := range pass.Catalog.Servers {
		seen := map[analyzers.Span]bool{}
		once := func(p place) {
			if p.text.Value == "" || seen[p.text.Span] {
				return
			}
			seen[p.text.Span] = true
			visit(p)
		}
		for _, t := range s.Remotes {
			once(place{server: s, text: t, remote: true})
		}
		once(place{server: s, text: s.Command})
		for _, t := range s.Args {
			once(place{server: s, text: t})
		}
		for _, v := range s.Env {
			once(place{server: s, name: v.Name.Raw(), text: v.Value})
		}
		for _, v := range s.Headers {
			once(place{server: s, name: v.Name.Raw(), text: v.Value})
		}
		for _, v := range s.Settings {
			once(place{server: s, name: v.Path, text: v.Value})
		}
	}
	for _, c := range pass.Catalog.Clients {
		for _, v := range c.Settings {
			visit(place{client: c, name: v.Path, text: v.Value})
		}
		for _, h := range c.Hooks {
			visit(place{client: c, name: h.Event, text: h.Command})
		}
	}
}

// argv is the words of a command line, those that a shell would find in one
// of them included.
func argv(l *analyzers.Launch) []analyzers.Text {
	if !l.Shell {
		return l.Argv
	}
	return slices.Concat(l.Argv, l.Inner)
}

// endpoint is a URL inside a text: offsets of its host.
type endpoint struct {
	scheme     string // lower case
	host       string // lower case, without brackets
	start, end int
	path       string // behind the authority, cut at white space and quotes
}

// maxURLs bounds the URLs that are read of one string.
const maxURLs = 64

// endpoints finds the URLs of a text (RFC 3986, 3.2).
func endpoints(text string) []endpoint {
	var out []endpoint
	for from := 0; len(out) < maxURLs; {
		i := strings.Index(text[from:], "://")
		if i < 0 {
			break
		}
		sep := from + i
		scheme := sep
		for scheme > from && isLetter(text[scheme-1]) && sep-scheme < 16 {
			scheme--
		}
		start := sep + 3
		end := start
		for end < len(text) && end-start < 1024 && !strings.ContainsRune("/?#\\ \t\r\n\"'`,;|)", rune(text[end])) {
			end++
		}
		from = end
		rest := text[end:min(len(text), end+512)]
		if cut := strings.IndexAny(rest, " \t\r\n\"'`|)"); cut >= 0 {
			rest = rest[:cut]
		}
		if at := strings.LastIndexByte(text[start:end], '@'); at >= 0 {
			start += at + 1
		}
		if colon := strings.LastIndexByte(text[start:end], ':'); colon >= 0 && colon > strings.LastIndexByte(text[start:end], ']') {
			end = start + colon
		}
		if start < end {
			out = append(out, endpoint{strings.ToLower(text[scheme:sep]), strings.Trim(strings.ToLower(text[start:end]), "[]"), start, end, rest})
		}
	}
	return out
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

// reach is how far away a host is.
type reach int

const (
	unknown reach = iota // from a variable
	loopback
	private
	public
)

func reachOf(host string) reach {
	host = strings.TrimSuffix(host, ".")
	if host == "" || strings.ContainsAny(host, "${}<>%()*") {
		return unknown
	}
	if addr, _, ok := address(host); ok {
		switch {
		case addr.IsLoopback(), addr.IsUnspecified():
			return loopback
		case addr.IsPrivate(), addr.IsLinkLocalUnicast(), shared.Contains(addr):
			return private
		}
		return public
	}
	switch {
	case host == "localhost", strings.HasSuffix(host, ".localhost"), host == "host.docker.internal", host == "host.containers.internal", host == "gateway.docker.internal":
		return loopback
	case !strings.Contains(host, "."):
		return private
	}
	for _, tail := range []string{".local", ".internal", ".lan", ".home", ".intranet", ".corp", ".localdomain", ".home.arpa", ".svc", ".test"} {
		if strings.HasSuffix(host, tail) {
			return private
		}
	}
	return public
}

// shared is the address space of carriers, which overlay networks use (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// address reads a host that is an IP address. encoded is true for the forms
// that only parsers of URLs take for one: 2130706433, 0x7f.1, 0177.0.0.1
// (WHATWG URL, "IPv4 parser").
func address(host string) (addr netip.Addr, encoded, ok bool) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.WithZone("").Unmap(), addr.Is4In6(), true
	}
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(host) > 64 || len(parts) > 4 {
		return addr, false, false
	}
	var value uint64
	for i, part := range parts {
		n, err := strconv.ParseUint(octalOrHex(part), 0, 33)
		last := i == len(parts)-1
		if err != nil || part == "" || strings.Contains(part, "_") || !last && n > 255 || last && n >= 1<<(8*(5-len(parts))) {
			return addr, false, false
		}
		if last {
			value += n
		} else {
			value += n << (8 * (3 - i))
		}
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true, true
}

// octalOrHex refuses what strconv takes beyond the URL standard.
func octalOrHex(part string) string {
	if len(part) > 1 && part[0] == '0' && (part[1]|0x20 == 'b' || part[1]|0x20 == 'o') {
		return ""
	}
	return part
}
