package report

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/owenrumney/go-sarif/v2/sarif"

	"github.com/sallyport-mcp/sallyport/rules"
)

// What GitHub does with a SARIF file, and therefore what this file does:
//
//   - It rejects a file over its limits as a whole, so results are sorted by
//     severity, cut, and a notification says so.
//   - It matches alerts between scans by primaryLocationLineHash alone.
//   - It shows the first location, and in a pull request only when every line
//     of the region is part of the diff: so one location, one line.
//   - It shows a related location only where the message links to it.
//   - It ignores suppressions, so suppressed findings are left out.
//   - It shows a rule's help like an issue comment, in which each line break of
//     the source counts: so paragraphs become one line.
const (
	sarifMaxResults       = 25_000
	sarifMaxBytes         = 10 << 20 // compressed
	sarifMaxNotifications = 1_000
	sarifMaxFlow          = 1_000
	sarifMaxLinks         = 20
	sarifMaxTags          = 10
	sarifMaxDescription   = 1_000 // runes; 1,024 characters are allowed

	sarifRoot       = "%SRCROOT%" // the name that stands for the checkout
	sarifProject    = "https://github.com/sallyport-mcp/sallyport"
	sarifMessageID  = "finding"
	sarifGapID      = "not-read"
	sarifCutID      = "results-left-out"
	sarifSkippedID  = "rule-skipped"
	sarifFirstParty = "sallyport/v1"
)

// writeSARIF writes one run in SARIF 2.1.0.
func writeSARIF(w io.Writer, r *Report, o Options) error {
	return writeSARIFWithin(w, r, o, sarifMaxResults, sarifMaxBytes)
}

func writeSARIFWithin(w io.Writer, r *Report, o Options, maxResults, maxBytes int) error {
	index := make(map[string]uint, len(o.Rules))
	for i, rule := range o.Rules {
		index[rule.ID] = uint(i)
	}
	var results []*sarif.Result
	for _, f := range worstFirst(r.Findings) {
		results = append(results, sarifResult(r, &f, index))
	}
	for keep := min(len(results), maxResults); ; {
		log := &sarif.Report{
			Version: string(sarif.Version210),
			Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
			Runs:    []*sarif.Run{sarifRun(r, o, results[:keep], len(results)-keep)},
		}
		var body bytes.Buffer
		if err := log.PrettyWrite(&body); err != nil {
			return fmt.Errorf("sarif: %w", err)
		}
		size := compressed(body.Bytes(), maxBytes)
		if size <= maxBytes || keep == 0 {
			body.WriteByte('\n')
			_, err := body.WriteTo(w)
			return err
		}
		keep = min(keep-1, int(float64(keep)*0.9*float64(maxBytes)/float64(size)))
	}
}

// compressed is the size of body after gzip, in bytes; it looks no closer when
// body is small enough as it is.
func compressed(body []byte, limit int) int {
	if len(body) <= limit {
		return len(body)
	}
	var n byteCount
	z := gzip.NewWriter(&n)
	_, err := z.Write(body)
	if err != nil || z.Close() != nil {
		return len(body)
	}
	return int(n)
}

type byteCount int

func (n *byteCount) Write(p []byte) (int, error) {
	*n += byteCount(len(p))
	return len(p), nil
}

func sarifRun(r *Report, o Options, results []*sarif.Result, cut int) *sarif.Run {
	driver := &sarif.ToolComponent{
		Name:           cmp.Or(r.Tool.Name, "sallyport"),
		InformationURI: new(sarifProject),
		Rules:          make([]*sarif.ReportingDescriptor, 0, len(o.Rules)),
	}
	if r.Tool.Version != "" {
		driver.Version = new(r.Tool.Version)
	}
	for _, rule := range o.Rules {
		driver.Rules = append(driver.Rules, sarifRule(rule))
	}
	if results == nil {
		results = []*sarif.Result{}
	}
	return &sarif.Run{
		Tool:              sarif.Tool{Driver: driver},
		AutomationDetails: &sarif.RunAutomationDetails{ID: new(sarifCategory(r.Targets))},
		ColumnKind:        "utf16CodeUnits",
		OriginalUriBaseIDs: map[string]*sarif.ArtifactLocation{
			sarifRoot: {Description: sarif.NewTextMessage("The root of the checkout.")},
		},
		Invocations: []*sarif.Invocation{sarifInvocation(r, cut)},
		Results:     results,
	}
}

// sarifCategory tells uploads of one commit apart: GitHub takes all up to the
// last slash as the category.
func sarifCategory(targets []Target) string {
	var names []string
	for i, t := range targets {
		// An organisation stands for its repositories, of which there are more
		// tomorrow.
		if t.Kind == "github" && slices.ContainsFunc(targets[:i], func(o Target) bool {
			return o.Kind == "github-org" && strings.HasPrefix(strings.ToLower(t.URI), strings.ToLower("github:"+strings.TrimPrefix(o.URI, "github-org:")+"/"))
		}) {
			continue
		}
		names = append(names, visible(relative(t.URI)))
	}
	return "sallyport/" + cmp.Or(strings.Join(names, ","), ".") + "/"
}

// sarifInvocation says how the scan went. It was not successful when something
// that had to be read could not be.
func sarifInvocation(r *Report, cut int) *sarif.Invocation {
	inv := &sarif.Invocation{ExecutionSuccessful: new(len(blockingGaps(r.Gaps)) == 0)}
	if cut > 0 {
		inv.ToolExecutionNotifications = append(inv.ToolExecutionNotifications, sarifNotification(sarifCutID, "warning",
			fmt.Sprintf("%d results of the lowest severity were left out, because code scanning takes no larger file. The JSON report has them all.", cut)))
	}
	for i, g := range blockingFirst(r.Gaps) {
		if i == sarifMaxNotifications {
			inv.ToolExecutionNotifications = append(inv.ToolExecutionNotifications, sarifNotification(sarifGapID, "warning",
				fmt.Sprintf("%d more inputs were not read. The JSON report has them all.", len(r.Gaps)-i)))
			break
		}
		level := "note"
		if g.Blocking {
			level = "error"
		}
		n := sarifNotification(sarifGapID, level, fmt.Sprintf("Not read (%s): %s", sarifText(g.Kind), sentence(sarifText(g.Reason))))
		if g.Path != "" {
			n.Locations = []*sarif.Location{{PhysicalLocation: sarifFile(r, g.Path)}}
		}
		inv.ToolExecutionNotifications = append(inv.ToolExecutionNotifications, n)
	}
	for _, s := range r.SkippedRules[:min(len(r.SkippedRules), sarifMaxNotifications)] {
		n := sarifNotification(sarifSkippedID, "note", fmt.Sprintf("The rule %s did not run: %s", sarifText(s.RuleID), sentence(sarifText(s.Reason))))
		inv.ToolConfigurationNotifications = append(inv.ToolConfigurationNotifications, n)
	}
	return inv
}

func sarifNotification(id, level, text string) *sarif.Notification {
	return &sarif.Notification{
		Descriptor: &sarif.ReportingDescriptorReference{Id: new(id)},
		Level:      level,
		Message:    sarif.NewTextMessage(text),
	}
}

// sarifRule holds nothing that differs between two scans.
func sarifRule(rule *rules.Rule) *sarif.ReportingDescriptor {
	help := unwrap(rule.Page)
	tags := []string{"security"}
	if family := rule.Family(); family != "" {
		tags = append(tags, family)
	}
	for _, cwe := range rule.CWE {
		tags = append(tags, fmt.Sprintf("external/cwe/cwe-%03d", cwe))
	}
	properties := sarif.Properties{
		"tags":             tags[:min(len(tags), sarifMaxTags)],
		"precision":        sarifPrecision(rule.Confidence),
		"problem.severity": sarifProblem(rule.Severity),
	}
	// A rule without a score is no security alert, which is what info means.
	if score := sarifScore(rule.Severity); score != "" {
		properties["security-severity"] = score
	}
	return &sarif.ReportingDescriptor{
		ID:                   rule.ID,
		ShortDescription:     sarifString(shorten(cmp.Or(rule.Title, rule.ID), sarifMaxDescription)),
		FullDescription:      sarifString(shorten(cmp.Or(firstParagraph(help), sentence(rule.Title), rule.ID), sarifMaxDescription)),
		DefaultConfiguration: &sarif.ReportingConfiguration{Level: sarifLevel(rule.Severity.String())},
		Help:                 &sarif.MultiformatMessageString{Text: new(cmp.Or(help, rule.Title, rule.ID)), Markdown: new(cmp.Or(help, rule.Title, rule.ID))},
		MessageStrings:       &sarif.MessageStrings{sarifMessageID: *sarifString("{0}.")},
		Properties:           properties,
	}
}

func sarifResult(r *Report, f *Finding, index map[string]uint) *sarif.Result {
	result := &sarif.Result{
		RuleID:    new(f.RuleID),
		Level:     new(sarifLevel(f.Severity)),
		Locations: []*sarif.Location{sarifLocation(r, f)},
		PartialFingerprints: map[string]any{
			"primaryLocationLineHash": f.Fingerprint,
			sarifFirstParty:           f.Fingerprint,
		},
		PropertyBag: sarif.PropertyBag{Properties: sarif.Properties{
			"severity":   f.Severity,
			"confidence": f.Confidence,
			"exposure":   f.Exposure,
		}},
	}
	text := sentence(sarifText(cmp.Or(f.Message, f.RuleID)))
	var links []string
	for i, rel := range f.Related[:min(len(f.Related), sarifMaxLinks)] {
		id := uint(i + 1)
		words := cmp.Or(rel.Message, fmt.Sprintf("%s:%d", rel.Path, rel.StartLine))
		links = append(links, sarifLink(words, int(id)))
		result.RelatedLocations = append(result.RelatedLocations, &sarif.Location{
			Id:               new(id),
			PhysicalLocation: sarifPlace(r, rel),
			Message:          sarif.NewTextMessage(sarifText(words)),
		})
	}
	if len(links) > 0 {
		text += " See " + strings.Join(links, ", ")
		if more := len(f.Related) - len(links); more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		text += "."
	}
	if len(f.Flow) > 0 {
		result.CodeFlows = []*sarif.CodeFlow{sarifFlow(r, f.Flow)}
	}

	result.Message = sarif.Message{Text: new(text)}
	if i, ok := index[f.RuleID]; ok {
		result.RuleIndex = new(i)
		// Beside arguments, braces in the text would be taken for placeholders
		// (3.11.5), and doubled ones would be shown as they are.
		if argument, ok := strings.CutSuffix(text, "."); ok && !strings.ContainsAny(text, "{}") {
			result.Message.ID = new(sarifMessageID)
			result.Message.Arguments = []string{argument}
		}
	}
	return result
}

func sarifFlow(r *Report, steps []Related) *sarif.CodeFlow {
	flow := &sarif.ThreadFlow{}
	for _, step := range steps[:min(len(steps), sarifMaxFlow)] {
		flow.Locations = append(flow.Locations, &sarif.ThreadFlowLocation{Location: &sarif.Location{
			PhysicalLocation: sarifPlace(r, step),
			Message:          sarif.NewTextMessage(sarifText(cmp.Or(step.Message, step.Path))),
		}})
	}
	return &sarif.CodeFlow{ThreadFlows: []*sarif.ThreadFlow{flow}}
}

// sarifLocation is the finding's one location. A finding about no file is put
// on the first target, because a result without a file is not shown.
func sarifLocation(r *Report, f *Finding) *sarif.Location {
	at := Related{Path: f.Path, StartLine: f.StartLine, StartColumn: f.StartColumn, EndLine: f.EndLine, EndColumn: f.EndColumn}
	if at.Path == "" {
		at.Path = "."
		if len(r.Targets) > 0 && r.Targets[0].Kind == "file" {
			at.Path = path.Base(r.Targets[0].URI)
		}
	}
	location := &sarif.Location{PhysicalLocation: sarifPlace(r, at)}
	add := func(kind, name, qualified string) {
		if name != "" {
			location.LogicalLocations = append(location.LogicalLocations, &sarif.LogicalLocation{
				Kind: new(kind), Name: new(visible(name)), FullyQualifiedName: new(visible(qualified)),
			})
		}
	}
	add("module", f.Server, f.Server)
	add("function", f.Tool, strings.TrimPrefix(f.Server+"/"+f.Tool, "/"))
	if f.Path == "" && len(location.LogicalLocations) == 0 {
		subject := cmp.Or(f.Subject, f.RuleID)
		add("resource", subject, subject)
	}
	return location
}

// sarifPlace is the first line of a place: the whole line where the place goes
// on behind it, line 1 where the place is the file as a whole.
func sarifPlace(r *Report, at Related) *sarif.PhysicalLocation {
	place := sarifFile(r, at.Path)
	place.Region = &sarif.Region{StartLine: new(max(at.StartLine, 1))}
	if at.StartLine > 0 && at.StartColumn > 0 {
		place.Region.StartColumn = new(at.StartColumn)
		if at.EndLine == at.StartLine && at.EndColumn >= at.StartColumn {
			place.Region.EndColumn = new(at.EndColumn)
		}
	}
	return place
}

func sarifFile(r *Report, name string) *sarif.PhysicalLocation {
	return &sarif.PhysicalLocation{ArtifactLocation: &sarif.ArtifactLocation{
		URI:       new((&url.URL{Path: relative(inCheckout(r, name))}).String()),
		URIBaseId: new(sarifRoot),
	}}
}

// relative is a slash-separated path below the checkout: of a path that leads
// elsewhere only the last part is left, so that no machine shows.
func relative(name string) string {
	name = path.Clean(name)
	if path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") {
		name = path.Base(name)
	}
	if name == ".." || name == "/" {
		return "."
	}
	return name
}

func sarifString(text string) *sarif.MultiformatMessageString {
	return &sarif.MultiformatMessageString{Text: new(text)}
}

// sarifLevel is the level for a severity's name; an unknown one is a note.
func sarifLevel(severity string) string {
	switch severityOf(severity) {
	case rules.Critical, rules.High:
		return "error"
	case rules.Medium:
		return "warning"
	}
	return "note"
}

// sarifScore stays off the edges of GitHub's bands.
func sarifScore(s rules.Severity) string {
	switch s {
	case rules.Critical:
		return "9.5"
	case rules.High:
		return "8.0"
	case rules.Medium:
		return "5.5"
	case rules.Low:
		return "2.0"
	}
	return ""
}

func sarifProblem(s rules.Severity) string {
	if level := sarifLevel(s.String()); level != "note" {
		return level
	}
	return "recommendation"
}

func sarifPrecision(c rules.Confidence) string {
	switch c {
	case rules.Certain:
		return "very-high"
	case rules.Firm:
		return "high"
	case rules.Likely:
		return "medium"
	}
	return "low"
}

// unwrap joins the lines of each paragraph and list item of a Markdown page.
// Code, tables, headings and hard line breaks stay as they are.
func unwrap(page string) string {
	var out []string
	fence, open := "", false // open: the last line may go on
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimSpace(line)
		switch {
		case fence != "":
			if strings.HasPrefix(text, fence) {
				fence = ""
			}
			out, open = append(out, line), false
		case strings.HasPrefix(text, "```"), strings.HasPrefix(text, "~~~"):
			fence = text[:3]
			out, open = append(out, line), false
		case text == "", strings.ContainsAny(text[:1], "#|<>"), !open && strings.HasPrefix(line, "    "):
			out, open = append(out, line), false
		case open && !startsItem(text):
			out[len(out)-1] = strings.TrimRight(out[len(out)-1], " ") + " " + text
		default:
			out, open = append(out, line), true
		}
		if strings.HasSuffix(line, "  ") || strings.HasSuffix(line, `\`) {
			open = false
		}
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}

// startsItem reports whether text begins a list item.
func startsItem(text string) bool {
	marker, _, ok := strings.Cut(text, " ")
	if !ok {
		return false
	}
	number := strings.TrimRight(marker, ".)")
	return slices.Contains([]string{"-", "*", "+"}, marker) ||
		len(number) == len(marker)-1 && number != "" && strings.Trim(number, "0123456789") == ""
}

// firstParagraph is the first line of an unwrapped page that is prose; "" when
// code comes before any.
func firstParagraph(page string) string {
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") || strings.HasPrefix(line, "~~~") {
			return ""
		}
		if line != "" && !strings.ContainsAny(line[:1], "#|<>") {
			return line
		}
	}
	return ""
}
