package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/cmd/sallyport/internal/wrap"
	"github.com/sallyport-mcp/sallyport/internal/shim"
)

// wrapRecord is what init keeps of a file that it wrapped, so that unwrapping
// gives the same bytes. Configurations hold credentials: the directory and the
// record are readable by their owner alone.
type wrapRecord struct {
	Path     string `json:"path"`
	Wrapped  string `json:"wrapped"` // digest of the file as init wrote it
	Original []byte `json:"original"`
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// recordPath is the file of a record; "" where there is no state directory.
func (p *program) recordPath(target string) string {
	dir := shim.StateDir(p.env)
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "wrapped", digestOf([]byte(target))[len("sha256:"):]+".json")
}

// readRecord is nil without a record that can be read.
func (p *program) readRecord(target string) *wrapRecord {
	content, err := readUpTo(p.recordPath(target), 2*tree.MaxBytes)
	if err != nil {
		return nil
	}
	var r wrapRecord
	if json.Unmarshal(content, &r) != nil || r.Path != target {
		return nil
	}
	return &r
}

// writeRecord keeps the original. Of a file that was wrapped before, that is
// the first one, or, when somebody edited it meanwhile, what unwrapping makes
// of it.
func (p *program) writeRecord(r *rewrite) error {
	name := p.recordPath(r.target)
	if name == "" {
		return usage("set HOME or XDG_STATE_HOME", "there is no directory to keep the original of %q in; it was not written", r.path)
	}
	record := wrapRecord{Path: r.target, Wrapped: digestOf(r.after), Original: r.before}
	if r.record != nil && r.record.Wrapped == digestOf(r.before) {
		record.Original = r.record.Original
	} else if plain, _, err := wrap.Unwrap(&analyzers.Source{Path: r.source, Bytes: r.before}, func(string) bool { return true }); err == nil {
		record.Original = plain
	}
	content, err := json.Marshal(record)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return usage("set XDG_STATE_HOME to a directory of yours", "cannot keep the original of %q: %v", r.path, reason(err))
	}
	return replaceFile(name, content, 0o600)
}

// dropRecord forgets the original once the file is it again. After an unwrap
// of some servers the record goes on.
func (p *program) dropRecord(r *rewrite) error {
	name := p.recordPath(r.target)
	if r.record == nil || name == "" {
		return nil
	}
	_, left, err := wrap.Wrap(&analyzers.Source{Path: r.source, Bytes: r.after}, wrap.Shim{}, func(string) bool { return false })
	wrapped := func(i wrap.Item) bool { _, ok := wrap.Wrapped(i.Before); return ok }
	for _, i := range left {
		if err == nil && wrapped(i) && r.record.Wrapped == digestOf(r.before) {
			r.record.Wrapped = digestOf(r.after)
			content, err := json.Marshal(r.record)
			if err != nil {
				return err
			}
			return replaceFile(name, content, 0o600)
		}
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
