package policy

import (
	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// Explanation is a decision with what led to it.
type Explanation struct {
	Decision Decision
	// Holds are the policies whose conditions hold: all of them, also permits
	// that a forbid overrides.
	Holds []Policy
	// Failed are those that could not be evaluated.
	Failed []Policy
}

// Explain answers a request and says which policies had a part in it.
func (v *Server) Explain(r *Request) Explanation {
	out := Explanation{Decision: v.Decide(r)}
	k, known := kinds[r.Action]
	if !known || v.failed != nil {
		return out
	}
	if k.listing && r.Name == "" {
		k = kinds[Connect]
	}
	var p prepared
	if err := v.ask(&p, r, k); err != nil {
		return out
	}
	arguments, err := record(r.Arguments, nil)
	if err == nil && !k.listing {
		p.context["arguments"] = arguments
		p.request.Context = types.NewRecord(p.context)
	}
	for _, list := range []rules{v.compiled, v.files} {
		for _, rule := range list {
			if k.listing && rule.uses.any {
				continue
			}
			_, diagnostic := cedar.Authorize(rules{rule}, &p.entities, p.request)
			switch {
			case len(diagnostic.Errors) > 0:
				out.Failed = append(out.Failed, rule.Policy)
			case len(diagnostic.Reasons) > 0:
				out.Holds = append(out.Holds, rule.Policy)
			}
		}
	}
	return out
}

// Hangs reports whether the answer to a request hangs on its arguments.
func (v *Server) Hangs(r *Request) bool { return len(v.prepare(r).pending) > 0 }
