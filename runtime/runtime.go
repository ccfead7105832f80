// Package runtime decides on every message between an MCP client and a server:
// what is forwarded as it came, what is changed, what is answered in the
// server's place, and when the server is stopped. It is pure: frames and times
// come in, frames and records go out. Transports (runtime/stdio) move bytes and
// hold no policy.
//
// A Guard is what was approved, compiled: it does not change, and a new registry
// makes a new Guard. A Session is one connection of a client with a server.
package runtime

import (
	"time"

	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
)

// Mode says what a denial does.
type Mode string

// The modes. Observe and Warn decide and record as Enforce does, and forward
// everything; Warn also tells the person at once.
const (
	Observe Mode = "observe"
	Warn    Mode = "warn"
	Enforce Mode = "enforce"
)

// CodeDenied is the JSON-RPC error code of a message that the shim answers
// itself (JSON-RPC 2.0, section 5.1: -32000 to -32099 are the server's own).
// Its data is {"rule": "", "reason": "", "next": "", "findings": []}.
const CodeDenied = -32090

// The rules of the shim itself: what a record and an error name when no rule of
// the catalog and no policy decided.
const (
	RuleMessage   = "shim/message"           // not one message that every decoder reads alike
	RuleMethod    = "shim/method"            // a method that nobody knows or that this direction does not have
	RuleSequence  = "shim/sequence"          // an answer without a request, an id that is in use, a call before the handshake
	RuleHidden    = "shim/hidden-tool"       // a definition that the list does not show
	RuleArguments = "shim/arguments"         // arguments that the approved schema does not allow
	RuleSecret    = "shim/secret-sent"       // a credential on its way to the server
	RuleResult    = "shim/result-limit"      // a result beyond what can be judged or is allowed
	RuleLimit     = "shim/limit"             // more calls than are allowed, or a call that takes longer
	RuleRedaction = "shim/redaction"         // values that the registry has taken out of answers
	RuleDowngrade = "shim/protocol"          // a protocol version outside of what is accepted
	RuleListing   = "shim/listing"           // a list that repeats itself or does not end
	RuleStopped   = "shim/server-stopped"    // a message after the server was stopped
	RuleLost      = "shim/server-lost"       // the server ended
	RuleFailed    = "shim/check-failed"      // a check that failed itself
	RuleGlass     = "shim/break-glass"       // an approval that has run out is used all the same
	RuleClient    = "shim/client-capability" // a request that the client has not offered to answer
)

// Refusal is why something is not done, in words for the person who asked.
type Refusal struct {
	Rule     string          // a rule of this package, of the catalog, or a policy
	Reason   string          // one clause without a full stop; text of the target only in escaped form
	Next     string          // what a person can do
	Findings []audit.Finding // what the judge found, worst first

	uri   string // of a resource that is not there: the answer is the protocol's own
	model bool   // arguments that a model can put right: the answer is the tool's own
}

// Verdict is what becomes of one frame. Its slices are good until the next call
// of the Session's method that filled it; frames have no line ending.
type Verdict struct {
	ToServer [][]byte
	ToClient [][]byte
	// Records say what was decided, in order; they are written before anything
	// is forwarded.
	Records []audit.Record
	// Stop is why the server is ended at once; nil while it may go on.
	Stop *Refusal
}

func (v *Verdict) reset() {
	v.ToServer, v.ToClient, v.Records, v.Stop = v.ToServer[:0], v.ToClient[:0], v.Records[:0], nil
}

// Limits bound what a session holds and reads.
type Limits struct {
	Open       int           // requests without an answer, each way: 1,000
	Items      int           // definitions of one list: 10,000
	Pages      int           // pages of one list: 1,000
	Judged     int           // bytes of text of one message that are judged: 4 MiB
	Fresh      time.Duration // how long a verified list counts: 10 minutes
	Held       int           // calls that wait for a list: 100
	Arguments  int           // bytes of a call's arguments: 1 MiB
	MinVersion string        // oldest protocol version: 2024-11-05
}

func (l Limits) withDefaults() Limits {
	or := func(n *int, value int) {
		if *n <= 0 {
			*n = value
		}
	}
	or(&l.Open, 1000)
	or(&l.Items, 10_000)
	or(&l.Pages, 1000)
	or(&l.Judged, 4<<20)
	or(&l.Held, 100)
	or(&l.Arguments, 1<<20)
	if l.Fresh <= 0 {
		l.Fresh = 10 * time.Minute
	}
	if l.MinVersion == "" {
		l.MinVersion = "2024-11-05"
	}
	return l
}

// recorded is what a record keeps of findings at or above a level, worst first.
func recorded(found []rules.Finding, least rules.Severity) []audit.Finding {
	var out []audit.Finding
	for level := rules.Critical; level >= least && len(out) < 10; level-- {
		for _, f := range found {
			if f.Severity == level && len(out) < 10 {
				out = append(out, audit.Finding{RuleID: f.Rule.ID, Severity: f.Severity.String(), Field: f.Subject})
			}
		}
	}
	return out
}
