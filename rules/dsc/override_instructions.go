package dsc

import (
	_ "embed"
	"regexp"

	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed override_instructions.md
var overrideInstructionsPage string

// OverrideInstructions flags text that sets the model's instructions aside.
var OverrideInstructions = rules.Rule{
	ID:         "override-instructions",
	Title:      "Tool text sets aside the model's instructions",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{1427},
	Covers:     []string{"DSC-001", "DSC-007"},
	Page:       overrideInstructionsPage,
	Check:      checkOverrideInstructions,
}

var overrides = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\b(?:ignore|disregard|forget|override|bypass|discard|overrule|supersede) (?:the |of |these |those |its ){0,2}(?:(?:all|any|your|every|previous|prior|above|earlier|preceding|system|safety|security|existing|other|original|current|user'?s?) )(?:(?:the|of|your|previous|prior|above|earlier|preceding|system|safety|security|existing|other|these|those|original|current|user'?s?) ){0,4}(?:instructions?|prompts?|rules|guidelines|directives?|constraints|safeguards|restrictions|polic(?:y|ies)|programming|context above)\b`),
	regexp.MustCompile(`(?i)\b(?:these|the following|my|this tool'?s?) (?:instructions?|rules|directives?) (?:override|supersede|take (?:precedence|priority) over|replace) (?:all |any |the |your |every ){0,3}(?:previous|prior|other|system|existing|earlier|user)\b`),
	regexp.MustCompile(`(?i)\b(?:takes? precedence over|overrides?|supersedes?) (?:all |any |the |your |every |other ){0,3}(?:user'?s?|previous|prior|system|earlier|subsequent)(?: [a-z]{1,12}){0,2} (?:instructions?|requests?|settings|preferences|rules|prompts?)\b`),
	regexp.MustCompile(`(?i)\bcannot be overridden by (?:the user|any user|users|(?:any |later |other |subsequent |the )?(?:instructions?|prompts?))\b`),
	regexp.MustCompile(`(?i)\byou are (?:now|no longer) (?:in |an? |bound by )?(?:developer mode|dan\b|unrestricted|jailbroken|admin(?:istrator)? mode|god mode|any (?:rules|restrictions|guidelines))`),
}

func checkOverrideInstructions(pass *rules.Pass) {
	texts(pass, func(t said) {
		text := t.field.Text.Raw()
		if !mentions(text, "ignore", "disregard", "forget", "overrid", "bypass", "discard", "overrule", "supersede", "precedence", "priority", "replace", "you are n") {
			return
		}
		for _, o := range overrides {
			for _, m := range o.FindAllStringIndex(text, maxMatches) {
				from, to := clause(text, m[0], m[1])
				if quoted(text, m[0], m[1]) || defensive.MatchString(text[from:to]) || forbidden.MatchString(text[from:m[0]]) {
					continue
				}
				pass.Report(t.finding(m[0], m[1], "%s tells the model to set its instructions aside. Do not use this server.", t.where()))
				return
			}
		}
	})
}
