package capability

import "github.com/sallyport-mcp/sallyport/analyzers"

// maxSentences bounds InDescription.
const maxSentences = 16

// InDescription returns the facts that any of the first sentences of the
// description shows; their field holds that sentence alone. It is for a
// suspicion that there is more to a tool than its first sentence says, not for
// what a tool is for.
func InDescription(t *analyzers.Tool) []Fact {
	var r reader
	text := t.Description
	for n := 0; text.Value != "" && n < maxSentences; n++ {
		end := sentence(text.Raw())
		r.text("description", text.Slice(0, end), true)
		text = text.Slice(end, len(text.Value))
	}
	return r.facts
}

// sentence is the length of the first sentence of a text.
func sentence(text string) int {
	for i := range len(text) {
		switch text[i] {
		case '\n':
			return i + 1
		case '.', '!', '?':
			if i+1 < len(text) && blank(text[i+1]) {
				return i + 1
			}
		}
	}
	return len(text)
}

// Asks returns what the names of a tool's own parameters alone give it: the
// path of a file, a statement for a database, a command.
func Asks(t *analyzers.Tool) []Fact {
	var r reader
	r.params(t.Fields)
	for _, s := range [...]sense{
		{label: ReadsPrivate, object: File, params: 1 << paramPath},
		{label: ReadsPrivate, object: Database, params: 1 << paramSQL},
		{label: Executes, object: Shell, params: 1 << paramCommand},
	} {
		if r.objects&s.params != 0 {
			r.add(r.paramFact(s))
		}
	}
	return r.facts
}

// Narrow reports whether the name of a tool or server states a purpose that
// needs nothing of its user's: arithmetic, the time of day, the weather, dice.
// Every word of the name must belong to such a purpose.
func Narrow(name string) bool {
	if len(name) > maxParam+maxWord {
		return false
	}
	narrow := false
	for i := 0; i < len(name); {
		if !letter(name[i]) {
			i++
			continue
		}
		start := i
		for i++; i < len(name) && letter(name[i]) && !boundary(name, start, i); i++ {
		}
		var buf [maxWord]byte
		w, ok := lower(buf[:0], name[start:i])
		if !ok {
			return false
		}
		weight, known := purposes[string(w)]
		if !known {
			return false
		}
		narrow = narrow || weight
	}
	return narrow
}

// purposes are the words of narrow names: true for those that state the
// purpose, false for those that may stand beside them.
var purposes = map[string]bool{
	"add": true, "addition": true, "sum": true, "subtract": true, "multiply": true, "divide": true, "modulo": true, "power": true, "sqrt": true,
	"factorial": true, "fibonacci": true, "arithmetic": true, "calculator": true, "calc": true, "calculate": true, "math": true,
	"time": true, "timezone": true, "clock": true, "date": true, "datetime": true, "weather": true, "forecast": true, "temperature": true,
	"dice": true, "coin": true, "joke": true, "jokes": true, "horoscope": true, "uuid": true, "guid": true, "bmi": true, "random": true,

	"get": false, "current": false, "the": false, "a": false, "two": false, "number": false, "numbers": false, "integers": false, "today": false,
	"now": false, "daily": false, "tell": false, "roll": false, "flip": false, "generate": false, "expression": false, "root": false, "square": false,
	"city": false, "local": false, "world": false, "mcp": false, "server": false, "tool": false, "tools": false, "service": false, "simple": false,
	"basic": false, "my": false, "demo": false, "fetch": false, "check": false, "convert": false, "celsius": false, "fahrenheit": false, "unit": false,
}
