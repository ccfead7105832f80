package clientconfig

import (
	"bytes"
	"path"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// markdown reads the declarations that documentation tells people and agents
// to copy: fenced blocks of JSON, TOML or YAML. They are examples, so a block
// that cannot be parsed is nobody's broken configuration and no gap.
var markdown = analyzers.Analyzer{
	Name: "clientconfig/markdown",
	Match: func(p string) analyzers.Match {
		if ext := strings.ToLower(path.Ext(p)); ext == ".md" || ext == ".mdx" || ext == ".markdown" {
			return analyzers.Candidate
		}
		return analyzers.Ignored
	},
	Sniff:   declaresServers,
	Analyze: readMarkdown,
}

const (
	maxMarkdownBytes = 1 << 20
	maxBlocks        = 64 // that declare servers
)

func readMarkdown(file analyzers.File, into *analyzers.Catalog) error {
	if len(file.Bytes) > maxMarkdownBytes {
		return analyzers.ErrForeign
	}
	file.Exposure = analyzers.Docs
	row := generic
	row.client = "markdown"
	read := 0
	for _, b := range fencedBlocks(file.Bytes) {
		if !declaresServers(file.Bytes[b.start:b.end]) {
			continue
		}
		if read++; read > maxBlocks {
			break
		}
		root, err := tree.Parse(blanked(file.Source, b.start, b.end), b.format)
		if err != nil || !root.IsObject() {
			continue
		}
		row.read(file, root, into)
	}
	return nil
}

// block is the inside of a fenced code block.
type block struct {
	start, end int
	format     tree.Format
}

// fencedBlocks finds the blocks between fences of three or more backticks or
// tildes (CommonMark, section 4.5), however far they are indented. A block
// without an end is none.
func fencedBlocks(content []byte) []block {
	var out []block
	var fence string
	var open block
	for at := 0; at < len(content); {
		end := len(content)
		if i := bytes.IndexByte(content[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		line := strings.TrimSpace(string(content[at:min(end, at+200)]))
		switch {
		case fence == "":
			if run := fenceRun(line); run >= 3 {
				fence, open = line[:run], block{start: end, format: formatOfFence(line[run:])}
			}
		case fenceRun(line) >= len(fence) && line[0] == fence[0] && strings.Trim(line, fence[:1]) == "":
			open.end = at
			out = append(out, open)
			fence = ""
		}
		at = end
	}
	return out
}

func fenceRun(line string) int {
	if line == "" || line[0] != '`' && line[0] != '~' {
		return 0
	}
	return len(line) - len(strings.TrimLeft(line, line[:1]))
}

func formatOfFence(info string) tree.Format {
	language, _, _ := strings.Cut(strings.TrimSpace(info), " ")
	switch strings.ToLower(language) {
	case "toml":
		return tree.TOML
	case "yaml", "yml":
		return tree.YAML
	}
	return tree.JSONC
}

// blanked is the source with spaces for everything outside of [start, end):
// what is parsed in it has its true place.
func blanked(src *analyzers.Source, start, end int) *analyzers.Source {
	content := make([]byte, end)
	for i, c := range src.Bytes[:start] {
		if content[i] = ' '; c == '\n' || c == '\r' {
			content[i] = c
		}
	}
	copy(content[start:], src.Bytes[start:end])
	return &analyzers.Source{Path: src.Path, Bytes: content}
}
