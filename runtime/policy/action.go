package policy

// Action is what somebody wants to do with a server: one of the constants, and
// nothing else. Methods of MCP lead to one by ClientAction and ServerAction; a
// method that leads to none is for the caller to refuse.
type Action string

const (
	// Connect is to start or reach the server, and what every connection
	// needs: handshake, ping, progress, cancellation, log messages.
	Connect Action = "connect"

	CallTool     Action = "tools/call"     // Name: the tool; Arguments
	GetPrompt    Action = "prompts/get"    // Name: the prompt; Arguments
	ReadResource Action = "resources/read" // Name: the URI

	// What is listed with these may be seen: they are answered as the call,
	// the get or the read would be with some arguments. Without a name they
	// are the request for the list, and answered as Connect.
	ListTools     Action = "tools/list"
	ListPrompts   Action = "prompts/list"
	ListResources Action = "resources/list"

	SubscribeResource Action = "resources/subscribe" // Name: the URI
	Complete          Action = "completion/complete" // Name: the prompt or the URI template; Arguments
	SetLevel          Action = "logging/setLevel"
	Tasks             Action = "tasks"       // get, list, cancel, update a task or fetch its result
	Subscribe         Action = "subscribe"   // subscriptions/listen of 2026-07-28
	Sampling          Action = "sampling"    // the server asks for a model's answer
	Elicitation       Action = "elicitation" // the server asks the user
	Roots             Action = "roots"       // the server asks for the client's directories
)

// kind is how an action stands in Cedar.
type kind struct {
	cedar    Action // the action of the policies
	resource string // the type of its resource
	named    bool   // it is about nothing without a name
	listing  bool   // policies that look at arguments are left out
}

var kinds = map[Action]kind{
	Connect:           {Connect, "Connection", false, false},
	CallTool:          {CallTool, "Tool", true, false},
	ListTools:         {CallTool, "Tool", false, true},
	GetPrompt:         {GetPrompt, "Prompt", true, false},
	ListPrompts:       {GetPrompt, "Prompt", false, true},
	ReadResource:      {ReadResource, "Resource", true, false},
	ListResources:     {ReadResource, "Resource", false, true},
	SubscribeResource: {SubscribeResource, "Resource", true, false},
	Complete:          {Complete, "Connection", false, false},
	SetLevel:          {SetLevel, "Connection", false, false},
	Tasks:             {Tasks, "Connection", false, false},
	Subscribe:         {Subscribe, "Connection", false, false},
	Sampling:          {Sampling, "Connection", false, false},
	Elicitation:       {Elicitation, "Connection", false, false},
	Roots:             {Roots, "Connection", false, false},
}

// both are the methods that go in either direction.
var both = map[string]Action{
	"ping":                       Connect,
	"notifications/cancelled":    Connect,
	"notifications/progress":     Connect,
	"tasks/get":                  Tasks,
	"tasks/result":               Tasks,
	"tasks/list":                 Tasks,
	"tasks/cancel":               Tasks,
	"tasks/update":               Tasks,
	"notifications/tasks/status": Tasks,
}

var fromClient = map[string]Action{
	"initialize":                       Connect,
	"server/discover":                  Connect,
	"notifications/initialized":        Connect,
	"tools/call":                       CallTool,
	"tools/list":                       ListTools,
	"prompts/get":                      GetPrompt,
	"prompts/list":                     ListPrompts,
	"resources/read":                   ReadResource,
	"resources/list":                   ListResources,
	"resources/templates/list":         ListResources,
	"resources/subscribe":              SubscribeResource,
	"resources/unsubscribe":            Connect,
	"completion/complete":              Complete,
	"logging/setLevel":                 SetLevel,
	"subscriptions/listen":             Subscribe,
	"notifications/roots/list_changed": Roots,
}

var fromServer = map[string]Action{
	"sampling/createMessage":                   Sampling,
	"elicitation/create":                       Elicitation,
	"notifications/elicitation/complete":       Elicitation,
	"roots/list":                               Roots,
	"notifications/message":                    Connect,
	"notifications/tools/list_changed":         Connect,
	"notifications/prompts/list_changed":       Connect,
	"notifications/resources/list_changed":     Connect,
	"notifications/resources/updated":          SubscribeResource,
	"notifications/subscriptions/acknowledged": Subscribe,
}

// ClientAction is the action of a method that a client sends, in any version
// of MCP up to 2026-07-28.
func ClientAction(method string) (Action, bool) { return lookUp(fromClient, method) }

// ServerAction is the action of a method that a server sends, and of the
// members of inputRequests (2026-07-28).
func ServerAction(method string) (Action, bool) { return lookUp(fromServer, method) }

func lookUp(table map[string]Action, method string) (Action, bool) {
	if a, ok := table[method]; ok {
		return a, true
	}
	a, ok := both[method]
	return a, ok
}

// Valid reports whether a is one of the constants.
func (a Action) Valid() bool {
	_, ok := kinds[a]
	return ok
}
