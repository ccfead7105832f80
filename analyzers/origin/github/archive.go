package github

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha1" // of git's objects, not a choice of ours
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// snapshot is what analyzers could want of one repository at one commit.
type snapshot struct {
	commit string
	files  *memory
	gaps   []analyzers.Gap // paths without OWNER/REPO in front
	passed analyzers.Stats // what was looked at and not kept

	held  int64
	links map[string]string // text of every link, by path
	seen  map[string]bool   // wanted files that the archive has
	// altered are wanted files whose bytes are not the commit's.
	altered []string
	full    bool // a limit on what is kept was met and said
	foreign int  // wanted files whose names are no UTF-8
	blocks  bool // one of those is a client's
}

func (s *snapshot) gap(name, kind, reason string, blocking bool) {
	s.gaps = append(s.gaps, analyzers.Gap{Path: name, Kind: kind, Reason: reason, Blocking: blocking})
}

// want is the strongest interest of any analyzer in a path.
func want(all []analyzers.Analyzer, name string) analyzers.Match {
	best := analyzers.Ignored
	for _, a := range all {
		if m := a.Match(name); m > best && (m == analyzers.Named || a.Sniff != nil) {
			best = m
		}
	}
	return best
}

// sniffed reports whether any analyzer takes the content for its own.
func sniffed(all []analyzers.Analyzer, name string, content []byte) bool {
	for _, a := range all {
		if m := a.Match(name); m == analyzers.Named || m == analyzers.Candidate && a.Sniff != nil && a.Sniff(content) {
			return true
		}
	}
	return false
}

// put keeps a file, within the limit on all of them. It reports false where
// something else is already.
func (s *snapshot) put(name string, content []byte, l *limits) bool {
	if s.full {
		return true
	}
	if s.held+int64(len(content)) > l.held || len(s.files.nodes) >= l.files {
		s.full = true
		s.gap(name, Limit, fmt.Sprintf("recognised files beyond %d MiB or %d in total are not kept: this one and those that follow", l.held>>20, l.files), true)
		return true
	}
	s.held += int64(len(content))
	return s.files.add(name, &node{mode: 0o644, size: int64(len(content)), content: content})
}

// unpack streams an archive as GitHub makes them (git archive, tar.gz, one
// directory around everything) and keeps what is wanted. What git could not
// have written is refused as a whole.
func unpack(r io.Reader, all []analyzers.Analyzer, limits *limits, tree *tree, commit string) (*snapshot, error) {
	s := &snapshot{commit: commit, files: newMemory(), links: map[string]string{}, seen: map[string]bool{}}
	sent := &counter{Reader: r}
	zipped, err := gzip.NewReader(sent)
	if err != nil {
		return nil, err
	}
	unpacked := &counter{Reader: zipped, check: func(n int64) error {
		if n > limits.unpacked || n > 64<<20 && n/limits.ratio > sent.n {
			return &Problem{Kind: Limit, Reason: "refused: the archive unpacks to more than any repository does"}
		}
		return nil
	}}
	in := tar.NewReader(unpacked)
	entries := 0
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			if id := h.PAXRecords["comment"]; id != "" && id != commit {
				return nil, &Problem{Kind: Malformed, Reason: "the archive is of another commit than the one that was asked for"}
			}
			continue
		}
		if entries++; entries > limits.entries {
			return nil, &Problem{Kind: Limit, Reason: fmt.Sprintf("more than %d entries", limits.entries)}
		}
		if !utf8.ValidString(h.Name) {
			name := strings.ToValidUTF8(h.Name, "\ufffd")
			_, name, _ = strings.Cut(name, "/")
			if m := want(all, name); m != analyzers.Ignored {
				s.seen[name] = true // as the listing spells it
				s.foreign++
				s.blocks = s.blocks || m == analyzers.Named
			}
			continue
		}
		top, name, inside := strings.Cut(strings.TrimSuffix(h.Name, "/"), "/")
		if !fs.ValidPath(top) || top == "." || inside && (!fs.ValidPath(name) || name == ".") || len(h.Name) > 4096 || !inside && h.Typeflag != tar.TypeDir {
			return nil, &Problem{Kind: Escape, Reason: "refused: the archive holds a path that git does not write: " + analyzers.Untrusted(shorten(h.Name)).String()}
		}
		if !inside {
			continue // the directory around everything
		}
		if err := s.entry(in, h, name, all, limits, tree); err != nil {
			return nil, err
		}
	}
	if s.foreign > 0 {
		s.gap("", "unreadable", fmt.Sprintf("files whose names are no UTF-8 and that are not read: %d", s.foreign), s.blocks)
	}
	// The end of the stream holds gzip's checksum.
	if _, err := io.Copy(io.Discard, unpacked); err != nil {
		return nil, err
	}
	return s, nil
}

// entry takes one entry of the archive.
func (s *snapshot) entry(in io.Reader, h *tar.Header, name string, all []analyzers.Analyzer, limits *limits, tree *tree) error {
	if h.Typeflag != tar.TypeDir {
		if s.seen[name] || s.links[name] != "" {
			return &Problem{Kind: Malformed, Reason: "refused: the archive holds a path twice: " + analyzers.Untrusted(shorten(name)).String()}
		}
	}
	for at := range strings.SplitSeq(path.Dir(name), "/") { // the walk says why it is not read
		if analyzers.Pruned(at) {
			s.files.add(name[:strings.Index("/"+name, "/"+at+"/")+len(at)], &node{mode: fs.ModeDir | 0o755})
			return nil
		}
	}
	s.passed.Seen++ // as the walk counts
	clash := &Problem{Kind: Malformed, Reason: "refused: the archive holds a file where it holds a directory: " + analyzers.Untrusted(shorten(name)).String()}
	switch h.Typeflag {
	case tar.TypeDir: // those with something in them come with it
		if old := s.files.nodes[name]; old != nil && !old.IsDir() {
			return clash
		}
		if analyzers.Pruned(path.Base(name)) {
			s.files.add(name, &node{mode: fs.ModeDir | 0o755})
		}
	case tar.TypeSymlink:
		if h.Linkname == "" || len(h.Linkname) > 4096 || len(s.links) >= maxLinks {
			return &Problem{Kind: Limit, Reason: fmt.Sprintf("more than %d symbolic links, or one of no sensible length", maxLinks)}
		}
		s.links[name] = h.Linkname
	case tar.TypeReg:
		m := want(all, name)
		if m == analyzers.Ignored {
			return nil
		}
		s.seen[name] = true
		if h.Size > limits.file { // the walk says so
			if m == analyzers.Named && !s.files.add(name, &node{mode: 0o644, size: h.Size}) {
				return clash
			}
			if m == analyzers.Candidate {
				s.gap(name, "oversized", fmt.Sprintf("larger than %d MiB; not read", limits.file>>20), false)
			}
			return nil
		}
		content := make([]byte, h.Size)
		if _, err := io.ReadFull(in, content); err != nil {
			return err
		}
		if tree.alters(name, content) {
			s.altered = append(s.altered, name)
		}
		if m == analyzers.Candidate && !sniffed(all, name, content) {
			s.passed.Files++
			s.passed.Bytes += h.Size
			return nil
		}
		if s.files.nodes[name] != nil || !s.put(name, content, limits) {
			return clash
		}
	default: // git writes nothing else
		return &Problem{Kind: Malformed, Reason: "refused: the archive holds something that is no file, directory or symbolic link: " + analyzers.Untrusted(shorten(name)).String()}
	}
	return nil
}

const maxLinks = 10_000

func shorten(s string) string { return s[:min(len(s), 200)] }

// counter counts what is read through it.
type counter struct {
	io.Reader
	n     int64
	check func(int64) error
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	if c.check != nil {
		if err := c.check(c.n); err != nil {
			return n, err
		}
	}
	return n, err
}

// blobID is git's name of a file's content.
func blobID(content []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(content))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}
