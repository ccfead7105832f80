package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Digests are those of one definition: of the whole, and of its parts, which do
// not overlap. All are SHA-256 in lower-case hex; a part that a definition does
// not have has a digest, too. What no part covers (the name, _meta, icons,
// unknown members) is covered by the whole.
type Digests struct {
	// Whole covers every byte of the canonical definition.
	Whole string `json:"whole"`
	// Text covers what is written for readers: the strings under "title" and
	// "description" of the definition, of its annotations and of its arguments,
	// and under "title", "description" and "$comment" of each of its schemas;
	// of a resource or template the display name, too.
	Text string `json:"text"`
	// Schema covers inputSchema, outputSchema and arguments without that text.
	Schema string `json:"schema"`
	// Annotations covers the annotations without that text.
	Annotations string `json:"annotations"`
}

// ItemDigests returns the digests of a definition. It fails where ItemDigest
// does.
func ItemDigests(item *analyzers.Item) (Digests, error) {
	return (&digester{}).item(item)
}

// digester takes the digests of one definition after another in the same
// memory.
type digester struct {
	writer
	splitter
}

func (d *digester) item(item *analyzers.Item) (Digests, error) {
	whole, err := d.writer.item(item)
	if err != nil {
		return Digests{}, err
	}
	return d.splitter.digests(item.Kind, whole), nil
}

func digestsOf(kind string, whole []byte) Digests {
	return (&splitter{}).digests(kind, whole)
}

func (s *splitter) digests(kind string, whole []byte) Digests {
	s.in, s.at, s.path, s.annotations = whole, 0, s.path[:0], s.annotations[:0]
	s.text, s.schema = slices.Grow(s.text[:0], len(whole)), slices.Grow(s.schema[:0], len(whole))
	s.definition(kind)
	return Digests{sum(kind, whole), sum(kind+"/text", s.text), sum(kind+"/schema", s.schema), sum(kind+"/annotations", s.annotations)}
}

// splitter takes a canonical definition apart. A text is written as the keys
// that lead to it, a colon and the string; the rest keeps its JSON.
type splitter struct {
	in                        []byte
	at                        int
	path                      []byte
	text, schema, annotations []byte
}

// shape is what stands at a place of a definition.
type shape int

const (
	data       shape = iota // opaque: belongs to its part as it is
	schema                  // a JSON Schema
	schemas                 // an object of schemas by name
	schemaList              // an array of schemas, or one
	notes                   // annotations
	arguments               // a prompt's arguments
	argument
)

// below says what a member of a place is; written reports that a string there
// is text.
func (s shape) below(key string) (next shape, written bool) {
	switch s {
	case schema:
		switch key {
		case "title", "description", "$comment":
			return data, true
		}
		return keywords[key], false
	case schemas:
		return schema, false
	case notes, argument:
		return data, key == "title" || key == "description"
	}
	return data, false
}

// keywords are the keywords of JSON Schema (2020-12 and draft 7) with schemas
// below them.
var keywords = map[string]shape{
	"properties": schemas, "patternProperties": schemas, "$defs": schemas, "definitions": schemas, "dependentSchemas": schemas,
	"items": schemaList, "prefixItems": schemaList, "allOf": schemaList, "anyOf": schemaList, "oneOf": schemaList,
	"additionalProperties": schema, "additionalItems": schema, "unevaluatedProperties": schema, "unevaluatedItems": schema,
	"propertyNames": schema, "contains": schema, "contentSchema": schema, "not": schema, "if": schema, "then": schema, "else": schema,
}

func (s *splitter) definition(kind string) {
	s.members(func(key []byte) {
		start := s.at
		switch name := string(key[1 : len(key)-1]); name {
		case "title", "description":
			s.string(key, &s.text)
		case "name":
			if kind == "resource" || kind == "template" {
				s.string(key, &s.text)
			}
		case "inputSchema", "outputSchema":
			s.part(key, schema, &s.schema)
		case "arguments":
			s.part(key, arguments, &s.schema)
		case "annotations":
			s.part(key, notes, &s.annotations)
		}
		if s.at == start {
			s.skip()
		}
	})
}

// part writes a member of the definition to its part.
func (s *splitter) part(key []byte, shape shape, into *[]byte) {
	*into = append(append(*into, key...), ':')
	s.path = append(s.path[:0], key...)
	s.value(shape, into)
	*into = append(*into, '\n')
	s.path = s.path[:0]
}

// string notes a text and reports whether there was a string.
func (s *splitter) string(key []byte, into *[]byte) bool {
	if s.in[s.at] != '"' {
		return false
	}
	start := s.at
	s.skip()
	*into = append(append(append(*into, s.path...), key...), ':')
	*into = append(append(*into, s.in[start:s.at]...), '\n')
	return true
}

func (s *splitter) value(shape shape, into *[]byte) {
	switch c := s.in[s.at]; {
	case c == '{' && shape != data:
		if shape == schemaList {
			shape = schema
		}
		*into = append(*into, '{')
		depth, first := len(s.path), true
		s.members(func(key []byte) {
			next, written := shape.below(string(key[1 : len(key)-1]))
			if written && s.string(key, &s.text) {
				return
			}
			if !first {
				*into = append(*into, ',')
			}
			first = false
			*into = append(append(*into, key...), ':')
			s.path = append(s.path[:depth], key...)
			s.value(next, into)
			s.path = s.path[:depth]
		})
		*into = append(*into, '}')
	case c == '[' && (shape == schemaList || shape == arguments):
		next := schema
		if shape == arguments {
			next = argument
		}
		*into = append(*into, '[')
		depth := len(s.path)
		s.at++
		for n := 0; s.in[s.at] != ']'; n++ {
			if n > 0 {
				s.at++
				*into = append(*into, ',')
			}
			s.path = append(s.path[:depth], '[')
			s.path = appendInt(s.path, n)
			s.path = append(s.path, ']')
			s.value(next, into)
		}
		s.path = s.path[:depth]
		s.at++
		*into = append(*into, ']')
	default:
		start := s.at
		s.skip()
		*into = append(*into, s.in[start:s.at]...)
	}
}

func appendInt(out []byte, n int) []byte {
	if n >= 10 {
		out = appendInt(out, n/10)
	}
	return append(out, byte('0'+n%10))
}

// members calls visit with each key of the object here, quotes included; visit
// reads the value. Anything but an object is skipped.
func (s *splitter) members(visit func(key []byte)) {
	if s.in[s.at] != '{' {
		s.skip()
		return
	}
	for s.at++; s.in[s.at] != '}'; {
		if s.in[s.at] == ',' {
			s.at++
		}
		start := s.at
		s.skip()
		key := s.in[start:s.at]
		s.at++ // the colon
		visit(key)
	}
	s.at++
}

// skip passes one canonical value.
func (s *splitter) skip() {
	depth := 0
	for {
		switch s.in[s.at] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			for s.at++; s.in[s.at] != '"'; s.at++ {
				if s.in[s.at] == '\\' {
					s.at++
				}
			}
		case ',', ':':
		default:
			for s.at+1 < len(s.in) && strings.IndexByte(",:]}", s.in[s.at+1]) < 0 {
				s.at++
			}
		}
		if s.at++; depth == 0 {
			return
		}
	}
}

// DigestAll returns the digests of many definitions, in their order, on all
// processors. The error is that of the first definition that has none.
func DigestAll(items []*analyzers.Item) ([]Digests, error) {
	out := make([]Digests, len(items))
	errs := make([]error, len(items))
	const few = 64 // definitions that are not worth a goroutine
	workers := min(runtime.GOMAXPROCS(0), (len(items)+few-1)/few)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			var d digester
			for i := w * len(items) / workers; i < (w+1)*len(items)/workers; i++ {
				out[i], errs[i] = d.item(items[i])
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func sum(kind string, content []byte) string {
	var buf [512]byte
	h := sha256.New()
	h.Write(append(append(append(buf[:0], domain...), kind...), 0))
	h.Write(content)
	return hex.EncodeToString(h.Sum(buf[:0]))
}
