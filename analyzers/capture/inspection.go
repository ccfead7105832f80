package capture

import (
	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/launch"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// inspected reports whether a capture was taken by sallyport inspect, which
// says of what (package live, Capture.Document).
func inspected(root *tree.Node) bool {
	return root.IsObject() && root.Get("inspection").IsObject() && (root.Get("launch", "command").IsString() || root.Get("url").IsString())
}

// named is the server of a capture, made where it shows nothing.
func (r *reader) named(root *tree.Node, stem analyzers.Text) *analyzers.Server {
	return r.server(called(root, stem), root)
}

// identify gives a captured server what it was started or reached by, and
// returns the credentials in that.
func identify(s *analyzers.Server, root *tree.Node) (found []analyzers.Secret) {
	s.Format = "inspection"
	switch t := analyzers.Transport(root.Get("transport").Str()); t {
	case analyzers.Stdio, analyzers.HTTP, analyzers.SSE:
		s.Transport = t
	}
	started := root.Get("launch")
	if command := started.Get("command"); command.IsString() {
		s.Command = command.Text
		for _, arg := range stringsOf(started.Get("args")) {
			s.Args = append(s.Args, arg.Text)
		}
		for _, name := range stringsOf(started.Get("env")) {
			s.Env = append(s.Env, analyzers.Var{Name: name.Text})
		}
		s.Launch = launch.Resolve(append([]analyzers.Text{s.Command}, s.Args...))
		s.Packages, s.Images, s.Remotes = s.Launch.Packages, s.Launch.Images, s.Launch.Remotes
		found = secret.InArgs(s.Launch.Argv)
	} else {
		s.URL = root.Get("url").Text
		s.Remotes = []analyzers.Text{s.URL}
		found = secret.InText("url", "", s.URL)
	}
	for i := range found {
		found[i].Server, found[i].Exposure = s, s.Exposure
	}
	return found
}

// stringsOf are the strings of a list.
func stringsOf(list *tree.Node) (out []*tree.Node) {
	if !list.IsArray() {
		return nil
	}
	for _, n := range list.Children {
		if n.IsString() {
			out = append(out, n)
		}
	}
	return out
}
