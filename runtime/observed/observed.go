// Package observed saves what a shim in observe mode saw of a server: how it
// is started and what it shows, in one file that sallyport registry propose
// reads (the row "observed" of analyzers/clientconfig).
package observed

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-mcp/sallyport/analyzers/secret"
)

// Server is one server as a session saw it.
type Server struct {
	Name string   // as the client's configuration calls it
	Argv []string // what was started; empty for a remote server
	Env  []string // names of the variables that the client sets, without values
	URL  string   // of a remote server

	// The definitions, each as the server wrote it. A nil list was not asked
	// for in this session: what an earlier one saw of it stays.
	Tools, Prompts, Resources, Templates []json.RawMessage
	Instructions                         *string // nil without an initialize answer
	ServerInfo, Capabilities             json.RawMessage
}

// ErrCredential is returned for a server whose command line or URL holds a
// credential: it would be written to a file.
var ErrCredential = errors.New("its command line or URL holds a credential; pass it by an environment variable or a header, then it can be observed")

// maxBytes is the largest file that is written; scans read no larger one.
const maxBytes = 10 << 20

// Save writes the file of s in dir, a private directory that it makes. The
// file is replaced as a whole, and only when its content changes; the same
// server has the same file in every run.
func Save(dir string, s Server) error {
	if len(s.Argv) == 0 && s.URL == "" {
		return fmt.Errorf("observed server %q: no command and no URL", s.Name)
	}
	for _, word := range append([]string{s.URL, strings.Join(s.Argv, " ")}, s.Argv...) {
		if secret.Mask(word) != word {
			return fmt.Errorf("observed server %q: %w", s.Name, ErrCredential)
		}
	}
	path := filepath.Join(dir, FileName(s))
	old, err := read(path)
	if err != nil {
		return err
	}
	content, err := document(s, old)
	if err != nil {
		return fmt.Errorf("observed server %q: %w", s.Name, err)
	}
	if bytes.Equal(content, old) {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".observed-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// FileName is the name of a server's file: its own name, for people, and a
// digest of its identity, so that two servers of one name have two files.
// The words of the name are not set apart: "test" in a path means test data to
// a scan.
func FileName(s Server) string {
	slug := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '+'
	}, s.Name)
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", s.Name, s.Argv, slices.Sorted(slices.Values(s.Env)), s.URL))
	return cmp.Or(slug[:min(len(slug), 40)], "server") + "~" + hex.EncodeToString(sum[:4]) + ".observed.json"
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxBytes+1))
}

type file struct {
	Servers map[string]declaration     `json:"mcpServers"`
	Surface map[string]json.RawMessage `json:"surface"`
}

type declaration struct {
	Command string            `json:"command,omitzero"`
	Args    []string          `json:"args,omitzero"`
	Env     map[string]string `json:"env,omitzero"`
	URL     string            `json:"url,omitzero"`
}

// document is the content of the file; old is what stands there.
func document(s Server, old []byte) ([]byte, error) {
	d := declaration{URL: s.URL}
	if len(s.Argv) > 0 {
		d.Command, d.Args = s.Argv[0], s.Argv[1:]
	}
	for _, name := range s.Env {
		if d.Env == nil {
			d.Env = map[string]string{}
		}
		d.Env[name] = ""
	}
	var before file
	_ = json.Unmarshal(old, &before) // what cannot be read is written anew
	out := file{Servers: map[string]declaration{s.Name: d}, Surface: map[string]json.RawMessage{}}
	for _, part := range []struct {
		key  string
		list []json.RawMessage
	}{{"tools", s.Tools}, {"prompts", s.Prompts}, {"resources", s.Resources}, {"resourceTemplates", s.Templates}} {
		if part.list == nil {
			if kept, ok := before.Surface[part.key]; ok {
				out.Surface[part.key] = kept
			}
			continue
		}
		list, err := array(part.list)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.key, err)
		}
		out.Surface[part.key] = list
	}
	out.Surface["instructions"] = before.Surface["instructions"]
	if s.Instructions != nil {
		text, err := json.Marshal(*s.Instructions)
		if err != nil {
			return nil, err
		}
		out.Surface["instructions"] = text
	}
	out.Surface["serverInfo"] = before.Surface["serverInfo"]
	if s.ServerInfo != nil {
		out.Surface["serverInfo"] = s.ServerInfo
	}
	out.Surface["capabilities"] = before.Surface["capabilities"]
	if s.Capabilities != nil {
		out.Surface["capabilities"] = s.Capabilities
	}
	for key, value := range out.Surface {
		if value == nil {
			delete(out.Surface, key)
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(out); err != nil {
		return nil, err
	}
	if b.Len() > maxBytes {
		return nil, fmt.Errorf("what it shows is larger than %d MiB", maxBytes>>20)
	}
	return b.Bytes(), nil
}

// array joins definitions in an order of their own: servers list them in any.
func array(list []json.RawMessage) (json.RawMessage, error) {
	var all [][]byte
	for _, one := range list {
		var b bytes.Buffer
		if err := json.Compact(&b, one); err != nil {
			return nil, err
		}
		all = append(all, b.Bytes())
	}
	slices.SortFunc(all, bytes.Compare)
	return append(append([]byte{'['}, bytes.Join(all, []byte{','})...), ']'), nil
}
