package runtime

import (
	"fmt"
	"time"

	"github.com/sallyport-mcp/sallyport/runtime/jsonrpc"
	"github.com/sallyport-mcp/sallyport/runtime/policy"
)

// wants are the notifications that subscriptions/listen asks for (2026-07-28,
// basic/patterns/subscriptions).
type wants struct {
	tools, prompts, resources bool
	updates                   map[string]bool // URIs
}

// maxUpdates bounds the resources of one subscription.
const maxUpdates = 1000

// mayListen decides on a subscription: a resource that may not be read may not
// be watched.
func (s *Session) mayListen(m *jsonrpc.Message, q *request, now time.Time) *Refusal {
	filter := m.Find(m.Params, "notifications")
	is := func(member string) bool { return string(m.Find(filter, member).In(m.Bytes)) == "true" }
	q.wants = wants{tools: is("toolsListChanged"), prompts: is("promptsListChanged"), resources: is("resourcesListChanged"), updates: map[string]bool{}}
	for i, el := range jsonrpc.Elements(m.Bytes, m.Find(filter, "resourceSubscriptions")) {
		if i >= maxUpdates {
			return &Refusal{Rule: RuleMessage, Reason: fmt.Sprintf("it subscribes to more than %d resources", maxUpdates), Next: "subscribe to fewer"}
		}
		uri := string(m.Text(el, nil))
		if d := s.decide(policy.SubscribeResource, uri, nil, now); !d.Allowed {
			return refused(d, "it is not allowed")
		}
		if def := s.lists["resource"].seen[uri]; def != nil && def.hidden != nil {
			return def.hidden
		}
		q.wants.updates[uri] = true
	}
	return nil
}

// subscribed decides whether a notification was asked for. Before 2026-07-28
// nobody has to ask.
func (s *Session) subscribed(m *jsonrpc.Message) *Refusal {
	if s.protocol != stateless {
		return nil
	}
	q := s.open[idKey(m.Find(m.Meta, prefixed+"subscriptionId").In(m.Bytes))]
	if q == nil || q.action != policy.Subscribe {
		q = &request{}
	}
	asked := true
	switch m.Method {
	case "notifications/tools/list_changed":
		asked = q.wants.tools
	case "notifications/prompts/list_changed":
		asked = q.wants.prompts
	case "notifications/resources/list_changed":
		asked = q.wants.resources
	case "notifications/resources/updated":
		asked = q.wants.updates[string(m.Text(m.Find(m.Params, "uri"), nil))]
	case "notifications/subscriptions/acknowledged":
		asked = q.action == policy.Subscribe
	}
	if !asked {
		return &Refusal{Rule: RuleSequence, Reason: "the client has not subscribed to it"}
	}
	return nil
}

// forget makes the lists count no longer of which a server says that they have
// changed, whoever has asked for the notification.
func (s *Session) forget(method string) {
	switch method {
	case "notifications/tools/list_changed":
		s.lists["tool"].forget()
	case "notifications/prompts/list_changed":
		s.lists["prompt"].forget()
	case "notifications/resources/list_changed":
		s.lists["resource"].forget()
		s.lists["template"].forget()
	}
}
