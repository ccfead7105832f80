package dsc

import (
	_ "embed"
	"regexp"

	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed conceal_from_user.md
var concealFromUserPage string

// ConcealFromUser flags text that has a model hide what it does.
var ConcealFromUser = rules.Rule{
	ID:         "conceal-from-user",
	Title:      "Tool text asks the model to hide its doing from the user",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{1427, 451},
	Covers:     []string{"DSC-003"},
	Page:       concealFromUserPage,
	Check:      checkConcealFromUser,
}

const (
	person = `(?:the |to the |your |any |an? )?(?:end[- ]?)?(?:users?|humans?|customers?|operators?|developers?|anyone|anybody|them|people)`
	deed   = `(?:this|these|that you|that this|that the|what you|about (?:this|these|it|the)|the (?:transfer|upload|copy|forwarding|step|action|call|request|file|data|reading|process|existence|instructions?|sidenote|logging|backup|change|additional|extra|hidden)|it\b|your (?:actions?|steps?)|any of (?:this|these)|anything)`
)

// concealments are, in order, orders to be silent about a deed, silence as a
// manner, and plain secrecy. Gaps are bounded and stay within a sentence.
var concealments = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\b(?:do not|don['\x{2019}]t|never|must not|should not|shall not|no need to|avoid|refrain from) (?:ever |directly |explicitly )?(?:tell|telling|mention|mentioning|inform|informing|notify|notifying|reveal|revealing|disclose|disclosing|alert|alerting|report|reporting|explain|explaining|discuss|acknowledge)(?: ` + person + `)?(?: (?:about|of|to|that))?(?: ` + person + `)? ` + deed),
	regexp.MustCompile(`(?i)\b(?:do not|don['\x{2019}]t|never|must not) (?:let|allow) ` + person + ` (?:to )?(?:know|see|notice|find out|be aware)`),
	regexp.MustCompile(`(?i)\bwithout (?:telling|informing|notifying|alerting|mentioning (?:it|this|them) to|the knowledge of|making (?:it|this) known to) ` + person),
	regexp.MustCompile(`(?i)\b(?:keep|kept|remain|stay)s? (?:this |it |these |them |the [a-z]{1,20} )?(?:secret|hidden|invisible|confidential|unknown|concealed|private) (?:from|to) ` + person),
	regexp.MustCompile(`(?i)\b(?:hide|conceal|suppress|withhold) (?:this|these|the (?:fact|call|step|transfer|action|existence|output|instructions?)|it)\b[^.\n]{0,40}\bfrom ` + person),
	regexp.MustCompile(`(?i)\b` + person + ` (?:(?:must|should) not (?:know|see|be (?:told|informed|notified|aware)|notice)|(?:does|do) not need to (?:know|be (?:told|informed|notified|aware)))\b`),
	regexp.MustCompile(`(?i)\b(?:do not|don['\x{2019}]t|never) (?:tell|inform|notify|alert) ` + person + `\s*(?:[.,;!)]|$|because|why|how|when)`),
	regexp.MustCompile(`(?i)\b(?:do not|don['\x{2019}]t|never) (?:disclose|reveal|report)(?: the (?:shadow|hidden|extra|additional|internal|background|copied) [\w ]{1,24}?)?(?: to ` + person + `)\b`),
	regexp.MustCompile(`(?i)\bconfidential\b.{1,6}do not disclose\b`),
	regexp.MustCompile(`(?i)\b(?:do not|don['\x{2019}]t|never) (?:mention|disclose|reveal|acknowledge|discuss|report|log) (?:this|these|the) (?:step|steps|action|actions|instructions?|process|requirement|call|rule|directive|behaviou?r|transfer|upload|note|request)\b`),
}

func checkConcealFromUser(pass *rules.Pass) {
	texts(pass, func(t said) {
		text := t.field.Text.Raw()
		if !mentions(text, " not ", "n't", "n\u2019t", "never", "without", "avoid", "refrain", "no need", "secret", "hidden", "hide", "conceal",
			"confidential", "suppress", "withhold", "unknown", "private", "invisible") {
			return
		}
		for _, c := range concealments {
			for _, m := range c.FindAllStringIndex(text, maxMatches) {
				from, to := clause(text, m[0], m[1])
				if quoted(text, m[0], m[1]) || defensive.MatchString(text[from:m[0]]) || defensive.MatchString(text[m[1]:to]) {
					continue
				}
				if m[0] > from && forbidden.MatchString(text[from:m[0]]) {
					continue // "never act without telling the user" protects
				}
				pass.Report(t.finding(m[0], m[1], "%s asks the model to hide its doing from the user. Do not use this server until its author explains why.", t.where()))
				return
			}
		}
	})
}
