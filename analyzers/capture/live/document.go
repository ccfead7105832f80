package live

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
)

// launched is how a server was started, in the words of the JSON report.
// Credentials of the command line are masked.
type launched struct {
	Command string   `json:"command"`
	Args    []string `json:"args"`
	Env     []string `json:"env"` // names
}

// inspection is under which conditions a capture was taken.
type inspection struct {
	Confinement string   `json:"confinement"`
	Network     bool     `json:"network"`
	Again       bool     `json:"again"` // the lists were compared with further ones
	Incomplete  []string `json:"incomplete"`
}

// Document is the capture as package capture reads it: {"serverInfo", "launch"
// or "url", "instructions", "tools", "prompts", "resources",
// "resourceTemplates"} and how it was taken. Definitions stand in it byte for
// byte. Two captures of a server that shows the same are equal but for what it
// logged. It fails where the server has shown the value of a variable or header
// that holds a credential: it must not be written down.
func (c *Capture) Document() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("{")
	member := func(name string, value any) {
		raw, ok := value.(json.RawMessage)
		if !ok {
			var buf bytes.Buffer
			enc := json.NewEncoder(&buf)
			enc.SetEscapeHTML(false)
			if enc.Encode(value) != nil {
				return // no such value is passed
			}
			raw = bytes.TrimSpace(buf.Bytes())
		}
		if len(raw) == 0 || string(raw) == "null" {
			return
		}
		if b.Len() > 1 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, "\n  %q: ", name)
		b.Write(raw)
	}
	p := c.Plan
	member("serverInfo", c.ServerInfo)
	member("protocolVersion", c.ProtocolVersion)
	member("transport", c.Transport)
	if p.URL != "" {
		member("url", secret.Mask(p.URL))
	} else {
		member("launch", p.launched())
		member("program", p.Program)
		member("script", p.Script)
	}
	member("inspection", inspection{p.Confinement, p.Network || p.Confinement != "namespaces", c.Again, append([]string{}, c.Incomplete...)})
	member("capabilities", c.Capabilities)
	member("instructions", c.Instructions)
	for _, l := range lists {
		var elements []json.RawMessage
		for _, d := range c.Definitions {
			if d.Kind == l.kind {
				elements = append(elements, d.Raw)
			}
		}
		if l.kind == "tool" || len(elements) > 0 {
			member(l.member, list(elements))
		}
	}
	if len(c.Observations) > 0 {
		var elements []json.RawMessage
		for _, o := range c.Observations {
			elements = append(elements, o.raw())
		}
		member("observations", list(elements))
	}
	if len(c.Messages) > 0 { // as saved traffic, which package capture reads, too
		var elements []json.RawMessage
		for _, m := range c.Messages {
			elements = append(elements, json.RawMessage(`{"server": `+string(quoted(c.Name()))+`, "message": `+string(m)+`}`))
		}
		member("messages", list(elements))
	}
	b.WriteString("\n}\n")
	if name := p.leak(b.Bytes()); name != "" {
		return nil, &Failure{Problem: fmt.Sprintf("the server shows the value of %s to whoever asks; nothing was written", name), Hint: "give it another value, and do not use this server with one that matters"}
	}
	return b.Bytes(), nil
}

// Name is what the server calls itself, "" where it does not say.
func (c *Capture) Name() string {
	info, err := object(answer{result: c.ServerInfo})
	if err != nil {
		return ""
	}
	return info.Get("name").Str()
}

// list writes one element a line, untouched.
func list(elements []json.RawMessage) json.RawMessage {
	if len(elements) == 0 {
		return json.RawMessage("[]")
	}
	return json.RawMessage("[\n    " + string(bytes.Join(rawBytes(elements), []byte(",\n    "))) + "\n  ]")
}

func rawBytes(list []json.RawMessage) [][]byte {
	out := make([][]byte, len(list))
	for i, raw := range list {
		out[i] = raw
	}
	return out
}

// raw is the observation with its definition untouched, which json.Marshal
// would write anew.
func (o Observation) raw() json.RawMessage {
	text := fmt.Sprintf(`{"kind": %s, "subject": %s, "detail": %s`, quoted(o.Kind), quoted(o.Subject), quoted(o.Detail))
	if len(o.Definition) > 0 {
		text += `, "definition": ` + string(o.Definition)
	}
	return json.RawMessage(text + "}")
}

func quoted(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return []byte(`""`)
	}
	return b
}

// launched masks what a command line should not hold.
func (p *Plan) launched() launched {
	l := launched{Args: []string{}, Env: append([]string{}, p.Env...)}
	for i, word := range p.Masked() {
		if i == 0 {
			l.Command = word
		} else {
			l.Args = append(l.Args, word)
		}
	}
	return l
}

// Masked is the command line with every credential in it masked.
func (p *Plan) Masked() []string {
	words := make([]analyzers.Text, len(p.Argv))
	for i, w := range p.Argv {
		words[i].Value = analyzers.Untrusted(w)
	}
	found := secret.InArgs(words)
	out := make([]string, len(p.Argv))
	for i, w := range p.Argv {
		for _, s := range found {
			if v := s.Text.Raw(); v != "" {
				w = strings.ReplaceAll(w, v, "***")
			}
		}
		out[i] = secret.Mask(w)
	}
	return out
}

// HoldsCredential reports whether the command line or the URL has something in
// it that Document masks: the identity is then not the real one.
func (p *Plan) HoldsCredential() bool {
	return !slices.Equal(p.Masked(), p.Argv) || secret.Mask(p.URL) != p.URL
}
