package secret

import (
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// InText returns the credentials of running text, by their shape.
func InText(where, key string, text analyzers.Text) []analyzers.Secret {
	var out []analyzers.Secret
	for _, m := range Find(text.Raw()) {
		out = append(out, observed(m, where, key, text))
	}
	return out
}

// InVar returns the credentials of a value that a name holds: a variable, a
// header, a setting. A value of high entropy counts when nothing else speaks.
func InVar(where, name string, value analyzers.Text) []analyzers.Secret {
	if found := InText(where, name, value); len(found) > 0 {
		return found
	}
	if m, ok := Named(name, value.Raw()); ok {
		return []analyzers.Secret{observed(m, where, name, value)}
	}
	if HighEntropy(value.Raw()) {
		return []analyzers.Secret{observed(Match{Kind: "high-entropy", End: len(value.Value)}, where, name, value)}
	}
	return nil
}

// InArgs returns the credentials of a command line: by shape anywhere, and by
// the flag before them ("--api-key VALUE", "--api-key=VALUE", "API_KEY=VALUE").
func InArgs(args []analyzers.Text) []analyzers.Secret {
	var out []analyzers.Secret
	for i, arg := range args {
		raw := arg.Raw()
		name, value, assigned := strings.Cut(raw, "=")
		assigned = assigned && !strings.ContainsAny(name, " /:")
		key := flagBefore(args, i)
		if assigned {
			key = strings.TrimLeft(name, "-")
		}
		if found := InText("arg", key, arg); len(found) > 0 {
			out = append(out, found...)
			continue
		}
		if assigned {
			if m, ok := Named(key, value); ok {
				at := len(name) + 1
				out = append(out, observed(Match{m.Kind, m.Start + at, m.End + at}, "arg", key, arg))
			}
			continue
		}
		if name, value, ok := strings.Cut(raw, ":"); ok && strings.EqualFold(flagBefore(args, i), "header") {
			trimmed := strings.TrimLeft(value, " ")
			if m, ok := Named(name, trimmed); ok {
				at := len(raw) - len(trimmed)
				out = append(out, observed(Match{m.Kind, m.Start + at, m.End + at}, "arg", name, arg))
			}
			continue
		}
		if flag := flagBefore(args, i); flag != "" && !strings.HasPrefix(raw, "-") {
			if m, ok := Named(flag, raw); ok {
				out = append(out, observed(m, "arg", flag, arg))
			}
		}
	}
	return out
}

// flagBefore is the long option that stands before argument i and has no value
// of its own.
func flagBefore(args []analyzers.Text, i int) string {
	if i == 0 {
		return ""
	}
	flag := args[i-1].Raw()
	if !strings.HasPrefix(flag, "-") || strings.Contains(flag, "=") {
		return ""
	}
	if flag == "-H" {
		return "header"
	}
	return strings.TrimLeft(flag, "-")
}

func observed(m Match, where, key string, text analyzers.Text) analyzers.Secret {
	return analyzers.Secret{Kind: m.Kind, Where: where, Key: key, Text: text.Slice(m.Start, m.End)}
}
