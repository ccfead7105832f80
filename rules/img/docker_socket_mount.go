package img

import (
	_ "embed"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/rules"
)

//go:embed docker_socket_mount.md
var dockerSocketMountPage string

// DockerSocketMount flags containers that can start others.
var DockerSocketMount = rules.Rule{
	ID:         "docker-socket-mount",
	Title:      "Container is given the container engine's socket",
	Severity:   rules.High,
	Confidence: rules.Certain,
	CWE:        []int{250, 269},
	Covers:     []string{"IMG-004"},
	Page:       dockerSocketMountPage,
	Check:      checkDockerSocketMount,
}

func checkDockerSocketMount(pass *rules.Pass) {
	flags(pass, func(s *analyzers.Server, f analyzers.Flag) {
		if f.Name == "--use-api-socket" {
			pass.Report(rules.OnServer(s, f.At.Span, f.Name,
				"the container of server %q is given the engine's socket, with the user's registry credentials. Remove %s.", s.Name, f.Name))
			return
		}
		if m, ok := mountOf(f); ok && partOf(m.source.Raw()) == engineSocket {
			pass.Report(rules.OnServer(s, m.source.Span, "engine-socket",
				"the container of server %q is given the engine's socket: it can start a container that controls the host. Remove the mount.", s.Name))
		}
	})
}
