package sch

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed remote_schema.md
var remoteSchemaPage string

// RemoteSchema flags schemas of which a part stands elsewhere.
var RemoteSchema = rules.Rule{
	ID:         "remote-schema",
	Title:      "Schema refers to a part that stands elsewhere",
	Severity:   rules.Medium,
	Confidence: rules.Certain,
	CWE:        []int{829, 918},
	Covers:     []string{"SCH-008"},
	Page:       remoteSchemaPage,
	Check:      checkRemoteSchema,
}

func checkRemoteSchema(pass *rules.Pass) {
	tools(pass, func(s *analyzers.Server, t *analyzers.Tool) {
		var base analyzers.Text // the $id that references are resolved against
		for _, f := range t.Fields {
			if f.Key || len(f.Path) < len("inputSchema.$id") || f.Path[len(f.Path)-1] != 'f' && f.Path[len(f.Path)-1] != 'd' ||
				!strings.HasPrefix(f.Path, "inputSchema.") && !strings.HasPrefix(f.Path, "outputSchema.") || strings.Contains(f.Path, ".properties.$") {
				continue
			}
			value := f.Text.Raw()
			if strings.HasSuffix(f.Path, ".$id") {
				if remote(value) {
					base = f.Text
				}
				continue
			}
			if !strings.HasSuffix(f.Path, ".$ref") && !strings.HasSuffix(f.Path, ".$dynamicRef") && !strings.HasSuffix(f.Path, ".$recursiveRef") {
				continue
			}
			var format string
			severity := rules.Medium
			switch {
			case remote(value):
				format = "%s of tool %q refers to %q: who serves that decides what the tool asks for, after the review. Write the part into the schema."
			case value == "" || value[0] == '#' || strings.Contains(value, "://json-schema.org/"):
				continue // in the same schema, or a published draft
			case !base.IsZero():
				format = "%s of tool %q refers to %q, which the schema's $id places on another host. Write the part into the schema, and remove $id."
			default:
				format = "%s of tool %q refers to %q, which is not part of the definition. Write the part into the schema."
				severity = rules.Low
			}
			finding := rules.OnServer(s, f.Text.Span, f.Path, format, analyzers.Untrusted(f.Path), t.Name, shown(f.Text))
			finding.Tool, finding.Severity = t.Name.Raw(), severity
			pass.Report(finding)
		}
	})
}

// remote reports whether a reference names a place outside of the definition:
// an address, or a file. The published drafts of JSON Schema are what $schema
// names, and resolve without a network.
func remote(ref string) bool {
	scheme, rest, ok := strings.Cut(ref, ":")
	if !ok {
		return strings.HasPrefix(ref, "//")
	}
	switch strings.ToLower(scheme) {
	case "http", "https":
		host, _, _ := strings.Cut(strings.TrimLeft(rest, "/"), "/")
		return !strings.EqualFold(host, "json-schema.org")
	case "file", "ftp", "ws", "wss", "data", "javascript":
		return true
	}
	return false
}

// shown is a value as a message prints it: an address without its query.
func shown(t analyzers.Text) analyzers.Untrusted {
	v, _, _ := strings.Cut(t.Raw(), "?")
	const enough = 120
	if len(v) > enough {
		v = strings.ToValidUTF8(v[:enough], "") + "..."
	}
	return analyzers.Untrusted(v)
}
