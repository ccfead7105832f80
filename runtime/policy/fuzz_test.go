package policy

import (
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/sallyport-mcp/sallyport/registry"
)

// FuzzCompile: no policy file brings the reader down; one that is accepted
// lets nobody in against a denial, and nobody at all without an override.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`forbid (principal in Unit::"cards", action, resource in Server::"files");`,
		`@override("registry") permit (principal, action == Action::"tools/call", resource) when { context.arguments has a && context.arguments.a == "b" };`,
		`@redact("x") permit (principal, action in [Action::"connect"], resource is Tool) unless { if true then false else context has zone };`,
		`forbid (principal, action, resource) when { ip("::1").isLoopback() || [1].contains(-9223372036854775808) || {a: 1}.a > 2 };`,
		`permit (principal, action, resource) when { !!!!!context.arguments.x };`,
		`@id("\u{0}") // "`, `forbid (`, "\"",
	} {
		f.Add([]byte(seed))
	}
	reg := load(f, files)
	f.Fuzz(func(t *testing.T, text []byte) {
		set, problems, err := Compile(reg, source(string(text)))
		for _, p := range problems {
			_ = p.String()
		}
		if err != nil {
			return
		}
		for _, line := range []string{"npx -y files@1.0.0", "npx evil@1.0.0", "npx unknown@1.0.0"} {
			v := set.Server(command(line))
			for _, a := range []Action{Connect, CallTool, ListTools} {
				d := v.Decide(&Request{Action: a, Name: "read", Today: today, Arguments: []byte(`{"a":"b","x":1}`)})
				overridden := len(set.Overrides()) > 0
				if d.Allowed && (line == "npx evil@1.0.0" || line == "npx unknown@1.0.0" && !overridden) {
					t.Fatalf("%s %s: %+v", line, a, d)
				}
				if d.Reason == "the policies could not be evaluated" || d.Reason == "the registry and the policies compiled from it disagree" {
					t.Fatalf("%s: %+v", line, d)
				}
			}
		}
	})
}

// FuzzArguments: what policies read of a JSON object is what encoding/json
// reads of it, or it is refused.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{`{}`, ` {"a" : [1, 2.5, "x\u00e9\ud83d\ude00", null, true, {"b": 1e3}]} `, `{"a":1,"a":2}`, `{"n":9007199254740993}`, `{"n":0.00001,"m":-0}`, `null`, `[1]`, `{`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := record(b, nil)
		var want map[string]any
		if !utf8.Valid(b) || !json.Valid(b) || json.Unmarshal(b, &want) != nil {
			return // the scanner refuses it; here it only must end
		}
		if err != nil {
			if errors.Is(err, errArgumentSize) || errors.Is(err, errArgumentTwice) {
				return
			}
			t.Fatalf("%s: %v", b, err)
		}
		same(t, got, want)
	})
}

func same(t *testing.T, got types.Value, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		r, ok := got.(types.Record)
		if !ok || r.Len() != len(want) {
			t.Fatalf("%v, want %v", got, want)
		}
		for name, w := range want {
			g, ok := r.Get(types.String(name))
			if !ok {
				t.Fatalf("%q is missing", name)
			}
			same(t, g, w)
		}
	case []any:
		if s, ok := got.(types.Set); !ok || s.Len() > len(want) || s.Len() == 0 && len(want) > 0 {
			t.Fatalf("%v, want %v", got, want)
		}
	case string:
		if got != types.String(want) {
			t.Fatalf("%v, want %q", got, want)
		}
	case bool:
		if got != types.Boolean(want) {
			t.Fatalf("%v, want %v", got, want)
		}
	case float64:
		if n, ok := got.(types.Long); ok && float64(n) != want {
			t.Fatalf("%v, want %v", got, want)
		}
	case nil:
		if got != null {
			t.Fatalf("%v, want null", got)
		}
	}
}

func TestNumbers(t *testing.T) {
	decimal := func(s string) types.Value {
		d, err := types.ParseDecimal(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for s, want := range map[string]types.Value{
		"1": types.Long(1), "-0": types.Long(0), "1e3": types.Long(1000), "2.0": types.Long(2), "9223372036854775807": types.Long(1<<63 - 1),
		"1.5": decimal("1.5"), "0.0001": decimal("0.0001"), "0.00001": types.String("0.00001"), "1.5e1": types.Long(15), "1.55e1": types.String("1.55e1"),
		"9223372036854775808": types.String("9223372036854775808"), "1e400": types.String("1e400"),
	} {
		if got := number(s); !want.Equal(got) {
			t.Errorf("%s: %v, want %v", s, got, want)
		}
	}
}

// BenchmarkDecide is one call; "first" is without memory.
func BenchmarkDecide(b *testing.B) {
	const path = `forbid (principal, action == Action::"tools/call", resource in Server::"files") when { context.arguments has path && context.arguments.path like "/etc/*" };`
	few := []string{path,
		`forbid (principal in Role::"intern", action, resource) when { resource.name like "write*" };`,
		`@override("registry") permit (principal in Unit::"labs", action, resource in Server::"mail");`,
		`forbid (principal, action == Action::"sampling", resource) unless { context has zone && context.zone == "inside" };`,
		`@redact("personal") permit (principal, action, resource) when { context has environment && context.environment == "prod" };`,
	}
	arguments := []byte(`{"path":"/srv/project/readme.md","limit":100,"offset":0}`)
	r := &Request{Who: registry.Who{Unit: "cards", Environment: "prod"}, User: "alice", Action: CallTool, Name: "read", Arguments: arguments, Today: today}
	for _, bench := range []struct {
		name   string
		texts  []string
		forget bool
	}{{"registry", nil, false}, {"registry, first", nil, true}, {"few policies", few[1:], false}, {"few policies, first", few[1:], true}, {"few policies with arguments", few, false}} {
		b.Run(bench.name, func(b *testing.B) {
			v := compile(b, bench.texts...).Server(command("npx -y files@1.0.0"))
			b.ReportAllocs()
			for b.Loop() {
				if bench.forget {
					clear(v.cached)
				}
				if d := v.Decide(r); !d.Allowed {
					b.Fatal(d.Reason)
				}
			}
		})
	}
}

// BenchmarkServer narrows a set to one server.
func BenchmarkServer(b *testing.B) {
	set := compile(b)
	id := command("npx -y mail@1.0.0")
	b.ReportAllocs()
	for b.Loop() {
		set.Server(id)
	}
}
