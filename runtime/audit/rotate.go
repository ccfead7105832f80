package audit

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// rotate moves FILE to FILE.1 and ends it with a line that sends everybody who
// has it open to the new FILE. A crash in between is made good by whoever
// opens the log next: see previous. When the files cannot be moved, the log
// stays in one file and tries again later.
func (l *Log) rotate() {
	l.rotateAt = l.size + l.o.MaxBytes/8
	if l.inPlace() && shift(l.path, l.o.Keep) != nil {
		return
	}
	l.rotateAt = l.o.MaxBytes
	err := l.control(line{kind: "rotate"})
	l.unlock()
	l.closeFile()
	if err == nil {
		_ = l.catchUp() // what goes wrong here shows in the next Write
	}
}

// shift renames FILE.1 to FILE.2 and so on, and FILE to FILE.1. What would
// come behind the last one to keep is removed.
func shift(path string, keep int) error {
	old, err := parts(path)
	if err != nil {
		return err
	}
	for _, n := range slices.Backward(old) {
		from := path + "." + strconv.Itoa(n)
		if keep > 0 && n >= keep {
			err = os.Remove(from)
		} else {
			err = os.Rename(from, path+"."+strconv.Itoa(n+1))
		}
		if err != nil {
			return err
		}
	}
	return os.Rename(path, path+".1")
}

// parts are the numbers of the rotated files beside path, ascending.
func parts(path string) ([]int, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var all []int
	for _, e := range entries {
		suffix, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		if n, err := strconv.Atoi(suffix); ok && err == nil && n > 0 && strconv.Itoa(n) == suffix {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}

// Files returns the files of the log at path, oldest first: FILE.2, FILE.1,
// FILE.
func Files(path string) ([]string, error) {
	if _, err := os.Stat(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	old, err := parts(path)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, n := range slices.Backward(old) {
		all = append(all, fmt.Sprintf("%s.%d", path, n))
	}
	if _, err := os.Stat(path); err == nil || len(all) == 0 {
		all = append(all, path)
	}
	return all, nil
}

// Base is the path of the log that a file belongs to: that of FILE.3 is FILE.
func Base(path string) string {
	base, suffix, ok := cutLast(path, ".")
	if n, err := strconv.Atoi(cmp.Or(suffix, "x")); ok && err == nil && n > 0 {
		if _, err := os.Stat(base); err == nil {
			return base
		}
	}
	return path
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
