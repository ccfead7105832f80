package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/manifest"
	"github.com/sallyport-mcp/sallyport/rules"
)

const schemaVersion = "1"

// The kinds of an Edge.
const (
	edgeDeclares = "declares"
	edgeStarts   = "starts"
	edgeConnects = "connects"
	edgeUses     = "uses"
)

// Input is what a scan has found. Findings are settled; a nil Catalog is an
// empty one.
type Input struct {
	Version  string // of the program
	Targets  []Target
	Catalog  *analyzers.Catalog
	Findings []rules.Finding
	Skipped  []Skipped
	// Standing is what the registry says of a server ("approved", "unapproved",
	// "denied", "quarantined", "expired", "changed"; "" for nothing, as of a
	// server's own description); nil without a registry.
	Standing func(*analyzers.Server) string
}

// Build makes the report. It depends on nothing but in, and not on the order
// of its slices: findings are sorted by place, servers by id, the rest by what
// names it. Secrets are masked; all other text is as the target wrote it, for
// the outputs to escape.
//
// Lines of the files are kept for the first maxFrames findings that text shows
// them for; the findings behind say their places only.
func Build(in Input) *Report {
	c := in.Catalog
	if c == nil {
		c = &analyzers.Catalog{}
	}
	b := builder{masker: newMasker(c)}
	r := &Report{
		SchemaVersion: schemaVersion,
		Tool:          Tool{Name: "sallyport", Version: in.Version},
		Targets:       slices.Clone(in.Targets),
		SkippedRules:  slices.Clone(in.Skipped),
		Stats:         Stats{Files: c.Stats.Files, Bytes: c.Stats.Bytes},
	}
	for _, client := range c.Clients {
		b.client(&r.Catalog, client)
	}
	for _, server := range c.Servers {
		b.server(&r.Catalog, server, c.ManifestOf(server))
		if in.Standing != nil {
			r.Catalog.Servers[len(r.Catalog.Servers)-1].Approval = in.Standing(server)
		}
	}
	for _, d := range c.Documents {
		b.document(&r.Catalog, d)
	}
	frames := 0
	for i := range in.Findings {
		f := &in.Findings[i]
		out := b.finding(f)
		if frames < maxFrames && f.Severity > rules.Info && f.Suppressed == nil {
			out.frame = b.frame(f.Span)
			frames++
		}
		r.Findings = append(r.Findings, out)
	}
	for _, g := range c.Gaps {
		r.Gaps = append(r.Gaps, Gap{g.Path, g.Kind, g.Reason, g.Blocking})
	}
	r.Inventory = inventoryOf(in, c)
	for _, g := range r.Inventory {
		for _, user := range slices.Concat(g.Clients, g.Repositories) {
			r.Catalog.Edges = append(r.Catalog.Edges, Edge{user, g.Identity, edgeUses})
		}
	}
	b.report(r)
	r.sort()
	r.fill()
	return r
}

const maxFrames = 500

// builder turns the scan's types into the report's. What it leaves unmasked
// the masker's last pass over the report masks.
type builder struct{ *masker }

func (b builder) client(out *Catalog, c *analyzers.Client) {
	path := ""
	if c.Source != nil {
		path = c.Source.Path
	}
	out.Clients = append(out.Clients, Client{c.Name, path, string(c.Exposure), string(c.Scope)})
	for _, s := range c.Servers {
		out.Edges = append(out.Edges, Edge{path, s.ID, edgeDeclares})
	}
	for _, hook := range c.Hooks {
		if hook.Launch != nil {
			b.starts(out, path, hook.Launch.Packages, hook.Launch.Images)
			b.connects(out, path, hook.Launch.Remotes)
		}
	}
}

func (b builder) document(out *Catalog, d *analyzers.Document) {
	doc := Document{Kind: d.Kind, Client: d.Client, Name: b.text(d.Name), Exposure: string(d.Exposure), Path: d.Span.Path(), StartLine: d.Span.Begin().Line}
	if d.Server != nil {
		doc.Server = b.text(d.Server.Name)
	}
	out.Documents = append(out.Documents, doc)
}

func (b builder) server(out *Catalog, s *analyzers.Server, m *analyzers.Manifest) {
	server := Server{
		ID:        s.ID,
		Name:      b.text(s.Name),
		Transport: string(s.Transport),
		Launch:    Launch{Command: b.text(s.Command)},
		URL:       b.text(s.URL),
		Exposure:  string(s.Exposure),
		Surface:   b.surface(&s.Surface),
	}
	if m != nil {
		server.Manifest = Manifest{string(m.Status), m.Signer}
	}
	for _, arg := range s.Args {
		server.Launch.Args = append(server.Launch.Args, b.text(arg))
	}
	for _, v := range s.Env {
		server.Launch.Env = append(server.Launch.Env, b.text(v.Name))
	}
	server.Packages = b.starts(out, s.ID, s.Packages, s.Images)
	b.connects(out, s.ID, append([]analyzers.Text{s.URL}, s.Remotes...))
	if s.Launch != nil {
		server.Packages = append(server.Packages, b.starts(out, s.ID, s.Launch.Packages, s.Launch.Images)...)
		b.connects(out, s.ID, s.Launch.Remotes)
	}
	if span := cmp.Or(s.KeySpan, s.Span); !span.IsZero() {
		server.Spans = []Place{{span.Path(), span.Begin().Line}}
	}
	out.Servers = append(out.Servers, server)
}

// starts notes what from starts and returns it.
func (b builder) starts(out *Catalog, from string, packages []analyzers.PackageRef, images []analyzers.ImageRef) []Package {
	var list []Package
	for _, p := range packages {
		list = append(list, Package{p.PURL, string(p.Pin)})
	}
	for _, i := range images {
		list = append(list, Package{i.PURL, string(i.Pin)})
	}
	list = slices.DeleteFunc(list, func(p Package) bool { return p.PURL == "" })
	for _, p := range list {
		out.Edges = append(out.Edges, Edge{from, p.PURL, edgeStarts})
	}
	out.Packages = append(out.Packages, list...)
	return list
}

func (b builder) connects(out *Catalog, from string, remotes []analyzers.Text) {
	for _, u := range remotes {
		if u.Value != "" {
			out.Edges = append(out.Edges, Edge{from, b.text(u), edgeConnects})
		}
	}
}

func (b builder) surface(s *analyzers.Surface) Surface {
	out := Surface{
		Instructions: b.text(s.Instructions),
		Prompts:      b.items(s.Prompts),
		Resources:    b.items(s.Resources),
		Templates:    b.items(s.Templates),
	}
	for _, t := range s.Tools {
		out.Tools = append(out.Tools, b.tool(t))
	}
	for _, item := range slices.Concat(out.Prompts, out.Resources, out.Templates) {
		if item.Digest == "" {
			return out
		}
	}
	for _, tool := range out.Tools {
		if tool.Digest == "" {
			return out
		}
	}
	out.Digest, _ = manifest.SurfaceDigest(s) // every part had a digest just now
	return out
}

func (b builder) tool(t *analyzers.Tool) SurfaceTool {
	item := b.item(&t.Item)
	schema := func(field string, raw json.RawMessage) json.RawMessage {
		reason := unfit(raw)
		if reason == "" {
			return raw
		}
		item.Unresolved = append(item.Unresolved, Unresolved{field, reason})
		return nil
	}
	tool := SurfaceTool{
		Name: item.Name, Title: item.Title, Description: item.Description,
		InputSchema:  schema("inputSchema", t.InputSchema),
		OutputSchema: schema("outputSchema", t.OutputSchema),
		Annotations:  schema("annotations", t.Annotations),
		Origin:       item.Origin, Path: item.Path, StartLine: item.StartLine, Digest: item.Digest,
	}
	tool.Unresolved = item.Unresolved
	return tool
}

func (b builder) items(in []*analyzers.Item) []SurfaceItem {
	var out []SurfaceItem
	for _, item := range in {
		out = append(out, b.item(item))
	}
	return out
}

func (b builder) item(i *analyzers.Item) SurfaceItem {
	out := SurfaceItem{
		Name: b.text(i.Name), Title: b.text(i.Title), Description: b.text(i.Description),
		Origin: string(i.Origin), Path: i.Span.Path(), StartLine: i.Span.Begin().Line,
	}
	if len(i.Definition) > 0 {
		reason := unfit(i.Definition)
		if reason == "" {
			var err error
			if out.Digest, err = manifest.ItemDigest(i); err != nil {
				reason = shorten(err.Error(), 200)
			}
		}
		if reason != "" {
			out.Unresolved = append(out.Unresolved, Unresolved{"digest", reason})
		}
	}
	for _, u := range i.Unresolved {
		out.Unresolved = append(out.Unresolved, Unresolved{u.Field, u.Reason})
	}
	return out
}

// unfit says why raw JSON of a target cannot stand in the report; "" when it
// can. encoding/json refuses to write what is nested deeper than 10,000 levels,
// and the report around it counts as well.
func unfit(raw json.RawMessage) string {
	const deepest = 1000
	if len(raw) == 0 {
		return ""
	}
	if !json.Valid(raw) {
		return "not valid JSON"
	}
	depth, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth > deepest {
			return fmt.Sprintf("nested deeper than %d levels", deepest)
		}
	}
	return ""
}

func (b builder) finding(f *rules.Finding) Finding {
	begin, end := f.Span.Begin(), f.Span.Finish()
	out := Finding{
		Severity: f.Severity.String(), Confidence: f.Confidence.String(), Exposure: string(f.Exposure),
		Message: f.Message, Subject: f.Subject, Server: f.Server, Tool: f.Tool,
		Path: f.Span.Path(), StartLine: begin.Line, StartColumn: begin.Column, EndLine: end.Line, EndColumn: end.Column,
		Fingerprint: f.Fingerprint,
		Fix:         b.fix(f),
	}
	if f.Rule != nil {
		out.RuleID = f.Rule.ID
	}
	for _, r := range f.Related {
		begin, end := r.Span.Begin(), r.Span.Finish()
		out.Related = append(out.Related, Related{r.Message, r.Span.Path(), begin.Line, begin.Column, end.Line, end.Column})
	}
	if s := f.Suppressed; s != nil {
		out.Suppressed = &Suppressed{s.Kind, s.Reason}
	}
	return out
}

// fix is nil where the fix cannot be applied as it would be printed: in
// another file, or with a mask in it.
func (b builder) fix(f *rules.Finding) *Fix {
	if f.Fix == nil || f.Fix.Span.IsZero() || f.Fix.Span.Source != f.Span.Source || b.string(f.Fix.Replacement) != f.Fix.Replacement {
		return nil
	}
	begin, end := f.Fix.Span.Begin(), f.Fix.Span.Finish()
	return &Fix{f.Fix.Description, begin.Line, begin.Column, end.Line, end.Column, f.Fix.Replacement}
}

// sort comes after masking, so that no order speaks of a masked value.
func (r *Report) sort() {
	c := &r.Catalog
	sortUnique(&c.Packages, comparePackages)
	sortUnique(&c.Edges, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Kind, b.Kind))
	})
	sortUnique(&r.Gaps, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Reason, b.Reason), compareBools(b.Blocking, a.Blocking))
	})
	sortUnique(&r.SkippedRules, func(a, b Skipped) int {
		return cmp.Or(cmp.Compare(a.RuleID, b.RuleID), cmp.Compare(a.Reason, b.Reason))
	})
	slices.SortStableFunc(r.Inventory, compareGroups)
	slices.SortStableFunc(c.Clients, func(a, b Client) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Exposure, b.Exposure), cmp.Compare(a.Scope, b.Scope))
	})
	slices.SortStableFunc(c.Documents, func(a, b Document) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.StartLine, b.StartLine), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Server, b.Server))
	})
	slices.SortStableFunc(c.Servers, func(a, b Server) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Name, b.Name)) })
	for i := range c.Servers {
		s := &c.Servers[i]
		sortUnique(&s.Packages, comparePackages)
		slices.SortStableFunc(s.Surface.Tools, func(a, b SurfaceTool) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Path, b.Path), cmp.Compare(a.StartLine, b.StartLine), cmp.Compare(a.Origin, b.Origin), cmp.Compare(a.Digest, b.Digest), bytes.Compare(a.InputSchema, b.InputSchema), cmp.Compare(a.Description, b.Description))
		})
		for _, items := range [][]SurfaceItem{s.Surface.Prompts, s.Surface.Resources, s.Surface.Templates} {
			slices.SortStableFunc(items, func(a, b SurfaceItem) int {
				return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Path, b.Path), cmp.Compare(a.StartLine, b.StartLine), cmp.Compare(a.Origin, b.Origin), cmp.Compare(a.Digest, b.Digest), cmp.Compare(a.Description, b.Description))
			})
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.StartLine, b.StartLine), cmp.Compare(a.StartColumn, b.StartColumn),
			cmp.Compare(a.EndLine, b.EndLine), cmp.Compare(a.EndColumn, b.EndColumn),
			cmp.Compare(a.RuleID, b.RuleID), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Tool, b.Tool),
			cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
}

func sortUnique[T comparable](list *[]T, compare func(a, b T) int) {
	slices.SortFunc(*list, compare)
	*list = slices.Compact(*list)
}

func comparePackages(a, b Package) int {
	return cmp.Or(cmp.Compare(a.PURL, b.PURL), cmp.Compare(a.Pin, b.Pin))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// fill makes nil slices empty and absent JSON {}.
func (r *Report) fill() {
	each(reflect.ValueOf(r).Elem(), "", func(v reflect.Value, _ string) {
		switch {
		case v.Type() == rawMessage:
			if b := v.Bytes(); len(b) == 0 || string(bytes.TrimSpace(b)) == "null" {
				v.SetBytes([]byte("{}"))
			}
		case v.Kind() == reflect.Slice && v.IsNil():
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
	})
}
