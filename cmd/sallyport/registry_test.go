package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-mcp/sallyport/registry"
)

// deny is the command without its flags: the flags of cli are global.
func deny(path, id string) error {
	l, err := readRegistry(path)
	if err != nil {
		return err
	}
	edit, err := l.Doc.Rule(registry.Ruling{ID: id, Status: registry.Denied, Reason: "no", Approver: "a", Today: "2026-11-22"})
	if err != nil {
		return err
	}
	return l.save(edit)
}

// TestRegistryConcurrent: of several decisions at once each is written or
// refused; none that was reported is lost, and nothing is left half written.
func TestRegistryConcurrent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.yaml")
	content := "apiVersion: sallyport/v1\nkind: Registry\nservers:\n"
	const n = 8
	for i := range n {
		content += fmt.Sprintf("  - {id: s%d, match: {purl: pkg:npm/s%d@1.0.0}, status: quarantined}\n", i, i)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	done := make([]bool, n)
	for i := range n {
		wg.Go(func() {
			for range 40 { // somebody else was faster: again, as the hint says
				err := deny(path, fmt.Sprintf("s%d", i))
				if done[i] = err == nil; done[i] {
					return
				}
				if !strings.Contains(err.Error(), "changed by somebody else") {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	l, err := readRegistry(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if denied := l.Doc.Entry(fmt.Sprintf("s%d", i)).Status == registry.Denied; denied != done[i] {
			t.Errorf("s%d: reported %v, in the file %v", i, done[i], denied)
		}
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("the file's rights are now %v", info.Mode())
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".sallyport-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestRegistryChangedMeanwhile: what was read must still be there.
func TestRegistryChangedMeanwhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.yaml")
	if err := os.WriteFile(path, []byte("apiVersion: sallyport/v1\nkind: Registry\nservers: [{id: a, match: {purl: pkg:npm/a}, status: denied}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := readRegistry(path)
	if err != nil {
		t.Fatal(err)
	}
	theirs := []byte("apiVersion: sallyport/v1\nkind: Registry\n")
	if err := os.WriteFile(path, theirs, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := saveRegistry(l, []byte("ours")); err == nil {
		t.Error("somebody else's change is overwritten")
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, theirs) {
		t.Errorf("%s", now)
	}
	// A directory that cannot be written to: the old file stays whole.
	if err := replaceFile(filepath.Join(filepath.Dir(path), "no", "r.yaml"), theirs, 0o644); err == nil {
		t.Error("a file is written into a directory that is not there")
	}
}
