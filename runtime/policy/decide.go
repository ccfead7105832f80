package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
)

// Server is a set narrowed to one server: a decision walks the policies that
// can matter for it, and what was decided once is remembered. It may be used
// by many goroutines.
type Server struct {
	set      *Set
	id       registry.Identity
	registry *registry.Narrowed
	compiled rules // of the registry
	files    rules // that can matter
	parents  types.EntityUIDSet
	failed   error // why nothing can be decided

	mu     sync.RWMutex
	cached map[key]*prepared
}

// Bounds of what a Server remembers; when it is full it begins anew.
const (
	maxCached    = 1024
	maxCachedKey = 1024 // bytes of name and other texts of the other side
)

// Server narrows the set to one server. With another surface it is another
// server.
func (s *Set) Server(id registry.Identity) *Server {
	v := &Server{set: s, id: id, registry: s.reg.Narrow(id), cached: map[key]*prepared{}}
	entries := v.registry.Entries()
	v.compiled, v.failed = s.compileEntries(entries)
	var parents []types.EntityUID
	for _, e := range entries {
		parents = append(parents, types.NewEntityUID("Server", types.String(e.ID)))
	}
	v.parents = types.NewEntityUIDSet(parents...)
	for _, r := range s.files {
		in, ok := r.tree().Resource.(ast.ScopeTypeIn)
		if !ok || in.Entity.Type != "Server" || v.parents.Contains(in.Entity) {
			v.files = append(v.files, r)
		}
	}
	return v
}

func (r *rule) tree() *ast.Policy { return (*ast.Policy)(r.cedar.AST()) }

// Entries are the registry's entries that match the server.
func (v *Server) Entries() []*registry.Entry { return v.registry.Entries() }

// Policies are those that can matter for the server: of its entries, then of
// the files.
func (v *Server) Policies() []Policy {
	var out []Policy
	for _, r := range slices.Concat(v.compiled, v.files) {
		out = append(out, r.Policy)
	}
	return out
}

// key is what a decision depends on besides the arguments.
type key struct {
	unit, project, environment, client, roles string
	user, agent                               string
	action                                    Action
	name                                      string
	info, zone, risk, protocol, today         string
}

// keyOf is false for a request that is not worth remembering.
func keyOf(r *Request) (key, bool) {
	roles := ""
	switch list := r.Who.Roles; {
	case len(list) == 0:
	case len(list) == 1 && list[0] != "" && list[0][0] != '[': // the usual, without a copy
		roles = list[0]
	default:
		roles = fmt.Sprintf("%q", list)
	}
	k := key{
		r.Who.Unit, r.Who.Project, r.Who.Environment, r.Who.Client, roles, r.User, r.Agent,
		r.Action, r.Name, r.ClientInfo, r.Zone, r.Risk, r.Protocol, r.Today,
	}
	return k, len(roles)+len(r.Name)+len(r.ClientInfo)+len(r.Protocol)+len(r.User)+len(r.Agent)+len(r.Risk)+len(r.Zone) <= maxCachedKey
}

// own is the key with texts of its own: a request's may lie in a frame.
func (k key) own() key {
	for _, s := range []*string{&k.unit, &k.project, &k.environment, &k.client, &k.roles, &k.user, &k.agent, (*string)(&k.action), &k.name, &k.info, &k.zone, &k.risk, &k.protocol, &k.today} {
		*s = strings.Clone(*s)
	}
	return k
}

// prepared is a decision as far as it does not hang on arguments.
type prepared struct {
	decision Decision
	// Without pending policies the decision is final.
	pending  rules
	wanted   map[string]bool // arguments that they name; nil for all
	request  cedar.Request
	context  types.RecordMap
	entities entities
	answer   registry.Decision
	outcome  outcome
}

// entities are those of one request; all others have neither parents nor
// attributes.
type entities struct{ principal, resource types.Entity }

// Get implements types.EntityGetter.
func (e *entities) Get(uid types.EntityUID) (types.Entity, bool) {
	switch uid {
	case e.principal.UID:
		return e.principal, true
	case e.resource.UID:
		return e.resource, true
	}
	return types.Entity{}, false
}

// Decide answers a request. It is pure: it reads no clock and does no I/O. A
// panic inside is a denial.
func (v *Server) Decide(r *Request) Decision {
	d, _ := v.Standing(r)
	return d
}

// Standing is Decide, and reports whether the decision is the same whatever the
// arguments are.
func (v *Server) Standing(r *Request) (d Decision, stands bool) {
	defer func() {
		if recover() != nil {
			d, stands = refuse("the policies could not be evaluated", "please report this: it is a fault of sallyport"), false
		}
	}()
	k, keep := keyOf(r)
	v.mu.RLock()
	p := v.cached[k]
	v.mu.RUnlock()
	if p == nil {
		p = v.prepare(r)
		if keep {
			v.mu.Lock()
			if len(v.cached) >= maxCached {
				clear(v.cached)
			}
			v.cached[k.own()] = p
			v.mu.Unlock()
		}
	}
	if len(p.pending) == 0 {
		return p.decision, true
	}
	return v.finish(p, r.Arguments), false
}

// refuse is a denial that no policy made.
func refuse(reason, next string) Decision {
	return Decision{Status: registry.Denied, Reason: reason, Next: next}
}

// prepare decides what can be decided without the arguments.
func (v *Server) prepare(r *Request) *prepared {
	k, known := kinds[r.Action]
	switch {
	case v.failed != nil:
		return &prepared{decision: refuse(v.failed.Error(), "keep one entry for what all units share: sallyport registry check "+v.set.path)}
	case !known:
		return &prepared{decision: refuse(fmt.Sprintf("there is no action %q", analyzers.Untrusted(r.Action)), "")}
	case k.named && r.Name == "":
		return &prepared{decision: refuse("it does not name what it is about", "")}
	case !registry.ValidDate(r.Today):
		return &prepared{decision: refuse("the day is not known", "")}
	}
	if k.listing && r.Name == "" {
		k = kinds[Connect]
	}
	tool := ""
	if k.cedar == CallTool {
		tool = r.Name
	}
	p := &prepared{answer: v.registry.Decide(r.Who, tool, r.Today)}
	if err := v.ask(p, r, k); err != nil {
		return &prepared{decision: refuse("the day is not known", "")}
	}
	now := slices.Clone(v.compiled)
	for _, rule := range v.files {
		switch {
		case !rule.concerns(p.request):
		case !rule.uses.any:
			now = append(now, rule)
		case !k.listing: // of what is listed, some calls may pass
			p.pending = append(p.pending, rule)
		}
	}
	p.outcome = weigh(now, &p.entities, p.request)
	admits := p.outcome.permit != nil || slices.ContainsFunc(p.pending, func(r *rule) bool { return r.Override })
	if p.outcome.refuses() || !admits {
		p.pending = nil
	}
	p.read()
	p.decision = v.settle(p, p.outcome)
	if len(p.pending) == 0 {
		return &prepared{decision: p.decision} // all that is worth keeping
	}
	return p
}

// read leaves in the context, and wants of the arguments, what the pending
// policies read.
func (p *prepared) read() {
	p.wanted = map[string]bool{}
	context := types.RecordMap{}
	for _, rule := range p.pending {
		if rule.uses.all {
			p.wanted = nil
			return
		}
		maps.Copy(p.wanted, rule.uses.names)
		for name := range rule.uses.context {
			if v, ok := p.context[types.String(name)]; ok {
				context[types.String(name)] = v
			}
		}
	}
	p.context = context
}

// finish decides with the arguments of one call.
func (v *Server) finish(p *prepared, raw []byte) Decision {
	arguments, err := record(raw, p.wanted)
	if err != nil {
		return Decision{Status: registry.Denied, Entry: p.answer.Entry, Rule: p.pending[0].Rule, Reason: err.Error(), Next: "call it with fewer and plainer arguments"}
	}
	context := maps.Clone(p.context)
	context["arguments"] = arguments
	request := p.request
	request.Context = types.NewRecord(context)
	return v.settle(p, p.outcome.and(weigh(p.pending, &p.entities, request)))
}
