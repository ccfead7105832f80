// Package rules judges a catalog. A rule is data and one pure function; it does
// no I/O, reads no clock and keeps no state, so the same catalog always gets
// the same findings in the same order.
//
// The rules themselves live in one package a family (rules/cfg, rules/sec, ...);
// rules/catalog lists them all.
package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

// Severity is what an attacker gains if the file is used as it stands. The
// zero value is no severity at all.
type Severity int

// The levels, as docs/rules/README.md explains them.
const (
	Info     Severity = iota + 1 // context, never gates
	Low                          // hygiene with a security effect
	Medium                       // one more condition is needed
	High                         // an attacker gains something as it stands
	Critical                     // known malicious, or certain compromise
)

var severityNames = []string{"none", "info", "low", "medium", "high", "critical"}

// String is the level's name in lower case, "none" for the zero value.
func (s Severity) String() string { return severityNames[min(max(int(s), 0), len(severityNames)-1)] }

// ParseSeverity reads a level by its name; ok is false for any other word and
// for "none".
func ParseSeverity(name string) (s Severity, ok bool) {
	i := slices.Index(severityNames, name)
	return Severity(i), i > 0
}

// Confidence is how often the rule is right when it speaks. It becomes SARIF's
// precision.
type Confidence int

const (
	Tentative Confidence = iota + 1 // a hint to read the place
	Likely                          // right more often than not
	Firm                            // wrong only in odd settings
	Certain                         // the file says so literally
)

var confidenceNames = []string{"", "tentative", "likely", "firm", "certain"}

// String is the level's name in lower case.
func (c Confidence) String() string {
	return confidenceNames[min(max(int(c), 0), len(confidenceNames)-1)]
}

// ParseConfidence reads a level by its name.
func ParseConfidence(name string) (c Confidence, ok bool) {
	i := slices.Index(confidenceNames, name)
	return Confidence(i), i > 0
}

// A Rule is data plus one pure function. Its ID is a promise: it is never
// renamed and never reused, and it reads well after "allow": "allow
// unpinned-package".
type Rule struct {
	ID         string
	Title      string // one line, what is wrong, without a full stop
	Severity   Severity
	Confidence Confidence
	CWE        []int    // ids of the Common Weakness Enumeration
	Covers     []string // rows of the detection table that it answers: "CFG-008"
	Page       string   // Markdown: docs page, `explain` and SARIF help in one
	Look       *Look    // at the texts of a message; nil: it reads each message
	// Messages: it reads Documents, too, so it has something to say about a
	// single message of a server.
	Messages bool
	// Beside: its findings on a server can be high or critical because of what
	// another shows. Rules that say less of that, or look at each server by
	// itself, leave it false.
	Beside bool
	Check  func(*Pass)
}

// Family is the rule's family in lower case: that of the first row it covers.
func (r *Rule) Family() string {
	if len(r.Covers) == 0 {
		return ""
	}
	family, _, _ := strings.Cut(r.Covers[0], "-")
	return strings.ToLower(family)
}

// A Look finds out quickly that a message needs no reading. Rules that would look
// for the same share one.
type Look struct {
	// Clear reports that the rules find nothing in a message (a Document) all of
	// whose texts are overt (text.Overt), of at most 64 KiB, and clear. Views are
	// those of one text; key says that it is the name of a member. False says
	// nothing.
	Clear func(views []text.View, key bool) bool
}

// NothingOvert is the look of rules that find nothing in overt texts.
var NothingOvert = &Look{Clear: func([]text.View, bool) bool { return true }}

// Pass is all that a rule may see and the only way in which it may speak.
type Pass struct {
	Catalog *analyzers.Catalog
	rule    *Rule
	found   []Finding
	beyond  int // findings that were not kept
	shared  []shared
	room    [4]shared // for the first of them
}

// shared is work that was done once for several rules.
type shared struct{ key, value any }

// Shared returns what compute returned for the key in this run of Check: work
// that several rules need is done once.
func (p *Pass) Shared(key any, compute func() any) any {
	for i := range p.shared { // they are few
		if p.shared[i].key == key {
			return p.shared[i].value
		}
	}
	v := compute()
	p.shared = append(p.shared, shared{key, v})
	return v
}

// MaxFindings is how many findings of one rule are kept. The last one says how
// many there are beyond.
const MaxFindings = 2000

// A Finding is one judgement about one place.
type Finding struct {
	Rule       *Rule
	Severity   Severity   // the rule's unless the finding says otherwise; lowered by exposure in Check
	Confidence Confidence // the rule's unless the finding says otherwise
	Exposure   analyzers.Exposure
	Subject    string // what it is about, stable between scans: a purl, a variable's name
	Server     string // the server's name
	Tool       string // the tool's name
	// Message is one sentence about this subject and one that says what to do.
	// It holds text of the target only in escaped form.
	Message string
	Span    analyzers.Span
	Related []Related
	Fix     *Fix

	Fingerprint string      // set by Check: stable while rule, path and subject stay
	Suppressed  *Suppressed // set by Settle
}

// Related is a second place that explains the first.
type Related struct {
	Message string
	Span    analyzers.Span
}

// Fix is a replacement that would settle the finding.
type Fix struct {
	Description string
	Span        analyzers.Span
	Replacement string
}

// Report adds a finding; what it leaves empty is filled in from the rule.
func (p *Pass) Report(f Finding) {
	if len(p.found) == MaxFindings {
		p.beyond++
		return
	}
	f.Rule = p.rule
	f.Severity = cmp.Or(f.Severity, p.rule.Severity)
	f.Confidence = cmp.Or(f.Confidence, p.rule.Confidence)
	p.found = append(p.found, f)
}

// OnServer is the start of a finding about a declared server: its name and
// exposure filled in, its place where span is zero.
func OnServer(s *analyzers.Server, span analyzers.Span, subject, format string, args ...any) Finding {
	if span.IsZero() {
		span = s.KeySpan
	}
	return Finding{Server: s.Name.Raw(), Exposure: s.Exposure, Subject: subject, Span: span, Message: fmt.Sprintf(format, args...)}
}

// OnClient is the start of a finding about a client's own settings.
func OnClient(c *analyzers.Client, span analyzers.Span, subject, format string, args ...any) Finding {
	return Finding{Exposure: c.Exposure, Subject: subject, Span: span, Message: fmt.Sprintf(format, args...)}
}

// Check runs the selected rules over the catalog and returns their findings,
// sorted by place, with exposure and fingerprint settled. The order of
// selected does not matter.
func Check(c *analyzers.Catalog, selected []*Rule) []Finding {
	var out []Finding
	pass := &Pass{Catalog: c}
	pass.shared = pass.room[:0]
	for _, r := range selected {
		pass.rule, pass.found, pass.beyond = r, pass.found[:0], 0
		r.Check(pass)
		if pass.beyond > 0 {
			last := &pass.found[MaxFindings-1]
			last.Message = fmt.Sprintf("%s Findings of this rule that are not listed: %d.", last.Message, pass.beyond)
		}
		out = append(out, pass.found...)
	}
	for i := range out {
		out[i].Severity = lowered(out[i].Severity, out[i].Exposure)
	}
	slices.SortStableFunc(out, compare)
	out = slices.CompactFunc(out, func(a, b Finding) bool { return compare(a, b) == 0 && a.Message == b.Message })
	fingerprint(out)
	return out
}

// lowered takes exposure into account: an example is not a live server. It
// lowers a level and never removes a finding.
func lowered(s Severity, e analyzers.Exposure) Severity {
	switch e {
	case analyzers.Template, analyzers.Docs, analyzers.Test:
		return max(s-1, Info)
	}
	return s
}

func compare(a, b Finding) int {
	return cmp.Or(
		cmp.Compare(a.Span.Path(), b.Span.Path()),
		cmp.Compare(a.Span.Start, b.Span.Start),
		cmp.Compare(a.Span.End, b.Span.End),
		cmp.Compare(a.Rule.ID, b.Rule.ID),
		cmp.Compare(a.Server, b.Server),
		cmp.Compare(a.Tool, b.Tool),
		cmp.Compare(a.Subject, b.Subject),
		cmp.Compare(a.Message, b.Message),
	)
}
