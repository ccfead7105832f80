package export

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/sallyport-mcp/sallyport/registry"
)

const serverSchema = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"

// serverJSON is the part of server.json (2025-12-11) that a registry can say.
type serverJSON struct {
	Schema      string         `json:"$schema"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Version     string         `json:"version"`
	Packages    []packageJSON  `json:"packages,omitempty"`
	Remotes     []remoteJSON   `json:"remotes,omitempty"`
	Meta        map[string]any `json:"_meta,omitempty"`
}

type packageJSON struct {
	Type       string         `json:"registryType"`
	Identifier string         `json:"identifier"`
	Version    string         `json:"version,omitempty"`
	Runtime    string         `json:"runtimeHint,omitempty"`
	RunArgs    []argumentJSON `json:"runtimeArguments,omitempty"`
	Args       []argumentJSON `json:"packageArguments,omitempty"`
	Transport  transportJSON  `json:"transport"`
}

type argumentJSON struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type transportJSON struct {
	Type string `json:"type"`
}

type remoteJSON struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

// registryTypes are the purl types that server.json knows, with the launcher.
var registryTypes = map[string][2]string{"npm": {"npm", "npx"}, "pypi": {"pypi", "uvx"}, "nuget": {"nuget", "dnx"}, "cargo": {"cargo", ""}}

// server describes an entry as server.json; false when it cannot.
func (v *view) server(e *registry.Entry) (serverJSON, bool) {
	m := e.Match
	id := m.Identity()
	out := serverJSON{Schema: serverSchema, Name: v.name(e), Description: describe(e), Version: "1.0.0"}
	switch {
	case m.URL != "" && len(m.Argv) == 0 && m.PURL == "" && m.Image == "":
		if strings.HasSuffix(m.URL, "*") {
			v.without(e, "the target lists one URL, and this one is a pattern")
			return out, false
		}
		kind := "streamable-http"
		if e.Transport == "sse" {
			kind = "sse"
		}
		out.Remotes = []remoteJSON{{kind, registry.NormalURL(m.URL)}}
	case len(id.Images) == 1 && strings.Contains(id.Images[0], "@sha256:"):
		out.Packages = []packageJSON{{Type: "oci", Identifier: id.Images[0], Runtime: "docker", Transport: transportJSON{"stdio"}}}
		if len(m.Argv) > 0 {
			v.lack(e, "arguments of the command line are not part of the listing")
		}
	case len(id.Packages) == 1 && id.Unclear == "":
		p, err := packageurl.FromString(id.Packages[0])
		kind := registryTypes[p.Type]
		if err != nil || kind[0] == "" || p.Version == "" {
			v.without(e, "the target lists packages by an exact version from npm, PyPI, NuGet or crates")
			return out, false
		}
		name := p.Name
		if p.Namespace != "" {
			name = p.Namespace + "/" + name
		}
		one := packageJSON{Type: kind[0], Identifier: name, Version: p.Version, Runtime: kind[1], Transport: transportJSON{"stdio"}}
		if i := slices.IndexFunc(m.Argv, func(w string) bool { return strings.Contains(w, name) }); i >= 0 {
			for _, w := range m.Argv[i+1:] {
				one.Args = append(one.Args, argumentJSON{"positional", w})
			}
		}
		out.Version = p.Version
		out.Packages = []packageJSON{one}
	default:
		v.without(e, "the target lists packages, images and URLs, and this is a local command")
		return out, false
	}
	return out, true
}

const publisherMeta = "io.modelcontextprotocol.registry/publisher-provided"

// verdict is what we say about a server in a registry's answer.
func verdict(e *registry.Entry) map[string]any {
	out := map[string]any{"id": e.ID, "status": string(e.Status)}
	if e.Manifest.Digest != "" {
		out["manifest"] = e.Manifest.Digest
	}
	if e.Evidence.ApprovedBy != "" {
		out["approvedBy"] = e.Evidence.ApprovedBy
	}
	if e.Evidence.ApprovedAt != "" {
		out["approvedAt"] = e.Evidence.ApprovedAt
	}
	return out
}

// A registry's answer is a catalogue: clients that are held to it compare names.
func writeMCPRegistry(v *view) error {
	list := []any{}
	for _, e := range v.approved {
		if s, ok := v.server(e); ok {
			v.lack(e, "clients compare the name alone; it pins nothing without an allowlist of commands and URLs")
			list = append(list, map[string]any{"server": s, "_meta": map[string]any{
				"io.modelcontextprotocol.registry/official": map[string]any{"status": "active", "isLatest": true},
				"dev.sallyport/registry":                    verdict(e),
			}})
		}
	}
	return v.json(map[string]any{"servers": list, "metadata": map[string]any{"count": len(list)}})
}

// ToolHive reads server.json entries; its own data is kept below the image or
// URL that it is about.
func writeToolHive(v *view) error {
	servers := []serverJSON{}
	for _, e := range v.approved {
		s, ok := v.server(e)
		if !ok {
			continue
		}
		key := ""
		switch {
		case len(s.Packages) > 0:
			key = s.Packages[0].Identifier
			if s.Packages[0].Type != "oci" {
				key += "@" + s.Packages[0].Version
			}
		case len(s.Remotes) > 0:
			key = s.Remotes[0].URL
		}
		own := map[string]any{"status": "Active", "tier": "Community"}
		if e.Tools.Allow != nil {
			own["tools"] = e.Tools.Allow
		}
		if len(e.Tools.Deny) > 0 || e.Tools.Allow != nil {
			v.lack(e, "tools are listed and not filtered; run it with --tools")
		}
		s.Meta = map[string]any{publisherMeta: map[string]any{"io.github.stacklok": map[string]any{key: own}, "dev.sallyport": verdict(e)}}
		servers = append(servers, s)
	}
	return v.json(map[string]any{
		"$schema": "https://raw.githubusercontent.com/stacklok/toolhive-core/main/registry/types/data/upstream-registry.schema.json",
		"version": "1.0.0",
		"meta":    map[string]any{"last_updated": v.updated()},
		"data":    map[string]any{"servers": servers},
	})
}

// updated is the day of the latest decision, so that the same registry gives
// the same bytes.
func (v *view) updated() string {
	last := "1970-01-01"
	for _, e := range v.approved {
		last = max(last, e.Evidence.ApprovedAt)
	}
	return last + "T00:00:00Z"
}

// Docker's gateway runs images and reaches remotes of its catalog only.
func writeDocker(v *view) error {
	b := &v.out
	fmt.Fprintf(b, "name: %s\ndisplayName: %s\n", quoted(dns(v.doc.Name, "approved")), quoted(or(v.doc.Name, "Approved servers")))
	var body strings.Builder
	for _, e := range v.approved {
		m := e.Match
		id := m.Identity()
		var s strings.Builder
		switch {
		case m.URL != "" && len(m.Argv) == 0 && m.PURL == "" && m.Image == "" && !strings.HasSuffix(m.URL, "*"):
			kind := "streamable-http"
			if e.Transport == "sse" {
				kind = "sse"
			}
			fmt.Fprintf(&s, "    type: remote\n    remote:\n      transport_type: %s\n      url: %s\n", kind, quoted(registry.NormalURL(m.URL)))
		case len(id.Images) == 1 && strings.Contains(id.Images[0], "@sha256:"):
			fmt.Fprintf(&s, "    type: server\n    image: %s\n", quoted(id.Images[0]))
			if len(m.Argv) > 0 {
				v.lack(e, "options and arguments of its command line are not part of the catalog")
			}
		default:
			v.without(e, "the target runs images by digest and reaches URLs")
			continue
		}
		fmt.Fprintf(&s, "    title: %s\n    description: %s\n", quoted(e.ID), quoted(describe(e)))
		if e.Tools.Allow != nil {
			s.WriteString("    tools:\n")
			for _, tool := range e.Tools.Allow {
				fmt.Fprintf(&s, "      - name: %s\n", quoted(tool))
			}
		}
		if len(e.Tools.Deny) > 0 {
			v.lack(e, "denied tools are not left out by a catalog; write tools.allow")
		}
		fmt.Fprintf(&body, "  %s:\n%s", quoted(e.ID), s.String())
	}
	if body.Len() == 0 {
		b.WriteString("registry: {}\n")
		return nil
	}
	b.WriteString("registry:\n" + body.String())
	return nil
}

// Kubernetes runs the resources of ToolHive's operator, and an admission policy
// refuses those that start another image or reach another URL.
func writeKubernetes(v *view) error {
	b := &v.out
	var images, urls []string
	names := map[string]bool{}
	for _, e := range v.approved {
		m := e.Match
		id := m.Identity()
		name := dns(e.ID, "server")
		for n := 2; names[name]; n++ {
			name = fmt.Sprintf("%s-%d", dns(e.ID, "server"), n)
		}
		var kind, spec string
		switch {
		case m.URL != "" && len(m.Argv) == 0 && m.PURL == "" && m.Image == "" && !strings.HasSuffix(m.URL, "*"):
			transport := "streamable-http"
			if e.Transport == "sse" {
				transport = "sse"
			}
			urls = append(urls, registry.NormalURL(m.URL))
			kind, spec = "MCPRemoteProxy", fmt.Sprintf("  remoteUrl: %s\n  transport: %s\n", quoted(registry.NormalURL(m.URL)), transport)
		case len(id.Images) == 1 && strings.Contains(id.Images[0], "@sha256:"):
			transport := "stdio"
			if e.Transport == "http" {
				transport = "streamable-http"
			} else if e.Transport == "sse" {
				transport = "sse"
			}
			images = append(images, id.Images[0])
			kind, spec = "MCPServer", fmt.Sprintf("  image: %s\n  transport: %s\n", quoted(id.Images[0]), transport)
			if len(m.Argv) > 0 {
				v.lack(e, "options and arguments of its command line are not part of the resource")
			}
		default:
			v.without(e, "the target runs images by digest and reaches URLs")
			continue
		}
		names[name] = true
		if e.Tools.Allow != nil {
			fmt.Fprintf(b, "---\napiVersion: toolhive.stacklok.dev/v1beta1\nkind: MCPToolConfig\nmetadata:\n  name: %s\nspec:\n  toolsFilter:\n", quoted(name+"-tools"))
			for _, tool := range e.Tools.Allow {
				if !slices.Contains(e.Tools.Deny, tool) {
					fmt.Fprintf(b, "    - %s\n", quoted(tool))
				}
			}
			spec += fmt.Sprintf("  toolConfigRef:\n    name: %s\n", quoted(name+"-tools"))
		} else if len(e.Tools.Deny) > 0 {
			v.lack(e, "denied tools are not left out; write tools.allow")
		}
		fmt.Fprintf(b, "---\napiVersion: toolhive.stacklok.dev/v1beta1\nkind: %s\nmetadata:\n  name: %s\n  annotations:\n    sallyport.dev/entry: %s\n", kind, quoted(name), quoted(e.ID))
		if e.Manifest.Digest != "" {
			fmt.Fprintf(b, "    sallyport.dev/manifest: %s\n", quoted(e.Manifest.Digest))
		}
		fmt.Fprintf(b, "spec:\n%s", spec)
	}
	fmt.Fprintf(b, admission, quoted(among("image", images)), quoted(among("remoteUrl", urls)))
	return nil
}

// among is the expression (CEL) that holds for objects without a member of their
// spec, and for those where it is one of a list.
func among(member string, list []string) string {
	for i, s := range list {
		list[i] = strconv.Quote(s)
	}
	return fmt.Sprintf("!has(object.spec.%s) || object.spec.%s in [%s]", member, member, strings.Join(list, ", "))
}

// admission is a policy of Kubernetes 1.30 and later. A pod's template could put
// another image in the place of the server's.
const admission = `---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: "sallyport-approved-mcp-servers"
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: ["toolhive.stacklok.dev"]
        apiVersions: ["*"]
        operations: ["CREATE", "UPDATE"]
        resources: ["mcpservers", "mcpremoteproxies", "mcpserverentries"]
  validations:
    - expression: %s
      message: "no entry of the registry approves this image"
    - expression: %s
      message: "no entry of the registry approves this URL"
    - expression: "!has(object.spec.podTemplateSpec)"
      message: "a pod template can start another image than the one that is approved"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: "sallyport-approved-mcp-servers"
spec:
  policyName: "sallyport-approved-mcp-servers"
  validationActions: ["Deny"]
`

// dns makes a name of RFC 1123 labels.
func dns(s, otherwise string) string {
	s = strings.Trim(strings.NewReplacer("_", "-", ".", "-").Replace(registry.Slug(s)), "-")
	if len(s) > 50 {
		s = strings.TrimRight(s[:50], "-")
	}
	return or(s, otherwise)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
