// Package config reads sallyport.yaml and baseline files. It is data only: what
// a setting does is decided where it is used.
package config

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers"
	"github.com/sallyport-mcp/sallyport/analyzers/secret"
	"github.com/sallyport-mcp/sallyport/analyzers/tree"
	"github.com/sallyport-mcp/sallyport/rules"
)

// DefaultFile is read from the current directory when no other is named.
const DefaultFile = "sallyport.yaml"

const maxBytes = 1 << 20

// Config is a configuration file.
type Config struct {
	Path     string // "" when there is none
	FailOn   string
	Baseline string
	Skip     []string
	Exclude  []Exclusion
	Suppress []rules.Suppression
}

// Exclusion is a folder or file that is not read. Both members are required.
type Exclusion struct{ Path, Reason string }

// Covers reports whether the exclusion names a path or a folder above it.
func (e Exclusion) Covers(path string) bool {
	return path == e.Path || strings.HasPrefix(path, e.Path+"/")
}

// Find reads the named file, or the default one when it exists.
func Find(name string) (*Config, error) {
	asked := name != ""
	if !asked {
		name = DefaultFile
	}
	content, err := readFile(name)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return &Config{}, nil
	}
	if err != nil {
		return nil, err
	}
	return Parse(name, content)
}

// Parse reads a configuration. Unknown keys are errors, so that a misspelt
// setting cannot be mistaken for one that holds.
func Parse(name string, content []byte) (*Config, error) {
	root, err := tree.Parse(&analyzers.Source{Path: name, Bytes: content}, tree.YAML)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c := &Config{Path: name}
	if root == nil || root.Kind == tree.Null {
		return c, nil
	}
	if !root.IsObject() {
		return nil, wrong(name, root, "must be a map of settings")
	}
	for _, n := range root.Children {
		if n.Dup {
			return nil, wrong(name, n, "key %q stands twice", n.Key)
		}
		switch n.Key.Raw() {
		case "fail-on":
			c.FailOn, err = str(name, n)
		case "baseline":
			c.Baseline, err = str(name, n)
		case "skip":
			err = each(name, n, func(item *tree.Node) error {
				id, err := str(name, item)
				c.Skip = append(c.Skip, id)
				return err
			})
		case "exclude":
			err = each(name, n, func(item *tree.Node) error {
				var e Exclusion
				err := members(name, item, "an exclusion", map[string]*string{"path": &e.Path, "reason": &e.Reason})
				e.Path = path.Clean(e.Path)
				if err == nil && (e.Path == "." || strings.TrimSpace(e.Reason) == "") {
					err = wrong(name, item, "an exclusion needs a path below the target and a reason")
				}
				c.Exclude = append(c.Exclude, e)
				return err
			})
		case "suppress":
			err = each(name, n, func(item *tree.Node) error {
				s, err := suppression(name, item)
				c.Suppress = append(c.Suppress, s)
				return err
			})
		default:
			err = wrong(name, n, "unknown key %q; the keys are fail-on, baseline, skip, exclude, suppress", n.Key)
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

var day = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)

func suppression(name string, n *tree.Node) (s rules.Suppression, err error) {
	err = members(name, n, "a suppression", map[string]*string{"rule": &s.Rule, "path": &s.Path, "subject": &s.Subject, "reason": &s.Reason, "until": &s.Until})
	if err != nil {
		return s, err
	}
	if s.Rule == "" || strings.TrimSpace(s.Reason) == "" {
		return s, wrong(name, n, "a suppression needs a rule and a reason")
	}
	if s.Until != "" && !day.MatchString(s.Until) {
		return s, wrong(name, n, "until must be a date, YYYY-MM-DD")
	}
	return s, nil
}

// members reads a map of texts, each key at most once.
func members(name string, n *tree.Node, what string, into map[string]*string) error {
	keys := strings.Join(slices.Sorted(maps.Keys(into)), ", ")
	if !n.IsObject() {
		return wrong(name, n, "%s is a map; its keys are %s", what, keys)
	}
	for _, m := range n.Children {
		value := into[m.Key.Raw()]
		switch {
		case value == nil:
			return wrong(name, m, "unknown key %q in %s; the keys are %s", m.Key, what, keys)
		case m.Dup:
			return wrong(name, m, "key %q stands twice", m.Key)
		case m.IsObject() || m.IsArray():
			return wrong(name, m, "%q must be text", m.Key)
		}
		*value = m.Text.Raw()
	}
	return nil
}

func each(name string, n *tree.Node, visit func(*tree.Node) error) error {
	if !n.IsArray() {
		return wrong(name, n, "%q must be a list", n.Key)
	}
	for _, item := range n.Children {
		if err := visit(item); err != nil {
			return err
		}
	}
	return nil
}

func str(name string, n *tree.Node) (string, error) {
	if !n.IsString() {
		return "", wrong(name, n, "must be text")
	}
	return n.Str(), nil
}

func wrong(name string, n *tree.Node, format string, args ...any) error {
	p := cmp.Or(n.KeySpan.Begin(), n.Span.Begin())
	return fmt.Errorf("%s:%d:%d: %s", name, p.Line, p.Column, fmt.Sprintf(format, args...))
}

// ReadBaseline reads the fingerprints of a baseline: the first word of every
// line that is not empty and no comment.
func ReadBaseline(name string) (rules.Baseline, error) {
	content, err := readFile(name)
	if err != nil {
		return nil, err
	}
	b := rules.Baseline{}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for n := 1; lines.Scan(); n++ {
		word, _, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if word == "" || word[0] == '#' {
			continue
		}
		if !fingerprint.MatchString(word) {
			return nil, fmt.Errorf("%s:%d: not a fingerprint; this is no baseline", name, n)
		}
		b[word] = true
	}
	return b, lines.Err()
}

var fingerprint = regexp.MustCompile(`^[0-9a-f]{64}:[0-9]+$`)

// WriteBaseline writes the findings as a baseline: sorted as they are, with a
// readable subject beside each fingerprint.
func WriteBaseline(w io.Writer, findings []rules.Finding) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, "# Findings that were accepted. Review changes of this file like code.")
	for _, f := range findings {
		where := secret.Mask(f.Span.Path() + " " + f.Server) // names are a target's text, too
		fmt.Fprintf(out, "%s %s %s\n", f.Fingerprint, f.Rule.ID, analyzers.Untrusted(where))
	}
	return out.Flush()
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err == nil && len(content) > maxBytes {
		err = fmt.Errorf("%s: larger than %d KiB", name, maxBytes>>10)
	}
	return content, err
}
