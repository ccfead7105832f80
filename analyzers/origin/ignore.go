package origin

import (
	"bufio"
	"bytes"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
	"github.com/go-git/go-git/v5/plumbing/format/index"
)

const (
	maxIndexBytes  = 64 << 20
	maxIgnoreBytes = 1 << 20
)

// ignored returns what git leaves out of a work tree: untracked paths that a
// .gitignore names. Without a readable index nothing is left out, because then
// an ignore file alone could hide a committed file from the scan.
func ignored(tree fs.FS) func(name string, dir bool) bool {
	tracked := readIndex(tree)
	if tracked == nil {
		return nil
	}
	patterns := map[string][]gitignore.Pattern{}
	return func(name string, dir bool) bool {
		if tracked[name] {
			return false
		}
		set := patternsOf(tree, path.Dir(name), patterns)
		return len(set) > 0 && gitignore.NewMatcher(set).Match(strings.Split(name, "/"), dir)
	}
}

// readIndex returns the tracked files and every directory above them, nil when
// there is no index to be read.
func readIndex(tree fs.FS) (tracked map[string]bool) {
	defer func() {
		if recover() != nil { // a hostile index must not end the scan
			tracked = nil
		}
	}()
	content := readAll(tree, ".git/index", maxIndexBytes)
	if content == nil {
		return nil
	}
	var idx index.Index
	if err := index.NewDecoder(bytes.NewReader(content)).Decode(&idx); err != nil {
		return nil
	}
	tracked = make(map[string]bool, 2*len(idx.Entries))
	for _, e := range idx.Entries {
		for name := e.Name; name != "." && name != "/" && !tracked[name]; name = path.Dir(name) {
			tracked[name] = true
		}
	}
	return tracked
}

// patternsOf returns the patterns that speak of the entries of dir, the
// weakest first, and remembers them.
func patternsOf(tree fs.FS, dir string, known map[string][]gitignore.Pattern) []gitignore.Pattern {
	if set, ok := known[dir]; ok {
		return set
	}
	var set []gitignore.Pattern
	var domain []string
	if dir == "." {
		set = parse(readAll(tree, ".git/info/exclude", maxIgnoreBytes), nil, set)
	} else {
		set = append(set, patternsOf(tree, path.Dir(dir), known)...)
		domain = strings.Split(dir, "/")
	}
	set = parse(readAll(tree, path.Join(dir, ".gitignore"), maxIgnoreBytes), domain, set)
	known[dir] = set
	return set
}

func parse(content []byte, domain []string, set []gitignore.Pattern) []gitignore.Pattern {
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
			set = append(set, gitignore.ParsePattern(line, domain))
		}
	}
	return set
}

// readAll returns a regular file of the tree up to a size, nil otherwise.
func readAll(tree fs.FS, name string, limit int64) []byte {
	f, err := tree.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > limit {
		return nil
	}
	content, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil
	}
	return content
}
