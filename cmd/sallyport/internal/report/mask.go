package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"math/bits"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
)

// mask stands for a secret of any kind and length.
const mask = "****"

// A masker knows every secret of a catalog: by its value, wherever it turns up
// again, and by its place. What package secret knows by its shape is masked
// as well.
type masker struct {
	// patterns are the values in every spelling that an output may use. Long
	// ones are cut into pieces, so that a look-up is bounded and a value that
	// a message cut short is still recognised.
	patterns map[string]struct{}
	lengths  []uint64 // by a pattern's first two bytes: bit n is set when one is n bytes long
	places   map[*analyzers.Source][]interval
}

// A shorter value is masked at its own place only: it would blot out half of
// the report. The longest piece must stay below 64, the bits of a length set.
const (
	shortestValue = 4 // characters
	longestPiece  = 32
)

// interval is a half-open byte range.
type interval struct{ start, end int }

func newMasker(c *analyzers.Catalog) *masker {
	m := &masker{patterns: map[string]struct{}{}, lengths: make([]uint64, 1<<16), places: map[*analyzers.Source][]interval{}}
	for _, s := range c.Secrets {
		m.place(s.Text)
		for _, spelling := range spellings(s.Text) {
			m.value(spelling)
		}
	}
	for _, s := range c.Servers {
		for _, v := range slices.Concat(s.Env, s.Headers) {
			m.place(v.Value)
		}
	}
	for src, places := range m.places {
		m.places[src] = merge(places)
	}
	return m
}

// spellings are the ways in which a message, a URL or the file itself may
// write the value.
func spellings(t analyzers.Text) []string {
	value := t.Raw()
	quoted := strconv.Quote(value)
	return []string{
		value, strings.TrimSpace(value), t.String(), quoted[1 : len(quoted)-1], string(t.Span.Raw()),
		url.QueryEscape(value), url.PathEscape(value),
	}
}

func (m *masker) place(t analyzers.Text) {
	if !t.Span.IsZero() && t.Span.Start < t.Span.End {
		m.places[t.Span.Source] = append(m.places[t.Span.Source], interval{t.Span.Start, t.Span.End})
	}
}

func (m *masker) value(v string) {
	if utf8.RuneCountInString(v) < shortestValue || strings.Trim(v, mask[:1]) == "" {
		return
	}
	rest := v
	for len(rest) > longestPiece {
		end := runeStart(rest, longestPiece, -1)
		m.pattern(rest[:end])
		rest = rest[end:]
	}
	// The last piece is a full one: a few bytes alone would match anywhere.
	tail := runeStart(v, max(len(v)-longestPiece, 0), +1)
	m.pattern(v[min(tail, len(v)-len(rest)):])
}

func (m *masker) pattern(p string) {
	m.patterns[p] = struct{}{}
	m.lengths[int(p[0])<<8|int(p[1])] |= 1 << len(p)
}

// runeStart moves i by at most three bytes to where a rune begins.
func runeStart[T string | []byte](s T, i, step int) int {
	for n := 0; n < utf8.UTFMax-1 && i > 0 && i < len(s) && !utf8.RuneStart(s[i]); n++ {
		i += step
	}
	return i
}

// find returns the secrets of text, sorted and apart.
func (m *masker) find(text string) []interval {
	var found []interval
	for i := 0; i+1 < len(text) && len(m.patterns) > 0; i++ {
		for lengths := m.lengths[int(text[i])<<8|int(text[i+1])]; lengths != 0; {
			n := bits.Len64(lengths) - 1
			lengths &^= 1 << n
			if i+n > len(text) {
				continue
			}
			if _, ok := m.patterns[text[i:i+n]]; ok {
				found = appendMerged(found, interval{i, i + n})
				break
			}
		}
	}
	for _, match := range secret.Find(text) {
		found = append(found, interval{match.Start, match.End})
	}
	return merge(found)
}

// string masks the secrets of text.
func (m *masker) string(text string) string {
	// A mask beside what was left can spell a secret anew.
	for range 4 {
		found := m.find(text)
		if len(found) == 0 {
			return text
		}
		text = replace(text, found)
	}
	return mask
}

// text masks what is a secret by its place alone. The rest is left to report,
// which sees every string.
func (m *masker) text(t analyzers.Text) string {
	var found []interval
	for _, at := range m.within(t.Span.Source, t.Span.Start, t.Span.End) {
		found = append(found, interval{decoded(t, at.start, false), decoded(t, at.end, true)})
	}
	return replace(t.Raw(), merge(found))
}

// within returns the parts of a source's secrets that lie in [start, end).
func (m *masker) within(src *analyzers.Source, start, end int) []interval {
	places := m.places[src]
	first := sort.Search(len(places), func(i int) bool { return places[i].end > start })
	var out []interval
	for _, p := range places[first:] {
		if p.start >= end {
			break
		}
		out = append(out, interval{max(p.start, start), min(p.end, end)})
	}
	return out
}

// decoded is the offset in t's value of a raw offset in its file. Inside an
// escape it is the escape's start, or its end when end is asked for.
func decoded(t analyzers.Text, offset int, end bool) int {
	offset -= t.Span.Start
	if len(t.Map) == 0 {
		return min(max(offset, 0), len(t.Value))
	}
	i := sort.Search(len(t.Map), func(i int) bool { return t.Map[i].Raw > offset }) - 1
	if i < 0 {
		return 0
	}
	if i == len(t.Map)-1 {
		return len(t.Value)
	}
	from, to := t.Map[i], t.Map[i+1]
	at := from.Decoded
	switch {
	case to.Raw-from.Raw == to.Decoded-from.Decoded:
		at += offset - from.Raw
	case end && offset > from.Raw:
		at = to.Decoded
	}
	return min(at, len(t.Value))
}

func replace(text string, at []interval) string {
	if len(at) == 0 {
		return text
	}
	var b strings.Builder
	last := 0
	for _, p := range at {
		b.WriteString(text[last:p.start])
		b.WriteString(mask)
		last = p.end
	}
	b.WriteString(text[last:])
	return b.String()
}

// merge sorts the intervals and joins those that touch.
func merge(in []interval) []interval {
	slices.SortFunc(in, func(a, b interval) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end)) })
	var out []interval
	for _, next := range in {
		out = appendMerged(out, next)
	}
	return out
}

func appendMerged(list []interval, next interval) []interval {
	if n := len(list); n > 0 && next.start <= list[n-1].end {
		list[n-1].end = max(list[n-1].end, next.end)
		return list
	}
	if next.start >= next.end {
		return list
	}
	return append(list, next)
}

// Words that a field may hold. They are the program's own: masking one
// because somebody's password is "critical" would blind whoever reads the
// report. Another word becomes "".
var (
	severityWords   = []string{"info", "low", "medium", "high", "critical"}
	confidenceWords = []string{"tentative", "likely", "firm", "certain"}
	exposureWords   = []string{"", string(analyzers.Active), string(analyzers.Project), string(analyzers.Template), string(analyzers.Docs), string(analyzers.Test)}
	originWords     = []string{"", string(analyzers.Captured), string(analyzers.Static), string(analyzers.Live), string(analyzers.Declared)}
	pinWords        = []string{"", string(analyzers.PinDigest), string(analyzers.PinExact), string(analyzers.PinCommit), string(analyzers.PinRange), string(analyzers.PinTag), string(analyzers.PinNone)}

	words = map[string][]string{
		"Report.SchemaVersion": {schemaVersion},
		"Tool.Name":            {"sallyport"},
		"Target.Kind":          {"", "directory", "file", "github", "github-org"},
		"Document.Exposure":    exposureWords,
		"Client.Exposure":      exposureWords,
		"Client.Scope":         {"", string(analyzers.ScopeProject), string(analyzers.ScopeUser), string(analyzers.ScopeManaged)},
		"Package.Pin":          pinWords,
		"Edge.Kind":            {edgeDeclares, edgeStarts, edgeConnects, edgeUses},
		"Group.Approval":       approvals,
		"Server.Approval":      approvals,
		"Server.Transport":     {"", string(analyzers.Stdio), string(analyzers.HTTP), string(analyzers.SSE)},
		"Server.Exposure":      exposureWords,
		"SurfaceTool.Origin":   originWords,
		"SurfaceItem.Origin":   originWords,
		"Finding.Severity":     severityWords,
		"Finding.Confidence":   confidenceWords,
		"Finding.Exposure":     exposureWords,
		"Suppressed.Kind":      {"configuration", "baseline"},
	}

	// shapes are for the program's own text that no list can hold. What does
	// not fit is masked like any other string.
	shapes = map[string]*regexp.Regexp{
		"Tool.Version":        regexp.MustCompile(`^[0-9A-Za-z.+()-]{0,100}$`),
		"Target.Digest":       digestShape,
		"Surface.Digest":      digestShape,
		"SurfaceTool.Digest":  digestShape,
		"SurfaceItem.Digest":  digestShape,
		"Finding.RuleID":      ruleIDShape,
		"Skipped.RuleID":      ruleIDShape,
		"Finding.Fingerprint": regexp.MustCompile(`^[0-9a-f]{64}:[0-9]+$`),
		"Gap.Kind":            regexp.MustCompile(`^[a-z-]{0,20}$`),
	}
	digestShape = regexp.MustCompile(`^([a-z0-9]{1,10}:)?[0-9a-f]{0,128}$`)
	ruleIDShape = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

// report masks every string of r, so that no field can be forgotten. Only the
// frames and the inventory, which are not exported, are masked where they are
// made.
func (m *masker) report(r *Report) {
	each(reflect.ValueOf(r).Elem(), "", func(v reflect.Value, name string) {
		switch {
		case v.Type() == rawMessage:
			v.SetBytes(m.json(v.Bytes()))
		case v.Kind() == reflect.String:
			v.SetString(m.field(name, v.String()))
		}
	})
}

func (m *masker) field(name, text string) string {
	if list, ok := words[name]; ok {
		if !slices.Contains(list, text) {
			return ""
		}
		return text
	}
	if shape := shapes[name]; shape != nil && shape.MatchString(text) {
		return text
	}
	return m.string(text)
}

var rawMessage = reflect.TypeFor[json.RawMessage]()

// each visits every string, slice and raw JSON value under v; name is the
// field that holds it ("Finding.Message"). A kind that it does not know is
// emptied: better lost than leaked.
func each(v reflect.Value, name string, visit func(v reflect.Value, name string)) {
	switch v.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64:
	case reflect.String:
		visit(v, name)
	case reflect.Slice:
		visit(v, name)
		if v.Type() != rawMessage {
			for i := range v.Len() {
				each(v.Index(i), name, visit)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			each(v.Elem(), name, visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				each(v.Field(i), v.Type().Name()+"."+f.Name, visit)
			}
		}
	default:
		v.SetZero()
	}
}

// json masks the strings and numbers inside a JSON value, keys included.
// Order and duplicate keys stay; a value without secrets stays byte for byte.
// What is no JSON becomes {}.
func (m *masker) json(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return raw
	}
	if !json.Valid(raw) {
		return json.RawMessage("{}")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var out bytes.Buffer
	var open []byte // the brackets that are to be closed, outermost first
	changed, inner := false, 0
	separate := func() { // inner counts the keys and values written on this level
		switch {
		case inner == 0:
		case len(open) > 0 && open[len(open)-1] == '}' && inner%2 == 1:
			out.WriteByte(':')
		default:
			out.WriteByte(',')
		}
		inner++
	}
	var counts []int
	for {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return json.RawMessage("{}")
		}
		switch t := token.(type) {
		case json.Delim:
			if t == '}' || t == ']' {
				out.WriteByte(byte(t))
				open, inner, counts = open[:len(open)-1], counts[len(counts)-1], counts[:len(counts)-1]
				continue
			}
			separate()
			out.WriteByte(byte(t))
			open, counts, inner = append(open, byte(t)+2), append(counts, inner), 0 // '{'+2 is '}', '['+2 is ']'
		case string:
			separate()
			masked := m.string(t)
			changed = changed || masked != t
			out.Write(quoted(masked))
		case json.Number:
			separate()
			masked := m.string(t.String())
			if masked != t.String() {
				changed = true
				out.Write(quoted(masked))
				continue
			}
			out.WriteString(t.String())
		default: // true, false, null
			separate()
			b, err := json.Marshal(t)
			if err != nil {
				return json.RawMessage("{}")
			}
			out.Write(b)
		}
	}
	if !changed {
		return raw
	}
	return out.Bytes()
}

func quoted(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return []byte(`""`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
