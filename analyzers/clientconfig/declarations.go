package clientconfig

import (
	"path"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
)

// Declaration is one server of a client's configuration with the node that
// declares it, for programs that edit the file.
type Declaration struct {
	Server *analyzers.Server
	Node   *tree.Node
}

// Declarations reads the servers of one configuration file, in the order of
// the file: by the row that the end of its path names, or by its content where
// none does. Documentation (Markdown without a head that is a configuration)
// declares nothing. The error is an *analyzers.ParseError.
func Declarations(src *analyzers.Source) ([]Declaration, error) {
	rows := slices.DeleteFunc(slices.Clone(formats), func(f format) bool {
		return analyzers.MatchTail(f.files...)(src.Path) == analyzers.Ignored
	})
	if len(rows) == 0 && configLike(src.Path) != analyzers.Ignored {
		rows = []format{generic}
	}
	var out []Declaration
	for _, f := range rows {
		root, err := f.parse(src)
		if err != nil {
			return nil, err
		}
		if root == nil || root.Kind == tree.Null {
			continue
		}
		if !root.IsObject() {
			return nil, &analyzers.ParseError{Kind: "malformed", Reason: "the top level is not an object, so no client reads it", Span: root.Span}
		}
		for _, d := range f.read(analyzers.File{Source: src, Exposure: analyzers.Active}, root, &analyzers.Catalog{}) {
			same := func(o Declaration) bool {
				return o.Node.Span.Start == d.Node.Span.Start && o.Node.KeySpan.Start == d.Node.KeySpan.Start
			}
			if !slices.ContainsFunc(out, same) {
				out = append(out, d)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Declaration) int { return a.Server.KeySpan.Start - b.Server.KeySpan.Start })
	return out, nil
}

// Home lists where clients keep a user's configuration.
func Home() []HomeFile {
	var out []HomeFile
	for _, f := range formats {
		for _, p := range f.home {
			pattern, settings := strings.CutPrefix(p, "@/")
			out = append(out, HomeFile{pattern, settings})
		}
	}
	return out
}

// HomeFile is one place of a user's configuration: a pattern of path.Match,
// relative to the home directory or, with Settings, to the directory of
// programs' settings (~/.config, ~/Library/Application Support, %APPDATA%).
type HomeFile struct {
	Pattern  string
	Settings bool
}

// Project lists where clients look for servers in a project, as patterns of
// path.Match relative to its directory.
func Project() []string {
	var out []string
	for _, f := range formats {
		for _, p := range f.files {
			if f.scope == analyzers.ScopeProject && !f.frontMatter && len(f.servers) > 0 && path.Base(p) != "mcp_settings.json" && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}
