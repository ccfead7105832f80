package pkg

import (
	_ "embed"
	"strconv"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed vulnerable_mcp_package.md
var vulnerableMCPPackagePage string

// VulnerableMCPPackage flags versions of MCP packages that are known to be
// broken. It knows the few that matter most without any database.
var VulnerableMCPPackage = rules.Rule{
	ID:         "vulnerable-mcp-package",
	Title:      "Package version has a known vulnerability",
	Severity:   rules.High,
	Confidence: rules.Certain,
	CWE:        []int{1395},
	Covers:     []string{"PKG-025", "PKG-002"},
	Page:       vulnerableMCPPackagePage,
	Check:      checkVulnerableMCPPackage,
}

// Gain is what a vulnerability gives to those who use it.
type Gain int

// The gains, by how much they are.
const (
	Nothing Gain = iota // the server stops, or shows a page: nothing of it is theirs
	Calls               // they use the server's tools, or go further with these than was allowed
	Control             // they run commands as the server does, and have all that it has
)

// advisory is one published vulnerability: versions in [since, fixed) have it.
type advisory struct {
	ecosystem, name string
	since, fixed    string // since "" is the first version
	id              string
	severity        rules.Severity
	gain            Gain
	title           string
}

// advisories are ordered by package; ids and ranges are those of the CVE
// records. A package may be in several.
var advisories = []advisory{
	{"npm", "mcp-remote", "0.0.5", "0.1.16", "CVE-2025-6514", rules.Critical, Control, "a server that it connects to can run commands on this machine"},
	{"npm", "@modelcontextprotocol/inspector", "", "0.14.1", "CVE-2025-49596", rules.Critical, Control, "any web page can run commands through its proxy"},
	{"npm", "@modelcontextprotocol/server-filesystem", "", "0.6.4", "CVE-2025-53109", rules.High, Calls, "symbolic links lead out of the allowed folders"},
	{"npm", "@modelcontextprotocol/server-filesystem", "2025.1.1", "2025.7.1", "CVE-2025-53109", rules.High, Calls, "symbolic links lead out of the allowed folders"},
	{"npm", "@modelcontextprotocol/sdk", "", "1.24.0", "CVE-2025-66414", rules.Medium, Calls, "its HTTP servers accept requests that a web page redirects to them (DNS rebinding)"},
	{"npm", "figma-developer-mcp", "", "0.6.3", "CVE-2025-53967", rules.High, Control, "a crafted URL runs commands on this machine"},
	{"npm", "mcp-server-kubernetes", "", "2.5.0", "CVE-2025-53355", rules.High, Control, "arguments of its tools run commands on this machine"},
	{"npm", "@cyanheads/git-mcp-server", "", "2.1.5", "CVE-2025-53107", rules.High, Control, "arguments of its tools run commands on this machine"},
	{"pypi", "mcp", "", "1.10.0", "CVE-2025-53365", rules.Medium, Nothing, "a client's error stops the server"},
	{"pypi", "mcp", "", "1.23.0", "CVE-2025-66416", rules.Medium, Calls, "its HTTP servers accept requests that a web page redirects to them (DNS rebinding)"},
	{"pypi", "mcp-server-git", "", "2025.12.18", "CVE-2025-68145", rules.High, Calls, "the restriction to one repository can be left"},
	{"pypi", "fastmcp", "", "2.13.0", "CVE-2025-62800", rules.Medium, Nothing, "its OAuth page runs script that a server sends"},
	{"pypi", "fastmcp", "", "3.2.0", "CVE-2026-32871", rules.Medium, Calls, "servers made from an OpenAPI document can be made to call other addresses"},
}

func checkVulnerableMCPPackage(pass *rules.Pass) {
	for _, s := range pass.Catalog.Servers {
		for _, p := range s.Packages {
			for _, flaw := range Flaws(p) {
				f := rules.OnServer(s, p.Spec.Span, p.PURL+"#"+flaw.ID,
					"server %q starts %s %s, in which %s (%s). Write the newest version: those from %s on have the fix.",
					s.Name, strings.ToLower(p.Name), analyzers.Untrusted(p.Version), flaw.Title, flaw.ID, flaw.Fixed)
				f.Severity = flaw.Severity
				pass.Report(f)
			}
		}
	}
}

// Flaw is a published vulnerability of a package's version.
type Flaw struct {
	ID       string // of the CVE record
	Title    string // what is wrong, without a capital: it goes on "in which"
	Fixed    string // the first version without it
	Severity rules.Severity
	Gain     Gain
}

// Flaws returns those that are known of the version that a reference names;
// none where it names no exact version of the default registry.
func Flaws(p analyzers.PackageRef) []Flaw {
	if p.Pin != analyzers.PinExact || p.Source != "" && p.Source != "registry" {
		return nil
	}
	var out []Flaw
	for _, a := range advisories {
		if a.ecosystem == p.Ecosystem && a.name == strings.ToLower(p.Name) && a.affects(p.Version) {
			out = append(out, Flaw{a.id, a.title, a.fixed, a.severity, a.gain})
		}
	}
	return out
}

// affects is false for a version that cannot be compared. A pre-release counts
// as what comes before its version.
func (a advisory) affects(version string) bool {
	v, pre, ok := parseVersion(version)
	if !ok {
		return false
	}
	since, _, _ := parseVersion(a.since)
	fixed, _, _ := parseVersion(a.fixed)
	below := compareVersions(v, fixed)
	return compareVersions(v, since) >= 0 && (below < 0 || below == 0 && pre)
}

// parseVersion reads the numbers of a version, "v1.2.3-rc.1+build" or
// "1.2.3rc1": four at most.
func parseVersion(s string) (numbers [4]int, pre, ok bool) {
	s = strings.TrimLeft(strings.TrimSpace(s), "v= ")
	s, _, _ = strings.Cut(s, "+")
	if s == "" {
		return numbers, false, false
	}
	for i, part := range strings.Split(s, ".") {
		digits := 0
		for digits < len(part) && part[digits] >= '0' && part[digits] <= '9' {
			digits++
		}
		n, err := strconv.Atoi(part[:digits])
		if err != nil && i == 0 {
			return numbers, false, false
		}
		if err == nil && i < len(numbers) {
			numbers[i] = n
		}
		if tail := part[digits:]; tail != "" || err != nil {
			// Everything behind it is a pre-release's, unless it says post.
			return numbers, !strings.HasPrefix(tail, "post") && !strings.HasPrefix(tail, ".post"), true
		}
	}
	return numbers, false, true
}

func compareVersions(a, b [4]int) int {
	for i := range a {
		if a[i] != b[i] {
			if a[i] < b[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}
