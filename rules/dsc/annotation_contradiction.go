package dsc

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"slices"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/capability"
)

//go:embed annotation_contradiction.md
var annotationContradictionPage string

// AnnotationContradiction flags annotations and titles that make a tool look
// milder than its name says.
var AnnotationContradiction = rules.Rule{
	ID:         "annotation-contradiction",
	Title:      "Annotations contradict what the tool says it does",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{451, 345},
	Covers:     []string{"DSC-025"},
	Page:       annotationContradictionPage,
	Check:      checkAnnotationContradiction,
}

// annotations are those of MCP's schema.ts, ToolAnnotations.
type annotations struct {
	Title                                        string
	ReadOnlyHint, DestructiveHint, OpenWorldHint *bool
}

// claim is one hint and the facts that it denies.
type claim struct {
	hint   string
	denies func(capability.Fact) bool
}

func checkAnnotationContradiction(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		for _, t := range s.Surface.Tools {
			if len(t.Annotations) > 0 || !t.Title.IsZero() {
				checkAnnotations(pass, s, t)
			}
		}
	}
}

func checkAnnotations(pass *rules.Pass, s *analyzers.Server, t *analyzers.Tool) {
	var a annotations
	if bytes.Contains(t.Annotations, []byte("Hint")) || bytes.Contains(t.Annotations, []byte("title")) {
		_ = json.Unmarshal(t.Annotations, &a) // other types than the schema's make no claim
	}
	var claims []claim
	switch {
	case is(a.ReadOnlyHint, true):
		claims = append(claims, claim{"readOnlyHint is true", acts})
	case is(a.DestructiveHint, false):
		claims = append(claims, claim{"destructiveHint is false", destroys})
	}
	if is(a.OpenWorldHint, false) {
		claims = append(claims, claim{"openWorldHint is false", leaves})
	}
	title := t.Title.Raw()
	if title == "" {
		title = a.Title
	}
	if title != "" && capability.OnlyLooks(title, false) {
		claims = append(claims, claim{"the title speaks of looking only", acts})
	}
	if len(claims) == 0 {
		return
	}
	inName := capability.InName(t)
	var inText []capability.Fact
	if !t.Description.IsZero() {
		inText = capability.InSentence("description", t.Description)
	}
	for _, c := range claims {
		if i := slices.IndexFunc(inName, c.denies); i >= 0 {
			// A description that speaks of looking leaves a doubt about what the
			// name means.
			report(pass, s, t, c, inName[i], !slices.ContainsFunc(inText, c.denies) && capability.OnlyLooks(t.Description.Raw(), true))
			return
		}
		if i := slices.IndexFunc(inText, c.denies); i >= 0 {
			report(pass, s, t, c, inText[i], true)
			return
		}
	}
}

func is(hint *bool, value bool) bool { return hint != nil && *hint == value }

func acts(f capability.Fact) bool {
	switch f.Label {
	case capability.Destroys, capability.Writes, capability.Executes, capability.Pays, capability.ChangesRights:
		return true
	}
	return f.Label == capability.ReachesOut && (f.Object == capability.Mail || f.Object == capability.Chat || f.Object == capability.Post)
}

func destroys(f capability.Fact) bool { return f.Label == capability.Destroys }

func leaves(f capability.Fact) bool {
	return f.Label == capability.ReachesOut && (f.Object == capability.HTTP || f.Object == capability.Mail || f.Object == capability.Post) ||
		f.Label == capability.UntrustedContent && f.Object == capability.Web
}

func report(pass *rules.Pass, s *analyzers.Server, t *analyzers.Tool, c claim, fact capability.Fact, doubtful bool) {
	f := rules.OnServer(s, fact.Span(), fact.Field.Path, "%s for tool %q, but its %s says that it %s (%q). Correct the annotation: clients skip their questions because of it.",
		c.hint, t.Name, fact.Field.Path, does(fact), fact.Evidence())
	f.Tool = t.Name.Raw()
	if doubtful {
		f.Severity = rules.Low
	}
	pass.Report(f)
}

// does says a fact as the end of "it ...".
func does(f capability.Fact) string {
	what := map[capability.Label]string{
		capability.Destroys: "deletes", capability.Writes: "changes things", capability.Executes: "runs commands or code", capability.Pays: "moves money",
		capability.ChangesRights: "changes rights", capability.ReachesOut: "sends data out", capability.UntrustedContent: "reads from the open web",
	}[f.Label]
	return what
}
