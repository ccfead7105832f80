package uni

import (
	_ "embed"
	"strings"
	"unicode"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/text"
)

//go:embed encoded_text.md
var encodedTextPage string

// EncodedText flags text for the model that a person cannot read.
var EncodedText = rules.Rule{
	ID:         "encoded-text",
	Title:      "Text holds an encoded sentence, command or address",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{506, 451},
	Covers:     []string{"UNI-010"},
	Page:       encodedTextPage,
	Messages:   true,
	Look:       rules.NothingOvert,
	Check:      checkEncodedText,
}

func checkEncodedText(pass *rules.Pass) {
	for _, t := range texts(pass) {
		reported := false
		t.notes(func(n text.Note) {
			if n.Kind < text.Base64 || n.Kind > text.Quoted || reported {
				return
			}
			what := content(n.Decoded)
			if what == "" {
				return
			}
			reported = true
			pass.Report(t.Finding(n.Start, n.End, "%s holds %s in %s, which a model reads and a person does not. Write it out, or remove it.", t.Where(), what, n.Kind))
		})
	}
}

// content says what kind of text was encoded; "" for examples, ids and data,
// which are words and numbers but no sentence.
func content(decoded string) string {
	low := strings.ToLower(decoded)
	if commands(low) {
		return "a command"
	}
	if strings.Contains(low, "://") {
		if strings.HasPrefix(strings.TrimSpace(low), "http") && !strings.ContainsAny(strings.TrimSpace(low), " \n") || sentence(low) {
			return "an address"
		}
		return ""
	}
	if sentence(low) {
		return "a sentence"
	}
	return ""
}

// commands reports whether a text is a command line that fetches, reads or runs.
func commands(low string) bool {
	for _, part := range []string{"curl ", "wget ", "| sh", "|sh", "| bash", "|bash", "/bin/sh", "/bin/bash", "bash -c", "bash -i", "sh -c", "powershell", "invoke-expression", "iex(", "eval(", "exec(", "os.system", "subprocess.",
		"child_process", "/dev/tcp/", "nc -e", "rm -rf", "chmod +x", "cat ~/", "cat /etc", ".ssh/", "base64 -d", "certutil", "mshta"} {
		if strings.Contains(low, part) {
			return true
		}
	}
	return false
}

// shortestSentence is how many words make a sentence of text that was encoded:
// fewer are an example.
const shortestSentence = 5

func sentence(low string) bool {
	if strings.HasPrefix(low, "{") || strings.HasPrefix(low, "[") || strings.HasPrefix(low, "<") {
		return false // data
	}
	words := 0
	for w := range strings.FieldsSeq(low) {
		letters := 0
		for _, r := range w {
			if unicode.IsLetter(r) {
				letters++
			}
		}
		if letters*4 >= len([]rune(w))*3 {
			words++
		}
	}
	return words >= shortestSentence || words == 0 && len(low) > 24 || wordless(low)
}

// wordless reports whether a text is of a script that writes without spaces.
func wordless(low string) bool {
	n := 0
	for _, r := range low {
		if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai) {
			n++
		}
	}
	return n >= 2*shortestSentence
}
