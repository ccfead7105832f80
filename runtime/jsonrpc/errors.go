package jsonrpc

import "fmt"

// Error codes of JSON-RPC 2.0, section 5.1.
const (
	CodeParseError     = -32700
	CodeInvalidRequest = -32600
	CodeMethodNotFound = -32601
	CodeInvalidParams  = -32602
	CodeInternalError  = -32603
)

// Reason is why bytes were refused.
type Reason uint8

const (
	_ Reason = iota
	// Not JSON (RFC 8259), or not one value.
	Syntax
	BOM
	UTF8
	Trailing
	// Within JSON, but read differently by different readers.
	LineBreak
	Surrogate
	NUL
	Duplicate
	Variant
	EscapedName
	Prototype
	HugeNumber
	// Above a limit of Options.
	TooLong
	TooDeep
	TooManyKeys
	TooManyMessages
	LongNumber
	// Not a message of JSON-RPC 2.0.
	NotObject
	Batch
	EmptyBatch
	MixedBatch
	Version
	BadID
	NullID
	DuplicateID
	BadMethod
	BadKind
	MissingID
	BadError
	UnknownMember
	// Params that do not fit the method or the protocol.
	BadParams
	// Of a Framer: a line without its end.
	Partial
	reasons
)

// explained holds, for each Reason, the code to answer with, its name in
// records, and what is wrong in words for the person who reads the answer.
var explained = [reasons]struct {
	code       int
	name, text string
}{
	Syntax:          {CodeParseError, "syntax", "not valid JSON (RFC 8259)"},
	BOM:             {CodeParseError, "bom", "a byte order mark precedes the message; write UTF-8 without one"},
	UTF8:            {CodeParseError, "utf8", "not valid UTF-8"},
	Trailing:        {CodeParseError, "trailing", "something follows the message; write one message a line"},
	LineBreak:       {CodeInvalidRequest, "line-break", "a line break inside the message, which some readers take for the end of a message; write it on one line"},
	Surrogate:       {CodeInvalidRequest, "surrogate", "half of a surrogate pair, which decoders read differently"},
	NUL:             {CodeInvalidRequest, "nul", "a key holds U+0000, where some decoders stop reading"},
	Duplicate:       {CodeInvalidRequest, "duplicate", "an object has a key twice (Go's decoder ignores case); decoders disagree on which one counts"},
	Variant:         {CodeInvalidRequest, "variant", "a key differs from a member of the protocol only in case, hyphens or underscores; some decoders take it for that member"},
	EscapedName:     {CodeInvalidRequest, "escaped-name", "a name of the protocol is written with escapes"},
	Prototype:       {CodeInvalidRequest, "prototype", "the key __proto__ changes objects in JavaScript"},
	HugeNumber:      {CodeInvalidRequest, "huge-number", "a number is beyond the range of a double; decoders read infinity or fail"},
	TooLong:         {CodeInvalidRequest, "too-long", "the message is longer than the limit"},
	TooDeep:         {CodeInvalidRequest, "too-deep", "the message is nested deeper than the limit"},
	TooManyKeys:     {CodeInvalidRequest, "too-many-keys", "an object has more keys than the limit"},
	TooManyMessages: {CodeInvalidRequest, "too-many-messages", "the batch has more messages than the limit"},
	LongNumber:      {CodeInvalidRequest, "long-number", "a number has more digits than the limit"},
	NotObject:       {CodeInvalidRequest, "not-object", "a message must be an object"},
	Batch:           {CodeInvalidRequest, "batch", "a batch, which only protocol version 2025-03-26 has; send the messages one by one"},
	EmptyBatch:      {CodeInvalidRequest, "empty-batch", "the batch is empty"},
	MixedBatch:      {CodeInvalidRequest, "mixed-batch", "a batch holds either requests and notifications, or responses"},
	Version:         {CodeInvalidRequest, "version", `the member "jsonrpc" must be "2.0"`},
	BadID:           {CodeInvalidRequest, "bad-id", "an id must be a string without control characters, or an integer within ±9007199254740991"},
	NullID:          {CodeInvalidRequest, "null-id", "the id of a request must not be null; leave it out for a notification"},
	DuplicateID:     {CodeInvalidRequest, "duplicate-id", "two messages of the batch have the same id"},
	BadMethod:       {CodeInvalidRequest, "bad-method", "the method must be a string of printable ASCII characters"},
	BadKind:         {CodeInvalidRequest, "bad-kind", "a message has either a method, or a result, or an error; only one with a method has params"},
	MissingID:       {CodeInvalidRequest, "id-mismatch", "an id where none belongs, or none where one does: a request has one, a notification has not"},
	BadError:        {CodeInvalidRequest, "bad-error", `the member "error" must be an object with an integer "code" and a string "message"`},
	UnknownMember:   {CodeInvalidRequest, "unknown-member", "a member that JSON-RPC does not define"},
	BadParams:       {CodeInvalidParams, "bad-params", "params must be an object in which name and uri are strings, arguments and _meta are objects"},
	Partial:         {CodeParseError, "partial", "the stream ended inside a message"},
}

// String is the name of the reason in records and tests.
func (r Reason) String() string {
	if r == 0 || r >= reasons {
		return "unknown"
	}
	return explained[r].name
}

// Explain says in words what is wrong.
func (r Reason) Explain() string { return explained[min(r, reasons-1)].text }

// Error says why bytes were refused, and where. It quotes nothing of them.
type Error struct {
	Reason Reason
	Offset int // of the byte at fault, from the beginning of the frame
	First  int // for Duplicate and DuplicateID: where the first one stands
	Code   int // the JSON-RPC error code to answer with
}

func (e *Error) Error() string {
	if e.Reason == Duplicate || e.Reason == DuplicateID {
		return fmt.Sprintf("jsonrpc: byte %d: %s (the first is at byte %d)", e.Offset, e.Reason.Explain(), e.First)
	}
	return fmt.Sprintf("jsonrpc: byte %d: %s", e.Offset, e.Reason.Explain())
}

func newError(r Reason, offset, first int) *Error {
	return &Error{Reason: r, Offset: offset, First: first, Code: explained[r].code}
}
