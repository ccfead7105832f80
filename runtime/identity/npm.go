package identity

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/launch"
)

// Limits of what is read to look at one package.
const (
	maxLock    = 32 << 20
	maxArchive = 64 << 20
	maxContent = 256 << 20
	maxFiles   = 20_000
)

// npmPackage is the package below node_modules that a file belongs to, by the
// lockfile that npm keeps in the tree (node_modules/.package-lock.json); nil
// for a file that is in none.
func npmPackage(file, cwd string) (*Package, error) {
	if !filepath.IsAbs(file) {
		file = filepath.Join(cwd, file)
	}
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return nil, nil // no file of this machine: not ours to name
	}
	parts := strings.Split(filepath.ToSlash(file), "/")
	root, lock := "", ""
	for i := len(parts) - 2; i > 0; i-- {
		if parts[i] != "node_modules" {
			continue
		}
		if root == "" {
			end := i + 2
			if strings.HasPrefix(parts[i+1], "@") {
				end++
			}
			if end >= len(parts) {
				return nil, nil // a file in node_modules itself
			}
			root = strings.Join(parts[:end], "/")
		}
		at := strings.Join(parts[:i+1], "/")
		if _, err := os.Stat(at + "/.package-lock.json"); err == nil {
			lock = at
			break
		}
	}
	if lock == "" {
		return nil, nil
	}
	content, err := readFile(lock+"/.package-lock.json", maxLock)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnresolved, err)
	}
	var tree struct {
		Packages map[string]struct{ Name, Version, Integrity string }
	}
	if err := json.Unmarshal(content, &tree); err != nil {
		return nil, fmt.Errorf("%w: %s/.package-lock.json: %w", ErrUnresolved, analyzers.Untrusted(lock), err)
	}
	key := strings.TrimPrefix(root, strings.TrimSuffix(lock, "node_modules"))
	entry, ok := tree.Packages[key]
	if !ok {
		return nil, fmt.Errorf("%w: %s is not in the lockfile beside it", ErrAltered, analyzers.Untrusted(root))
	}
	name := key[strings.LastIndex(key, "node_modules/")+len("node_modules/"):]
	if entry.Name != "" { // an alias
		name = entry.Name
	}
	ref := launch.ParseSpec("npm", analyzers.Text{Value: analyzers.Untrusted(name + "@" + entry.Version)})
	if ref.PURL == "" || ref.Pin != analyzers.PinExact {
		return nil, fmt.Errorf("%w: %s has no version in the lockfile beside it", ErrUnresolved, analyzers.Untrusted(root))
	}
	p := &Package{PURL: ref.PURL, Version: entry.Version, Path: filepath.FromSlash(root), Basis: Installer}
	if strings.HasPrefix(entry.Integrity, "sha512-") {
		p.Integrity = entry.Integrity
		return p, p.compareTarball(lock)
	}
	return p, nil
}

// compareTarball compares a package that npx installed with the archive in
// npm's cache, which is found and checked by its integrity. Without that
// archive, or with one beyond the limits, the lockfile's word stands.
func (p *Package) compareTarball(lock string) error {
	cache, _, ok := strings.Cut(lock, "/_npx/")
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.Integrity, "sha512-"))
	if !ok || err != nil || len(sum) != sha512.Size {
		return nil
	}
	digits := hex.EncodeToString(sum)
	archive, err := readFile(filepath.Join(cache, "_cacache", "content-v2", "sha512", digits[:2], digits[2:4], digits[4:]), maxArchive)
	if err != nil {
		return nil
	}
	if got := sha512.Sum512(archive); !bytes.Equal(got[:], sum) {
		return nil // the cache is broken, and npm would fetch it again
	}
	files, err := unpack(archive)
	if errors.Is(err, errTooLarge) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: the archive of %s: %w", ErrUnresolved, p.PURL, err)
	}
	return p.compare(p.Path, files)
}

var errTooLarge = errors.New("too large to compare")

// unpack reads the regular files of a package's archive, as npm lays them out:
// without the first directory, links left out.
func unpack(archive []byte) (map[string]func([]byte) bool, error) {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	files := map[string]func([]byte) bool{}
	total := int64(0)
	for t := tar.NewReader(io.LimitReader(z, maxContent+1)); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			if total > maxContent {
				return nil, errTooLarge
			}
			return nil, err
		}
		if total += h.Size + 512; total > maxContent || len(files) >= maxFiles {
			return nil, errTooLarge
		}
		_, name, ok := strings.Cut(strings.TrimPrefix(h.Name, "./"), "/")
		if h.Typeflag != tar.TypeReg || !ok || path.Base(name) == ".gitignore" || path.Base(name) == ".npmignore" {
			continue // npm renames the last two
		}
		want, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		// The last file of a name counts; npm takes the \r out of "#!" lines.
		files[path.Clean("/" + name)[1:]] = func(got []byte) bool {
			return bytes.Equal(want, got) || bytes.HasPrefix(got, []byte("#!")) && bytes.Equal(bytes.Replace(want, []byte("\r\n"), []byte("\n"), 1), got)
		}
	}
}

// compare holds the files below a directory to what they must be.
func (p *Package) compare(dir string, files map[string]func([]byte) bool) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnresolved, err)
	}
	defer root.Close()
	for name, is := range files {
		content, err := readIn(root, filepath.FromSlash(name))
		if err != nil || !is(content) {
			return fmt.Errorf("%w: %s: %s differs", ErrAltered, p.PURL, analyzers.Untrusted(path.Join(filepath.ToSlash(dir), name)))
		}
	}
	p.Basis = Files
	return nil
}

// readIn reads a regular file that no link leads out of the root to.
func readIn(root *os.Root, name string) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|nonblocking, 0)
	if err != nil {
		return nil, err
	}
	return readAll(f, maxContent)
}

// readFile reads a regular file of at most limit bytes.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|nonblocking, 0)
	if err != nil {
		return nil, err
	}
	return readAll(f, limit)
}

func readAll(f *os.File, limit int64) ([]byte, error) {
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: f.Name(), Err: errors.New("not a regular file")}
	}
	if info.Size() > limit {
		return nil, &fs.PathError{Op: "read", Path: f.Name(), Err: errTooLarge}
	}
	content := make([]byte, info.Size())
	_, err = io.ReadFull(f, content)
	return content, err
}
