package runtime

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// plain is a schema of which the everyday keywords alone are used. It accepts
// most arguments as they stand in the frame, without decoding them; what it does
// not accept, the library decides on, which also says why. A fuzz test holds it
// to never accept what the library refuses.
type plain struct {
	kinds    kindSet // 0: any
	members  map[string]property
	required uint64 // bits of members
	closed   bool   // no other members
	enum     []string
	items    *plain
	min, max *int64
	shortest int
	longest  int // -1: no limit
}

type property struct {
	schema *plain
	bit    uint64 // of those that are required
}

// kindSet is a set of JSON's types.
type kindSet uint8

const (
	isObject kindSet = 1 << iota
	isArray
	isString
	isInteger
	isNumber
	isBoolean
	isNull
)

var kindNames = map[string]kindSet{
	"object": isObject, "array": isArray, "string": isString, "integer": isInteger, "number": isNumber | isInteger, "boolean": isBoolean, "null": isNull,
}

// newPlain is nil for a schema that says more. Its root is decoded with
// json.Number.
func newPlain(v any) *plain {
	object, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	p := &plain{longest: -1}
	for keyword, value := range object {
		if !p.take(keyword, value) {
			return nil
		}
	}
	names, _ := object["required"].([]any)
	for i, v := range names {
		name, _ := v.(string)
		m, ok := p.members[name]
		if !ok || i > 63 {
			return nil
		}
		m.bit = 1 << i
		p.members[name], p.required = m, p.required|m.bit
	}
	return p
}

// take reads one keyword, and is false for one that is not known here.
func (p *plain) take(keyword string, value any) (ok bool) {
	switch keyword {
	case "title", "description", "default", "examples", "$comment", "deprecated", "readOnly", "writeOnly", "format":
		return true // annotations in 2020-12
	case "$schema":
		return value == "https://json-schema.org/draft/2020-12/schema"
	case "required":
		_, ok = value.([]any)
		return ok
	case "additionalProperties":
		allowed, ok := value.(bool)
		p.closed = !allowed
		return ok
	case "type":
		names, several := value.([]any)
		if !several {
			names = []any{value}
		}
		for _, v := range names {
			name, _ := v.(string)
			kind := kindNames[name]
			if p.kinds |= kind; kind == 0 {
				return false
			}
		}
		return len(names) > 0
	case "properties":
		object, ok := value.(map[string]any)
		p.members = map[string]property{}
		for name, v := range object {
			schema := newPlain(v)
			if schema == nil {
				return false
			}
			p.members[name] = property{schema: schema}
		}
		return ok
	case "items":
		p.items = newPlain(value)
		return p.items != nil
	case "enum":
		list, ok := value.([]any)
		p.enum = []string{}
		for _, v := range list {
			s, isText := v.(string)
			if !isText {
				return false
			}
			p.enum = append(p.enum, s)
		}
		return ok
	case "minimum":
		p.min, ok = whole(value)
	case "maximum":
		p.max, ok = whole(value)
	case "minLength":
		p.shortest, ok = count(value)
	case "maxLength":
		p.longest, ok = count(value)
	}
	return ok
}

// whole is a number that is written as an integer.
func whole(v any) (*int64, bool) {
	literal, ok := v.(json.Number)
	n, err := strconv.ParseInt(string(literal), 10, 53)
	return &n, ok && err == nil
}

func count(v any) (int, bool) {
	n, ok := whole(v)
	return int(*n), ok && *n >= 0
}

// accepts reports that the value at r fulfils the schema. False says nothing.
func (p *plain) accepts(b []byte, r jsonrpc.Range) bool {
	raw := r.In(b)
	if len(raw) == 0 {
		return false
	}
	kind := isInteger
	switch raw[0] {
	case '{':
		kind = isObject
	case '[':
		kind = isArray
	case '"':
		kind = isString
	case 't', 'f':
		kind = isBoolean
	case 'n':
		kind = isNull
	default:
		if len(raw) > 15 || bytes.ContainsAny(raw, ".eE") {
			return false
		}
	}
	if p.kinds != 0 && p.kinds&kind == 0 || p.enum != nil && kind != isString {
		return false
	}
	switch kind {
	case isObject:
		return p.object(b, r)
	case isArray:
		if p.items != nil {
			for _, element := range jsonrpc.Elements(b, r) {
				if !p.items.accepts(b, element) {
					return false
				}
			}
		}
	case isString:
		text := raw[1 : len(raw)-1]
		if p.enum == nil && p.shortest == 0 && p.longest < 0 {
			return true
		}
		if bytes.IndexByte(text, '\\') >= 0 {
			return false
		}
		if p.enum != nil && !slices.ContainsFunc(p.enum, func(s string) bool { return s == string(text) }) {
			return false
		}
		n := utf8.RuneCount(text)
		return n >= p.shortest && (p.longest < 0 || n <= p.longest)
	case isInteger:
		if p.min != nil || p.max != nil {
			n, err := strconv.ParseInt(string(raw), 10, 64)
			return err == nil && (p.min == nil || n >= *p.min) && (p.max == nil || n <= *p.max)
		}
	}
	return true
}

func (p *plain) object(b []byte, r jsonrpc.Range) bool {
	if p.members == nil && !p.closed {
		return true
	}
	missing := p.required
	for key, value := range jsonrpc.Members(b, r) {
		raw := key.In(b)
		name := raw[1 : len(raw)-1]
		m, declared := p.members[string(name)]
		switch {
		case declared:
			if !m.schema.accepts(b, value) {
				return false
			}
			missing &^= m.bit
		case p.closed, bytes.IndexByte(name, '\\') >= 0:
			return false
		}
	}
	return missing == 0
}
