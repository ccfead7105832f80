package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/launch"
)

const (
	maxRecord        = 16 << 20
	maxDistributions = 4096
)

// pythonPackage is the distribution of a virtual environment whose RECORD
// lists a file (PEP 376, and "Recording installed projects" of the packaging
// specifications): a script in bin, or a module. It is nil for a file outside
// of a virtual environment.
func pythonPackage(file, cwd string) (*Package, error) {
	if !filepath.IsAbs(file) {
		file = filepath.Join(cwd, file)
	}
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return nil, nil
	}
	env := filepath.Dir(file)
	for ; ; env = filepath.Dir(env) {
		if _, err := os.Stat(filepath.Join(env, "pyvenv.cfg")); err == nil {
			break
		}
		if env == filepath.Dir(env) {
			return nil, nil
		}
	}
	var infos []string
	for _, pattern := range []string{"lib/python*/site-packages/*.dist-info", "Lib/site-packages/*.dist-info"} {
		list, err := filepath.Glob(filepath.Join(quoteGlob(env), filepath.FromSlash(pattern)))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnresolved, err)
		}
		infos = append(infos, list...)
	}
	if len(infos) > maxDistributions {
		return nil, fmt.Errorf("%w: more than %d distributions in %s", ErrUnresolved, maxDistributions, analyzers.Untrusted(env))
	}
	for _, info := range infos {
		content, err := readFile(filepath.Join(info, "RECORD"), maxRecord)
		if err != nil {
			continue // not installed by a tool of today
		}
		site := filepath.Dir(info)
		relative, err := filepath.Rel(site, file)
		if err != nil || !bytes.Contains(content, []byte(filepath.ToSlash(relative))) {
			continue
		}
		files, err := record(content)
		if err != nil {
			return nil, fmt.Errorf("%w: %s/RECORD: %w", ErrUnresolved, analyzers.Untrusted(info), err)
		}
		if _, ok := files[filepath.ToSlash(relative)]; ok {
			return distribution(env, info, files)
		}
	}
	return nil, nil
}

// record reads a RECORD: the SHA-256 of each file in unpadded base64url, ""
// where none is given, by its path relative to site-packages.
func record(content []byte) (map[string]string, error) {
	r := csv.NewReader(bytes.NewReader(content))
	r.FieldsPerRecord = -1
	r.ReuseRecord = true
	files := map[string]string{}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		sum := ""
		if len(fields) > 1 {
			algorithm, digest, _ := strings.Cut(fields[1], "=")
			if sum = digest; algorithm != "" && algorithm != "sha256" {
				return nil, fmt.Errorf("%s has a digest of another kind than SHA-256", analyzers.Untrusted(fields[0]))
			}
		}
		files[fields[0]] = sum
	}
}

func distribution(env, info string, files map[string]string) (*Package, error) {
	name, version, _ := strings.Cut(strings.TrimSuffix(filepath.Base(info), ".dist-info"), "-")
	ref := launch.ParseSpec("pypi", analyzers.Text{Value: analyzers.Untrusted(name + "==" + version)})
	if ref.PURL == "" || ref.Pin != analyzers.PinExact {
		return nil, fmt.Errorf("%w: %s names no version", ErrUnresolved, analyzers.Untrusted(info))
	}
	p := &Package{PURL: ref.PURL, Version: version, Path: info, Basis: Installer}
	p.Integrity = wheel(env, ref.Name, version, files)
	if len(files) > maxFiles {
		return p, nil
	}
	// Paths may lead out of site-packages and never out of the environment.
	site, err := filepath.Rel(env, filepath.Dir(info))
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrUnresolved, err)
	}
	must := map[string]digests{}
	for name, sum := range files {
		if sum == "" {
			continue // RECORD itself, compiled files
		}
		want, err := base64.RawURLEncoding.DecodeString(sum)
		if err != nil || len(want) != sha256.Size {
			return p, fmt.Errorf("%w: %s/RECORD has a digest that is none", ErrUnresolved, analyzers.Untrusted(info))
		}
		must[filepath.ToSlash(filepath.Join(site, filepath.FromSlash(name)))] = digests{[sha256.Size]byte(want)}
	}
	return p, p.compare(env, must)
}

// pointer reads the beginning of what uv keeps about a wheel that it has
// fetched (wheels-v*/.../*.http, MessagePack): the directory below archive-v*
// in which it was unpacked, and its SHA-256.
func pointer(content []byte) (dir, digest string) {
	const before, digits = "\xa6Sha256\xd9\x40", 2 * sha256.Size
	if len(content) < 2 || content[0]&0xf0 != 0x90 || content[1]&0xe0 != 0xa0 { // an array that begins with a short text
		return "", ""
	}
	end := 2 + int(content[1]&0x1f)
	i := bytes.Index(content[min(end, len(content)):min(end+16, len(content))], []byte(before))
	if i < 0 || len(content) < end+i+len(before)+digits {
		return "", ""
	}
	digest = string(content[end+i+len(before):][:digits])
	if _, err := hex.DecodeString(digest); err != nil || strings.ToLower(digest) != digest {
		return "", ""
	}
	return string(content[2:end]), digest
}

// wheel finds the SHA-256 of the wheel that an environment's distribution was
// installed from, in the cache of uv: of the wheel of that name and version
// whose own RECORD the installed one repeats. It is "" without one.
func wheel(env, name, version string, installed map[string]string) string {
	cache := os.Getenv("UV_CACHE_DIR")
	if before, _, ok := strings.Cut(filepath.ToSlash(env), "/archive-v0/"); ok {
		cache = filepath.FromSlash(before)
	}
	if dir, err := os.UserCacheDir(); err == nil && cache == "" {
		cache = filepath.Join(dir, "uv")
	}
	for _, pattern := range []string{"wheels-v*/pypi", "wheels-v*/index/*", "wheels-v*/url/*"} {
		pointers, err := filepath.Glob(filepath.Join(quoteGlob(cache), filepath.FromSlash(pattern), quoteGlob(name), quoteGlob(version)+"-*.http"))
		if err != nil {
			continue
		}
		for _, file := range pointers[:min(len(pointers), 64)] {
			content, err := readFile(file, 1<<20)
			dir, digest := pointer(content)
			if err != nil || dir == "" || strings.ContainsAny(dir, `/\.`) {
				continue
			}
			records, err := filepath.Glob(filepath.Join(quoteGlob(cache), "archive-v*", quoteGlob(dir), "*.dist-info", "RECORD"))
			if err == nil && len(records) == 1 && repeats(records[0], installed) {
				return "sha256:" + digest
			}
		}
	}
	return ""
}

// repeats reports whether every file of a wheel was installed as it is in the
// wheel. Those below NAME.data go elsewhere.
func repeats(name string, installed map[string]string) bool {
	content, err := readFile(name, maxRecord)
	if err != nil {
		return false
	}
	files, err := record(content)
	if err != nil {
		return false
	}
	for file, sum := range files {
		if top, _, _ := strings.Cut(file, "/"); strings.HasSuffix(top, ".data") || sum == "" {
			continue
		}
		if installed[file] != sum {
			return false
		}
	}
	return len(files) > 0
}

// quoteGlob takes the meaning from what filepath.Match would read.
func quoteGlob(s string) string {
	if os.PathSeparator == '\\' {
		return s // no escapes there
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}
