package runtime

import (
	"time"

	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
)

// failed makes a denial of a panic in a check, in every mode: nobody knows what
// was decided. It is deferred with what recover has returned.
func (s *Session) failed(panicked any, direction string, frame []byte, v *Verdict, now time.Time) {
	if panicked == nil {
		return
	}
	v.reset()
	no := &Refusal{Rule: RuleFailed, Reason: "it could not be checked, by a fault of Sallyport's", Next: "report this, with what was sent"}
	if direction == audit.ServerToClient && first(frame) == '[' {
		// Some of its answers may be lost: who waits for them is told.
		r := s.record(audit.Shim, now)
		r.Decision, r.Rule, r.Reason, r.Enforced = audit.Stop, no.Rule, no.Reason, true
		v.Records = append(v.Records, r)
		s.refuseAll(no, v, now)
		v.Stop = no
		return
	}
	r := s.record(direction, now)
	r.Bytes, r.Decision, r.Rule, r.Reason, r.Enforced = int64(len(frame)), audit.Drop, no.Rule, no.Reason, true
	if direction == audit.ServerToClient {
		q := s.answering
		if s.answering = nil; q != nil {
			r.Decision, r.Method, r.Name, r.RequestID = audit.Deny, q.method, q.name, q.id
		}
		v.Records = append(v.Records, r)
		switch {
		case q == nil:
		case q.own:
			s.listFailed(q, v, no, now)
		default:
			v.ToClient = append(v.ToClient, no.answer(q.id, "the answer was withheld"))
		}
		return
	}
	all := []jsonrpc.Message{s.client.message}
	if first(frame) == '[' && s.protocol == batching {
		all = s.client.messages
	}
	var answers [][]byte
	for i := range all {
		m := &all[i]
		if m.Kind != jsonrpc.Request || len(m.Bytes) == 0 || &m.Bytes[0] != &frame[0] { // or it is of a frame before
			continue
		}
		k := string(m.AppendIDKey(nil))
		if q := s.open[k]; q != nil {
			s.finish(k, q)
			s.unhold(k)
		}
		r.Decision, r.Method, r.RequestID = audit.Deny, m.Method, m.ID.In(m.Bytes)
		v.Records = append(v.Records, r)
		answers = append(answers, no.answer(m.ID.In(m.Bytes), "the message was not forwarded"))
	}
	switch {
	case len(v.Records) == 0:
		v.Records = append(v.Records, r)
	case len(all) > 1:
		v.ToClient = append(v.ToClient, array(answers))
	default:
		v.ToClient = append(v.ToClient, answers...)
	}
}
