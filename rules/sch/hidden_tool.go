package sch

import (
	"bytes"
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed hidden_tool.md
var hiddenToolPage string

// HiddenTool flags tools that are kept out of sight.
var HiddenTool = rules.Rule{
	ID:         "hidden-tool",
	Title:      "Tool is kept out of the lists that people see",
	Severity:   rules.Low,
	Confidence: rules.Likely,
	CWE:        []int{912},
	Covers:     []string{"SCH-010"},
	Page:       hiddenToolPage,
	Check:      checkHiddenTool,
}

func checkHiddenTool(pass *rules.Pass) {
	tools(pass, func(s *analyzers.Server, t *analyzers.Tool) {
		for _, f := range t.Fields {
			if !f.Key || strings.HasPrefix(f.Path, "inputSchema.") || strings.HasPrefix(f.Path, "outputSchema.") {
				continue
			}
			var buf [2 * longestName]byte
			name := bytes.TrimPrefix(words(&buf, f.Text.Raw()), []byte("x_"))
			if want, ok := flags[string(name)]; !ok || !bytes.HasPrefix(value(f.Text.Span), []byte(want)) {
				continue
			}
			finding := rules.OnServer(s, f.Text.Span, f.Path, "tool %q is marked as %q, so that people do not see a tool that a model may call. Remove the mark, or the tool.", t.Name, f.Text)
			finding.Tool = t.Name.Raw()
			pass.Report(finding)
		}
	})
	for _, s := range pass.Catalog.Servers {
		unlisted(pass, s)
	}
}

// flags are the marks that hide a tool, with the value that does.
var flags = map[string]string{
	"hidden": "true", "is_hidden": "true", "hide": "true", "hide_from_user": "true", "hidden_from_user": "true", "hide_from_list": "true", "hidden_from_list": "true",
	"unlisted": "true", "invisible": "true", "stealth": "true", "hide_in_ui": "true", "hidden_in_ui": "true",
	"visible": "false", "user_visible": "false", "visible_to_user": "false", "show_to_user": "false", "show_in_list": "false", "listed": "false", "show_in_ui": "false",
}

// value is the JSON value behind a key.
func value(key analyzers.Span) []byte {
	if key.IsZero() || key.End+1 > len(key.Source.Bytes) {
		return nil
	}
	return after(key.Source.Bytes[key.End+1:]) // behind the quotation mark
}

// unlisted finds texts that name a tool that the server does not list.
func unlisted(pass *rules.Pass, s *analyzers.Server) {
	if len(s.Surface.Tools) < 2 {
		return // one definition says nothing about the others
	}
	var known map[string]bool
	reported := map[string]bool{}
	for _, t := range s.Surface.Tools {
		d := t.Description.Raw()
		d = d[:min(len(d), longestPurpose)]
		eachNamed(d, func(start, end int) {
			if known == nil {
				known = namesOf(pass.Catalog)
			}
			name := d[start:end]
			if known[name] || reported[name] {
				return
			}
			reported[name] = true
			finding := rules.OnServer(s, t.Description.At(start, end), name, "tool %q speaks of a tool %q, which the server does not list. Ask for the whole list, and what that tool does.", t.Name, analyzers.Untrusted(name))
			finding.Tool, finding.Severity = t.Name.Raw(), rules.Info
			pass.Report(finding)
		})
	}
}

// eachNamed calls visit with each name of several words (get_user, getUser) in
// a text that is called a tool: "the get_user tool", "tool `get_user`".
func eachNamed(text string, visit func(start, end int)) {
	const tool = "tool"
	for from := 0; ; {
		i := strings.Index(text[from:], tool)
		if i < 0 {
			return
		}
		i += from
		from = i + len(tool)
		if i > 0 && nameByte(text[i-1]) || from < len(text) && nameByte(text[from]) {
			continue
		}
		// In front: NAME tool.
		end := i
		for end > 0 && strings.IndexByte(" `'\"", text[end-1]) >= 0 && i-end < 3 {
			end--
		}
		start := end
		for start > 0 && nameByte(text[start-1]) && end-start < 2*longestName {
			start--
		}
		if end < i && compound(text[start:end]) {
			visit(start, end)
			continue
		}
		// Behind: tool `NAME`, with quotes, for not every word behind is a name.
		start = from
		for start < len(text) && strings.IndexByte(" `'\"", text[start]) >= 0 && start-from < 3 {
			start++
		}
		end = start
		for end < len(text) && nameByte(text[end]) && end-start < 2*longestName {
			end++
		}
		if start > from && strings.IndexByte("`'\"", text[start-1]) >= 0 && compound(text[start:end]) {
			visit(start, end)
		}
	}
}

func nameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// compound reports whether a word is a name of several words, written as tools'
// names are.
func compound(word string) bool {
	inner, lower := strings.Contains(strings.Trim(word, "_"), "_"), false
	for i := range len(word) {
		c := word[i]
		lower = lower || c >= 'a' && c <= 'z'
		inner = inner || i > 1 && c >= 'A' && c <= 'Z' && word[i-1] >= 'a' && word[i-1] <= 'z' && word[0] >= 'a'
	}
	return inner && lower && len(word) >= 6 && word[0] >= 'A'
}

// namesOf is every name that texts may speak of: of tools and prompts of all
// servers, and of parameters.
func namesOf(c *analyzers.Catalog) map[string]bool {
	names := map[string]bool{}
	for _, s := range c.Servers {
		for _, t := range s.Surface.Tools {
			names[t.Name.Raw()] = true
			for _, f := range t.Fields {
				if f.Key {
					names[f.Text.Raw()] = true
				}
			}
		}
		for _, p := range s.Surface.Prompts {
			names[p.Name.Raw()] = true
		}
	}
	return names
}
