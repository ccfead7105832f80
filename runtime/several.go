package runtime

import (
	"slices"
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
// tools of another, and what their tools can do together. Texts may speak of
// tools by their own names and by those that the client has, which offered
// returns. The result is, by the server's place, the tools with a finding of
// high or above, by their own name. What one server alone shows is its own
// Session's to judge.
func Together(all []*rules.Rule, names []string, shown []Seen, offered func(server int, name string) string) []map[string]*Refusal {
	out := make([]map[string]*Refusal, len(names))
	place := map[string]int{}
	for i, n := range names {
		place[n], out[i] = i, map[string]*Refusal{}
	}
	for _, pass := range []struct {
		families []string
		name     func(server int, name string) string
	}{
		{[]string{"shd", "flw"}, func(_ int, name string) string { return name }},
		{[]string{"shd"}, offered},
	} {
		client := &analyzers.Client{}
		c := &analyzers.Catalog{}
		own := map[[2]string]string{}
		for i, n := range names {
			var surface analyzers.Surface
			for _, raw := range shown[i].Tools {
				if tool, _ := definition("tool", raw); tool != nil {
					called := pass.name(i, tool.Name.Raw())
					own[[2]string{n, called}] = tool.Name.Raw()
					tool.Name.Value = analyzers.Untrusted(called)
					surface.Tools = append(surface.Tools, tool)
				}
			}
			server := live(n, surface)
			server.Client = client
			c.Servers = append(c.Servers, server)
		}
		var list []*rules.Rule
		for _, r := range all {
			if slices.Contains(pass.families, r.Family()) {
				list = append(list, r)
			}
		}
		for _, f := range rules.Check(c, list) {
			called, ok := own[[2]string{f.Server, f.Tool}]
			if !ok || f.Severity < rules.High || out[place[f.Server]][called] != nil {
				continue
			}
			out[place[f.Server]][called] = &Refusal{
				Rule: f.Rule.ID, Reason: name("tool", called) + ", beside the other servers: " + wrong(f),
				Next:     "review the server, or connect it without the others",
				Findings: recorded([]rules.Finding{f}, rules.High),
			}
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
