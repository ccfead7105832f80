// Package live asks a running server what it shows. It starts a server to look
// at it, and only for a Plan that somebody has seen and agreed to: the process
// is confined, its whole tree ends with the capture, and everything it says is
// bounded and kept as it was said.
//
// Definitions are the server's own bytes: they are cut out of its answers and
// never pass through a Go type.
package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Bounds of one connection. What goes beyond makes the capture incomplete.
const (
	maxMessage  = 8 << 20  // bytes of one message
	maxReceived = 64 << 20 // bytes of all messages
	maxSurface  = 12 << 20 // bytes of all definitions: a capture is read back by package tree
	maxItems    = 20_000   // definitions
	maxPages    = 1_000    // of one list
	maxNoise    = 1_000    // lines that are no messages
	maxMessages = 100      // requests and notifications that are kept
	maxKept     = 1 << 20  // bytes of those
)

// How long is waited. Plan.Timeout bounds a whole connection.
const (
	DefaultTimeout = 2 * time.Minute
	probeAfter     = 5 * time.Second // for server/discover, before initialize is tried beside it
	undeclared     = 5 * time.Second // for a list that the server does not declare
	grace          = 500 * time.Millisecond
)

// Definition is one tool, prompt, resource or template, as the server wrote it.
type Definition struct {
	Kind string // "tool", "prompt", "resource", "template"
	Name string // a resource's is its uri, a template's its uriTemplate
	// Nameless is set where there is no name at all: such a definition is not
	// judged. An empty name is one.
	Nameless bool
	Raw      json.RawMessage
}

// Observation is something about the server's conduct that its definitions do
// not say. All text of the server in it is as it came.
type Observation struct {
	// Kind is "appeared", "vanished" or "changed" (between two lists),
	// "request" (of the server to its client), "undeclared" (a list without
	// its capability), "nameless", "duplicate", "noise" (lines that are no
	// messages).
	Kind    string `json:"kind"`
	Subject string `json:"subject"` // `tool "name"`, a method
	Detail  string `json:"detail"`
	// Definition is the other one, where two lists differ.
	Definition json.RawMessage `json:"definition,omitempty"`
}

// Capture is what a server showed.
type Capture struct {
	Plan            *Plan
	Transport       analyzers.Transport
	ProtocolVersion string
	ServerInfo      json.RawMessage // nil where it said none
	Capabilities    json.RawMessage
	Instructions    json.RawMessage // a JSON string
	Definitions     []Definition
	Observations    []Observation
	// Messages are requests and notifications of the server, whole.
	Messages []json.RawMessage
	// Incomplete says what is missing; empty when the lists were read to their
	// ends.
	Incomplete []string
	// Stderr is the end of what the process wrote there.
	Stderr []byte
	// Again is whether lists were compared with further ones.
	Again bool
}

// Unstable reports whether the server did not show the same twice.
func (c *Capture) Unstable() bool {
	for _, o := range c.Observations {
		if o.Kind == "appeared" || o.Kind == "vanished" || o.Kind == "changed" {
			return true
		}
	}
	return false
}

// Count is the number of definitions of a kind.
func (c *Capture) Count(kind string) int {
	n := 0
	for _, d := range c.Definitions {
		if d.Kind == kind {
			n++
		}
	}
	return n
}

// Failure is why there is no capture.
type Failure struct {
	Problem string
	Hint    string // what to do about it
	Stderr  []byte // the end of what the process wrote there
}

func (f *Failure) Error() string { return f.Problem }

// Capture starts the server, or connects to it, and asks it for everything it
// shows. Unless Plan.Once is set it asks for the lists twice, and then again in
// a connection of its own: a server that shows something else then is
// reported. The error is a *Failure, or that of ctx.
func (p *Plan) Capture(ctx context.Context) (*Capture, error) {
	first, err := p.connection(ctx, nil)
	if err != nil {
		return nil, err
	}
	c := &Capture{
		Plan: p, Transport: first.transport, ProtocolVersion: first.version, ServerInfo: first.serverInfo, Capabilities: first.capabilities,
		Instructions: first.instructions, Definitions: first.lists[0], Observations: first.observations, Messages: first.messages,
		Incomplete: first.incomplete, Stderr: first.stderr,
	}
	c.look()
	if p.Once || len(c.Incomplete) > 0 {
		return c, nil
	}
	c.Again = true
	c.compare(first.lists[1], "the second time it was asked")
	second, err := p.connection(ctx, first)
	if err != nil {
		var f *Failure
		if !errors.As(err, &f) {
			return nil, err
		}
		c.Incomplete = append(c.Incomplete, "the second connection failed: "+f.Problem)
		c.Stderr = f.Stderr
		return c, nil
	}
	c.compare(second.lists[0], "in a second connection")
	c.compareText("instructions", first.instructions, second.instructions)
	c.compareText("serverInfo", first.serverInfo, second.serverInfo)
	c.Incomplete = append(c.Incomplete, second.incomplete...)
	return c, nil
}

// look notes what is odd about the definitions themselves.
func (c *Capture) look() {
	seen := map[string]bool{}
	for _, d := range c.Definitions {
		switch key := d.Kind + "\x00" + d.Name; {
		case d.Nameless:
			c.Observations = append(c.Observations, Observation{Kind: "nameless", Subject: "a " + d.Kind, Detail: "has no name, and is not judged", Definition: d.Raw})
		case seen[key]:
			c.Observations = append(c.Observations, Observation{Kind: "duplicate", Subject: d.subject(), Detail: "is listed more than once"})
		default:
			seen[key] = true
		}
	}
}

func (d Definition) subject() string { return fmt.Sprintf("%s %q", d.Kind, d.Name) }
