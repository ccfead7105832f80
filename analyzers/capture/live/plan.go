package live

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/launch"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
)

// Request is what somebody asks to have inspected: a command or a URL.
type Request struct {
	Argv    []string
	URL     string
	Env     []string          // names of variables that the server is given
	Headers map[string]string // of a URL's requests: header to the name of the variable with its value
	Read    []string          // what the server may read besides; files or directories
	Network bool              // for a command
	// Unconfined starts the command as any client would: with this user's
	// files and network.
	Unconfined bool
	Once       bool          // do not compare with further lists
	Timeout    time.Duration // of one connection; 0: DefaultTimeout
	ClientName string        // in clientInfo; "": sallyport
	Version    string        // in clientInfo

	Dir    string // the current directory
	Getenv func(string) string
}

// File is a file that is run, and the SHA-256 of its content in hex.
type File struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}

// Plan is a Request with everything found out that a person should see before
// agreeing to it. Nothing has been started or contacted.
type Plan struct {
	Request
	Launch  *analyzers.Launch // nil for a URL
	Program File              // what Argv[0] is found as
	Script  *File             // the local file that Program is told to run
	// Confinement is "namespaces", "none" (Unconfined) or "remote" (a URL).
	Confinement string
	// Shown is what a confined server may read besides the system's programs
	// and settings; Dir is where it runs.
	Shown []string
	// Caches are the launcher's: the server reads them, and what it writes
	// there is gone afterwards.
	Caches []string

	home   string
	env    []string // NAME=VALUE
	header http.Header
}

// Prepare looks a request over. The error is a *Failure.
func Prepare(r Request) (*Plan, error) {
	p := &Plan{Request: r, header: http.Header{}}
	if p.Timeout <= 0 {
		p.Timeout = DefaultTimeout
	}
	p.ClientName, p.Version = cmp.Or(p.ClientName, "sallyport"), cmp.Or(p.Version, "0")
	if r.URL != "" {
		return p, p.remote()
	}
	if len(r.Argv) == 0 || r.Argv[0] == "" {
		return nil, &Failure{Problem: "there is no command to start", Hint: "name it behind --"}
	}
	for _, name := range r.Env {
		value := r.Getenv(name)
		if value == "" {
			return nil, &Failure{Problem: fmt.Sprintf("the variable %q is not set", name), Hint: "set it, or leave out --env " + name}
		}
		p.env = append(p.env, name+"="+value)
	}
	words := make([]analyzers.Text, len(r.Argv))
	for i, w := range r.Argv {
		words[i].Value = analyzers.Untrusted(w)
	}
	p.Launch = launch.Resolve(words)
	if err := p.files(); err != nil {
		return nil, err
	}
	if p.Unconfined {
		p.Confinement = "none"
		return p, nil
	}
	p.Confinement = "namespaces"
	if err := p.view(); err != nil {
		return nil, err
	}
	return p, p.probe()
}

// remote checks a URL and its headers.
func (p *Plan) remote() error {
	p.Confinement = "remote"
	u, err := url.Parse(p.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return &Failure{Problem: fmt.Sprintf("%q is no URL of a server", p.URL), Hint: "it begins with https:// (or http:// on this machine)"}
	case u.User != nil:
		return &Failure{Problem: "the URL holds a password", Hint: "pass it as --header Authorization=VARIABLE"}
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return &Failure{Problem: fmt.Sprintf("%q is not encrypted: whoever is on the way could answer instead of the server", p.URL), Hint: "use its https:// address"}
	}
	for header, name := range p.Headers {
		value := p.Getenv(name)
		if value == "" {
			return &Failure{Problem: fmt.Sprintf("the variable %q, for the header %q, is not set", name, header), Hint: "put the header's value into it"}
		}
		p.header.Set(header, value)
	}
	return nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// files finds and hashes what is run.
func (p *Plan) files() error {
	name := p.Argv[0]
	if strings.ContainsRune(name, filepath.Separator) {
		name = p.abs(name)
	}
	found, err := exec.LookPath(name)
	if err != nil {
		return &Failure{Problem: fmt.Sprintf("there is no program %q", p.Argv[0]), Hint: "name one that is installed, or its path"}
	}
	if p.Program.Path, err = filepath.Abs(found); err != nil {
		return err
	}
	if p.Program.SHA256, err = hash(p.Program.Path); err != nil {
		return &Failure{Problem: fmt.Sprintf("cannot read the program %q: %v", p.Program.Path, err), Hint: "name one that can be read"}
	}
	if script := p.Launch.Script.Raw(); script != "" && p.abs(script) != p.Program.Path {
		if sum, err := hash(p.abs(script)); err == nil {
			p.Script = &File{p.abs(script), sum}
		}
	}
	return nil
}

func (p *Plan) abs(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(p.Dir, name)
}

// maxHashed bounds the files that are hashed; a larger one has no hash.
const maxHashed = 1 << 30

func hash(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxHashed {
		return "", errors.Join(err, errors.New("not a regular file of at most 1 GiB"))
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// system is what every confined server may read: programs, libraries and
// settings. Homes, /var, /run, /srv, /mnt and everything else are not there.
var system = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix"}

// caches are those of launchers, below the home directory.
var caches = map[string][]string{
	"npx": {".npm"}, "npm": {".npm"}, "pnpm": {".local/share/pnpm", ".cache/pnpm"}, "yarn": {".cache/yarn", ".yarn"}, "bunx": {".bun/install/cache"}, "bun": {".bun/install/cache"},
	"uvx": {".cache/uv", ".local/share/uv"}, "uv": {".cache/uv", ".local/share/uv"}, "pipx": {".local/share/pipx", ".local/pipx", ".cache/pipx"},
	"deno": {".cache/deno"}, "go": {"go/pkg/mod", ".cache/go-build"}, "dnx": {".nuget/packages"},
}

// view decides what a confined server may read.
func (p *Plan) view() error {
	p.home = filepath.Clean(p.Getenv("HOME"))
	if !filepath.IsAbs(p.home) || p.home == "/" {
		p.home = "/home/inspect"
	}
	show := func(path string) {
		if path = filepath.Clean(path); !p.private(path) && !covered(path, system) && !covered(path, p.Shown) {
			p.Shown = append(slices.DeleteFunc(p.Shown, func(s string) bool { return covered(s, []string{path}) }), path)
		}
	}
	for _, path := range p.Read {
		path = p.abs(path)
		if _, err := os.Stat(path); err != nil {
			return &Failure{Problem: fmt.Sprintf("cannot show %q to the server: %v", path, errors.Unwrap(err)), Hint: "--read needs a file or directory that exists"}
		}
		if !covered(path, system) && !covered(path, p.Shown) { // even a home, if somebody says so
			p.Shown = append(p.Shown, path)
		}
	}
	show(p.installation(p.Program.Path))
	if real, err := filepath.EvalSymlinks(p.Program.Path); err == nil {
		show(p.installation(real))
	}
	for _, word := range p.Argv[1:] {
		if path := p.abs(word); filepath.IsAbs(word) || strings.HasPrefix(word, ".") || p.Script != nil && p.Script.Path == path {
			if info, err := os.Stat(path); err == nil && (info.IsDir() || info.Mode().IsRegular()) {
				show(path)
			}
		}
	}
	if p.Script != nil {
		show(filepath.Dir(p.Script.Path))
	}
	show(p.Dir)
	if p.private(p.Dir) {
		p.Dir = p.home
	}
	for _, dir := range caches[p.Launch.Program] {
		dir = filepath.Join(p.home, dir)
		if info, err := os.Stat(dir); err == nil && info.IsDir() && !covered(dir, p.Shown) {
			p.Caches = append(p.Caches, dir)
		}
	}
	slices.Sort(p.Shown)
	return nil
}

// private reports whether a directory is shown to no server unless somebody
// names it: a home, what lies above one, and where everybody's temporary files
// are.
func (p *Plan) private(path string) bool {
	return covered(p.home, []string{path}) || slices.Contains([]string{"/tmp", "/var/tmp", "/var", "/run", "/proc", "/sys", "/dev", filepath.Join(p.home, ".local")}, path)
}

// installation is the directory that a program was installed into: the prefix
// of its bin directory, the node_modules it is in, or else the file alone.
func (p *Plan) installation(program string) string {
	if i := strings.Index(program, "/node_modules/"); i >= 0 {
		return program[:i+len("/node_modules")]
	}
	dir := filepath.Dir(program)
	switch filepath.Base(dir) {
	case "bin", "sbin", "shims":
		if prefix := filepath.Dir(dir); !p.private(prefix) {
			return prefix
		}
	}
	return program
}

// covered reports whether a path is one of the directories or below one.
func covered(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool {
		return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
	})
}

// leak names a variable or header whose value stands in a document; "" without
// one. Variables count when they hold a credential.
func (p *Plan) leak(document []byte) string {
	holds := func(value string) bool {
		quoted, err := json.Marshal(value)
		return len(value) >= 6 && (bytes.Contains(document, []byte(value)) || err == nil && bytes.Contains(document, quoted[1:len(quoted)-1]))
	}
	for _, v := range p.env {
		name, value, _ := strings.Cut(v, "=")
		if len(secret.InVar("env", name, analyzers.Text{Value: analyzers.Untrusted(value)})) > 0 && holds(value) {
			return name
		}
	}
	for header, name := range p.Headers {
		value := p.header.Get(header)
		if _, token, ok := strings.Cut(value, " "); ok && len(token) >= 6 {
			value = token // without "Bearer"
		}
		if holds(value) {
			return name
		}
	}
	return ""
}
