package github

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// memory is a tree of files in memory. Symbolic links lead to places inside it
// or nowhere.
type memory struct{ nodes map[string]*node }

// node is a file, a directory or a link; it is its own fs.FileInfo.
type node struct {
	name    string // the last segment
	mode    fs.FileMode
	size    int64 // of a file; more than its content when that was too large to keep
	content []byte
	link    string
	below   []string // the names in a directory
}

func newMemory() *memory {
	return &memory{map[string]*node{".": {name: ".", mode: fs.ModeDir | 0o755}}}
}

// add puts a node at a valid path, and the directories above it. It reports
// false where something else is already.
func (m *memory) add(name string, n *node) bool {
	if old := m.nodes[name]; old != nil {
		return old.mode.IsDir() && n.mode.IsDir()
	}
	dir := path.Dir(name)
	if !m.add(dir, &node{mode: fs.ModeDir | 0o755}) {
		return false
	}
	n.name = path.Base(name)
	m.nodes[name] = n
	m.nodes[dir].below = append(m.nodes[dir].below, n.name)
	return true
}

// find is the node at a path and its place without links in it: every link in
// the path is followed, and the last one too where follow says so.
func (m *memory) find(op, name string, follow bool) (place string, n *node, err error) {
	fail := func(err error) (string, *node, error) {
		return "", nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	const most = 40 // links, as in Linux
	at, rest := ".", name
	for links := 0; rest != ""; {
		first, behind, _ := strings.Cut(rest, "/")
		next := path.Join(at, first)
		n := m.nodes[next]
		switch {
		case n == nil:
			return fail(fs.ErrNotExist)
		case n.mode&fs.ModeSymlink == 0 || behind == "" && !follow:
			at, rest = next, behind
		default:
			target, inside := leadsTo(next, n.link)
			if links++; links > most || !inside {
				return fail(fs.ErrInvalid)
			}
			at, rest = ".", path.Join(target, behind)
		}
	}
	return at, m.nodes[at], nil
}

// leadsTo is the path that a link's text means, and whether that is inside the
// tree.
func leadsTo(link, text string) (string, bool) {
	target := path.Join(path.Dir(link), text)
	return target, !path.IsAbs(text) && target != ".." && !strings.HasPrefix(target, "../")
}

func (m *memory) Open(name string) (fs.File, error) {
	_, n, err := m.find("open", name, true)
	if err != nil {
		return nil, err
	}
	f := &file{node: n, Reader: bytes.NewReader(n.content)}
	if n.IsDir() {
		entries, err := m.ReadDir(name)
		return &dir{f, entries}, err
	}
	return f, nil
}

func (m *memory) ReadDir(name string) ([]fs.DirEntry, error) {
	place, n, err := m.find("readdir", name, true)
	if err != nil {
		return nil, err
	}
	var entries []fs.DirEntry
	for _, base := range slices.Sorted(slices.Values(n.below)) {
		entries = append(entries, fs.FileInfoToDirEntry(m.nodes[path.Join(place, base)]))
	}
	return entries, nil
}

func (m *memory) Stat(name string) (fs.FileInfo, error)  { return info(m.find("stat", name, true)) }
func (m *memory) Lstat(name string) (fs.FileInfo, error) { return info(m.find("lstat", name, false)) }

func info(_ string, n *node, err error) (fs.FileInfo, error) {
	if err != nil {
		return nil, err
	}
	return n, nil
}

func (m *memory) ReadLink(name string) (string, error) {
	_, n, err := m.find("readlink", name, false)
	if err == nil && n.mode&fs.ModeSymlink == 0 {
		err = &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		return "", err
	}
	return n.link, nil
}

func (n *node) Name() string       { return n.name }
func (n *node) Size() int64        { return n.size }
func (n *node) Mode() fs.FileMode  { return n.mode }
func (n *node) ModTime() time.Time { return time.Time{} }
func (n *node) IsDir() bool        { return n.mode.IsDir() }
func (n *node) Sys() any           { return nil }

// file is an open node. A directory has nothing to read.
type file struct {
	node *node
	*bytes.Reader
}

func (f *file) Stat() (fs.FileInfo, error) { return f.node, nil }
func (f *file) Close() error               { return nil }
func (f *file) Read(p []byte) (int, error) {
	if !f.node.mode.IsRegular() {
		return 0, &fs.PathError{Op: "read", Path: f.node.name, Err: fs.ErrInvalid}
	}
	return f.Reader.Read(p)
}

// dir is an open directory.
type dir struct {
	*file
	left []fs.DirEntry
}

func (d *dir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.left)
	} else if len(d.left) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.left))
	out := d.left[:n]
	d.left = d.left[n:]
	return out, nil
}

var (
	_ fs.StatFS     = (*memory)(nil)
	_ fs.ReadDirFS  = (*memory)(nil)
	_ fs.ReadLinkFS = (*memory)(nil)
)
