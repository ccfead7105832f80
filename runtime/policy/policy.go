// Package policy decides whether somebody may use a server and its tools. It
// compiles a registry to Cedar (https://docs.cedarpolicy.com), so that people
// can add policies of their own in the same language and see all that counts
// in one place.
//
// The registry decides as registry.Decide says. Policies of files narrow that:
// a forbid always holds, and a permit lets nobody in whom the registry does not
// approve, unless it is marked @override("registry"); even then denials and
// quarantines hold.
//
// Everything fails closed: a policy of a file that cannot be evaluated, an
// unknown action, arguments too large to be read, and a panic are denials.
package policy

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/registry"
)

// Request is one use of a server. Empty members are not known: a condition on
// one holds for a denial of the registry and fails for an approval.
type Request struct {
	Who    registry.Who
	User   string // of the operating system, or whom a token names
	Agent  string
	Action Action
	// Name is the tool, the prompt or the URI.
	Name string
	// Arguments is the JSON object of the call, as runtime/jsonrpc accepted
	// it; nil means none.
	Arguments []byte

	ClientInfo string // the name that the client gives itself
	Zone       string // of the session; "": that of the entry
	Risk       string // "": what the entry's evidence says (registry.Entry.Risk)
	Protocol   string // version of MCP
	Today      string // YYYY-MM-DD, in UTC
}

// Decision is the answer to a Request. Its slices are shared: do not change
// them.
type Decision struct {
	Allowed bool
	// Status is what the registry says of the server; registry.Denied also
	// where a policy of a file forbids what the registry approves.
	Status registry.Status
	Entry  *registry.Entry // the one that decided, or is nearest to it; may be nil
	Rule   string          // the policy that decided: "registry/ENTRY" or "FILE#ID"; "" when none did
	Reason string          // one sentence; foreign text only in escaped form
	Next   string          // what a person can do about a denial: a command, or whom to ask
	// Redact and Limits are the entry's, tightened by the permits of files.
	Redact []string
	Limits registry.Limits
}

// Set is a registry with its policies. It does not change and may be used by
// many goroutines.
type Set struct {
	reg   *registry.Registry
	org   *organisation
	files rules  // of all files, in order
	path  string // of the registry, for advice
}

// Policy is one policy for people to read.
type Policy struct {
	Rule   string // "registry/ENTRY" or "FILE#ID"
	Permit bool
	Text   string
	Span   analyzers.Span // of the policy, or of the entry it was compiled from
	// Override: the policy is marked @override("registry").
	Override bool
}

// rule is a policy in the form in which it is evaluated.
type rule struct {
	Policy
	cedar  *cedar.Policy
	entry  *registry.Entry // that it was compiled from; nil for one of a file
	id     cedar.PolicyID  // of its own among all of a set
	uses   reads           // what it reads of context.arguments
	redact []string        // of a permit of a file, as are the limits
	limits registry.Limits
	reason string // that a file gives, as is the owner
	owner  string
}

// rules are policies in the order in which they are named as reasons.
type rules []*rule

// All yields the policies as Cedar wants them.
func (rs rules) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, r := range rs {
			if !yield(r.id, r.cedar) {
				return
			}
		}
	}
}

// of is the policy of an id.
func (rs rules) of(id cedar.PolicyID) *rule {
	return rs[slices.IndexFunc(rs, func(r *rule) bool { return r.id == id })]
}

// Compile joins a registry with policy files. The problems are warnings and
// notes, among them one for each override; with an error among them the set is
// nil and the error is a registry.Problems.
func Compile(reg *registry.Registry, extra ...*analyzers.Source) (*Set, []registry.Problem, error) {
	s := &Set{reg: reg, org: newOrganisation(reg.Doc)}
	if src := reg.Doc.Source; src != nil {
		s.path = src.Path
	}
	var problems registry.Problems
	for _, src := range extra {
		rs, found := s.readFile(src)
		s.files, problems = append(s.files, rs...), append(problems, found...)
		if len(s.files) > maxFileRules {
			problems = append(problems, registry.Problem{Level: registry.Error, Message: fmt.Sprintf("more than %d policies", maxFileRules), Span: src.Span(0, 0)})
			break
		}
	}
	for i, r := range s.files {
		r.id = cedar.PolicyID(fmt.Sprintf("file/%d", i))
	}
	if len(problems) > registry.MaxProblems {
		problems = problems[:registry.MaxProblems]
	}
	errs := slices.DeleteFunc(slices.Clone(problems), func(p registry.Problem) bool { return p.Level != registry.Error })
	if len(errs) > 0 {
		return nil, problems, errs
	}
	return s, problems, nil
}

// Overrides are the policies that admit what the registry does not approve.
func (s *Set) Overrides() []Policy {
	var out []Policy
	for _, r := range s.files {
		if r.Override {
			out = append(out, r.Policy)
		}
	}
	return out
}

// quote is a text as a Cedar string.
func quote(s string) string { return string(cedar.String(s).MarshalCedar()) }

// quoteSet is texts as a Cedar set, in their order.
func quoteSet(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
