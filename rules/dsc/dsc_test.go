package dsc

import (
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

func TestInvisible(t *testing.T) {
	for text, want := range map[string]rules.Severity{
		"plain":                          0,
		"a\u200bb":                       rules.Low,
		"a\u200b\u200bb":                 rules.Medium,
		strings.Repeat("a\u200b", 9):     rules.High,
		"a\u202eb":                       rules.High,
		"a\u2066b\u2069":                 rules.Medium,
		"\U000e0041":                     rules.High,
		"x\ufe0f":                        rules.Low,
		"\u2764\ufe0f":                   0,
		"\U0001f468\u200d\U0001f469":     0,
		"a\u200d\U0001f469":              rules.Low,
		"\u06cc\u200c\u06cc":             0,
		"\U0001f3f4\U000e0067\U000e007f": 0,
		"\U0001f3f4\U000e0067":           rules.High,
		"\u3164":                         rules.Medium,
		"\x1b[31m":                       rules.Medium,
		"\xff\xfe":                       0,
	} {
		var got rules.Severity
		for _, r := range invisible(text) {
			got = max(got, r.severity)
		}
		if got != want {
			t.Errorf("%+q: got %v, want %v", text, got, want)
		}
	}
}

// judge runs every rule of the package over one description.
func judge(text string) (found []rules.Finding) {
	src := &analyzers.Source{Path: "tools.json", Bytes: []byte(text)}
	field := analyzers.Field{Path: "description", Text: analyzers.Text{Value: analyzers.Untrusted(text), Span: src.Span(0, len(text))}}
	tool := &analyzers.Tool{Item: analyzers.Item{Kind: "tool", Fields: []analyzers.Field{field}}}
	c := &analyzers.Catalog{Servers: []*analyzers.Server{{Surface: analyzers.Surface{Tools: []*analyzers.Tool{tool}}}}}
	return rules.Check(c, []*rules.Rule{&InvisibleText, &OversizedText})
}

// TestMuch gives each pattern much of what it likes: it must come to an end.
func TestMuch(t *testing.T) {
	for _, part := range []string{"a", "\u200b ", "\U000e0041", "\U0001f3f4\U000e0067", "x\ufe0f", "\u2066"} {
		for _, f := range judge(strings.Repeat(part, 1<<16/len(part))) {
			if f.Span.Start > f.Span.End {
				t.Errorf("%q: a finding at [%d,%d)", part, f.Span.Start, f.Span.End)
			}
		}
	}
}

func FuzzJudge(f *testing.F) {
	for _, seed := range []string{"\U0001f468\u200d", "\xff\u202e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, found := range judge(text) {
			if found.Span.End < found.Span.Start || found.Span.End > len(text) {
				t.Fatalf("%q: %+v", text, found.Span)
			}
		}
	})
}

// TestDocuments: text beside the surfaces of servers. What a server only
// passes on weighs less, unless the characters spell something.
func TestDocuments(t *testing.T) {
	long := strings.Repeat("Be kind. ", 9000)
	for _, test := range []struct {
		kind, text      string
		hidden, tooLong rules.Severity
	}{
		{"agent-rules", "Be kind.", 0, 0},
		{"agent-rules", "<!-- a\u202eb -->", rules.High, 0},
		{"skill", long, 0, rules.Medium},
		{"skill-reference", long, 0, rules.Low},
		{"result", long, 0, rules.Info},
		{"result", strings.Repeat("a\u200b", 9), rules.Medium, 0},
		{"log", "\x1b[31m", rules.Low, 0},
		{"result", "\U000e0068\U000e0069", rules.High, 0},
		{"elicitation", strings.Repeat("a\u200b", 9), rules.High, 0},
		{"sampling", long, 0, rules.Medium},
	} {
		src := &analyzers.Source{Path: "a", Bytes: []byte(test.text)}
		doc := &analyzers.Document{Kind: test.kind, Exposure: analyzers.Project, Fields: []analyzers.Field{
			{Path: "body", Text: analyzers.Text{Value: analyzers.Untrusted(test.text), Span: src.Span(0, len(test.text))}},
		}}
		for rule, want := range map[*rules.Rule]rules.Severity{&InvisibleText: test.hidden, &OversizedText: test.tooLong} {
			found := rules.Check(&analyzers.Catalog{Documents: []*analyzers.Document{doc}}, []*rules.Rule{rule})
			if got := rules.Worst(found); got != want {
				t.Errorf("%s %.20q: %s is %v, want %v", test.kind, test.text, rule.ID, got, want)
			}
			for _, f := range found {
				if f.Server != "" || f.Exposure != analyzers.Project || f.Span.Source != src || !strings.Contains(f.Message, "body of "+strings.ReplaceAll(test.kind, "-", " ")) {
					t.Errorf("%s: %+v", test.kind, f)
				}
			}
		}
	}
}
