package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/sallyport-mcp/sallyport/rules"
)

var (
	//go:embed html.tmpl
	htmlSource string
	//go:embed html.css
	htmlStyle string

	// htmlPage escapes by context. Every string that it is given has gone
	// through printable, which deals with what escaping leaves: hidden runes
	// and length.
	htmlPage = template.Must(template.New("html").Parse(htmlSource))
)

// writeHTML writes one page that needs nothing else: no script, no image, no
// font, no link. Its policy lets a browser apply the one style sheet inside and
// refuses whatever else might have got into the page.
func writeHTML(w io.Writer, r *Report, _ Options) error {
	return htmlPage.Execute(w, htmlReport(r))
}

// htmlPolicy is the Content-Security-Policy of the page (CSP Level 3, 6.7).
func htmlPolicy() string {
	sum := sha256.Sum256([]byte(htmlStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// The types below are what the template shows, each string printable.
type (
	htmlView struct {
		Policy     string
		Style      template.CSS
		Verdict    string
		Level      string // class of the verdict
		Tool       string
		Targets    []htmlTarget
		Seen       string
		Counts     []htmlCount
		Shadows    []htmlShadow
		Files      []*htmlFile
		Suppressed []htmlSuppressed
		Registry   bool // one was asked about the servers
		Servers    []htmlServer
		Gaps       []htmlGap
		Skipped    []Skipped
	}
	htmlTarget struct{ URI, Kind, Digest string }
	htmlCount  struct {
		Level string
		N     int
	}
	htmlFile struct {
		Path     string // "" for findings about no file
		Count    string
		Findings []htmlFinding
	}
	htmlFinding struct {
		Level, RuleID, Message, Confidence string
		Server, Tool, Place                string
		Frame                              *htmlFrame
		Related, Flow                      []htmlRelated
		Fix                                string
	}
	// htmlFrame is a line of a file in three parts, the middle one marked.
	htmlFrame struct {
		Line                int
		Before, Mark, After string
	}
	htmlRelated    struct{ Place, Message string }
	htmlSuppressed struct{ Level, RuleID, Place, Kind, Reason string }
	htmlServer     struct {
		Name, Transport, Starts, Pin, Exposure, Approval, Place string
		Tools                                                   int
	}
	htmlShadow struct{ Approval, Identity, Names, Users string }
	htmlGap    struct {
		Path, Kind, Reason string
		Blocking           bool
	}
)

func htmlReport(r *Report) *htmlView {
	findings := worstFirst(r.Findings)
	v := &htmlView{
		Policy:  htmlPolicy(),
		Style:   template.CSS(htmlStyle), // the embedded file, nothing of a target
		Verdict: printable(verdict(r, findings)),
		Level:   "none",
		Tool:    printable(r.Tool.Name + " " + r.Tool.Version),
		Seen:    seen(r),
	}
	if len(findings) > 0 {
		v.Level = severityOf(findings[0].Severity).String()
	} else if len(blockingGaps(r.Gaps)) > 0 {
		v.Level = "incomplete"
	}
	for _, t := range r.Targets {
		v.Targets = append(v.Targets, htmlTarget{printable(t.URI), printable(t.Kind), printable(t.Digest)})
	}
	for s := rules.Critical; s >= rules.Info; s-- {
		v.Counts = append(v.Counts, htmlCount{s.String(), countSeverity(findings, s)})
	}
	v.Files = htmlFiles(r, findings)
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Suppressed != nil {
			v.Suppressed = append(v.Suppressed, htmlSuppressed{severityOf(f.Severity).String(), printable(f.RuleID),
				htmlPlace(r, f.Path, f.StartLine, f.StartColumn), printable(f.Suppressed.Kind), printable(f.Suppressed.Reason)})
		}
	}
	for _, g := range shadows(r) {
		v.Shadows = append(v.Shadows, htmlShadow{printable(g.Approval), printable(g.Identity), printable(strings.Join(g.Names, ", ")), printable(g.users())})
	}
	servers := unapprovedFirst(r.Catalog.Servers)
	for i := range servers {
		s := &servers[i]
		server := htmlServer{printable(s.Name), printable(s.Transport), printable(starts(s)), printable(pins(s)), printable(s.Exposure), printable(s.Approval), "", len(s.Surface.Tools)}
		if len(s.Spans) > 0 {
			server.Place = htmlPlace(r, s.Spans[0].Path, s.Spans[0].StartLine, 0)
		}
		v.Servers = append(v.Servers, server)
		v.Registry = v.Registry || s.Approval != ""
	}
	for _, g := range blockingFirst(r.Gaps) {
		v.Gaps = append(v.Gaps, htmlGap{htmlPlace(r, g.Path, 0, 0), printable(g.Kind), printable(g.Reason), g.Blocking})
	}
	for _, s := range r.SkippedRules {
		v.Skipped = append(v.Skipped, Skipped{printable(s.RuleID), printable(s.Reason)})
	}
	return v
}

// htmlFiles groups findings by file; the file with the worst one comes first.
func htmlFiles(r *Report, worstFirst []Finding) []*htmlFile {
	var files []*htmlFile
	byPath := map[string]*htmlFile{}
	for i := range worstFirst {
		f := &worstFirst[i]
		file := byPath[f.Path]
		if file == nil {
			file = &htmlFile{Path: htmlPlace(r, f.Path, 0, 0)}
			byPath[f.Path] = file
			files = append(files, file)
		}
		file.Findings = append(file.Findings, newHTMLFinding(r, f))
	}
	for _, file := range files {
		file.Count = count(len(file.Findings), "finding")
	}
	return files
}

func newHTMLFinding(r *Report, f *Finding) htmlFinding {
	out := htmlFinding{
		Level: severityOf(f.Severity).String(), RuleID: printable(f.RuleID), Message: printable(f.Message), Confidence: printable(f.Confidence),
		Server: printable(f.Server), Tool: printable(f.Tool), Place: htmlPlace(r, f.Path, f.StartLine, f.StartColumn),
		Frame: newHTMLFrame(f.frame), Related: htmlPlaces(r, f.Related), Flow: htmlPlaces(r, f.Flow),
	}
	if f.Fix != nil {
		out.Fix = printable(f.Fix.Description)
	}
	return out
}

func htmlPlaces(r *Report, list []Related) []htmlRelated {
	var out []htmlRelated
	for _, at := range list {
		out = append(out, htmlRelated{htmlPlace(r, at.Path, at.StartLine, at.StartColumn), printable(at.Message)})
	}
	return out
}

// newHTMLFrame cuts the line where the carets would begin and end. Nothing is
// marked behind the end of a line; the space there makes the mark visible.
func newHTMLFrame(f *frame) *htmlFrame {
	if f == nil {
		return nil
	}
	start := len(widths.Truncate(f.text, f.start, ""))
	end := max(len(widths.Truncate(f.text, f.start+f.width, "")), start)
	out := &htmlFrame{f.line, f.text[:start], f.text[start:end], f.text[end:]}
	if out.Mark == "" {
		out.Mark = " "
	}
	return out
}

// htmlPlace is a place as somebody else can use it, who has the checkout but
// not this machine.
func htmlPlace(r *Report, path string, line, column int) string {
	place := printable(inCheckout(r, path))
	if line > 0 {
		place += fmt.Sprintf(":%d", line)
		if column > 0 {
			place += fmt.Sprintf(":%d", column)
		}
	}
	return place
}

func countSeverity(findings []Finding, s rules.Severity) (n int) {
	for i := range findings {
		if severityOf(findings[i].Severity) == s {
			n++
		}
	}
	return n
}

// seen is what the verdict rests on.
func seen(r *Report) string {
	return fmt.Sprintf("%s read, %s in %s, %s seen.", count(r.Stats.Files, "file"),
		count(len(r.Catalog.Servers), "server"), count(len(r.Catalog.Clients), "client file"), observed(r))
}

// observed counts the tools, and the documents if there are any.
func observed(r *Report) string {
	tools := 0
	for _, s := range r.Catalog.Servers {
		tools += len(s.Surface.Tools)
	}
	out := count(tools, "tool")
	if n := len(r.Catalog.Documents); n > 0 {
		out += " and " + count(n, "document")
	}
	return out
}
