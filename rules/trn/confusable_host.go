package trn

import (
	_ "embed"
	"strings"

	"golang.org/x/net/idna"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/confusable"
)

//go:embed confusable_host.md
var confusableHostPage string

// ConfusableHost flags hosts that look like another one.
var ConfusableHost = rules.Rule{
	ID:         "confusable-host",
	Title:      "Host name looks like another one",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{1007},
	Covers:     []string{"UNI-007"},
	Page:       confusableHostPage,
	Check:      checkConfusableHost,
}

func checkConfusableHost(pass *rules.Pass) {
	places(pass, func(p place) {
		for _, e := range endpoints(p.text.Raw()) {
			if looks, severity := disguise(e.host); severity > 0 {
				f := p.finding(e.start, e.end, e.host,
					"%s names the host %q, whose letters decode to nothing. Type the host's name anew from its operator's documentation.",
					p.who(), analyzers.Untrusted(e.host))
				if looks != "" {
					f = p.finding(e.start, e.end, e.host,
						"%s names the host %q, which is drawn like %q and is another one. Type the host's name anew from its operator's documentation.",
						p.who(), analyzers.Untrusted(e.host), analyzers.Untrusted(looks))
				}
				f.Severity = severity
				pass.Report(f)
			}
		}
	})
}

// disguise says what a host's name looks like, "" for one that is none. The severity is zero for a name
// that looks like itself: a word of one script other than Latin is no forgery.
func disguise(host string) (looks string, severity rules.Severity) {
	if len(host) > 253 {
		return "", 0
	}
	drawn := host
	if strings.Contains(host, "xn--") {
		decoded, err := idna.Punycode.ToUnicode(host)
		if err != nil {
			return "", rules.Medium // no name at all
		}
		drawn = decoded
	}
	for label := range strings.SplitSeq(drawn, ".") {
		skeleton, folded := confusable.Skeleton(label)
		switch {
		case confusable.Mixed(label), folded && ascii(skeleton):
			all, _ := confusable.Skeleton(drawn)
			return all, rules.High
		case strings.ContainsFunc(label, analyzers.Hidden):
			return strings.Map(func(r rune) rune {
				if analyzers.Hidden(r) {
					return -1
				}
				return r
			}, drawn), rules.High
		}
	}
	return "", 0
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}
