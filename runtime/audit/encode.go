package audit

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
)

// What a line may hold of names that others chose. A longer one is cut, and
// ends in an ellipsis.
const (
	maxText     = 1024 // bytes of one string
	maxArgv     = 4096 // bytes of a command line
	maxFindings = 16
	maxField    = 256
	maxLine     = 256 << 10 // bytes of a line, more than these limits allow
)

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string. Everything that a reader would not
// see or a terminal would obey is written as \u: see analyzers.Hidden.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			if c == '"' || c == '\\' {
				b = append(b, '\\', c)
			} else {
				b = appendUnit(b, uint16(c))
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if analyzers.Hidden(r) {
			b = append(b, s[start:i]...)
			if r >= 0x10000 {
				b = appendUnit(b, uint16(0xd800+(r-0x10000)>>10))
				b = appendUnit(b, uint16(0xdc00+(r-0x10000)&0x3ff))
			} else {
				b = appendUnit(b, uint16(r))
			}
			start = i + size
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendUnit(b []byte, u uint16) []byte {
	return append(b, '\\', 'u', hexDigits[u>>12], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
}

// cut shortens s to at most limit bytes, at the start of a rune.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit -= len("…"); limit > 0 && !utf8.RuneStart(s[limit]); limit-- {
	}
	return s[:limit] + "…"
}

// clean is s as it may be written: credentials masked, cut to limit. The cut
// comes first, so that a long string costs no more than a short one, with room
// for a credential that would stand across the limit.
func clean(s string, limit int) string {
	return cut(secret.Mask(cut(s, 2*limit)), limit)
}

// texts writes strings that others chose, and remembers what it made of them:
// the names of a session are few, and masking costs more than all the rest.
// A nil texts writes strings as they are: what was read from a log is clean.
type texts struct {
	done map[string]spelling
	last [8]spelling // the newest of done: a session has few, and a map takes longer
	n    int
}

type spelling struct {
	text string
	json []byte
}

const maxTexts, maxRemembered = 512, 256

// append appends s, cleaned, as a JSON string.
func (t *texts) append(b []byte, s string, limit int) []byte {
	if t == nil || len(s) < 8 { // no credential is that short
		return appendString(b, s)
	}
	for i := range t.last {
		if t.last[i].text == s {
			return append(b, t.last[i].json...)
		}
	}
	done, ok := t.done[s]
	if !ok {
		from := len(b)
		b = appendString(b, clean(s, limit))
		if len(s) > min(limit, maxRemembered) {
			return b
		}
		if len(t.done) >= maxTexts || t.done == nil {
			t.done = map[string]spelling{}
		}
		done = spelling{strings.Clone(s), bytes.Clone(b[from:])}
		t.done[done.text] = done
		b = b[:from]
	}
	t.last[t.n%len(t.last)] = done
	t.n++
	return append(b, done.json...)
}

// appendList appends strings, cleaned, until limit bytes are used up.
func (t *texts) appendList(b []byte, list []string, limit int) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if limit <= 0 && t != nil {
			b = append(b, `"…"`...)
			break
		}
		b = t.append(b, s, maxText)
		limit -= len(s) + 1
	}
	return append(b, ']')
}

func (t *texts) appendServer(b []byte, s *Server) []byte {
	if s == nil {
		s = &Server{}
	}
	b = t.append(append(b, `{"entry":`...), s.Entry, maxText)
	b = t.append(append(b, `,"name":`...), s.Name, maxText)
	b = t.appendList(append(b, `,"argv":`...), s.Argv, maxArgv)
	b = t.append(append(b, `,"url":`...), s.URL, maxText)
	b = t.append(append(b, `,"image":`...), s.Image, maxText)
	b = appendString(append(b, `,"surface":`...), cut(s.Surface, maxField))
	return append(b, '}')
}

func (t *texts) appendWho(b []byte, w *Who) []byte {
	if w == nil {
		w = &Who{}
	}
	b = t.append(append(b, `{"user":`...), w.User, maxText)
	b = t.append(append(b, `,"client":`...), w.Client, maxText)
	b = t.append(append(b, `,"agent":`...), w.Agent, maxText)
	b = t.append(append(b, `,"unit":`...), w.Unit, maxText)
	b = t.append(append(b, `,"project":`...), w.Project, maxText)
	b = t.append(append(b, `,"environment":`...), w.Environment, maxText)
	b = t.appendList(append(b, `,"roles":`...), w.Roles, maxText)
	return append(b, '}')
}

// appendRequestID appends a JSON-RPC id. A number is kept digit by digit; a
// string that fits is decoded no further than needed to mask and escape it.
func (t *texts) appendRequestID(b []byte, id []byte) []byte {
	if len(id) == 0 || len(id) > 2*maxText {
		return append(b, "null"...)
	}
	if id[0] != '"' {
		if number(id) {
			return append(b, id...)
		}
		return append(b, "null"...)
	}
	if len(id) < 2 {
		return append(b, "null"...)
	}
	plain := id[len(id)-1] == '"'
	for _, c := range id[1:max(len(id)-1, 1)] {
		// A counter or a UUID: hexadecimal digits and dashes hold no name.
		if plain = plain && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c == '-'); !plain {
			break
		}
	}
	if plain && len(id) <= 38 {
		return append(b, id...)
	}
	s, ok := unquote(id)
	if !ok {
		return append(b, "null"...)
	}
	return t.append(b, s, maxText)
}

// number reports whether b is a JSON number (RFC 8259, section 6).
func number(b []byte) bool {
	digits := func() bool {
		n := 0
		for n < len(b) && b[n] >= '0' && b[n] <= '9' {
			n++
		}
		b = b[n:]
		return n > 0
	}
	if len(b) > 64 {
		return false
	}
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	if len(b) > 1 && b[0] == '0' && b[1] >= '0' && b[1] <= '9' || !digits() {
		return false
	}
	if len(b) > 0 && b[0] == '.' {
		if b = b[1:]; !digits() {
			return false
		}
	}
	if len(b) > 0 && (b[0] == 'e' || b[0] == 'E') {
		if b = b[1:]; len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		if !digits() {
			return false
		}
	}
	return len(b) == 0
}

// appendTime appends t as RFC 3339 in UTC with all nine digits.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		t = time.Time{}
	}
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = append(appendDigits(append(b, '"'), year, 4), '-')
	b = append(appendDigits(b, int(month), 2), '-')
	b = append(appendDigits(b, day, 2), 'T')
	b = append(appendDigits(b, hour, 2), ':')
	b = append(appendDigits(b, minute, 2), ':')
	b = append(appendDigits(b, second, 2), '.')
	return append(appendDigits(b, t.Nanosecond(), 9), 'Z', '"')
}

// appendDigits appends the last width digits of n.
func appendDigits(b []byte, n, width int) []byte {
	b = append(b, "000000000"[:width]...)
	for i := len(b) - 1; n > 0 && width > 0; i, width = i-1, width-1 {
		b[i] += byte(n % 10)
		n /= 10
	}
	return b
}

// appendMicros appends a duration in microseconds, with three digits behind
// the point.
func appendMicros(b []byte, d time.Duration) []byte {
	ns := int(max(d, 0))
	b = append(strconv.AppendInt(b, int64(ns/1000), 10), '.')
	return appendDigits(b, ns%1000, 3)
}

// appendHead begins every line.
func appendHead(b []byte, kind string, seq uint64, at time.Time) []byte {
	b = append(append(append(b, `{"kind":"`...), kind...), `","seq":`...)
	b = strconv.AppendUint(b, seq, 10)
	return appendTime(append(b, `,"time":`...), at)
}

func appendPrev(b []byte, prev Digest) []byte {
	return append(hex.AppendEncode(append(b, `,"prev":"`...), prev[:]), '"')
}

// appendParties appends who a record is about: the same for a whole session.
func (t *texts) appendParties(b []byte, r *Record) []byte {
	b = t.append(append(b, `,"session":`...), r.Session, maxField)
	b = appendString(append(b, `,"mode":`...), cut(r.Mode, maxField))
	b = t.appendServer(append(b, `,"server":`...), r.Server)
	return t.appendWho(append(b, `,"who":`...), r.Who)
}

// appendDecision appends a record as far as "prev". Its parties come ready made.
func (t *texts) appendDecision(b []byte, r *Record, parties []byte, prev Digest) []byte {
	b = appendHead(b, "decision", r.Seq, r.Time)
	b = append(b, parties...)
	b = appendString(append(b, `,"direction":`...), cut(r.Direction, maxField))
	b = t.append(append(b, `,"method":`...), r.Method, maxField)
	b = t.append(append(b, `,"name":`...), r.Name, maxText)
	b = t.appendRequestID(append(b, `,"requestId":`...), r.RequestID)
	b = t.append(append(b, `,"protocol":`...), r.Protocol, maxField)
	b = appendString(append(b, `,"decision":`...), cut(r.Decision, maxField))
	b = strconv.AppendBool(append(b, `,"enforced":`...), r.Enforced)
	b = t.append(append(b, `,"rule":`...), r.Rule, maxField)
	b = t.append(append(b, `,"reason":`...), r.Reason, maxText)
	b = append(b, `,"findings":[`...)
	for i, f := range r.Findings {
		if i > 0 {
			b = append(b, ',')
		}
		if i == maxFindings && t != nil {
			b = appendString(append(b, `{"ruleId":"…","severity":"","field":`...), strconv.Itoa(len(r.Findings)-i)+" more")
			b = append(b, '}')
			break
		}
		b = t.append(append(b, `{"ruleId":`...), f.RuleID, maxField)
		b = appendString(append(b, `,"severity":`...), cut(f.Severity, maxField))
		b = t.append(append(b, `,"field":`...), f.Field, maxField)
		b = append(b, '}')
	}
	b = strconv.AppendInt(append(b, `],"bytes":`...), max(r.Bytes, 0), 10)
	b = appendString(append(b, `,"frameSha256":`...), cut(r.FrameSHA256, maxField))
	b = appendMicros(append(b, `,"durationUs":`...), r.Duration)
	return appendPrev(b, prev)
}
