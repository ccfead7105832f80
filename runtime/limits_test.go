package runtime_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/runtime"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
	"github.com/sallyport-mcp/sallyport/runtime/redact"
)

// limited is a session with a server whose entry and policies say more.
func limited(t testing.TB, entry, cedar, tools string) *runtime.Session {
	t.Helper()
	c := config(t, `{"serverInfo":{"name":"harbour"},"tools":[`+tools+`]}`)
	yaml := "apiVersion: sallyport/v1\nkind: Registry\nname: test\nservers:\n  - id: harbour\n    status: approved\n    match: {argv: [harbour]}\n" + entry + "    evidence: {approvedBy: a, approvedAt: \"2026-01-01\", reason: r}\n"
	reg, _, err := registry.Load(&analyzers.Source{Path: "registry.yaml", Bytes: []byte(yaml)}, today)
	if err != nil {
		t.Fatal(err)
	}
	var files []*analyzers.Source
	if cedar != "" {
		files = append(files, &analyzers.Source{Path: "p.cedar", Bytes: []byte(cedar)})
	}
	if c.Policy, _, err = policy.Compile(reg, files...); err != nil {
		t.Fatal(err)
	}
	return begin(t, c, tools)
}

func call(id int, tool string) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":{}}}`, id, tool)
}

func TestCallsPerMinute(t *testing.T) {
	const moon = `{"name":"moon","description":"Returns the phase of the moon.","inputSchema":{"type":"object"}}`
	s := limited(t, "    limits: {callsPerMinute: 4}\n", `@callsPerMinute("2") permit (principal, action == Action::"tools/call", resource) when { resource.name == "moon" };`, tidal+","+moon)
	var v runtime.Verdict
	id := 10
	for _, step := range []struct {
		after time.Duration
		tool  string
		wait  string // "" when it passes
	}{
		{0, "moon", ""},
		{time.Second, "moon", ""},
		{2 * time.Second, "moon", "wait 58 seconds"},
		{2 * time.Second, "tides", ""},
		{3 * time.Second, "tides", ""},
		{59*time.Second + 1, "tides", "wait 1 seconds"},
		{60 * time.Second, "tides", ""}, // the first moon counts no longer
		{60*time.Second + 1, "moon", "wait 1 seconds"},
		{61 * time.Second, "moon", ""},
		{62 * time.Second, "moon", ""},
		{63 * time.Second, "moon", "wait 58 seconds"},
		{3 * time.Minute, "moon", ""},
	} {
		id++
		now := noon.Add(step.after)
		s.FromClient(call(id, step.tool), &v, now)
		if step.wait == "" {
			if said(&v) != "> tools/call" {
				t.Fatalf("%s after %s: %s %s", step.tool, step.after, said(&v), v.ToClient)
			}
			s.FromServer(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"result":{"content":[]}}`, id), &v, now)
			continue
		}
		if said(&v) != "deny shim/limit; < result" || !bytes.Contains(v.ToClient[0], []byte(strings.ToUpper(step.wait[:1])+step.wait[1:])) || !bytes.Contains(v.ToClient[0], []byte(`"isError":true`)) {
			t.Fatalf("%s after %s: %s %s; want %s", step.tool, step.after, said(&v), v.ToClient, step.wait)
		}
	}
}

func TestConcurrent(t *testing.T) {
	s := limited(t, "    limits: {concurrent: 2}\n", "", tidal)
	var v runtime.Verdict
	for id, want := range []string{"> tools/call", "> tools/call", "deny shim/limit; < result"} {
		if s.FromClient(call(10+id, "tides"), &v, noon); said(&v) != want {
			t.Errorf("%d: %s; want %s", id, said(&v), want)
		}
	}
	s.FromServer([]byte(`{"jsonrpc":"2.0","id":10,"result":{"content":[]}}`), &v, noon)
	if s.FromClient(call(13, "tides"), &v, noon); said(&v) != "> tools/call" {
		t.Error(said(&v))
	}
	s.FromClient([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":11}}`), &v, noon)
	if s.FromClient(call(14, "tides"), &v, noon); said(&v) != "> tools/call" {
		t.Error(said(&v))
	}
}

// TestSeconds: a call that takes too long is answered and cancelled, and what
// comes later is dropped.
func TestSeconds(t *testing.T) {
	s := limited(t, "    limits: {seconds: 5}\n", "", tidal)
	var v runtime.Verdict
	if !s.Due().IsZero() {
		t.Error("something is due")
	}
	s.FromClient(call(10, "tides"), &v, noon)
	s.FromClient(call(11, "tides"), &v, noon.Add(time.Second))
	if got := s.Due(); !got.Equal(noon.Add(5 * time.Second)) {
		t.Error(got)
	}
	if s.Expire(&v, noon.Add(4*time.Second)); said(&v) != "" {
		t.Error(said(&v))
	}
	s.Expire(&v, noon.Add(5*time.Second))
	if said(&v) != "deny shim/limit; > notifications/cancelled; < result" || !bytes.Contains(v.ToServer[0], []byte(`"requestId":10`)) || !bytes.Contains(v.ToClient[0], []byte(`"id":10`)) || v.Records[0].Direction != audit.Shim {
		t.Errorf("%s %s %s", said(&v), v.ToServer, v.ToClient)
	}
	if got := s.Due(); !got.Equal(noon.Add(6 * time.Second)) {
		t.Error(got)
	}
	if s.FromServer([]byte(`{"jsonrpc":"2.0","id":10,"result":{"content":[]}}`), &v, noon); said(&v) != "drop" || v.Records[0].Refused() || v.Records[0].Name != "tides" {
		t.Error(said(&v))
	}
	if s.FromServer([]byte(`{"jsonrpc":"2.0","id":10,"result":{"content":[]}}`), &v, noon); said(&v) != "drop shim/sequence" { // once
		t.Error(said(&v))
	}
	if s.FromServer([]byte(`{"jsonrpc":"2.0","id":11,"result":{"content":[]}}`), &v, noon); said(&v) != "< result" {
		t.Error(said(&v))
	}
	if s.Expire(&v, noon.Add(time.Hour)); said(&v) != "" || !s.Due().IsZero() {
		t.Error(said(&v), s.Due())
	}
}

// TestRedaction: values of the kinds that the entry names are taken out of
// whatever a server says, and nothing else changes.
func TestRedaction(t *testing.T) {
	const (
		token = "ghp_" + "Zq8vT2mN4xRk7LwBsHd5JmC1yPf6GaE0QpXz"
		mail  = "ada.harbour@port.example.org"
	)
	typed := `{"name":"tides","description":"Returns the hours of high and low water.","inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{"phone":{"type":"string","pattern":"^\\+[0-9 ]+$"},"card":{"type":"integer","minimum":1000000000000},"by":{"enum":["` + mail + `"]},"note":{"type":"string"}}}}`
	for name, c := range map[string]struct{ kinds, result, want string }{
		"nothing in it":      {"secrets, personal", `{"content":[{"type":"text","text":"High water at six."}]}`, ""},
		"a token":            {"secrets", `{"content":[{"type":"text","text":"use ` + token + ` and go"}]}`, `{"content":[{"type":"text","text":"use [redacted: secrets] and go"}]}`},
		"mail is not asked":  {"secrets", `{"content":[{"type":"text","text":"ask ` + mail + `"}]}`, ""},
		"mail":               {"emails", `{"content":[{"type":"text","text":"ask\n` + mail + `, or \u0061da.harbour\u0040port.example.org."}]}`, `{"content":[{"type":"text","text":"ask\n[redacted: emails], or [redacted: emails]."}]}`},
		"by its name":        {"secrets", `{"content":[],"structuredContent":{"password":"Harbour-7-gate","note":"tide"}}`, `{"content":[],"structuredContent":{"password":"[redacted: secrets]","note":"tide"}}`},
		"a list by its name": {"secrets", `{"content":[],"structuredContent":{"password":["Harbour-7-gate"]}}`, `{"content":[],"structuredContent":{"password":["[redacted: secrets]"]}}`},
		"a pattern":          {"personal", `{"content":[],"structuredContent":{"phone":"+49 40 1234567","note":"+49 40 1234567"}}`, `{"content":[],"structuredContent":{"phone":"+00 00 0000000","note":"+00 00 0000000"}}`},
		"a number":           {"cards", `{"content":[],"structuredContent":{"card":4111111111111111}}`, `{"content":[],"structuredContent":{"card":1000000000000000}}`},
		"a number of text":   {"cards", `{"content":[],"_meta":{"x":[4111111111111111,12]}}`, `{"content":[],"_meta":{"x":[0,12]}}`},
		"no other form":      {"personal", `{"content":[],"structuredContent":{"by":"` + mail + `"}}`, "withheld"},
		"a name of a member": {"personal", `{"content":[],"_meta":{"` + mail + `":1}}`, `{"content":[],"_meta":{"[redacted: emails]":1}}`},
		"two such names":     {"personal", `{"content":[],"_meta":{"` + mail + `":1,"b` + mail + `":2}}`, "withheld"},
		"beside another":     {"emails", `{"content":[],"_meta":{"a":"` + mail + `+49 40 1234567"}}`, `{"content":[],"_meta":{"a":"[redacted: emails]+49 40 1234567"}}`},
		"a blob":             {"emails", `{"content":[{"type":"resource","resource":{"uri":"file:///a","blob":"YXNrIGFkYUBwb3J0LmV4YW1wbGUub3Jn"}}]}`, `{"content":[{"type":"resource","resource":{"uri":"file:///a","blob":"YXNrIFtyZWRhY3RlZDogZW1haWxzXQ=="}}]}`},
	} {
		s := limited(t, "    redaction: ["+c.kinds+"]\n", "", typed)
		var v runtime.Verdict
		s.FromClient(call(10, "tides"), &v, noon)
		s.FromServer([]byte(`{"jsonrpc":"2.0","id":10,"result":`+c.result+`}`), &v, noon)
		if len(v.ToClient) != 1 || len(v.Records) != 1 {
			t.Errorf("%s: %s", name, said(&v))
			continue
		}
		got := string(v.ToClient[0])
		r := v.Records[0]
		switch c.want {
		case "":
			if got != `{"jsonrpc":"2.0","id":10,"result":`+c.result+`}` || r.Decision != audit.Allow {
				t.Errorf("%s: %s", name, got)
			}
		case "withheld":
			if said(&v) != "deny shim/redaction; < error" {
				t.Errorf("%s: %s %s", name, said(&v), got)
			}
		default:
			if got != `{"jsonrpc":"2.0","id":10,"result":`+c.want+`}` || r.Decision != audit.Change || r.Rule != runtime.RuleRedaction {
				t.Errorf("%s: %s\nwant %s", name, got, c.want)
			}
		}
		if c.want != "" && (strings.Contains(got+r.Reason, mail) || strings.Contains(got+r.Reason, token) || strings.Contains(r.Reason, "4111")) {
			t.Errorf("%s: the value is still there: %s %s", name, got, r.Reason)
		}
	}
}

// TestRedactionUnasked: what answers nothing is held to the same.
func TestRedactionUnasked(t *testing.T) {
	s := limited(t, "    redaction: [emails]\n", "", tidal)
	var v runtime.Verdict
	s.FromServer([]byte(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"mail from ada@port.example.org"}}`), &v, noon)
	if len(v.ToClient) != 1 || !bytes.Contains(v.ToClient[0], []byte(`"mail from [redacted: emails]"`)) {
		t.Errorf("%s %s", said(&v), v.ToClient)
	}
	s.FromClient(call(10, "tides"), &v, noon)
	s.FromServer([]byte(`{"jsonrpc":"2.0","id":10,"error":{"code":-32000,"message":"ada@port.example.org is gone"}}`), &v, noon)
	if len(v.ToClient) != 1 || !bytes.Contains(v.ToClient[0], []byte(`"[redacted: emails] is gone"`)) {
		t.Errorf("%s %s", said(&v), v.ToClient)
	}
}

// FuzzRedaction: whatever a server answers, what goes on is one strict message
// with the same id in which nothing is found any more.
func FuzzRedaction(f *testing.F) {
	for _, s := range []string{
		`{"content":[{"type":"text","text":"ada@port.example.org, \u002b49 40 1234567"}]}`,
		`{"content":[],"structuredContent":{"password":"Harbour-7-gate","card":4111111111111111,"x":["DE89 3704 0044 0532 0130 00"]}}`,
		`{"contents":[{"uri":"file:///a","blob":"YXNrIGFkYUBwb3J0LmV4YW1wbGUub3Jn"}]}`,
		`{"ada@port.example.org":{"ada@port.example.org":-4111111111111111}}`,
	} {
		f.Add([]byte(s))
	}
	set, _ := redact.New(registry.RedactionKinds())
	s := limited(f, "    redaction: [secrets, personal]\n    limits: {seconds: 60, concurrent: 3}\n", "", tidal)
	id := 10
	f.Fuzz(func(t *testing.T, result []byte) {
		var v runtime.Verdict
		id++
		s.FromClient(call(id, "tides"), &v, noon)
		if len(v.ToServer) != 1 {
			t.Fatal(said(&v))
		}
		s.FromServer(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"result":%s}`, id, result), &v, noon)
		if len(v.ToClient) == 0 { // no message: the call is still open
			s.Expire(&v, noon.Add(time.Hour))
		}
		if len(v.ToClient) != 1 || !json.Valid(v.ToClient[0]) {
			t.Fatalf("%s %q", said(&v), v.ToClient)
		}
		var m jsonrpc.Message
		out := bytes.Clone(v.ToClient[0])
		if err := jsonrpc.NewScanner(jsonrpc.Options{LoneSurrogates: true}).Scan(out, &m); err != nil || string(m.ID.In(out)) != fmt.Sprint(id) {
			t.Fatalf("%v %s", err, out)
		}
		for leaf := range jsonrpc.Texts(&analyzers.Source{Bytes: out}, m.Result) {
			for _, left := range set.Find("", leaf.Text.Raw()) {
				if left.Kind != registry.RedactSecrets { // a label beside what was left can look like one
					t.Fatalf("%s is left: %s", left.Kind, out)
				}
			}
		}
	})
}

// TestRedactionInside: what a policy has taken out of a tool's answers is taken
// out where the tool is called through another.
func TestRedactionInside(t *testing.T) {
	const do = `{"name":"do","description":"Does one of the harbour's works.","inputSchema":{"type":"object","properties":{"work":{"type":"string"}}}}`
	s := limited(t, "    tools: {dispatch: [{tool: do, name: work}]}\n", `@redact("emails") permit (principal, action == Action::"tools/call", resource) when { resource.name == "tides" };`, tidal+","+do)
	var v runtime.Verdict
	for i, c := range []struct {
		work  string
		taken bool
	}{{"moon", false}, {"tides", true}, {"moon", false}} {
		s.FromClient([]byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"do","arguments":{"work":%q}}}`, 50+i, c.work)), &v, noon)
		if len(v.ToServer) != 1 {
			t.Fatal(said(&v))
		}
		s.FromServer([]byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"Ask pilot@harbour.example about it."}]}}`, 50+i)), &v, noon)
		if len(v.ToClient) != 1 || bytes.Contains(v.ToClient[0], []byte("pilot@")) == c.taken {
			t.Errorf("%s: %s %s", c.work, said(&v), v.ToClient)
		}
	}
}

// TestKeptDecisions: a decision that hangs on arguments is not kept, and one that
// is kept counts no longer when another day comes.
func TestKeptDecisions(t *testing.T) {
	const find = `{"name":"find","description":"Finds a ship.","inputSchema":{"type":"object","properties":{"name":{"type":"string"}}}}`
	s := limited(t, "", `forbid (principal, action == Action::"tools/call", resource) when { context.arguments has name && context.arguments.name == "ghost" };
forbid (principal, action, resource) when { context.today >= datetime("2026-11-23") };`, find+","+tidal)
	call := func(arguments string) string {
		return `"tools/call","params":{"name":"find","arguments":` + arguments + `}`
	}
	for i, step := range []struct {
		days   int
		method string
		passes bool
	}{
		{0, call(`{"name":"anna"}`), true},
		{0, call(`{"name":"ghost"}`), false},
		{0, call(`{"name":"anna"}`), true},
		{0, `"ping"`, true},
		{0, `"ping"`, true},
		{1, `"ping"`, false},
		{0, `"ping"`, true},
	} {
		var v runtime.Verdict
		s.FromClient(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":%s}`, 10+i, step.method), &v, noon.AddDate(0, 0, step.days))
		if passes := len(v.ToServer) == 1 && len(v.ToClient) == 0; passes != step.passes {
			t.Errorf("%d %+v: passes %v; %+v", i, step, passes, v.Records)
		}
	}
}
