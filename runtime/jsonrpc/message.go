// Package jsonrpc reads the JSON-RPC 2.0 messages of the Model Context
// Protocol from untrusted bytes, one line or one body at a time.
//
// A Scanner accepts a message only if every decoder that may stand behind the
// shim (Go's encoding/json, which folds the case of keys, JavaScript's
// JSON.parse, Python's json, which splits lines at a carriage return, a
// decoder that stops at a NUL) reads the same method, id, name and arguments
// from it. The bytes that were judged can then be forwarded as they are:
// nothing is copied, no number is decoded, and nothing is written again
// unless a message must be changed.
//
// A Framer cuts a byte stream into lines for the stdio transport. Append*,
// Replace and Remove make the bytes of the few messages that change. Elements,
// Members, Find and Texts read inside the values of an accepted message.
package jsonrpc

import (
	"bytes"
)

// Range is a half-open range of bytes of a message that holds one JSON value,
// a string with its quotes. The zero Range means "not there".
type Range struct{ Start, End int }

// IsZero reports whether the value is not there.
func (r Range) IsZero() bool { return r.End == 0 }

// In is the raw bytes of the range, nil when it is not there or does not lie
// in b.
func (r Range) In(b []byte) []byte {
	if r.End == 0 || r.Start < 0 || r.Start > r.End || r.End > len(b) {
		return nil
	}
	return b[r.Start:r.End:r.End]
}

// Kind says what a message is for.
type Kind uint8

const (
	Unknown      Kind = iota // nothing could be read
	Request                  // method and id
	Notification             // method, no id
	Response                 // id, and either result or error
)

func (k Kind) String() string {
	return [...]string{"unknown", "request", "notification", "response"}[min(k, Response)]
}

// Message is an accepted message: places in Bytes, which are the caller's and
// must not change while the Message is used.
type Message struct {
	Bytes   []byte // what was scanned: a whole frame, also for one message of a batch
	Span    Range  // the message within Bytes
	InBatch bool
	Kind    Kind

	// ID is an integer within ±(2^53-1) or a string. It is not there in a
	// notification, and is null or not there in an error answer to a request
	// that could not be read.
	ID Range
	// Method is the decoded method, "" in a response.
	Method string

	Params Range // an object or null
	Result Range // any value
	Error  Range // an object

	// Of params:
	Name      Range // string; always there for tools/call and prompts/get
	Arguments Range // object or null
	URI       Range // string; always there for resources/read, checked for subscribe and unsubscribe
	Meta      Range // object: _meta of params

	// Of params._meta (2026-07-28), with the prefix io.modelcontextprotocol/:
	ProtocolVersion    Range // string
	ClientInfo         Range // object
	ClientCapabilities Range // object

	// Unknown counts the top-level members that JSON-RPC does not define;
	// FirstUnknown is the key of the first.
	Unknown      int
	FirstUnknown Range
}

// Raw is the message's own bytes.
func (m *Message) Raw() []byte { return m.Span.In(m.Bytes) }

// Text decodes the string at r: the bytes of the message themselves when it
// holds no escape, otherwise buf with the decoded text appended to buf[:0].
// It is nil when r is no string.
func (m *Message) Text(r Range, buf []byte) []byte { return text(m.Bytes, r, buf) }

// AppendIDKey appends a form of the id that is equal exactly for equal ids,
// however they are spelled ("é" and "\u00e9"), and different for the string
// "1" and the number 1. Requests and their responses are paired with it. It
// appends nothing when there is no id.
func (m *Message) AppendIDKey(dst []byte) []byte {
	return appendIDKey(dst, m.ID.In(m.Bytes))
}

func appendIDKey(dst, raw []byte) []byte {
	if len(raw) < 2 || raw[0] != '"' {
		return append(dst, raw...)
	}
	return appendDecoded(append(dst, '"'), raw[1:len(raw)-1])
}

// text is Message.Text for any bytes that were accepted.
func text(b []byte, r Range, buf []byte) []byte {
	raw := r.In(b)
	if len(raw) < 2 || raw[0] != '"' {
		return nil
	}
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	return appendDecoded(buf[:0], raw)
}

// Options bound what a Scanner accepts. A zero number means the default; a
// false switch is the strict choice.
type Options struct {
	MaxBytes  int // bytes of a frame: 16 MiB
	MaxDepth  int // nested arrays and objects: 128, never above 900 (CPython refuses about 1,000)
	MaxKeys   int // keys of one object: 10,000
	MaxBatch  int // messages of one batch: 100
	MaxID     int // bytes of an id: 256
	MaxNumber int // bytes of a number: 128

	// RefuseUnknown refuses top-level members that JSON-RPC does not define;
	// otherwise Message.Unknown counts them.
	RefuseUnknown bool
	// LineBreaks allows CR and LF between tokens, as a body of HTTP may have
	// them. In a line they would be frames of their own to some readers:
	// Python's text streams end a line at a lone CR.
	LineBreaks bool
	// CaseInArguments allows keys that differ only in case below the first
	// level of params.arguments, where a tool may take free maps. On the first
	// level Go's decoder would let one overwrite the other.
	CaseInArguments bool
	// LoneSurrogates allows half of a surrogate pair in the strings of a
	// result or error, as JavaScript writes them when it cuts a text inside an
	// emoji. Decoders read different replacements there.
	LoneSurrogates bool
}

func (o Options) withDefaults() Options {
	set := func(n *int, usual, most int) {
		if *n <= 0 {
			*n = usual
		}
		*n = min(*n, most)
	}
	set(&o.MaxBytes, 16<<20, 1<<30)
	set(&o.MaxDepth, 128, 900)
	set(&o.MaxKeys, 10_000, 1<<30)
	set(&o.MaxBatch, 100, 1<<30)
	set(&o.MaxID, 256, 1<<30)
	set(&o.MaxNumber, 128, 4096)
	return o
}

// method is what the scanner knows of a method of the protocol.
type method struct {
	name      string
	needsName bool
	needsURI  bool
	takesURI  bool // 2026-07-28 has the method no more, whatever its params: the server is to say so
}

// methods are those of every version from 2024-11-05 to 2026-07-28. They have
// a string of their own, so that reading one allocates nothing.
var methods = func() map[string]method {
	all := map[string]method{}
	for _, name := range []string{
		"initialize", "ping", "completion/complete", "logging/setLevel",
		"prompts/get", "prompts/list",
		"resources/list", "resources/read", "resources/subscribe", "resources/templates/list", "resources/unsubscribe",
		"tools/call", "tools/list",
		"elicitation/create", "roots/list", "sampling/createMessage",
		"server/discover", "subscriptions/listen",
		"tasks/cancel", "tasks/get", "tasks/list", "tasks/result", "tasks/update",
		"notifications/cancelled", "notifications/initialized", "notifications/message", "notifications/progress",
		"notifications/elicitation/complete", "notifications/prompts/list_changed",
		"notifications/resources/list_changed", "notifications/resources/updated",
		"notifications/roots/list_changed", "notifications/subscriptions/acknowledged",
		"notifications/tasks/status", "notifications/tools/list_changed",
	} {
		all[name] = method{
			name:      name,
			needsName: name == "tools/call" || name == "prompts/get",
			needsURI:  name == "resources/read",
			takesURI:  name == "resources/subscribe" || name == "resources/unsubscribe",
		}
	}
	return all
}()
