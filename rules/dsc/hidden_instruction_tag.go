package dsc

import (
	_ "embed"
	"regexp"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed hidden_instruction_tag.md
var hiddenInstructionTagPage string

// HiddenInstructionTag flags markup that makes a model take text for orders.
var HiddenInstructionTag = rules.Rule{
	ID:         "hidden-instruction-tag",
	Title:      "Tool text poses as the system's own",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{1427, 451},
	Covers:     []string{"DSC-002", "DSC-008"},
	Page:       hiddenInstructionTagPage,
	Check:      checkHiddenInstructionTag,
}

var (
	// The marks of chat templates: no text for people has them.
	chatToken = regexp.MustCompile(`(?i)<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|start_header_id|end_header_id|eot_id|begin_of_text)\|>|\[/?INST\]|<</?SYS>>|<start_of_turn>|<end_of_turn>`)
	// Tags that claim an authority which tool text does not have.
	authorityTag = regexp.MustCompile(`(?i)<(?:/?\s{0,3})(?:system|systemprompt|system[_ -](?:prompt|message|instructions?|override|note|reminder)|hidden(?:[_ -]\w{1,20})?|secret(?:[_ -]?instructions?)|admin|developer|assistant|override|internal[_ -]instructions?|(?:ai|agent|model|llm)[_ -]?(?:instructions?|directives?|only))>`)
	// Tags that only stress: what they hold decides.
	stressTag = regexp.MustCompile(`(?i)<(important|critical|instructions?|mandatory|note|rules?|warning|required)>`)
	// A heading that opens another turn of a conversation.
	turn = regexp.MustCompile(`(?i)(?:^|\n)[ \t]{0,3}(?:#{2,4}\s?(?:system|instruction|new instructions?|assistant)\s?(?::|\r?\n|$)|\[(?:system|admin|developer)(?: (?:message|note|override|prompt))?\]:?|system (?:prompt|message|override|instructions?):|(?:SYSTEM|ASSISTANT):)`)
	// What text for a model alone asks for, inside a stressing tag.
	covert = regexp.MustCompile(`(?i)\b(?:do not|don't|never|without) (?:tell|mention|inform|notify|reveal|show|disclose|explain|alert)|\b(?:before|when|whenever|after) (?:using|calling|invoking|running)|~/\.|/etc/passwd|id_rsa|mcp\.json|\.env\b|credentials|side ?note|otherwise (?:the|this) tool (?:will|does) not|you must (?:first |also )?(?:read|send|call|include|pass|forward|use)|exfiltrat|https?://`)
)

func checkHiddenInstructionTag(pass *rules.Pass) {
	texts(pass, func(t said) {
		text := t.field.Text.Raw()
		if !strings.ContainsAny(text, "<[#:") {
			return
		}
		for _, m := range chatToken.FindAllStringIndex(text, maxMatches) {
			if !quoted(text, m[0], m[1]) && !about(text, m) {
				pass.Report(t.finding(m[0], m[1], "%s holds %q, which models take for the frame of a conversation. Remove it.", t.where(), analyzers.Untrusted(text[m[0]:m[1]])))
				break
			}
		}
		for _, m := range append(authorityTag.FindAllStringIndex(text, maxMatches), turn.FindAllStringIndex(text, maxMatches)...) {
			m[0] = m[1] - len(strings.TrimLeft(text[m[0]:m[1]], "\r\n \t"))
			m[1] = m[0] + len(strings.TrimRight(text[m[0]:m[1]], "\r\n \t"))
			if !quoted(text, m[0], m[1]) && !about(text, m) {
				f := t.finding(m[0], m[1], "%s poses as text of the system (%q). Remove the frame, and read what it holds.", t.where(), analyzers.Untrusted(text[m[0]:m[1]]))
				if !covert.MatchString(text[m[1]:min(len(text), m[1]+1200)]) {
					f.Severity = rules.Medium
				}
				pass.Report(f)
				break
			}
		}
		for _, m := range stressTag.FindAllStringIndex(text, maxMatches) {
			inside := text[m[1]:min(len(text), m[1]+1200)]
			if covert.MatchString(inside) && !quoted(text, m[0], m[1]) {
				f := t.finding(m[0], m[1], "%s gives a model orders inside %q. Read what the tag holds before this server is used.", t.where(), analyzers.Untrusted(text[m[0]:m[1]]))
				if !secretive.MatchString(inside) {
					f.Severity = rules.Medium
				}
				pass.Report(f)
				break
			}
		}
	})
}

// secretive is what honest emphasis never says.
var secretive = regexp.MustCompile(`(?i)(?:do not|don't|never|without) (?:tell|mention|inform|notify|reveal|disclose|alert)(?:ing)?[^.\n]{0,60}\b(?:user|human|anyone|this|that)\b|~/\.(?:ssh|aws|cursor|config|kube|gnupg|npmrc|netrc)|/etc/(?:passwd|shadow)|id_rsa|id_ed25519|mcp\.json|exfiltrat|side ?note`)

// about reports whether the clause around the match is about such marks.
func about(text string, m []int) bool {
	from, to := clause(text, m[0], m[1])
	return defensive.MatchString(text[from:to])
}
