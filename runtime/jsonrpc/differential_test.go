package jsonrpc_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	json "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// view is what a program behind the shim takes from a message.
type view struct {
	Version stdjson.RawMessage `json:"jsonrpc"`
	ID      stdjson.RawMessage `json:"id"`
	Method  stdjson.RawMessage `json:"method"`
	Params  viewParams         `json:"params"`
	Result  stdjson.RawMessage `json:"result"`
	Error   stdjson.RawMessage `json:"error"`
}

type viewParams struct {
	Name      stdjson.RawMessage `json:"name"`
	Arguments stdjson.RawMessage `json:"arguments"`
	URI       stdjson.RawMessage `json:"uri"`
	Meta      stdjson.RawMessage `json:"_meta"`
}

func viewOf(m *jsonrpc.Message) (v view) {
	v.Version, v.ID = stdjson.RawMessage(`"2.0"`), m.ID.In(m.Bytes)
	if m.Method != "" {
		v.Method = jsonrpc.AppendString(nil, m.Method)
	}
	v.Result, v.Error = m.Result.In(m.Bytes), m.Error.In(m.Bytes)
	v.Params = viewParams{m.Name.In(m.Bytes), m.Arguments.In(m.Bytes), m.URI.In(m.Bytes), m.Meta.In(m.Bytes)}
	return v
}

// checkView compares what a decoder read with what the scanner says.
func checkView(t *testing.T, decoder string, b []byte, got, want view) {
	t.Helper()
	// The method is told decoded, and may be written with \/.
	got.Method = bytes.ReplaceAll(got.Method, []byte(`\/`), []byte("/"))
	for _, c := range []struct {
		what      string
		got, want []byte
	}{
		{"jsonrpc", got.Version, want.Version}, {"id", got.ID, want.ID}, {"method", got.Method, want.Method},
		{"result", got.Result, want.Result}, {"error", got.Error, want.Error},
		{"name", got.Params.Name, want.Params.Name}, {"arguments", got.Params.Arguments, want.Params.Arguments},
		{"uri", got.Params.URI, want.Params.URI}, {"_meta", got.Params.Meta, want.Params.Meta},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Fatalf("%s reads %s %q, the scanner %q, from\n%q", decoder, c.what, c.got, c.want, b)
		}
	}
}

// checkAccepted holds every decoder of this process to what was accepted.
func checkAccepted(t *testing.T, b []byte, m *jsonrpc.Message) {
	t.Helper()
	if !utf8.Valid(b) {
		t.Fatalf("accepted bytes that are not UTF-8: %q", b)
	}
	// jsontext refuses duplicate keys and lone surrogates at every depth.
	if !jsontext.Value(b).IsValid() {
		t.Fatalf("jsontext refuses %q", b)
	}
	want := viewOf(m)
	var v1 view
	if err := stdjson.Unmarshal(b, &v1); err != nil {
		t.Fatalf("encoding/json: %v: %q", err, b)
	}
	checkView(t, "encoding/json", b, v1, want)
	var v2 view
	if err := json.Unmarshal(b, &v2, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatalf("json/v2: %v: %q", err, b)
	}
	checkView(t, "json/v2 without case", b, v2, want)
	var exact struct {
		Params map[string]stdjson.RawMessage `json:"params"`
	}
	if err := stdjson.Unmarshal(b, &exact); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(exact.Params["name"], want.Params.Name) || !bytes.Equal(exact.Params["arguments"], want.Params.Arguments) {
		t.Fatalf("a map of encoding/json reads other params from %q", b)
	}
	// Without case, no argument is taken for another one.
	var names []string
	for k := range jsonrpc.Members(b, m.Arguments) {
		var name string
		if err := stdjson.Unmarshal(k.In(b), &name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if len(names) > 50 {
		names = names[:50]
	}
	for i, name := range names {
		for _, other := range names[:i] {
			if strings.EqualFold(name, other) {
				t.Fatalf("arguments %q and %q in %q", name, other, b)
			}
		}
	}
	// encoding/json agrees that every number is one.
	var any any
	if err := stdjson.Unmarshal(b, &any); err != nil {
		t.Fatalf("encoding/json: %v: %q", err, b)
	}
}

// checkDuplicate shows that what was called a duplicate is one to a decoder.
func checkDuplicate(t *testing.T, b []byte, e *jsonrpc.Error) {
	t.Helper()
	key := func(at int) (k string) {
		end := at + 1
		for end < len(b) && b[end] != '"' {
			if b[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(b) || stdjson.Unmarshal(b[at:end+1], &k) != nil {
			t.Fatalf("no key at %d of %q", at, b)
		}
		return k
	}
	first, second := key(e.First), key(e.Offset)
	if e.First >= e.Offset {
		t.Fatalf("%+v", e)
	}
	if first == second {
		return // encoding/json, JavaScript and Python keep the last, others the first
	}
	object := []byte(`{"` + strings.ReplaceAll(strings.ReplaceAll(second, `\`, `\\`), `"`, `\"`) + `":7}`)
	for _, c := range first {
		if c < ' ' || c == '"' || c == '\\' || c == ',' || c == '\'' || c == '`' || c == '~' {
			if !strings.EqualFold(first, second) {
				t.Fatalf("%q and %q are no duplicates", first, second)
			}
			return // no tag can say such a name
		}
	}
	field := reflect.StructField{Name: "F", Type: reflect.TypeFor[int](), Tag: reflect.StructTag(fmt.Sprintf("json:%q", first))}
	target := reflect.New(reflect.StructOf([]reflect.StructField{field}))
	if err := stdjson.Unmarshal(object, target.Interface()); err != nil {
		t.Fatalf("%v: %q", err, object)
	}
	if target.Elem().Field(0).Int() != 7 && !strings.EqualFold(first, second) {
		t.Fatalf("no decoder takes %q for %q in %q", second, first, b)
	}
}

func check(t *testing.T, s *jsonrpc.Scanner, b []byte) bool {
	t.Helper()
	var m jsonrpc.Message
	before := bytes.Clone(b)
	err := s.Scan(b, &m)
	if !bytes.Equal(b, before) {
		t.Fatalf("the scanner changed %q to %q", before, b)
	}
	if err == nil {
		checkAccepted(t, b, &m)
		return true
	}
	var e *jsonrpc.Error
	if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(b) || e.Code == 0 {
		t.Fatalf("%#v of %q", err, b)
	}
	if e.Reason == jsonrpc.Duplicate {
		checkDuplicate(t, b, e)
	}
	if e.Reason == jsonrpc.Syntax && stdjson.Valid(b) {
		t.Fatalf("%v, but encoding/json finds it valid: %q", err, b)
	}
	if id, kind := jsonrpc.Salvage(b); kind != jsonrpc.Unknown {
		var v1, v2 view
		if err := stdjson.Unmarshal(b, &struct{ ID *stdjson.RawMessage }{&v1.ID}); err != nil || !bytes.Equal(v1.ID, id) {
			t.Fatalf("id %q salvaged, encoding/json reads %q: %v", id, v1.ID, err)
		}
		if json.Unmarshal(b, &struct {
			ID *stdjson.RawMessage `json:"id"`
		}{&v2.ID}, json.MatchCaseInsensitiveNames(true), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) == nil && !bytes.Equal(v2.ID, id) {
			t.Fatalf("id %q salvaged, json/v2 reads %q", id, v2.ID)
		}
	}
	return false
}

func FuzzScan(f *testing.F) {
	for _, c := range corpus(f) {
		f.Add([]byte(c.text))
	}
	f.Add([]byte(call(`{"a1":1,"a2":1,"a3":1,"a4":1,"a5":1,"a6":1,"a7":1,"a8":1,"a9":1,"b1":1,"b2":1,"b3":1,"b4":1,"b5":1,"b6":1,"b7":1,"b8":1,"b9":{"x":[]}}`)))
	s := jsonrpc.NewScanner(jsonrpc.Options{})
	f.Fuzz(func(t *testing.T, b []byte) {
		accepted := check(t, s, b)
		all, err := s.ScanBatch(b, nil)
		if accepted != (err == nil && !all[0].InBatch) {
			t.Fatalf("accepted alone %v, as a batch: %v: %q", accepted, err, b)
		}
		if err != nil || accepted {
			return
		}
		// Each message of a batch is one by itself, and they are the elements
		// that a decoder sees.
		var elements []stdjson.RawMessage
		if err := stdjson.Unmarshal(b, &elements); err != nil || len(elements) != len(all) {
			t.Fatalf("%d messages, encoding/json sees %d: %v: %q", len(all), len(elements), err, b)
		}
		for i := range all {
			var m jsonrpc.Message
			if !bytes.Equal(elements[i], all[i].Raw()) {
				t.Fatalf("message %d is %q, encoding/json sees %q", i, all[i].Raw(), elements[i])
			}
			if err := s.Scan(all[i].Raw(), &m); err != nil {
				t.Fatalf("message %d alone: %v: %q", i, err, b)
			}
			checkAccepted(t, all[i].Raw(), &m)
			checkView(t, "the batch", b, viewOf(&all[i]), viewOf(&m))
		}
	})
}

// generator makes messages out of the pieces that have fooled decoders. Most
// are acceptable but for one or two of them.
type generator struct{ *rand.Rand }

func (g generator) one(of ...string) string { return of[g.IntN(len(of))] }

func (g generator) str() string {
	var b strings.Builder
	for range g.IntN(4) {
		b.WriteString(g.one("a", "B", "k", "K", "ſ", "é", "\\u00e9", "\\u004b", "😀", "\\ud83d\\ude00", "\\n", "\\\"", "\\\\", "\\/", " ",
			"name", "x_y", "0", "1", "-", "\u2028", "\u0085", "\\u0001", "\u007f", "日本", "a"))
	}
	return `"` + b.String() + `"`
}

func (g generator) space() string { return g.one("", "", "", "", "", " ", "\t", "  ") }

func (g generator) value(depth int) string {
	n := g.IntN(10)
	if depth > 3 {
		n = g.IntN(7)
	}
	switch n {
	case 0, 1, 2:
		return g.str()
	case 3:
		return g.one("0", "-0", "1", "-1.50", "1e3", "1E-7", "0.1", "9007199254740993", "123456789012345678901234567890", "1e308", "1.7976931348623157e308",
			"5e-324", "1e-400", "1e309", "0e0", "-0.0", "1e22", "1e21")
	case 4, 5, 6:
		return g.one("true", "false", "null", "{}", "[]")
	case 7:
		var all []string
		for range g.IntN(4) {
			all = append(all, g.space()+g.value(depth+1)+g.space())
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	return g.object(depth, nil)
}

func (g generator) object(depth int, members []string) string {
	for range g.IntN(3) {
		members = append(members, g.str()+g.space()+":"+g.space()+g.value(depth+1))
	}
	g.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + g.space() + strings.Join(members, g.space()+","+g.space()) + g.space() + "}"
}

func (g generator) message() []byte {
	members := []string{`"jsonrpc":"2.0"`, `"id":` + g.one("1", "-7", `"a"`, `"\u00e9"`, "9007199254740991")}
	if g.IntN(4) == 0 {
		members = append(members, `"result":`+g.value(0))
	} else {
		members = append(members, `"method":`+g.one(`"tools/call"`, `"tools\/call"`, `"own"`), `"params":`+g.object(1, []string{`"name":"n` + g.str()[1:], `"arguments":` + g.object(2, nil)}))
	}
	if g.IntN(6) == 0 {
		key := g.one("method", "Method", "id", "ID", "name", "params", "jsonrpc", "result", "paramſ", "me\\u0074hod", "__proto__", "x")
		members = append(members, `"`+key+`":`+g.value(1))
	}
	text := []byte(g.object(0, members))
	for range g.IntN(12) / 10 { // one byte changed, now and then
		text[g.IntN(len(text))] = g.one("\"", "\\", "{", "}", ",", ":", "0", "\x00", "\xff", "e", "-", ".", "[", "]", "\xc0", "\v")[0]
	}
	return text
}

func TestGenerated(t *testing.T) {
	s := jsonrpc.NewScanner(jsonrpc.Options{})
	g := generator{rand.New(rand.NewPCG(1, 2))}
	accepted := 0
	const n = 5_000
	for range n {
		if check(t, s, g.message()) {
			accepted++
		}
	}
	if accepted < n/4 || accepted > 3*n/4 {
		t.Errorf("%d of %d accepted: the generator is no good", accepted, n)
	}
}

// The readers take lines of hexadecimal bytes and answer with a line of JSON:
// null for what they refuse, otherwise what they read, each number as the
// eight bytes of its double.
const nodeReader = `
const read = v => {
  if (typeof v === "number") { const b = Buffer.alloc(8); b.writeDoubleBE(v); return {number: b.toString("hex")} }
  if (typeof v === "string") return {string: v}
  if (Array.isArray(v)) return {array: v.map(read)}
  if (v !== null && typeof v === "object") return {object: Object.keys(v).map(k => [k, read(v[k])])}
  return v
}
require("readline").createInterface({input: process.stdin, crlfDelay: Infinity}).on("line", line => {
  let v = null
  try { v = read(JSON.parse(new TextDecoder("utf-8", {fatal: true, ignoreBOM: true}).decode(Buffer.from(line, "hex")))) } catch (e) {}
  process.stdout.write(JSON.stringify(v) + "\n")
})`

const pythonReader = `
import json, struct, sys
def read(v):
    if v is None or isinstance(v, bool): return v
    if isinstance(v, (int, float)): return {"number": struct.pack(">d", float(v)).hex()}
    if isinstance(v, str): return {"string": v}
    if isinstance(v, list): return {"array": [read(x) for x in v]}
    return {"object": [[k, read(x)] for k, x in v.items()]}
for line in sys.stdin:
    try: v = read(json.loads(bytes.fromhex(line.strip()).decode("utf-8")))
    except Exception: v = None
    print(json.dumps(v), flush=True)
`

// reading is what the readers are to answer for a value of ours.
func reading(t *testing.T, raw []byte) any {
	switch raw[0] {
	case '{':
		all := []any{}
		for k, v := range jsonrpc.Members(raw, jsonrpc.Range{End: len(raw)}) {
			var key string
			if err := stdjson.Unmarshal(k.In(raw), &key); err != nil {
				t.Fatal(err)
			}
			all = append(all, []any{key, reading(t, v.In(raw))})
		}
		return map[string]any{"object": sorted(all)}
	case '[':
		all := []any{}
		for _, v := range jsonrpc.Elements(raw, jsonrpc.Range{End: len(raw)}) {
			all = append(all, reading(t, v.In(raw)))
		}
		return map[string]any{"array": all}
	case '"':
		var text string
		if err := stdjson.Unmarshal(raw, &text); err != nil {
			t.Fatal(err)
		}
		return map[string]any{"string": text}
	case 't':
		return true
	case 'f':
		return false
	case 'n':
		return nil
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		t.Fatal(err)
	}
	if f == 0 {
		f = 0 // -0 is 0 to Python when it has no fraction
	}
	return map[string]any{"number": hex.EncodeToString(binary.BigEndian.AppendUint64(nil, math.Float64bits(f)))}
}

// sorted puts the members of a reading in order: JavaScript has its own.
func sorted(members []any) []any {
	slices.SortFunc(members, func(a, b any) int { return strings.Compare(a.([]any)[0].(string), b.([]any)[0].(string)) })
	return members
}

// settle sorts the members of an answer, and makes -0 a 0.
func settle(v any) any {
	m, _ := v.(map[string]any)
	if members, ok := m["object"].([]any); ok {
		for _, member := range members {
			pair := member.([]any)
			pair[1] = settle(pair[1])
		}
		m["object"] = sorted(members)
	}
	if elements, ok := m["array"].([]any); ok {
		for i := range elements {
			elements[i] = settle(elements[i])
		}
	}
	if m["number"] == "8000000000000000" {
		m["number"] = "0000000000000000"
	}
	return v
}

func TestOtherLanguages(t *testing.T) {
	if testing.Short() {
		t.Skip("starts other programs")
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"node", []string{"-e", nodeReader}},
		{"python3", []string{"-c", pythonReader}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(c.name)
			if err != nil {
				t.Skip(err)
			}
			cmd := exec.Command(path, c.args...)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				in.Close()
				if err := cmd.Wait(); err != nil {
					t.Error(err)
				}
			}()
			compare(t, in, bufio.NewReader(out))
		})
	}
}

// compare asks a reader about the corpus and generated messages.
func compare(t *testing.T, in io.Writer, out *bufio.Reader) {
	var all [][]byte
	s := jsonrpc.NewScanner(jsonrpc.Options{})
	var m jsonrpc.Message
	add := func(b []byte) {
		if s.Scan(b, &m) == nil {
			all = append(all, b)
		}
	}
	for _, c := range corpus(t) {
		add([]byte(c.text))
	}
	g := generator{rand.New(rand.NewPCG(3, 4))}
	for range 5_000 {
		add(g.message())
	}
	const step = 50 // fewer than fill a pipe
	for ; len(all) > 0; all = all[min(step, len(all)):] {
		var lines []byte
		for _, b := range all[:min(step, len(all))] {
			lines = append(hex.AppendEncode(lines, b), '\n')
		}
		go in.Write(lines)
		for _, b := range all[:min(step, len(all))] {
			line, err := out.ReadBytes('\n')
			if err != nil {
				t.Fatalf("%v of %q", err, b)
			}
			var got any
			if err := stdjson.Unmarshal(line, &got); err != nil {
				t.Fatalf("%v: %q", err, line)
			}
			raw := bytes.Trim(b, " \t")
			if want := reading(t, raw); !reflect.DeepEqual(settle(got), want) {
				t.Fatalf("read from %q:\n%v\nwant\n%v", b, got, want)
			}
		}
	}
}
