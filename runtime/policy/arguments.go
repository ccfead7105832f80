package policy

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// Bounds of the arguments that policies read. Members that no policy names are
// skipped unread, so that a file to be written may be large.
const (
	maxArgumentDepth = 32
	maxArgumentNodes = 4096
	maxArgumentText  = 1 << 20 // bytes of all values; like is linear in them, for each policy
	// maxElements keeps a set of values that were chosen to fall together
	// from costing much: sets compare those one by one.
	maxElements = 1000
)

var (
	errArgumentSize  = errors.New("the arguments that policies read are too many, too long or nested too deep")
	errArgumentTwice = errors.New("an argument that policies read stands twice")
	errArguments     = errors.New("the arguments are no JSON object")
)

// null is the value of a JSON null: equal to nothing that a policy can write.
var null = types.NewEntityUID("Null", "null")

// record makes a Cedar record of a JSON object: of the members that are
// wanted, all of them when wanted is nil. Strings are strings. Numbers are Long
// where they are whole, decimal where they have four digits behind the point
// at most, and otherwise strings as they are spelt, which no policy can
// compare with a number. Arrays are sets.
func record(b []byte, wanted map[string]bool) (types.Record, error) {
	a := argumentReader{message: jsonrpc.Message{Bytes: b}}
	start, end := 0, len(b)
	for start < end && isSpace(b[start]) {
		start++
	}
	for end > start && isSpace(b[end-1]) {
		end--
	}
	if start == end || string(b[start:end]) == "null" {
		return types.Record{}, nil
	}
	if b[start] != '{' || b[end-1] != '}' {
		return types.Record{}, errArguments
	}
	return a.object(jsonrpc.Range{Start: start, End: end}, 1, wanted)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

type argumentReader struct {
	message jsonrpc.Message
	nodes   int
	text    int
}

func (a *argumentReader) object(r jsonrpc.Range, depth int, wanted map[string]bool) (types.Record, error) {
	if depth > maxArgumentDepth {
		return types.Record{}, errArgumentSize
	}
	members := types.RecordMap{}
	for key, value := range jsonrpc.Members(a.message.Bytes, r) {
		name := types.String(a.message.Text(key, nil))
		if wanted != nil && !wanted[string(name)] {
			continue
		}
		if _, twice := members[name]; twice {
			return types.Record{}, errArgumentTwice
		}
		v, err := a.value(value, depth)
		if err != nil {
			return types.Record{}, err
		}
		members[name] = v
	}
	return types.NewRecord(members), nil
}

func (a *argumentReader) value(r jsonrpc.Range, depth int) (types.Value, error) {
	if a.nodes++; a.nodes > maxArgumentNodes {
		return nil, errArgumentSize
	}
	raw := r.In(a.message.Bytes)
	if depth == 1 { // with all that is in it
		a.text += len(raw)
	}
	if a.text > maxArgumentText {
		return nil, errArgumentSize
	}
	if len(raw) == 0 {
		return nil, errArguments
	}
	switch raw[0] {
	case '{':
		return a.object(r, depth+1, nil)
	case '[':
		if depth >= maxArgumentDepth {
			return nil, errArgumentSize
		}
		var elements []types.Value
		for n, e := range jsonrpc.Elements(a.message.Bytes, r) {
			if n >= maxElements {
				return nil, errArgumentSize
			}
			v, err := a.value(e, depth+1)
			if err != nil {
				return nil, err
			}
			elements = append(elements, v)
		}
		return types.NewSet(elements...), nil
	case '"':
		return types.String(a.message.Text(r, nil)), nil
	case 't':
		return types.True, nil
	case 'f':
		return types.False, nil
	case 'n':
		return null, nil
	}
	return number(string(raw)), nil
}

// number is a JSON number as policies compare it.
func number(s string) types.Value {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return types.Long(n)
	}
	// 1e3 and 2.0 are whole to every reader.
	if v, err := strconv.ParseFloat(s, 64); err == nil && v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
		return types.Long(v)
	}
	if strings.ContainsAny(s, "eE") {
		return types.String(s)
	}
	if d, err := types.ParseDecimal(s); err == nil {
		return d
	}
	return types.String(s)
}
