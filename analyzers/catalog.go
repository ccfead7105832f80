package analyzers

import "encoding/json"

// Catalog is everything that a scan saw. Analyzers fill it, rules judge it,
// reports print it. Zero values mean "not known", never "fine".
type Catalog struct {
	Clients []*Client
	Servers []*Server

	// Documents is the text that models read beside the surfaces of servers.
	Documents []*Document
	Manifests []*Manifest
	Secrets   []Secret
	Gaps      []Gap
	Stats     Stats
}

// Exposure says how live the place of a fact is.
type Exposure string

const (
	Active   Exposure = "active"   // this user's own configuration, or what was named on the command line
	Project  Exposure = "project"  // a repository's configuration: live once somebody opens the repository
	Template Exposure = "template" // to be copied and filled in
	Docs     Exposure = "docs"     // an example in documentation
	Test     Exposure = "test"     // test data
)

// Transport is how a client talks to a server, in the words of the MCP
// specification: stdio, http (Streamable HTTP) or sse (HTTP+SSE).
type Transport string

const (
	Stdio Transport = "stdio"
	HTTP  Transport = "http"
	SSE   Transport = "sse"
)

// Client is one configuration file of one MCP client.
type Client struct {
	Name     string // the row of the format table: "claude-code", "cursor"
	Exposure Exposure
	Scope    Scope
	Source   *Source
	Servers  []*Server
	Settings []Setting // scalar members outside the servers
	Hooks    []Hook    // commands that the client runs by itself
	Repeats  []Repeat  // keys that stand twice in one object
}

// Repeat is a key that an object of a configuration holds more than once:
// clients differ in which value they take.
type Repeat struct {
	Path       string
	Key, First Text // the later key, and the one that it repeats
}

// Scope is who brings a configuration file: it decides who can change it.
type Scope string

const (
	ScopeProject Scope = "project" // comes with the repository
	ScopeUser    Scope = "user"    // one person's home directory
	ScopeManaged Scope = "managed" // the organisation's
)

// Setting is a scalar member of a configuration, flattened: Path is the chain
// of keys ("permissions.allow[0]", RFC 6901 without the escaping).
type Setting struct {
	Path  string
	Key   Text // the innermost key; zero inside a list
	Value Text // numbers, booleans and null are spelt as in the file
}

// Hook is a command that a client runs on an event, without a server.
type Hook struct {
	Event   string
	Command Text
	Launch  *Launch
}

// Server is one MCP server as one file declares it.
type Server struct {
	ID        string // unique in the catalog: "PATH#NAME", with "~2" for a second one
	Name      Text
	Client    *Client // nil for server.json and other descriptions
	Format    string  // the row of the format table that read it
	Transport Transport
	Command   Text
	Args      []Text
	Env       []Var
	Headers   []Var
	URL       Text
	Cwd       Text
	Disabled  bool
	Settings  []Setting // every other scalar member of the declaration
	Launch    *Launch   // what the command really starts; nil without a command
	Remotes   []Text    // every URL the server talks to: URL and those in its arguments (mcp-remote)
	Packages  []PackageRef
	Images    []ImageRef
	Exposure  Exposure
	Surface   Surface
	Span      Span // the declaration's value
	KeySpan   Span // its key, or its name where the declarations are a list
}

// Var is an environment variable or a header: its value is in no output.
type Var struct{ Name, Value Text }

// Launch is a command line taken apart: what is really started, with the
// wrappers around it named.
type Launch struct {
	Argv     []Text   // as written; Argv[0] is the command
	Program  string   // base name without .exe or .cmd, lower case: "npx"
	Wrappers []string // unwrapped from the outside in: "cmd /c", "env", "bash -c"
	// Inner is the innermost command line, after the wrappers: what Program is
	// argument 0 of. Equal to Argv without wrappers.
	Inner    []Text
	Packages []PackageRef
	Images   []ImageRef
	Remotes  []Text // URLs that the command connects to or loads code from
	Script   Text   // a local file that is run: node server.js, python app.py
	Inline   Text   // code on the command line: sh -c, node -e, python -c
	Shell    bool   // a shell interprets the line
	Flags    []Flag // of the launcher itself, not of the server
	// Ambiguous says why the reading may be wrong: "unknown flag --x"; "" when
	// the launcher's grammar covers the line.
	Ambiguous string
}

// Flag is one option of a launcher with its value: {"--volume", "/:/host"}.
// Short options are spelt out where the launcher's table knows the long form.
type Flag struct {
	Name  string
	Value Text // zero for a switch
	At    Text // the argument that holds the flag
}

// Pin is how firmly a reference names one artefact.
type Pin string

const (
	PinDigest Pin = "digest" // content hash
	PinExact  Pin = "exact"  // one version of a registry that does not overwrite
	PinCommit Pin = "commit" // a full git commit
	PinRange  Pin = "range"  // ^1.2, >=1
	PinTag    Pin = "tag"    // latest, main, an image tag
	PinNone   Pin = "none"   // nothing said: whatever is served today
)

// PackageRef names a package and how firmly. PURL follows the purl
// specification and has a version only where one is named.
type PackageRef struct {
	PURL      string
	Ecosystem string // purl type: npm, pypi, golang, nuget, cargo, maven, gem, composer, oci, github, generic
	Name      string // with namespace, as the ecosystem writes it: "@scope/name"
	Version   string // as written: exact version, range or tag; "" when absent
	Pin       Pin
	Source    string // where it comes from when not the default registry: "git", "url", "path", "registry"
	Spec      Text   // the argument that names it
}

// ImageRef names a container image.
type ImageRef struct {
	PURL       string // pkg:oci/name@sha256:...?repository_url=host/ns/name&tag=t
	Repository string // host/ns/name, as written
	Tag        string
	Digest     string // sha256:...
	Pin        Pin
	Spec       Text
}

// Origin says how a definition was obtained.
type Origin string

const (
	Captured Origin = "captured" // a saved tools/list answer
	Static   Origin = "static"   // read from source
	Live     Origin = "live"     // asked of a running server
	Declared Origin = "declared" // listed by hand in a manifest or configuration
)

// Surface is everything a server shows to a model.
type Surface struct {
	Instructions Text
	Tools        []*Tool
	Prompts      []*Item
	Resources    []*Item
	Templates    []*Item
	// Capabilities are the names of what the server has declared that it can do,
	// each as a JSON Pointer (RFC 6901) into the capabilities of its greeting:
	// "/tools", "/resources/subscribe". They are sorted; nil is not known.
	Capabilities []Text
}

// Fields returns every string of the surface that a model may read, with its
// owner: nil for the instructions.
func (s *Surface) Fields(visit func(owner *Item, field Field)) {
	if !s.Instructions.IsZero() {
		visit(nil, Field{Path: "instructions", Text: s.Instructions})
	}
	for _, tool := range s.Tools {
		for _, f := range tool.Fields {
			visit(&tool.Item, f)
		}
	}
	for _, items := range [][]*Item{s.Prompts, s.Resources, s.Templates} {
		for _, item := range items {
			for _, f := range item.Fields {
				visit(item, f)
			}
		}
	}
}

// Item is one definition of a surface: a tool, prompt, resource or template.
// Definition is the whole JSON text as the server wrote it: fingerprints are
// taken from it, never from a typed round trip.
type Item struct {
	Kind        string // "tool", "prompt", "resource", "template"
	Name        Text   // a resource's is its uri, a template's its uriTemplate
	Title       Text
	Description Text
	Origin      Origin
	Fields      []Field // every string of the definition, keys of objects included
	Definition  json.RawMessage
	Unresolved  []Unresolved
	Span        Span
}

// Tool is a tool's definition (MCP schema.ts, Tool).
type Tool struct {
	Item
	InputSchema  json.RawMessage
	OutputSchema json.RawMessage
	Annotations  json.RawMessage
}

// Field is one string that a model may read. Path is the chain of keys inside
// the definition ("inputSchema.properties.path.description"); Key is set when
// the string is itself an object's key.
type Field struct {
	Path string
	Key  bool
	Text Text
}

// Document is text that a model reads and that is no definition of a surface: a
// file that an agent loads by itself, or one message of saved traffic.
type Document struct {
	// Kind is what the text is to its reader.
	//
	// Files: "agent-rules" (AGENTS.md and its kin), "skill" (SKILL.md),
	// "skill-reference" (other text in a skill's folder), "command", "subagent".
	//
	// Messages: "result" (tools/call), "prompt" (prompts/get), "resource"
	// (resources/read), "completion", "error", "progress", "log",
	// "elicitation", "sampling".
	Kind     string
	Client   string  // the row of package agentdoc's table; "" for messages
	Name     Text    // as the file or the request says it; without a Span where only the path tells
	Source   *Source // the file
	Server   *Server // who sent the message; nil for files
	Exposure Exposure
	Fields   []Field   // of a file: the strings of its front matter and then "body"
	Settings []Setting // the front matter's scalars; lists of tools are taken apart
	Span     Span      // the file, or the message
}

// Unresolved is a field that could not be read without running the server.
type Unresolved struct{ Field, Reason string }

// Secret is a credential's place. Its value is in no output: reports mask it.
type Secret struct {
	Kind     string // "github-token", "private-key", "credential": see package secret
	Where    string // "env", "header", "arg", "url", "setting", "hook", "text"
	Key      string // the variable, header or flag that holds it; "" in running text
	Text     Text   // the value alone
	Server   *Server
	Exposure Exposure
}

// Gap is something that the scan did not or could not read. It blocks when a
// recognised input is missing from the answer: then nothing may be called
// clean.
type Gap struct {
	Path     string
	Kind     string // "unreadable", "oversized", "malformed", "escape", "special", "limit", "skipped", "excluded"; package github adds its own
	Reason   string
	Blocking bool
	// Span is where reading failed, when the file has such a place.
	Span Span
}

// Stats counts what was looked at.
type Stats struct {
	Files int   // read
	Bytes int64 // of those
	Seen  int   // regular files met by the walk
}
