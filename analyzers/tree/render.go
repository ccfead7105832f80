package tree

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
)

// JSON returns the value as strict JSON text. Where the file is strict JSON
// already the result is its own bytes, which must not be changed; JSONC, TOML
// and YAML are written anew, without white space. Members keep their order and
// duplicates; numbers keep their digits where JSON can spell them and are
// converted exactly otherwise (0x10 is 16). What JSON has no number for, such
// as infinity, becomes a string. It fails only for nil.
func (n *Node) JSON() (json.RawMessage, error) {
	if n == nil {
		return nil, errors.New("no value to write as JSON")
	}
	if n.rawJSON() {
		return slices.Clip(json.RawMessage(n.Span.Raw())), nil
	}
	return n.appendJSON(nil), nil
}

// rawJSON reports whether the node's own bytes are strict JSON.
func (n *Node) rawJSON() bool {
	return n.format == JSON || n.format == JSONC && !n.loose
}

func (n *Node) appendJSON(out []byte) []byte {
	if n.rawJSON() {
		return append(out, n.Span.Raw()...)
	}
	switch n.Kind {
	case Null:
		return append(out, "null"...)
	case Bool:
		if strings.EqualFold(n.Text.Raw(), "true") {
			return append(out, "true"...)
		}
		if strings.EqualFold(n.Text.Raw(), "false") {
			return append(out, "false"...)
		}
	case Number:
		if number := jsonNumber(n.Text.Raw()); number != "" {
			return append(out, number...)
		}
	case Array:
		out = append(out, '[')
		for i, child := range n.Children {
			if i > 0 {
				out = append(out, ',')
			}
			out = child.appendJSON(out)
		}
		return append(out, ']')
	case Object:
		out = append(out, '{')
		for i, child := range n.Children {
			if i > 0 {
				out = append(out, ',')
			}
			if n.format == JSONC {
				out = append(out, child.KeySpan.Raw()...)
			} else {
				out = appendQuoted(out, child.Key.Raw())
			}
			out = append(out, ':')
			out = child.appendJSON(out)
		}
		return append(out, '}')
	}
	return appendQuoted(out, n.Text.Raw())
}

func appendQuoted(out []byte, s string) []byte {
	out = append(out, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < ' ':
			out = fmt.Appendf(out, `\u%04x`, c)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}

var (
	strictNumber = pattern.New(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
	looseFloat   = pattern.New(`^(-?)0*([0-9]*)\.?([0-9]*)([eE][+-]?[0-9]+)?$`)
)

// jsonNumber spells a TOML or YAML number as JSON does, "" when it cannot be.
func jsonNumber(s string) string {
	if strictNumber.MatchString(s) {
		return s
	}
	s = strings.TrimPrefix(strings.ReplaceAll(s, "_", ""), "+")
	if strictNumber.MatchString(s) {
		return s
	}
	const longest = 1000 // digits; converting bases is not linear
	if len(s) <= longest {
		if i, ok := new(big.Int).SetString(s, 0); ok {
			return i.String()
		}
	}
	m := looseFloat.FindStringSubmatch(s)
	if m == nil || m[2]+m[3] == "" {
		return ""
	}
	number := m[1] + m[2]
	if m[2] == "" {
		number += "0"
	}
	if m[3] != "" {
		number += "." + m[3]
	}
	return number + m[4]
}
