package runtime

import (
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/runtime/audit"
)

// Answer is an error response to a request that is not forwarded; what says in
// words what did not happen.
func (no *Refusal) Answer(id []byte, what string) []byte { return no.answer(id, what) }

// Expands reports whether a template may stand for a URI: its fixed parts are
// there in order, beginning with the scheme (RFC 6570, any level).
func Expands(template, uri string) bool { return expands(template, uri) }

// Together judges what several servers of one client show: what one does to the
// tools of another, and what their tools can do together. It returns, by the
// server's place, the tools with a finding of high or above, by name. What one
// server alone shows is its own Session's to judge.
func Together(list []*rules.Rule, names []string, shown []Seen) []map[string]*Refusal {
	out := make([]map[string]*Refusal, len(names))
	place := map[string]int{}
	client := &analyzers.Client{}
	c := &analyzers.Catalog{}
	for i, n := range names {
		var surface analyzers.Surface
		for _, raw := range shown[i].Tools {
			if tool, _ := definition("tool", raw); tool != nil {
				surface.Tools = append(surface.Tools, tool)
			}
		}
		server := live(n, surface)
		server.Client = client
		c.Servers, place[n], out[i] = append(c.Servers, server), i, map[string]*Refusal{}
	}
	for _, f := range rules.Check(c, list) {
		i, ok := place[f.Server]
		if !ok || f.Tool == "" || f.Severity < rules.High || out[i][f.Tool] != nil {
			continue
		}
		out[i][f.Tool] = &Refusal{
			Rule: f.Rule.ID, Reason: name("tool", f.Tool) + ", beside the other servers: " + wrong(f),
			Next:     "review the server, or connect it without the others",
			Findings: recorded([]rules.Finding{f}, rules.High),
		}
	}
	return out
}

// BetweenServers are the rules that see more with several servers in view.
func BetweenServers(all []*rules.Rule) []*rules.Rule {
	var out []*rules.Rule
	for _, r := range all {
		if f := r.Family(); f == "shd" || f == "flw" {
			out = append(out, r)
		}
	}
	return out
}

// Withhold takes tools away that other servers beside this one make dangerous,
// in place of those that were taken away before. It reports whether that is
// enforced, and records each tool once.
func (s *Session) Withhold(tools map[string]*Refusal, now time.Time) ([]audit.Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var v Verdict
	for called, no := range tools {
		if old := s.withheld[called]; old == nil || old.Rule != no.Rule {
			r := s.record(audit.Shim, now)
			r.Method, r.Name = "tools/list", called
			s.deny(&v, r, audit.Hide, no)
		}
	}
	s.withheld = tools
	return v.Records, s.enforcing()
}
