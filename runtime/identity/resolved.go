package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
)

// Package is a package that a process runs out of.
type Package struct {
	PURL      string
	Version   string
	Integrity string // "sha512-BASE64" (npm), "sha256:HEX" of the wheel (uv); "" when its installer wrote none down
	Path      string // the package's directory (npm), or its dist-info (Python)
	Basis     Basis
}

// Basis is how much of a package was looked at.
type Basis string

const (
	Installer Basis = "installer" // what the installer wrote down about it
	Files     Basis = "files"     // every file was compared with that, or with the archive itself
)

// Errors of Resolved, in the chain.
var (
	ErrUnresolved = errors.New("it cannot be told what the launcher started")
	ErrAltered    = errors.New("the installed package is not what its installer wrote down")
	ErrOther      = errors.New("the launcher started another package than the approved one")
)

// Resolved says which packages the processes that a launcher started run out
// of: npx, npm exec, uvx, uv tool run, pipx run. Pid is the launcher's process.
// Call it when the server has answered and before that answer is passed on:
// then the server runs.
//
// Below the launcher and the shells that it starts, every process must run out
// of an installed package; what the server itself starts is its own affair.
// Want is the integrity of an approved package, as in registry.Match: with
// any, every package found must have one of them. The packages found are
// returned with the error, too.
//
// It recognises a launcher that served something else, or an installation that
// was edited. It does not recognise a program which runs already and makes
// itself look like another one. Where a tarball or RECORD holds more than
// 20,000 files or 256 MiB, its files are not compared: see Basis.
func Resolved(pid int, want []string) ([]Package, error) {
	started, err := serversOf(pid)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnresolved, err)
	}
	var found []Package
	for _, line := range started {
		p, err := packageOf(line)
		if p != nil && !slices.Contains(found, *p) {
			found = append(found, *p)
		}
		if err != nil {
			return found, err
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w: it has started nothing yet", ErrUnresolved)
	}
	for _, p := range found {
		switch {
		case len(want) == 0:
		case p.Integrity == "":
			return found, fmt.Errorf("%w: the installer of %s (%s) wrote no integrity down", ErrUnresolved, p.PURL, analyzers.Untrusted(p.Path))
		case !slices.Contains(want, p.Integrity):
			return found, fmt.Errorf("%w: %s has the integrity %s", ErrOther, p.PURL, p.Integrity)
		}
	}
	return found, nil
}

// command is a running process: its executable, its arguments and where the
// relative ones among them begin.
type command struct {
	exe  string
	argv []string
	cwd  string
}

// packageOf finds the package that a process runs out of.
func packageOf(c command) (*Package, error) {
	file := c.exe
	if base := baseOf(c.exe); interprets(base) || shells[base] {
		file = ""
		for _, word := range c.argv[min(1, len(c.argv)):] {
			if !strings.HasPrefix(word, "-") {
				file = word
				break
			}
		}
	}
	if file == "" {
		return nil, fmt.Errorf("%w: %s runs no file of a package", ErrUnresolved, analyzers.Untrusted(c.exe))
	}
	for _, find := range []func(file, cwd string) (*Package, error){npmPackage, pythonPackage} {
		if p, err := find(file, c.cwd); p != nil || err != nil {
			return p, err
		}
	}
	return nil, fmt.Errorf("%w: %s is in no installed package that says what it is", ErrUnresolved, analyzers.Untrusted(file))
}

func baseOf(exe string) string {
	return strings.TrimSuffix(exe[strings.LastIndexAny(exe, `/\`)+1:], " (deleted)")
}

// launches reports whether a process is a launcher, which npm says in its
// title and others by their executable.
func launches(c command) bool {
	switch base := baseOf(c.exe); {
	case base == "uv" || base == "uvx":
		return true
	case interprets(base):
		title := strings.Join(c.argv, " ")
		if strings.HasPrefix(title, "npm exec") || title == "npx" || strings.HasPrefix(title, "npx ") {
			return true
		}
		for _, word := range c.argv[min(1, len(c.argv)):] {
			if !strings.HasPrefix(word, "-") {
				return strings.HasSuffix(word, "/npx") || strings.HasSuffix(word, "/npm") || strings.HasSuffix(word, "/npm/bin/npx-cli.js") || strings.HasSuffix(word, "/npm/bin/npm-cli.js") || strings.HasSuffix(word, "/pipx")
			}
		}
	}
	return false
}

// passes reports whether a process below a launcher is a shell that does
// nothing but start one command: sh -c COMMAND.
func passes(c command) bool {
	return shells[baseOf(c.exe)] && len(c.argv) > 1 && c.argv[1] == "-c"
}
