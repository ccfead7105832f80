package agentdoc

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

const (
	maxHead   = 64 << 10 // bytes; what is longer is text
	maxValues = 10_000   // in a head, aliases followed
	maxTools  = 1000     // in one string
)

// head is what the front matter says. read is false when it is no YAML: then
// settings holds what can be told from single lines, and no field is set,
// because the lines stay a part of the body.
type head struct {
	read     bool
	name     analyzers.Text
	fields   []analyzers.Field
	settings []analyzers.Setting
	tools    int // entries of lists of tools so far
}

// readHead reads the bytes [start, end) of the file.
func readHead(src *analyzers.Source, start, end int) head {
	h := head{read: true}
	root, err := tree.Parse(&analyzers.Source{Path: src.Path, Bytes: src.Bytes[start:end]}, tree.YAML)
	if err != nil || !root.IsObject() && root.Kind != tree.Null {
		return readLines(src, start, end)
	}
	place := func(t analyzers.Text) analyzers.Text {
		if !t.Span.IsZero() {
			t.Span = src.Span(t.Span.Start+start, t.Span.End+start)
		}
		return t
	}
	values := 0
	root.Walk(func(p string, n *tree.Node) bool {
		if values++; values > maxValues {
			return false
		}
		key := place(n.Key)
		if !plain(key.Raw()) {
			h.fields = append(h.fields, analyzers.Field{Path: p, Key: true, Text: key})
		}
		if n.IsObject() || n.IsArray() || n == root {
			return true
		}
		value := place(n.Text)
		if n.IsString() && value.Value != "" {
			h.fields = append(h.fields, analyzers.Field{Path: p, Text: value})
		}
		if p == "name" {
			h.name = value
		}
		h.setting(p, key, value)
		return true
	})
	if values > maxValues {
		return readLines(src, start, end)
	}
	h.comments(src, start, end)
	return h
}

// plain reports whether a key is an ordinary word, which says nothing.
func plain(key string) bool {
	for i := 0; i < len(key); i++ {
		if c := key[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return len(key) <= 40
}

// setting notes a scalar; a list of tools that is written as one string is
// taken apart.
func (h *head) setting(p string, key, value analyzers.Text) {
	list, _, _ := strings.Cut(p, "[")
	if !toolList[list] {
		h.settings = append(h.settings, analyzers.Setting{Path: p, Key: key, Value: value})
		return
	}
	for _, tool := range splitTools(value) {
		h.settings = append(h.settings, analyzers.Setting{Path: fmt.Sprintf("%s[%d]", list, h.tools), Key: key, Value: tool})
		h.tools++
	}
}

// toolList are the members that list tools: with commas (Claude Code) or
// spaces (Agent Skills specification) between them, or as a YAML list.
var toolList = map[string]bool{"allowed-tools": true, "allowedTools": true, "allowed_tools": true, "tools": true, "disallowed-tools": true, "disallowedTools": true}

// splitTools splits at commas and spaces outside of parentheses.
func splitTools(list analyzers.Text) []analyzers.Text {
	var out []analyzers.Text
	raw := list.Raw()
	start, depth := 0, 0
	for i := 0; i <= len(raw); i++ {
		switch {
		case i < len(raw) && raw[i] == '(':
			depth++
		case i < len(raw) && raw[i] == ')':
			depth = max(depth-1, 0)
		case i == len(raw) || depth == 0 && strings.IndexByte(", \t\r\n[]\"'", raw[i]) >= 0:
			if i > start {
				out = append(out, list.Slice(start, i))
			}
			start = i + 1
		}
		if len(out) == maxTools {
			break
		}
	}
	return out
}

// comments adds the lines that YAML skips: an agent that opens the file reads
// them.
func (h *head) comments(src *analyzers.Source, start, end int) {
	for at := start; at < end; {
		next := lineEnd(src.Bytes, at, end)
		line := bytes.TrimSpace(src.Bytes[at:next])
		if len(line) > 1 && line[0] == '#' {
			from := at + bytes.IndexByte(src.Bytes[at:next], '#')
			text := analyzers.Text{Value: analyzers.Untrusted(line), Span: src.Span(from, from+len(line))}
			h.fields = append(h.fields, analyzers.Field{Path: "comment", Text: text})
		}
		at = next
	}
}

// readLines takes "key: value" and "- value" line by line, as lenient readers
// of front matter do ("globs: *.ts" is no YAML, and common).
func readLines(src *analyzers.Source, start, end int) head {
	var h head
	var list analyzers.Text
	items := 0
	for at := start; at < end && len(h.settings) < maxValues; {
		next := lineEnd(src.Bytes, at, end)
		line := analyzers.Text{Value: analyzers.Untrusted(src.Bytes[at:next]), Span: src.Span(at, next)}
		raw := line.Raw()
		key, _, found := strings.Cut(raw, ":")
		switch item := strings.TrimLeft(raw, " \t"); {
		case strings.HasPrefix(item, "- ") && !list.IsZero():
			if value := trim(line, len(raw)-len(item)+2); value.Value != "" {
				h.setting(fmt.Sprintf("%s[%d]", list.Raw(), items), analyzers.Text{}, value)
				items++
			}
		case found && key != "" && plain(key):
			value := trim(line, len(key)+1)
			list, items = line.Slice(0, len(key)), 0
			if value.Value == "" {
				break
			}
			if key == "name" {
				h.name = value
			}
			h.setting(key, list, value)
		}
		at = next
	}
	return h
}

// trim is the line from an offset on without space and quotes around it.
func trim(line analyzers.Text, from int) analyzers.Text {
	const cut = " \t\r\n\"'"
	raw := line.Raw()
	to := len(strings.TrimRight(raw, cut))
	from = min(len(raw)-len(strings.TrimLeft(raw[from:], cut)), to)
	return line.Slice(from, to)
}

func lineEnd(content []byte, at, end int) int {
	if i := bytes.IndexByte(content[at:end], '\n'); i >= 0 {
		return at + i + 1
	}
	return end
}
