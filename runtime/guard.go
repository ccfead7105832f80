package runtime

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

// Config is what a Guard is made of.
type Config struct {
	Policy   *policy.Set
	Identity registry.Identity // what is started or reached
	Who      registry.Who
	User     string // of the operating system
	Agent    string
	Zone     string
	Mode     Mode
	// Manifest is what was approved of the server's surface. Without one, what
	// the server shows is judged by itself.
	Manifest *manifest.Manifest
	// Fault is why the server must not be used although the registry approves
	// it: its manifest cannot be read, another file would be executed.
	Fault *Refusal
	// Rules returns what judges: catalog.All with the user's own. It is called
	// when something is first judged.
	Rules func() []*rules.Rule
	// Secrets says what happens to a credential in what goes to the server:
	// refused unless it is Allowed.
	SecretsAllowed bool
	// BreakGlass is why a server is used although its approval has run out, in
	// the words of the person who says so; "" for nobody. It lifts dates alone:
	// denials, quarantines and what the server shows are judged as ever.
	BreakGlass string
	Limits     Limits
	// AllowedEnv are variables that may reach the server although they bring
	// code into it (registry.Injects).
	AllowedEnv []string
}

// Guard decides for one server and one person. It does not change and may be
// used by many goroutines.
type Guard struct {
	Config
	server *policy.Server
	pins   *pins // nil without a manifest
	judge  *judge
	until  time.Time // when the manifest expires; zero without one

	dispatches bool // an entry of the server says that tools call others
}

// NewGuard compiles a configuration. Time it takes is that of indexing the
// manifest; rules and schemas are prepared when they are first needed.
func NewGuard(c Config) *Guard {
	c.Limits = c.Limits.withDefaults()
	g := &Guard{Config: c, server: c.Policy.Server(c.Identity)}
	if c.Manifest != nil {
		g.pins = newPins(c.Manifest)
		g.until, _ = time.Parse(time.RFC3339, c.Manifest.Predicate.Expires) // a manifest that was read has a date
	}
	g.dispatches = slices.ContainsFunc(g.server.Entries(), func(e *registry.Entry) bool { return len(e.Tools.Dispatch) > 0 })
	g.judge = &judge{rules: c.Rules, manifest: c.Manifest}
	return g
}

// Warm prepares what judges, which takes some milliseconds, so that the first
// text does not wait for it.
func (g *Guard) Warm() {
	defer func() { _ = recover() }() // what is judged later says so
	text := analyzers.Text{Value: "Returns what was asked for, as text."}
	g.judge.texts("result", "", []analyzers.Field{{Path: "text", Text: text}})
}

// Pinned reports whether the server's surface is held against a manifest.
func (g *Guard) Pinned() bool { return g.pins != nil }

// Connect decides whether the server may be started or reached at all.
func (g *Guard) Connect(now time.Time) (policy.Decision, *Refusal) {
	d, _ := g.decide(policy.Request{Action: policy.Connect}, now)
	if g.Fault != nil {
		return d, g.Fault
	}
	if !d.Allowed {
		return d, refused(d, "the server is not used")
	}
	return d, g.expired(now)
}

// expired decides on the date of the manifest, which may come while a session
// lasts.
func (g *Guard) expired(now time.Time) *Refusal {
	if g.Manifest == nil || now.Before(g.until) || g.BreakGlass != "" {
		return nil
	}
	return &Refusal{Rule: "untrusted-manifest", Reason: "the manifest of the server has expired", Next: "review the server and sign a new manifest: sallyport manifest sign; --break-glass REASON uses it until then, and is recorded"}
}

// decide asks the policies; r says what is done, and the guard by whom. The
// decision stands for all arguments, or it does not.
func (g *Guard) decide(r policy.Request, now time.Time) (d policy.Decision, stands bool) {
	r.Who, r.User, r.Agent, r.Zone = g.Who, g.User, g.Agent, g.Zone
	if r.Today == "" {
		r.Today = now.UTC().Format(time.DateOnly)
	}
	return g.server.Standing(&r)
}

// refused is a denial in words.
func refused(d policy.Decision, what string) *Refusal {
	r := &Refusal{Rule: d.Rule, Reason: d.Reason, Next: d.Next}
	if r.Rule == "" {
		r.Rule = "unapproved-server"
	}
	if r.Reason == "" {
		r.Reason = what
	}
	if r.Next == "" {
		r.Next = "ask whoever keeps the registry; sallyport registry explain says what is missing"
	}
	return r
}

// pins is an approved surface, by what its definitions are called.
type pins struct {
	surface      *analyzers.Surface
	instructions string
	items        map[string]*pin
	capabilities map[string]bool // nil where the manifest pins none
}

// pin is one approved definition.
type pin struct {
	digest string
	tool   *analyzers.Tool // nil for prompts, resources and templates

	once   sync.Once
	schema *schema
}

func key(kind, name string) string { return kind + "\x00" + name }

func newPins(m *manifest.Manifest) *pins {
	p := &pins{surface: m.Surface(), items: map[string]*pin{}}
	p.instructions = p.surface.Instructions.Raw()
	if p.surface.Capabilities != nil {
		p.capabilities = map[string]bool{}
		for _, name := range p.surface.Capabilities {
			p.capabilities[name.Raw()] = true
		}
	}
	tools := map[string]*analyzers.Tool{}
	for _, t := range p.surface.Tools {
		tools[t.Name.Raw()] = t
	}
	for kind, list := range map[string][]manifest.Item{"tool": m.Predicate.Tools, "prompt": m.Predicate.Prompts, "resource": m.Predicate.Resources, "template": m.Predicate.Templates} {
		for _, item := range list {
			pin := &pin{digest: item.Digest.Whole}
			if kind == "tool" {
				pin.tool = tools[item.Name]
			}
			p.items[key(kind, item.Name)] = pin
		}
	}
	return p
}

// argumentsOf is the compiled schema of a pinned tool.
func (p *pin) argumentsOf() *schema {
	p.once.Do(func() { p.schema = newSchema(p.tool.InputSchema) })
	return p.schema
}

// template reports whether an approved template may stand for a URI: its fixed
// parts are there in order, beginning with the scheme (RFC 6570, any level).
func (p *pins) template(uri string) bool {
	for _, t := range p.surface.Templates {
		if expands(t.Name.Raw(), uri) {
			return true
		}
	}
	return false
}

func expands(template, uri string) bool {
	rest, first := uri, true
	for template != "" {
		fixed, expression, found := strings.Cut(template, "{")
		if first && !strings.HasPrefix(rest, fixed) {
			return false
		}
		at := strings.Index(rest, fixed)
		if at < 0 {
			return false
		}
		rest, first = rest[at+len(fixed):], false
		if !found {
			return rest == "" || strings.HasSuffix(uri, fixed)
		}
		_, template, found = strings.Cut(expression, "}")
		if !found {
			return false
		}
		if template == "" {
			return true
		}
	}
	return rest == ""
}

// name is what a target calls something, for a reason: a model may read it, so
// what is more than a name is not repeated.
func name(kind, of string) string {
	if !plainName.MatchString(of) {
		return "a " + kind + " whose name is not shown"
	}
	return fmt.Sprintf("%s %q", kind, of)
}

// plainName is the form of names that are repeated: of tools (SEP-986) and of
// URIs.
var plainName = pattern.New(`^[A-Za-z0-9_./:@%+~?&=#{}-]{1,128}$`)
