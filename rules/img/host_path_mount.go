package img

import (
	_ "embed"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed host_path_mount.md
var hostPathMountPage string

// HostPathMount flags mounts of more than a project.
var HostPathMount = rules.Rule{
	ID:         "host-path-mount",
	Title:      "Container is given a sensitive part of the host",
	Severity:   rules.High,
	Confidence: rules.Firm,
	CWE:        []int{250, 552},
	Covers:     []string{"IMG-005", "CFG-015", "CFG-016"},
	Page:       hostPathMountPage,
	Check:      checkHostPathMount,
}

func checkHostPathMount(pass *rules.Pass) {
	flags(pass, func(s *analyzers.Server, f analyzers.Flag) {
		m, ok := mountOf(f)
		if !ok {
			return
		}
		p := partOf(m.source.Raw())
		if p == ordinary || p == engineSocket {
			return
		}
		how := "reads and writes"
		if m.readOnly {
			how = "reads"
		}
		found := rules.OnServer(s, m.source.Span, m.source.Raw(),
			"the container of server %q %s %s of this machine (%q). %s.", s.Name, how, p, m.source, advice[p == credentials])
		found.Severity = rules.High
		if m.readOnly {
			found.Severity--
		}
		if p == credentials && serves(s, m.source.Raw()) {
			found.Severity--
		}
		pass.Report(found)
	})
}

var advice = map[bool]string{false: "Mount the one folder it works on", true: "Pass a token of its own in the environment"}

// serves reports whether the server is for the service whose credentials the
// path holds.
func serves(s *analyzers.Server, path string) bool {
	about := strings.ToLower(s.Name.Raw())
	for _, image := range s.Images {
		about += " " + strings.ToLower(image.Repository)
	}
	for store, words := range services {
		if !strings.Contains(path, store) {
			continue
		}
		for word := range strings.FieldsSeq(words) {
			if strings.Contains(about, word) {
				return true
			}
		}
	}
	return false
}

var services = map[string]string{
	".aws": "aws amazon cloudwatch", ".kube": "kube k8s helm openshift", ".azure": "azure aks", "gcloud": "gcloud google gcp gke",
	".docker": "docker", ".terraform.d": "terraform", ".npmrc": "npm", "config/gh": "github",
}
