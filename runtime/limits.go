package runtime

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport-mcp/sallyport/registry"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

// An entry's limits are counted over all calls of the connection. Where a
// policy tightens one to a number, the calls that it tightens to that number
// are counted together.

// calls is when calls were made, as far as the last minute goes.
type calls []time.Time

// wait is how long a call must wait so that no minute has more than most of
// them; zero when it may be made now.
func (c calls) wait(most int, now time.Time) time.Duration {
	if len(c) < most {
		return 0
	}
	return max(0, c[len(c)-most].Add(time.Minute).Sub(now))
}

// with is the calls and one more, without those that count no longer.
func (c calls) with(now time.Time) calls {
	old := 0
	for old < len(c) && now.Sub(c[old]) >= time.Minute {
		old++
	}
	if old > len(c)/2 { // not each time: what stays is moved
		c = c[:copy(c, c[old:])]
	}
	return append(c, now)
}

// entryWide is the key of calls under an entry's own limit.
const entryWide = 0

// limited decides whether the limits of a decision leave room for one more call
// of a tool, prompt or resource, and counts it if they do.
func (s *Session) limited(q *request, d *policy.Decision, now time.Time) *Refusal {
	q.limits, q.redact = d.Limits, d.Redact
	if d.Limits == (registry.Limits{}) {
		return nil
	}
	whole := registry.Limits{}
	if d.Entry != nil {
		whole = d.Entry.Limits
	}
	refuse := func(most int, unit, next string) *Refusal {
		return &Refusal{Rule: RuleLimit, Reason: fmt.Sprintf("no more than %d calls %s are allowed", most, unit), Next: next, model: q.action == policy.CallTool}
	}
	for _, most := range []int{whole.Concurrent, d.Limits.Concurrent} {
		running := 0
		for _, other := range s.open {
			if other != q && !other.held && other.counted && (most == whole.Concurrent || other.limits.Concurrent == most) {
				running++
			}
		}
		if most > 0 && running >= most {
			return refuse(most, "at a time", "wait for their answers")
		}
	}
	keys := map[int]int{entryWide: whole.CallsPerMinute}
	if d.Limits.CallsPerMinute != whole.CallsPerMinute {
		keys[d.Limits.CallsPerMinute] = d.Limits.CallsPerMinute
	}
	for key, most := range keys {
		if most == 0 {
			continue
		}
		if wait := s.made[key].wait(most, now); wait > 0 {
			return refuse(most, "a minute", fmt.Sprintf("wait %d seconds", int((wait+time.Second-1)/time.Second)))
		}
	}
	for key, most := range keys {
		if most > 0 {
			s.made[key] = s.made[key].with(now)
		}
	}
	q.counted = true
	if d.Limits.Seconds > 0 {
		q.until = now.Add(time.Duration(d.Limits.Seconds) * time.Second)
		s.dueBy(q.until)
	}
	return nil
}

// dueBy makes Expire due at a time at the latest.
func (s *Session) dueBy(t time.Time) {
	if due := s.due.Load(); due == 0 || t.UnixNano() < due {
		s.due.Store(t.UnixNano())
	}
}

// Due is when Expire has something to do, zero when nothing can expire.
func (s *Session) Due() time.Time {
	if due := s.due.Load(); due != 0 {
		return time.Unix(0, due)
	}
	return time.Time{}
}

// Expire answers the calls whose time is over, and cancels them at the server.
func (s *Session) Expire(v *Verdict, now time.Time) {
	v.reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	if due := s.due.Load(); due == 0 || now.UnixNano() < due {
		return
	}
	s.due.Store(0)
	for _, k := range slices.Sorted(maps.Keys(s.open)) { // the same input gives the same output
		q := s.open[k]
		if q.until.IsZero() {
			continue
		}
		if now.Before(q.until) {
			s.dueBy(q.until)
			continue
		}
		q.until = time.Time{} // once, in every mode
		no := &Refusal{Rule: RuleLimit, Reason: fmt.Sprintf("it has taken more than the %d seconds that are allowed", q.limits.Seconds), Next: "ask for less at once", model: q.action == policy.CallTool}
		r := s.record(audit.Shim, now)
		r.Method, r.Name, r.RequestID = q.method, q.name, q.id
		if !s.deny(v, r, audit.Deny, no) {
			continue
		}
		s.forgo(k, q)
		v.ToClient = append(v.ToClient, s.answer(no, q))
		cancel := append([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`), q.id...)
		v.ToServer = append(v.ToServer, jsonrpc.AppendString(append(cancel, `,"reason":`...), "its time is over"))
		v.ToServer[len(v.ToServer)-1] = append(v.ToServer[len(v.ToServer)-1], "}}"...)
	}
}
