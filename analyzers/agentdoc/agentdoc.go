// Package agentdoc reads the documents that coding agents load by themselves:
// instructions (AGENTS.md and its kin), skills, commands and subagents. They
// are Markdown, often with a head of YAML ("front matter"). A table of formats
// (formats.go) says which paths are such documents.
package agentdoc

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
)

// MaxBytes is the size up to which a document is read.
const MaxBytes = 1 << 20

// Analyzer returns the analyzer of agent documents. It knows them by name.
//
// It belongs behind the analyzers of declarations: a credential that those
// have found in the same file is not reported again as one of its text.
func Analyzer() analyzers.Analyzer {
	return analyzers.Analyzer{
		Name: "agentdoc",
		Match: func(p string) analyzers.Match {
			if Wants(p) {
				return analyzers.Named
			}
			return analyzers.Ignored
		},
		Analyze: analyze,
	}
}

// Wants reports whether a path is that of an agent's document.
func Wants(p string) bool {
	row, _ := find(p)
	return row != nil
}

const bom = "\xef\xbb\xbf"

func analyze(file analyzers.File, into *analyzers.Catalog) error {
	row, root := find(file.Path)
	if row == nil {
		return analyzers.ErrForeign
	}
	content := file.Bytes
	switch {
	case len(content) > MaxBytes && row.kind == "skill-reference": // read on demand, and in parts
		return &analyzers.ParseError{Kind: "limit", Reason: fmt.Sprintf("a skill's reference of %d bytes; at most %d are read", len(content), MaxBytes)}
	case len(content) > MaxBytes:
		return &analyzers.ParseError{Kind: "oversized", Reason: fmt.Sprintf("an agent's document of %d bytes; at most %d are read", len(content), MaxBytes), Span: file.Span(0, 0)}
	case bytes.HasPrefix(content, []byte("\xff\xfe")), bytes.HasPrefix(content, []byte("\xfe\xff")):
		return &analyzers.ParseError{Kind: "encoding", Reason: "the file is UTF-16; only UTF-8 is read", Span: file.Span(0, 2)}
	}
	doc := &analyzers.Document{
		Kind: row.kind, Client: row.client, Name: analyzers.Text{Value: analyzers.Untrusted(nameOf(row.kind, file.Path))},
		Source: file.Source, Exposure: exposure(file, root), Span: file.Span(0, len(content)),
	}
	body := len(content) - len(bytes.TrimPrefix(content, []byte(bom)))
	if start, end, rest, ok := frontMatter(content, body); ok {
		h := readHead(file.Source, start, end)
		doc.Fields, doc.Settings = h.fields, h.settings
		if !h.name.IsZero() {
			doc.Name = h.name
		}
		if h.read { // otherwise agents take it for a part of the text, or may
			body = rest
		}
	}
	if len(bytes.TrimSpace(content[body:])) > 0 {
		text := analyzers.Text{Value: analyzers.Untrusted(content[body:]), Span: file.Span(body, len(content))}
		doc.Fields = append(doc.Fields, analyzers.Field{Path: "body", Text: text})
	}
	if len(doc.Fields) == 0 && len(doc.Settings) == 0 {
		return nil // an empty file says nothing
	}
	into.Documents = append(into.Documents, doc)
	secrets(doc, into)
	return nil
}

// nameOf is the name of a document whose head says none: a skill is called
// like its folder, everything else like its file.
func nameOf(kind, p string) string {
	if dir := path.Base(path.Dir(p)); kind == "skill" && dir != "." && dir != "/" {
		return dir
	}
	return path.Base(p)
}

// exposure is the file's unless only folders inside the agent's own tree speak
// for less: .claude/commands/docs/x.md is as live as its neighbours.
func exposure(file analyzers.File, root string) analyzers.Exposure {
	const base = analyzers.Project
	if e := analyzers.ExposureOf(file.Path, base); e != base && e == file.Exposure {
		return analyzers.ExposureOf(root+"/", base)
	}
	return file.Exposure
}

// secrets adds the credentials of the text, but for those that a declaration
// in the same file holds.
func secrets(doc *analyzers.Document, into *analyzers.Catalog) {
	var known []analyzers.Span
	for _, s := range into.Secrets {
		if s.Text.Span.Path() == doc.Source.Path {
			known = append(known, s.Text.Span)
		}
	}
	for _, f := range doc.Fields {
	found:
		for _, s := range secret.InText("text", f.Path, f.Text) {
			for _, k := range known {
				if k.Start < s.Text.Span.End && s.Text.Span.Start < k.End {
					continue found
				}
			}
			s.Exposure = doc.Exposure
			into.Secrets = append(into.Secrets, s)
		}
	}
}

// frontMatter finds the bytes between a first line "---" at the offset from and
// the next such line, and the offset of what follows.
func frontMatter(content []byte, from int) (start, end, rest int, ok bool) {
	for at := from; at < len(content) && (start == 0 || at-start <= maxHead); {
		next := len(content)
		if i := bytes.IndexByte(content[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		fence := strings.TrimRight(string(content[at:min(next, at+80)]), " \t\r\n") == "---"
		switch {
		case start == 0 && !fence:
			return 0, 0, 0, false
		case start == 0:
			start = next
		case fence:
			return start, at, next, true
		}
		at = next
	}
	return 0, 0, 0, false
}
