package jsonrpc

import (
	"strconv"
	"unicode/utf8"
)

// The functions of this file make the bytes of messages that cannot be
// forwarded as they came. All append to dst, which must not overlap their
// input, and add no line break.

// AppendError appends an error response. The id is raw, nil for null; data is
// a raw JSON value, nil for none.
func AppendError(dst, id []byte, code int, message string, data []byte) []byte {
	dst = appendHead(dst, id)
	dst = append(dst, `"error":{"code":`...)
	dst = strconv.AppendInt(dst, int64(code), 10)
	dst = append(dst, `,"message":`...)
	dst = AppendString(dst, message)
	if data != nil {
		dst = append(dst, `,"data":`...)
		dst = append(dst, data...)
	}
	return append(dst, "}}"...)
}

// AppendResult appends a response with a raw result.
func AppendResult(dst, id, result []byte) []byte {
	dst = appendHead(dst, id)
	dst = append(dst, `"result":`...)
	dst = append(dst, result...)
	return append(dst, '}')
}

func appendHead(dst, id []byte) []byte {
	if id == nil {
		id = []byte("null")
	}
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	dst = append(dst, id...)
	return append(dst, ',')
}

// AppendString appends text as a JSON string. What is no UTF-8 becomes U+FFFD;
// control characters and line separators are escaped.
func AppendString(dst []byte, text string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029:
			dst = append(dst, '\\', 'u', digits[r>>12], digits[r>>8&15], digits[r>>4&15], digits[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// Replace appends b with the bytes of r exchanged. A Range that is not there
// leaves b as it is.
func Replace(dst, b []byte, r Range, with []byte) []byte {
	if r.In(b) == nil {
		return append(dst, b...)
	}
	dst = append(dst, b[:r.Start]...)
	dst = append(dst, with...)
	return append(dst, b[r.End:]...)
}

// Remove appends b without those elements of the array at r that drop names,
// and returns how many it left out. All other bytes stay as they are: a kept
// element keeps what stands between it and the one before, unless it is now
// the first.
func Remove(dst, b []byte, r Range, drop func(i int, element Range) bool) ([]byte, int) {
	removed, kept := 0, 0
	first, last := 0, 0 // where the first element begins, where the last one read ends
	from := 0           // the first byte not yet dealt with
	for i, element := range Elements(b, r) {
		if i == 0 {
			first = element.Start
			dst = append(dst, b[:first]...)
			last = first
		}
		if drop(i, element) {
			removed++
		} else {
			if from = last; kept == 0 {
				from = element.Start
			}
			dst = append(dst, b[from:element.End]...)
			kept++
		}
		last = element.End
	}
	return append(dst, b[last:]...), removed
}
