package analyzers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// pruned are directories that no MCP client reads configuration from and that
// can hold a hundred thousand files. They are said in a gap, never skipped in
// silence.
var pruned = map[string]bool{"node_modules": true, ".venv": true, "venv": true, "__pycache__": true, ".tox": true}

// Pruned reports whether the walk leaves directories of this name out.
func Pruned(base string) bool { return pruned[base] }

// walk finds the files that analyzers want, in the order of their paths.
type walk struct {
	tree     Tree
	all      []Analyzer
	limits   Limits
	seen     int
	full     bool // the limit on entries was met and said
	followed map[string]bool
	wanted   []wanted
	gaps     []Gap
}

// wanted is a file to read. name is its place in the tree's FS.
type wanted struct {
	name      string
	size      int64 // as the walk saw it
	analyzers []int // indexes into all
	named     bool
}

func (w *walk) gap(name, kind, reason string, blocking bool) {
	w.gaps = append(w.gaps, Gap{Path: w.path(name), Kind: kind, Reason: reason, Blocking: blocking})
}

// path is the place of a file as the catalog says it.
func (w *walk) path(name string) string { return path.Join(w.tree.Prefix, name) }

// dir visits one directory. Symbolic links are followed inside the tree, each
// directory once, so that no arrangement of links makes the walk grow.
func (w *walk) dir(ctx context.Context, name string, depth int) {
	if ctx.Err() != nil {
		return
	}
	if depth > w.limits.Depth {
		w.gap(name, "limit", fmt.Sprintf("directories nested deeper than %d are not read", w.limits.Depth), true)
		return
	}
	entries, err := fs.ReadDir(w.tree.FS, name)
	if err != nil {
		w.gaps = append(w.gaps, gapOf(w.path(name), err, true))
	}
	for _, e := range entries {
		if w.seen++; w.seen > w.limits.Files {
			if !w.full {
				w.full = true
				w.gap(name, "limit", fmt.Sprintf("more than %d entries; the rest is not read", w.limits.Files), true)
			}
			return
		}
		inside := path.Join(name, e.Name())
		if w.tree.Exclude != nil {
			if reason := w.tree.Exclude(inside); reason != "" {
				w.gap(inside, "excluded", "excluded by the configuration: "+reason, false)
				continue
			}
		}
		w.entry(ctx, inside, e, depth)
	}
}

func (w *walk) entry(ctx context.Context, name string, e fs.DirEntry, depth int) {
	switch mode := e.Type(); {
	case mode.IsDir():
		base := path.Base(name)
		switch {
		case base == ".git":
		case pruned[base]:
			w.gap(name, "skipped", "installed dependencies are not searched for configuration; scan this directory by itself to include it", false)
		case w.tree.Skip != nil && w.tree.Skip(name, true):
			w.gap(name, "skipped", "ignored by git and untracked", false)
		default:
			w.dir(ctx, name, depth+1)
		}
	case mode.IsRegular():
		if f := w.match(name); f != nil {
			if info, err := e.Info(); err == nil {
				f.size = info.Size()
			}
			w.wanted = append(w.wanted, *f)
		}
	case mode&fs.ModeSymlink != 0:
		w.link(ctx, name, depth)
	default:
		if f := w.match(name); f != nil && f.named {
			w.gap(name, "special", "not a regular file: "+mode.String(), true)
		}
	}
}

// link follows a symbolic link that stays inside the tree. FS refuses the
// others; that refusal blocks when the link bears a name that a client reads.
func (w *walk) link(ctx context.Context, name string, depth int) {
	f := w.match(name)
	info, err := fs.Stat(w.tree.FS, name)
	if err != nil {
		target, _ := fs.ReadLink(w.tree.FS, name)
		if errors.Is(err, fs.ErrNotExist) {
			w.gap(name, "unreadable", "broken symbolic link to "+Untrusted(target).String(), f != nil && f.named)
		} else {
			w.gap(name, "escape", "symbolic link to "+Untrusted(target).String()+", outside the scanned tree or in a loop", f != nil && f.named)
		}
		return
	}
	switch {
	case info.Mode().IsRegular():
		if f != nil {
			f.size = info.Size()
			w.wanted = append(w.wanted, *f)
		}
	case info.IsDir():
		// Which directory this is cannot be asked of every FS, so its link text
		// and the link's own directory stand for it: enough to go round no loop
		// twice, and the depth bounds the rest.
		target, err := fs.ReadLink(w.tree.FS, name)
		if err != nil || path.IsAbs(target) {
			w.gap(name, "skipped", "symbolic link to a directory that cannot be placed inside the tree", false)
			return
		}
		real := path.Join(path.Dir(name), target)
		if w.followed[real] || name == real || strings.HasPrefix(name, real+"/") || real == "." {
			return
		}
		w.followed[real] = true
		w.dir(ctx, name, depth+1)
	}
}

// only takes the one file that was asked for by name: every analyzer may have
// it.
func (w *walk) only(name string) {
	w.seen = 1
	f := w.match(name)
	if f == nil || !f.named {
		f = &wanted{name: name, named: true}
		for i, a := range w.all {
			if a.Sniff != nil {
				f.analyzers = append(f.analyzers, i)
			}
		}
	}
	w.wanted = append(w.wanted, *f)
}

// match asks every analyzer for its interest in a path; nil when there is none.
func (w *walk) match(name string) *wanted {
	var out *wanted
	for i, a := range w.all {
		m := a.Match(name)
		if m == Ignored || m == Candidate && a.Sniff == nil {
			continue
		}
		if out == nil {
			out = &wanted{name: name}
		}
		switch {
		case m == Named && !out.named: // a name of its own beats every guess
			out.named, out.analyzers = true, []int{i}
		case m == Named, !out.named:
			out.analyzers = append(out.analyzers, i)
		}
	}
	if out != nil && !out.named && w.tree.Skip != nil && w.tree.Skip(name, false) {
		return nil
	}
	return out
}

// batchBytes is how much of a tree is in memory at once beside what the
// catalog holds.
const batchBytes = 4 << 20

// read hands every wanted file to its analyzers, several at once, and returns
// the fragments in the order of the walk. It goes batch by batch, so that what
// is held can be bounded in the order of the walk, whatever the number of jobs.
func (w *walk) read(ctx context.Context) []*Catalog {
	parts := make([]*Catalog, len(w.wanted))
	held, facts := int64(0), 0
	for start := 0; start < len(w.wanted) && ctx.Err() == nil; {
		end, size := start, int64(0)
		for end < len(w.wanted) && (end == start || size+w.wanted[end].size <= batchBytes) {
			size += w.wanted[end].size
			end++
		}
		w.batch(ctx, w.wanted[start:end], parts[start:end])
		for i, part := range parts[start:end] {
			if part == nil || !part.holds() {
				continue
			}
			held += part.Stats.Bytes
			facts += part.facts()
			reason := ""
			switch {
			case held > w.limits.HeldBytes:
				reason = fmt.Sprintf("recognised files beyond %d MiB in total are not kept", w.limits.HeldBytes>>20)
			case facts > w.limits.Facts:
				reason = fmt.Sprintf("declarations beyond %d facts in total are not kept", w.limits.Facts)
			default:
				continue
			}
			parts[start+i] = &Catalog{Stats: part.Stats, Gaps: []Gap{{Path: w.path(w.wanted[start+i].name), Kind: "limit", Reason: reason, Blocking: true}}}
		}
		start = end
	}
	return parts
}

func (w *walk) batch(ctx context.Context, files []wanted, parts []*Catalog) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(w.limits.Jobs, len(files)) {
		group.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				parts[i] = w.file(files[i])
			}
		})
	}
	group.Wait()
}

func (c *Catalog) holds() bool {
	return len(c.Clients)+len(c.Servers)+len(c.Documents)+len(c.Manifests)+len(c.Secrets) > 0
}

// facts is about how many values the catalog holds, each of which may cost a
// finding and a line of the report.
func (c *Catalog) facts() int {
	n := len(c.Secrets) + len(c.Manifests)
	for _, client := range c.Clients {
		n += 1 + len(client.Settings) + len(client.Hooks) + len(client.Repeats)
	}
	for _, s := range c.Servers {
		n += 4 + len(s.Args) + len(s.Env) + len(s.Headers) + len(s.Settings) + len(s.Remotes)
		s.Surface.Fields(func(*Item, Field) { n++ })
	}
	for _, d := range c.Documents {
		n += 1 + len(d.Fields) + len(d.Settings)
	}
	return n
}

func (w *walk) file(f wanted) (part *Catalog) {
	part = &Catalog{}
	p := w.path(f.name)
	content, err := w.content(f.name)
	if err != nil {
		part.Gaps = append(part.Gaps, gapOf(p, err, f.named))
		return part
	}
	part.Stats = Stats{Files: 1, Bytes: int64(len(content))}
	file := File{Source: &Source{Path: p, Bytes: content}, Exposure: ExposureOf(f.name, w.tree.Exposure)}
	read := false
	for _, i := range f.analyzers {
		a := w.all[i]
		if !f.named || w.tree.Only != "" && a.Match(f.name) != Named {
			if !a.Sniff(content) {
				continue
			}
		}
		err := analyze(a, file, part)
		if errors.Is(err, ErrForeign) {
			continue
		}
		read = true
		if err != nil {
			// A file that only looks like ours blocks unless it is an example.
			part.Gaps = append(part.Gaps, gapOf(p, err, f.named || file.Exposure == Project || file.Exposure == Active))
			break
		}
	}
	if !read && w.tree.Only != "" {
		part.Gaps = append(part.Gaps, Gap{Path: p, Kind: "malformed", Reason: "not a file that Sallyport knows: no MCP client configuration, server.json or captured tools/list", Blocking: true})
	}
	return part
}

// analyze runs one analyzer. A panic is a defect of ours that hostile input
// found: it must not take the rest of the scan with it, nor pass for an answer.
func analyze(a Analyzer, file File, into *Catalog) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &ParseError{Kind: "malformed", Reason: fmt.Sprintf("analyzer %s failed on this file: %v; please report it", a.Name, r)}
		}
	}()
	return a.Analyze(file, into)
}

// content reads a file up to the limit, and only a regular one: between the
// walk and now the name may have come to mean something else.
func (w *walk) content(name string) ([]byte, error) {
	f, err := w.tree.FS.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &ParseError{Kind: "special", Reason: "not a regular file: " + info.Mode().String()}
	}
	tooBig := &ParseError{Kind: "oversized", Reason: fmt.Sprintf("larger than %d MiB; not read", w.limits.FileBytes>>20)}
	if info.Size() > w.limits.FileBytes {
		return nil, tooBig
	}
	content := slices.Grow([]byte(nil), int(info.Size())+1)
	buffer := io.LimitReader(f, w.limits.FileBytes+1)
	for {
		n, err := buffer.Read(content[len(content):cap(content)])
		content = content[:len(content)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(content) == cap(content) {
			content = slices.Grow(content, 64<<10)
		}
	}
	if int64(len(content)) > w.limits.FileBytes {
		return nil, tooBig
	}
	return content, nil
}
