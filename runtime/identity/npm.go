package identity

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
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
	archive, err := openFile(filepath.Join(cache, "_cacache", "content-v2", "sha512", digits[:2], digits[2:4], digits[4:]), maxArchive)
	if err != nil {
		return nil
	}
	defer archive.Close()
	h := sha512.New()
	whole := io.TeeReader(archive, h)
	files, err := unpack(whole)
	if errors.Is(err, errTooLarge) {
		return nil
	}
	if _, bad := io.Copy(io.Discard, whole); bad != nil || !bytes.Equal(h.Sum(nil), sum) {
		return nil // the cache is broken, and npm would fetch it again
	}
	if err != nil {
		return fmt.Errorf("%w: the archive of %s: %w", ErrUnresolved, p.PURL, err)
	}
	return p.compare(p.Path, files)
}

var errTooLarge = errors.New("too large to compare")

// digests are the SHA-256 that a file may have.
type digests [][sha256.Size]byte

// unpack reads the regular files of a package's archive, as npm lays them out:
// without the first directory, links left out.
func unpack(archive io.Reader) (map[string]digests, error) {
	z, err := gzip.NewReader(archive)
	if err != nil {
		return nil, err
	}
	files := map[string]digests{}
	total := int64(0)
	for t := tar.NewReader(io.LimitReader(z, maxContent+1)); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if total += h.Size + 512; total > maxContent || len(files) >= maxFiles {
			return nil, errTooLarge
		}
		_, name, ok := strings.Cut(strings.TrimPrefix(h.Name, "./"), "/")
		if h.Typeflag != tar.TypeReg || !ok || path.Base(name) == ".gitignore" || path.Base(name) == ".npmignore" {
			continue // npm renames the last two
		}
		// The last file of a name counts; npm takes the \r out of "#!" lines.
		var whole, unix hash.Hash = sha256.New(), sha256.New()
		r := bufio.NewReader(t)
		line, err := r.ReadSlice('\n')
		whole.Write(line)
		if cut, ok := bytes.CutSuffix(line, []byte("\r\n")); ok && bytes.HasPrefix(line, []byte("#!")) {
			unix.Write(append(bytes.Clone(cut), '\n'))
		} else {
			unix.Write(line)
		}
		if err == nil || errors.Is(err, bufio.ErrBufferFull) {
			_, err = io.Copy(io.MultiWriter(whole, unix), r)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		files[path.Clean("/" + name)[1:]] = digests{[sha256.Size]byte(whole.Sum(nil)), [sha256.Size]byte(unix.Sum(nil))}
	}
}

// compare holds the files below a directory, which no link leads out of, to
// what they must be.
func (p *Package) compare(dir string, files map[string]digests) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnresolved, err)
	}
	defer root.Close()
	for name, want := range files {
		got, err := hashIn(root, filepath.FromSlash(name))
		if err != nil || !slices.Contains(want, got) {
			return fmt.Errorf("%w: %s: %s differs", ErrAltered, p.PURL, analyzers.Untrusted(path.Join(filepath.ToSlash(dir), name)))
		}
	}
	p.Basis = Files
	return nil
}

func hashIn(root *os.Root, name string) (sum [sha256.Size]byte, err error) {
	f, err := root.OpenFile(name, os.O_RDONLY|nonblocking, 0)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	if err := bounded(f, maxContent); err != nil {
		return sum, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxContent)); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// readFile reads a regular file of at most limit bytes.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := openFile(name, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

func openFile(name string, limit int64) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|nonblocking, 0)
	if err != nil {
		return nil, err
	}
	if err := bounded(f, limit); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// bounded refuses what is no regular file of at most limit bytes.
func bounded(f *os.File, limit int64) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &fs.PathError{Op: "read", Path: f.Name(), Err: errors.New("not a regular file")}
	case info.Size() > limit:
		return &fs.PathError{Op: "read", Path: f.Name(), Err: errTooLarge}
	}
	return nil
}
