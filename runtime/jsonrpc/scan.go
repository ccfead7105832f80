package jsonrpc

import (
	"bytes"
	"hash/maphash"
)

// Scanner reads messages. It keeps scratch memory from one to the next, so
// that an ordinary message allocates nothing, and serves one goroutine at a
// time.
type Scanner struct {
	opt  Options
	seed maphash.Seed

	b     []byte
	i     int
	depth int
	m     *Message
	err   *Error
	loose bool // inside a result or error whose surrogates may be alone

	// The string read last: its contents without quotes.
	start, end     int
	escaped, ascii bool

	jsonrpc, method     Range // members of the envelope that only finish needs
	code, said, problem Range // error.code, error.message, a member of the wrong type

	keys  []key   // of the objects that are open, innermost last
	canon []byte  // the keys that do not read as they are written
	index []int32 // hash tables of the open objects that have many keys
	tmp   []byte
}

// NewScanner returns a Scanner with the limits of opt.
func NewScanner(opt Options) *Scanner {
	return &Scanner{opt: opt.withDefaults(), seed: maphash.MakeSeed()}
}

// Scan reads b, which must be exactly one message, into m. It returns nil or
// an *Error; m means nothing after an error. A batch is refused with Batch.
func (s *Scanner) Scan(b []byte, m *Message) error {
	switch {
	case !s.open(b):
	case s.at('['):
		s.fail(Batch, s.i)
	default:
		s.message(m, false)
	}
	return s.close()
}

// ScanBatch reads b, which is one message or, as only protocol version
// 2025-03-26 has it, an array of them, and appends to dst[:0]. The places of
// all messages count from the beginning of b.
func (s *Scanner) ScanBatch(b []byte, dst []Message) ([]Message, error) {
	dst = dst[:0]
	switch {
	case !s.open(b):
	case s.at('['):
		dst = s.batch(dst)
	default:
		dst = append(dst, Message{})
		s.message(&dst[0], false)
	}
	if err := s.close(); err != nil {
		return dst[:0], err
	}
	return dst, nil
}

// open begins with the bytes of a frame.
func (s *Scanner) open(b []byte) bool {
	s.b, s.i, s.depth, s.err, s.loose = b, 0, 0, nil, false
	s.keys, s.canon, s.index = s.keys[:0], s.canon[:0], s.index[:0]
	if len(b) > s.opt.MaxBytes {
		return s.fail(TooLong, s.opt.MaxBytes)
	}
	if len(b) >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf {
		return s.fail(BOM, 0)
	}
	return s.space()
}

// close checks that nothing follows, and lets go of the frame and of scratch
// memory that only a hostile one needs.
func (s *Scanner) close() error {
	if s.err == nil && s.space() && s.i != len(s.b) {
		s.fail(Trailing, s.i)
	}
	s.b, s.m = nil, nil
	const most = 1 << 12
	if cap(s.keys) > most || cap(s.canon) > 16*most || cap(s.index) > 4*most || cap(s.tmp) > 16*most {
		s.keys, s.canon, s.index, s.tmp = nil, nil, nil, nil
	}
	if s.err != nil {
		return s.err
	}
	return nil
}

// fail keeps the first error and returns false.
func (s *Scanner) fail(r Reason, offset int) bool {
	if s.err == nil {
		s.err = newError(r, offset, 0)
	}
	return false
}

func (s *Scanner) batch(dst []Message) []Message {
	open := s.i
	s.i++
	if !s.space() {
		return dst
	}
	if s.at(']') {
		s.fail(EmptyBatch, open)
		return dst
	}
	canon := len(s.canon)
	for {
		if len(dst) == s.opt.MaxBatch {
			s.fail(TooManyMessages, s.i)
			return dst
		}
		dst = append(dst, Message{})
		m := &dst[len(dst)-1]
		if !s.message(m, true) {
			return dst
		}
		if (m.Kind == Response) != (dst[0].Kind == Response) {
			s.fail(MixedBatch, m.Span.Start)
			return dst
		}
		if raw := m.ID.In(s.b); raw != nil && raw[0] != 'n' {
			from := len(s.canon)
			s.canon = appendIDKey(s.canon, raw)
			k := key{start: from, end: len(s.canon), at: m.ID.Start, canon: true}
			k.sig = signature(s.canon, from, len(s.canon))
			if !s.unique(k, 0, 0, false, DuplicateID) {
				return dst
			}
		}
		if !s.space() {
			return dst
		}
		switch {
		case s.at(']'):
			s.i++
			s.keys, s.canon, s.index = s.keys[:0], s.canon[:canon], s.index[:0]
			return dst
		case s.at(','):
			s.i++
			if !s.space() {
				return dst
			}
		default:
			s.fail(Syntax, s.i)
			return dst
		}
	}
}

// message reads one message at s.i into m.
func (s *Scanner) message(m *Message, batch bool) bool {
	*m = Message{Bytes: s.b, InBatch: batch}
	s.m = m
	s.jsonrpc, s.method, s.code, s.said, s.problem = Range{}, Range{}, Range{}, Range{}, Range{}
	start := s.i
	if !s.at('{') {
		// What is not even JSON shall be called that.
		if s.value(levelFree) {
			s.fail(NotObject, start)
		}
		return false
	}
	if !s.value(levelEnvelope) {
		return false
	}
	m.Span = Range{start, s.i}
	return s.finish(m)
}

// finish judges the envelope as a whole.
func (s *Scanner) finish(m *Message) bool {
	if string(s.jsonrpc.In(s.b)) != `"2.0"` {
		return s.fail(Version, max(s.jsonrpc.Start, m.Span.Start))
	}
	if m.Unknown > 0 && s.opt.RefuseUnknown {
		return s.fail(UnknownMember, m.FirstUnknown.Start)
	}
	hasMethod, hasResult, hasError := !s.method.IsZero(), !m.Result.IsZero(), !m.Error.IsZero()
	id := m.ID.In(s.b)
	null := len(id) > 0 && id[0] == 'n'
	if id != nil && !null && !s.goodID(m.ID) {
		return s.fail(BadID, m.ID.Start)
	}
	switch {
	case hasMethod && !hasResult && !hasError:
		if null {
			return s.fail(NullID, m.ID.Start)
		}
		return s.finishCall(m)
	case hasMethod, hasResult == hasError:
		return s.fail(BadKind, m.Span.Start)
	case !m.Params.IsZero():
		return s.fail(BadKind, m.Params.Start)
	case hasResult && id == nil:
		return s.fail(MissingID, m.Span.Start)
	case hasResult && null:
		return s.fail(NullID, m.ID.Start)
	}
	m.Kind = Response
	if hasError && !(s.kind(m.Error) == '{' && s.integer(s.code) && s.kind(s.said) == '"') {
		return s.fail(BadError, m.Error.Start)
	}
	return true
}

// finishCall judges a request or notification.
func (s *Scanner) finishCall(m *Message) bool {
	raw := s.method.In(s.b)
	if len(raw) < 3 || raw[0] != '"' {
		return s.fail(BadMethod, s.method.Start)
	}
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') >= 0 {
		// Only \/ is written by encoders at large (PHP's); any other escape
		// leaves a backslash.
		raw = bytes.ReplaceAll(raw, []byte(`\/`), []byte("/"))
		if bytes.IndexByte(raw, '\\') >= 0 {
			return s.fail(EscapedName, s.method.Start)
		}
	}
	for _, c := range raw {
		if c <= ' ' || c >= 0x7f {
			return s.fail(BadMethod, s.method.Start)
		}
	}
	known, ok := methods[string(raw)]
	if m.Method = known.name; !ok {
		m.Method = string(raw)
	}
	const prefix = "notifications/"
	notification := len(m.Method) > len(prefix) && m.Method[:len(prefix)] == prefix
	m.Kind = Request
	if m.ID.IsZero() {
		m.Kind = Notification
	}
	if notification != (m.Kind == Notification) && (ok || notification) {
		return s.fail(MissingID, max(m.ID.Start, m.Span.Start))
	}
	switch s.kind(m.Params) {
	case '{':
	case 'n', 0:
		if known.needsName || known.needsURI {
			return s.fail(BadParams, max(m.Params.Start, m.Span.Start))
		}
		return true
	default:
		return s.fail(BadParams, m.Params.Start)
	}
	if s.problem != (Range{}) {
		return s.fail(BadParams, s.problem.Start)
	}
	if known.needsName && !s.plain(m.Name) {
		return s.fail(BadParams, max(m.Name.Start, m.Params.Start))
	}
	if (known.needsURI || known.takesURI && !m.URI.IsZero()) && !s.plain(m.URI) {
		return s.fail(BadParams, max(m.URI.Start, m.Params.Start))
	}
	if known.needsName {
		switch s.kind(m.Arguments) {
		case '{', 'n', 0:
		default:
			return s.fail(BadParams, m.Arguments.Start)
		}
	}
	return true
}

// kind is the first byte of a value, 0 when it is not there.
func (s *Scanner) kind(r Range) byte {
	if r.IsZero() {
		return 0
	}
	return s.b[r.Start]
}

// plain reports whether r is a string with something and no control character
// in it.
func (s *Scanner) plain(r Range) bool {
	raw := r.In(s.b)
	if len(raw) < 3 || raw[0] != '"' {
		return false
	}
	for raw = raw[1 : len(raw)-1]; ; {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return true
		}
		c, n := unescape(raw[i:])
		if c < ' ' {
			return false
		}
		raw = raw[i+n:]
	}
}

// integer reports whether r is a number without fraction and exponent that a
// double holds exactly.
func (s *Scanner) integer(r Range) bool {
	raw := r.In(s.b)
	if len(raw) == 0 || raw[0] != '-' && raw[0]-'0' > 9 || string(raw) == "-0" {
		return false
	}
	negative := raw[0] == '-'
	if negative {
		raw = raw[1:]
	}
	if len(raw) > 16 {
		return false
	}
	n := uint64(0)
	for _, c := range raw {
		if c-'0' > 9 {
			return false
		}
		n = n*10 + uint64(c-'0')
	}
	return n < 1<<53
}

func (s *Scanner) goodID(r Range) bool {
	if r.End-r.Start > s.opt.MaxID {
		return false
	}
	if s.b[r.Start] == '"' {
		return r.End-r.Start == 2 || s.plain(r)
	}
	return s.integer(r)
}

func (s *Scanner) at(c byte) bool { return s.i < len(s.b) && s.b[s.i] == c }

// space skips white space.
func (s *Scanner) space() bool {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t':
		case '\n', '\r':
			if !s.opt.LineBreaks {
				return s.fail(LineBreak, s.i)
			}
		default:
			return true
		}
		s.i++
	}
	return true
}

// value reads the value at s.i, white space already skipped.
func (s *Scanner) value(lv level) bool {
	if s.i >= len(s.b) {
		return s.fail(Syntax, s.i)
	}
	switch s.b[s.i] {
	case '{':
		return s.object(lv)
	case '[':
		return s.array(lv)
	case '"':
		return s.str(s.loose)
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.number()
}

func (s *Scanner) literal(word string) bool {
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		return s.fail(Syntax, s.i)
	}
	s.i += len(word)
	return true
}

func (s *Scanner) array(lv level) bool {
	if s.depth++; s.depth > s.opt.MaxDepth {
		return s.fail(TooDeep, s.i)
	}
	s.i++
	if !s.space() {
		return false
	}
	if s.at(']') {
		s.i++
		s.depth--
		return true
	}
	lv = lv.elements()
	for {
		if !s.value(lv) || !s.space() {
			return false
		}
		switch {
		case s.at(','):
			s.i++
			if !s.space() {
				return false
			}
		case s.at(']'):
			s.i++
			s.depth--
			return true
		default:
			return s.fail(Syntax, s.i)
		}
	}
}

func (s *Scanner) object(lv level) bool {
	if s.depth++; s.depth > s.opt.MaxDepth {
		return s.fail(TooDeep, s.i)
	}
	s.i++
	if !s.space() {
		return false
	}
	if s.at('}') {
		s.i++
		s.depth--
		return true
	}
	keys, canon, index := len(s.keys), len(s.canon), len(s.index)
	for {
		if !s.at('"') {
			return s.fail(Syntax, s.i)
		}
		at := s.i
		if !s.str(false) {
			return false
		}
		name := Range{at, s.i}
		if len(s.keys)-keys == s.opt.MaxKeys {
			return s.fail(TooManyKeys, at)
		}
		field, child, ok := s.key(lv, keys, index)
		if !ok || !s.space() {
			return false
		}
		if !s.at(':') {
			return s.fail(Syntax, s.i)
		}
		s.i++
		if !s.space() {
			return false
		}
		start := s.i
		if lv == levelEnvelope && (field == fieldResult || field == fieldError) {
			s.loose = s.opt.LoneSurrogates
		}
		if !s.value(child) {
			return false
		}
		if field != fieldNone {
			s.note(field, name, Range{start, s.i})
		}
		if !s.space() {
			return false
		}
		switch {
		case s.at(','):
			s.i++
			if !s.space() {
				return false
			}
		case s.at('}'):
			s.i++
			s.depth--
			s.keys, s.canon, s.index = s.keys[:keys], s.canon[:canon], s.index[:index]
			return true
		default:
			return s.fail(Syntax, s.i)
		}
	}
}

// note keeps the place of a member that the message tells.
func (s *Scanner) note(f field, name, value Range) {
	m := s.m
	want := byte(0)
	switch f {
	case fieldVersion:
		s.jsonrpc = value
	case fieldID:
		m.ID = value
	case fieldMethod:
		s.method = value
	case fieldParams:
		m.Params = value
	case fieldResult:
		m.Result, s.loose = value, false
	case fieldError:
		m.Error, s.loose = value, false
	case fieldName:
		m.Name = value
	case fieldArguments:
		m.Arguments = value
	case fieldURI:
		m.URI = value
	case fieldMeta:
		m.Meta, want = value, '{'
	case fieldProtocolVersion:
		m.ProtocolVersion, want = value, '"'
	case fieldClientInfo:
		m.ClientInfo, want = value, '{'
	case fieldClientCapabilities:
		m.ClientCapabilities, want = value, '{'
	case fieldCode:
		s.code = value
	case fieldMessage:
		s.said = value
	case fieldUnknown:
		if m.Unknown++; m.Unknown == 1 {
			m.FirstUnknown = name
		}
	}
	if want != 0 && s.b[value.Start] != want && s.problem == (Range{}) {
		s.problem = value
	}
}
