// Package identity says what a server is by what is executed: the file and the
// script that a command line starts, held open and hashed; the package that a
// launcher has really started; and who asks for it.
//
// A name is no part of an identity. Nothing here decides: package registry
// compares, with what is learned here.
package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/launch"
	"github.com/sallyport-mcp/sallyport/registry"
)

// Executable is a file that is executed, or a script that an interpreter is
// given, held open from the moment it was found. Close it when the server has
// ended.
type Executable struct {
	Path   string // absolute, links followed
	Digest string // "sha256:HEX" of what was open; set by Hash
	// Interpreter is what the first line names ("#!/usr/bin/env node"); "" for
	// a program of its own.
	Interpreter string
	// Script is the local file that argv gives its interpreter; nil without one.
	Script *Executable

	name string // as it was found, before links were followed
	file *os.File
	was  stamp
}

// Errors of this package, in the chain.
var (
	ErrChanged = errors.New("the file was changed after it was read")
	ErrUnread  = errors.New("the file cannot be read, so nothing says what it is")
)

// Open finds what argv executes as the system would: a name without a slash
// along PATH of env (of NAME=value, the last one counts), one with a slash
// below dir; dir "" is the working directory. It holds the file open, and the
// local script that argv runs, if there is one. It hashes nothing: see Hash.
//
// A program that only PATH entries relative to the working directory have is
// refused, as os/exec refuses it.
func Open(argv []string, dir string, env []string) (*Executable, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, errors.New("there is no command to start")
	}
	name, err := lookPath(argv[0], dir, env)
	if err != nil {
		return nil, err
	}
	e, err := open(name)
	if err != nil {
		return nil, err
	}
	if script := scriptOf(argv); script != "" {
		if !filepath.IsAbs(script) {
			script = filepath.Join(dir, script)
		}
		// A script that is not there is the interpreter's to complain about: a
		// command line may also change the directory first.
		if e.Script, err = open(script); err != nil && !errors.Is(err, fs.ErrNotExist) {
			e.Close()
			return nil, err
		}
	}
	return e, nil
}

// scriptOf is the local file that a command line runs besides the command.
func scriptOf(argv []string) string {
	texts := make([]analyzers.Text, len(argv))
	for i, word := range argv {
		texts[i].Value = analyzers.Untrusted(word)
	}
	l := launch.Resolve(texts)
	if script := l.Script.Raw(); script != argv[0] {
		return script
	}
	return ""
}

// open holds a regular file open without waiting for anybody.
func open(name string) (*Executable, error) {
	name, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	path, err := filepath.EvalSymlinks(name)
	if err != nil {
		return nil, err
	}
	e := &Executable{Path: path, name: name}
	f, err := os.OpenFile(path, os.O_RDONLY|nonblocking, 0)
	if errors.Is(err, fs.ErrPermission) {
		// It may be executed and not read.
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		e.was = stampOf(info)
		return e, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", analyzers.Untrusted(path))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	e.file, e.was = f, stampOf(info)
	e.Interpreter = interpreter(f)
	return e, nil
}

// interpreter reads the "#!" line of a script (execve(2)).
func interpreter(f *os.File) string {
	head := make([]byte, 256)
	n, _ := f.ReadAt(head, 0)
	line, ok := strings.CutPrefix(string(head[:n]), "#!")
	if !ok {
		return ""
	}
	line, _, _ = strings.Cut(line, "\n")
	if line = strings.TrimSpace(line); line == "" {
		return "/bin/sh"
	}
	return line
}

// Describe tells a server's identity the digests that registry.Registry.Pins
// asks for. A file that is not there or cannot be read is told as
// registry.Missing, which no pin allows; the error says why.
func (e *Executable) Describe(id *registry.Identity, file, script bool) error {
	var errs []error
	told := func(e *Executable, into *string) {
		*into = registry.Missing
		if e == nil {
			errs = append(errs, fmt.Errorf("%w: the command line runs no script that is there", ErrUnread))
		} else if err := e.Hash(); err != nil {
			errs = append(errs, err)
		} else {
			*into = strings.TrimPrefix(e.Digest, "sha256:")
		}
	}
	if file {
		told(e, &id.FileSHA256)
	}
	if script {
		told(e.Script, &id.ScriptSHA256)
	}
	return errors.Join(errs...)
}

// Hash reads the open file and sets Digest: 1 to 3 ms a megabyte. It trusts no
// cache.
func (e *Executable) Hash() error {
	if e.file == nil {
		return fmt.Errorf("%w: %s", ErrUnread, analyzers.Untrusted(e.Path))
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(e.file, 0, e.was.size)); err != nil {
		return fmt.Errorf("%w: %w", ErrUnread, err)
	}
	e.Digest = "sha256:" + hex.EncodeToString(h.Sum(nil))
	return e.Unchanged()
}

// Start says how to start exactly the open file: the path to execute, the
// files that the new process must inherit, and whether that leaves no time in
// which another file could take its place. number is the number of the first
// of the files in the new process: 3 and the length of os/exec's ExtraFiles
// before them.
//
// On Linux a program of its own is started through its descriptor. A script
// with a "#!" line is not: it would not find the files beside it. There, and
// on other systems, the path is started; call Unchanged after the start.
func (e *Executable) Start(number int) (path string, inherit []*os.File, held bool) {
	if e.file == nil || e.Interpreter != "" || runtime.GOOS != "linux" {
		return e.name, nil, false
	}
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		return e.name, nil, false // no /proc here
	}
	return fmt.Sprintf("/proc/self/fd/%d", number), []*os.File{e.file}, true
}

// Unchanged reports whether the file and its script still are what was opened,
// and still what their names lead to. Called once more when the server has
// answered, it also speaks for an interpreter that read the script meanwhile.
func (e *Executable) Unchanged() error {
	for _, e := range []*Executable{e, e.Script} {
		if e == nil {
			continue
		}
		path, err := filepath.EvalSymlinks(e.name)
		if err != nil || path != e.Path {
			return fmt.Errorf("%w: %s leads elsewhere now", ErrChanged, analyzers.Untrusted(e.name))
		}
		info, err := os.Stat(path)
		if err != nil || stampOf(info) != e.was {
			return fmt.Errorf("%w: %s", ErrChanged, analyzers.Untrusted(path))
		}
		if e.file != nil {
			if info, err = e.file.Stat(); err != nil || stampOf(info) != e.was {
				return fmt.Errorf("%w: %s", ErrChanged, analyzers.Untrusted(path))
			}
		}
	}
	return nil
}

// Close lets go of the files.
func (e *Executable) Close() error {
	var errs []error
	for ; e != nil; e = e.Script {
		if e.file != nil {
			errs = append(errs, e.file.Close())
			e.file = nil
		}
	}
	return errors.Join(errs...)
}

// lookPath finds a command as execvp(3) and os/exec do. (The latter would
// bring more into packages that must not start anything.)
func lookPath(command, dir string, env []string) (string, error) {
	if strings.ContainsAny(command, separators) {
		if !filepath.IsAbs(command) {
			command = filepath.Join(dir, command)
		}
		return executable(command)
	}
	path, here := "", ""
	for _, v := range env {
		if name, value, _ := strings.Cut(v, "="); name == "PATH" || runtime.GOOS == "windows" && strings.EqualFold(name, "PATH") {
			path = value
		}
	}
	var denied error
	for _, at := range filepath.SplitList(path) {
		if !filepath.IsAbs(at) { // "" is the working directory
			if found, err := executable(filepath.Join(dir, at, command)); err == nil {
				here = found
			}
			continue
		}
		found, err := executable(filepath.Join(at, command))
		if err == nil {
			return found, nil
		}
		if errors.Is(err, fs.ErrPermission) {
			denied = err
		}
	}
	switch {
	case denied != nil:
		return "", denied
	case here != "":
		return "", fmt.Errorf("%s is found only relative to the working directory; write the path", analyzers.Untrusted(command))
	}
	return "", fmt.Errorf("there is no program %s along PATH: %w", analyzers.Untrusted(command), fs.ErrNotExist)
}

func executable(name string) (string, error) {
	var first error
	for _, suffix := range suffixes(name) {
		info, err := os.Stat(name + suffix)
		switch {
		case err == nil && info.IsDir():
			err = fmt.Errorf("%s is a directory", analyzers.Untrusted(name))
		case err == nil && runtime.GOOS != "windows" && info.Mode()&0o111 == 0:
			err = &fs.PathError{Op: "execute", Path: name, Err: fs.ErrPermission}
		case err == nil:
			return name + suffix, nil
		}
		if first == nil {
			first = err
		}
	}
	return "", first
}

// suffixes are what Windows adds to a command without an extension.
func suffixes(name string) []string {
	if runtime.GOOS != "windows" || filepath.Ext(name) != "" {
		return []string{""}
	}
	return []string{".com", ".exe", ".bat", ".cmd"}
}

// stamp is equal for a file that nobody wrote to, replaced or moved between
// two looks. Changed is the time of the last change of the inode, which a
// program cannot set back; 0 where the system has none.
type stamp struct {
	device, inode, links    uint64
	size, modified, changed int64
	mode                    fs.FileMode
}
