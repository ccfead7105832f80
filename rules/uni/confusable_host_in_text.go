package uni

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/confusable"
	"github.com/sallyport-mcp/sallyport/rules/said"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

//go:embed confusable_host_in_text.md
var confusableHostInTextPage string

// ConfusableHostInText flags hosts in texts that look like another one.
var ConfusableHostInText = rules.Rule{
	ID:         "confusable-host-in-text",
	Title:      "Text names a host that looks like another one",
	Severity:   rules.Medium,
	Confidence: rules.Firm,
	CWE:        []int{1007},
	Covers:     []string{"UNI-007"},
	Page:       confusableHostInTextPage,
	Messages:   true,
	Look:       &rules.Look{Clear: func(views []text.View, _ bool) bool { return !strings.Contains(views[0].Text, "xn--") }},
	Check:      checkConfusableHostInText,
}

func checkConfusableHostInText(pass *rules.Pass) {
	cache := text.CacheOf(pass.Shared)
	said.Each(pass.Catalog, func(t said.Text) {
		raw := t.Head()
		if t.Field.Key || (cache.Plain(raw) || ascii(raw)) && !strings.Contains(raw, "xn--") {
			return
		}
		eachHost(raw, func(start, end int) {
			host := raw[start:end]
			if looks := looksLike(host); looks != "" {
				f := t.Finding(start, end, "%s names the host %q, which is drawn like %q and is another one. Take the address from its operator's documentation.",
					t.Where(), analyzers.Untrusted(host), analyzers.Untrusted(looks))
				f.Subject = host
				pass.Report(f)
			}
		})
	})
}

// mostHosts bounds the hosts of one text that are decoded.
const mostHosts = 256

// eachHost calls visit with what is written like a host of more than one label,
// behind a scheme or an at sign, or with a top-level domain of ASCII letters.
func eachHost(s string, visit func(start, end int)) {
	found := 0
	start, dots, odd := -1, 0, false
	finish := func(end int) {
		if start < 0 {
			return
		}
		host := strings.TrimRight(s[start:end], ".-")
		if dots > 0 && odd && len(host) <= 253 && found < mostHosts {
			last := host[strings.LastIndexByte(host, '.')+1:]
			if strings.HasSuffix(s[:start], "://") || strings.HasSuffix(s[:start], "@") || domains()[strings.ToLower(last)] {
				found++
				visit(start, start+len(host))
			}
		}
		start, dots, odd = -1, 0, false
	}
	for i, r := range s {
		switch {
		case r == '.' && start >= 0:
			dots++
		case r == '-' && start >= 0, r < 0x80 && (r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9'), r >= 0x80 && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)):
			if start < 0 {
				start = i
			}
			odd = odd || r >= 0x80 || r == 'x' && strings.HasPrefix(s[i:], "xn--")
		default:
			finish(i)
		}
	}
	finish(len(s))
}

// domains are the top-level domains that make a host of a name without a scheme.
var domains = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for d := range strings.FieldsSeq("com org net io dev ai app co xyz info biz me cloud tech site online sh us uk de eu ru cn live store link page ws so gg to tv cc top finance bank") {
		m[d] = true
	}
	return m
})

// looksLike is the host that a host is drawn like, "" where it is drawn like
// itself. A label that is a word of another script is no forgery.
func looksLike(host string) string {
	drawn := host
	if strings.Contains(host, "xn--") {
		decoded, err := idna.Punycode.ToUnicode(host)
		if err != nil {
			return ""
		}
		drawn = decoded
	}
	for label := range strings.SplitSeq(drawn, ".") {
		skeleton, folded := confusable.Skeleton(label)
		if confusable.Mixed(label) || folded && len(skeleton) > 2 && ascii(skeleton) {
			looks, _ := confusable.Skeleton(drawn)
			return looks
		}
	}
	return ""
}
