// Package export writes a registry's decisions in the forms that clients and
// platforms enforce by themselves. It is pure. What a target cannot express is
// part of the answer, never dropped.
package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/registry"
)

// Target is one form.
type Target struct {
	Name string // as in --to
	For  string // what reads it, and where it is put
	can  can
	// write fills in the output for the approved servers.
	write func(*view) error
}

// can is what a target enforces besides which servers there are.
type can struct{ tools, denials bool }

// Targets is every form, in the order of the help.
var Targets = []Target{
	{"claude-code", "managed-settings.json of Claude Code", can{denials: true}, writeClaude},
	{"copilot", "copilot/managed-settings.json of GitHub Copilot", can{denials: true}, writeCopilot},
	{"codex", "requirements.toml of Codex", can{}, writeCodex},
	{"gemini", "the system settings.json of Gemini CLI", can{tools: true}, writeGemini},
	{"vscode", "managed-settings.json that GitHub Copilot in VS Code reads", can{denials: true}, writeCopilot},
	{"windsurf", "allowlist entries to paste into Windsurf's team settings", can{}, writeWindsurf},
	{"amp", "managed settings of Amp", can{denials: true}, writeAmp},
	{"toolhive", "a registry file of ToolHive", can{tools: true}, writeToolHive},
	{"docker", "a catalog file of Docker's MCP gateway", can{tools: true}, writeDocker},
	{"mcp-registry", "the answer to GET /v0.1/servers of an MCP registry", can{}, writeMCPRegistry},
	{"kubernetes", "resources of ToolHive's Kubernetes operator", can{tools: true}, writeKubernetes},
}

// Names is the names of all targets.
func Names() []string {
	names := make([]string, len(Targets))
	for i, t := range Targets {
		names[i] = t.Name
	}
	return names
}

// Result is an export.
type Result struct {
	Bytes []byte
	// Missing is what the target cannot express: one line a kind, with the ids
	// of the entries.
	Missing []string
}

// Write exports what a registry approves and denies for somebody on a day
// (YYYY-MM-DD).
func Write(t Target, r *registry.Registry, who registry.Who, today string) (Result, error) {
	v := &view{target: t, doc: r.Doc}
	for _, e := range r.Doc.Servers {
		d := r.Decide(e.Match.Identity(), who, "", today)
		switch {
		case d.Entry != e:
			continue // another entry decides, or this one is for others
		case d.Allowed:
			v.approved = append(v.approved, e)
		case d.Status == registry.Denied:
			v.denied = append(v.denied, e)
		}
	}
	if err := t.write(v); err != nil {
		return Result{}, err
	}
	v.common()
	return Result{v.out.Bytes(), v.missing()}, nil
}

// view is what one export works with.
type view struct {
	target           Target
	doc              *registry.Document
	approved, denied []*registry.Entry
	out              bytes.Buffer

	kinds []string // in the order of the first mention
	lacks map[string][]string
	gone  map[*registry.Entry]bool // left out altogether
}

// lack notes that an entry says something that the target does not.
func (v *view) lack(e *registry.Entry, kind string) {
	if v.lacks == nil {
		v.lacks = map[string][]string{}
	}
	if !slices.Contains(v.kinds, kind) {
		v.kinds = append(v.kinds, kind)
	}
	if !slices.Contains(v.lacks[kind], e.ID) {
		v.lacks[kind] = append(v.lacks[kind], e.ID)
	}
}

// without notes that an entry is not in the export at all.
func (v *view) without(e *registry.Entry, why string) {
	if v.gone == nil {
		v.gone = map[*registry.Entry]bool{}
	}
	v.gone[e] = true
	v.lack(e, "left out, so refused there: "+why)
}

func (v *view) missing() []string {
	var out []string
	for _, kind := range v.kinds {
		out = append(out, kind+": "+strings.Join(v.lacks[kind], ", "))
	}
	return out
}

// common notes what no write function speaks of.
func (v *view) common() {
	for _, e := range v.approved {
		if v.gone[e] {
			continue
		}
		if e.Manifest.Digest != "" {
			v.lack(e, "the reviewed surface is not compared")
		}
		if !v.target.can.tools && (e.Tools.Allow != nil || len(e.Tools.Deny) > 0) {
			v.lack(e, "the choice of tools is not enforced")
		}
		if e.Limits != (registry.Limits{}) {
			v.lack(e, "limits are not enforced")
		}
		if len(e.Redaction) > 0 {
			v.lack(e, "redaction is not enforced")
		}
		if e.Zone != "" {
			v.lack(e, "the zone is not enforced")
		}
		if e.Evidence.Until != "" {
			v.lack(e, "the approval's last day is not enforced; export again after "+e.Evidence.Until)
		}
		if len(e.Roles) > 0 {
			v.lack(e, "the role is not asked for; give the file to these people alone")
		}
	}
}

// json writes a value as people read it, without HTML's escapes.
func (v *view) json(value any) error {
	enc := json.NewEncoder(&v.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}

// name is an entry's name in MCP registries.
func (v *view) name(e *registry.Entry) string {
	if e.Name != "" {
		return e.Name
	}
	space := v.doc.Namespace
	if space == "" {
		space = "registry.local"
	}
	return space + "/" + e.ID
}

// describe is an entry's description, cut to what server.json allows.
func describe(e *registry.Entry) string {
	text := e.Description
	if text == "" {
		text = "Approved as " + e.ID
	}
	runes := []rune(text)
	if len(runes) > 100 {
		runes = append(runes[:99], '…')
	}
	return string(runes)
}

// variable reports whether a text holds something that a client would replace
// by the value of a variable.
func variable(texts ...string) bool {
	for _, s := range texts {
		if strings.Contains(s, "${") || strings.Contains(s, "$(") || strings.Contains(s, "{{") {
			return true
		}
	}
	return false
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }
