// Package registry is the list of servers that an organisation has decided on:
// the document sallyport.registry.yaml, the decision that follows from it, and
// the edits that people make to it. It is pure: bytes and dates come in, bytes
// and decisions go out.
//
// Who may use what follows from one sentence: of the entries that match a
// server, those at the nearest place count (project, then its unit, then each
// unit above, then everyone), and there a denial beats a quarantine, which
// beats an approval; where none counts, the server is not approved.
package registry

import (
	"fmt"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

// The head of every document.
const (
	APIVersion  = "sallyport/v1"
	Kind        = "Registry"
	DefaultFile = "sallyport.registry.yaml"
)

// Document is a registry as it is written. Parse makes one.
type Document struct {
	Source    *analyzers.Source
	Name      string
	Namespace string   // reverse DNS: what exporters put in front of the ids of entries without a name
	Approvers []string // who may decide on entries for everyone; empty: anybody

	Units        []Unit
	Projects     []Project
	Environments []Label
	Roles        []Label
	Zones        []Label
	Clients      []Label
	Servers      []*Entry

	servers    analyzers.Span // the list; zero without one
	serversKey analyzers.Span
	empty      bool // the list is there and has no entry
}

// Label is a declared name.
type Label struct {
	ID, Description string
	Span            analyzers.Span
}

// Unit is a node of the tree of units; Parent is "" for a tree's root.
type Unit struct {
	Label
	Parent    string
	Approvers []string // who may decide on entries of this unit; empty: those of the parent
}

// Project belongs to one unit.
type Project struct {
	Label
	Unit         string
	Repositories []string
}

// Status is what a registry says of a server. The first three are written in
// documents; the others are what a decision may come to besides.
type Status string

const (
	Approved    Status = "approved"
	Denied      Status = "denied"
	Quarantined Status = "quarantined" // known, not decided

	Unapproved Status = "unapproved" // no entry
	Expired    Status = "expired"    // an approval has run out
	Changed    Status = "changed"    // not what was approved
)

// Entry is one server and what was decided about it. An empty list of
// environments, units, projects, roles or clients means: for all.
type Entry struct {
	ID          string
	Name        string // in MCP registries: "com.example/files"
	Description string
	Transport   analyzers.Transport
	Match       Match
	Status      Status
	Manifest    Manifest

	Environments, Units, Projects, Roles, Clients []string

	Tools     Tools
	Limits    Limits
	Redaction []string // what is taken out of what the server answers: RedactionKinds
	Zone      string
	Evidence  Evidence

	Span analyzers.Span // the entry
	node entryNodes
}

// Match names a server by what it is. Every member that is given must hold; at
// least one of Argv, PURL, URL and Image is.
type Match struct {
	Argv  []string // the whole command line, word by word
	PURL  string   // the package that is started; without a version only in denials and quarantines
	URL   string   // where it is reached; a path that ends in "/*" stands for everything below it
	Image string   // REPOSITORY@sha256:HEX; without a digest only in denials and quarantines
	Env   []string // variables that may be set although they change what is started: PATH, NODE_OPTIONS

	// What no declaration shows and only the machine does on which the server
	// is started. There each must hold, too.
	FileSHA256   string   // of the file that is executed, 64 lower-case hexadecimal digits (fileSha256 of server.json)
	ScriptSHA256 string   // of the local script that it runs
	Integrity    []string // of the package that a launcher fetches, one of them: "sha512-BASE64" as in npm's lockfiles, "sha256:HEX" of a wheel
}

// Manifest is what was reviewed: the digests of the surface and of the declared
// capabilities, each "sha256:HEX" (see package manifest), and where its signed
// document is kept. Without the second any capabilities are approved that a
// manifest of the surface pins.
type Manifest struct{ Digest, Capabilities, Path string }

// Tools is a choice of tools by their exact names. A nil Allow allows every
// tool that is not denied, an empty one none.
type Tools struct {
	Allow, Deny []string
	Dispatch    []Dispatch
}

// Dispatch says of a tool that it calls other tools: which of its arguments
// names them. What is called in that way is decided on as if it were called
// directly.
type Dispatch struct {
	Tool string
	// Name is the argument with the other tool's name, Arguments the one with
	// its arguments ("" for none), which stands beside it. Both may lie deeper
	// ("calls.tool", "calls.arguments"), through lists too.
	Name, Arguments string
	// Code is an argument with code that calls tools by their names.
	Code string
}

// Risk is the worst severity of what a review found: "none" where it found
// nothing, "" where nobody has decided on the entry.
func (e *Entry) Risk() string {
	if e.Evidence.ApprovedBy == "" {
		return ""
	}
	worst, risk := rules.Severity(0), "none"
	for _, finding := range e.Evidence.Findings {
		word, _, _ := strings.Cut(finding, " ")
		if level, ok := rules.ParseSeverity(word); ok && level > worst {
			worst, risk = level, word
		}
	}
	return risk
}

// Limits of one server and of one connection with it; zero means no limit of
// its own. A call is of a tool, a prompt or a resource.
type Limits struct {
	CallsPerMinute int // in any 60 seconds
	Concurrent     int // calls without an answer
	ResultBytes    int // of an answer, as it comes
	Seconds        int // of one call
}

// The kinds of values that Redaction knows.
const (
	RedactSecrets  = "secrets"  // credentials of every kind that a scan finds
	RedactCards    = "cards"    // numbers of payment cards
	RedactIBANs    = "ibans"    // numbers of bank accounts
	RedactEmails   = "emails"   // addresses of mail
	RedactPhones   = "phones"   // telephone numbers in their international form
	RedactPersonal = "personal" // all but secrets
)

// RedactionKinds are the kinds of values that can be taken out of answers.
func RedactionKinds() []string {
	return []string{RedactSecrets, RedactPersonal, RedactCards, RedactIBANs, RedactEmails, RedactPhones}
}

// Evidence is why an entry says what it says.
type Evidence struct {
	Score      *int     // reputation, 0 to 100
	Findings   []string // "SEVERITY RULE", worst first
	Suggestion string   // of a proposal: approve, review or deny
	ApprovedBy string   // who made the decision
	ApprovedAt string   // YYYY-MM-DD
	Until      string   // YYYY-MM-DD, the last day on which the decision counts; "" for ever
	Reason     string
}

// Decided reports whether a person has decided on the entry. A quarantine
// without a name under it is a proposal.
func (e *Entry) Decided() bool {
	return e.Status != Quarantined || e.Evidence.ApprovedBy != ""
}

// expired reports whether the decision has run out by today (YYYY-MM-DD).
func (e *Entry) expired(today string) bool {
	return e.Evidence.Until != "" && today > e.Evidence.Until
}

// Entry returns the entry with an id, nil when there is none.
func (d *Document) Entry(id string) *Entry {
	for _, e := range d.Servers {
		if e.ID == id {
			return e
		}
	}
	return nil
}

// Level says how grave a problem of a document is.
type Level string

const (
	Error   Level = "error"   // the document decides nothing
	Warning Level = "warning" // an entry does not do what it says
	Note    Level = "note"    // for the next review
)

// Problem is one fault of a document.
type Problem struct {
	Level   Level
	Message string // text of the document only in escaped form
	Span    analyzers.Span
}

// String is "PATH:LINE:COLUMN: LEVEL: MESSAGE".
func (p Problem) String() string {
	at := p.Span.Begin()
	return fmt.Sprintf("%s:%d:%d: %s: %s", p.Span.Path(), at.Line, at.Column, p.Level, p.Message)
}

// Problems is the error of a document that cannot be used.
type Problems []Problem

// Error is the first problem, and how many there are.
func (ps Problems) Error() string {
	if len(ps) == 0 {
		return "no problem"
	}
	more := ""
	if len(ps) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(ps)-1)
	}
	return strings.Replace(ps[0].String(), ": error: ", ": ", 1) + more
}

// Who is on whose behalf a server is used. Project, or else Unit, is the place
// in the tree; with neither it is at the root. An empty member is not known:
// a condition on it holds for a denial or a quarantine and fails for an
// approval.
type Who struct {
	Unit, Project, Environment, Client string
	Roles                              []string
}

// String is the form that ParseWho reads.
func (w Who) String() string {
	var parts []string
	for _, p := range [][2]string{{"unit", w.Unit}, {"project", w.Project}, {"environment", w.Environment}, {"client", w.Client}} {
		if p[1] != "" {
			parts = append(parts, p[0]+"="+p[1])
		}
	}
	for _, r := range w.Roles {
		parts = append(parts, "role="+r)
	}
	if len(parts) == 0 {
		return "everyone"
	}
	return strings.Join(parts, ",")
}

// ParseWho reads "unit=payments,role=developer,environment=production"; keys
// are unit, project, environment, client and role, which may be repeated.
// "everyone" and "" name nobody in particular. Every name must be declared.
func (d *Document) ParseWho(s string) (Who, error) {
	var w Who
	if s == "" || s == "everyone" {
		return w, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		key, id, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || id == "" {
			return w, fmt.Errorf("%q is not KEY=NAME; the keys are unit, project, environment, client and role", analyzers.Untrusted(part))
		}
		var declared bool
		var into *string
		switch key {
		case "unit":
			_, declared = d.unit(id)
			into = &w.Unit
		case "project":
			_, declared = d.project(id)
			into = &w.Project
		case "environment":
			declared, into = labelled(d.Environments, id), &w.Environment
		case "client":
			declared, into = true, &w.Client // clients are known by their format, declared or not
		case "role":
			declared = labelled(d.Roles, id)
			w.Roles = append(w.Roles, id)
		default:
			return w, fmt.Errorf("unknown key %q; the keys are unit, project, environment, client and role", analyzers.Untrusted(key))
		}
		if !declared {
			return w, fmt.Errorf("the registry declares no %s %q", key, analyzers.Untrusted(id))
		}
		if into != nil {
			if *into != "" {
				return w, fmt.Errorf("%s is named twice", key)
			}
			*into = id
		}
	}
	if p, ok := d.project(w.Project); ok && w.Unit != "" && w.Unit != p.Unit {
		return w, fmt.Errorf("project %q belongs to unit %q, not to %q", w.Project, p.Unit, w.Unit)
	}
	return w, nil
}

func (d *Document) unit(id string) (Unit, bool) {
	for _, u := range d.Units {
		if u.ID == id {
			return u, true
		}
	}
	return Unit{}, false
}

func (d *Document) project(id string) (Project, bool) {
	for _, p := range d.Projects {
		if p.ID == id {
			return p, true
		}
	}
	return Project{}, false
}

func labelled(list []Label, id string) bool {
	for _, l := range list {
		if l.ID == id {
			return true
		}
	}
	return false
}
