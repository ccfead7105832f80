package shd

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
	"github.com/sallyport-mcp/sallyport/rules/confusable"
)

//go:embed misleading_server_name.md
var misleadingServerNamePage string

// MisleadingServerName flags servers that go by the name of a known one.
var MisleadingServerName = rules.Rule{
	ID:         "misleading-server-name",
	Title:      "Server goes by the name of another, known one",
	Severity:   rules.Medium,
	Confidence: rules.Likely,
	CWE:        []int{290, 1007},
	Covers:     []string{"SHD-008"},
	Page:       misleadingServerNamePage,
	Check:      checkMisleadingServerName,
}

func checkMisleadingServerName(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		name := s.Name.Raw()
		if len(name) < 5 || len(name) > longestName {
			continue
		}
		span := s.Name.Span
		if known := imitated(name); known != "" {
			pass.Report(rules.OnServer(s, span, name, "server %q is drawn like %q, a known server, and is not named so. Find out who made it.", s.Name, known))
			continue
		}
		scope, _, scoped := strings.Cut(name, "/")
		if !scoped || !strings.HasPrefix(scope, "@") || !slices.Contains(scopes, scope) {
			continue
		}
		for _, p := range slices.Concat(s.Packages, launched(s)) {
			if p.Ecosystem == "npm" && p.Name != name && !strings.HasPrefix(p.Name, scope+"/") && p.Source == "" {
				pass.Report(rules.OnServer(s, span, name, "server %q is named as a package of %s and runs %q, which is not one. Name the server after what it runs.", s.Name, scope, analyzers.Untrusted(p.Name)))
				break
			}
		}
	}
}

func launched(s *analyzers.Server) []analyzers.PackageRef {
	if s.Launch == nil {
		return nil
	}
	return s.Launch.Packages
}

// imitated is the known name that a name is drawn like without being it.
func imitated(name string) string {
	if known()[strings.ToLower(name)] {
		return ""
	}
	return drawings()[confusable.Drawn(name)]
}

// scopes belong to one owner each.
var scopes = []string{"@modelcontextprotocol", "@anthropic-ai", "@openai", "@upstash", "@playwright", "@supabase", "@stripe", "@notionhq", "@sentry", "@cloudflare", "@azure", "@microsoft", "@google", "@elastic", "@brightdata", "@shopify", "@hubspot", "@heroku"}

// known are names of servers that many people have; drawings leads to them
// from how they are drawn.
var known = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq(`filesystem github gitlab bitbucket slack discord telegram whatsapp postgres postgresql sqlite mysql mongodb redis elasticsearch snowflake bigquery supabase
		puppeteer playwright browserbase firecrawl brave-search tavily perplexity context7 sequential-thinking memory fetch everything google-drive google-maps gmail google-calendar
		notion linear atlassian confluence asana airtable figma sentry datadog grafana cloudflare vercel netlify stripe paypal shopify hubspot salesforce zapier kubernetes docker terraform
		desktop-commander chrome-devtools github-mcp-server mcp-server-git mcp-server-fetch mcp-server-time mcp-server-filesystem server-filesystem server-github server-memory server-postgres server-slack server-everything
		huggingface obsidian todoist twilio sendgrid dropbox onedrive outlook microsoft-learn aws-documentation azure-mcp xcodebuildmcp n8n-mcp mobile-mcp serena zen-mcp-server`) {
		m[name] = true
	}
	return m
})

var drawings = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for name := range known() {
		m[confusable.Drawn(name)] = name
	}
	return m
})
