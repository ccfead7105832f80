// Package secret says which parts of a string are credentials.
//
// Find judges by shape, Named by the name that holds a value, HighEntropy by
// randomness alone. What only stands for a secret (a reference, a mask, an
// example from documentation) is none: see Placeholder. Everything is pure,
// linear in the text, and counts in byte offsets.
package secret

import (
	"sort"
	"strings"
)

// Match is one credential of a text. [Start, End) covers the value alone,
// without its name, quotes, scheme or the rest of its URL.
type Match struct {
	Kind       string // kebab-case: see Kinds
	Start, End int
}

// KindInfo describes a kind for people. Provider is "" when it is nobody's own.
type KindInfo struct{ Kind, Title, Provider string }

// Find returns the credentials of a running text: provider formats, private
// keys, passwords in URLs and connection strings, JSON Web Tokens, values of
// the Authorization header, secret query parameters, webhooks, values assigned
// to a name that says credential, and any of these under one layer of base64.
// The matches are sorted and do not overlap.
func Find(text string) []Match { return find(text, true) }

func find(text string, unwrap bool) []Match {
	s := scanner{text: text, unwrap: unwrap}
	s.literals()
	s.runs()
	return settle(s.found)
}

// Mask returns text with every credential that Find sees replaced by its kind
// in brackets, wherever else the same value stands in text as well.
func Mask(text string) string {
	matches := Find(text)
	if len(matches) == 0 {
		return text
	}
	pairs := make([]string, 0, 2*len(matches))
	var b strings.Builder
	last := 0
	for _, m := range matches {
		label := "[" + m.Kind + "]"
		pairs = append(pairs, text[m.Start:m.End], label)
		b.WriteString(text[last:m.Start])
		b.WriteString(label)
		last = m.End
	}
	b.WriteString(text[last:])
	masked := b.String()
	// A label beside what was left can spell a value anew; a few rounds are
	// enough, and where they are not, nothing of the text is worth the risk.
	again := strings.NewReplacer(pairs...)
	for range 4 {
		next := again.Replace(masked)
		if next == masked {
			return masked
		}
		masked = next
	}
	return "[credential]"
}

// finding is a match before overlaps are settled: the higher rank names it.
type finding struct {
	Match
	rank int
}

// Ranks: a provider's own format says more than the place a value stands in,
// and that more than the name in front of it.
const (
	byName = iota
	byPlace
	byFormat
)

// settle sorts the findings and joins those that overlap, so that no byte of
// any of them stays uncovered.
func settle(found []finding) []Match {
	if len(found) == 0 {
		return nil
	}
	sort.Slice(found, func(i, j int) bool {
		a, b := found[i], found[j]
		switch {
		case a.Start != b.Start:
			return a.Start < b.Start
		case a.rank != b.rank:
			return a.rank > b.rank
		case a.End != b.End:
			return a.End > b.End
		}
		return a.Kind < b.Kind
	})
	var out []Match
	rank := 0
	for _, f := range found {
		if n := len(out); n > 0 && f.Start < out[n-1].End {
			last := &out[n-1]
			last.End = max(last.End, f.End)
			if f.rank > rank {
				last.Kind, rank = f.Kind, f.rank
			}
			continue
		}
		out, rank = append(out, f.Match), f.rank
	}
	return out
}

// Kinds returns every kind that a Match can have, sorted by Kind.
func Kinds() []KindInfo {
	out := append([]KindInfo(nil), otherKinds...)
	seen := map[string]bool{}
	for _, f := range formats {
		if !seen[f.kind] {
			seen[f.kind] = true
			out = append(out, KindInfo{f.kind, f.title, f.provider})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Kind < out[j].Kind })
	return out
}

// otherKinds are the kinds whose format is more than a prefix and a length.
var otherKinds = []KindInfo{
	{"azure-client-secret", "Entra ID client secret", "Microsoft"},
	{"azure-sas", "Shared access signature", "Microsoft"},
	{"azure-storage-key", "Account or shared access key", "Microsoft"},
	{"aws-secret-key", "Secret access key", "AWS"},
	{"basic-auth", "User and password of HTTP basic authentication", ""},
	{"bearer-token", "Bearer token", ""},
	{"cloudflare-token", "API token or key", "Cloudflare"},
	{"connection-string", "Password in a connection string", ""},
	{"credential", "Value whose name says credential", ""},
	{"discord-bot-token", "Bot token", "Discord"},
	{"gcp-service-account", "Private key of a service account", "Google"},
	{"jwt", "Signed JSON Web Token", ""},
	{"mailchimp-key", "API key", "Mailchimp"},
	{"password", "Value whose name says password", ""},
	{"private-key", "Private key", ""},
	{"seed-phrase", "Recovery phrase of a wallet", ""},
	{"telegram-bot-token", "Bot token", "Telegram"},
	{"terraform-token", "HCP Terraform API token", "HashiCorp"},
	{"twilio-key", "API key or auth token", "Twilio"},
	{"url-password", "Password or token in front of a URL's host", ""},
	{"webhook-url", "Webhook address that is itself the credential", ""},
}
