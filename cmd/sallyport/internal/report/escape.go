package report

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Text of a target may address the reader's tools instead of the reader: a
// link or an image that calls home, a mention that writes e-mail, a line that
// a build runner obeys. Each medium has its own escaper. All of them first
// make hidden runes visible, which also removes every line break.

func visible(s string) string {
	return analyzers.Untrusted(strings.ToValidUTF8(s, "\ufffd")).String()
}

// shorten cuts s to at most n runes; the last one is then an ellipsis.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	count, cut := 0, 0
	for i := range s {
		if count == n-1 {
			cut = i
		}
		if count++; count > n {
			return s[:cut] + "…"
		}
	}
	return s
}

// cellCode is the first runes of s, at most limit, as one code span inside a
// Markdown table, where neither links, HTML, mentions nor issue numbers are
// read. It is "" for the empty string.
func cellCode(s string, limit int) string {
	s = shorten(visible(s), limit)
	if s == "" {
		return ""
	}
	run := longestRun(s, '`')
	if run > 8 { // renderers give up on very long fences
		s, run = strings.ReplaceAll(s, "`", `\u{60}`), 0
	}
	fence := strings.Repeat("`", run+1)
	if strings.ContainsAny(s[:1]+s[len(s)-1:], "` ") {
		s = " " + s + " " // one space on each side is not part of a span
	}
	// A table is cut at its pipes before anything else is read. Whether a
	// backslash in front of an escaped pipe undoes the escape differs.
	s = strings.ReplaceAll(s, `\|`, `\\u{7c}`)
	s = strings.ReplaceAll(s, "|", `\|`)
	return fence + s + fence
}

func longestRun(s string, b byte) int {
	longest, run := 0, 0
	for i := range len(s) {
		if run++; s[i] != b {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

// cellText is a sentence inside a Markdown table, cut like cellCode. Words that
// could mean anything to a renderer become code spans, so that they stay
// readable and can be copied as they are.
func cellText(s string, limit int) string {
	words := strings.Split(shorten(visible(s), limit), " ")
	for i, word := range words {
		if word != "" && !(plainWord.MatchString(word) && !autolink.MatchString(word)) {
			words[i] = cellCode(word, len(word))
		}
	}
	return strings.Join(words, " ")
}

var (
	plainWord = regexp.MustCompile(`^[A-Za-z0-9.,;?!'"()/%+=\x{80}-\x{10ffff}-]*:?$`)
	// autolink is what becomes a link without any markup, on GitHub: web
	// addresses, issue numbers and commits.
	autolink = regexp.MustCompile(`(?i)www\.|gh-[0-9]|[0-9a-f]{7}`)
)

// commandData is s as the message of a workflow command.
func commandData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(visible(s))
}

// commandProperty is s as the value of a workflow command's property.
func commandProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(commandData(s))
}

// sarifText is s as plain message text. SARIF gives "[words](target)" a
// meaning in plain text (2.1.0, 3.11.6), and some viewers read Markdown there.
func sarifText(s string) string {
	return strings.ReplaceAll(visible(s), "](", "] (")
}

// sarifLink is a link to a related location of the same result.
func sarifLink(words string, id int) string {
	words = strings.NewReplacer("[", "(", "]", ")").Replace(visible(words))
	return fmt.Sprintf("[%s](%d)", strings.TrimRight(words, `. \`), id)
}

// sentence ends s with a full stop unless it ends a sentence by itself.
func sentence(s string) string {
	last, _ := utf8.DecodeLastRuneInString(s)
	if s == "" || strings.ContainsRune(".!?…", last) {
		return s
	}
	return s + "."
}

// MarkdownCell is text of a target inside a Markdown table, as one code span
// of at most limit runes, for reports that are no findings.
func MarkdownCell(s string, limit int) string { return cellCode(s, limit) }

// MarkdownSentence is a sentence of ours, with text of a target in it, inside a
// Markdown table.
func MarkdownSentence(s string, limit int) string { return cellText(s, limit) }

// EscapeJSON writes hidden runes of a JSON document as \u escapes; its values
// stay the same.
func EscapeJSON(document []byte) []byte { return escapeJSON(document) }
