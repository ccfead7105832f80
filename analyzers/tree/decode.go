package tree

import "github.com/sallyport-mcp/sallyport/analyzers"

// decoding builds a decoded string from raw bytes, front to back, together
// with the map that leads back. raw is the offset of the first byte that has
// not been dealt with.
type decoding struct {
	src        *analyzers.Source
	start, raw int
	out        []byte
	marks      analyzers.OffsetMap
}

func decodeFrom(src *analyzers.Source, start int) *decoding {
	return &decoding{src: src, start: start, raw: start}
}

// copy takes the bytes up to end as they are.
func (d *decoding) copy(end int) {
	d.out = append(d.out, d.src.Bytes[d.raw:end]...)
	d.raw = end
}

// replace takes the bytes up to end for one escape that means text.
func (d *decoding) replace(end int, text string) {
	same := text == string(d.src.Bytes[d.raw:end])
	if !same {
		d.mark()
	}
	d.out = append(d.out, text...)
	d.raw = end
	if !same {
		d.mark()
	}
}

// skip takes the bytes up to end for nothing.
func (d *decoding) skip(end int) {
	if end > d.raw {
		d.replace(end, "")
	}
}

func (d *decoding) mark() {
	m := analyzers.Mark{Decoded: len(d.out), Raw: d.raw - d.start}
	if len(d.marks) == 0 && m != (analyzers.Mark{}) {
		d.marks = append(d.marks, analyzers.Mark{})
	}
	if len(d.marks) == 0 || d.marks[len(d.marks)-1] != m {
		d.marks = append(d.marks, m)
	}
}

// text ends the string at the offset end.
func (d *decoding) text(end int) analyzers.Text {
	d.skip(end)
	if d.marks != nil {
		d.mark()
	}
	start, marks := d.start, d.marks
	for len(marks) > 1 && marks[1].Decoded == 0 && len(d.out) > 0 {
		// Indentation in front decodes to nothing: the text begins behind it.
		skip := marks[1].Raw
		start += skip
		marks = marks[1:]
		for i := range marks {
			marks[i].Raw -= skip
		}
	}
	return analyzers.Text{Value: analyzers.Untrusted(d.out), Span: d.src.Span(start, end), Map: marks}
}

// opaque is a text whose inside has no places: At is always the whole span.
// The span is longer than the value, or the map would be the identity.
func opaque(value string, span analyzers.Span) analyzers.Text {
	return analyzers.Text{
		Value: analyzers.Untrusted(value),
		Span:  span,
		Map:   analyzers.OffsetMap{{Decoded: 0, Raw: 0}, {Decoded: len(value), Raw: span.End - span.Start}},
	}
}
