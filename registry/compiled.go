package registry

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// The compiled form is what decides in a document, in JSON, so that the runtime
// needs neither YAML nor Sigstore: whoever compiles checks the document's
// signature and signs the result with a local key of Ed25519.
//
//	{"kind":"sallyport.compiled-registry","version":1,"payload":BASE64,"keyId":"sha256:HEX","signature":BASE64}
//
// The payload is JSON, too. The signature is over compiledDomain and the
// payload's bytes. There is one spelling of each: LoadCompiled refuses others.
const (
	compiledKind    = "sallyport.compiled-registry"
	compiledVersion = 1
	compiledDomain  = "sallyport/compiled-registry/v1\x00"

	// MaxCompiled bounds a compiled registry, in bytes.
	MaxCompiled = 16 << 20
)

// Provenance says of what a registry was compiled. Times are RFC 3339 in UTC
// and whole seconds.
type Provenance struct {
	Source   string `json:"source"`            // digest of the document, "sha256:HEX"
	SignedBy string `json:"signedBy,omitzero"` // key or identity that signed it; "": not signed
	Serial   uint64 `json:"serial,omitzero"`   // of that signature
	Issued   string `json:"issued,omitzero"`
	Expires  string `json:"expires,omitzero"` // "": never
}

// Trust is what a compiled registry has to be.
type Trust struct {
	Key       ed25519.PublicKey // who must have signed it; nil: nobody has to
	MinSerial uint64
	Now       string // RFC 3339 in UTC and whole seconds: 2026-01-02T03:04:05Z
	Expired   bool   // a signature that has expired is good enough
}

// Errors of LoadCompiled, in the chain.
var (
	ErrCompiledForm = errors.New("this is no compiled registry")
	ErrUnsigned     = errors.New("the compiled registry is not signed by the expected key")
	ErrOutdated     = errors.New("the compiled registry is out of date")
)

type compiledFile struct {
	Kind      string `json:"kind"`
	Version   int    `json:"version"`
	Payload   []byte `json:"payload"`
	KeyID     string `json:"keyId,omitzero"`
	Signature []byte `json:"signature,omitzero"`
}

type compiledDocument struct {
	Provenance
	Name         string          `json:"name,omitzero"`
	Units        []compiledNode  `json:"units,omitzero"`    // in: the parent
	Projects     []compiledNode  `json:"projects,omitzero"` // in: the unit
	Environments []string        `json:"environments,omitzero"`
	Roles        []string        `json:"roles,omitzero"`
	Zones        []string        `json:"zones,omitzero"`
	Clients      []string        `json:"clients,omitzero"`
	Servers      []compiledEntry `json:"servers,omitzero"`
}

type compiledNode struct {
	ID string `json:"id"`
	In string `json:"in,omitzero"`
}

// compiledEntry is what decides in an Entry.
type compiledEntry struct {
	ID           string              `json:"id"`
	Status       Status              `json:"status"`
	Transport    analyzers.Transport `json:"transport,omitzero"`
	Argv         []string            `json:"argv,omitzero"`
	PURL         string              `json:"purl,omitzero"`
	URL          string              `json:"url,omitzero"`
	Image        string              `json:"image,omitzero"`
	Env          []string            `json:"env,omitzero"`
	FileSHA256   string              `json:"fileSha256,omitzero"`
	ScriptSHA256 string              `json:"scriptSha256,omitzero"`
	Integrity    []string            `json:"integrity,omitzero"`
	Manifest     string              `json:"manifest,omitzero"`
	Capabilities string              `json:"capabilities,omitzero"`
	ManifestPath string              `json:"manifestPath,omitzero"`
	Environments []string            `json:"environments,omitzero"`
	Units        []string            `json:"units,omitzero"`
	Projects     []string            `json:"projects,omitzero"`
	Roles        []string            `json:"roles,omitzero"`
	Clients      []string            `json:"clients,omitzero"`
	Allow        []string            `json:"allow,omitzero"` // [] allows none
	Deny         []string            `json:"deny,omitzero"`
	Dispatch     []compiledDispatch  `json:"dispatch,omitzero"`
	Limits       compiledLimits      `json:"limits,omitzero"`
	Redaction    []string            `json:"redaction,omitzero"`
	Zone         string              `json:"zone,omitzero"`
	Until        string              `json:"until,omitzero"`
	ApprovedBy   string              `json:"approvedBy,omitzero"`
	Reason       string              `json:"reason,omitzero"`
	Findings     []string            `json:"findings,omitzero"`
}

// compiledDispatch is a Dispatch as it is spelled in the document.
type compiledDispatch struct {
	Tool      string `json:"tool"`
	Name      string `json:"name,omitzero"`
	Arguments string `json:"arguments,omitzero"`
	Code      string `json:"code,omitzero"`
}

// compiledLimits are Limits as they are spelled in the document.
type compiledLimits struct {
	CallsPerMinute int `json:"callsPerMinute,omitzero"`
	Concurrent     int `json:"concurrent,omitzero"`
	ResultBytes    int `json:"resultBytes,omitzero"`
	Seconds        int `json:"seconds,omitzero"`
}

// Encode writes the compiled form; a nil key leaves it unsigned.
func (r *Registry) Encode(p Provenance, key ed25519.PrivateKey) ([]byte, error) {
	d := r.Doc
	c := compiledDocument{Provenance: p, Name: d.Name, Environments: ids(d.Environments), Roles: ids(d.Roles), Zones: ids(d.Zones), Clients: ids(d.Clients)}
	for _, u := range d.Units {
		c.Units = append(c.Units, compiledNode{u.ID, u.Parent})
	}
	for _, p := range d.Projects {
		c.Projects = append(c.Projects, compiledNode{p.ID, p.Unit})
	}
	for _, e := range d.Servers {
		var dispatch []compiledDispatch
		for _, t := range e.Tools.Dispatch {
			dispatch = append(dispatch, compiledDispatch(t))
		}
		c.Servers = append(c.Servers, compiledEntry{
			e.ID, e.Status, e.Transport, e.Match.Argv, e.Match.PURL, e.Match.URL, e.Match.Image, e.Match.Env, e.Match.FileSHA256, e.Match.ScriptSHA256, e.Match.Integrity, e.Manifest.Digest, e.Manifest.Capabilities, e.Manifest.Path,
			e.Environments, e.Units, e.Projects, e.Roles, e.Clients, e.Tools.Allow, e.Tools.Deny, dispatch, compiledLimits(e.Limits), e.Redaction, e.Zone,
			e.Evidence.Until, e.Evidence.ApprovedBy, e.Evidence.Reason, e.Evidence.Findings,
		})
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	f := compiledFile{Kind: compiledKind, Version: compiledVersion, Payload: payload}
	if key != nil {
		f.KeyID = KeyID(key.Public().(ed25519.PublicKey))
		f.Signature = ed25519.Sign(key, append([]byte(compiledDomain), payload...))
	}
	out, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	if out = append(out, '\n'); len(out) > MaxCompiled {
		return nil, fmt.Errorf("the compiled registry would have %d bytes, more than %d", len(out), MaxCompiled)
	}
	return out, nil
}

func ids(list []Label) []string {
	var out []string
	for _, l := range list {
		out = append(out, l.ID)
	}
	return out
}

// LoadCompiled reads what Encode wrote, and checks the signature before it
// reads what was signed. The entries decide as those of the source do.
func LoadCompiled(src *analyzers.Source, t Trust) (*Registry, Provenance, error) {
	var none Provenance
	if len(src.Bytes) > MaxCompiled {
		return nil, none, fmt.Errorf("%w: it has %d bytes, more than %d", ErrCompiledForm, len(src.Bytes), MaxCompiled)
	}
	f, err := readCompiled(bytes.TrimSuffix(src.Bytes, []byte("\n")))
	if err != nil || f.Kind != compiledKind {
		return nil, none, fmt.Errorf("%w; sallyport registry compile writes one", ErrCompiledForm)
	}
	if f.Version != compiledVersion {
		return nil, none, fmt.Errorf("%w that this program reads: its version is %d, not %d; compile it again", ErrCompiledForm, f.Version, compiledVersion)
	}
	if t.Key != nil && (len(t.Key) != ed25519.PublicKeySize || !ed25519.Verify(t.Key, append([]byte(compiledDomain), f.Payload...), f.Signature)) {
		switch {
		case len(f.Signature) == 0:
			return nil, none, fmt.Errorf("%w: it has no signature", ErrUnsigned)
		case f.KeyID != KeyID(t.Key):
			return nil, none, fmt.Errorf("%w: it names the key %q, and %s is expected", ErrUnsigned, analyzers.Untrusted(f.KeyID), KeyID(t.Key))
		}
		return nil, none, fmt.Errorf("%w: it was changed after signing", ErrUnsigned)
	}
	var c compiledDocument
	if err := exactly(f.Payload, &c); err != nil {
		return nil, none, fmt.Errorf("%w: its payload was not written by this version", ErrCompiledForm)
	}
	p := c.Provenance
	switch {
	case !isDigest(p.Source):
		return nil, none, fmt.Errorf("%w: it does not say of what it was compiled", ErrCompiledForm)
	case !moment(t.Now):
		return nil, none, fmt.Errorf("no time was given to compare with: %q", t.Now)
	case p.Expires != "" && (!moment(p.Expires) || t.Now >= p.Expires && !t.Expired):
		return nil, none, fmt.Errorf("%w: its signature expired at %s", ErrOutdated, analyzers.Untrusted(p.Expires))
	case p.Serial < t.MinSerial:
		return nil, none, fmt.Errorf("%w: its serial is %d, and %d was accepted before", ErrOutdated, p.Serial, t.MinSerial)
	}
	doc, err := c.document(src)
	if err != nil {
		return nil, none, err
	}
	r := newRegistry(doc)
	if problems := r.repeats(); slices.ContainsFunc(problems, isError) {
		return nil, none, Problems(slices.DeleteFunc(problems, func(p Problem) bool { return !isError(p) }))
	}
	return r, p, nil
}

// readCompiled reads what is around the payload, and the payload by itself: it
// is nearly all of the file, and base64 has one spelling.
func readCompiled(b []byte) (compiledFile, error) {
	var f compiledFile
	head, rest, found := bytes.Cut(b, []byte(`"payload":"`))
	text, tail, closed := bytes.Cut(rest, []byte{'"'})
	if !found || !closed {
		return f, errors.New("no payload")
	}
	payload, err := base64.StdEncoding.Strict().AppendDecode(nil, text)
	if err == nil && base64.StdEncoding.EncodedLen(len(payload)) != len(text) {
		err = errors.New("another spelling") // line breaks
	}
	if err == nil {
		err = exactly(slices.Concat(head, []byte(`"payload":""`), tail), &f)
	}
	f.Payload = payload
	return f, err
}

// exactly reads JSON that is spelled as this program spells it: what another
// reader could take otherwise (members twice, in other cases, unknown) differs.
func exactly(b []byte, into any) error {
	if err := json.Unmarshal(b, into); err != nil {
		return err
	}
	again, err := json.Marshal(into)
	if err == nil && !bytes.Equal(again, b) {
		err = errors.New("another spelling")
	}
	return err
}

// moment reports whether s is a time of RFC 3339 in UTC and whole seconds;
// such times compare as texts.
func moment(s string) bool {
	if len(s) != len("2006-01-02T15:04:05Z") || !ValidDate(s[:10]) || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[19] != 'Z' {
		return false
	}
	for i, most := range map[int]string{11: "23", 14: "59", 17: "60"} {
		if two := s[i : i+2]; two[0] < '0' || two[0] > '9' || two[1] < '0' || two[1] > '9' || two > most {
			return false
		}
	}
	return true
}

// document rebuilds the document and holds it to the rules of Parse.
func (c *compiledDocument) document(src *analyzers.Source) (*Document, error) {
	at := src.Span(0, 0)
	r := &reader{doc: &Document{Source: src, Name: c.Name}}
	d := r.doc
	wrong := func(format string, args ...any) {
		if len(r.problems) < MaxProblems {
			r.problems = append(r.problems, Problem{Error, fmt.Sprintf(format, args...), at})
		}
	}
	label := func(kind string, seen map[string]bool, id string) Label {
		if !isID(id) || seen[id] {
			wrong("the %s %q is no id, or stands twice", kind, analyzers.Untrusted(id))
		}
		seen[id] = true
		return Label{ID: id, Span: at}
	}
	seen := map[string]bool{}
	for _, u := range c.Units {
		d.Units = append(d.Units, Unit{Label: label("unit", seen, u.ID), Parent: u.In})
	}
	seen = map[string]bool{}
	for _, p := range c.Projects {
		d.Projects = append(d.Projects, Project{Label: label("project", seen, p.ID), Unit: p.In})
	}
	for _, l := range []struct {
		kind string
		ids  []string
		into *[]Label
	}{{"environment", c.Environments, &d.Environments}, {"role", c.Roles, &d.Roles}, {"zone", c.Zones, &d.Zones}, {"client", c.Clients, &d.Clients}} {
		seen = map[string]bool{}
		for _, id := range l.ids {
			*l.into = append(*l.into, label(l.kind, seen, id))
		}
	}
	seen = map[string]bool{}
	if len(c.Servers) > maxItems {
		wrong("more than %d servers", maxItems)
		return nil, r.problems
	}
	for _, s := range c.Servers {
		e := &Entry{
			ID: s.ID, Status: s.Status, Transport: s.Transport, Span: at,
			Match:    Match{s.Argv, s.PURL, s.URL, s.Image, s.Env, s.FileSHA256, s.ScriptSHA256, s.Integrity},
			Manifest: Manifest{s.Manifest, s.Capabilities, s.ManifestPath}, Tools: Tools{Allow: s.Allow, Deny: s.Deny}, Limits: Limits(s.Limits), Redaction: s.Redaction, Zone: s.Zone,
			Environments: s.Environments, Units: s.Units, Projects: s.Projects, Roles: s.Roles, Clients: s.Clients,
			Evidence: Evidence{Until: s.Until, ApprovedBy: s.ApprovedBy, Reason: s.Reason, Findings: s.Findings},
		}
		for _, t := range s.Dispatch {
			if problem := Dispatch(t).check(); problem != "" {
				wrong("server %q: %s", s.ID, problem)
			}
			e.Tools.Dispatch = append(e.Tools.Dispatch, Dispatch(t))
		}
		label("server", seen, s.ID)
		switch {
		case e.Status != Approved && e.Status != Denied && e.Status != Quarantined:
			wrong("server %q has the status %q", s.ID, analyzers.Untrusted(s.Status))
		case s.Manifest != "" && !isDigest(s.Manifest), s.Until != "" && !ValidDate(s.Until):
			wrong("server %q has a digest or a date that is none", s.ID)
		case slices.ContainsFunc([][]string{s.Environments, s.Units, s.Projects, s.Roles, s.Clients, s.Integrity}, func(l []string) bool { return l != nil && len(l) == 0 }):
			wrong("server %q has a list that is empty", s.ID)
		case min(s.Limits.CallsPerMinute, s.Limits.Concurrent, s.Limits.ResultBytes, s.Limits.Seconds) < 0:
			wrong("server %q has a limit below zero", s.ID)
		case slices.ContainsFunc(s.Redaction, func(kind string) bool { return !slices.Contains(RedactionKinds(), kind) }):
			wrong("server %q redacts what this version does not know", s.ID)
		default:
			if err := e.Match.check(e.Status); err != nil {
				wrong("server %q: %s", s.ID, err)
			}
		}
		d.Servers = append(d.Servers, e)
	}
	if len(r.problems) == 0 {
		r.references()
	}
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return d, nil
}

// pkix is what stands before a key of Ed25519 in its PKIX form (RFC 8410).
var pkix = []byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}

// KeyID names a key: "sha256:" and the digest of its PKIX form, as the
// signatures of manifests name theirs.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(append(pkix[:len(pkix):len(pkix)], key...))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ParseKey reads a public key of Ed25519 in PEM.
func ParseKey(b []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "PUBLIC KEY" || len(block.Bytes) != len(pkix)+ed25519.PublicKeySize || !bytes.HasPrefix(block.Bytes, pkix) {
		return nil, errors.New("this is no public key of Ed25519 (openssl pkey -in KEY.pem -pubout -out PUB.pem)")
	}
	return ed25519.PublicKey(block.Bytes[len(pkix):]), nil
}
