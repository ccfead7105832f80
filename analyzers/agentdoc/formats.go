package agentdoc

import (
	"path"
	"strings"
)

// format is one kind of document of one agent. To teach Sallyport a new one,
// add a row here and a line to TestFormats.
type format struct {
	client string
	kind   string // see analyzers.Document
	// files are matched against the end of a path, segment by segment.
	files []string
	// folders hold such documents at any depth, with an extension of extensions.
	folders []string
}

// formats is every kind of document, in the order in which they are tried: the
// first that wants a path has it. A row's client is the one that the format
// comes from; others read many of them, too.
var formats = []format{
	{client: "agent-skills", kind: "skill", files: []string{"SKILL.md", "skill.md"}},
	{client: "agent-skills", kind: "skill-reference", folders: []string{
		".claude/skills/*", ".agents/skills/*", ".github/skills/*", ".codex/skills/*", ".cursor/skills/*", ".gemini/skills/*", ".kiro/skills/*",
		".opencode/skill/*", ".opencode/skills/*", "skills/*",
	}},
	{client: "claude-code", kind: "command", folders: []string{".claude/commands"}},
	{client: "claude-code", kind: "subagent", folders: []string{".claude/agents"}},
	{client: "claude-code", kind: "agent-rules", files: []string{"CLAUDE.md", "CLAUDE.local.md"}, folders: []string{".claude/rules", ".claude/output-styles"}},
	{client: "codex", kind: "agent-rules", files: []string{"AGENTS.override.md"}},
	{client: "codex", kind: "command", folders: []string{".codex/prompts"}},
	{client: "agents-md", kind: "agent-rules", files: []string{"AGENTS.md", "AGENT.md"}},
	{client: "gemini", kind: "agent-rules", files: []string{"GEMINI.md"}},
	{client: "qwen", kind: "agent-rules", files: []string{"QWEN.md"}},
	{client: "cursor", kind: "agent-rules", files: []string{".cursorrules"}, folders: []string{".cursor/rules"}},
	{client: "cursor", kind: "command", folders: []string{".cursor/commands"}},
	{client: "cursor", kind: "subagent", folders: []string{".cursor/agents"}},
	{client: "copilot", kind: "agent-rules", files: []string{".github/copilot-instructions.md", "*.instructions.md"}},
	{client: "copilot", kind: "command", files: []string{"*.prompt.md"}},
	{client: "copilot", kind: "subagent", files: []string{".github/agents/*.md", "*.agent.md", "*.chatmode.md"}},
	{client: "windsurf", kind: "agent-rules", files: []string{".windsurfrules", ".codeium/windsurf/memories/global_rules.md"}, folders: []string{".windsurf/rules"}},
	{client: "windsurf", kind: "command", folders: []string{".windsurf/workflows"}},
	{client: "cline", kind: "command", folders: []string{".clinerules/workflows"}},
	{client: "cline", kind: "agent-rules", files: []string{".clinerules"}, folders: []string{".clinerules"}},
	{client: "roo", kind: "agent-rules", files: []string{".roorules", ".roorules-*"}, folders: []string{".roo/rules", ".roo/rules-*"}},
	{client: "roo", kind: "command", folders: []string{".roo/commands"}},
	{client: "kiro", kind: "agent-rules", folders: []string{".kiro/steering"}},
	{client: "amazon-q", kind: "agent-rules", folders: []string{".amazonq/rules"}},
	{client: "junie", kind: "agent-rules", files: []string{".junie/guidelines.md"}},
	{client: "goose", kind: "agent-rules", files: []string{".goosehints"}},
	{client: "zed", kind: "agent-rules", files: []string{".rules"}},
	{client: "continue", kind: "agent-rules", folders: []string{".continue/rules"}},
	{client: "continue", kind: "command", folders: []string{".continue/prompts"}},
	{client: "opencode", kind: "command", folders: []string{".opencode/command", ".opencode/commands"}},
	{client: "opencode", kind: "subagent", folders: []string{".opencode/agent", ".opencode/agents"}},
}

// extensions are those of documents in folders.
var extensions = map[string]bool{".md": true, ".mdc": true, ".markdown": true, ".txt": true}

// find returns the row that wants a path, nil for none, and the part of the
// path in front of what any row knows: what lies behind is the agent's own
// tree, whose folders say nothing about how live a file is.
func find(p string) (row *format, root string) {
	base := p[strings.LastIndexByte(p, '/')+1:]
	if base == "" || !extensions[path.Ext(base)] && base[0] != '.' {
		return nil, "" // most files of a tree
	}
	segments := strings.Split(p, "/")
	first := len(segments)
	for i := range formats {
		f := &formats[i]
		at := f.match(segments, extensions[path.Ext(base)])
		if at < 0 {
			continue
		}
		if row == nil {
			row = f
		}
		first = min(first, at)
	}
	if row == nil {
		return nil, ""
	}
	return row, strings.Join(segments[:first], "/")
}

// match returns the first segment that the row knows, -1 for none.
func (f *format) match(segments []string, document bool) int {
	for _, pattern := range f.files {
		n := strings.Count(pattern, "/") + 1
		if at := len(segments) - n; at >= 0 && matchAt(pattern, segments[at:]) {
			return at
		}
	}
	if !document {
		return -1
	}
	for _, pattern := range f.folders {
		n := strings.Count(pattern, "/") + 1
		for at := 0; at+n < len(segments); at++ {
			if matchAt(pattern, segments[at:]) {
				return at
			}
		}
	}
	return -1
}

// matchAt reports whether the segments begin with those of the pattern.
func matchAt(pattern string, segments []string) bool {
	for i := 0; ; i++ {
		want, rest, more := strings.Cut(pattern, "/")
		if want != segments[i] {
			if !strings.Contains(want, "*") {
				return false
			}
			if ok, err := path.Match(want, segments[i]); !ok || err != nil {
				return false
			}
		}
		if !more {
			return true
		}
		pattern = rest
	}
}

// Clients is the client of every row, once each, for documentation.
func Clients() []string {
	var names []string
	seen := map[string]bool{}
	for _, f := range formats {
		if !seen[f.client] {
			seen[f.client] = true
			names = append(names, f.client)
		}
	}
	return names
}
