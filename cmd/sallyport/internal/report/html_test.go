package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

func htmlOf(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := writeHTML(&b, r, Options{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHTMLGolden(t *testing.T) {
	golden(t, "html/findings.html", []byte(htmlOf(t, plainReport())))
	golden(t, "html/frames.html", []byte(htmlOf(t, Build(sample()))))
	golden(t, "html/clean.html", []byte(htmlOf(t, cleanReport())))
	golden(t, "html/hostile.html", []byte(htmlOf(t, hostileReport())))
}

// htmlNodes is every node of the page as a browser would make it.
func htmlNodes(t *testing.T, page string) []*html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(root.Descendants())
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// skeleton is all of the page but its text: elements with their attributes,
// comments, style sheets.
func skeleton(nodes []*html.Node) string {
	var b strings.Builder
	for _, n := range nodes {
		switch n.Type {
		case html.ElementNode:
			fmt.Fprintf(&b, "%s%q\n", n.Data, n.Attr)
		case html.CommentNode:
			fmt.Fprintf(&b, "comment %q\n", n.Data)
		case html.TextNode:
			if n.Parent.Data == "style" {
				fmt.Fprintf(&b, "style sheet %q\n", n.Data)
			}
		}
	}
	return b.String()
}

// Whatever a target is called, the page has the same elements with the same
// attributes: it can say something, and nothing else.
func TestHTMLHostile(t *testing.T) {
	names := map[string]string{
		"script":     `x<script>alert(1)</script>`,
		"style":      `x</style><style>*{background:url(//evil.example)}</style>`,
		"title":      `x</title><base href="//evil.example/"><meta http-equiv="refresh" content="0;url=//evil.example">`,
		"attribute":  `x" onmouseover="alert(1)' style='color:red`,
		"image":      `x<img src=//evil.example/a.png onerror=alert(1)><svg onload=alert(1)>`,
		"comment":    `x--><!-- <![CDATA[ ]]> <!DOCTYPE x>`,
		"end":        `x</pre></td></table></main></body></html><iframe src=//evil.example>`,
		"entity":     `x&lt;b&#60;b&#x3c;script&gt;`,
		"template":   `x{{.Policy}}${1}<template>`,
		"javascript": `javascript:alert(1)`,
	}
	for kind, name := range hostileNames {
		names[kind] = name
	}
	want := skeleton(htmlNodes(t, htmlOf(t, reportNaming("x"))))
	for kind, name := range names {
		page := htmlOf(t, reportNaming(name))
		if len(page) > 300<<10 {
			t.Errorf("%s: %d bytes", kind, len(page))
		}
		for _, r := range page {
			if r != '\n' && analyzers.Hidden(r) {
				t.Errorf("%s: %U is not escaped", kind, r)
				break
			}
		}
		if strings.Contains(page, "##[") || strings.Contains(page, "\n::") {
			t.Errorf("%s: a job's log would obey the page", kind)
		}
		nodes := htmlNodes(t, page)
		if got := skeleton(nodes); got != want {
			t.Errorf("%s: other elements:\n%.3000s", kind, got)
		}
		said := false
		for _, n := range nodes {
			said = said || n.Type == html.TextNode && n.Parent.Data == "code" && n.Data == printable(name)
		}
		if !said {
			t.Errorf("%s: the page does not say the name", kind)
		}
	}
}

// The page asks for nothing, runs nothing and leads nowhere, and its policy
// would not let it.
func TestHTMLStandsAlone(t *testing.T) {
	may := []string{"article", "body", "caption", "code", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "head", "header", "html", "li", "main", "mark", "meta",
		"ol", "p", "pre", "section", "small", "span", "strong", "style", "table", "tbody", "td", "th", "thead", "title", "tr", "ul"}
	mayHave := []string{"aria-labelledby", "charset", "class", "content", "http-equiv", "id", "lang", "name", "role", "scope", "tabindex"}
	for _, r := range []*Report{Build(sample()), plainReport(), hostileReport()} {
		policy := ""
		for _, n := range htmlNodes(t, htmlOf(t, r)) {
			if n.Type != html.ElementNode {
				continue
			}
			if !slices.Contains(may, n.Data) {
				t.Errorf("element %s", n.Data)
			}
			for _, a := range n.Attr {
				if !slices.Contains(mayHave, a.Key) {
					t.Errorf("attribute %s of %s", a.Key, n.Data)
				}
			}
			switch {
			case attribute(n, "http-equiv") != "":
				policy += attribute(n, "content")
			case n.Data == "style" && n.FirstChild.Data != htmlStyle:
				t.Errorf("the policy's hash is not that of the style sheet")
			}
		}
		if policy != htmlPolicy() || !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") {
			t.Errorf("policy %q", policy)
		}
	}
	for _, word := range []string{"url(", "@import", "expression", "http"} {
		if strings.Contains(htmlStyle, word) {
			t.Errorf("the style sheet has %s", word)
		}
	}
}

// Readers that jump from heading to heading miss none, every table says what
// it is, and what scrolls can be reached by key.
func TestHTMLAccessible(t *testing.T) {
	for _, r := range []*Report{Build(sample()), plainReport(), cleanReport()} {
		level, ids, labels := 0, map[string]int{}, []string{}
		for _, n := range htmlNodes(t, htmlOf(t, r)) {
			if n.Type != html.ElementNode {
				continue
			}
			if id := attribute(n, "id"); id != "" {
				ids[id]++
			}
			switch n.Data {
			case "h1", "h2", "h3", "h4":
				next := int(n.Data[1] - '0')
				if next > level+1 {
					t.Errorf("h%d follows h%d", next, level)
				}
				level = next
			case "table":
				if first := n.FirstChild.NextSibling; first.Data != "caption" {
					t.Errorf("a table begins with %q", first.Data)
				}
			case "th":
				if attribute(n, "scope") == "" {
					t.Error("th without scope")
				}
			case "div":
				if attribute(n, "class") == "wide" {
					labels = append(labels, attribute(n, "aria-labelledby"))
					if attribute(n, "tabindex") != "0" {
						t.Error("a region that scrolls cannot be reached")
					}
				}
			}
		}
		for _, label := range labels {
			if ids[label] != 1 {
				t.Errorf("%d elements are called %q", ids[label], label)
			}
		}
	}
}

// A saved report has no frames; the page says all the rest.
func TestHTMLFrame(t *testing.T) {
	for _, c := range []struct {
		f    *frame
		want string
	}{
		{nil, ""},
		{&frame{7, "ab <c> d", 3, 3}, "ab |<c>| d"},
		{&frame{7, "日本 x", 2, 2}, "日|本| x"},
		{&frame{7, "e\u0301\u0301x", 1, 1}, "e\u0301\u0301|x|"},
		{&frame{7, "ab", 2, 1}, "ab| |"},
		{&frame{7, "", 0, 1}, "| |"},
		{&frame{7, "ab", 9, 9}, "ab| |"},
	} {
		got := ""
		if f := newHTMLFrame(c.f); f != nil {
			got = f.Before + "|" + f.Mark + "|" + f.After
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.f, got, c.want)
		}
	}
	r := Build(sample())
	for i := range r.Findings {
		r.Findings[i].frame = nil
	}
	if page := htmlOf(t, r); strings.Contains(page, "<pre>") || !strings.Contains(page, "sallyport explain hidden-instruction") {
		t.Error("without frames the page says too much or too little")
	}
}
