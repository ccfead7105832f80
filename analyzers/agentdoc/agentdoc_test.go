package agentdoc

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// TestFormats: one line a row at least, and the look-alikes that are nobody's.
func TestFormats(t *testing.T) {
	tests := map[string]string{
		"skills/pdf/SKILL.md":                       "agent-skills skill",
		"a/.claude/skills/pdf/SKILL.md":             "agent-skills skill",
		"skill.md":                                  "agent-skills skill",
		"plugins/x/skills/pdf/references/forms.md":  "agent-skills skill-reference",
		".agents/skills/pdf/notes.txt":              "agent-skills skill-reference",
		".claude/commands/git/commit.md":            "claude-code command",
		".claude/agents/reviewer.md":                "claude-code subagent",
		"CLAUDE.md":                                 "claude-code agent-rules",
		"pkg/api/CLAUDE.local.md":                   "claude-code agent-rules",
		".claude/rules/go.md":                       "claude-code agent-rules",
		"AGENTS.md":                                 "agents-md agent-rules",
		"AGENTS.override.md":                        "codex agent-rules",
		".codex/prompts/x.md":                       "codex command",
		"GEMINI.md":                                 "gemini agent-rules",
		"QWEN.md":                                   "qwen agent-rules",
		".cursorrules":                              "cursor agent-rules",
		"web/.cursor/rules/react/hooks.mdc":         "cursor agent-rules",
		".cursor/commands/x.md":                     "cursor command",
		".cursor/agents/x.md":                       "cursor subagent",
		".github/copilot-instructions.md":           "copilot agent-rules",
		".github/instructions/go/a.instructions.md": "copilot agent-rules",
		".github/prompts/release.prompt.md":         "copilot command",
		".github/agents/planner.md":                 "copilot subagent",
		".github/chatmodes/plan.chatmode.md":        "copilot subagent",
		".windsurfrules":                            "windsurf agent-rules",
		".windsurf/rules/a.md":                      "windsurf agent-rules",
		".windsurf/workflows/a.md":                  "windsurf command",
		".clinerules":                               "cline agent-rules",
		".clinerules/01-style.md":                   "cline agent-rules",
		".clinerules/workflows/deploy.md":           "cline command",
		".roo/rules/a.md":                           "roo agent-rules",
		".roo/rules-architect/a.txt":                "roo agent-rules",
		".roorules-code":                            "roo agent-rules",
		".roo/commands/a.md":                        "roo command",
		".kiro/steering/product.md":                 "kiro agent-rules",
		".amazonq/rules/a.md":                       "amazon-q agent-rules",
		".junie/guidelines.md":                      "junie agent-rules",
		".goosehints":                               "goose agent-rules",
		".rules":                                    "zed agent-rules",
		".continue/rules/a.md":                      "continue agent-rules",
		".continue/prompts/a.md":                    "continue command",
		".opencode/command/a.md":                    "opencode command",
		".opencode/agents/a.md":                     "opencode subagent",
		"README.md":                                 "",
		"docs/agents.md":                            "",
		"skills/README.md":                          "",
		"skills/pdf/scripts/fill.py":                "",
		"docs/skills.md":                            "",
		".claude/settings.json":                     "",
		".claude/commands/deploy.sh":                "",
		"instructions.md":                           "",
		"src/rules":                                 "",
		".github/workflows/a.md":                    "",
		"CONVENTIONS.md":                            "",
		"llms.txt":                                  "",
		".rules/lint.md":                            "",
		"my.cursorrules":                            "",
		"":                                          "",
		"a/b/":                                      "",
	}
	rows := map[*format]bool{}
	for p, want := range tests {
		got := ""
		if f, _ := find(p); f != nil {
			got, rows[f] = f.client+" "+f.kind, true
		}
		if got != want {
			t.Errorf("%q: %q, want %q", p, got, want)
		}
		if Wants(p) != (want != "") || (Analyzer().Match(p) == analyzers.Named) != (want != "") {
			t.Errorf("%q: Wants and Match do not agree with the table", p)
		}
	}
	for i := range formats {
		if !rows[&formats[i]] {
			t.Errorf("row %s %s has no line here", formats[i].client, formats[i].kind)
		}
	}
}

func read(p, content string, exposure analyzers.Exposure) (*analyzers.Catalog, error) {
	var c analyzers.Catalog
	err := Analyzer().Analyze(analyzers.File{Source: &analyzers.Source{Path: p, Bytes: []byte(content)}, Exposure: exposure}, &c)
	return &c, err
}

// summary is "kind name | path=text | ... | setting path=value".
func summary(c *analyzers.Catalog) string {
	var out []string
	for _, d := range c.Documents {
		out = append(out, fmt.Sprintf("%s %s", d.Kind, d.Name))
		for _, f := range d.Fields {
			sign := "="
			if f.Key {
				sign = "?"
			}
			out = append(out, f.Path+sign+f.Text.Raw())
		}
		for _, s := range d.Settings {
			out = append(out, "set "+s.Path+"="+s.Value.Raw())
		}
	}
	return strings.Join(out, " | ")
}

func TestDocuments(t *testing.T) {
	tests := []struct{ name, path, content, want string }{
		{"skill", "skills/pdf/SKILL.md", "---\nname: pdf\ndescription: Reads PDFs.\nallowed-tools: Read, Bash(git:*)\n---\n# PDF\n",
			"skill pdf | name=pdf | description=Reads PDFs. | allowed-tools=Read, Bash(git:*) | body=# PDF\n | set name=pdf | set description=Reads PDFs. | set allowed-tools[0]=Read | set allowed-tools[1]=Bash(git:*)"},
		{"named by its folder", "skills/pdf/SKILL.md", "Read it.", "skill pdf | body=Read it."},
		{"tools as a list", ".claude/commands/a.md", "---\nallowed-tools:\n  - Bash(*)\n  - Read\n---\nGo.",
			"command a.md | allowed-tools[0]=Bash(*) | allowed-tools[1]=Read | body=Go. | set allowed-tools[0]=Bash(*) | set allowed-tools[1]=Read"},
		{"tools with spaces", "SKILL.md", "---\nallowed-tools: Bash(git log *) Read\n---\nx", "skill SKILL.md | allowed-tools=Bash(git log *) Read | body=x | set allowed-tools[0]=Bash(git log *) | set allowed-tools[1]=Read"},
		{"tools in both ways", "SKILL.md", "---\nallowed-tools:\n  - Bash(*), Read\n  - Write\n---\nx", "skill SKILL.md | allowed-tools[0]=Bash(*), Read | allowed-tools[1]=Write | body=x | set allowed-tools[0]=Bash(*) | set allowed-tools[1]=Read | set allowed-tools[2]=Write"},
		{"a folded description", "SKILL.md", "---\ndescription: >\n  Reads\n  all.\n---\nx", "skill SKILL.md | description=Reads all.\n | body=x | set description=Reads all.\n"},
		{"comments", "AGENTS.md", "---\n# first\nname: a # second\n---\n<!-- hidden -->\n", "agent-rules a | name=a | comment=# first | body=<!-- hidden -->\n | set name=a"},
		{"odd keys", "AGENTS.md", "---\n\"do this\": 1\n---\n", "agent-rules AGENTS.md | do this?do this | set do this=1"},
		{"byte order mark", "AGENTS.md", "\ufeff---\r\nname: a\r\n---\r\nText", "agent-rules a | name=a | body=Text | set name=a"},
		{"no YAML", ".cursor/rules/a.mdc", "---\ndescription: Rules\nglobs: *.ts, *.tsx\nalwaysApply: true\n---\nText",
			"agent-rules a.mdc | body=---\ndescription: Rules\nglobs: *.ts, *.tsx\nalwaysApply: true\n---\nText | set description=Rules | set globs=*.ts, *.tsx | set alwaysApply=true"},
		{"tools in a head that is no YAML", ".claude/commands/a.md", "---\nname: \"a\"\nglobs: *\nallowed-tools:\n  - Bash(*)\n---\n",
			"command a | body=---\nname: \"a\"\nglobs: *\nallowed-tools:\n  - Bash(*)\n---\n | set name=a | set globs=* | set allowed-tools[0]=Bash(*)"},
		{"unterminated", "AGENTS.md", "---\nname: a\nText", "agent-rules AGENTS.md | body=---\nname: a\nText"},
		{"a rule, not a head", "AGENTS.md", "Text\n---\nname: a\n---\n", "agent-rules AGENTS.md | body=Text\n---\nname: a\n---\n"},
		{"a list for a head", "AGENTS.md", "---\n- a\n---\nText", "agent-rules AGENTS.md | body=---\n- a\n---\nText"},
		{"an empty head", "AGENTS.md", "---\n---\nText", "agent-rules AGENTS.md | body=Text"},
		{"nothing", "AGENTS.md", " \n", ""},
		{"NUL", "AGENTS.md", "---\nname: \x00a\n---\nText\x00", "agent-rules \\u{0}a | body=---\nname: \x00a\n---\nText\x00 | set name=\x00a"},
		{"not UTF-8", "AGENTS.md", "---\nname: \xff\n---\nT\xffxt", "agent-rules \\u{fffd} | body=---\nname: \xff\n---\nT\xffxt | set name=\xff"},
	}
	for _, test := range tests {
		c, err := read(test.path, test.content, analyzers.Project)
		if got := summary(c); err != nil || got != test.want {
			t.Errorf("%s: %v\ngot  %q\nwant %q", test.name, err, got, test.want)
		}
		checkPlaces(t, c, len(test.content))
	}
}

// checkPlaces: every text that is spelt as in the file lies at its own bytes.
func checkPlaces(t *testing.T, c *analyzers.Catalog, size int) {
	t.Helper()
	check := func(what string, text analyzers.Text) {
		s := text.Span
		if s.IsZero() || s.Start < 0 || s.Start > s.End || s.End > size {
			t.Fatalf("%s at [%d,%d) of %d bytes", what, s.Start, s.End, size)
		}
		if text.Map == nil && string(s.Raw()) != text.Raw() {
			t.Fatalf("%s is %q, its place holds %q", what, text.Raw(), s.Raw())
		}
	}
	for _, d := range c.Documents {
		for _, f := range d.Fields {
			check(f.Path, f.Text)
		}
		for _, s := range d.Settings {
			check(s.Path, s.Value)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct{ path, content, kind string }{
		"too long":    {"AGENTS.md", strings.Repeat("a", 10<<20), "oversized"},
		"a reference": {"skills/a/references/b.md", strings.Repeat("a", 2<<20), "limit"},
		"UTF-16":      {"AGENTS.md", "\xff\xfea\x00", "encoding"},
	} {
		got, err := read(c.path, c.content, analyzers.Project)
		var parse *analyzers.ParseError
		if !errors.As(err, &parse) || parse.Kind != c.kind || len(got.Documents) > 0 {
			t.Errorf("%s: %v, %d documents", name, err, len(got.Documents))
		}
	}
	if _, err := read("README.md", "x", analyzers.Project); !errors.Is(err, analyzers.ErrForeign) {
		t.Errorf("a file of nobody's: %v", err)
	}
}

// TestBombs: what expands or nests is a plain body, and quickly so.
func TestBombs(t *testing.T) {
	var aliases strings.Builder
	aliases.WriteString("---\na0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&aliases, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1)
	}
	aliases.WriteString("---\nText")
	for name, content := range map[string]string{
		"aliases":     aliases.String(),
		"nested":      "---\na: " + strings.Repeat("[", 30_000) + "\n---\nText",
		"many values": "---\na: [" + strings.Repeat("x,", 30_000) + "]\n---\nText",
		"long head":   "---\n" + strings.Repeat("a: b\n", 50_000) + "---\nText",
		"open fences": strings.Repeat("---\n", 200_000),
	} {
		c, err := read("AGENTS.md", content, analyzers.Project)
		if err != nil || len(c.Documents) != 1 {
			t.Errorf("%s: %v, %d documents", name, err, len(c.Documents))
			continue
		}
		fields := c.Documents[0].Fields
		if last := fields[len(fields)-1]; last.Path != "body" || !strings.HasSuffix(content, last.Text.Raw()) {
			t.Errorf("%s: %d fields, the last is %s", name, len(fields), last.Path)
		}
	}
}

// TestExposure: folders of the agent's own tree say nothing about how live a
// document is, the others do.
func TestExposure(t *testing.T) {
	for p, want := range map[string]analyzers.Exposure{
		"AGENTS.md":                               analyzers.Project,
		"docs/AGENTS.md":                          analyzers.Docs,
		"test/.claude/commands/a.md":              analyzers.Test,
		".claude/commands/docs/a.md":              analyzers.Project,
		".claude/commands/example.md":             analyzers.Project,
		"skills/templates/SKILL.md":               analyzers.Project,
		"skills/a/examples/b.md":                  analyzers.Project,
		"examples/skills/a/SKILL.md":              analyzers.Docs,
		"templates/.cursor/rules/tests/react.mdc": analyzers.Template,
	} {
		c, err := read(p, "x", analyzers.ExposureOf(p, analyzers.Project))
		if err != nil || c.Documents[0].Exposure != want {
			t.Errorf("%s: %v, %v; want %s", p, c.Documents, err, want)
		}
		c, _ = read(p, "x", analyzers.Active)
		if c.Documents[0].Exposure != analyzers.Active {
			t.Errorf("%s: named by its user, but %s", p, c.Documents[0].Exposure)
		}
	}
}

// TestSecrets: a credential in the text is one, once, and none where a
// declaration in the file has it already.
func TestSecrets(t *testing.T) {
	token := "ghp_" + "Zk3vQ9xT1bN7mW5rL8cJ2hF6dS4gA0pYeUiO"
	content := "---\nname: a\n---\nUse " + token + "."
	c, err := read("AGENTS.md", content, analyzers.Project)
	if err != nil || len(c.Secrets) != 1 {
		t.Fatalf("%v, %d secrets", err, len(c.Secrets))
	}
	s := c.Secrets[0]
	if string(s.Text.Span.Raw()) != token || s.Where != "text" || s.Key != "body" || s.Server != nil || s.Exposure != analyzers.Project {
		t.Errorf("%s %s at %q", s.Where, s.Key, s.Text.Span.Raw())
	}
	known := &analyzers.Source{Path: "AGENTS.md", Bytes: []byte(content)} // another reader's copy
	at := strings.Index(content, token)
	into := analyzers.Catalog{Secrets: []analyzers.Secret{{Text: analyzers.Text{Span: known.Span(at, at+len(token))}}}}
	if err := analyze(analyzers.File{Source: &analyzers.Source{Path: "AGENTS.md", Bytes: []byte(content)}}, &into); err != nil || len(into.Secrets) != 1 {
		t.Errorf("%v, %d secrets", err, len(into.Secrets))
	}
}

func TestClients(t *testing.T) {
	if got := strings.Join(Clients(), " "); !strings.HasPrefix(got, "agent-skills claude-code ") || strings.Count(got, "claude-code") != 1 {
		t.Error(got)
	}
}

func FuzzDocument(f *testing.F) {
	f.Add("skills/a/SKILL.md", "---\nname: a\nallowed-tools: [Bash(*), 'Read']\n---\nText")
	f.Add("a.mdc", "---\nglobs: *.ts\nallowed-tools: \"Bash(a, b), \n- x\n---\n")
	f.Add(".cursorrules", "\xef\xbb\xbf---\r\n? a\r\n: &x b\r\nc: *x\r\n---")
	f.Add("CLAUDE.md", "---\nallowed-tools: |\n  Bash( Read\n\n---\n\x00")
	f.Fuzz(func(t *testing.T, p, content string) {
		find(p)
		for _, p := range []string{p, "skills/a/SKILL.md"} {
			c, err := read(p, content, analyzers.Project)
			if err == nil {
				checkPlaces(t, c, len(content))
			}
		}
	})
}
