package jsonrpc

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"unicode"
	"unicode/utf8"
)

// level is what is known of an object from its place in the message: which
// members the protocol defines there, and whether two keys that differ only in
// case may stand side by side.
type level uint8

const (
	levelFree      level = iota // anything: keys are told apart as written
	levelDeep                   // within arguments, below their first level
	levelArguments              // arguments, and other members of params
	levelEnvelope               // the message itself
	levelParams
	levelMeta // _meta of params
	levelError
	levelResult
	levelItem   // an element of tools, prompts, resources, content, messages...
	levelInputs // result.inputRequests (2026-07-28): a map of requests
	levelInput  // one of them
	levels
)

// elements is the level of an array's elements.
func (lv level) elements() level {
	switch lv {
	case levelItem, levelArguments, levelDeep:
		return lv
	}
	return levelFree
}

// field is a member whose place a Message tells.
type field uint8

const (
	fieldNone field = iota
	fieldVersion
	fieldID
	fieldMethod
	fieldParams
	fieldResult
	fieldError
	fieldName
	fieldArguments
	fieldURI
	fieldMeta
	fieldProtocolVersion
	fieldClientInfo
	fieldClientCapabilities
	fieldCode
	fieldMessage
	fieldUnknown
)

const metaPrefix = "io.modelcontextprotocol/"

// member looks up a key as it is written. It returns ok when the protocol
// defines it there, the field if a Message tells it, and the level of its
// value.
func member(lv level, k []byte) (f field, child level, ok bool) {
	switch lv {
	case levelEnvelope:
		switch string(k) {
		case "jsonrpc":
			return fieldVersion, levelFree, true
		case "id":
			return fieldID, levelFree, true
		case "method":
			return fieldMethod, levelFree, true
		case "params":
			return fieldParams, levelParams, true
		case "result":
			return fieldResult, levelResult, true
		case "error":
			return fieldError, levelError, true
		}
		return fieldUnknown, levelFree, false
	case levelParams:
		switch string(k) {
		case "name":
			return fieldName, levelArguments, true
		case "arguments":
			return fieldArguments, levelArguments, true
		case "uri":
			return fieldURI, levelArguments, true
		case "_meta":
			return fieldMeta, levelMeta, true
		}
		return fieldNone, levelArguments, defined[lv][string(k)]
	case levelMeta:
		switch string(k) {
		case metaPrefix + "protocolVersion":
			return fieldProtocolVersion, levelArguments, true
		case metaPrefix + "clientInfo":
			return fieldClientInfo, levelArguments, true
		case metaPrefix + "clientCapabilities":
			return fieldClientCapabilities, levelArguments, true
		}
		return fieldNone, levelArguments, defined[lv][string(k)]
	case levelError:
		switch string(k) {
		case "code":
			return fieldCode, levelFree, true
		case "message":
			return fieldMessage, levelFree, true
		case "data":
			return fieldNone, levelFree, true
		}
		return fieldNone, levelFree, false
	case levelResult:
		switch string(k) {
		case "tools", "prompts", "resources", "resourceTemplates", "content", "contents", "messages", "roots":
			return fieldNone, levelItem, true
		case "inputRequests":
			return fieldNone, levelInputs, true
		}
		return fieldNone, levelFree, defined[lv][string(k)]
	case levelItem:
		switch string(k) {
		case "name", "title", "description", "type", "text", "uri", "mimeType":
			return fieldNone, levelFree, true
		case "content", "resource":
			return fieldNone, levelItem, true
		}
		return fieldNone, levelFree, defined[lv][string(k)]
	case levelInput:
		switch string(k) {
		case "method":
			return fieldNone, levelFree, true
		case "params":
			return fieldNone, levelArguments, true
		}
		return fieldNone, levelFree, false
	case levelInputs:
		return fieldNone, levelInput, true
	case levelArguments:
		return fieldNone, levelDeep, true
	}
	return fieldNone, lv, true
}

// words are the members that the protocol defines at a level. "meta" is one in
// results, so that it is not taken for a misspelt _meta: servers send it, and
// nothing is dispatched on it.
var words = [levels][]string{
	levelEnvelope: {"jsonrpc", "id", "method", "params", "result", "error"},
	levelParams: {"name", "arguments", "uri", "_meta", "cursor", "protocolVersion", "clientInfo", "capabilities",
		"ref", "argument", "context", "level", "logger", "data", "requestId", "reason", "progressToken", "progress",
		"total", "message", "task", "taskId", "inputResponses", "requestState", "messages", "systemPrompt", "tools",
		"toolChoice", "modelPreferences", "maxTokens", "requestedSchema", "mode", "url", "elicitationId"},
	levelMeta: {"progressToken", metaPrefix + "protocolVersion", metaPrefix + "clientInfo",
		metaPrefix + "clientCapabilities", metaPrefix + "logLevel", metaPrefix + "serverInfo",
		metaPrefix + "subscriptionId"},
	levelError: {"code", "message", "data"},
	levelResult: {"tools", "prompts", "resources", "resourceTemplates", "content", "contents", "messages", "roots",
		"inputRequests", "requestState", "resultType", "structuredContent", "isError", "nextCursor", "instructions",
		"serverInfo", "protocolVersion", "supportedVersions", "capabilities", "description", "completion", "task",
		"_meta", "meta"},
	levelItem: {"name", "title", "description", "inputSchema", "outputSchema", "annotations", "icons", "execution",
		"arguments", "uri", "uriTemplate", "mimeType", "type", "text", "data", "blob", "resource", "size", "role",
		"content", "_meta", "meta"},
	levelInput: {"method", "params"},
}

// defined holds the words as they are written.
var defined = func() (all [levels]map[string]bool) {
	for lv, list := range words {
		all[lv] = map[string]bool{}
		for _, word := range list {
			all[lv][word] = true
		}
	}
	return all
}()

// variants holds the words with everything folded that some decoder ignores:
// case (encoding/json), hyphens and underscores (encoding/json/v2 when asked
// to, pydantic's aliases).
var variants = func() (all [levels]map[string]bool) {
	for lv, list := range words {
		if len(list) > 0 {
			all[lv] = map[string]bool{}
		}
		for _, word := range list {
			all[lv][string(appendLoose(nil, []byte(word)))] = true
		}
	}
	return all
}()

// folds reports whether keys of an object at this level are compared without
// case.
func (s *Scanner) folds(lv level) bool {
	switch lv {
	case levelFree, levelInputs:
		return false
	case levelDeep:
		return !s.opt.CaseInArguments
	}
	return true
}

// key judges the key that was read last, in an object at level lv whose keys
// begin at s.keys[base] and whose hash table begins at s.index[index].
func (s *Scanner) key(lv level, base, index int) (field, level, bool) {
	raw := s.b[s.start:s.end]
	at := s.start - 1
	f, child, known := member(lv, raw)
	if s.escaped {
		s.tmp = appendDecoded(s.tmp[:0], raw)
		if bytes.IndexByte(s.tmp, 0) >= 0 {
			return 0, 0, s.fail(NUL, at)
		}
		if string(s.tmp) == "__proto__" {
			return 0, 0, s.fail(Prototype, at)
		}
	} else if len(raw) == len("__proto__") && string(raw) == "__proto__" {
		return 0, 0, s.fail(Prototype, at)
	}
	if !known && variants[lv] != nil {
		s.tmp = appendLoose(s.tmp[:0], raw)
		if variants[lv][string(s.tmp)] {
			if s.escaped && defined[lv][string(appendDecoded(nil, raw))] {
				return 0, 0, s.fail(EscapedName, at)
			}
			return 0, 0, s.fail(Variant, at)
		}
	}
	fold := s.folds(lv)
	k := key{start: s.start, end: s.end, at: at}
	if s.escaped || fold && !s.ascii {
		k.canon, k.start = true, len(s.canon)
		s.canon = appendKey(s.canon, raw, fold)
		k.end = len(s.canon)
		k.sig = signature(s.canon, k.start, k.end)
	} else {
		k.sig = signature(s.b, k.start, k.end)
	}
	if fold {
		k.sig &^= caseBits
	}
	return f, child, s.unique(k, base, index, fold, Duplicate)
}

// key is a key of an open object. Two that are equal have the same signature:
// their first eight bytes, for keys without case those that are left of them.
type key struct {
	sig        uint64
	start, end int  // the contents, in the message or in Scanner.canon
	at         int  // where it stands in the message
	canon      bool // in Scanner.canon
}

const caseBits = ones * 0x20

// signature is the first eight bytes of b[start:end], fewer filled with zeros.
func signature(b []byte, start, end int) uint64 {
	if start+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[start:])
		if n := end - start; n < 8 {
			x &= 1<<(8*n) - 1
		}
		return x
	}
	x := uint64(0)
	for i, c := range b[start:min(end, start+8)] {
		x |= uint64(c) << (8 * i)
	}
	return x
}

func (s *Scanner) contents(k key) []byte {
	if k.canon {
		return s.canon[k.start:k.end]
	}
	return s.b[k.start:k.end]
}

// few is how many keys are compared one by one before a hash table is built.
const few = 16

// unique adds k to the keys of its object, or fails with reason when it is
// there.
func (s *Scanner) unique(k key, base, index int, fold bool, reason Reason) bool {
	n := len(s.keys) - base
	if n < few {
		for i := base; i < len(s.keys); i++ {
			if s.keys[i].sig == k.sig && s.same(s.keys[i], k, fold) {
				return s.twice(reason, k, s.keys[i])
			}
		}
		s.keys = append(s.keys, k)
		return true
	}
	if table := s.index[index:]; 2*(n+1) > len(table) {
		size := max(4*few, 2*len(table))
		s.index = slices.Grow(s.index[:index], size)[:index+size]
		clear(s.index[index:])
		for i := base; i < len(s.keys); i++ {
			s.insert(s.keys[i], i-base, base, index, fold)
		}
	}
	if first := s.insert(k, n, base, index, fold); first >= 0 {
		return s.twice(reason, k, s.keys[base+first])
	}
	s.keys = append(s.keys, k)
	return true
}

func (s *Scanner) twice(reason Reason, k, first key) bool {
	if s.err == nil {
		s.err = newError(reason, k.at, first.at)
	}
	return false
}

// insert puts the n-th key of an object into its hash table, and returns the
// number of the equal key that is there already, or -1. The table is open
// addressing; 0 is free, others are a key's number plus one.
func (s *Scanner) insert(k key, n, base, index int, fold bool) int {
	b := s.contents(k)
	if fold && !k.canon {
		s.tmp = append(s.tmp[:0], b...)
		for i, c := range s.tmp {
			if 'a' <= c && c <= 'z' {
				s.tmp[i] = c - 0x20
			}
		}
		b = s.tmp
	}
	table := s.index[index:]
	for h := maphash.Bytes(s.seed, b); ; h++ {
		slot := &table[h&uint64(len(table)-1)]
		if *slot == 0 {
			*slot = int32(n) + 1
			return -1
		}
		if other := int(*slot) - 1; s.same(s.keys[base+other], k, fold) {
			return other
		}
	}
}

// same compares two keys of one object. Those in canon are decoded and, with
// fold, folded already; the others are ASCII wherever case matters.
func (s *Scanner) same(a, b key, fold bool) bool {
	x, y := s.contents(a), s.contents(b)
	if len(x) != len(y) {
		return false
	}
	if !fold {
		return bytes.Equal(x, y)
	}
	for i, c := range x {
		d := y[i]
		if c == d {
			continue
		}
		if c |= 0x20; c != d|0x20 || c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// unescape decodes the escape that b begins with, which str has accepted. A
// surrogate alone is U+FFFD.
func unescape(b []byte) (rune, int) {
	if len(b) < 2 {
		return utf8.RuneError, len(b)
	}
	switch c := b[1]; c {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return rune(c), 2
	}
	high := hex4(b[2:])
	if high < 0 {
		return utf8.RuneError, 2
	}
	if high >= 0xd800 && high < 0xe000 {
		if high < 0xdc00 && len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
			if low := hex4(b[8:]); low >= 0xdc00 && low < 0xe000 {
				return (high-0xd800)<<10 + low - 0xdc00 + 0x10000, 12
			}
		}
		high = utf8.RuneError
	}
	return high, 6
}

// appendDecoded appends the text that the contents of a string mean.
func appendDecoded(dst, raw []byte) []byte {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...)
		}
		r, n := unescape(raw[i:])
		dst = utf8.AppendRune(append(dst, raw[:i]...), r)
		raw = raw[i+n:]
	}
}

// appendKey appends a key decoded and, with fold, each rune as the least of
// those it equals without case, as encoding/json compares keys.
func appendKey(dst, raw []byte, fold bool) []byte {
	if !fold {
		return appendDecoded(dst, raw)
	}
	for len(raw) > 0 {
		r, n := rune(raw[0]), 1
		switch {
		case r == '\\':
			r, n = unescape(raw)
		case r >= utf8.RuneSelf:
			r, n = utf8.DecodeRune(raw)
		}
		dst = utf8.AppendRune(dst, foldRune(r))
		raw = raw[n:]
	}
	return dst
}

// appendLoose is appendKey with everything else left out or folded that some
// decoder ignores in the name of a member.
func appendLoose(dst, raw []byte) []byte {
	for len(raw) > 0 {
		r, n := rune(raw[0]), 1
		switch {
		case r == '\\':
			r, n = unescape(raw)
		case r >= utf8.RuneSelf:
			r, n = utf8.DecodeRune(raw)
		}
		raw = raw[n:]
		switch r {
		case '_', '-':
			continue
		case 'ı', 'İ': // the letter i to decoders that change case by locale
			r = 'I'
		}
		dst = utf8.AppendRune(dst, foldRune(r))
	}
	return dst
}

func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'a' <= r && r <= 'z' {
			return r - 0x20
		}
		return r
	}
	for {
		next := unicode.SimpleFold(r)
		if next <= r {
			return next
		}
		r = next
	}
}
