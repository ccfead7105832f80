package mux

import (
	"slices"

	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// change is a value of a message and what stands in its place.
type change struct {
	at   jsonrpc.Range
	with []byte
}

// exchange is a message with some values exchanged; all other bytes stay.
func exchange(msg *jsonrpc.Message, changes ...change) []byte {
	return splice(msg.Bytes, msg.Span, changes...)
}

func splice(b []byte, span jsonrpc.Range, changes ...change) []byte {
	slices.SortFunc(changes, func(x, y change) int { return x.at.Start - y.at.Start })
	var out []byte
	from := span.Start
	for _, c := range changes {
		if c.at.IsZero() {
			continue
		}
		out = append(append(out, b[from:c.at.Start]...), c.with...)
		from = c.at.End
	}
	return append(out, b[from:span.End]...)
}

func sortRequests(all []*request) {
	slices.SortFunc(all, func(a, b *request) int { return slices.Compare(a.id, b.id) })
}
