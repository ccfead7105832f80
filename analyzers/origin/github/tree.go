package github

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/google/go-github/v62/github"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// tree is the listing of a commit. It is asked for because an archive is not
// the whole commit: .gitattributes keeps files out of it (export-ignore) and
// changes others (export-subst), and a repository that has something to hide
// says so there.
type tree struct {
	blobs      map[string]string // path -> id
	links      map[string]string // path -> id of a symbolic link's text
	submodules int
}

// tree asks for the listing of a commit, and says what that does not know. A
// nil tree knows nothing.
func (c *Client) tree(ctx context.Context, r repository, commit string) (*tree, string, error) {
	var answer struct {
		Tree []struct {
			Path, Mode, Type, SHA string
		}
		Truncated bool
	}
	err := c.call(ctx, func(ctx context.Context) (*github.Response, error) {
		req, err := c.api.NewRequest("GET", fmt.Sprintf("repos/%s/%s/git/trees/%s?recursive=1", r.owner, r.name, commit), nil)
		if err != nil {
			return nil, err
		}
		return c.api.Do(ctx, req, &answer)
	})
	const unknown = "what .gitattributes keeps out of the archive (export-ignore) is not known"
	var p *Problem
	switch {
	case errors.As(err, &p) && p.Kind != RateLimit:
		return nil, "the commit's own listing could not be read (" + p.Reason + "), so " + unknown, nil
	case err != nil:
		return nil, "", err
	}
	t := &tree{blobs: map[string]string{}, links: map[string]string{}}
	for _, e := range answer.Tree {
		switch {
		case !fs.ValidPath(e.Path):
		case e.Mode == "120000":
			t.links[e.Path] = e.SHA
		case e.Type == "blob":
			t.blobs[e.Path] = e.SHA
		case e.Type == "commit":
			t.submodules++
		}
	}
	if answer.Truncated {
		return t, "GitHub lists a commit of this size in part only; of the rest, " + unknown, nil
	}
	return t, "", nil
}

// alters reports whether the archive's content is another than the commit's.
// A difference of line endings is none.
func (t *tree) alters(name string, content []byte) bool {
	if t == nil || len(t.blobs[name]) != 40 || t.blobs[name] == blobID(content) {
		return false
	}
	return t.blobs[name] != blobID(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")))
}

// complete adds what the archive lacks: files that it leaves out or changes,
// and files that only a symbolic link makes one of ours. They are fetched one
// by one, so there may not be many.
func (c *Client) complete(ctx context.Context, r repository, s *snapshot, t *tree) error {
	fetched := 0
	missing := map[bool]int{} // those that block, and the others
	// fetch is one file of the commit; nil when there were too many.
	fetch := func(id string, blocking bool) ([]byte, error) {
		if fetched++; fetched > c.limits.blobs {
			missing[blocking]++
			return nil, nil
		}
		var content []byte
		err := c.call(ctx, func(ctx context.Context) (resp *github.Response, err error) {
			content, resp, err = c.api.Git.GetBlobRaw(ctx, r.owner, r.name, id)
			return resp, err
		})
		if err == nil && len(id) == 40 && blobID(content) != id {
			err = &Problem{Kind: Malformed, Reason: "a file's content is not that of the commit"}
		}
		if content == nil {
			content = []byte{}
		}
		return content, err
	}
	// add keeps a file of the commit under its own path, for whom want says.
	add := func(name, as string) error {
		m := want(c.options.Analyzers, as)
		if m == analyzers.Ignored || s.files.nodes[name] != nil {
			return nil
		}
		content, err := fetch(t.blobs[name], m == analyzers.Named)
		if err != nil || content == nil {
			return err
		}
		if m == analyzers.Named || sniffed(c.options.Analyzers, as, content) {
			s.put(name, content, &c.limits)
		}
		return nil
	}

	for _, name := range s.altered {
		m := want(c.options.Analyzers, name)
		content, err := fetch(t.blobs[name], m == analyzers.Named)
		if err != nil {
			return err
		}
		// Another encoding is what a checkout has, too; a placeholder is
		// filled in by the archive alone.
		if !bytes.Contains(content, []byte("$Format:")) {
			continue
		}
		if n := s.files.nodes[name]; n != nil {
			s.held += int64(len(content) - len(n.content))
			n.content, n.size = content, int64(len(content))
		} else if sniffed(c.options.Analyzers, name, content) {
			s.put(name, content, &c.limits)
		}
	}
	if t != nil {
		for _, name := range sorted(t.blobs) {
			if !s.seen[name] && !prunes(name) {
				if err := add(name, name); err != nil {
					return err
				}
			}
		}
		for _, name := range sorted(t.links) {
			if s.links[name] == "" && !prunes(name) && want(c.options.Analyzers, name) != analyzers.Ignored {
				text, err := fetch(t.links[name], want(c.options.Analyzers, name) == analyzers.Named)
				if err != nil {
					return err
				}
				if len(text) > 0 && len(text) <= 4096 {
					s.links[name] = string(text)
				}
			}
		}
		if t.submodules > 0 {
			s.gap("", "skipped", fmt.Sprintf("%d submodules are not read; scan their repositories by themselves", t.submodules), false)
		}
	}
	if err := s.link(c.options.Analyzers, t, add); err != nil {
		return err
	}
	for _, blocking := range []bool{true, false} {
		if n := missing[blocking]; n > 0 {
			s.gap("", Limit, fmt.Sprintf("%d files that the archive leaves out or changes (.gitattributes), or that a symbolic link leads to, are not read: more than %d are not fetched one by one; scan a checkout", n, c.limits.blobs), blocking)
		}
	}
	return nil
}

// link puts the symbolic links into the tree and asks for what they lead to.
// A link to a file that nobody wants is left out.
func (s *snapshot) link(all []analyzers.Analyzer, t *tree, add func(name, as string) error) error {
	const most = 200_000 // files below the directories that links lead to
	followed := 0
	for _, name := range sorted(s.links) {
		target, inside := leadsTo(name, s.links[name])
		if inside && t != nil && t.blobs[target] != "" {
			// What was looked at and is nobody's does not become ours by a link
			// that is only a candidate, too.
			if m := want(all, name); m == analyzers.Named || !s.seen[target] {
				if err := add(target, name); err != nil {
					return err
				}
			}
			if s.files.nodes[target] == nil {
				continue
			}
		} else if inside && t != nil && t.links[target] == "" && target != "." {
			if followed > most {
				s.gap(name, Limit, fmt.Sprintf("symbolic links to directories are not followed beyond %d files", most), false)
				continue
			}
			under := t.under(target)
			followed += len(under) + 1000 // for looking
			for _, file := range under {
				if err := add(file, path.Join(name, file[len(target):])); err != nil {
					return err
				}
			}
			if len(under) > 0 && s.files.nodes[target] == nil {
				continue
			}
		}
		s.files.add(name, &node{mode: fs.ModeSymlink | 0o777, link: s.links[name]})
	}
	return nil
}

// under are the files below a directory.
func (t *tree) under(dir string) []string {
	var out []string
	for name := range t.blobs {
		if strings.HasPrefix(name, dir+"/") {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// prunes reports whether the walk does not go there.
func prunes(name string) bool {
	return slices.ContainsFunc(strings.Split(path.Dir(name), "/"), analyzers.Pruned)
}

func sorted(m map[string]string) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
