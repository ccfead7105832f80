package cfg

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed duplicate_key.md
var duplicateKeyPage string

// DuplicateKey flags keys that stand twice in one object with different values.
var DuplicateKey = rules.Rule{
	ID:         "duplicate-key",
	Title:      "A key stands twice with different values",
	Severity:   rules.Medium,
	Confidence: rules.Certain,
	CWE:        []int{436},
	Covers:     []string{"CFG-028"},
	Page:       duplicateKeyPage,
	Check:      checkDuplicateKey,
}

// deciding are the keys below which a repeated key decides what runs, or what
// a client permits.
var deciding = pattern.Words("mcpServers servers mcp mcp_servers context_servers mcp-servers amp.mcpServers permissions permission hooks env sandbox " +
	"approval_policy sandbox_mode enableAllProjectMcpServers apiKeyHelper")

func checkDuplicateKey(pass *rules.Pass) {
	for _, client := range pass.Catalog.Clients {
		if len(client.Repeats) == 0 {
			continue
		}
		names := map[string]bool{} // of servers, for files that are nothing but a map of them
		for _, s := range client.Servers {
			names[s.Name.Raw()] = true
		}
		for _, r := range client.Repeats {
			if !matters(r, names) {
				continue
			}
			first, second := valueBehind(r.First.Span), valueBehind(r.Key.Span)
			if first != "" && first == second {
				continue // the same on either reading
			}
			f := rules.OnClient(client, r.Key.Span, strings.TrimPrefix(r.Path+"."+r.Key.Raw(), "."), "key %q stands twice with different values: some clients take the first, some the last, some refuse the file. Keep one of them.", r.Key)
			f.Related = []rules.Related{{Message: "the first one", Span: r.First.Span}}
			pass.Report(f)
		}
	}
}

func matters(r analyzers.Repeat, servers map[string]bool) bool {
	if deciding.Has(r.Key.Raw()) || servers[r.Key.Raw()] {
		return true
	}
	for part := range strings.SplitSeq(r.Path, ".") {
		if deciding.Has(part) || servers[part] {
			return true
		}
	}
	return false
}

// maxValue bounds the bytes of a value that is compared.
const maxValue = 4096

// valueBehind is the raw value behind a key: to the end of the string, of the
// object or list, or of the line. It is "" where that cannot
// be told, or beyond maxValue.
func valueBehind(key analyzers.Span) string {
	if key.IsZero() {
		return ""
	}
	rest := key.Source.Bytes[key.End:]
	rest = rest[:min(len(rest), maxValue)]
	i := 0
	for i < len(rest) && strings.IndexByte("\"' \t\r\n:=]", rest[i]) >= 0 && (rest[i] != '"' && rest[i] != '\'' || i == 0) {
		i++
	}
	start, depth, quoted := i, 0, false
	for ; i < len(rest); i++ {
		switch c := rest[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			if quoted = !quoted; !quoted && depth == 0 {
				return string(rest[start : i+1])
			}
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth <= 0 {
				return strings.TrimSpace(string(rest[start:min(i+1+depth, len(rest))]))
			}
		case depth == 0 && (c == ',' || c == '\n'):
			return strings.TrimSpace(string(rest[start:i]))
		}
	}
	return ""
}
