package policy

import (
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
)

const files = head + `
  - id: files
    match: {argv: [npx, "-y", files@1.0.0]}
    status: approved
    tools: {deny: [delete_file]}
    limits: {callsPerMinute: 60}
    redaction: [secrets]
    evidence: {approvedBy: alice}
  - id: mail
    match: {purl: pkg:npm/mail@1.0.0}
    status: approved
    units: [payments]
    environments: [prod]
    manifest: {digest: "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
    evidence: {until: 2027-01-31}
  - {id: evil, match: {purl: pkg:npm/evil}, status: denied, evidence: {approvedBy: bob, reason: it mails what it reads}}
  - {id: new, match: {purl: pkg:npm/new}, status: quarantined}
`

func load(t testing.TB, body string) *registry.Registry {
	t.Helper()
	reg, _, err := registry.Load(&analyzers.Source{Path: "r.yaml", Bytes: []byte(body)}, today)
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

func source(text string) *analyzers.Source {
	return &analyzers.Source{Path: "p.cedar", Bytes: []byte(text)}
}

func compile(t testing.TB, texts ...string) *Set {
	t.Helper()
	var sources []*analyzers.Source
	for _, text := range texts {
		sources = append(sources, source(text))
	}
	set, problems, err := Compile(load(t, files), sources...)
	if err != nil {
		t.Fatal(err, problems)
	}
	return set
}

func command(line string) registry.Identity { return registry.CommandLine(line) }

// TestFiles: what policies of files do to the decisions of the registry.
func TestFiles(t *testing.T) {
	const call = "tools/call "
	for _, test := range []struct {
		name, policy, server string
		do, arguments        string
		want                 bool
		rule                 string
		reason               string
	}{
		{"registry alone", "", "npx -y files@1.0.0", call + "read", "", true, "registry/files", ""},
		{"its denied tool", "", "npx -y files@1.0.0", call + "delete_file", "", false, "registry/files", "not its tool"},
		{"nobody's server", "", "npx -y other@1.0.0", "connect", "", false, "", "no entry"},
		{"forbid narrows", `forbid (principal, action, resource in Server::"files");`, "npx -y files@1.0.0", "connect", "", false, "p.cedar#policy0", "forbids it"},
		{"forbid of another server", `forbid (principal, action, resource in Server::"mail");`, "npx -y files@1.0.0", "connect", "", true, "registry/files", ""},
		{"forbid of another tool", `forbid (principal, action, resource == Tool::"write");`, "npx -y files@1.0.0", call + "read", "", true, "registry/files", ""},
		{"id and reason", `@id("no-write") @reason("ask\u{7} first") forbid (principal, action, resource == Tool::"write");`, "npx -y files@1.0.0", call + "write", "", false, "p.cedar#no-write", `ask\u{7} first`},
		{"a forbidden tool is not listed", `forbid (principal, action == Action::"tools/call", resource == Tool::"write");`, "npx -y files@1.0.0", "tools/list write", "", false, "p.cedar#policy0", ""},
		{"by pattern", `forbid (principal, action, resource) when { resource.name like "wri*" };`, "npx -y files@1.0.0", call + "write", "", false, "p.cedar#policy0", ""},
		{"principal", `forbid (principal in Unit::"acme", action, resource);`, "npx -y files@1.0.0", "connect", "", false, "p.cedar#policy0", ""},
		{"another principal", `forbid (principal in Unit::"labs", action, resource);`, "npx -y files@1.0.0", "connect", "", true, "registry/files", ""},
		{"user", `forbid (principal in User::"carol", action, resource);`, "npx -y files@1.0.0", "connect", "", false, "p.cedar#policy0", ""},
		{"role", `forbid (principal in Role::"intern", action, resource);`, "npx -y files@1.0.0", "connect", "", false, "p.cedar#policy0", ""},
		{"context", `forbid (principal, action == Action::"sampling", resource) unless { context has zone && context.zone == "inside" };`, "npx -y files@1.0.0", "sampling", "", false, "p.cedar#policy0", ""},

		// A permit admits nobody, unless it says so.
		{"permit admits nothing", `permit (principal, action, resource);`, "npx -y other@1.0.0", "connect", "", false, "", "no entry"},
		{"permit lifts no denial", `permit (principal, action, resource);`, "npx evil@1.0.0", "connect", "", false, "registry/evil", "mails what"},
		{"override admits", `@override("registry") permit (principal, action, resource);`, "npx -y other@1.0.0", "connect", "", true, "p.cedar#policy0", "in place of the registry"},
		{"override lifts no denial", `@override("registry") permit (principal, action, resource);`, "npx evil@1.0.0", "connect", "", false, "registry/evil", "denies it"},
		{"override lifts no quarantine", `@override("registry") permit (principal, action, resource);`, "npx new@1.0.0", "connect", "", false, "registry/new", "quarantine"},
		{"override lifts no denied tool", `@override("registry") permit (principal, action, resource);`, "npx -y files@1.0.0", call + "delete_file", "", false, "registry/files", "not its tool"},
		{"forbid beats override", `@override("registry") permit (principal, action, resource); @id("stop") forbid (principal, action, resource == Tool::"x");`, "npx -y other@1.0.0", call + "x", "", false, "p.cedar#stop", ""},

		// Arguments.
		{"argument refused", `forbid (principal, action, resource) when { context.arguments has path && context.arguments.path like "/etc/*" };`, "npx -y files@1.0.0", call + "read", `{"path":"\u002fetc/shadow"}`, false, "p.cedar#policy0", ""},
		{"argument passed", `forbid (principal, action, resource) when { context.arguments has path && context.arguments.path like "/etc/*" };`, "npx -y files@1.0.0", call + "read", `{"path":"/srv/a"}`, true, "registry/files", ""},
		{"argument missing", `forbid (principal, action, resource) when { context.arguments has path && context.arguments.path like "/etc/*" };`, "npx -y files@1.0.0", call + "read", ``, true, "registry/files", ""},
		{"still listed", `forbid (principal, action, resource) unless { context.arguments has path };`, "npx -y files@1.0.0", "tools/list read", ``, true, "registry/files", ""},
		{"an argument of another type is a denial", `forbid (principal, action, resource) when { context.arguments has path && context.arguments.path like "/etc/*" };`, "npx -y files@1.0.0", call + "read", `{"path":["/etc/shadow"]}`, false, "p.cedar#policy0", "cannot be evaluated"},
		{"number", `forbid (principal, action, resource) when { context.arguments has amount && context.arguments.amount > 100 };`, "npx -y files@1.0.0", call + "pay", `{"amount":1e3}`, false, "p.cedar#policy0", "forbids"},
		{"number not whole", `forbid (principal, action, resource) when { context.arguments has amount && context.arguments.amount > 100 };`, "npx -y files@1.0.0", call + "pay", `{"amount":100.5}`, false, "p.cedar#policy0", "cannot be evaluated"},
		{"nested", `forbid (principal, action, resource) when { context.arguments has to.host && ["evil.example"].contains(context.arguments.to.host) };`, "npx -y files@1.0.0", call + "send", `{"to":{"host":"evil.example"},"body":{"to":1}}`, false, "p.cedar#policy0", "forbids"},
		{"list", `forbid (principal, action, resource) when { context.arguments has scopes && context.arguments.scopes.contains("admin") };`, "npx -y files@1.0.0", call + "send", `{"scopes":["read","admin"]}`, false, "p.cedar#policy0", "forbids"},
		{"override by argument", `@override("registry") permit (principal, action == Action::"tools/call", resource) when { context.arguments has dry && context.arguments.dry };`, "npx -y other@1.0.0", call + "x", `{"dry":true}`, true, "p.cedar#policy0", ""},
		{"override by argument, without", `@override("registry") permit (principal, action == Action::"tools/call", resource) when { context.arguments has dry && context.arguments.dry };`, "npx -y other@1.0.0", call + "x", `{"dry":false}`, false, "", "no entry"},
		{"twice", `forbid (principal, action, resource) when { context.arguments has path && context.arguments.path like "/etc/*" };`, "npx -y files@1.0.0", call + "read", `{"path":"/srv","path":"/etc/x"}`, false, "p.cedar#policy0", "stands twice"},
		{"unread arguments may be large", `forbid (principal, action, resource) when { context.arguments has path && context.arguments.path like "/etc/*" };`, "npx -y files@1.0.0", call + "read", `{"body":[` + strings.Repeat("0,", 9000) + `0]}`, true, "registry/files", ""},
		{"too long", `forbid (principal, action, resource) when { context.arguments has path && context.arguments.path like "/etc/*" };`, "npx -y files@1.0.0", call + "read", `{"path":"/srv` + strings.Repeat("x", maxArgumentText) + `"}`, false, "p.cedar#policy0", "too many"},
		{"too many", `forbid (principal, action, resource) when { context.arguments has ids && context.arguments.ids.contains(7) };`, "npx -y files@1.0.0", call + "read", `{"ids":[` + strings.Repeat("0,", 9000) + `0]}`, false, "p.cedar#policy0", "too many"},

		// Unusable requests.
		{"no tool", "", "npx -y files@1.0.0", call, "", false, "", "does not name"},
		{"no action", "", "npx -y files@1.0.0", "tools/Call read", "", false, "", "no action"},
	} {
		var texts []string
		if test.policy != "" {
			texts = append(texts, test.policy)
		}
		v := compile(t, texts...).Server(command(test.server))
		action, name, _ := strings.Cut(test.do, " ")
		r := &Request{Who: registry.Who{Unit: "cards", Roles: []string{"intern"}}, User: "carol", Action: Action(action), Name: name, Today: today}
		if test.arguments != "" {
			r.Arguments = []byte(test.arguments)
		}
		for range 2 {
			d := v.Decide(r)
			if d.Allowed != test.want || d.Rule != test.rule || !strings.Contains(d.Reason, test.reason) || d.Reason == "" {
				t.Errorf("%s: %+v", test.name, d)
			}
		}
	}
}

// TestAdvice: permits of files tighten what an entry says.
func TestAdvice(t *testing.T) {
	v := compile(t, `
@redact("personal, secrets") @callsPerMinute("10") @seconds("30")
permit (principal, action == Action::"tools/call", resource in Server::"files");
@callsPerMinute("100")
permit (principal, action, resource);
@redact("cards")
permit (principal, action, resource) when { context.arguments has card && context.arguments.card };
`).Server(command("npx -y files@1.0.0"))
	d := v.Decide(&Request{Action: CallTool, Name: "read", Today: today, Arguments: []byte(`{"card":true}`)})
	if !d.Allowed || strings.Join(d.Redact, " ") != "secrets personal cards" || d.Limits != (registry.Limits{CallsPerMinute: 10, Seconds: 30}) {
		t.Errorf("%+v", d)
	}
	d = v.Decide(&Request{Action: Connect, Today: today})
	if !d.Allowed || strings.Join(d.Redact, " ") != "secrets" || d.Limits != (registry.Limits{CallsPerMinute: 60}) {
		t.Errorf("%+v", d)
	}
}

// TestRisk: what a review found is there for policies, unless the request says
// otherwise.
func TestRisk(t *testing.T) {
	v := compile(t, `@id("calm") forbid (principal, action == Action::"tools/call", resource) when { context has risk && context.risk != "none" };`).Server(command("npx -y files@1.0.0"))
	entry := v.Decide(&Request{Action: CallTool, Name: "read", Today: today}).Entry
	for risk, allowed := range map[string]bool{"none": true, "low": false} {
		entry.Evidence.Findings = nil
		if risk != "none" {
			entry.Evidence.Findings = []string{"info note", risk + " unpinned-package"}
		}
		if got := entry.Risk(); got != risk {
			t.Errorf("%q; want %q", got, risk)
		}
		// Another user: what was decided for one is remembered.
		if d := v.Decide(&Request{Action: CallTool, Name: "read", User: risk, Today: today}); d.Allowed != allowed {
			t.Errorf("%s: %+v", risk, d)
		}
	}
	if d := v.Decide(&Request{Action: CallTool, Name: "read", Risk: "high", Today: today}); d.Allowed {
		t.Errorf("%+v", d)
	}
}

// TestProblems: what Compile says of policy files, and where.
func TestProblems(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{`forbid (principal in Unit::"cards", action, resource in Server::"files");`, nil},
		{"forbid (principal in Unit::\"cards\", action,\n  resource in Server::\"filez\");", []string{`p.cedar:2:23: error: the registry has no entry "filez"`}},
		{`forbid (principal in Unit::"paymnts", action, resource);`, []string{`1:28: error: the registry declares no unit "paymnts"`}},
		{`forbid (principal in Role::"boss", action, resource);`, []string{`error: the registry declares no role "boss"`}},
		{`forbid (principal, action, resource) when { context has zone && context.zone == "outside" };`, []string{`1:81: error: the registry declares no zone "outside"`}},
		{`forbid (principal, action, resource) when { context has roles && context.roles.contains("boss") };`, []string{`declares no role "boss"`}},
		{`forbid (principal, action, resource) when { context has environment && ["prod", "prd"].contains(context.environment) };`, []string{`declares no environment "prd"`}},
		{`forbid (principal, action == Action::"tools/cal", resource);`, []string{`1:38: error: there is no action "tools/cal"; known are completion/complete, connect`}},
		{`forbid (principal, action == Action::"tools/list", resource);`, []string{`write "tools/call" instead of "tools/list"`}},
		{`forbid (principal in Team::"x", action, resource);`, []string{"1:22: error: unrecognized entity type `Team`"}},
		{`forbid (principal, action, resource) when { context.zome == "inside" };`, []string{"1:53: error: there is no attribute `zome`"}},
		{`forbid (principal, action, resource) when { context.zone == "inside" };`, []string{`1:53: error: zone is not always there`}},
		{`forbid (principal, action, resource) when { context.arguments.path like "/etc/*" };`, []string{`1:63: error: path is not always there`}},
		{`forbid (principal, action, resource) when { resource.nam == "x" };`, []string{"1:54: error: there is no attribute `nam`"}},
		{`forbid (principal, action, resource) when { resource.name > 5 };`, []string{"error: "}},
		{"forbid (principal, action, resource)\nwhen { tru };", []string{`p.cedar:2:`, `error: no Cedar policy: `}},
		{`forbid (principal, action, resource == Server::"files");`, []string{`warning: this policy can never match`}},
		{`forbid (principal, action == Action::"sampling", resource == Tool::"x");`, []string{`warning: this policy can never match`}},
		{`forbid (principal, action, resource) when { 1 > 2 };`, []string{`1:1: warning: this policy can never match`}},
		{`permit (principal, action, resource);`, []string{`1:1: warning: this permit has no effect`}},
		{`@override("registry") permit (principal, action, resource);`, []string{`1:2: note: OVERRIDE: `}},
		{`@override("registry") permit (principal, action, resource in Server::"evil");`, []string{`note: OVERRIDE`, `warning: entry "evil" is denied, and an override does not lift that`}},
		{`@override("all") permit (principal, action, resource);`, []string{`error: only @override("registry")`}},
		{`@override("registry") forbid (principal, action, resource);`, []string{`error: @override belongs on a permit`}},
		{`@redcat("secrets") permit (principal, action, resource);`, []string{`1:2: warning: @redcat says nothing here`, `no effect`}},
		{`@seconds("-1") permit (principal, action, resource);`, []string{`a limit is a whole number`}},
		{`@id("a") forbid (principal, action, resource == Tool::"a"); @id("a") forbid (principal, action, resource == Tool::"b");`, []string{`two policies of the file have the id "a"`}},
		{``, []string{`warning: the file holds no policy`}},
		{"forbid (principal, action, resource) when { \"\xff\" == \"\" };", []string{"not UTF-8"}},
		{`forbid (principal, action, resource) when { ` + strings.Repeat("(", 100) + `true` + strings.Repeat(")", 100) + ` };`, []string{"nested deeper"}},
		{`forbid (principal, action, resource) when { ` + strings.Repeat("true || ", 3000) + `true };`, []string{"more than 16384 bytes"}},
		{`forbid (principal, action, resource) when { ` + strings.Repeat("context has zone && ", 33) + `true };`, []string{"more than 32 members with has"}},
		{`forbid (principal, action, resource) when { context.arguments has a` + strings.Repeat(".a", 100) + ` };`, []string{"nested deeper"}},
		{`forbid (principal, action, resource) when { context.arguments has a` + strings.Repeat(".a", 20) + ` };`, []string{"at most 32 arguments, 16 levels deep"}},
		{strings.Repeat(" ", maxFileBytes+1), []string{"more than 262144"}},
		{"// comment \"\nforbid (principal, action, resource) when { resource.name == \"// ;\" };", nil},
	} {
		set, problems, err := Compile(load(t, files), source(test.text))
		var got []string
		for _, p := range problems {
			got = append(got, p.String())
		}
		all := strings.Join(got, "\n")
		ok := len(test.want) > 0 || len(got) == 0
		for _, want := range test.want {
			ok = ok && strings.Contains(all, want)
		}
		if !ok || strings.Contains(all, ": error: ") != (err != nil) || (set == nil) != (err != nil) {
			t.Errorf("%.100s:\n%s\nwant %q (%v)", test.text, all, test.want, err)
		}
	}
}

// TestCompiledPolicies: what is compiled from a registry passes Cedar's own
// check against the schema that users see.
func TestCompiledPolicies(t *testing.T) {
	s, err := schemaFor("{}")
	if err != nil {
		t.Fatal(err)
	}
	v := compile(t)
	n := 0
	for _, line := range []string{"npx -y files@1.0.0", "npx mail@1.0.0", "npx evil@1.0.0", "npx new@1.0.0"} {
		for _, r := range v.Server(command(line)).compiled {
			n++
			if err := validate.New(s).Policy("", r.tree()); err != nil {
				t.Errorf("%s: %v", r.Text, err)
			}
		}
	}
	if n < 5 {
		t.Errorf("%d policies", n)
	}
	const want = `// r.yaml:26: entry mail, approved, for unit payments
@id("registry/mail")
permit (
  principal in Unit::"payments",
  action,
  resource in Server::"mail"
)
when { context has environment && ["prod"].contains(context.environment) }
when { context.today <= datetime("2027-01-31") }
unless { context has surface && context.surface != "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };`
	if got := v.Server(command("npx mail@1.0.0")).Policies(); len(got) != 1 || got[0].Text != want {
		t.Errorf("%+v", got)
	}
}

// TestActions: every method leads to an action that exists, and every action
// but the lists is known to the schema.
func TestActions(t *testing.T) {
	s, err := schemaFor("{}")
	if err != nil {
		t.Fatal(err)
	}
	for a, k := range kinds {
		if !k.cedar.Valid() || kinds[k.cedar].cedar != k.cedar {
			t.Errorf("%s: %+v", a, k)
		}
	}
	if len(s.Actions) != len(actionNames()) {
		t.Errorf("%d actions in the schema, %d here", len(s.Actions), len(actionNames()))
	}
	for uid := range s.Actions {
		if !Action(uid.ID).Valid() {
			t.Errorf("%s is no action", uid)
		}
	}
	for _, m := range []string{"tools/call", "ping", "subscriptions/listen"} {
		if a, ok := ClientAction(m); !ok || !a.Valid() {
			t.Error(m, a)
		}
	}
	for _, m := range []string{"tools/Call", "sampling/createMessage", "", "made/up"} {
		if a, ok := ClientAction(m); ok {
			t.Error(m, a)
		}
	}
	if a, ok := ServerAction("elicitation/create"); !ok || a != Elicitation {
		t.Error(a)
	}
	if _, ok := ServerAction("tools/call"); ok {
		t.Error("a server may call tools")
	}
}

// TestConcurrent: a server's memory is shared, bounded and forgets nothing
// wrong.
func TestConcurrent(t *testing.T) {
	v := compile(t).Server(command("npx -y files@1.0.0"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 2 * maxCached {
				name := "read" + strings.Repeat("x", i%97) + string(rune('a'+i%1000))
				if i%5 == 0 {
					name = "delete_file"
				}
				if d := v.Decide(&Request{Action: CallTool, Name: name, Today: today}); d.Allowed != (name != "delete_file") {
					t.Errorf("%s: %+v", name, d)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := len(v.cached); n > maxCached {
		t.Errorf("%d remembered", n)
	}
}

func TestExplain(t *testing.T) {
	v := compile(t, `
@id("low") forbid (principal, action, resource) when { context.arguments has n && context.arguments.n > 3 };
@id("other") forbid (principal, action, resource == Tool::"x");`).Server(command("npx -y files@1.0.0"))
	for arguments, want := range map[string]string{`{"n":1}`: "registry/files", `{"n":5}`: "registry/files p.cedar#low", `{"n":"5"}`: "registry/files !p.cedar#low"} {
		e := v.Explain(&Request{Action: CallTool, Name: "read", Arguments: []byte(arguments), Today: today})
		var got []string
		for _, p := range e.Holds {
			got = append(got, p.Rule)
		}
		for _, p := range e.Failed {
			got = append(got, "!"+p.Rule)
		}
		if strings.Join(got, " ") != want || e.Decision.Allowed != (len(got) == 1) {
			t.Errorf("%s: %q %+v", arguments, got, e.Decision)
		}
	}
}

// TestDocumented: the policies of docs/policy.md have no problem and do what
// the page says.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```cedar\n")
	text, _, _ := strings.Cut(rest, "```")
	set, problems, err := Compile(load(t, files), source(text))
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	v := set.Server(command("npx -y files@1.0.0"))
	for _, test := range []struct {
		action    Action
		name      string
		arguments string
		role      string
		want      string
	}{
		{CallTool, "read_file", `{"path":"/srv/a"}`, "intern", "registry/files"},
		{CallTool, "read_file", `{"path":"/srv/../etc"}`, "intern", "p.cedar#below-srv"},
		{CallTool, "write_file", `{"path":"/srv/a"}`, "intern", "p.cedar#interns-read"},
		{CallTool, "write_file", `{"path":"/srv/a"}`, "lead", "registry/files"},
		{Sampling, "", "", "lead", "p.cedar#no-sampling"},
	} {
		d := v.Decide(&Request{Who: registry.Who{Roles: []string{test.role}}, Action: test.action, Name: test.name, Arguments: []byte(test.arguments), Today: today})
		if d.Rule != test.want || d.Allowed != strings.HasPrefix(test.want, "registry/") || !d.Allowed && !strings.HasPrefix(d.Next, "see p.cedar:") {
			t.Errorf("%+v: %+v", test, d)
		}
	}
}

// TestKey: what is remembered hangs on every member of a request but the
// arguments, and the schema knows what a policy can read of it.
func TestKey(t *testing.T) {
	base := Request{Who: registry.Who{Unit: "cards"}, Action: CallTool, Name: "read", Today: today}
	first, _ := keyOf(&base)
	v := reflect.ValueOf(&base).Elem()
	var change func(v reflect.Value, name string)
	change = func(v reflect.Value, name string) {
		for i := range v.NumField() {
			f, name := v.Field(i), name+v.Type().Field(i).Name
			before := reflect.ValueOf(f.Interface())
			switch f.Kind() {
			case reflect.Struct:
				change(f, name+".")
				continue
			case reflect.String:
				f.SetString("another")
			case reflect.Slice:
				f.Set(reflect.MakeSlice(f.Type(), 1, 1))
				if f.Type().Elem().Kind() == reflect.String {
					f.Index(0).SetString("another")
				}
			}
			if k, _ := keyOf(&base); (k == first) != (name == "Arguments") {
				t.Errorf("%s: remembered alike: %v", name, k == first)
			}
			f.Set(before)
		}
	}
	change(v, "")
	several := func(roles ...string) key {
		k, _ := keyOf(&Request{Who: registry.Who{Roles: roles}})
		return k
	}
	if several("a", "b") == several("a b") || several("a", "b") == several("b", "a", "b") || several("a", "b") == several(`["a" "b"]`) || several("") == several() {
		t.Error("roles run together")
	}
	if first != first.own() {
		t.Error("a copy of a key is another")
	}
}
