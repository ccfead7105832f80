package github

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// state keeps what was read of each repository: OWNER/REPO.json.gz under one
// directory, written whole or not at all. It holds the files that analyzers
// could want, not their answers: those are made again on every scan, by the
// program that runs then. What another build has kept, or what was kept of
// another API, is read again. A nil state keeps nothing.
type state struct {
	root    *os.Root
	program string
}

// kept is the head of one file of the state; its files follow, one JSON value
// each.
type kept struct {
	Format  int // of this type
	Program string
	Ref     string
	Commit  string
	Files   int
	Gaps    []analyzers.Gap
	Passed  analyzers.Stats
}

type keptFile struct {
	Path    string
	Mode    fs.FileMode
	Size    int64  `json:",omitempty"`
	Content []byte `json:",omitempty"`
	Link    string `json:",omitempty"`
}

const (
	keptFormat = 1
	mostKept   = 256 << 20 // bytes of one file, unpacked
)

func openState(dir, program string) (*state, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, bare(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, bare(err)
	}
	return &state{root, program}, nil
}

func bare(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

func (s *state) file(r repository) string { return r.owner + "/" + r.name + ".json.gz" }

// load is what another run kept; nil when there is nothing, when it cannot be
// read, or when it is of another build or of another branch.
func (s *state) load(r repository) *snapshot {
	if s == nil {
		return nil
	}
	f, err := s.root.Open(s.file(r))
	if err != nil {
		return nil
	}
	defer f.Close()
	zipped, err := gzip.NewReader(f)
	if err != nil {
		return nil
	}
	var k kept
	values := json.NewDecoder(io.LimitReader(zipped, mostKept))
	if values.Decode(&k) != nil {
		return nil
	}
	if k.Format != keptFormat || k.Program != s.program || k.Ref != r.ref || !commitHex.MatchString(k.Commit) {
		return nil
	}
	out := &snapshot{commit: k.Commit, files: newMemory(), gaps: k.Gaps, passed: k.Passed}
	for range k.Files {
		var file keptFile
		if values.Decode(&file) != nil || !fs.ValidPath(file.Path) || !out.files.add(file.Path, &node{mode: file.Mode, size: file.Size, content: file.Content, link: file.Link}) {
			return nil
		}
	}
	if _, err := io.Copy(io.Discard, zipped); err != nil { // the checksum
		return nil
	}
	return out
}

// save keeps a snapshot. It is for its owner's eyes: a configuration may hold
// a secret.
func (s *state) save(r repository, from *snapshot) error {
	if s == nil {
		return nil
	}
	var names []string
	for name := range from.files.nodes {
		if name != "." {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	name := s.file(r)
	if err := s.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return bare(err)
	}
	draft := name + ".draft"
	f, err := s.root.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return bare(err)
	}
	zipped, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
	values := json.NewEncoder(zipped)
	err = values.Encode(kept{keptFormat, s.program, r.ref, from.commit, len(names), from.gaps, from.passed})
	for _, name := range names {
		n := from.files.nodes[name]
		err = errors.Join(err, values.Encode(keptFile{name, n.mode, n.size, n.content, n.link}))
	}
	if err := errors.Join(err, zipped.Close(), f.Close()); err != nil {
		s.root.Remove(draft)
		return bare(err)
	}
	return bare(s.root.Rename(draft, name))
}
