package jsonrpc_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// hostile is a line of fixtures/hostile/jsonrpc/messages.txt.
type hostile struct {
	line       int
	want, text string
}

func corpus(t testing.TB) (all []hostile) {
	t.Helper()
	data, err := os.ReadFile("../../fixtures/hostile/jsonrpc/messages.txt")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(data), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		columns := strings.SplitN(line, "\t", 3)
		if len(columns) != 3 {
			t.Fatalf("line %d: want three columns", i+1)
		}
		text, err := strconv.Unquote(columns[2])
		if err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		all = append(all, hostile{i + 1, columns[1], text})
	}
	if len(all) < 100 {
		t.Fatalf("only %d lines", len(all))
	}
	return all
}

// verdict is what messages.txt says of a scan.
func verdict(m *jsonrpc.Message, err error) string {
	var e *jsonrpc.Error
	switch {
	case err == nil:
		return "ok " + m.Kind.String()
	case errors.As(err, &e):
		return e.Reason.String()
	}
	return err.Error()
}

func TestCorpus(t *testing.T) {
	s := jsonrpc.NewScanner(jsonrpc.Options{})
	var m jsonrpc.Message
	seen := map[string]bool{}
	for _, c := range corpus(t) {
		err := s.Scan([]byte(c.text), &m)
		got := verdict(&m, err)
		seen[got] = true
		if got != c.want {
			t.Errorf("messages.txt:%d: got %s, want %s: %v\n%q", c.line, got, c.want, err, c.text)
		}
		// A batch of one must be judged like the message, and in the middle of
		// others too.
		var e *jsonrpc.Error
		if !errors.As(err, &e) || e.Reason == jsonrpc.Batch || e.Reason == jsonrpc.BOM || e.Reason == jsonrpc.Trailing {
			continue
		}
		if e.Offset < 0 || e.Offset > len(c.text) || e.Code == 0 {
			t.Errorf("messages.txt:%d: %+v", c.line, e)
		}
		if _, err := s.ScanBatch([]byte("["+c.text+"]"), nil); err == nil {
			t.Errorf("messages.txt:%d: accepted in a batch", c.line)
		}
	}
	for r := jsonrpc.Syntax; r < jsonrpc.Partial; r++ {
		name := r.String()
		elsewhere := []string{"too-long", "too-deep", "too-many-keys", "too-many-messages", "empty-batch", "mixed-batch", "duplicate-id", "unknown-member"}
		if !seen[name] && !slices.Contains(elsewhere, name) {
			t.Errorf("no line for %s", name)
		}
		if r.Explain() == "" || name == "" {
			t.Errorf("reason %d says nothing", r)
		}
	}
}

func TestFields(t *testing.T) {
	const call = `{"jsonrpc":"2.0","extra":[1],"params":{"arguments":{"a":{"name":"no"}},"uri":"x:y","name":"r\u0065ad","_meta":{` +
		`"io.modelcontextprotocol/clientInfo":{"name":"c"},"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientCapabilities":{"roots":{}}}},"method":"tools\/call","id":"\u00e9","more":1}`
	var m jsonrpc.Message
	if err := jsonrpc.NewScanner(jsonrpc.Options{}).Scan([]byte(call), &m); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		r    jsonrpc.Range
		want string
	}{
		{"Span", m.Span, call},
		{"ID", m.ID, `"\u00e9"`},
		{"Name", m.Name, `"r\u0065ad"`},
		{"Arguments", m.Arguments, `{"a":{"name":"no"}}`},
		{"URI", m.URI, `"x:y"`},
		{"ClientInfo", m.ClientInfo, `{"name":"c"}`},
		{"ProtocolVersion", m.ProtocolVersion, `"2026-07-28"`},
		{"ClientCapabilities", m.ClientCapabilities, `{"roots":{}}`},
		{"FirstUnknown", m.FirstUnknown, `"extra"`},
		{"Result", m.Result, ""},
		{"Error", m.Error, ""},
	} {
		if got := string(c.r.In(m.Bytes)); got != c.want {
			t.Errorf("%s = %s, want %s", c.name, got, c.want)
		}
	}
	if m.Method != "tools/call" || m.Kind != jsonrpc.Request || m.Unknown != 2 || m.InBatch || string(m.Raw()) != call {
		t.Errorf("%+v", m)
	}
	if got := string(m.Text(m.Name, nil)); got != "read" {
		t.Errorf("Text = %q", got)
	}
	if got := m.Text(m.Arguments, nil); got != nil {
		t.Errorf("Text of an object = %q", got)
	}
	if got := string(m.AppendIDKey(nil)); got != `"é` {
		t.Errorf("AppendIDKey = %q", got)
	}
	err := jsonrpc.NewScanner(jsonrpc.Options{RefuseUnknown: true}).Scan([]byte(call), &m)
	if verdict(&m, err) != "unknown-member" {
		t.Errorf("RefuseUnknown: %v", err)
	}
}

func TestIDKeys(t *testing.T) {
	key := func(id string) string {
		var m jsonrpc.Message
		if err := jsonrpc.NewScanner(jsonrpc.Options{}).Scan([]byte(`{"jsonrpc":"2.0","id":`+id+`,"method":"ping"}`), &m); err != nil {
			t.Fatal(err)
		}
		return string(m.AppendIDKey(nil))
	}
	if key(`"a\/b"`) != key(`"a/b"`) || key(`"\u0031"`) != key(`"1"`) {
		t.Error("equal ids with different keys")
	}
	if key(`1`) == key(`"1"`) || key(`""`) == key(`0`) || key(`-1`) == key(`1`) {
		t.Error("different ids with the same key")
	}
}

func call(arguments string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":` + arguments + `}}`
}

func TestLimits(t *testing.T) {
	object := func(n int, key string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"`+key+`":0`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	long := strings.Repeat("x", 100)
	var m jsonrpc.Message
	for _, c := range []struct {
		name string
		opt  jsonrpc.Options
		text string
		want string
	}{
		{"depth", jsonrpc.Options{}, call(`{"a":` + strings.Repeat("[", 125) + strings.Repeat("]", 125) + `}`), "ok request"},
		{"depth+1", jsonrpc.Options{}, call(`{"a":` + strings.Repeat("[", 126) + strings.Repeat("]", 126) + `}`), "too-deep"},
		{"depth, objects", jsonrpc.Options{MaxDepth: 10}, call(strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20)), "too-deep"},
		{"depth, capped", jsonrpc.Options{MaxDepth: 1 << 40}, call(`{"a":` + strings.Repeat("[", 1e6)), "too-deep"},
		{"keys", jsonrpc.Options{}, call(object(10_000, "k%d")), "ok request"},
		{"keys+1", jsonrpc.Options{}, call(object(10_001, "k%d")), "too-many-keys"},
		{"keys, twice at the end", jsonrpc.Options{}, call(strings.TrimSuffix(object(9000, "k%d"), "}") + `,"K77":1}`), "duplicate"},
		{"bytes", jsonrpc.Options{MaxBytes: len(call(`{}`))}, call(`{}`), "ok request"},
		{"bytes+1", jsonrpc.Options{MaxBytes: len(call(`{}`))}, call(`{ }`), "too-long"},
		{"id", jsonrpc.Options{MaxID: 102}, `{"jsonrpc":"2.0","id":"` + long + `","method":"ping"}`, "ok request"},
		{"id+1", jsonrpc.Options{MaxID: 101}, `{"jsonrpc":"2.0","id":"` + long + `","method":"ping"}`, "bad-id"},
		{"number", jsonrpc.Options{}, call(`{"a":` + strings.Repeat("9", 128) + `}`), "ok request"},
		{"number+1", jsonrpc.Options{}, call(`{"a":` + strings.Repeat("9", 129) + `}`), "long-number"},
		{"number, no double", jsonrpc.Options{MaxNumber: 1000}, call(`{"a":` + strings.Repeat("9", 310) + `}`), "huge-number"},
		{"number, no double with a small exponent", jsonrpc.Options{MaxNumber: 1000}, call(`{"a":` + strings.Repeat("9", 320) + `e-1}`), "huge-number"},
		{"line breaks", jsonrpc.Options{LineBreaks: true}, "{\r\n \"jsonrpc\":\"2.0\",\n\"id\":1,\r\"method\":\"ping\"}\n", "ok request"},
		{"line breaks, not in strings", jsonrpc.Options{LineBreaks: true}, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\nng\"}", "syntax"},
		{"case, first level", jsonrpc.Options{CaseInArguments: true}, call(`{"x":1,"X":2}`), "duplicate"},
		{"case, below", jsonrpc.Options{CaseInArguments: true}, call(`{"vars":{"x":1,"X":2}}`), "ok request"},
		{"case, below, twice", jsonrpc.Options{CaseInArguments: true}, call(`{"vars":{"x":1,"\u0078":2}}`), "duplicate"},
		{"surrogate in a result", jsonrpc.Options{LoneSurrogates: true}, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"cut \ud83d"}]}}`, "ok response"},
		{"surrogate in a key of a result", jsonrpc.Options{LoneSurrogates: true}, `{"jsonrpc":"2.0","id":1,"result":{"\ud83d":1}}`, "surrogate"},
		{"surrogate behind a result", jsonrpc.Options{LoneSurrogates: true}, `{"jsonrpc":"2.0","result":{},"id":"\ud83d"}`, "surrogate"},
		{"surrogate in arguments", jsonrpc.Options{LoneSurrogates: true}, call(`{"x":"\ud83d"}`), "surrogate"},
	} {
		err := jsonrpc.NewScanner(c.opt).Scan([]byte(c.text), &m)
		if got := verdict(&m, err); got != c.want {
			t.Errorf("%s: got %s, want %s: %v", c.name, got, c.want, err)
		}
	}
}

// TestManyKeys: the hash table finds every duplicate, in objects within
// objects that have many keys too, and nothing else.
func TestManyKeys(t *testing.T) {
	var m jsonrpc.Message
	s := jsonrpc.NewScanner(jsonrpc.Options{})
	for _, n := range []int{1, 2, 15, 16, 17, 31, 32, 33, 64, 65, 500} {
		keys := make([]string, n)
		for i := range keys {
			keys[i] = fmt.Sprintf(`"key-%c%d":`, 'a'+i%26, i)
		}
		inner := "{" + strings.Join(keys, "0,") + "0}"
		outer := "{" + strings.Join(keys, inner+",") + inner + "}"
		if n <= 65 {
			if err := s.Scan([]byte(call(outer)), &m); err != nil {
				t.Fatalf("%d keys: %v", n, err)
			}
		}
		for i := 0; i < n; i += 1 + n/20 {
			for _, again := range []string{keys[i], strings.ToUpper(keys[i]), `"\u006b` + keys[i][2:]} {
				text := call(outer[:len(outer)-1] + "," + again + "1}")
				if n > 65 {
					text = call("{" + strings.Join(keys, "0,") + "0," + again + "1}")
				}
				err := s.Scan([]byte(text), &m)
				var e *jsonrpc.Error
				if !errors.As(err, &e) || e.Reason != jsonrpc.Duplicate {
					t.Fatalf("%d keys, %s again: %v", n, again, err)
				}
				if got := text[e.First:]; !strings.HasPrefix(got, keys[i]) {
					t.Fatalf("%d keys: the first %s is said to be %.20s", n, again, got)
				}
				if got := text[e.Offset:]; !strings.HasPrefix(got, again) {
					t.Fatalf("%d keys: the second %s is said to be %.20s", n, again, got)
				}
			}
		}
	}
}

func TestBatch(t *testing.T) {
	const (
		one  = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
		two  = `{"jsonrpc":"2.0","id":"1","method":"tools/call","params":{"name":"a"}}`
		note = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
		res  = `{"jsonrpc":"2.0","id":1,"result":{}}`
		fail = `{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"a"}}`
	)
	many := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`, i))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	s := jsonrpc.NewScanner(jsonrpc.Options{})
	for _, c := range []struct{ name, text, want string }{
		{"single", one, "1"},
		{"calls", "[" + one + "," + two + " , " + note + "]", "3"},
		{"responses", " [ " + res + "," + fail + "," + fail + "] ", "3"},
		{"full", many(100), "100"},
		{"too many", many(101), "too-many-messages"},
		{"empty", "[]", "empty-batch"},
		{"nested", "[" + one + ",[" + two + "]]", "not-object"},
		{"mixed", "[" + one + "," + res + "]", "mixed-batch"},
		{"mixed the other way", "[" + res + "," + note + "]", "mixed-batch"},
		{"the same id", "[" + one + "," + note + "," + one + "]", "duplicate-id"},
		{"the same id, escaped", `[` + two + `,{"jsonrpc":"2.0","id":"\u0031","method":"ping"}]`, "duplicate-id"},
		{"the same id, late", many(60)[:len(many(60))-1] + "," + one + "]", "duplicate-id"},
		{"one bad", "[" + one + `,{"jsonrpc":"2.0","id":2,"Method":"ping"}]`, "variant"},
		{"comma", "[" + one + ",]", "syntax"},
		{"trailing", "[" + one + "]" + one, "trailing"},
		{"line break", "[" + one + ",\n" + two + "]", "line-break"},
		{"two lines", "[" + one + "\r]", "line-break"},
		{"open", "[" + one, "syntax"},
		{"number", "[1]", "not-object"},
	} {
		all, err := s.ScanBatch([]byte(c.text), nil)
		got := strconv.Itoa(len(all))
		if err != nil {
			got = verdict(nil, err)
			if len(all) != 0 {
				t.Errorf("%s: messages beside an error", c.name)
			}
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s: %v", c.name, got, c.want, err)
		}
	}
	all, err := s.ScanBatch([]byte("["+one+", "+two+"]"), nil)
	if err != nil || string(all[1].Raw()) != two || string(all[1].Name.In(all[1].Bytes)) != `"a"` || !all[1].InBatch {
		t.Errorf("%+v %v", all, err)
	}
}

func TestSalvage(t *testing.T) {
	for _, c := range []struct{ text, id, kind string }{
		{call(`{"a":1,"a":2}`), "1", "request"},
		{`{"id":"x-1","method":"a","method":"b"}`, `"x-1"`, "request"},
		{`{"jsonrpc":"2.0","result":{},"error":{},"id":7}`, "7", "response"},
		{`{"id":1,"id":1,"method":"a"}`, "", "unknown"},
		{`{"id":1,"Id":2,"method":"a"}`, "", "unknown"},
		{`{"id":1,"\u0069d":2,"method":"a"}`, "", "unknown"},
		{`{"id":1,"i_d":2,"method":"a"}`, "", "unknown"},
		{`{"id":1.5,"method":"a"}`, "", "unknown"},
		{`{"id":"\u0031","method":"a"}`, "", "unknown"},
		{"{\"id\":\"\xff\",\"method\":\"a\"}", "", "unknown"},
		{`{"id":1,"method":"a","result":1}`, "", "unknown"},
		{`{"id":1,"method":"a"`, "", "unknown"},
		{`{"id":1,"method":"a"}{}`, "", "unknown"},
		{`[{"id":1,"method":"a"}]`, "", "unknown"},
		{`{"params":{"id":1},"method":"a"}`, "", "unknown"},
		{``, "", "unknown"},
		{`"`, "", "unknown"},
	} {
		id, kind := jsonrpc.Salvage([]byte(c.text))
		if string(id) != c.id || kind.String() != c.kind {
			t.Errorf("%s: got %s, %s; want %s, %s", c.text, id, kind, c.id, c.kind)
		}
	}
}

func TestErrorText(t *testing.T) {
	var m jsonrpc.Message
	err := jsonrpc.NewScanner(jsonrpc.Options{}).Scan([]byte(`{"jsonrpc":"2.0","secret-value":1,"secret-value":2}`), &m)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	if want := "byte 34"; !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "byte 17") {
		t.Errorf("%v does not say %s", err, want)
	}
}
