package report

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestReadBack(t *testing.T) {
	want := jsonOf(t, Build(sample()))
	r, err := Read(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	if got := jsonOf(t, r); !bytes.Equal(got, want) {
		t.Errorf("another report came back:\n%s", got)
	}
	for _, format := range Formats {
		if err := format.Write(io.Discard, r, Options{}); err != nil {
			t.Errorf("%s: %v", format.Name, err)
		}
	}
}

func TestRead(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"smallest", `{"schemaVersion":"1"}`, ""},
		{"unknown members", `{"schemaVersion":"1","new":{"a":1},"stats":{"cpu":3}}`, ""},
		{"nulls", `{"schemaVersion":"1","findings":[{"related":null,"flow":null}],"catalog":{"servers":[{"launch":{"args":null},"surface":{"tools":[{"inputSchema":null,"unresolved":null}]}}]},"gaps":null}`, ""},
		{"nothing", ``, "no valid JSON"},
		{"a list", `[]`, "cannot be a JSON array"},
		{"cut short", `{"schemaVersion":"1","findings":[`, "no valid JSON at byte 33"},
		{"two values", `{"schemaVersion":"1"} {}`, "no valid JSON"},
		{"SARIF", `{"version":"2.1.0","runs":[]}`, "no schemaVersion"},
		{"a later version", `{"schemaVersion":"2","findings":"other"}`, `schemaVersion is "2"; this sallyport reads "1"`},
		{"a hostile version", `{"schemaVersion":"\u001b[31m` + strings.Repeat("x", 1000) + `"}`, `schemaVersion is "\x1b[31mxxx`},
		{"a number as version", `{"schemaVersion":1}`, "no string"},
		{"wrong type", `{"schemaVersion":"1","findings":[{"startLine":"three"}]}`, "findings.startLine cannot be a JSON string"},
	} {
		r, err := Read(strings.NewReader(c.in))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want == "" && bytes.Contains(bytes.ReplaceAll(bytes.ReplaceAll(jsonOf(t, r), []byte(`"fix": null`), nil), []byte(`"suppressed": null`), nil), []byte("null")):
			t.Errorf("%s: a null is left:\n%s", c.name, jsonOf(t, r))
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 300):
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

// endless is a report that goes on for ever.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestReadIsBounded(t *testing.T) {
	if _, err := Read(endless{}); err == nil || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("%v", err)
	}
}
