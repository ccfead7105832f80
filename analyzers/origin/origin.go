// Package origin says where the bytes of a scan come from. It opens targets
// and hands them on as trees that cannot be left.
package origin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Target is an opened target.
type Target struct {
	URI  string // as it was given
	Kind string // "directory" or "file"
	Tree analyzers.Tree
	root *os.Root
}

// Close gives the target's directory back.
func (t *Target) Close() error { return t.root.Close() }

// UsageError is a target that cannot be scanned as it was spelt. Hint says
// what to type instead.
type UsageError struct{ Problem, Hint string }

func (e *UsageError) Error() string { return e.Problem }

// Open opens a directory or a file of this machine.
func Open(target string) (*Target, error) {
	info, err := os.Stat(target)
	if err != nil {
		return nil, explain(target, err)
	}
	dir, only, kind := target, "", "directory"
	base := analyzers.Project
	if !info.IsDir() {
		dir, only = filepath.Split(filepath.Clean(target))
		if dir == "" {
			dir = "."
		}
		kind, base = "file", analyzers.Active
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, explain(target, err)
	}
	t := &Target{URI: filepath.ToSlash(target), Kind: kind, root: root}
	t.Tree = analyzers.Tree{FS: confined{root.FS(), root}, Only: only, Exposure: base}
	if only == "" {
		t.Tree.Skip = ignored(t.Tree.FS)
	}
	return t, nil
}

// explain turns a failed open into advice.
func explain(target string, err error) error {
	shown := analyzers.Untrusted(target).String()
	if scheme, _, ok := strings.Cut(target, ":"); ok && len(scheme) > 1 && errors.Is(err, fs.ErrNotExist) {
		return &UsageError{
			Problem: fmt.Sprintf("no such file or directory: %s", shown),
			Hint:    "this version scans directories and files, github:OWNER/REPO and github-org:ORG; unpack the artefact first and name its directory",
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &UsageError{Problem: fmt.Sprintf("no such file or directory: %s", shown), Hint: "name a directory or a configuration file: sallyport scan DIR"}
	}
	return &UsageError{Problem: fmt.Sprintf("cannot open %s: %v", shown, reason(err)), Hint: "check the permissions of the target"}
}

func reason(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// confined is a directory that no symbolic link leads out of (os.Root), whose
// Open does not wait for the other end of a FIFO.
type confined struct {
	fs.FS
	root *os.Root
}

func (c confined) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return c.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

func (c confined) ReadDir(name string) ([]fs.DirEntry, error)    { return fs.ReadDir(c.FS, name) }
func (c confined) Stat(name string) (fs.FileInfo, error)         { return c.root.Stat(name) }
func (c confined) Lstat(name string) (fs.FileInfo, error)        { return c.root.Lstat(name) }
func (c confined) ReadLink(name string) (target string, e error) { return c.root.Readlink(name) }
