package text

import "sort"

// Map leads from byte offsets of a view back to byte offsets of the raw text.
// The nil Map is the identity.
type Map []piece

// piece is a stretch of a view that begins at view and came out of the raw
// bytes from raw up to the raw of the next piece. A whole piece has no inside:
// every part of it came out of all of its raw bytes. Raw bytes that left
// nothing behind are an empty piece. The last piece ends both sides.
type piece struct {
	view, raw int32
	whole     bool
}

// Range is the smallest raw range [from, to) from which the bytes [start, end)
// of the view came: all of an encoded run where they lie inside of one. An
// empty range leads to an empty one. Offsets outside of the view are clamped.
func (m Map) Range(start, end int) (from, to int) {
	from, to, _ = m.find(start, end)
	return from, to
}

// find also tells whether the range was copied byte for byte.
func (m Map) find(start, end int) (from, to int, copied bool) {
	if len(m) == 0 {
		return start, end, true
	}
	size := int(m[len(m)-1].view)
	start = min(max(start, 0), size)
	end = min(max(end, start), size)
	i := m.at(start)
	from = int(m[i].raw)
	if !m[i].whole {
		from += start - int(m[i].view)
	}
	if start == end {
		return from, from, true
	}
	j := m.at(end - 1)
	if m[j].whole {
		return from, int(m[j+1].raw), false
	}
	return from, int(m[j].raw) + end - int(m[j].view), i == j
}

// at is the index of the piece that holds the byte at offset: the last one that
// begins at or before it, for the empty ones come first.
func (m Map) at(offset int) int {
	return max(sort.Search(len(m), func(i int) bool { return int(m[i].view) > offset })-1, 0)
}

// mapped is a text with its way back to the raw text.
type mapped struct {
	text string
	back Map
}

// draft is a mapped text in the making. Raw ranges have to be added in
// ascending order.
type draft struct {
	text  []byte
	back  Map
	end   int  // of the raw bytes that are accounted for
	moved bool // the map is more than the identity
}

// add appends bytes that came out of the raw bytes [from, to). copied says that
// they correspond one to one, and that runes do.
func (d *draft) add(b []byte, from, to int, copied bool) {
	if len(b) == 0 {
		return
	}
	d.mark(len(b), from, to, copied)
	d.text = append(d.text, b...)
}

// addByte is add for one byte.
func (d *draft) addByte(c byte, from, to int, copied bool) {
	d.mark(1, from, to, copied)
	d.text = append(d.text, c)
}

func (d *draft) mark(width, from, to int, copied bool) {
	copied = copied && to-from == width
	last := len(d.back) - 1
	switch {
	case last >= 0 && from < d.end && d.back[last].whole:
		// Of the same encoded run as what stands before.
		d.end = max(d.end, to)
		return
	case from < d.end:
		from, to = d.end, max(d.end, to)
		copied = copied && to-from == width
	case from > d.end:
		d.back = append(d.back, piece{int32(len(d.text)), int32(d.end), true})
		d.moved = true
		last++
	}
	if !copied || last < 0 || d.back[last].whole {
		d.back = append(d.back, piece{int32(len(d.text)), int32(from), !copied})
		d.moved = d.moved || !copied
	}
	d.end = to
}

// copy appends src.text[start:end].
func (d *draft) copy(src mapped, start, end int) {
	if start < end {
		d.copyAs(src.text[start:end], src, start, end)
	}
}

// copyAs appends s, which has taken the place of src.text[start:end] byte for byte.
func (d *draft) copyAs(s string, src mapped, start, end int) {
	if len(src.back) == 0 {
		d.mark(len(s), start, end, true)
		d.text = append(d.text, s...)
		return
	}
	for i := src.back.at(start); start < end; i++ {
		p, next := src.back[i], src.back[i+1]
		stop := min(end, int(next.view))
		if stop <= start {
			continue
		}
		from, to := int(p.raw), int(next.raw)
		if !p.whole {
			from += start - int(p.view)
			to = from + stop - start
		}
		d.mark(stop-start, from, to, !p.whole)
		d.text = append(d.text, s[:stop-start]...)
		s, start = s[stop-start:], stop
	}
}

// done closes the draft of a text whose raw text has size bytes.
func (d *draft) done(size int) mapped {
	if !d.moved && d.end == size {
		return mapped{text: string(d.text)}
	}
	if d.end < size {
		d.back = append(d.back, piece{int32(len(d.text)), int32(d.end), true})
	}
	d.back = append(d.back, piece{int32(len(d.text)), int32(size), true})
	return mapped{string(d.text), d.back}
}
