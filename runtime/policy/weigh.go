package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
)

// ask puts a request into Cedar's terms.
func (v *Server) ask(p *prepared, r *Request, k kind) error {
	today, err := types.ParseDatetime(r.Today)
	if err != nil {
		return err
	}
	client := cmp.Or(r.Who.Client, v.id.Client)
	var parents []types.EntityUID
	belongs := func(kind types.EntityType, id string) {
		if id != "" {
			parents = append(parents, types.NewEntityUID(kind, types.String(id)))
		}
	}
	unit := ""
	for _, at := range v.set.org.chain(r.Who) {
		unit = cmp.Or(unit, at.unit)
		belongs("Unit", at.unit)
		belongs("Project", at.project)
	}
	for _, role := range r.Who.Roles {
		belongs("Role", role)
	}
	belongs("User", r.User)
	belongs("Agent", r.Agent)
	name := r.Name
	if k.resource == "Connection" && k.cedar == Connect {
		name = v.id.Name
	}
	p.entities.principal = types.Entity{UID: types.NewEntityUID("Client", types.String(client)), Parents: types.NewEntityUIDSet(parents...)}
	p.entities.resource = types.Entity{
		UID:        types.NewEntityUID(types.EntityType(k.resource), types.String(name)),
		Parents:    v.parents,
		Attributes: types.NewRecord(types.RecordMap{"name": types.String(name)}),
	}
	zone, risk := r.Zone, r.Risk
	if e := p.answer.Entry; e != nil {
		zone, risk = cmp.Or(zone, e.Zone), cmp.Or(risk, e.Risk())
	}
	p.context = types.RecordMap{"today": today, "arguments": types.Record{}}
	for _, m := range [...]struct{ name, value string }{
		{"client", client}, {"clientInfo", r.ClientInfo}, {"user", r.User}, {"agent", r.Agent}, {"unit", unit}, {"project", r.Who.Project},
		{"environment", r.Who.Environment}, {"zone", zone}, {"risk", risk}, {"protocol", r.Protocol}, {"surface", v.id.Surface},
	} {
		if m.value != "" {
			p.context[types.String(m.name)] = types.String(m.value)
		}
	}
	if len(r.Who.Roles) > 0 {
		roles := make([]types.Value, len(r.Who.Roles))
		for i, role := range r.Who.Roles {
			roles[i] = types.String(role)
		}
		p.context["roles"] = types.NewSet(roles...)
	}
	p.request = cedar.Request{
		Principal: p.entities.principal.UID,
		Action:    types.NewEntityUID("Action", types.String(k.cedar)),
		Resource:  p.entities.resource.UID,
		Context:   types.NewRecord(p.context),
	}
	return nil
}

// concerns reports whether a policy's head can hold for a request: what it
// says of action and resource, where that is plain.
func (r *rule) concerns(request cedar.Request) bool {
	switch a := r.tree().Action.(type) {
	case ast.ScopeTypeEq:
		if a.Entity != request.Action {
			return false
		}
	case ast.ScopeTypeInSet:
		if !slices.Contains(a.Entities, request.Action) {
			return false
		}
	}
	switch s := r.tree().Resource.(type) {
	case ast.ScopeTypeEq:
		return s.Entity == request.Resource
	case ast.ScopeTypeIs:
		return s.Type == request.Resource.Type
	}
	return true
}

// outcome is what policies say together.
type outcome struct {
	forbid *rule  // the first that holds
	permit *rule  // the first that holds and admits: of the registry, then an override
	failed *rule  // the first that could not be evaluated
	why    string // it could not
	advice rules  // permits of files that hold
}

// refuses reports whether no other policy can change the outcome.
func (o outcome) refuses() bool { return o.forbid != nil || o.failed != nil }

// and is the outcome of both.
func (o outcome) and(other outcome) outcome {
	if o.failed == nil {
		o.failed, o.why = other.failed, other.why
	}
	return outcome{cmp.Or(o.forbid, other.forbid), cmp.Or(o.permit, other.permit), o.failed, o.why, append(o.advice[:len(o.advice):len(o.advice)], other.advice...)}
}

// weigh evaluates policies.
func weigh(rs rules, entities types.EntityGetter, request cedar.Request) (o outcome) {
	_, diagnostic := cedar.Authorize(rs, entities, request)
	for _, e := range diagnostic.Errors {
		o.failed, o.why = rs.of(e.PolicyID), e.Message
		break
	}
	for _, reason := range diagnostic.Reasons {
		switch r := rs.of(reason.PolicyID); {
		case !r.Permit:
			o.forbid = cmp.Or(o.forbid, r)
		case r.entry != nil:
			o.permit = cmp.Or(o.permit, r)
		default:
			if r.Override {
				o.permit = cmp.Or(o.permit, r)
			}
			o.advice = append(o.advice, r)
		}
	}
	return o
}

// settle makes a decision of an outcome and of what the registry itself says:
// both must agree on everything but an override.
func (v *Server) settle(p *prepared, o outcome) Decision {
	d := Decision{Status: p.answer.Status, Entry: p.answer.Entry, Reason: p.answer.Reason}
	if d.Entry != nil && p.answer.Place != "" {
		d.Rule = "registry/" + d.Entry.ID
	}
	ofFile := func(r *rule, verb string) {
		d.Rule, d.Reason = r.Rule, "policy "+r.Rule+" "+verb
		if r.reason != "" {
			d.Reason += ": " + analyzers.Untrusted(r.reason).String()
		}
	}
	see := func(r *rule) string {
		next := "see " + whereOf(r.Span.Path(), r.Span.Begin().Line)
		if r.owner != "" {
			next += ", or ask " + analyzers.Untrusted(r.owner).String()
		}
		return next
	}
	switch {
	case o.failed != nil:
		d.Status = registry.Denied
		ofFile(o.failed, "cannot be evaluated: "+analyzers.Untrusted(o.why).String())
		d.Next = "give the arguments the types that the policy compares them with; " + see(o.failed)
	case o.forbid != nil && o.forbid.entry == nil:
		d.Status = registry.Denied
		ofFile(o.forbid, "forbids it")
		d.Next = see(o.forbid)
	case o.forbid == nil && o.permit != nil && o.permit.entry == nil:
		d.Allowed = true
		ofFile(o.permit, "admits it in place of the registry")
	case o.forbid == nil && o.permit != nil && p.answer.Allowed && o.permit.entry == p.answer.Entry:
		d.Allowed = true
	case p.answer.Allowed || o.forbid == nil && o.permit != nil:
		return refuse("the registry and the policies compiled from it disagree", "please report this: it is a fault of sallyport")
	default:
		d.Next = v.set.next(p.answer)
	}
	if !d.Allowed {
		return d
	}
	if d.Entry != nil {
		d.Redact, d.Limits = d.Entry.Redaction, d.Entry.Limits
	}
	for _, r := range o.advice {
		for _, word := range r.redact {
			if !slices.Contains(d.Redact, word) {
				d.Redact = append(d.Redact[:len(d.Redact):len(d.Redact)], word)
			}
		}
		d.Limits = tighter(d.Limits, r.limits)
	}
	return d
}

// Tighter is the decision with the limits and the redaction of another, too.
func (d Decision) Tighter(other Decision) Decision {
	for _, word := range other.Redact {
		if !slices.Contains(d.Redact, word) {
			d.Redact = append(d.Redact[:len(d.Redact):len(d.Redact)], word)
		}
	}
	d.Limits = tighter(d.Limits, other.Limits)
	return d
}

// tighter is the smaller of each limit; zero is none.
func tighter(a, b registry.Limits) registry.Limits {
	least := func(a, b int) int {
		if a == 0 || b != 0 && b < a {
			return b
		}
		return a
	}
	return registry.Limits{
		CallsPerMinute: least(a.CallsPerMinute, b.CallsPerMinute),
		Concurrent:     least(a.Concurrent, b.Concurrent),
		ResultBytes:    least(a.ResultBytes, b.ResultBytes),
		Seconds:        least(a.Seconds, b.Seconds),
	}
}

// next is what a person can do about a denial of the registry.
func (s *Set) next(d registry.Decision) string {
	file := cmp.Or(analyzers.Untrusted(s.path).String(), registry.DefaultFile)
	if strings.ContainsAny(file, " '\"$`\\") {
		file = "FILE"
	}
	id := ""
	if d.Entry != nil {
		id = d.Entry.ID
	}
	approve := fmt.Sprintf("sallyport registry approve %s --registry %s --reason TEXT --approver WHO", id, file)
	switch {
	case d.Tool:
		return fmt.Sprintf("allow the tool under tools of entry %s in %s", id, file)
	case d.Status == registry.Denied && d.Entry != nil && d.Entry.Evidence.ApprovedBy != "":
		return "ask " + analyzers.Untrusted(d.Entry.Evidence.ApprovedBy).String() + ", who denied it"
	case d.Status == registry.Denied:
		return fmt.Sprintf("see entry %s in %s", id, file)
	case d.Status == registry.Quarantined:
		return "have it reviewed: " + approve
	case d.Status == registry.Expired:
		return "have it reviewed again: " + approve
	case d.Status == registry.Changed && d.Changed == "surface":
		return "see what changed with sallyport manifest diff OLD NEW, then " + approve + " --digest sha256:HEX"
	case d.Status == registry.Changed:
		return fmt.Sprintf("start it as entry %s in %s says, or propose the change: sallyport registry propose . --registry %s", id, file, file)
	case id != "":
		return fmt.Sprintf("ask for an approval for you: sallyport registry explain WHO %s --registry %s", id, file)
	}
	return "propose it: sallyport registry propose . --registry " + file
}
