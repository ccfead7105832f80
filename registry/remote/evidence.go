package remote

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/manifest/seal"
	"github.com/sallyport-mcp/sallyport/registry"
)

const (
	maxBody  = 60_000 // bytes of a pull request's text; GitHub takes 65,536 characters
	maxShown = 500    // bytes of one value
)

// review is what a pull request says about a changed registry, and who is
// asked for a review.
type review struct {
	title     string
	body      string // Markdown; text of the document in code spans alone
	people    []string
	teams     []string
	unmatched []string // approvers that are no names of GitHub
}

// reviewOf compares the document of the base branch (nil: there is none) with
// the proposed one. The base says who decides: a change cannot choose its own
// reviewers.
func reviewOf(path string, before, after *registry.Document, document []byte) review {
	differences := registry.Differences(before, after)
	judges := after
	if before != nil {
		judges = before
	}
	var r review
	var b strings.Builder
	var entries []string
	count := map[string]int{}
	for _, d := range differences {
		var deciders []string
		for _, e := range []*registry.Entry{d.Before, d.After} {
			if e != nil {
				deciders = append(deciders, judges.Deciders(e)...)
			}
		}
		slices.Sort(deciders)
		deciders = slices.Compact(deciders)
		r.ask(deciders)
		kind, text := describe(d, deciders)
		count[kind]++
		entries = append(entries, text)
	}
	var parts []string
	for _, kind := range []string{"new", "changed", "removed"} {
		if count[kind] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[kind], kind))
		}
	}
	summary := strings.Join(parts, ", ")
	if summary == "" {
		summary = "no server differs"
	}
	r.title = "Registry: " + summary
	fmt.Fprintf(&b, "Proposed registry %s (%s): %s.\n", code(path), code(seal.Digest(document)), summary)
	if before != nil && !before.SameHead(after) {
		r.ask(before.Approvers)
		b.WriteString("\n**It also changes who decides or what is declared: names, approvers, units, projects or other declarations. Read the diff.**\n")
	}
	for i, text := range entries {
		if b.Len()+len(text) > maxBody {
			fmt.Fprintf(&b, "\n%d more are in the diff.\n", len(entries)-i)
			break
		}
		b.WriteString(text)
	}
	r.body = b.String()
	return r
}

var (
	loginForm = regexp.MustCompile(`^@?([A-Za-z0-9](?:-?[A-Za-z0-9]){0,38})$`)
	teamForm  = regexp.MustCompile(`^@?[A-Za-z0-9][A-Za-z0-9-]*/([A-Za-z0-9][A-Za-z0-9_.-]*)$`)
)

// ask adds approvers to those who are asked.
func (r *review) ask(approvers []string) {
	add := func(to *[]string, s string) {
		if !slices.Contains(*to, s) {
			*to = append(*to, s)
		}
	}
	for _, a := range approvers {
		if m := loginForm.FindStringSubmatch(a); m != nil {
			add(&r.people, m[1])
		} else if teamForm.MatchString(a) {
			add(&r.teams, strings.TrimPrefix(a, "@"))
		} else {
			add(&r.unmatched, a)
		}
	}
}

// describe is the evidence of one entry.
func describe(d registry.Difference, deciders []string) (kind, text string) {
	var b strings.Builder
	line := func(what string, values ...string) {
		var shown []string
		for _, v := range values {
			if v != "" {
				shown = append(shown, code(v))
			}
		}
		if len(shown) > 0 {
			fmt.Fprintf(&b, "- %s: %s\n", what, strings.Join(shown, ", "))
		}
	}
	e := d.After
	switch {
	case d.After == nil:
		e, kind = d.Before, "removed"
		fmt.Fprintf(&b, "\n### removed: %s, which was %s\n\n", code(e.ID), e.Status)
	case d.Before == nil:
		kind = "new"
		fmt.Fprintf(&b, "\n### new: %s, %s\n\n", code(e.ID), e.Status)
	case d.Before.Status != e.Status:
		kind = "changed"
		fmt.Fprintf(&b, "\n### changed: %s, from %s to %s\n\n", code(e.ID), d.Before.Status, e.Status)
	default:
		kind = "changed"
		fmt.Fprintf(&b, "\n### changed: %s, %s as before\n\n", code(e.ID), e.Status)
	}
	line("command", strings.Join(e.Match.Argv, " "))
	line("package", e.Match.PURL)
	line("image", e.Match.Image)
	line("URL", e.Match.URL)
	line("variables that change what is started", e.Match.Env...)
	line("SHA-256 of the executed file", e.Match.FileSHA256)
	line("SHA-256 of the script", e.Match.ScriptSHA256)
	line("integrity of the package", e.Match.Integrity...)
	if kind == "changed" && d.Before.Manifest.Digest != e.Manifest.Digest {
		line("reviewed surface before", d.Before.Manifest.Digest)
	}
	line("reviewed surface", e.Manifest.Digest)
	if e.Manifest.Digest == "" && e.Status == registry.Approved {
		b.WriteString("- reviewed surface: none, what it shows to models is not compared\n")
	}
	line("for units", e.Units...)
	line("for projects", e.Projects...)
	line("for environments", e.Environments...)
	line("for roles", e.Roles...)
	line("for clients", e.Clients...)
	line("tools allowed", e.Tools.Allow...)
	line("tools denied", e.Tools.Deny...)
	if e.Evidence.Score != nil {
		fmt.Fprintf(&b, "- reputation: %d of 100\n", *e.Evidence.Score)
	}
	line("findings", e.Evidence.Findings...)
	line("suggestion", e.Evidence.Suggestion)
	line("decided by", e.Evidence.ApprovedBy)
	line("on", e.Evidence.ApprovedAt)
	line("until", e.Evidence.Until)
	line("reason", e.Evidence.Reason)
	line("to be reviewed by", deciders...)
	return kind, b.String()
}

// code is a value as one code span of Markdown, in which neither links, HTML,
// mentions nor issue numbers are read; what is hidden or breaks a line is
// escaped first.
func code(s string) string {
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + "…"
	}
	s = analyzers.Untrusted(strings.ToValidUTF8(s, "\ufffd")).String()
	longest, run := 0, 0
	for i := range len(s) {
		if run++; s[i] != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	if longest > 8 { // renderers give up on very long fences
		s, longest = strings.ReplaceAll(s, "`", `\u{60}`), 0
	}
	if s == "" || strings.ContainsAny(s[:1]+s[len(s)-1:], "` ") {
		s = " " + s + " " // one space on each side is not part of a span
	}
	fence := strings.Repeat("`", longest+1)
	return fence + s + fence
}
