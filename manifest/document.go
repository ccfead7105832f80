package manifest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/capture"
	"github.com/sallyport-mcp/sallyport/analyzers/pattern"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/analyzers/statement"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// The identifiers of the document: an in-toto Statement, version 1, and our
// predicate. Nothing is fetched from either.
const (
	StatementType = statement.Type
	PredicateType = statement.PredicateType
)

// Manifest is the document: everything that a server shows to a model, with
// digests, at one time. docs/schema/manifest.v1.schema.json describes it.
type Manifest struct {
	Type          string    `json:"_type"`
	Subject       []Subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     Predicate `json:"predicate"`

	surface analyzers.Surface // what it was made of, or what Parse read
}

// Subject is what the statement is about (in-toto ResourceDescriptor). The
// first one is the surface itself, under the server's name.
type Subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// Predicate is what is stated.
type Predicate struct {
	Server Server `json:"server"`
	// Serial grows with each manifest of a server: an older one than was
	// accepted before is a replay.
	Serial       int64         `json:"serial"`
	Issued       string        `json:"issued"`  // RFC 3339
	Expires      string        `json:"expires"` // RFC 3339
	Surface      string        `json:"surface"` // digest
	Instructions *Instructions `json:"instructions"`
	Capabilities *Capabilities `json:"capabilities,omitempty"`
	Tools        []Item        `json:"tools"`
	Prompts      []Item        `json:"prompts"`
	Resources    []Item        `json:"resources"`
	Templates    []Item        `json:"templates"`
}

// Server is the server's identity, as far as it is known.
type Server struct {
	Name     string    `json:"name"`
	Launch   []string  `json:"launch"` // the command and its arguments
	URL      string    `json:"url"`
	Packages []Package `json:"packages"`
	Images   []Package `json:"images"`
}

// Package names a package or an image, and how firmly.
type Package struct {
	PURL string `json:"purl"`
	Pin  string `json:"pin"`
}

// Instructions is the server's text to the model, whole.
type Instructions struct {
	Text   string `json:"text"`
	Digest string `json:"digest"`
	Basis  Basis  `json:"basis"`
}

// Item is one definition. Name is a resource's uri and a template's
// uriTemplate. Definition is canonical and holds every text and schema.
type Item struct {
	Name       string          `json:"name"`
	Definition json.RawMessage `json:"definition"`
	Digest     Digests         `json:"digest"`
	// Basis says of each member of the definition where it is from, and which
	// of its fields are not known.
	Basis      map[string]Basis `json:"basis"`
	Unresolved []Unresolved     `json:"unresolved"`
}

// Basis is where a field is from.
type Basis string

// The bases. What is captured is enforced as a whole, of what is static the
// fields that resolved; what is unresolved is listed and not enforced.
const (
	Captured    Basis = "captured"   // a saved or live answer of the server
	Static      Basis = "static"     // read from source
	NotResolved Basis = "unresolved" // known only when the server runs
)

// Unresolved is a field that could not be read without running the server.
type Unresolved struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// Options is what a manifest is made of.
type Options struct {
	Server          Server
	Surface         *analyzers.Surface
	Serial          int64
	Issued, Expires string // RFC 3339, in UTC and whole seconds: 2026-11-22T00:00:00Z
}

// MaxSerial is the largest serial that JSON carries exactly.
const MaxSerial = 1<<53 - 1

// New describes a surface. The same input gives the same document, in
// whatever order its lists are. Errors name the definition.
func New(o Options) (*Manifest, error) {
	switch {
	case o.Server.Name == "":
		return nil, errors.New("a manifest needs the server's name")
	case o.Serial < 1 || o.Serial > MaxSerial:
		return nil, fmt.Errorf("the serial %d is not between 1 and %d", o.Serial, int64(MaxSerial))
	}
	items := Items(o.Surface)
	digests, err := DigestAll(items)
	if err != nil {
		return nil, err
	}
	p := Predicate{Server: o.Server.normal(), Serial: o.Serial, Issued: o.Issued, Expires: o.Expires,
		Tools: []Item{}, Prompts: []Item{}, Resources: []Item{}, Templates: []Item{}}
	if p.Surface, err = surfaceDigest(o.Surface.Instructions, items, digests); err != nil {
		return nil, err
	}
	if text := o.Surface.Instructions; !text.IsZero() {
		d, err := instructionsDigest(text.Raw())
		if err != nil {
			return nil, err
		}
		p.Instructions = &Instructions{text.Raw(), d, Captured}
	}
	if p.Capabilities, err = capabilitiesOf(o.Surface); err != nil {
		return nil, err
	}
	for i, item := range items {
		list := p.list(item.Kind)
		if list == nil {
			return nil, fmt.Errorf("%q is no kind of definition", item.Kind)
		}
		definition, err := itemCanonical(item)
		if err != nil {
			return nil, err
		}
		described := Item{Name: item.Name.Raw(), Definition: definition, Digest: digests[i], Unresolved: []Unresolved{}}
		for _, u := range item.Unresolved {
			described.Unresolved = append(described.Unresolved, Unresolved(u))
		}
		described.Basis = basisOf(item, definition)
		*list = append(*list, described)
	}
	for _, list := range p.lists() {
		slices.SortStableFunc(*list.items, func(a, b Item) int { return cmp.Compare(a.Name, b.Name) })
	}
	m := &Manifest{Type: StatementType, PredicateType: PredicateType, Predicate: p, Subject: subjects(&p), surface: *o.Surface}
	return m, m.check()
}

// normal is the identity with empty lists for missing ones.
func (s Server) normal() Server {
	s.Launch = append([]string{}, s.Launch...)
	s.Packages = sorted(s.Packages)
	s.Images = sorted(s.Images)
	return s
}

func sorted(list []Package) []Package {
	list = append([]Package{}, list...)
	slices.SortFunc(list, func(a, b Package) int { return cmp.Or(cmp.Compare(a.PURL, b.PURL), cmp.Compare(a.Pin, b.Pin)) })
	return slices.Compact(list)
}

// subjects are the surface, then the packages and images that show it: each by
// its purl and the digest of the surface; an image pinned to a digest by that,
// too.
func subjects(p *Predicate) []Subject {
	out := []Subject{{p.Server.Name, map[string]string{"sha256": p.Surface}}}
	seen := map[string]bool{}
	for i, list := range [][]Package{p.Server.Packages, p.Server.Images} {
		for _, pkg := range list {
			if seen[pkg.PURL] {
				continue
			}
			seen[pkg.PURL] = true
			d := p.Surface
			if own := imageDigest(pkg.PURL); i == 1 && own != "" {
				d = own
			}
			out = append(out, Subject{pkg.PURL, map[string]string{"sha256": d}})
		}
	}
	return out
}

// ServerOf is the identity that a declaration gives a server. Secrets, the known
// ones and whatever looks like one, are masked: a manifest is published. The
// name is "" where only the file's name gives one.
func ServerOf(s *analyzers.Server, secrets []analyzers.Secret) Server {
	masked := func(text string) string {
		for _, known := range secrets {
			if v := known.Text.Raw(); v != "" && known.Server == s {
				text = strings.ReplaceAll(text, v, "***")
			}
		}
		return secret.Mask(text)
	}
	var out Server
	if !s.Name.Span.IsZero() {
		out.Name = s.Name.Raw()
	}
	if s.Command.Value != "" {
		out.Launch = append(out.Launch, masked(s.Command.Raw()))
		for _, arg := range s.Args {
			out.Launch = append(out.Launch, masked(arg.Raw()))
		}
	}
	out.URL = masked(s.URL.Raw())
	packages, images := s.Packages, s.Images
	if s.Launch != nil {
		packages, images = slices.Concat(packages, s.Launch.Packages), slices.Concat(images, s.Launch.Images)
	}
	for _, p := range packages {
		if p.PURL != "" {
			out.Packages = append(out.Packages, Package{p.PURL, string(p.Pin)})
		}
	}
	for _, i := range images {
		if i.PURL != "" {
			out.Images = append(out.Images, Package{i.PURL, string(i.Pin)})
		}
	}
	return out.normal()
}

// imageDigest is the SHA-256 that pins an image in its purl, "" without one.
func imageDigest(purl string) string {
	base, _, _ := strings.Cut(purl, "?")
	_, version, _ := strings.Cut(base, "@")
	version = strings.Replace(version, "%3A", ":", 1)
	d, ok := strings.CutPrefix(version, "sha256:")
	if !ok || !isDigest(d) {
		return ""
	}
	return d
}

func isDigest(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

type namedList struct {
	kind  string
	items *[]Item
}

func (p *Predicate) lists() []namedList {
	return []namedList{{"tool", &p.Tools}, {"prompt", &p.Prompts}, {"resource", &p.Resources}, {"template", &p.Templates}}
}

func (p *Predicate) list(kind string) *[]Item {
	for _, l := range p.lists() {
		if l.kind == kind {
			return l.items
		}
	}
	return nil
}

// basisOf says of each member of a definition where it is from.
func basisOf(item *analyzers.Item, definition []byte) map[string]Basis {
	basis := Captured
	if item.Origin == analyzers.Static {
		basis = Static
	}
	out := map[string]Basis{}
	s := splitter{in: definition}
	s.members(func(key []byte) {
		var name string
		if json.Unmarshal(key, &name) == nil {
			out[name] = basis
		}
		s.skip()
	})
	for _, u := range item.Unresolved {
		if u.Field != "" {
			out[u.Field] = NotResolved
		}
	}
	return out
}

// Bytes is the document in canonical form (RFC 8785): the same manifest always
// has the same bytes.
func (m *Manifest) Bytes() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, err
	}
	return canonical(b.Bytes())
}

// Surface is what the manifest describes. The spans of what Parse read are in
// the document.
func (m *Manifest) Surface() *analyzers.Surface { return &m.surface }

// Expired reports whether the manifest no longer holds at a time, which is spelt
// as its own are.
func (m *Manifest) Expired(now string) bool { return now >= m.Predicate.Expires }

// Parse reads a manifest, strictly: unknown members, members that stand twice,
// other spellings of ours and digests that are not those of what is described
// are errors. Size and depth have the limits of package tree.
func Parse(document []byte) (*Manifest, error) {
	return ParseSource(&analyzers.Source{Path: "manifest", Bytes: document})
}

// ParseSource is Parse for a file, so that what it describes has its places.
func ParseSource(src *analyzers.Source) (*Manifest, error) {
	root, err := tree.Parse(src, tree.JSON)
	if err != nil {
		return nil, err
	}
	if root.Repeats() {
		var dup error
		root.Walk(func(path string, n *tree.Node) bool {
			if n.Dup && dup == nil {
				dup = fmt.Errorf("%s stands twice", analyzers.Untrusted(path))
			}
			return dup == nil
		})
		return nil, dup
	}
	if t := root.Get("predicateType").Str(); t != PredicateType {
		return nil, fmt.Errorf("no manifest: its predicateType is %q, not %q", analyzers.Untrusted(t), PredicateType)
	}
	m := &Manifest{}
	dec := json.NewDecoder(bytes.NewReader(src.Bytes))
	dec.DisallowUnknownFields()
	if err := dec.Decode(m); err != nil {
		return nil, fmt.Errorf("no manifest: %s", analyzers.Untrusted(strings.TrimPrefix(err.Error(), "json: ")))
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("no manifest: something follows the document")
	}
	// The decoder takes other cases of our names and fills in what is missing.
	again, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	if given, err := canonical(src.Bytes); err != nil {
		return nil, err
	} else if !bytes.Equal(given, again) {
		return nil, fmt.Errorf("no manifest of this version: a member is missing, null or spelt in another way%s", firstDifference(root, again))
	}
	if err := m.readSurface(root); err != nil {
		return nil, err
	}
	return m, m.check()
}

// firstDifference names the first member of ours that a document lacks, or
// that it spells in another way.
func firstDifference(root *tree.Node, ours []byte) string {
	want, err := tree.Parse(&analyzers.Source{Bytes: ours}, tree.JSON)
	if err != nil {
		return ""
	}
	where := ""
	var walk func(path string, want, have *tree.Node)
	walk = func(path string, want, have *tree.Node) {
		for i, w := range want.Children {
			if where != "" {
				return
			}
			var h *tree.Node
			next := path
			if want.IsObject() {
				h = have.Get(w.Key.Raw())
				next = strings.TrimPrefix(path+"."+w.Key.Raw(), ".")
			} else if h = have.Index(i); h != nil {
				next = fmt.Sprintf("%s[%d]", path, i)
			}
			if h == nil || h.Kind != w.Kind {
				where = fmt.Sprintf(": %s", analyzers.Untrusted(next))
				return
			}
			walk(next, w, h)
		}
	}
	walk("", want, root)
	return where
}

// readSurface makes the surface of the definitions, with their places.
func (m *Manifest) readSurface(root *tree.Node) error {
	predicate := root.Get("predicate")
	if text := predicate.Get("instructions", "text"); text.IsString() {
		m.surface.Instructions = text.Text
	}
	if names := predicate.Get("capabilities", "names"); names.IsArray() {
		m.surface.Capabilities = []analyzers.Text{}
		for _, n := range names.Children {
			m.surface.Capabilities = append(m.surface.Capabilities, n.Text)
		}
	}
	for _, list := range []struct{ kind, key string }{{"tool", "tools"}, {"prompt", "prompts"}, {"resource", "resources"}, {"template", "templates"}} {
		described := *m.Predicate.list(list.kind)
		for i, n := range predicate.Get(list.key).Children {
			d := described[i]
			origin := analyzers.Captured
			for _, b := range d.Basis {
				if b == Static {
					origin = analyzers.Static
				}
			}
			definition := n.Get("definition")
			item, ok := capture.NewItem(list.kind, origin, definition)
			if !ok || item.Name.Raw() != d.Name {
				return fmt.Errorf("%s %q: the definition has another name, or none", list.kind, analyzers.Untrusted(d.Name))
			}
			for _, u := range d.Unresolved {
				item.Unresolved = append(item.Unresolved, analyzers.Unresolved(u))
			}
			s := &m.surface
			switch list.kind {
			case "tool":
				s.Tools = append(s.Tools, capture.NewTool(item, definition))
			case "prompt":
				s.Prompts = append(s.Prompts, item)
			case "resource":
				s.Resources = append(s.Resources, item)
			case "template":
				s.Templates = append(s.Templates, item)
			}
		}
	}
	return nil
}

// check holds the document to what it says of itself.
func (m *Manifest) check() error {
	p := &m.Predicate
	switch {
	case m.Type != StatementType:
		return fmt.Errorf("no in-toto statement: its _type is %q, not %q", analyzers.Untrusted(m.Type), StatementType)
	case p.Server.Name == "":
		return errors.New("the manifest names no server")
	case p.Serial < 1 || p.Serial > MaxSerial:
		return fmt.Errorf("the serial %d is not between 1 and %d", p.Serial, int64(MaxSerial))
	}
	for _, t := range [...]struct{ name, text string }{{"issued", p.Issued}, {"expires", p.Expires}} {
		if !moment.MatchString(t.text) {
			return fmt.Errorf("%s is %q; it must be a time of RFC 3339 in UTC with whole seconds, like 2026-11-22T00:00:00Z", t.name, analyzers.Untrusted(t.text))
		}
	}
	if p.Expires <= p.Issued {
		return errors.New("the manifest expires before it is issued")
	}
	if in := p.Instructions; in != nil {
		if d, err := instructionsDigest(in.Text); err != nil || d != in.Digest {
			return errors.New("the digest of the instructions is not that of their text: the manifest was changed by hand, or lies")
		}
		if in.Basis != Captured && in.Basis != Static {
			return fmt.Errorf("the instructions have no basis %q", analyzers.Untrusted(in.Basis))
		}
	}
	if err := p.Capabilities.check(); err != nil {
		return err
	}
	surface := make([]*analyzers.Item, 0, len(p.Tools))
	digests := make([]Digests, 0, len(p.Tools))
	for _, list := range p.lists() {
		for i, d := range *list.items {
			if i > 0 && d.Name <= (*list.items)[i-1].Name {
				if d.Name == (*list.items)[i-1].Name {
					return fmt.Errorf("two %ss are called %q: a manifest says one thing of each name", list.kind, analyzers.Untrusted(d.Name))
				}
				return fmt.Errorf("%s %q is not in the order of the names", list.kind, analyzers.Untrusted(d.Name))
			}
			item := &analyzers.Item{Kind: list.kind, Name: analyzers.Text{Value: analyzers.Untrusted(d.Name)}, Definition: d.Definition}
			definition, err := itemCanonical(item)
			if err != nil {
				return err
			}
			got := digestsOf(list.kind, definition)
			if got != d.Digest {
				return fmt.Errorf("%s %q: a digest is not that of the definition: the manifest was changed by hand, or lies", list.kind, analyzers.Untrusted(d.Name))
			}
			if err := checkBasis(item, d, definition); err != nil {
				return err
			}
			surface, digests = append(surface, item), append(digests, got)
		}
	}
	instructions := analyzers.Text{}
	if p.Instructions != nil {
		instructions = analyzers.Text{Value: analyzers.Untrusted(p.Instructions.Text), Span: analyzers.Span{Source: &analyzers.Source{}}}
	}
	if d, err := surfaceDigest(instructions, surface, digests); err != nil || d != p.Surface {
		return errors.New("the surface's digest is not that of the definitions: the manifest was changed by hand, or lies")
	}
	want := subjects(p)
	if !slices.EqualFunc(m.Subject, want, func(a, b Subject) bool {
		return a.Name == b.Name && len(a.Digest) == 1 && a.Digest["sha256"] == b.Digest["sha256"]
	}) {
		return errors.New("the subjects are not the surface, packages and images that the manifest describes")
	}
	return nil
}

// checkBasis wants a basis for every member, and none for others.
func checkBasis(item *analyzers.Item, d Item, definition []byte) error {
	for field, b := range d.Basis {
		if b != Captured && b != Static && b != NotResolved {
			return fmt.Errorf("%s %q: %q is no basis of %q", item.Kind, item.Name, analyzers.Untrusted(b), analyzers.Untrusted(field))
		}
	}
	for _, b := range d.Basis {
		if b == Static {
			item.Origin = analyzers.Static
		}
	}
	for _, u := range d.Unresolved {
		item.Unresolved = append(item.Unresolved, analyzers.Unresolved(u))
	}
	want := basisOf(item, definition)
	if len(want) != len(d.Basis) {
		return fmt.Errorf("%s %q: the basis does not cover the members of the definition", item.Kind, item.Name)
	}
	for field, b := range want {
		if d.Basis[field] != b {
			return fmt.Errorf("%s %q: the basis of %q is %q where %q is due", item.Kind, item.Name, analyzers.Untrusted(field), analyzers.Untrusted(d.Basis[field]), b)
		}
	}
	return nil
}

// moment is the one spelling of a time, whose order is that of its bytes.
var moment = pattern.New(`^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`)
