// Package report says what a scan found: one Report value, one file an output.
// Formats is the table of outputs. Every output speaks from the Report alone,
// so a saved report can be told again in another format.
//
// Build is the only way in for text of a target. It masks every secret; each
// output then escapes what is left for its own medium.
package report

import (
	"encoding/json"
	"io"
	"path"
	"path/filepath"
	"strings"

	"github.com/sallyport-mcp/sallyport/rules"
)

// Format is one output.
type Format struct {
	Name    string // as in --format and --output
	Summary string // one line for --help
	Write   func(io.Writer, *Report, Options) error
}

// Options is what a writer needs to know beyond the report.
type Options struct {
	Rules []*rules.Rule // all that ran, for outputs that explain them
	Color bool
}

// Formats is every output, in the order of the help.
var Formats = []Format{
	{"text", "for people at a terminal: each finding with its place in the file", writeText},
	{"json", "the whole report; docs/schema/report.v1.schema.json describes it", writeJSON},
	{"sarif", "SARIF 2.1.0 for code scanning", writeSARIF},
	{"markdown", "a summary for a pull request or a job's summary page", writeMarkdown},
	{"github", "workflow commands that annotate a pull request", writeGitHub},
	{"html", "one page that stands alone, to keep or to send", writeHTML},
}

// Report is the JSON report, version 1. Every member is always present and no
// array is null.
type Report struct {
	SchemaVersion string    `json:"schemaVersion"` // "1"
	Tool          Tool      `json:"tool"`
	Targets       []Target  `json:"targets"`
	Catalog       Catalog   `json:"catalog"`
	Inventory     []Group   `json:"inventory"` // of an organisation, or of what was held against a registry; else empty
	Findings      []Finding `json:"findings"`
	Gaps          []Gap     `json:"gaps"`
	SkippedRules  []Skipped `json:"skippedRules"`
	Stats         Stats     `json:"stats"`
}

// Tool names the program that wrote the report.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Target is one thing that was scanned. Kind is "directory", "file", "github"
// (a repository, whose digest is the commit) or "github-org".
type Target struct {
	URI    string `json:"uri"`
	Kind   string `json:"kind"`
	Digest string `json:"digest"` // of a single artefact, else ""
}

// Catalog is what exists in the targets.
type Catalog struct {
	Clients   []Client   `json:"clients"`
	Packages  []Package  `json:"packages"`
	Edges     []Edge     `json:"edges"`
	Servers   []Server   `json:"servers"`
	Documents []Document `json:"documents"`
}

// Document is text that a model reads and that is no definition of a server:
// a file that an agent loads, a message of saved traffic.
type Document struct {
	Kind      string `json:"kind"`
	Client    string `json:"client"`
	Name      string `json:"name"`
	Server    string `json:"server"`
	Exposure  string `json:"exposure"`
	Path      string `json:"path"`
	StartLine int    `json:"startLine"`
}

// Client is one client's configuration file.
type Client struct {
	Name     string `json:"name"`
	Path     string `json:"path"`
	Exposure string `json:"exposure"`
	Scope    string `json:"scope"`
}

// Package is one package or image and how firmly it is named; one that is named
// in several ways stands several times.
type Package struct {
	PURL string `json:"purl"`
	Pin  string `json:"pin"`
}

// Edge joins a client's file to a server ("declares"), a server to what it
// starts ("starts") or talks to ("connects"), and a client or a repository to
// what it uses ("uses"). From and To are a path, a server's id, a purl or a URL;
// for "uses" a client's name or OWNER/REPO, and the identity of a Group.
type Edge struct {
	From string `json:"from"`
	To   string `json:"to"`
	Kind string `json:"kind"`
}

// Server is one declared server.
type Server struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Transport  string     `json:"transport"`
	Launch     Launch     `json:"launch"`
	URL        string     `json:"url"`
	Packages   []Package  `json:"packages"`
	Exposure   string     `json:"exposure"`
	Approval   string     `json:"approval"` // what the registry says: see Group; "" without one
	Language   string     `json:"language"`
	SDK        string     `json:"sdk"`
	Spans      []Place    `json:"spans"`
	Surface    Surface    `json:"surface"`
	Manifest   Manifest   `json:"manifest"`
	Reputation Reputation `json:"reputation"`
}

// Launch is how a server is started. Env and Args hold no secret value: Env is
// names only and secrets in Args are masked.
type Launch struct {
	Command string   `json:"command"`
	Args    []string `json:"args"`
	Env     []string `json:"env"`
}

// Place is a line of a file.
type Place struct {
	Path      string `json:"path"`
	StartLine int    `json:"startLine"`
}

// Surface is what a server shows to a model. Digest is the surface digest of
// package manifest, "" when nothing is known of the surface.
type Surface struct {
	Instructions string        `json:"instructions"`
	Digest       string        `json:"digest"`
	Tools        []SurfaceTool `json:"tools"`
	Prompts      []SurfaceItem `json:"prompts"`
	Resources    []SurfaceItem `json:"resources"`
	Templates    []SurfaceItem `json:"templates"`
}

// SurfaceTool is a tool in the shape of tools/list, with its origin and place.
type SurfaceTool struct {
	Name         string          `json:"name"`
	Title        string          `json:"title"`
	Description  string          `json:"description"`
	InputSchema  json.RawMessage `json:"inputSchema"`
	OutputSchema json.RawMessage `json:"outputSchema"`
	Annotations  json.RawMessage `json:"annotations"`
	Origin       string          `json:"origin"`
	Path         string          `json:"path"`
	StartLine    int             `json:"startLine"`
	Digest       string          `json:"digest"`
	Unresolved   []Unresolved    `json:"unresolved"`
}

// SurfaceItem is a prompt, a resource or a resource template.
type SurfaceItem struct {
	Name        string       `json:"name"`
	Title       string       `json:"title"`
	Description string       `json:"description"`
	Origin      string       `json:"origin"`
	Path        string       `json:"path"`
	StartLine   int          `json:"startLine"`
	Digest      string       `json:"digest"`
	Unresolved  []Unresolved `json:"unresolved"`
}

// Unresolved is a field that could not be read statically.
type Unresolved struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// Manifest is how the surface stands to a signed manifest; Status "" means
// that none was looked for.
type Manifest struct {
	Status string `json:"status"`
	Signer string `json:"signer"`
}

// Reputation is what is known of a server's origin; Grade "" means not asked.
type Reputation struct {
	Score   int      `json:"score"`
	Grade   string   `json:"grade"`
	Signals []Signal `json:"signals"`
}

// Signal is one reason of a score.
type Signal struct {
	Name     string `json:"name"`
	Effect   int    `json:"effect"`
	Evidence string `json:"evidence"`
}

// Finding is one judgement. Lines and columns are 1-based, columns count
// UTF-16 code units, the end is exclusive; all four are 0 when the finding is
// about no place in a file.
type Finding struct {
	RuleID      string      `json:"ruleId"`
	Severity    string      `json:"severity"`
	Confidence  string      `json:"confidence"`
	Exposure    string      `json:"exposure"`
	Message     string      `json:"message"`
	Subject     string      `json:"subject"`
	Server      string      `json:"server"`
	Tool        string      `json:"tool"`
	Path        string      `json:"path"`
	StartLine   int         `json:"startLine"`
	StartColumn int         `json:"startColumn"`
	EndLine     int         `json:"endLine"`
	EndColumn   int         `json:"endColumn"`
	Fingerprint string      `json:"fingerprint"`
	Related     []Related   `json:"related"`
	Flow        []Related   `json:"flow"`
	Fix         *Fix        `json:"fix"`
	Suppressed  *Suppressed `json:"suppressed"`

	frame *frame // the line of the file, for text; lost when a report is saved
}

// Related is a second place that explains a finding, or a step of a flow.
type Related struct {
	Message     string `json:"message"`
	Path        string `json:"path"`
	StartLine   int    `json:"startLine"`
	StartColumn int    `json:"startColumn"`
	EndLine     int    `json:"endLine"`
	EndColumn   int    `json:"endColumn"`
}

// Fix is a replacement of the finding's own file that would settle it.
type Fix struct {
	Description string `json:"description"`
	StartLine   int    `json:"startLine"`
	StartColumn int    `json:"startColumn"`
	EndLine     int    `json:"endLine"`
	EndColumn   int    `json:"endColumn"`
	Replacement string `json:"replacement"`
}

// Suppressed says why a finding does not gate.
type Suppressed struct {
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
}

// Gap is something that was not read.
type Gap struct {
	Path     string `json:"path"`
	Kind     string `json:"kind"`
	Reason   string `json:"reason"`
	Blocking bool   `json:"blocking"`
}

// Skipped is a rule that did not run.
type Skipped struct {
	RuleID string `json:"ruleId"`
	Reason string `json:"reason"`
}

// Stats counts what was looked at. DurationMs is 0 unless timing was asked
// for, so that two scans of the same bytes give the same report.
type Stats struct {
	Files      int   `json:"files"`
	Bytes      int64 `json:"bytes"`
	DurationMs int64 `json:"durationMs"`
}

// fromHere is a path as people at a terminal want it: from the directory in
// which the scan was started. A report's paths are relative to its target,
// whose own path is in front of them already when there are several; those of a
// repository that is not here begin with its name.
func fromHere(r *Report, name string) string {
	if len(r.Targets) != 1 || name == "" || strings.HasPrefix(r.Targets[0].Kind, "github") {
		return name
	}
	base := r.Targets[0].URI
	if r.Targets[0].Kind == "file" {
		base = path.Dir(base)
	}
	return path.Join(base, name)
}

// inCheckout is the same for code scanning and annotations, which know no path
// outside of the checkout: there it stays relative to its target.
func inCheckout(r *Report, name string) string {
	if place := fromHere(r, name); filepath.IsLocal(filepath.FromSlash(place)) {
		return place
	}
	return name
}
