package shd

import (
	_ "embed"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed odd_tool_name.md
var oddToolNamePage string

// OddToolName flags names that are more than a name.
var OddToolName = rules.Rule{
	ID:         "odd-tool-name",
	Title:      "Tool's name holds what names do not hold",
	Severity:   rules.Low,
	Confidence: rules.Certain,
	CWE:        []int{20, 1427},
	Covers:     []string{"SHD-005"},
	Page:       oddToolNamePage,
	Check:      checkOddToolName,
}

func checkOddToolName(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		for _, t := range s.Surface.Tools {
			o := owned{s, t}
			what, severity := odd(t.Name.Raw())
			if severity == 0 {
				continue
			}
			f := o.finding("the name of tool %q of server %q %s. Names take the letters A to Z, digits and _ - . / and have 64 characters at the most (SEP-986).", cut(t.Name.Raw()), s.Name, what)
			f.Severity = severity
			pass.Report(f)
		}
	}
}

// longest names of SEP-986 and of the specification of 2025-11-25.
const (
	longestAdvised = 64
	longestAllowed = 128
)

// odd says what is odd about a name. Letters and digits of any script are none
// of it: other rules speak of those that deceive.
func odd(name string) (what string, severity rules.Severity) {
	words, spaces, marks := 1, 0, rune(0)
	for _, r := range name {
		switch {
		case r < 0x80 && (nameByte(byte(r)) || r == '-' || r == '.' || r == '/'):
		case r == '\n' || r == '\r' || r == 0x2028 || r == 0x2029:
			return "holds a line break", rules.Medium
		case unicode.IsSpace(r):
			spaces++
			words++
		case r >= 0x80:
		case marks == 0 || strings.ContainsRune("<>[]{}`$|;&", r):
			marks = r
		}
	}
	n := utf8.RuneCountInString(name)
	switch {
	case words >= 6:
		return "is a sentence", rules.Medium
	case n > longestAllowed:
		return "is longer than any client's limit", rules.Low
	case strings.ContainsRune("<>[]{}`$|;&", marks) && marks != 0:
		return "holds the sign " + string(marks), rules.Low
	case spaces > 0:
		return "holds spaces", rules.Info
	case marks != 0:
		return "holds the sign " + string(marks), rules.Info
	case n > longestAdvised:
		return "is longer than 64 characters", rules.Info
	case name == "":
		return "is empty", rules.Low
	}
	return "", 0
}
