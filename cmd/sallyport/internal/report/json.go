package report

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// writeJSON writes the whole report, indented by two spaces, with one newline
// at its end. What a terminal would obey or hide is written as an escape, so
// that printing the file is harmless while its values stay exact.
func writeJSON(w io.Writer, r *Report, _ Options) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return err
	}
	_, err := w.Write(escapeJSON(b.Bytes()))
	return err
}

// escapeJSON escapes hidden runes. Outside of strings JSON has none, and
// encoding/json has escaped those below U+0020. A job's log takes "##[" for a
// workflow command wherever it stands in a line.
func escapeJSON(in []byte) []byte {
	out := make([]byte, 0, len(in)+len(in)/8)
	for i := 0; i < len(in); {
		c := in[i]
		switch {
		case c == '#' && i > 0 && bytes.HasPrefix(in[i-1:], []byte("##[")):
			out = append(out, `\u0023`...)
			i++
			continue
		case c < 0x7f:
			out = append(out, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(in[i:])
		switch {
		case r == utf8.RuneError:
			out = append(out, `\ufffd`...)
		case !analyzers.Hidden(r):
			out = append(out, in[i:i+size]...)
		case r >= 0x10000:
			high, low := utf16.EncodeRune(r)
			out = appendEscape(appendEscape(out, high), low)
		default:
			out = appendEscape(out, r)
		}
		i += size
	}
	return out
}

func appendEscape(out []byte, unit rune) []byte {
	const hex = "0123456789abcdef"
	return append(out, '\\', 'u', hex[unit>>12&15], hex[unit>>8&15], hex[unit>>4&15], hex[unit&15])
}
