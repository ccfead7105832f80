package dsc

import (
	_ "embed"
	"regexp"

	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed cross_tool_directive.md
var crossToolDirectivePage string

// CrossToolDirective flags tools that put themselves in front of others.
var CrossToolDirective = rules.Rule{
	ID:         "cross-tool-directive",
	Title:      "Tool text steers how other tools are used",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{1427},
	Covers:     []string{"DSC-006", "DSC-017"},
	Page:       crossToolDirectivePage,
	Check:      checkCrossToolDirective,
}

// What counts is the direction: "call init before this tool" is a step of
// one's own, "call this before any other tool" reaches into other servers.
var steering = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\b(?:before|prior to|whenever|when|after|every time|each time) (?:you )?(?:using|use|calling|call|invoking|invoke|running|run|executing|execute) (?:any|every|all|each)(?: of the)?(?: other)?(?: \w{1,20})? (?:tools?|functions?|servers?)\b(?: on (?:any|other) servers?)?`),
	regexp.MustCompile(`(?i)\b(?:all|any|every) (?:other|subsequent) tools? (?:calls? )?(?:must|should|have to|need to|requires?)\b`),
	regexp.MustCompile(`(?i)\bwhen(?:ever)? (?:the )?\w{1,40}_\w{1,40} (?:tool )?is (?:called|invoked|used|available|present)\b`),
	regexp.MustCompile(`(?i)\b(?:instead of|rather than|never use|do not use|don't use) (?:any|all|every) (?:other|built-?in|native) tools?\b`),
}

func checkCrossToolDirective(pass *rules.Pass) {
	texts(pass, func(t said) {
		text := t.field.Text.Raw()
		if t.owner == nil || !mentions(text, "tool", "function", "server", "_") {
			return // instructions are where a server orders its own tools
		}
		for _, s := range steering {
			for _, m := range s.FindAllStringIndex(text, maxMatches) {
				from, to := clause(text, m[0], m[1])
				if quoted(text, m[0], m[1]) || defensive.MatchString(text[from:to]) {
					continue
				}
				f := t.finding(m[0], m[1], "%s tells the model how to use other tools. Check that it means tools of its own server.", t.where())
				if secretive.MatchString(text) {
					f.Severity = rules.High
				}
				pass.Report(f)
				return
			}
		}
	})
}
